//! Joins devices of the protocol in memory, for tests, models, fuzz targets and figures.
//!
//! | module | what |
//! |---|---|
//! | [`clock`] | a virtual clock: time passes only when nothing else can happen |
//! | [`relay`] | the relay's real core, and what it says to whom |
//! | [`machine`], [`host`] | a machine with its store in memory: commits applied, reported, held back, cut by a crash |
//! | [`net`] | two hosts at one relay, and a tap that drops, alters or repeats what they send |
//! | [`account`] | an application of a link: commands, rows, files; `World` is two of them |
//! | [`pairing`] | two devices that pair, and their users; `Couple` |
//! | [`evil`], [`raw`] | scripted peers with real keys, in place of a relay and a device, or at the relay |
//! | [`process`] | programs that a test starts |
//! | [`keys`], [`commands`], [`frames`] | links and commands whose keys are fixed, and frames of them |
//!
//! It switches on `testing`: nothing that ships may depend on it.
#![expect(
    missing_docs,
    missing_debug_implementations,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "for tests alone, where whatever is unexpected panics"
)]

pub mod account;
pub mod clock;
pub mod commands;
pub mod evil;
pub mod frames;
pub mod host;
pub mod keys;
pub mod machine;
pub mod net;
pub mod pairing;
pub mod process;
pub mod raw;
pub mod relay;

pub use account::World;
pub use clock::Clocked;
pub use evil::Evil;
pub use pairing::Couple;
