//! The state machine of one link: its seat at the relay, its handshakes, its session.
//!
//! [`Endpoint`] takes input from outside by `handle_*`, the application's wishes by plain verbs, and returns
//! all that goes out by [`Endpoint::poll_output`]. It has no clock, socket, file or thread.
//!
//! The parts: `role` defines what the two roles do differently, `phone` and `companion` are their answers,
//! `load` reads the stored rows, `connection` defines the states of a connection, `connect_web` and
//! `connect_phone` run the reconnect handshake and the ratchet, `frames` handles decrypted records, `sync`
//! joins the sync lane to the application, `send` chooses and seals records, `pending` holds what waits for a
//! commit, `time` computes deadlines, and `verbs` are the application's calls.

mod commands;
mod companion;
mod connect_phone;
mod connect_web;
mod connection;
mod frames;
mod load;
mod pending;
mod phone;
mod resume;
pub mod role;
mod send;
mod sync;
mod time;
mod verbs;
mod verbs_phone;
mod verbs_web;

use alloc::collections::VecDeque;
#[cfg(feature = "key-log")]
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::ids::MailboxId;
use handfast_codec::relay::{RECORD_HEADER, RelayFrame};
use handfast_codec::role::DeviceRole;
use rand_core::CryptoRng;
#[cfg(feature = "key-log")]
use zeroize::Zeroizing;

use crate::attach::{Attach, AttachEvent, AttachTimeout};
use crate::commit::{Commit, CommitGate, Op};
use crate::counters::Counters;
use crate::ephemeral::EphemeralLane;
use crate::error::ApiMisuse;
use crate::inbox::Inbox;
use crate::jitter::Jitter;
use crate::key_log::KeyLog;
use crate::outbox::Outbox;
use crate::output::{Event, LinkState, Output, StreamEvent};
use crate::queue::pop_front_if;
use crate::stream::Streams;

use connection::{Confirm, Connection, Keys, Resuming, Sending};
use pending::{Deferred, Pending, Queued};
use role::{Companion, Phone, Role};

pub use load::{LinkRows, LinkStatus, StreamInfo};
pub(crate) use load::{active_row, phone_rows, web_rows, wipe_rows};
pub use verbs::Opened;

/// The longest wait for a handshake message.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// One link of this device, from its rows in the store to its records on the wire.
///
/// Create it with [`PhoneEndpoint::load`] or [`CompanionEndpoint::load`]. Then repeat: drain
/// [`Endpoint::poll_output`]; wait for bytes, a call of the application or the deadline, whichever comes
/// first; make the call for it.
pub struct Endpoint<R: Role> {
    /// The state that only this role has.
    side: R,
    status: LinkStatus,
    attach: Attach,
    conn: Connection,
    counters: Counters,
    lanes: Lanes<R::Sync>,
    gate: CommitGate,
    deferred: VecDeque<(u64, Deferred<R::Deferred>)>,
    out: VecDeque<Queued<R::Deferred>>,
    /// Deletions of outbox rows that the peer has acknowledged; the next commit includes them.
    lapsed: Vec<Op>,
    jitter: Jitter,
    now: Timestamp,
    shown: Option<LinkState>,
    alive: Liveness,
    /// The number of bytes in [`Output::Transmit`]s that the socket has not taken yet.
    ahead: usize,
    /// When the link is dropped if it is still OFFERED or PENDING.
    lapses: Option<Timestamp>,
    dead: bool,
    key_log: KeyLog,
}

/// The endpoint of a link on a phone.
///
/// ```
/// use bytes::Bytes;
/// use handfast_codec::Timestamp;
/// use handfast_session::{Message, MemoryStore, Output, PhoneEndpoint, Repeat};
///
/// /// Does what the machine says until it waits. The frames are for its socket.
/// fn drain(
///     phone: &mut PhoneEndpoint,
///     now: Timestamp,
///     store: &mut MemoryStore,
/// ) -> Result<(Vec<Bytes>, Option<Timestamp>), Box<dyn std::error::Error>> {
///     let mut frames = Vec::new();
///     loop {
///         // A real store's transaction; what the application writes goes into it, too.
///         let mut txn = store.begin();
///         let mut commits = match phone.poll_output() {
///             Output::Persist(commit) => vec![commit],
///             Output::Deliver { message, commit } => match message {
///                 Message::Command { key, body } => {
///                     // .. the effect of the command ..
///                     let answer = phone.answer(now, key, &body, Repeat::Answer)?;
///                     vec![commit, answer]
///                 }
///                 _ => vec![commit],
///             },
///             Output::Transmit(frame) => {
///                 frames.push(frame);
///                 continue;
///             }
///             Output::Event(_event) => continue, // `Connect` and `Disconnect` are for the socket
///             Output::Wait(deadline) => return Ok((frames, deadline)),
///             _ => continue,
///         };
///         commits.iter().try_for_each(|commit| commit.apply(&mut txn))?;
///         txn.commit();
///         // Durable: now the machine may release what depends on it.
///         commits.drain(..).try_for_each(|commit| phone.committed(now, commit))?;
///     }
/// }
/// ```
pub type PhoneEndpoint = Endpoint<Phone>;

/// The endpoint of a link on a companion.
///
/// A command that is sent, from the user's act on. Everything else is driven as a [`PhoneEndpoint`] is.
///
/// ```
/// use bytes::Bytes;
/// use handfast_codec::Timestamp;
/// use handfast_codec::ids::CommandKey;
/// use handfast_session::{CompanionEndpoint, MemoryStore};
///
/// /// `key` is 16 random bytes, drawn for this act of the user and for no other.
/// fn order(
///     companion: &mut CompanionEndpoint,
///     now: Timestamp,
///     store: &mut MemoryStore,
///     key: CommandKey,
/// ) -> Result<(), Box<dyn std::error::Error>> {
///     let commit = companion.send(now, key, &Bytes::from("milk"))?;
///     let mut txn = store.begin();
///     // .. the row that shows the user that it was ordered ..
///     commit.apply(&mut txn)?;
///     txn.commit();
///     // It will run once on the phone, whatever happens now. `poll_output` has the frame to send.
///     companion.committed(now, commit)?;
///     Ok(())
/// }
/// ```
pub type CompanionEndpoint = Endpoint<Companion>;

/// The queues of messages, rows, slots and streams.
struct Lanes<S> {
    outbox: Outbox,
    inbox: Inbox,
    sync: S,
    ephemeral: EphemeralLane,
    streams: Streams,
    control: VecDeque<Frame>,
    ack: Ack,
}

/// The time at which the next acknowledgement is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ack {
    None,
    By(Timestamp),
    Now,
}

/// What shows whether the peer is alive.
struct Liveness {
    last_record: Timestamp,
    next_ping: Option<Timestamp>,
    ping_id: u64,
    /// The id of the PING that waits for its PONG, and the time when it was sent.
    pinged: Option<(u64, Timestamp)>,
    /// The time at which the connection counts as lost unless a record comes before.
    probe: Option<Timestamp>,
    rtt_least: Option<Duration>,
    /// Until when a link that is getting fresh keys is still shown as LIVE.
    rekeying: Option<Timestamp>,
    /// Whether the page is hidden: on a companion its own, on a phone the companion's.
    hidden: bool,
}

impl<R: Role> core::fmt::Debug for Endpoint<R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint")
            .field("role", &self.role())
            .field("mailbox", &self.attach.mailbox())
            .field("status", &self.status)
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

impl<R: Role> Endpoint<R> {
    /// Returns the role of this device.
    #[must_use]
    pub const fn role(&self) -> DeviceRole {
        R::ROLE
    }

    /// Returns the link's mailbox id, which identifies the link in every commit.
    #[must_use]
    pub fn mailbox(&self) -> MailboxId {
        self.attach.mailbox()
    }

    /// Returns the name of the relay to connect to.
    #[must_use]
    pub fn relay(&self) -> &handfast_codec::RelayName {
        self.attach.relay()
    }

    /// Reports that the socket requested by [`Event::Connect`] is open.
    pub fn handle_opened(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        self.tick(now);
        self.ahead = 0;
        self.attach.opened(self.now);
        self.settle(rng);
    }

    /// Reports that the socket is closed, or could not be opened.
    pub fn handle_closed(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        self.tick(now);
        self.attach.closed(self.now);
        self.drop_connection();
        self.settle(rng);
    }

    /// Handles one binary WebSocket message from the relay.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::NotOpen`] when no socket is open. Faults of the relay or the peer are reported as events.
    pub fn handle_bytes(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        mut bytes: BytesMut,
    ) -> Result<(), ApiMisuse> {
        self.tick(now);
        if self.dead {
            return Ok(());
        }
        if !self.attach.is_open() {
            return Err(ApiMisuse::NotOpen);
        }
        if bytes.starts_with(&RECORD_HEADER) && self.attach.own().is_some() {
            // Records are decrypted in place, so they skip the parser of relay frames, which otherwise notes
            // that the relay was heard. Their length is checked before a key is used.
            self.attach.heard(self.now);
            let _ = bytes.split_to(RECORD_HEADER.len());
            self.on_record(bytes);
        } else {
            match RelayFrame::decode(bytes.freeze()) {
                Ok(frame) => self.on_relay_frame(rng, frame),
                Err(error) => self.on_refused(error.code()),
            }
        }
        self.settle(rng);
        Ok(())
    }

    /// Reports that the deadline of [`Output::Wait`] has passed.
    pub fn handle_timeout(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        self.tick(now);
        if !self.dead {
            self.on_time();
        }
        self.settle(rng);
    }

    /// Reports that the application's transaction with this commit is durable. Whatever waited for the commit
    /// is then sent or emitted.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::CommitOrder`] when the commit is not the oldest open one, [`ApiMisuse::OtherLink`] when it
    /// is one of another link.
    pub fn committed(&mut self, now: Timestamp, commit: Commit) -> Result<(), ApiMisuse> {
        self.tick(now);
        let version = self.gate.committed(commit)?;
        while let Some((_, deferred)) = pop_front_if(&mut self.deferred, |(of, _)| *of <= version) {
            self.run(deferred);
        }
        self.show();
        Ok(())
    }

    /// Reports that the socket took `bytes` bytes of Transmits.
    pub fn transmitted(&mut self, now: Timestamp, bytes: usize) {
        self.tick(now);
        self.ahead = self.ahead.saturating_sub(bytes);
    }

    /// Returns the next line of the key log, which the application appends to a file: two lines for each
    /// connection, as soon as it has keys. Call it whenever `poll_output` was called.
    ///
    /// # Security
    ///
    /// Whoever has both lines reads everything that the connection carries.
    #[cfg(feature = "key-log")]
    pub fn poll_key_log(&mut self) -> Option<Zeroizing<String>> {
        self.key_log.poll()
    }

    /// Returns the next thing to do; call it until it returns [`Output::Wait`]. It draws no randomness.
    pub fn poll_output(&mut self) -> Output {
        if self.out.is_empty() {
            self.deliver();
            self.ask();
            self.rekey_if_worn();
        }
        match self.out.pop_front() {
            Some(Queued::Output(output)) => {
                if let Output::Event(Event::Stream(StreamEvent::Fin { id, .. })) = &output {
                    self.lanes.streams.fin_told(*id);
                }
                return output;
            }
            Some(Queued::Commit(pending)) => return self.number(pending),
            None => {}
        }
        if let Some(bytes) = self.seal_next() {
            return Output::Transmit(bytes);
        }
        Output::Wait(if self.dead { None } else { self.deadline() })
    }

    /// Advances the clock, which never runs backwards here.
    fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Does what a new state requires, and reports the state.
    fn settle(&mut self, rng: &mut dyn CryptoRng) {
        if !self.dead {
            R::settle(self, rng);
        }
        self.show();
    }

    fn event(&mut self, event: Event) {
        self.out.push_back(Queued::Output(Output::Event(event)));
    }

    fn transmit(&mut self, bytes: Bytes) {
        self.ahead = self.ahead.saturating_add(bytes.len());
        self.out.push_back(Queued::Output(Output::Transmit(bytes)));
    }

    /// Performs the action that waited for a commit, which is durable now.
    fn run(&mut self, deferred: Deferred<R::Deferred>) {
        match deferred {
            Deferred::SendHandshake(bytes) => self.send_handshake(bytes),
            Deferred::Unlock => self.unlock(),
            Deferred::Close(code) => self.send_close(code),
            Deferred::Release(index) => self.lanes.outbox.release(index),
            Deferred::Received(seq) => self.received(seq),
            Deferred::ReceivedAndRelease(seq, index) => {
                self.received(seq);
                self.lanes.outbox.release(index);
            }
            Deferred::OpenStream(id) => self.lanes.streams.release(id),
            Deferred::StreamDurable(id, offset) => self.lanes.streams.written_durable(id, offset),
            Deferred::Wiped => self.dead = true,
            Deferred::OfRole(own) => R::run(self, own),
            Deferred::Nothing => {}
        }
    }

    /// Records that the effect of received message `seq` is durable, and plans its ACK.
    fn received(&mut self, seq: u64) {
        let due = self.lanes.inbox.committed(seq);
        self.schedule_ack(due);
    }

    fn on_relay_frame(&mut self, rng: &mut dyn CryptoRng, frame: RelayFrame) {
        let event = self.attach.frame(self.now, &self.side.seat(), frame);
        match &event {
            AttachEvent::Send(bytes) => self.transmit(bytes.clone()),
            // A handshake is bound to both attachment ids, and one of them has changed.
            // req: HSK-150
            AttachEvent::PeerUp | AttachEvent::PeerDown => self.drop_connection(),
            AttachEvent::Contended(n) => self.event(Event::Contended(*n)),
            AttachEvent::Refused(code) => self.on_refused(*code),
            AttachEvent::None | AttachEvent::Attached | AttachEvent::Wake(_) | AttachEvent::Data(..) => {}
        }
        R::on_attach_event(self, rng, event);
    }

    /// Handles a refusal by the relay, or a frame that breaks its rules.
    fn on_refused(&mut self, code: ErrorCode) {
        if code == ErrorCode::REPLACED {
            self.event(Event::Replaced);
            self.drop_connection();
            return;
        }
        self.event(Event::Relay(code));
        self.drop_socket();
    }

    /// Closes the socket, and plans another one.
    fn drop_socket(&mut self) {
        self.event(Event::Disconnect);
        self.attach.closed(self.now);
        self.drop_connection();
    }

    /// Ends the connection, and any re-keying that was under way.
    fn drop_connection(&mut self) {
        self.alive.rekeying = None;
        self.end_connection();
    }

    /// Wipes the keys of the connection, and drops all that waits to be sent over it.
    fn end_connection(&mut self) {
        self.conn = Connection::None;
        self.alive.stop();
        self.lanes.control.clear();
        for deferred in self.waiting().filter(|deferred| deferred.is_of_connection()) {
            *deferred = Deferred::Nothing;
        }
    }
}
