//! The reference relay of Handfast: untrusted, it forwards encrypted frames between the two seats of a
//! mailbox.
//!
//! [`core`] is the relay without I/O; [`server`] puts HTTP and WebSockets around it. `spec/relay.md`
//! specifies what a relay must do, and what it learns.

pub mod core;
#[cfg(feature = "failpoints")]
pub mod failpoint;
pub mod server;
