//! The state machine of one link: its seat at the relay, its handshakes, its session.
//!
//! [`Endpoint`] takes input from outside by `handle_*`, the application's wishes by plain verbs, and returns
//! all that goes out by [`Endpoint::poll_output`]. It has no clock, socket, file or thread.
//!
//! The parts: `load` reads the stored rows, `connection` defines the states of a connection, `connect_web`
//! and `connect_phone` run the reconnect handshake and the ratchet, `frames` handles decrypted records,
//! `sync` joins the sync lane to the application, `send` chooses and seals records, `pending` holds what
//! waits for a commit, `time` computes deadlines, and `verbs` are the application's calls.

mod commands;
mod connect_phone;
mod connect_web;
mod connection;
mod frames;
mod load;
mod pending;
mod resume;
mod send;
mod sync;
mod time;
mod verbs;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::ids::{AttachmentId, CommandKey, MailboxId, PskId, Signature};
use handfast_codec::payload::{KkHead, KkMode};
use handfast_codec::relay::{DataKind, RECORD_HEADER, RelayFrame, Wake};
use handfast_codec::role::DeviceRole;
use handfast_handshake::link::{PhoneLink, WebLink};
use handfast_handshake::ratchet::{PhoneRatchet, WebRatchet};
use handfast_handshake::secret::Psk;
use rand_core::CryptoRng;

use crate::attach::{Attach, AttachEvent, AttachTimeout, Seat};
use crate::commands::phone::CommandsRun;
use crate::commands::web::OwnCommands;
use crate::commit::{CommitGate, CommitId, Op};
use crate::counted::Counted;
use crate::counters::Counters;
use crate::error::ApiMisuse;
use crate::inbox::Inbox;
use crate::jitter::Jitter;
use crate::outbox::Outbox;
use crate::output::{Event, LinkState, Output, StreamEvent};
use crate::psk::IdPsk;
use crate::queue::pop_front_if;
use crate::slots::Slots;
use crate::stream::Streams;
use crate::sync::{PhoneSync, WebSync};
use crate::wake::{PhoneWake, WebWake};

use connection::{Confirm, Connection, Keys, Live, Resuming, Sending};
use pending::{Deferred, Pending, Queued};

pub use load::{LinkStatus, Pairs, StreamInfo};
pub(crate) use load::{active_row, phone_rows, web_rows, wipe_rows};
pub use verbs::Opened;

/// The longest wait for a handshake message.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// One link of this device, from its rows in the store to its records on the wire.
///
/// Create it with [`Endpoint::load`]. Then repeat: drain [`Endpoint::poll_output`]; wait for bytes, a call
/// of the application or the deadline, whichever comes first; make the call for it.
pub struct Endpoint {
    side: Side,
    status: LinkStatus,
    attach: Attach,
    conn: Connection,
    counters: Counters,
    lanes: Lanes,
    gate: CommitGate,
    deferred: VecDeque<(CommitId, Deferred)>,
    out: VecDeque<Queued>,
    /// Deletions of outbox rows that the peer has acknowledged; the next commit includes them.
    lapsed: Vec<Op>,
    jitter: Jitter,
    now: Timestamp,
    shown: Option<LinkState>,
    alive: Liveness,
    /// The number of bytes in [`Output::Transmit`]s that the socket has not taken yet.
    ahead: usize,
    /// On a phone: the commands that the application is running and has not answered yet, with their numbers.
    running: alloc::collections::BTreeMap<CommandKey, u64>,
    /// When the link is dropped if it is still OFFERED or PENDING.
    lapses: Option<Timestamp>,
    dead: bool,
}

/// The state that only one device role has.
enum Side {
    Phone(PhoneSide),
    Web(WebSide),
}

struct PhoneSide {
    link: PhoneLink,
    ratchet: PhoneRatchet<IdPsk>,
    recovery_id: PskId,
    /// The last message 1 that came too early (`held`): within a second of the time when a message 1 was last
    /// read (`read`).
    held: Option<Bytes>,
    read: Option<Timestamp>,
    /// The companion's attachment that was sent `UNKNOWN_KEY`, so that each attachment gets it once only.
    hinted: Option<AttachmentId>,
    sync: PhoneSync,
    commands: CommandsRun,
    revoked: Option<Signature>,
    wake: PhoneWake,
}

impl PhoneSide {
    /// Returns the psk that a message 1 names in its head, if that psk belongs to this link.
    fn psk(&self, head: &KkHead) -> Option<&Psk> {
        match head.mode {
            KkMode::Resume => self.ratchet.key(&head.psk_id).map(|slot| &slot.psk),
            KkMode::Recover => (head.psk_id == self.recovery_id).then_some(&self.link.recovery),
        }
    }
}

struct WebSide {
    link: WebLink,
    ratchet: WebRatchet<IdPsk>,
    /// When the next handshake may start (`next_attempt`), and how many have started in the current second
    /// (`starts`).
    next_attempt: Timestamp,
    starts: Counted,
    /// How many handshakes in a row the phone has not answered on this attachment.
    unanswered: u8,
    /// Whether the next handshake runs in mode recover.
    recover: bool,
    /// Whether another socket took this companion's seat, and the user has not asked to take it back.
    replaced: bool,
    /// Whether the phone's program is too old, so that another handshake is useful only after its update.
    outdated: bool,
    sync: WebSync,
    commands: OwnCommands,
    wake: WebWake,
}

/// The queues of messages, slots and streams, which phone and companion both have.
struct Lanes {
    outbox: Outbox,
    inbox: Inbox,
    slots: Slots,
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
    rtt_last: Option<Duration>,
    /// Until when a link that is getting fresh keys is still shown as LIVE.
    rekeying: Option<Timestamp>,
    /// Whether the page is hidden: on a companion its own, on a phone the companion's.
    hidden: bool,
}

impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint")
            .field("role", &self.role())
            .field("mailbox", &self.attach.mailbox())
            .field("status", &self.status)
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Returns the role of this device.
    #[must_use]
    pub fn role(&self) -> DeviceRole {
        match self.side {
            Side::Phone(_) => DeviceRole::Phone,
            Side::Web(_) => DeviceRole::Web,
        }
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
                Err(error) => self.drop_socket(error.code()),
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
    /// [`ApiMisuse::CommitOrder`] when the commit is not the oldest open one.
    pub fn committed(&mut self, now: Timestamp, id: CommitId) -> Result<(), ApiMisuse> {
        self.tick(now);
        self.gate.committed(id)?;
        while let Some((_, deferred)) = pop_front_if(&mut self.deferred, |(of, _)| *of <= id) {
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

    /// Does what a new state requires: wakes the phone, starts a handshake, reports the state.
    fn settle(&mut self, rng: &mut dyn CryptoRng) {
        if !self.dead {
            self.wake_if_absent();
            self.start_if_due(rng);
            self.answer_held(rng);
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
    fn run(&mut self, deferred: Deferred) {
        match deferred {
            Deferred::SendHandshake(bytes) => self.send_handshake(bytes),
            Deferred::Confirm => self.send_confirm(),
            Deferred::Unlock => self.unlock(),
            Deferred::LinkCommit => self.send_link_commit(),
            Deferred::Close(code) => self.send_close(code),
            Deferred::Revoke(signature) => self.send_revoked(signature),
            Deferred::Release(index) => self.lanes.outbox.release(index),
            Deferred::Received(seq) => self.received(seq),
            Deferred::ReceivedAndRelease(seq, index) => {
                self.received(seq);
                self.lanes.outbox.release(index);
            }
            Deferred::Cursor(collection, to) => {
                if let Side::Web(web) = &mut self.side {
                    web.sync.committed(collection, to);
                }
                self.schedule_ack(1);
            }
            Deferred::Page(collection) => {
                if let Side::Web(web) = &mut self.side {
                    web.sync.page_committed(collection);
                }
            }
            Deferred::OpenStream(id) => self.lanes.streams.release(id),
            Deferred::StreamDurable(id, offset) => {
                let quick = self.alive.is_quick();
                self.lanes.streams.written_durable(id, offset, quick);
            }
            Deferred::Wiped => self.dead = true,
            Deferred::Nothing => {}
        }
    }

    /// Records that the effect of received message `seq` is durable, and plans its ACK.
    fn received(&mut self, seq: u64) {
        let due = self.lanes.inbox.committed(seq);
        self.schedule_ack(due);
    }

    /// Calls `f` with the attach machine and the keys of this link's seat.
    fn with_seat<T>(&mut self, f: impl FnOnce(&mut Attach, &Seat<'_>) -> T) -> T {
        let seat = match &self.side {
            Side::Phone(phone) => Seat::Link {
                own: &phone.link.attach,
                peer: phone.link.web_attach,
                salt: phone.link.terms.salt,
            },
            Side::Web(web) => {
                Seat::Link { own: &web.link.attach, peer: web.link.phone_attach, salt: web.link.terms.salt }
            }
        };
        f(&mut self.attach, &seat)
    }

    fn on_relay_frame(&mut self, rng: &mut dyn CryptoRng, frame: RelayFrame) {
        let now = self.now;
        match self.with_seat(|attach, seat| attach.frame(now, seat, frame)) {
            AttachEvent::Send(bytes) => self.transmit(bytes),
            AttachEvent::None => {}
            AttachEvent::Attached => {
                if let Side::Web(web) = &mut self.side {
                    web.unanswered = 0;
                }
                self.end_rest();
            }
            // A handshake is bound to both attachment ids, and one of them has changed.
            // req: HSK-150
            AttachEvent::PeerUp | AttachEvent::PeerDown => {
                self.drop_connection();
                self.end_rest();
            }
            AttachEvent::Wake(answer) => self.on_wake_answer(&answer),
            AttachEvent::Contended(n) => self.event(Event::Contended(n)),
            AttachEvent::Data(kind, body) => self.on_data(rng, kind, body),
            AttachEvent::Refused(code) => self.on_refused(code),
        }
    }

    fn on_wake_answer(&mut self, answer: &Wake) {
        if let Side::Web(web) = &mut self.side {
            web.wake.answered(answer);
        }
        if let Wake::Failed(class) = answer {
            self.event(Event::WakeFailed(*class));
        }
    }

    fn on_data(&mut self, rng: &mut dyn CryptoRng, kind: DataKind, body: Bytes) {
        match (kind, &self.side) {
            (DataKind::KK1, Side::Phone(_)) => self.on_message1(rng, body),
            (DataKind::KK2, Side::Web(_)) => self.on_message2(&body),
            (DataKind::UNKNOWN_KEY, Side::Web(_)) => self.on_unknown_key(),
            // Newer relays may send kinds of frames that this version does not know.
            // req: RLY-002
            _ => {}
        }
    }

    /// Handles a refusal by the relay, or a frame that breaks its rules.
    fn on_refused(&mut self, code: ErrorCode) {
        if code == ErrorCode::REPLACED {
            self.event(Event::Replaced);
            // Two tabs of one companion would otherwise take the seat from each other forever.
            // req: TIM-012
            if let Side::Web(web) = &mut self.side {
                web.replaced = true;
            }
            self.drop_connection();
            return;
        }
        self.event(Event::Relay(code));
        self.drop_socket(code);
    }

    /// Closes the socket, and plans another one.
    fn drop_socket(&mut self, _why: ErrorCode) {
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
