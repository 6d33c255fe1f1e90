//! The whole system in one deterministic process: the real phone, companions and relay, under one virtual clock, one
//! seed, and a plan of faults. See the README.

mod acts;
pub mod check;
pub mod describe;
pub mod disk;
pub mod faults;
pub mod kind;
pub mod ledger;
pub mod net;
pub mod node;
pub mod plan;
pub mod report;
pub mod rng;
pub mod run;
pub mod scenario;
pub mod shrink;
mod sockets;
pub mod trace;
pub mod upstream;
pub mod users;
pub mod world;
