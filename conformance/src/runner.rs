//! The conformance runner: asks an implementation each case through a *shim*, a program that answers JSON lines.
//!
//! `SHIMS.md` is the protocol. What a shim writes is not trusted: it may be nonsense, endless, or never come.

mod annotate;
mod command_line;
mod compare;
mod expect;
mod explain;
mod finding;
mod group;
mod judge;
mod matrix;
mod options;
mod outcome;
mod protocol;
mod report;
mod requirements;
mod rules;
mod run;
mod select;
mod shim;
mod skips;
mod stored;
mod summary;
mod text;
mod worker;

pub use self::compare::{CompareOptions, Form, compare};
pub use self::finding::{Class, Finding};
pub use self::group::{keep, start_keeper};
pub use self::options::{Asking, Level, Options};
pub use self::outcome::{Column, Run};
pub use self::protocol::{Hello, PROTOCOL};
pub use self::run::run;
pub(crate) use self::run::{columns, run_cases, selected};
pub(crate) use self::select::matches;
pub(crate) use self::shim::{Shim, Trouble};
pub(crate) use self::summary::told;
