//! The reference companion of Handfast, native: it shows a code, mirrors the phone's chats, sends and fetches.
//!
//! [`app::App`] is everything without I/O; [`driver`] runs it over sockets and a database; [`terminal`] is what
//! it says to a person.

pub mod app;
mod describe;
pub mod driver;
pub mod media;
pub mod qr;
pub mod store;
pub mod terminal;
