//! The state of the core thread, and its inputs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use handfast::RelayName;
use handfast::codec::ids::ContentId;
use handfast_programs::{
    Asker, CoreIo, Destination, FileJobError, ImportError, Staged, StdinEvent, UserFileError,
};
use serde_json::{Map, Value};

use crate::app::App;
use crate::media::ExportError;
use crate::qr::DrawError;

/// What the program was started to do.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the two ways to run")]
pub enum Mode {
    /// Show codes until a phone is linked.
    Pair {
        /// The file to which each code is drawn, besides the terminal.
        qr_png: Option<PathBuf>,
    },
    /// Run as the companion until interrupted.
    Run {
        /// The relay that the user named, if any. It must be the one over which the companion is linked.
        relay: Option<RelayName>,
    },
}

/// How the program prints to its user, and reads the user's input.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "both ways")]
pub struct Console {
    /// Prints an event, or the answer to a line.
    pub tell: fn(&Value),
    /// Parses a line of standard input as a request.
    pub read: fn(&str) -> anyhow::Result<Map<String, Value>>,
}

/// An input that phones do not have.
#[derive(Debug)]
pub(super) enum Own {
    Stdin(StdinEvent),
    File(FileEvent),
}

/// The result of work, done in another thread, on a file that the user named.
#[derive(Debug)]
pub(super) enum FileEvent {
    /// A file that is to be sent was copied into the directory of content.
    Staged(Asker, Put, Result<Result<Staged, ImportError>, FileJobError>),
    /// The path to which fetched content is to be copied was checked.
    Looked(Asker, ContentId, PathBuf, Result<Result<Destination, UserFileError>, FileJobError>),
    /// Content was copied to the user's path.
    Exported(ContentId, String, Result<Result<u64, ExportError>, FileJobError>),
    /// The picture of a pairing code was drawn. The first field is the code's text.
    Drawn(String, Result<Result<(), DrawError>, FileJobError>),
}

/// What a file is sent for: the chat, and the name that the client gave the message.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) chat: u64,
    pub(super) client_id: Option<String>,
}

/// The state of the core thread.
pub(super) struct WebCore {
    pub(super) app: App,
    pub(super) mode: Mode,
    pub(super) io: CoreIo<Own>,
    /// Whether the picture of a code is being drawn now.
    pub(super) drawing: bool,
    /// Whether a picture of a code was drawn, so that this program must remove it at the end.
    pub(super) drawn: Arc<AtomicBool>,
    pub(super) next_drawing: Option<String>,
    pub(super) console: Console,
    /// The result with which the program ends, once it is known.
    pub(super) end: Option<anyhow::Result<()>>,
}
