//! What native programs share: a locked data directory, the directory of content, a control socket, JSON
//! lines, the inbox of a core loop, and kill points.
//!
//! A program keeps its machines and its store in one *core* thread. All events reach that thread through an
//! [`Inbox`]: socket events ([`handfast::driver::spawn_socket`]), requests of other processes
//! ([`serve_control`]), lines of standard input ([`spawn_stdin`]). The program locks its data directory by a
//! [`DirLock`].
//!
//! ```no_run
//! use std::path::Path;
//! use handfast_programs::{Clock, ControlEvent, DirLock, Inbox, IoThread, serve_control};
//!
//! enum Input {
//!     Control(ControlEvent),
//! }
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let lock = DirLock::acquire(Path::new("data"))?;
//! let clock = Clock::start();
//! let (events, mut inbox) = Inbox::new(256)?;
//! let io = IoThread::start()?;
//! let _server = serve_control(io.handle(), &lock, events, Input::Control)?;
//! let mut batch = Vec::new();
//! while inbox.wait(None, &mut batch) {
//!     for Input::Control(event) in batch.drain(..) {
//!         println!("{:?} {event:?}", clock.now());
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod core_thread;
mod dir;
mod ending;
pub mod fields;
mod inbox;
mod io_thread;
mod jobs;
mod kill;
mod lines;
mod media_dir;
mod part_check;
mod pasted;
mod printable;
mod server;
mod socket_log;
mod terminal;
mod text;
mod usage;
mod user_file;

pub use handfast::driver::Clock;
pub use handfast::hex::parse_hex;
pub use handfast::media_type::media_type;

pub use client::{ControlClient, ControlError};
pub use core_thread::{CoreError, run_core};
pub use dir::{DirLock, DirLockError, write_file};
pub use ending::{Unwritable, complain, keep_files_private, printed, reason, told};
pub use inbox::Inbox;
pub use io_thread::IoThread;
pub use jobs::{FILE_JOBS_MAX, FILE_STALL_MAX, FileJobError, FileJobs, Progress};
#[doc(hidden)]
#[cfg(feature = "failpoints")]
pub use kill::passed as kill_point_passed;
pub use lines::{
    LINE_LEN_MAX, LineError, StdinEvent, field_hex, field_str, field_u64, parse_object, print_line,
    spawn_stdin,
};
pub use media_dir::copy::{ImportError, Imported, Staged};
pub use media_dir::{FreeSpace, MEDIA_DIR, MediaDir};
pub use part_check::{CHECK_STEP_LEN, PartCheck};
pub use pasted::pasted_code;
pub use printable::{printable, printable_lines};
pub use server::{CLIENTS_MAX, ControlEvent, ControlServer, REPLIES_MAX, Replies, ReplyGone, serve_control};
pub use socket_log::log_socket;
pub use terminal::Terminal;
pub use text::{ago, columns, print_words, size, yes_or_no};
pub use usage::{resident_memory, usage, usage_words};
pub use user_file::{Destination, UserFile, UserFileError};

/// The name of the control socket in the data directory.
pub const CONTROL_SOCKET: &str = "control.sock";
