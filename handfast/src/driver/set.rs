//! The open sockets of a program that keeps all its machines in one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::connect::Connector;
use super::task::{SocketEvent, SocketHandle, spawn_socket_with};
use crate::RelayName;

/// Sockets, each under a tag that the program chooses.
#[derive(Debug)]
pub struct SocketSet<T, E> {
    runtime: Handle,
    connector: Connector,
    events: mpsc::Sender<E>,
    wrap: fn(T, SocketEvent) -> E,
    open: BTreeMap<T, SocketHandle>,
    /// Sockets that are being closed, and have not said yet that they are.
    closing: BTreeSet<T>,
}

impl<T, E> SocketSet<T, E>
where
    T: Copy + Ord + Send + Sync + 'static,
    E: Send + 'static,
{
    /// Creates an empty set whose sockets are opened by `connector`, and whose events go through `wrap` into
    /// `events`.
    #[must_use]
    pub fn new(
        runtime: Handle,
        connector: Connector,
        events: mpsc::Sender<E>,
        wrap: fn(T, SocketEvent) -> E,
    ) -> Self {
        Self { runtime, connector, events, wrap, open: BTreeMap::new(), closing: BTreeSet::new() }
    }

    /// Opens a socket under this tag.
    pub fn connect(&mut self, tag: T, relay: RelayName) {
        let wrap = self.wrap;
        let (connector, events) = (Ok(self.connector.clone()), self.events.clone());
        let handle =
            spawn_socket_with(&self.runtime, connector, relay, events, move |event| wrap(tag, event));
        drop(self.open.insert(tag, handle));
    }

    /// Sends one relay frame. A socket whose queue is full is closed, and its event `Closed` follows.
    pub fn send(&self, tag: T, frame: Bytes) {
        if let Some(handle) = self.open.get(&tag)
            && handle.send(frame).is_err()
        {
            handle.close();
        }
    }

    /// Closes a socket. Frames that are queued in it are written first, for at most
    /// [`super::FLUSH_DEADLINE`].
    pub fn disconnect(&mut self, tag: T) {
        if self.open.remove(&tag).is_some() {
            let _ = self.closing.insert(tag);
        }
    }

    /// Closes all sockets, like [`SocketSet::disconnect`].
    pub fn disconnect_all(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.closing.extend(open.into_keys());
    }

    /// Returns whether a socket is being closed whose `Closed` has not come yet.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        !self.closing.is_empty()
    }

    /// Returns the number of sockets that are open or opening, and the number of bytes queued in them.
    #[must_use]
    pub fn usage(&self) -> (usize, usize) {
        (self.open.len(), self.open.values().map(SocketHandle::queued).sum())
    }

    /// Returns the runtime of the sockets' tasks.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Forgets a socket whose `Closed` has come.
    pub fn closed(&mut self, tag: T) {
        drop(self.open.remove(&tag));
        let _ = self.closing.remove(&tag);
    }
}
