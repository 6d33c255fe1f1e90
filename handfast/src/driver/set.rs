//! The open sockets of a program that keeps its machines in one thread.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::connect::Connector;
use super::task::{SocketEvent, SocketHandle, spawn_socket_with};
use crate::RelayName;

/// How long a socket that is given up may still write what was queued: the last words of a connection.
const LINGER: Duration = Duration::from_millis(500);

/// Sockets by the tag that a program gives them.
#[derive(Debug)]
pub struct SocketSet<T, E> {
    runtime: Handle,
    connector: Connector,
    events: mpsc::Sender<E>,
    wrap: fn(T, SocketEvent) -> E,
    open: BTreeMap<T, SocketHandle>,
}

impl<T, E> SocketSet<T, E>
where
    T: Copy + Ord + Send + Sync + 'static,
    E: Send + 'static,
{
    /// An empty set whose sockets are opened by `connector`, and tell what happens through `wrap` into `events`.
    #[must_use]
    pub fn new(
        runtime: Handle,
        connector: Connector,
        events: mpsc::Sender<E>,
        wrap: fn(T, SocketEvent) -> E,
    ) -> Self {
        Self { runtime, connector, events, wrap, open: BTreeMap::new() }
    }

    /// Opens a socket.
    pub fn connect(&mut self, tag: T, relay: RelayName) {
        let wrap = self.wrap;
        let (connector, events) = (Ok(self.connector.clone()), self.events.clone());
        let handle =
            spawn_socket_with(&self.runtime, connector, relay, events, move |event| wrap(tag, event));
        drop(self.open.insert(tag, handle));
    }

    /// Sends one relay frame. A socket whose queue is full is closed, and its `Closed` follows.
    pub fn send(&self, tag: T, frame: Bytes) {
        if let Some(handle) = self.open.get(&tag)
            && handle.send(frame).is_err()
        {
            handle.close();
        }
    }

    /// Gives a socket up; what is queued may still leave.
    pub fn disconnect(&mut self, tag: T) {
        if let Some(handle) = self.open.remove(&tag) {
            drop(self.runtime.spawn(async move {
                tokio::time::sleep(if handle.queued() > 0 { LINGER } else { Duration::ZERO }).await;
                handle.close();
            }));
        }
    }

    /// How many sockets are open or being opened, and how many bytes wait in them.
    #[must_use]
    pub fn usage(&self) -> (usize, usize) {
        (self.open.len(), self.open.values().map(SocketHandle::queued).sum())
    }

    /// The runtime of the sockets' tasks.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// A socket's `Closed` has come: forgets it.
    pub fn closed(&mut self, tag: T) {
        drop(self.open.remove(&tag));
    }
}
