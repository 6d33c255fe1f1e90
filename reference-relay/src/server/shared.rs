//! The core under its lock, the queues of the connections, and the clock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use handfast_codec::ids::{AttachmentId, BootId};
use handfast_codec::{ErrorCode, RelayName, Timestamp};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::connections::Connections;
use super::limits::ServerLimits;
use super::origin::OriginPolicy;
use super::page::Page;
use super::proxy::Proxies;
use super::{ServerConfig, ServerError, metrics};
use crate::core::{ApiMisuse, Checked, Fresh, Output, Relay, SocketId, Source};

/// What a connection must write next.
#[derive(Debug)]
pub(super) enum Outgoing {
    Frame(Bytes),
    Close(ErrorCode),
}

/// What the core's side needs to reach a connection.
#[derive(Debug)]
struct Outbox {
    queue: mpsc::UnboundedSender<Outgoing>,
    signals: Arc<Signals>,
}

/// The signals to a connection, besides the queue of its frames.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// The queue of the connection's peer may have space again.
    pub(super) ready: Notify,
    /// The core has closed the connection: from now on its socket has a limited time to send what is queued.
    pub(super) closing: Notify,
    /// Whether the core has closed the connection, so that input from it is ignored.
    pub(super) is_closed: AtomicBool,
}

/// When a connection may be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextRead {
    Now,
    /// When `ready` is notified: until then the queue of the connection's peer is half full.
    WhenReady,
    /// After this time: the connection's network has used up its hourly bytes.
    After(Duration),
}

/// What a connection has of its queue and signals. Dropping it closes the socket in the core.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) socket: SocketId,
    pub(super) queue: mpsc::UnboundedReceiver<Outgoing>,
    pub(super) signals: Arc<Signals>,
    /// The nonce that the client of the connection must sign.
    pub(super) nonce: [u8; 32],
    shared: Arc<Shared>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.closed(self.socket);
    }
}

#[derive(Debug)]
struct State {
    relay: Relay,
    outboxes: BTreeMap<SocketId, Outbox>,
    next_socket: u64,
    deadline: Option<Timestamp>,
}

/// The state that all connections of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    name: RelayName,
    state: Mutex<State>,
    /// Wakes the task of the timer, because the core's next deadline is now earlier.
    sooner: Notify,
    start: Instant,
    connections: Arc<Connections>,
    origins: OriginPolicy,
    page: Page,
    proxies: Proxies,
    has_tls: bool,
    limits: ServerLimits,
    /// The number of upgrades refused because of their Origin.
    pub(super) refused_origins: AtomicU64,
    /// The number of connections refused because of the server's limits.
    pub(super) turned_away: AtomicU64,
}

impl Shared {
    pub(super) fn new(name: RelayName, config: ServerConfig) -> Result<Self, ServerError> {
        let page = Page::load(&config.page, &name)?;
        let origins = OriginPolicy::new(page.is_page().then_some(&name), config.allow_origins);
        let mut boot = [0; 16];
        getrandom::fill(&mut boot).map_err(|_| ServerError::NoRandomness)?;
        let relay = Relay::new(name.clone(), BootId::from_bytes(boot), config.relay_limits);
        Ok(Self {
            name,
            state: Mutex::new(State { relay, outboxes: BTreeMap::new(), next_socket: 0, deadline: None }),
            sooner: Notify::new(),
            start: Instant::now(),
            connections: Arc::default(),
            origins,
            page,
            proxies: config.proxies,
            has_tls: config.tls.is_some(),
            limits: config.server_limits,
            refused_origins: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
        })
    }

    pub(super) const fn name(&self) -> &RelayName {
        &self.name
    }

    pub(super) const fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    pub(super) const fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    pub(super) const fn page(&self) -> &Page {
        &self.page
    }

    pub(super) const fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// Returns whether the relay itself speaks TLS.
    pub(super) const fn has_tls(&self) -> bool {
        self.has_tls
    }

    /// Returns whether a page of this origin may connect. Counts an upgrade that is refused.
    pub(super) fn allows(&self, origin: &str) -> bool {
        let allowed = self.origins.allows(origin);
        if !allowed {
            let _ = self.refused_origins.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }

    fn now(&self) -> Timestamp {
        Timestamp::ZERO.plus(self.start.elapsed())
    }

    /// Locks the core, even after a panic in another connection. Such a panic leaves at most one mailbox in
    /// disorder.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes one input to the core, and passes the core's outputs to their connections.
    fn with<T>(&self, input: impl FnOnce(&mut Relay, Timestamp) -> T) -> T {
        let mut state = self.lock();
        let result = input(&mut state.relay, self.now());
        self.drain(&mut state);
        result
    }

    fn drain(&self, state: &mut State) {
        loop {
            match state.relay.poll_output() {
                Output::Send(socket, frame) => {
                    if let Some(outbox) = state.outboxes.get(&socket) {
                        // A connection that has ended needs no frames.
                        let _ = outbox.queue.send(Outgoing::Frame(frame));
                        outbox.signals.ready.notify_one();
                    }
                }
                Output::Close(socket, code) => {
                    if let Some(outbox) = state.outboxes.remove(&socket) {
                        let _ = outbox.queue.send(Outgoing::Close(code));
                        outbox.signals.is_closed.store(true, Ordering::Relaxed);
                        outbox.signals.ready.notify_one();
                        outbox.signals.closing.notify_one();
                    }
                }
                Output::Wait(deadline) => {
                    let sooner = match (deadline, state.deadline) {
                        (Some(new), Some(old)) => new < old,
                        (Some(_), None) => true,
                        (None, _) => false,
                    };
                    state.deadline = deadline;
                    if sooner {
                        self.sooner.notify_one();
                    }
                    return;
                }
            }
        }
    }

    /// Registers a new WebSocket with the core.
    pub(super) fn open(self: &Arc<Self>, source: Source, origin: Option<&str>) -> Result<Seat, ServerError> {
        let mut state = self.lock();
        state.next_socket += 1;
        let socket = SocketId::new(state.next_socket);
        let (sender, queue) = mpsc::unbounded_channel();
        let signals = Arc::new(Signals::default());
        let outbox = Outbox { queue: sender, signals: Arc::clone(&signals) };
        let _ = state.outboxes.insert(socket, outbox);
        let now = self.now();
        let nonce = loop {
            let fresh = fresh()?;
            match state.relay.handle_open(now, socket, source, origin.map(str::to_owned), fresh) {
                Ok(()) | Err(ApiMisuse::SocketInUse) => break fresh.nonce,
                Err(ApiMisuse::IdInUse) => {}
            }
        };
        self.drain(&mut state);
        drop(state);
        Ok(Seat { socket, queue, signals, nonce, shared: Arc::clone(self) })
    }

    pub(super) fn frame(&self, socket: SocketId, message: Checked) {
        self.with(|relay, now| relay.handle_checked(now, socket, message));
    }

    pub(super) fn websocket_ping(&self, socket: SocketId) {
        self.with(|relay, now| relay.handle_websocket_ping(now, socket));
    }

    /// Returns when to continue reading from this socket.
    pub(super) fn next_read(&self, socket: SocketId) -> NextRead {
        let state = self.lock();
        if !state.relay.is_ready(socket) {
            return NextRead::WhenReady;
        }
        match state.relay.pause(self.now(), socket) {
            Duration::ZERO => NextRead::Now,
            pause => NextRead::After(pause),
        }
    }

    pub(super) fn violation(&self, socket: SocketId, code: ErrorCode) {
        self.with(|relay, now| relay.handle_violation(now, socket, code));
    }

    /// Reports that frames were written to this socket. If there is space in its queue now, its peer may be
    /// read again.
    pub(super) fn transmitted(&self, socket: SocketId, frames: usize, len: usize) {
        let mut state = self.lock();
        state.relay.transmitted(socket, frames, len);
        if let Some(peer) = state.relay.peer_of(socket)
            && state.relay.is_ready(peer)
            && let Some(outbox) = state.outboxes.get(&peer)
        {
            outbox.signals.ready.notify_one();
        }
    }

    fn closed(&self, socket: SocketId) {
        let mut state = self.lock();
        let _ = state.outboxes.remove(&socket);
        let now = self.now();
        state.relay.handle_closed(now, socket);
        self.drain(&mut state);
    }

    pub(super) fn shutdown(&self) {
        self.with(Relay::handle_shutdown);
    }

    /// Returns the text of the metrics. Must be called within the runtime.
    pub(super) fn metrics(&self) -> String {
        let stats = self.lock().relay.stats();
        let server = metrics::ServerCounts {
            connections: self.connections.total(),
            refused_origins: self.refused_origins.load(Ordering::Relaxed),
            turned_away: self.turned_away.load(Ordering::Relaxed),
            memory_bytes: metrics::memory_bytes(),
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        };
        metrics::render(&stats, &server)
    }

    /// Calls the core at each of its deadlines, forever.
    pub(super) async fn keep_time(self: Arc<Self>) {
        loop {
            let deadline = self.lock().deadline;
            let wait = async {
                match deadline {
                    Some(at) => tokio::time::sleep(at.since(self.now()).max(Duration::from_millis(1))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => self.with(Relay::handle_timeout),
                () = self.sooner.notified() => {}
            }
        }
    }
}

fn fresh() -> Result<Fresh, ServerError> {
    let (mut nonce, mut id) = ([0; 32], [0; 8]);
    getrandom::fill(&mut nonce).map_err(|_| ServerError::NoRandomness)?;
    getrandom::fill(&mut id).map_err(|_| ServerError::NoRandomness)?;
    Ok(Fresh { nonce, id: AttachmentId::from_bytes(id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If a connection panics while the core is locked, only that connection must end.
    #[tokio::test]
    async fn a_panic_in_one_connection_leaves_the_core_to_the_others() {
        let name = RelayName::parse("relay.example").expect("a name");
        let config = ServerConfig::new(([127, 0, 0, 1], 0).into());
        let shared = Shared::new(name, config).expect("randomness");
        let shared = Arc::new(shared);
        let address = Source::from([192, 0, 2, 1]);
        let before = shared.open(address, None).expect("open");
        let hit = Arc::clone(&shared);
        let ended = tokio::spawn(async move {
            let seat = hit.open(address, None).expect("open");
            let _held = hit.lock();
            let _ = seat;
            panic!("in the middle of a call");
        });
        assert!(ended.await.expect_err("it panicked").is_panic());
        assert!(shared.state.is_poisoned());
        let after = shared.open(address, None).expect("the core is used on");
        assert_eq!(shared.lock().relay.stats().sockets, 2, "the socket of the panic is closed");
        drop((before, after));
        assert_eq!(shared.lock().relay.stats().sockets, 0);
    }
}
