//! The native reference companion of Handfast: it shows a pairing code, mirrors the phone's chats, sends
//! messages, and fetches media.
//!
//! [`app::App`] has the logic and does no I/O; [`driver`] runs it over sockets and a database; [`terminal`]
//! turns its events and answers into text for a person.

pub mod app;
mod describe;
pub mod driver;
pub mod media;
pub mod qr;
pub mod store;
pub mod terminal;
