//! What native programs share: a locked data directory, the directory of content, a control socket, JSON
//! lines, the inbox of a core loop, and kill points.
//!
//! A program keeps its machines and its store in one *core* thread, whose state is a [`Core`]. All events reach
//! that thread through an [`Inbox`]: socket events, requests of other processes, lines of standard input
//! ([`spawn_stdin`]), and results of work on files ([`FileJobs`]). The program locks its data directory by a
//! [`DirLock`].

pub mod chats;
mod client;
mod command_line;
mod core_loop;
mod core_thread;
mod dir;
mod ending;
pub mod fields;
mod inbox;
#[cfg(test)]
mod io_thread;
mod jobs;
#[cfg(feature = "key-log")]
mod key_log;
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
mod wall_clock;

pub use handfast::driver::Clock;
pub use handfast::hex::parse_hex;
pub use handfast::media_type::media_type;

pub use client::{ControlClient, ControlError};
pub use command_line::{ask, connector, run_program, show};
pub use core_loop::{Asker, Core, CoreIo, Input, SettledOf, answer_or_refusal, run_program_core};
pub use core_thread::CoreError;
pub use dir::{DirLock, DirLockError, write_file};
pub use ending::{Unwritable, complain, reason, told};
pub use inbox::Inbox;
pub use jobs::{FILE_JOBS_MAX, FILE_STALL_MAX, FileJobError, FileJobs, Progress};
#[cfg(feature = "key-log")]
pub use key_log::log_key;
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
pub use terminal::Terminal;
pub use text::{ago, columns, print_words, size, yes_or_no};
pub use usage::usage_words;
pub use user_file::{Destination, UserFile, UserFileError};
pub use wall_clock::wall_ms;

/// The name of the control socket in the data directory.
pub const CONTROL_SOCKET: &str = "control.sock";
