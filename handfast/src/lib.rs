#![cfg_attr(all(feature = "tokio", feature = "sqlite"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "tokio", feature = "sqlite")),
    doc = "The machines of [`session`], for the application's own loop, and what the features add. See the README."
)]
#![cfg_attr(not(any(feature = "tokio", feature = "sqlite", feature = "os-rng", feature = "testing")), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

pub use bytes;
pub use handfast_codec as codec;
pub use handfast_codec::{DecodeError, DeviceRole, ErrorCode, RelayName, Timestamp};
pub use handfast_handshake as handshake;
pub use handfast_media as media;
pub use handfast_session as session;
pub use rand_core;

pub mod coded;
#[cfg(feature = "sqlite")]
pub mod content_files;
#[cfg(feature = "tokio")]
pub mod driver;
pub mod hex;
pub mod host;
// In the documentation alone, and with the features whose items it links.
#[cfg(all(doc, feature = "sqlite", feature = "tokio"))]
#[cfg_attr(docsrs, doc(auto_cfg = false))]
pub mod manual;
pub mod media_type;
pub mod provided_rows;
#[cfg(feature = "os-rng")]
pub mod rng;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "store-suite")]
pub mod store_suite;
#[cfg(any(feature = "tokio", feature = "sqlite"))]
mod system_error;
#[cfg(any(feature = "tokio", feature = "sqlite"))]
pub use system_error::SystemError;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "sqlite")]
pub mod tether;
pub mod transfers;
#[cfg(feature = "wasm")]
pub mod wasm;
#[cfg(all(feature = "testing", any(feature = "tokio", feature = "sqlite")))]
pub mod witness;
