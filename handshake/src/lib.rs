//! The keys of a Handfast link: the Noise core, pairing, reconnect, ratchet, certificates and sealed records.
//!
//! This crate has no socket, clock, file or thread, and draws randomness only from a generator that the
//! caller passes. The crate follows the specification (`spec/handshake.md`, `spec/certificates.md`,
//! `spec/records.md`); ids in the code such as `HSK-001` name requirements of the specification.
//!
//! From the bottom up:
//!
//! - [`secret`]: one type for each kind of secret, wiped when dropped;
//! - [`noise`]: Noise revision 34 by pattern names, byte-compatible, with the third output of `Split`;
//! - [`record`]: sealing and opening the padded records of a connection.
//!
//! Every step of a handshake consumes the state before it. A step that fails has wiped its keys, and returns
//! a [`HandshakeError`] with one code for the wire and a more precise one for this device.
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

pub mod certificate;
pub mod error;
#[cfg(feature = "hazmat")]
pub mod hazmat;
pub mod identity;
#[cfg(feature = "key-log")]
mod key_log;
pub mod key_schedule;
pub mod link;
pub mod noise;
pub mod pairing;
pub mod ratchet;
pub mod reconnect;
pub mod record;
pub mod secret;

pub use error::{BadKey, HandshakeError, RecordError};
