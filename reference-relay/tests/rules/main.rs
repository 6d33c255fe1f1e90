//! The rules of spec/relay.md, one by one, against the relay without I/O.

mod attach;
mod frames;
mod harness;
mod limits;
mod link;
mod pairing;
mod random;
mod state;
mod tables;
