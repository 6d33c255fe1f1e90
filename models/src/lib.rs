//! Exhaustive searches, with `stateright`, in which the transitions are the code that the session runs.
//!
//! | module | real code | searched for |
//! |---|---|---|
//! | [`ratchet`] | `PhoneRatchet`, `WebRatchet` | lock-outs, false alarms, copies that stay unseen |
//! | [`commit`] | `Pairing` of both sides, then `Endpoint` | a link on one side alone, a link against a user's word |
//! | [`put_back`] | `resume::verdict` | acts run twice or never, a side that was put back and not told |
//! | [`resume`] | `resume::verdict` | messages lost, doubled or out of order, sessions that never go on |
//!
//! A test prints how many states it has visited; `cargo xtask models` also breaks rules, which must be found.

pub mod commit;
pub mod put_back;
pub mod ratchet;
pub mod resume;
mod search;

pub use search::search;
