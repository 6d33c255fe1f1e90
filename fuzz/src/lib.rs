//! The fuzz targets of Handfast, as plain functions: each takes bytes, and panics when a property does not hold.
//!
//! `cargo test -p handfast-fuzz` replays `seeds/` and `regressions/` and some thousand mutations of them; the binaries
//! in `fuzz_targets/` hand the same functions to libFuzzer.

pub mod endpoint_pair;
pub mod handshake_bytes;
pub mod qr;
pub mod record_frames;
pub mod relay_frames;
mod walk;

/// A target: its name, which is that of its folders, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("qr", qr::run),
    ("relay_frames", relay_frames::run),
    ("record_frames", record_frames::run),
    ("handshake_bytes", handshake_bytes::run),
    ("endpoint_pair", endpoint_pair::run),
];
