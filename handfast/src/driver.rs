//! The tokio driver: WebSockets to relays, clocks, and the random generator for the machines.
//!
//! The machines of the handfast crates do no I/O. A program that keeps them in one thread needs one task for
//! each socket: [`spawn_socket`] starts it, a bounded channel delivers the socket's events, and a
//! [`SocketHandle`] takes what must be sent.
//!
//! ```no_run
//! use handfast::RelayName;
//! use handfast::driver::{SocketEvent, spawn_socket};
//! use tokio::runtime::Handle;
//! use tokio::sync::mpsc;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let relay = RelayName::parse("127.0.0.1:8787")?;
//! let (events, mut inbox) = mpsc::channel(64);
//! let tag = 7; // Which socket: events of one that was given up may still come.
//! let socket = spawn_socket(&Handle::current(), relay, events, move |event| (tag, event));
//! while let Some((tag, event)) = inbox.recv().await {
//!     match event {
//!         SocketEvent::Opened => println!("{tag} is open"),
//!         SocketEvent::Message(frame) => println!("{} bytes came", frame.len()), // endpoint.handle_bytes(..)
//!         SocketEvent::Written(len) => println!("{len} bytes left"),             // endpoint.transmitted(..)
//!         SocketEvent::Closed(reason) => println!("{reason}"),                   // endpoint.handle_closed(..)
//!     }
//! }
//! # drop(socket);
//! # Ok(())
//! # }
//! ```

mod clock;
mod connect;
mod head;
mod host_driver;
mod link_socket;
mod set;
mod task;
mod tls;
mod websocket;

pub use crate::rng::{NoRandomness, SystemRng, os_rng};
pub use clock::{Clock, SleepWatch};
pub use connect::Connector;
pub use host_driver::{HostDriver, Round, hand_over};
pub use link_socket::{LinkSocket, tell};
pub use set::SocketSet;
pub use task::{
    FLUSH_DEADLINE, FrameRefused, QUEUE_LEN_MAX, SocketEvent, SocketHandle, WRITE_DEADLINE, spawn_socket,
    spawn_socket_with,
};
pub use tls::{CertificatesError, TlsFailure};
pub use websocket::{CONNECT_DEADLINE, SocketError, WebSocket};
