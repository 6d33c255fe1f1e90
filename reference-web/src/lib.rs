//! The reference companion: the store, the machine and the drawing of codes behind `handfast-web`.

pub mod media;
pub mod qr;
pub mod store;
