//! The relay over loopback: real TCP, real WebSockets, hostile bytes.

mod client;
#[cfg(feature = "failpoints")]
mod failpoints;
mod flow;
mod hostile;
mod http;
mod program;
mod proxy;
mod tls;
