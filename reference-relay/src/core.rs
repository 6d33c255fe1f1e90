//! The relay without I/O: sockets, mailboxes, and who is sent what (spec, relay).
//!
//! The caller passes every event of a socket to [`Relay`], with the time and fresh random bytes, and drains
//! [`Relay::poll_output`] after each call. The relay opens no socket, reads no clock, draws no randomness,
//! and reads nothing of a DATA frame but its kind. Each frame that the relay returns counts against the queue
//! of the socket it is for until [`Relay::transmitted`] reports that it was written.
//!
//! ```
//! use handfast_codec::{RelayName, Timestamp, ids::{AttachmentId, BootId}};
//! use reference_relay::core::{Fresh, Limits, Output, Relay, SocketId};
//!
//! let name = RelayName::parse("127.0.0.1:8787").expect("a valid name");
//! let mut relay = Relay::new(name, BootId::from_bytes([1; 16]), Limits::default());
//! let (now, socket) = (Timestamp::ZERO, SocketId::new(1));
//! let fresh = Fresh { nonce: [2; 32], id: AttachmentId::from_bytes([3; 8]) };
//! relay.handle_open(now, socket, [127, 0, 0, 1].into(), None, fresh).expect("names are fresh");
//! loop {
//!     match relay.poll_output() {
//!         Output::Send(to, frame) => {
//!             // Write it to the socket as one binary message, then:
//!             relay.transmitted(to, 1, frame.len());
//!         }
//!         Output::Close(socket, code) => println!("close {socket:?}: {code}"),
//!         Output::Wait(deadline) => break assert!(deadline.is_some()),
//!     }
//! }
//! ```
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::iter_over_hash_type,
        clippy::exhaustive_enums,
        clippy::std_instead_of_core,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

mod attach;
mod carry;
mod due;
mod leave;
pub mod limits;
mod mailbox;
pub(crate) mod network;
mod pace;
mod proof;
mod quota;
mod socket;
mod stats;
mod sticky;
mod timers;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachmentId, BootId, MailboxId};
use handfast_codec::limits::{ORIGIN_LEN_MAX, RELAY_FRAME_LEN_MAX};
use handfast_codec::relay::{Hello, MailboxKind, RelayFrame, Wake, data_kind};
use handfast_codec::versions::Versions;
use handfast_codec::{RelayName, Timestamp};

pub use limits::Limits;
use mailbox::{Link, Pairing, Seats};
pub use network::Source;
use network::{Holding, Network, Usages};
pub use proof::Checked;
use proof::Verdict;
use quota::ByteQuotas;
pub use socket::SocketId;
use socket::{Phase, Place, Socket};
pub use stats::Stats;
use sticky::StickyStore;
use timers::{Timer, Timers};

/// Random bytes for one socket, drawn by the caller.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the caller builds it")]
pub struct Fresh {
    /// The nonce that the client of the socket must sign.
    pub nonce: [u8; 32],
    /// The attachment id that the socket gets when it attaches. No socket may have got the same id before.
    pub id: AttachmentId,
}

/// What the caller must do next.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a driver must handle each")]
pub enum Output {
    /// Send this frame to this socket as one binary message, then call [`Relay::transmitted`].
    Send(SocketId, Bytes),
    /// Close this socket once all frames for it were written. The relay has already forgotten the socket.
    Close(SocketId, ErrorCode),
    /// Nothing to do until there is input, or until this time; then call [`Relay::handle_timeout`].
    Wait(Option<Timestamp>),
}

/// A call that breaks the contract of [`Relay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// The caller's id for the socket is in use.
    #[error("the socket is already open")]
    SocketInUse,
    /// The attachment id is in use: draw another one.
    #[error("the attachment id is in use")]
    IdInUse,
}

/// The relay: all sockets and mailboxes of one process.
#[derive(Debug)]
pub struct Relay {
    name: RelayName,
    boot: BootId,
    limits: Limits,
    /// The latest time that was passed in. The clock never runs backwards here.
    now: Timestamp,
    sockets: BTreeMap<SocketId, Socket>,
    /// The attachment ids of all `sockets`.
    ids: BTreeSet<AttachmentId>,
    links: BTreeMap<MailboxId, Link>,
    pairings: BTreeMap<MailboxId, Pairing>,
    /// The mailboxes in `pairings` that have no socket in either seat, oldest first.
    empty_pairings: BTreeSet<(Timestamp, MailboxId)>,
    usages: Usages,
    quotas: ByteQuotas,
    sticky: StickyStore,
    timers: Timers,
    output: VecDeque<Output>,
    stats: Stats,
}

impl Relay {
    /// Creates an empty relay. `boot` is a random id of this process.
    #[must_use]
    pub fn new(name: RelayName, boot: BootId, limits: Limits) -> Self {
        Self {
            name,
            boot,
            limits,
            now: Timestamp::ZERO,
            sockets: BTreeMap::new(),
            ids: BTreeSet::new(),
            links: BTreeMap::new(),
            pairings: BTreeMap::new(),
            empty_pairings: BTreeSet::new(),
            usages: Usages::default(),
            quotas: ByteQuotas::default(),
            sticky: StickyStore::default(),
            timers: Timers::default(),
            output: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Returns the name that HELLO contains.
    #[must_use]
    pub const fn name(&self) -> &RelayName {
        &self.name
    }

    /// Handles a new WebSocket: sends HELLO and CHALLENGE, or refuses the socket.
    ///
    /// `source` is the client's address, `origin` the Origin header of a page; `fresh` must be random.
    ///
    /// # Errors
    /// [`ApiMisuse`] when the id of the socket or the attachment is in use; nothing has changed then.
    pub fn handle_open(
        &mut self,
        now: Timestamp,
        socket: SocketId,
        source: Source,
        origin: Option<String>,
        fresh: Fresh,
    ) -> Result<(), ApiMisuse> {
        self.tick(now);
        if self.sockets.contains_key(&socket) {
            return Err(ApiMisuse::SocketInUse);
        }
        // req: RLY-011
        if self.ids.contains(&fresh.id) {
            return Err(ApiMisuse::IdInUse);
        }
        let network = Network::from(source.address());
        if let Err(code) = self.admit(network, origin.as_deref()) {
            self.push_error(socket, code);
            self.output.push_back(Output::Close(socket, code));
            return Ok(());
        }
        self.stats.opened = self.stats.opened.saturating_add(1);
        let state = Socket::new(self.now, source, origin, fresh.nonce, fresh.id, &self.limits);
        let _ = self.sockets.insert(socket, state);
        let _ = self.ids.insert(fresh.id);
        let hello = RelayFrame::Hello(Hello {
            versions: Versions::RELAY,
            name: self.name.clone(),
            boot: self.boot,
            frame_len_max: u64::try_from(RELAY_FRAME_LEN_MAX).unwrap_or(u64::MAX),
            ping_interval_ms: u64::try_from(self.limits.ping_interval.as_millis()).unwrap_or(u64::MAX),
        });
        // req: RLY-026
        self.send(socket, hello.encode());
        self.send(socket, RelayFrame::Challenge(fresh.nonce).encode());
        self.arm(socket);
        Ok(())
    }

    /// Handles a binary message of a socket. A message of a socket that the relay has closed is ignored.
    pub fn handle_frame(&mut self, now: Timestamp, socket: SocketId, bytes: Bytes) {
        self.on_message(now, socket, bytes, None);
    }

    /// Handles a message like [`Relay::handle_frame`]. If it is an ATTACH, its signature was verified before:
    /// so a caller that shares the relay under a lock need not have the lock during that.
    pub fn handle_checked(&mut self, now: Timestamp, socket: SocketId, message: Checked) {
        let (bytes, verdict) = message.into_parts();
        self.on_message(now, socket, bytes, verdict);
    }

    /// Counts a WebSocket Ping or Pong. The WebSocket layer has already answered it.
    pub fn handle_websocket_ping(&mut self, now: Timestamp, socket: SocketId) {
        self.tick(now);
        let now = self.now;
        if let Some(state) = self.sockets.get_mut(&socket)
            && !state.count_control(now, &self.limits)
        {
            self.refuse(socket, ErrorCode::LIMIT);
        }
    }

    fn on_message(&mut self, now: Timestamp, socket: SocketId, bytes: Bytes, verdict: Option<Verdict>) {
        self.tick(now);
        let now = self.now;
        let Some(state) = self.sockets.get_mut(&socket) else {
            return;
        };
        state.heard = now;
        let phase = state.phase;
        let in_time = data_kind(&bytes).is_some() || state.count_control(now, &self.limits);
        self.stats.frames_received = self.stats.frames_received.saturating_add(1);
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.stats.bytes_received = self.stats.bytes_received.saturating_add(len);
        if !in_time {
            return self.refuse(socket, ErrorCode::LIMIT);
        }
        if let Phase::Replaced { place, token, at, by, .. } = phase {
            // A socket whose seat went to another one may only prove that its client is alive. Everything
            // else from it is ignored.
            if RelayFrame::decode(bytes) == Ok(RelayFrame::Pong(token)) {
                self.on_replaced_pong(socket, place, at, by);
            }
            return;
        }
        // req: RLY-003
        if bytes.len() > RELAY_FRAME_LEN_MAX {
            return self.refuse(socket, ErrorCode::FIELD_LENGTH);
        }
        match self.on_frame(socket, phase, bytes, verdict) {
            Ok(()) => self.arm(socket),
            Err(code) => self.refuse(socket, code),
        }
    }

    /// Closes a socket with `code`, because it broke a rule of the WebSocket layer, such as the length of
    /// messages.
    pub fn handle_violation(&mut self, now: Timestamp, socket: SocketId, code: ErrorCode) {
        self.tick(now);
        self.refuse(socket, code);
    }

    /// Forgets a socket whose connection has ended.
    pub fn handle_closed(&mut self, now: Timestamp, socket: SocketId) {
        self.tick(now);
        let _ = self.forget(socket);
    }

    /// Does everything whose time has come. Call it at the time in [`Output::Wait`]; an earlier call does no
    /// harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.tick(now);
        while let Some(timer) = self.timers.pop_due(self.now) {
            match timer {
                Timer::Socket(socket) => self.on_socket_timer(socket),
                Timer::Pairing(mailbox) => self.on_pairing_timer(mailbox),
            }
        }
    }

    /// Closes all sockets with `SHUTDOWN`, because the relay is being stopped.
    pub fn handle_shutdown(&mut self, now: Timestamp) {
        self.tick(now);
        self.links.clear();
        while let Some((socket, _)) = self.sockets.first_key_value() {
            self.refuse(*socket, ErrorCode::SHUTDOWN);
        }
    }

    /// Reports that so many frames from [`Output::Send`], of this length together, were written to the socket.
    pub fn transmitted(&mut self, socket: SocketId, frames: usize, len: usize) {
        if let Some(state) = self.sockets.get_mut(&socket) {
            state.queued_len = state.queued_len.saturating_sub(len);
            state.queued_frames = state.queued_frames.saturating_sub(frames);
        }
    }

    /// Returns the socket in the other seat of the same mailbox, if there is one.
    #[must_use]
    pub fn peer_of(&self, socket: SocketId) -> Option<SocketId> {
        let place = self.sockets.get(&socket)?.place()?;
        self.seats(place)?.holder(!place.role)
    }

    /// Returns whether the caller should continue to read from this socket. It should not while the queue of
    /// the socket's peer is half full: then a fast sender waits, instead of making the relay close a slow
    /// receiver.
    #[must_use]
    pub fn is_ready(&self, socket: SocketId) -> bool {
        let Some(peer) = self.peer_of(socket).and_then(|peer| self.sockets.get(&peer)) else {
            return true;
        };
        let half = |max: usize| max.checked_div(limits::QUEUE_PAUSE_DIVISOR).unwrap_or(max);
        peer.queued_len < half(self.limits.queue_len_max)
            && peer.queued_frames < half(self.limits.queue_frames_max)
    }

    /// Returns how long the caller should not read from this socket, because the socket's network has used up
    /// its hourly bytes.
    #[must_use]
    pub fn pause(&self, now: Timestamp, socket: SocketId) -> Duration {
        // req: RLY-072
        let network = self.sockets.get(&socket).map(|state| state.network);
        network.map_or(Duration::ZERO, |network| self.quotas.pause(now.max(self.now), network))
    }

    /// Returns the next thing to do. Call it after every other call, until it returns [`Output::Wait`].
    pub fn poll_output(&mut self) -> Output {
        self.output.pop_front().unwrap_or_else(|| Output::Wait(self.timers.next()))
    }

    /// Returns the counters, and how many sockets, mailboxes and bytes there are now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            sockets: self.sockets.len(),
            link_mailboxes: self.links.len(),
            pairing_mailboxes: self.pairings.len(),
            sticky_mailboxes: self.sticky.len(),
            queued_bytes: self.sockets.values().map(|socket| socket.queued_len).sum(),
            ..self.stats.clone()
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Checks whether one more socket may open. If so, counts it.
    fn admit(&mut self, network: Network, origin: Option<&str>) -> Result<(), ErrorCode> {
        if origin.is_some_and(|origin| origin.len() > ORIGIN_LEN_MAX) {
            return Err(ErrorCode::FIELD_LENGTH);
        }
        if self.sockets.len() >= self.limits.sockets_max {
            return Err(ErrorCode::LIMIT);
        }
        let free = self.limits.sockets_max.saturating_sub(self.sockets.len());
        if free <= self.limits.sockets_reserved
            && !self.usages.has_room(network, Holding::Socket, self.limits.sockets_per_address_scarce)
        {
            return Err(ErrorCode::LIMIT);
        }
        // req: RLY-021, RLY-069
        if !self.usages.take(network, Holding::Socket, self.limits.sockets_per_address_max) {
            return Err(ErrorCode::ADDRESS_CAP);
        }
        Ok(())
    }

    /// Handles a frame of an open or attached socket. The frame is checked for its length, type, state,
    /// grammar and meaning, in this order.
    fn on_frame(
        &mut self,
        socket: SocketId,
        phase: Phase,
        bytes: Bytes,
        verdict: Option<Verdict>,
    ) -> Result<(), ErrorCode> {
        let attached = match phase {
            Phase::Attached { place, .. } => Some(place),
            Phase::Opened { .. } | Phase::Replaced { .. } => None,
        };
        // req: ERR-001
        check_state(bytes.first().copied(), attached.is_some())?;
        // req: RLY-001
        match (RelayFrame::decode(bytes.clone()), attached) {
            (Ok(RelayFrame::Ignored(_) | RelayFrame::Pong(_)), _) => Ok(()),
            // req: RLY-027
            (Ok(RelayFrame::Ping(token)), _) => {
                self.send(socket, RelayFrame::Pong(token).encode());
                Ok(())
            }
            (Ok(RelayFrame::Attach(attach)), None) => self.on_attach(socket, &attach, verdict),
            (Ok(RelayFrame::Data { body, .. }), Some(place)) => {
                self.on_data(socket, place, bytes, body.len().saturating_add(1));
                Ok(())
            }
            (Ok(RelayFrame::Sticky { role, value }), Some(place)) => {
                self.on_sticky(socket, place, role, &value)
            }
            (Ok(RelayFrame::Wake(Wake::Ask(_))), Some(place)) => self.on_wake(socket, place),
            // req: ERR-002
            (Ok(RelayFrame::Error { .. }), _) => {
                self.close(socket, ErrorCode::FRAME_NOT_ALLOWED);
                Ok(())
            }
            (Ok(_), _) => Err(ErrorCode::FRAME_NOT_ALLOWED),
            (Err(error), _) => Err(error.code),
        }
    }

    /// Returns the seats of a mailbox, if it exists.
    fn seats(&self, place: Place) -> Option<&Seats> {
        match place.kind {
            MailboxKind::Link => self.links.get(&place.mailbox).map(|link| &link.seats),
            MailboxKind::Pairing => self.pairings.get(&place.mailbox).map(|pairing| &pairing.seats),
        }
    }

    /// Queues a frame for a socket. Closes the socket if too much is queued for it.
    fn send(&mut self, socket: SocketId, frame: Bytes) {
        let Some(state) = self.sockets.get_mut(&socket) else {
            return;
        };
        if state.enqueue(&frame, &self.limits) {
            self.output.push_back(Output::Send(socket, frame));
        } else {
            self.refuse(socket, ErrorCode::LIMIT);
        }
    }

    /// Sets the timer of a socket, unless an earlier timer is set for it.
    fn arm(&mut self, socket: SocketId) {
        let Some(state) = self.sockets.get_mut(&socket) else {
            return;
        };
        let at = state.deadline(&self.limits);
        match state.armed {
            Some(armed) if armed <= at => return,
            Some(armed) => self.timers.clear(armed, Timer::Socket(socket)),
            None => {}
        }
        state.armed = Some(at);
        self.timers.set(at, Timer::Socket(socket));
    }
}

/// Checks whether a client may send a frame of this type now. An unknown type is left to the decoder.
fn check_state(frame_type: Option<u8>, attached: bool) -> Result<(), ErrorCode> {
    const HELLO: u8 = 1;
    const CHALLENGE: u8 = 3;
    const ATTACH: u8 = 5;
    const ATTACHED: u8 = 7;
    const DATA: u8 = 9;
    const PEER: u8 = 11;
    const WAKE: u8 = 13;
    const STICKY: u8 = 15;
    match (frame_type, attached) {
        // req: RLY-004
        (Some(HELLO | CHALLENGE | ATTACHED | DATA | PEER | WAKE | STICKY), false) => {
            Err(ErrorCode::NOT_ATTACHED)
        }
        // req: RLY-061
        (Some(HELLO | CHALLENGE | ATTACH | ATTACHED | PEER), true) => Err(ErrorCode::FRAME_NOT_ALLOWED),
        _ => Ok(()),
    }
}
