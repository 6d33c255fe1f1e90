//! The one socket of a program that runs one link in one task.

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::{RelayName, Timestamp};
use handfast_session::{ApiMisuse, Endpoint};
use rand_core::CryptoRng;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::task::{SocketEvent, SocketHandle, spawn_socket};

/// Events that may wait, after which nothing more is read.
const INBOX_LEN: usize = 64;

/// At most one open socket at a time: what an `Endpoint` asks for, and what happens to it. Events of a socket that was
/// given up are left out.
#[derive(Debug)]
pub struct LinkSocket {
    events: mpsc::Sender<(u64, SocketEvent)>,
    inbox: mpsc::Receiver<(u64, SocketEvent)>,
    open: Option<SocketHandle>,
    /// Which socket is meant: of this one and no earlier.
    tag: u64,
}

impl Default for LinkSocket {
    fn default() -> Self {
        let (events, inbox) = mpsc::channel(INBOX_LEN);
        Self { events, inbox, open: None, tag: 0 }
    }
}

impl LinkSocket {
    /// Opens a socket to a relay, in place of an earlier one. Must be called within a tokio runtime.
    pub fn connect(&mut self, relay: &RelayName) {
        self.tag = self.tag.saturating_add(1);
        let tag = self.tag;
        let wrap = move |event| (tag, event);
        self.open = Some(spawn_socket(&Handle::current(), relay.clone(), self.events.clone(), wrap));
    }

    /// Gives the socket up.
    pub fn disconnect(&mut self) {
        self.open = None;
    }

    /// Sends one relay frame; without a socket it is lost, as the endpoint expects. A socket that takes no more is closed,
    /// and its `Closed` follows.
    pub fn send(&self, frame: Bytes) {
        if let Some(socket) = &self.open
            && socket.send(frame).is_err()
        {
            socket.close();
        }
    }

    /// Waits for the next event of the open socket; `None` when `wait` has passed (`None`: it never does).
    ///
    /// It may be dropped at any time without losing an event.
    pub async fn next(&mut self, wait: Option<Duration>) -> Option<SocketEvent> {
        // A wait without an end is one that ends long after the machine's own deadlines.
        timeout(wait.unwrap_or(Duration::MAX), self.next_of_open()).await.ok()
    }

    async fn next_of_open(&mut self) -> SocketEvent {
        loop {
            // This end holds a sender, so the channel is never closed.
            let Some((tag, event)) = self.inbox.recv().await else { std::future::pending().await };
            if tag == self.tag && self.open.is_some() {
                if matches!(event, SocketEvent::Closed(_)) {
                    self.open = None;
                }
                return event;
            }
        }
    }
}

/// Tells an endpoint what happened to its socket, or, with `None`, that time has passed.
///
/// # Errors
///
/// [`ApiMisuse`] when it is not the event of the socket that the endpoint asked for.
pub fn tell(
    endpoint: &mut Endpoint,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
    event: Option<SocketEvent>,
) -> Result<(), ApiMisuse> {
    match event {
        None => endpoint.handle_timeout(now, rng),
        Some(SocketEvent::Opened) => endpoint.handle_opened(now, rng),
        Some(SocketEvent::Message(frame)) => endpoint.handle_bytes(now, rng, frame)?,
        Some(SocketEvent::Written(len)) => endpoint.transmitted(now, len),
        Some(SocketEvent::Closed(_)) => endpoint.handle_closed(now, rng),
    }
    Ok(())
}
