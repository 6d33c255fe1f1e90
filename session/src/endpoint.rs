//! One link, whole: its seat at the relay, its handshakes, its session.
//!
//! [`Endpoint`] takes what comes from outside by `handle_*`, what the application wants by plain verbs, and gives all
//! that goes out by [`Endpoint::poll_output`]. It knows no clock, socket, file or thread.
//!
//! The parts: `connect_web` and `connect_phone` run the reconnect handshake and the ratchet, `frames` takes what
//! decrypts, `send` chooses and seals records, `verbs` are the application's calls.

mod connect_phone;
mod connect_web;
mod frames;
mod load;
mod send;
mod time;
mod verbs;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::ids::{AttachmentId, LogId, MailboxId, PskId, Signature};
use handfast_codec::relay::{DataKind, RECORD_HEADER, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_handshake::link::{PhoneLink, WebLink};
use handfast_handshake::ratchet::{Holder, PhoneRatchet, WebRatchet};
use handfast_handshake::reconnect;
use handfast_handshake::record::{Opener, Sealer};
use rand_core::CryptoRng;

use crate::attach::{Attach, AttachEvent, AttachTimeout, Seat};
use crate::commit::{Commit, CommitGate, CommitId, Op};
use crate::counters::Counters;
use crate::error::ApiMisuse;
use crate::inbox::Inbox;
use crate::jitter::Jitter;
use crate::outbox::Outbox;
use crate::output::{Event, LinkState, Message, Output};
use crate::psk::IdPsk;
use crate::resume::Verdict;
use crate::slots::Slots;
use crate::stream::Streams;
use crate::sync::{PhoneSync, WebSync};

pub use load::{LinkStatus, Pairs, StreamInfo};
pub(crate) use load::{active_row, phone_rows, web_rows, wipe_rows};
pub use verbs::{Opened, Sent};

/// How long a handshake message is awaited.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// One link of this device, from its rows in the store to its records on the wire.
///
/// Create it with [`Endpoint::load`]. Then, for ever: drain [`Endpoint::poll_output`], wait for one of bytes, a call
/// of the application or the deadline, and make the one matching call.
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
    /// Rows that the peer has acknowledged, to be deleted with a commit of their own.
    lapsed: Vec<Op>,
    jitter: Jitter,
    now: Timestamp,
    shown: Option<LinkState>,
    alive: Liveness,
    /// Bytes sealed and handed out that the socket has not taken.
    ahead: usize,
    /// At the phone: results not yet given for commands that were delivered.
    running: alloc::collections::BTreeSet<u64>,
    dead: bool,
}

/// What goes out next. A commit gets its number when it is taken, not when it is queued: a verb that is called in
/// between returns one that the application applies first.
enum Queued {
    Output(Output),
    Commit(Pending),
}

/// A commit without its number.
struct Pending {
    message: Option<Message>,
    ops: Vec<Op>,
    /// The phone's log that this commit makes known.
    log_id: Option<LogId>,
    deferred: Deferred,
}

/// What differs by device role.
enum Side {
    Phone(PhoneSide),
    Web(WebSide),
}

struct PhoneSide {
    link: PhoneLink,
    ratchet: PhoneRatchet<IdPsk>,
    recovery_id: PskId,
    /// A message 1 that came too early, and when the last was answered.
    held: Option<Bytes>,
    answered: Option<Timestamp>,
    /// The web's attachment to which UNKNOWN_KEY was sent.
    hinted: Option<AttachmentId>,
    sync: PhoneSync,
    results: alloc::collections::BTreeMap<u64, Bytes>,
    revoked: Option<Signature>,
}

struct WebSide {
    link: WebLink,
    ratchet: WebRatchet<IdPsk>,
    /// When the next attempt may start.
    next_attempt: Timestamp,
    /// Whether the next attempt is a recovery.
    recover: bool,
    /// Whether another socket took the seat, and the user has not taken it back.
    replaced: bool,
    sync: WebSync,
    unsettled: alloc::collections::BTreeSet<u64>,
}

/// The lanes that both roles have.
struct Lanes {
    outbox: Outbox,
    inbox: Inbox,
    slots: Slots,
    streams: Streams,
    control: VecDeque<Frame>,
    ack: Ack,
}

/// When an acknowledgement leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ack {
    None,
    By(Timestamp),
    Now,
}

/// Signs of life.
struct Liveness {
    last_record: Timestamp,
    next_ping: Option<Timestamp>,
    ping_id: u64,
    /// The PING that is not answered, and when it left.
    pinged: Option<(u64, Timestamp)>,
    /// When an unanswered probe makes the connection dead.
    probe: Option<Timestamp>,
    rtt_least: Option<Duration>,
    rtt_last: Option<Duration>,
    /// At the phone: the web's page is hidden. At the web: its own.
    hidden: bool,
}

/// The keys of one connection.
struct Keys {
    sealer: Sealer,
    opener: Opener,
}

enum Connection {
    None,
    /// Web: message 1 is decided; it is awaited from when it left.
    AwaitReply {
        state: reconnect::web::AwaitMessage2,
        block: Option<handfast_codec::payload::ResumeBlock>,
        until: Option<Timestamp>,
    },
    /// Web: message 2 was read; the confirm waits for its commit.
    Confirming {
        keys: Keys,
        resumed: bool,
    },
    /// Web: the confirm of a quarantine or recovery has left; only the phone's verdict is awaited.
    AwaitVerdict {
        keys: Keys,
        until: Timestamp,
    },
    /// Web: a pending link's ACCEPT has left.
    AwaitCommit {
        keys: Keys,
        resumed: bool,
        until: Timestamp,
    },
    /// Phone: message 2 is decided; the next record is the confirm.
    AwaitConfirm {
        keys: Keys,
        kind: Confirm,
        until: Option<Timestamp>,
    },
    /// Records flow.
    Live(Live),
}

struct Live {
    keys: Keys,
    since: Timestamp,
    resumed: bool,
    /// Web: no record has been opened yet.
    proven: bool,
    /// Nothing is sealed before the session's commit is durable.
    locked: bool,
    /// CLOSE{REKEY} has left: read on, send nothing.
    closing: bool,
}

/// What the phone's next record confirms.
enum Confirm {
    Resume { verdict: Verdict, peer: handfast_codec::payload::ResumeBlock, pending: bool, h: [u8; 32] },
    Quarantine { holder: Holder },
    Recover { held: PskId, in_step: bool },
}

/// What waits for a commit.
enum Deferred {
    /// Send a relay frame, and count the wait for its answer from then.
    SendHandshake(Bytes),
    /// Web: seal and send the confirm.
    Confirm,
    /// Phone: records may be sealed.
    Unlock,
    /// Phone: tell a pending web that its link is ACTIVE.
    LinkCommit,
    /// Seal a CLOSE and end the connection.
    Close(ErrorCode),
    /// Phone: seal REVOKED and CLOSE.
    Revoke(Signature),
    /// A message may leave.
    Release(u64),
    /// The effect of a message is durable.
    Received(u64),
    /// Both: a message that was answered without running it.
    ReceivedAndRelease(u64, u64),
    /// A DELTA is stored.
    Cursor(handfast_codec::frame::Collection, u64),
    /// An OPEN may leave.
    OpenStream(u64),
    /// Bytes of a stream are durable.
    StreamDurable(u64, u64),
    /// Web: a pending link has become ACTIVE.
    Active,
    /// Everything of the link is deleted.
    Wiped,
    /// Nothing but the durability itself.
    Nothing,
}

impl Deferred {
    /// Whether it means nothing once the connection is gone.
    fn is_of_connection(&self) -> bool {
        matches!(
            self,
            Self::SendHandshake(_)
                | Self::Confirm
                | Self::Unlock
                | Self::LinkCommit
                | Self::Close(_)
                | Self::Revoke(_)
        )
    }

    /// A session has begun anew: what counted in the old one is forgotten.
    fn end_session(&mut self) {
        match self {
            Self::Received(_) | Self::OpenStream(_) | Self::StreamDurable(..) => *self = Self::Nothing,
            Self::ReceivedAndRelease(_, index) => *self = Self::Release(*index),
            _ => {}
        }
    }
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
    /// This device's role.
    #[must_use]
    pub fn role(&self) -> DeviceRole {
        match self.side {
            Side::Phone(_) => DeviceRole::Phone,
            Side::Web(_) => DeviceRole::Web,
        }
    }

    /// The link's mailbox, which names the link in every commit.
    #[must_use]
    pub fn mailbox(&self) -> MailboxId {
        self.attach.mailbox()
    }

    /// The relay to connect to.
    #[must_use]
    pub fn relay(&self) -> &handfast_codec::RelayName {
        self.attach.relay()
    }

    /// The socket that [`Event::Connect`] asked for is open.
    pub fn handle_opened(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        self.tick(now);
        self.ahead = 0;
        self.attach.opened(self.now);
        self.settle(rng);
    }

    /// The socket is closed, or could not be opened.
    pub fn handle_closed(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        self.tick(now);
        self.attach.closed(self.now);
        self.drop_connection();
        self.settle(rng);
    }

    /// One binary WebSocket message came from the relay.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::NotOpen`] when no socket is open. What the relay or the peer did wrong is an event.
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
            // Records open in place, so they skip the frame parser; their length is checked before a key is used.
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

    /// A deadline given by [`Output::Wait`] has passed.
    pub fn handle_timeout(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        self.tick(now);
        if !self.dead {
            self.on_time();
        }
        self.settle(rng);
    }

    /// The application's transaction with this commit is durable.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::CommitOrder`] when the commit is not the oldest open one.
    pub fn committed(&mut self, now: Timestamp, id: CommitId) -> Result<(), ApiMisuse> {
        self.tick(now);
        self.gate.committed(id)?;
        while let Some((_, deferred)) = self.deferred.pop_front_if(|(of, _)| *of <= id) {
            self.run(deferred);
        }
        self.show();
        Ok(())
    }

    /// The socket took bytes of Transmits.
    pub fn transmitted(&mut self, now: Timestamp, bytes: usize) {
        self.tick(now);
        self.ahead = self.ahead.saturating_sub(bytes);
    }

    /// The next thing to do. Drain until [`Output::Wait`]. Draws no randomness.
    pub fn poll_output(&mut self) -> Output {
        if self.out.is_empty() {
            self.deliver();
            self.ask();
            self.rekey_if_worn();
        }
        match self.out.pop_front() {
            Some(Queued::Output(output)) => {
                if let Output::Event(Event::Fin { id, .. }) = &output {
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

    /// Time never runs backwards here.
    fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Brings what follows from the new state: a new attempt, and the state to show.
    fn settle(&mut self, rng: &mut dyn CryptoRng) {
        if !self.dead {
            self.start_if_due(rng);
            self.answer_held(rng);
        }
        self.show();
    }

    fn event(&mut self, event: Event) {
        self.out.push_back(Queued::Output(Output::Event(event)));
    }

    /// Whether one more commit may be made.
    fn has_room(&self) -> bool {
        let queued = self.out.iter().filter(|queued| matches!(queued, Queued::Commit(_))).count();
        self.gate.has_room(queued)
    }

    /// Queues a commit that the application must persist.
    fn persist(&mut self, ops: Vec<Op>, deferred: Deferred) {
        self.out.push_back(Queued::Commit(Pending { message: None, ops, log_id: None, deferred }));
    }

    /// Queues a commit that comes with a message.
    fn deliver_with(&mut self, message: Message, ops: Vec<Op>, deferred: Deferred) {
        self.out.push_back(Queued::Commit(Pending { message: Some(message), ops, log_id: None, deferred }));
    }

    /// Numbers a queued commit.
    fn number(&mut self, pending: Pending) -> Output {
        if let Some(log_id) = pending.log_id {
            self.counters.log_id = log_id;
        }
        let commit = self.return_commit(pending.ops, pending.deferred);
        match pending.message {
            Some(message) => Output::Deliver { message, commit },
            None => Output::Persist(commit),
        }
    }

    /// Opens a commit. The counters go with every one, as they are now.
    fn return_commit(&mut self, mut ops: Vec<Op>, deferred: Deferred) -> Commit {
        if !matches!(deferred, Deferred::Wiped) {
            ops.push(self.counters.put());
        }
        let commit = self.gate.open(ops);
        self.deferred.push_back((commit.id(), deferred));
        commit
    }

    /// Everything that waits for a commit, numbered or not.
    fn waiting(&mut self) -> impl Iterator<Item = &mut Deferred> {
        let queued = self.out.iter_mut().filter_map(|queued| match queued {
            Queued::Commit(pending) => Some(&mut pending.deferred),
            Queued::Output(_) => None,
        });
        self.deferred.iter_mut().map(|(_, deferred)| deferred).chain(queued)
    }

    fn transmit(&mut self, bytes: Bytes) {
        self.ahead = self.ahead.saturating_add(bytes.len());
        self.out.push_back(Queued::Output(Output::Transmit(bytes)));
    }

    /// Runs what waited for a commit.
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
            Deferred::OpenStream(id) => self.lanes.streams.release(id),
            Deferred::StreamDurable(id, offset) => {
                let quick = self.alive.is_quick();
                self.lanes.streams.written_durable(id, offset, quick);
            }
            Deferred::Active => self.on_active(),
            Deferred::Wiped => self.dead = true,
            Deferred::Nothing => {}
        }
    }

    /// The effect of a message is durable.
    fn received(&mut self, seq: u64) {
        let due = self.lanes.inbox.committed(seq);
        self.schedule_ack(due);
    }

    /// The seat this link has at its relay.
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
            AttachEvent::None => {}
            AttachEvent::Send(bytes) => self.transmit(bytes),
            AttachEvent::Attached => {}
            AttachEvent::PeerUp | AttachEvent::PeerDown => self.drop_connection(),
            AttachEvent::Contended(n) => self.event(Event::Contended(n)),
            AttachEvent::Data(kind, body) => self.on_data(rng, kind, body),
            AttachEvent::Refused(code) => self.on_refused(code),
        }
    }

    fn on_data(&mut self, rng: &mut dyn CryptoRng, kind: DataKind, body: Bytes) {
        match (kind, &self.side) {
            (DataKind::KK1, Side::Phone(_)) => self.on_message1(rng, body),
            (DataKind::KK2, Side::Web(_)) => self.on_message2(&body),
            (DataKind::UNKNOWN_KEY, Side::Web(_)) => self.on_unknown_key(),
            // req: RLY-002
            _ => {}
        }
    }

    /// The relay refused, or spoke against the rules.
    fn on_refused(&mut self, code: ErrorCode) {
        if code == ErrorCode::REPLACED {
            self.event(Event::Replaced);
            if let Side::Web(web) = &mut self.side {
                web.replaced = true;
            }
            self.drop_connection();
            return;
        }
        self.event(Event::Relay(code));
        self.drop_socket(code);
    }

    /// Gives the socket up, and asks for another later.
    fn drop_socket(&mut self, _why: ErrorCode) {
        self.event(Event::Disconnect);
        self.attach.closed(self.now);
        self.drop_connection();
    }

    /// Forgets the keys of the connection, if there is one.
    fn drop_connection(&mut self) {
        self.conn = Connection::None;
        self.alive.stop();
        self.lanes.control.clear();
        for deferred in self.waiting().filter(|deferred| deferred.is_of_connection()) {
            *deferred = Deferred::Nothing;
        }
    }
}
