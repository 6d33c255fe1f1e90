//! The programs of `examples/` as their users run them: as processes, over a real relay, killed at any moment.
#![cfg(all(feature = "tokio", feature = "sqlite"))]

mod minimal;
mod notes;
mod side;
mod wallet;
