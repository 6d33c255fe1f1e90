//! Delivery, streams, resume and liveness of the Handfast protocol, without I/O.
//!
//! [`Endpoint`] runs one link: its seat at the relay, its handshakes, its session. A phone has a
//! [`PhoneEndpoint`] and a companion a [`CompanionEndpoint`], so that a call of the other [`role`] does not
//! compile. [`Pairing`] makes a new link. All take time, randomness and received bytes as parameters, and
//! return everything that must be sent by `poll_output`:
//!
//! 1. drain `poll_output`: apply [`Output::Persist`] and [`Output::Deliver`] in a transaction and call
//!    `committed` when it is durable, write [`Output::Transmit`] to the WebSocket, hand [`Output::Event`] to
//!    the application, stop at [`Output::Wait`];
//! 2. wait for exactly one of: bytes from the WebSocket, a call of the application, the deadline of `Wait`;
//! 3. read the clock once, make the one matching call, go to 1.
//!
//! If a transaction fails, drop the machine and load it again: all that matters is in the store.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::iter_over_hash_type,
        clippy::exhaustive_enums,
        clippy::std_instead_of_core,
        clippy::alloc_instead_of_core,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod attach;
mod commands;
mod commit;
mod counted;
mod counters;
mod digest;
mod endpoint;
mod ephemeral;
mod error;
mod inbox;
mod jitter;
mod key_log;
mod keys;
mod memory;
mod outbox;
mod output;
pub mod pairing;
mod psk;
mod queue;
pub mod resume;
mod returns;
mod rows;
mod stream;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod wake;

pub use commands::Repeat;
pub use commit::{Commit, CommitError, Op, StoreTxn, VERSION_KEY, Value, is_secret};
pub use digest::RowDigest;
pub use endpoint::{
    CompanionEndpoint, Endpoint, LinkRows, LinkStatus, Opened, PhoneEndpoint, StreamInfo, role,
};
pub use error::{ApiMisuse, LoadError, SendError};
pub use memory::{LinkRowsTxn, MemoryStore, MemoryTxn};
pub use output::{Event, LinkState, Message, Output, StreamEnd, StreamEvent, SyncEvent};
pub use pairing::{Pairing, PairingEvent, PairingOutput};
pub use rows::RowList;
