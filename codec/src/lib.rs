//! The byte layouts of the Handfast protocol.
//!
//! Everything that crosses a wire, stands in a QR code, is signed or is hashed has its layout here; `spec/`
//! specifies the layouts. Decoders read whole items, accept exactly one encoding of each value, and return
//! slices of the input instead of copies. Nothing here reads a clock or a socket, or draws a random number.
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

pub mod envelope;
pub mod error;
pub mod frame;
pub mod ids;
pub mod limits;
pub mod link;
pub mod name;
pub mod parse;
pub mod payload;
pub mod qr;
pub mod record;
pub mod relay;
pub mod role;
pub mod signed;
pub mod stream_meta;
mod test_builds;
pub mod time;
pub mod tlv;
pub mod varint;
pub mod versions;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use error::{DecodeError, ErrorCode};
pub use name::RelayName;
pub use role::DeviceRole;
pub use time::Timestamp;
pub use versions::Versions;
