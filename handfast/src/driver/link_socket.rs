//! The socket of a program that runs a single link in a single task.

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::{RelayName, Timestamp};
use handfast_session::role::Role;
use handfast_session::{ApiMisuse, Endpoint};
use rand_core::CryptoRng;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::task::{SocketEvent, SocketHandle, spawn_socket};

/// The number of events that may wait before reading stops.
const INBOX_LEN: usize = 64;

/// At most one open socket at a time, as an `Endpoint` asks for, with the events of that socket. Events of
/// sockets that were replaced or closed are dropped.
#[derive(Debug)]
pub struct LinkSocket {
    events: mpsc::Sender<(u64, SocketEvent)>,
    inbox: mpsc::Receiver<(u64, SocketEvent)>,
    open: Option<SocketHandle>,
    /// The number of the current socket, by which events of earlier ones are recognised.
    tag: u64,
}

impl Default for LinkSocket {
    fn default() -> Self {
        let (events, inbox) = mpsc::channel(INBOX_LEN);
        Self { events, inbox, open: None, tag: 0 }
    }
}

impl LinkSocket {
    /// Opens a socket to a relay, replacing the current one. Must be called within a tokio runtime.
    pub fn connect(&mut self, relay: &RelayName) {
        self.tag = self.tag.saturating_add(1);
        let tag = self.tag;
        let wrap = move |event| (tag, event);
        self.open = Some(spawn_socket(&Handle::current(), relay.clone(), self.events.clone(), wrap));
    }

    /// Closes the socket. Frames that are queued in it are written first, for at most
    /// [`super::FLUSH_DEADLINE`].
    pub fn disconnect(&mut self) {
        self.open = None;
    }

    /// Sends one relay frame. Without an open socket the frame is lost, which the endpoint allows for. A
    /// socket whose queue is full is closed, and its event `Closed` follows.
    pub fn send(&self, frame: Bytes) {
        if let Some(socket) = &self.open
            && socket.send(frame).is_err()
        {
            socket.close();
        }
    }

    /// Waits for the next event of the open socket. Returns `None` when the time `wait` has passed. If `wait`
    /// is `None` there is no limit.
    ///
    /// The future may be dropped at any time without losing an event.
    pub async fn next(&mut self, wait: Option<Duration>) -> Option<SocketEvent> {
        // `Duration::MAX` is far beyond the machine's own deadlines, so it works as no limit.
        timeout(wait.unwrap_or(Duration::MAX), self.next_of_open()).await.ok()
    }

    async fn next_of_open(&mut self) -> SocketEvent {
        loop {
            // `self` holds a sender, so the channel never closes.
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

/// Reports a socket's event to an endpoint. `None` means that the endpoint's deadline has passed.
///
/// # Errors
///
/// [`ApiMisuse`] when the event is not one of the socket that the endpoint asked for.
pub fn tell<R: Role>(
    endpoint: &mut Endpoint<R>,
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
