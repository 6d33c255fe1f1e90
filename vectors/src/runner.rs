//! The conformance runner: asks an implementation each case through a *shim*, a program that answers JSON lines.
//!
//! `SHIMS.md` is the protocol. What a shim writes is not trusted: it may be nonsense, endless, or never come.

mod command_line;
mod compare;
mod finding;
mod group;
mod protocol;
mod report;
mod requirements;
mod run;
mod select;
mod shim;
mod skips;

pub use self::finding::{Class, Finding};
pub use self::protocol::{Hello, PROTOCOL};
pub use self::run::{Asking, Column, Level, Options, Run, peer, run};
pub(crate) use self::run::{columns, selected, told};
pub(crate) use self::shim::{Shim, Trouble};
