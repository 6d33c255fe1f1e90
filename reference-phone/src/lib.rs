//! The reference phone of Handfast: it has the account, the messages and the media, and serves companions.
//!
//! - [`store`]: the SQLite database;
//! - [`app`]: the reaction to every input, without socket, clock or thread;
//! - [`upstream`]: the messenger's network behind the phone, as a trait, and a demo network with contacts
//!   that answer;
//! - [`policy`]: the relays that the phone may use;
//! - [`terminal`]: its output for people.

pub mod app;
mod describe;
pub mod driver;
pub mod picture;
pub mod policy;
pub mod store;
pub mod terminal;
pub mod upstream;
