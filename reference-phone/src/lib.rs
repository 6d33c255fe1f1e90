//! The reference phone of Handfast: holds the account, the messages and the media, and tethers companions to them.
//!
//! - [`store`]: the SQLite database;
//! - [`app`]: what happens on inputs, without socket, clock or thread;
//! - [`upstream`]: the network behind the phone, as a trait, and a demo network with contacts that answer;
//! - [`policy`]: which relays it talks to;
//! - [`terminal`]: what it says to a person.

pub mod app;
mod describe;
pub mod driver;
pub mod picture;
pub mod policy;
pub mod store;
pub mod terminal;
pub mod upstream;
