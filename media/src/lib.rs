//! Media over Handfast: content that is named by the hash of its chunk list, and sent over streams (spec,
//! streams, *Media*).
//!
//! A media stream is `size u64 | chunk hashes | content`. [`ContentHasher`] builds the chunk list of given
//! content, [`Outgoing`] produces the stream, and [`Incoming`] writes a received stream to a [`Storage`] and
//! returns how much of the stream may be reported as durable. [`MediaReceiver`] only checks a stream, for
//! callers that store received content in another way.
//!
//! There is no I/O: [`Storage`] and [`Source`] hide where the bytes are. Where files are only reached by
//! requests that are answered later, as in a web page, [`QueuedIncoming`] and [`QueuedOutgoing`] run the same
//! two machines and return what to read, write and sync.
#![no_std]
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

mod chunk_list;
mod incoming;
mod outgoing;
mod queued_incoming;
mod queued_outgoing;
mod receiver;

pub use chunk_list::{ChunkList, ContentHasher, list_len};
pub use incoming::{Incoming, Progress, Storage};
pub use outgoing::{Outgoing, Source, check_offset};
pub use queued_incoming::{QueuedIncoming, StoreStep, SyncStep, WRITE_LEN};
pub use queued_outgoing::{QueuedOutgoing, SupplyStep};
pub use receiver::{MediaReceiver, Taken};
