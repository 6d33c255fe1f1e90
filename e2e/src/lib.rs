//! Stories with the real programs: as processes on this machine, in a real browser, and with an older release.
//!
//! `cargo xtask` starts them; what both need of the machine (other programs, Debian's packages, places of the workspace)
//! is here, too.

pub mod bench;
pub mod browser;
pub mod command;
pub mod debian;
pub mod dissector;
pub mod engine;
pub mod npm;
pub mod old_release;
pub mod processes;
#[path = "../../reference-relay/build/slim.rs"]
mod slim;
pub mod workspace;
