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
//!
//! ```
//! use bytes::Bytes;
//! use handfast_codec::error::ErrorCode;
//! use handfast_media::{ContentHasher, Incoming, MediaReceiver, Outgoing, Progress, Source, Storage, Synced};
//!
//! /// Where bytes lie: here, in memory.
//! #[derive(Default)]
//! struct Memory(Vec<u8>);
//!
//! impl Source for Memory {
//!     fn read_at(&mut self, offset: u64, len: usize) -> Result<Bytes, ErrorCode> {
//!         let at = usize::try_from(offset).map_err(|_| ErrorCode::GONE)?;
//!         self.0.get(at..at + len).map(Bytes::copy_from_slice).ok_or(ErrorCode::GONE)
//!     }
//! }
//!
//! impl Storage for Memory {
//!     const KEEPS_LIST: bool = false;
//!
//!     fn write_list(&mut self, _: &[u8]) -> Result<(), ErrorCode> {
//!         Ok(())
//!     }
//!
//!     fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
//!         self.0.extend_from_slice(bytes);
//!         Ok(())
//!     }
//!
//!     fn sync(&mut self) -> Result<Synced, ErrorCode> {
//!         Ok(Synced::Yes)
//!     }
//! }
//!
//! # fn main() -> Result<(), ErrorCode> {
//! let picture = vec![7; 100_000];
//! let mut hasher = ContentHasher::new();
//! hasher.update(&picture);
//! let list = hasher.finish();
//!
//! let mut outgoing = Outgoing::new(&list, 0, Memory(picture))?;
//! let receiver = MediaReceiver::new(list.content_id(), 0)?;
//! let mut incoming = Incoming::new(list.content_id(), None, receiver, 0, Memory::default());
//! let (mut offset, mut whole) = (0, None);
//! while whole.is_none() {
//!     // At the sender, when the machine says `DataWanted`; the bytes go to `stream_supply`.
//!     let (bytes, fin) = outgoing.read(offset, 16_000)?;
//!     offset += u64::try_from(bytes.len()).expect("a small number");
//!     // At the receiver, when the machine says `Data` and `Fin`.
//!     incoming.take(&bytes)?;
//!     if let Some(hash) = fin {
//!         incoming.fin(hash);
//!     }
//!     match incoming.sync()? {
//!         Progress::Nothing | Progress::Durable(_) => {} // the offset goes to `stream_durable`
//!         Progress::Whole(end) => whole = Some(end),
//!     }
//! }
//! assert_eq!(whole, Some(list.stream_len()));
//! # Ok(())
//! # }
//! ```
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

mod chunk_list;
mod incoming;
mod outgoing;
mod queued_incoming;
mod queued_outgoing;
mod receiver;

pub use chunk_list::{ChunkList, ContentHasher, list_len};
pub use incoming::{Incoming, Progress, Storage, Synced};
pub use outgoing::{Outgoing, Source, check_offset};
pub use queued_incoming::{QueuedIncoming, StoreStep, SyncStep, WRITE_LEN};
pub use queued_outgoing::{QueuedOutgoing, SupplyStep};
pub use receiver::{MediaReceiver, Taken};
