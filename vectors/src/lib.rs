//! The test vectors of the Handfast protocol as data, for tests of an implementation in Rust. The README
//! describes the format of the files; `handfast-conformance` tests implementations in any language.
//!
//! ```
//! let names: Vec<&str> = handfast_vectors::FILES.iter().map(|file| file.name).collect();
//! assert!(names.contains(&"qr.json") && names.contains(&"refuse-qr.json"));
//! ```
#![no_std]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A file of test vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct File {
    /// The file's name: its topic and `.json`.
    pub name: &'static str,
    /// The file's content, in JSON.
    pub text: &'static str,
}

macro_rules! file {
    ($name:literal) => {
        File { name: $name, text: include_str!(concat!("../v1/", $name)) }
    };
}

/// Every file of the folder `v1/`, by name. [`MANIFEST`] contains the SHA-256 hashes of the files.
pub const FILES: &[File] = &[
    file!("bytes-message.json"),
    file!("bytes-payload.json"),
    file!("bytes-record.json"),
    file!("bytes-relay.json"),
    file!("certificates.json"),
    file!("commands.json"),
    file!("frames-link.json"),
    file!("frames-record.json"),
    file!("frames-relay.json"),
    file!("media.json"),
    file!("messages.json"),
    file!("noise.json"),
    file!("pairing.json"),
    file!("payloads.json"),
    file!("qr.json"),
    file!("reconnect.json"),
    file!("records.json"),
    file!("recovery.json"),
    file!("refuse-bytes-message.json"),
    file!("refuse-bytes-payload.json"),
    file!("refuse-bytes-record.json"),
    file!("refuse-bytes-relay.json"),
    file!("refuse-certificates.json"),
    file!("refuse-commands.json"),
    file!("refuse-frames-link.json"),
    file!("refuse-frames-record.json"),
    file!("refuse-frames-relay.json"),
    file!("refuse-media.json"),
    file!("refuse-messages.json"),
    file!("refuse-noise.json"),
    file!("refuse-pairing.json"),
    file!("refuse-payloads.json"),
    file!("refuse-qr.json"),
    file!("refuse-records.json"),
    file!("refuse-rules.json"),
    file!("refuse-signatures.json"),
    file!("refuse-state.json"),
    file!("refuse-transcripts.json"),
    file!("rules.json"),
    file!("signatures.json"),
    file!("state.json"),
    file!("transcripts.json"),
];

/// The names of all files with their SHA-256 hashes and numbers of vectors, in JSON.
pub const MANIFEST: &str = include_str!("../manifest.json");

/// The README of the vectors: the form of a case, and every operation.
pub const README: &str = include_str!("../README.md");

/// Points and signatures at the edges of Ed25519, from another project (`ed25519/README.md`), in JSON.
pub const ED25519_POINTS: &str = include_str!("../ed25519/ed25519vectors.json");
