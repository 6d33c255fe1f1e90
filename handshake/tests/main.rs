//! The tests of the crate from outside, as one program; `wiped.rs` searches its own memory, and is a program by itself.

mod differential;
mod noise_rules;
mod noise_vectors;
mod pairing;
mod refuse;
mod refuse_certificates;
mod refuse_reconnect;
mod secrets;
mod support;
mod transitions;
mod wycheproof;
