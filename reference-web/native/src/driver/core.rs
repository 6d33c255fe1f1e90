//! The core thread: what reaches it, and what it has besides the [`App`].

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use handfast::RelayName;
use handfast::codec::ids::ContentId;
use handfast::driver::{SocketEvent, SocketSet};
use handfast_programs::{
    Clock, ControlEvent, Destination, FileJobError, FileJobs, ImportError, Replies, Staged, StdinEvent,
    UserFileError, reason,
};
use serde_json::{Map, Value, json};

use crate::app::{App, SocketTag};
use crate::media::ExportError;
use crate::qr::DrawError;

/// What the program is to do.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the two ways to run")]
pub enum Mode {
    /// Show codes until a phone is linked; each is drawn to this file too.
    Pair {
        /// The picture of the code.
        qr_png: Option<PathBuf>,
    },
    /// Be the companion until it is interrupted.
    Run {
        /// The relay over which the user believes it to be linked, if one was named.
        relay: Option<RelayName>,
    },
}

/// How the program speaks to whoever runs it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "both ways")]
pub struct Console {
    /// Shows an event, or the answer to a line.
    pub tell: fn(&Value),
    /// Reads a line of stdin as a request.
    pub read: fn(&str) -> anyhow::Result<Map<String, Value>>,
}

/// What reaches the core thread.
#[derive(Debug)]
pub(super) enum Input {
    Socket(SocketTag, SocketEvent),
    Control(ControlEvent),
    Stdin(StdinEvent),
    File(FileEvent),
    Stop,
}

/// What came of a file that the user named: looked at, read or written in a thread of its own.
#[derive(Debug)]
pub(super) enum FileEvent {
    /// A file to be sent was copied in.
    Staged(Asker, Put, Result<Result<Staged, ImportError>, FileJobError>),
    /// The place at which content is wanted was looked at.
    Looked(Asker, ContentId, PathBuf, Result<Result<Destination, UserFileError>, FileJobError>),
    /// Content was copied to where it is wanted.
    Exported(ContentId, String, Result<Result<u64, ExportError>, FileJobError>),
    /// The picture of a code was drawn.
    Drawn(String, Result<Result<(), DrawError>, FileJobError>),
}

/// Whose request it is: a client of the control socket, or, with `None`, whoever writes to stdin.
pub(super) type Asker = Option<Replies>;

/// What a file to be sent is for.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) chat: u64,
    pub(super) client_id: Option<String>,
}

/// The core thread's state besides the App.
pub(super) struct Core {
    pub(super) app: App,
    pub(super) mode: Mode,
    pub(super) clock: Clock,
    pub(super) sockets: SocketSet<SocketTag, Input>,
    /// Work on files that the user names.
    pub(super) files: FileJobs<Input>,
    /// The code whose picture is being drawn, and the one that follows it.
    pub(super) drawing: bool,
    /// Whether a picture was drawn, so that it is this program's to remove.
    pub(super) drawn: Arc<AtomicBool>,
    pub(super) next_drawing: Option<String>,
    pub(super) console: Console,
    /// Why the program ends.
    pub(super) end: Option<anyhow::Result<()>>,
}

/// The answer to a request, if it is due now.
pub(super) fn answer_or_refusal(answer: anyhow::Result<Option<Value>>) -> Option<Value> {
    answer.unwrap_or_else(|error| Some(json!({"error": reason(error.as_ref())})))
}
