//! The client of a relay mailbox: greeting, proof of the seat, the peer's presence, and reconnects (spec,
//! relay and timers).
//!
//! [`Attach`] turns relay frames into [`AttachEvent`]s. It asks for sockets, answers the relay's pings, gives
//! up a relay that is silent, and spaces reconnects with full jitter. It does no I/O.

use alloc::string::String;
use core::time::Duration;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachmentId, MailboxId, Salt};
use handfast_codec::limits::{RELAY_DATA_MAX, RELAY_FRAMES_MAX};
use handfast_codec::relay::{Attach as AttachFrame, DataKind, MailboxProof, Peer, RelayFrame, Wake};
use handfast_codec::role::DeviceRole;
use handfast_codec::{RelayName, signed};
use handfast_handshake::identity::SigningKey;

use crate::counted::Counted;
use crate::jitter::Jitter;
use crate::returns::Returns;

/// The only version of the relay protocol.
const VERSION: u8 = 1;
/// The longest time for a socket to open: name look-up, TCP, TLS and the WebSocket upgrade together.
const OPENING_MAX: Duration = Duration::from_secs(15);
/// The time left for a socket that is still opening when visibility, network or clock change.
const OPENING_EVENT_MAX: Duration = Duration::from_secs(5);
/// The longest time for the relay to finish the greeting (HELLO to ATTACHED).
const GREETING_MAX: Duration = Duration::from_secs(10);
/// A relay that sends nothing for this long counts as gone while the page is visible (spec, TIM-001).
const SILENCE_MAX_VISIBLE: Duration = Duration::from_mins(1);
/// [`SILENCE_MAX_VISIBLE`] for a hidden page, where browsers delay timers.
const SILENCE_MAX_HIDDEN: Duration = Duration::from_mins(2);
/// The upper bound of the random delay before a reconnect.
const BACKOFF_MAX: Duration = Duration::from_mins(1);
/// The upper bound of the random delay before the first reconnect. The bound doubles with each failure.
const BACKOFF_START: Duration = Duration::from_secs(1);

/// The device's place in a mailbox: the keys that prove to the relay that the device may take it.
pub(crate) enum Seat<'a> {
    /// A pairing mailbox: any fresh key will do.
    Pairing { key: &'a SigningKey },
    /// A link mailbox, whose id is derived from the attach keys of both devices and the salt.
    Link { own: &'a SigningKey, peer: handfast_codec::ids::AttachKey, salt: Salt },
}

/// The peer's attachment to the mailbox, as the relay reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) id: AttachmentId,
    pub(crate) same_net: Option<bool>,
    pub(crate) origin: Option<String>,
}

/// The meaning of a relay frame for the machine that owns the seat.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AttachEvent {
    /// The frame needs no action.
    None,
    /// This frame must be sent to the relay.
    Send(Bytes),
    /// The relay accepted the proof for the seat. [`Attach::peer`] says whether the peer is attached.
    Attached,
    /// The peer attached, or attached again under another id.
    PeerUp,
    /// The peer detached.
    PeerDown,
    /// The peer's seat changed sockets this many times although its earlier socket was alive.
    Contended(u64),
    /// The relay answered a WAKE.
    Wake(Wake),
    /// The peer sent bytes through the relay.
    Data(DataKind, Bytes),
    /// The relay refused with this code, or broke a rule of the protocol: the socket must be closed.
    Refused(ErrorCode),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// There is no socket. The next one is wanted at this time, or never (`None`).
    Down(Option<Timestamp>),
    /// The driver was asked for a socket, and must deliver it before `until`.
    Opening { until: Timestamp },
    /// The socket is open; the greeting must end before `until`. `hello` tells whether HELLO has come.
    Greeting { until: Timestamp, hello: bool },
    /// The seat is taken under the id `own`.
    Attached { own: AttachmentId, peer: Option<Presence> },
}

/// The state machine of one seat at one relay.
#[derive(Debug)]
pub(crate) struct Attach {
    relay: RelayName,
    mailbox: MailboxId,
    role: DeviceRole,
    phase: Phase,
    last_heard: Timestamp,
    /// The rates of the relay's own frames, and (`strays`) of DATA frames that are no record of a connection.
    counted: Counted,
    strays: Counted,
    hidden: bool,
    failures: u32,
    jitter: Jitter,
    /// Whether ERROR{REPLACED} came: another socket has taken this seat, so the next reconnect has other
    /// rules.
    replaced: bool,
    /// Spaces the reconnects of a phone whose seat was taken by another socket.
    returns: Returns,
}

impl Attach {
    /// Creates a seat that wants a socket at once.
    pub(crate) fn new(
        relay: RelayName,
        mailbox: MailboxId,
        role: DeviceRole,
        now: Timestamp,
        jitter: Jitter,
    ) -> Self {
        Self {
            relay,
            mailbox,
            role,
            phase: Phase::Down(Some(now)),
            last_heard: now,
            counted: Counted::since(now),
            strays: Counted::since(now),
            hidden: false,
            failures: 0,
            jitter,
            replaced: false,
            returns: Returns::default(),
        }
    }

    pub(crate) fn relay(&self) -> &RelayName {
        &self.relay
    }

    pub(crate) fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// Returns the attachment id of this socket, once the relay has accepted it.
    pub(crate) fn own(&self) -> Option<AttachmentId> {
        match &self.phase {
            Phase::Attached { own, .. } => Some(*own),
            Phase::Down(_) | Phase::Opening { .. } | Phase::Greeting { .. } => None,
        }
    }

    /// Returns the peer's attachment, if the relay reports that the peer is attached.
    pub(crate) fn peer(&self) -> Option<&Presence> {
        match &self.phase {
            Phase::Attached { peer, .. } => peer.as_ref(),
            Phase::Down(_) | Phase::Opening { .. } | Phase::Greeting { .. } => None,
        }
    }

    /// Returns whether a socket is open, whether still greeting or attached.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Greeting { .. } | Phase::Attached { .. })
    }

    /// Returns whether the first attempt since the start is under way or due.
    pub(crate) fn is_connecting(&self, now: Timestamp) -> bool {
        let is_trying = match &self.phase {
            Phase::Down(at) => at.is_some_and(|at| at <= now),
            Phase::Opening { .. } | Phase::Greeting { .. } => true,
            Phase::Attached { .. } => false,
        };
        is_trying && self.failures == 0
    }

    pub(crate) fn set_hidden(&mut self, hidden: bool) {
        self.hidden = hidden;
    }

    /// Records that a connection is live: the delay before the next reconnect starts again from 1 s.
    pub(crate) fn live(&mut self) {
        self.failures = 0;
    }

    /// Records that the socket is open, and starts the greeting's timer.
    pub(crate) fn opened(&mut self, now: Timestamp) {
        self.last_heard = now;
        self.counted = Counted::since(now);
        self.strays = Counted::since(now);
        self.replaced = false;
        self.phase = Phase::Greeting { until: now.plus(GREETING_MAX), hello: false };
    }

    /// Records that the socket is closed, and plans the next one after a random delay.
    pub(crate) fn closed(&mut self, now: Timestamp) {
        let at = match (self.replaced, self.role) {
            // A companion whose seat was taken waits for its user: two tabs would otherwise evict each other
            // forever.
            (true, DeviceRole::Web) => None,
            (true, DeviceRole::Phone) => Some(self.returns.next(now, &mut self.jitter)),
            (false, _) => Some(now.plus(self.backoff())),
        };
        self.phase = Phase::Down(at);
    }

    /// Records that the socket is closed, and plans the next one for `at` (`None`: never).
    pub(crate) fn down_until(&mut self, at: Option<Timestamp>) {
        self.phase = Phase::Down(at);
    }

    /// Reconnects without waiting for the back-off; a socket that is being opened gets 5 more seconds at
    /// most.
    pub(crate) fn reconnect_now(&mut self, now: Timestamp) {
        match &mut self.phase {
            // The delay was drawn before visibility, network or clock changed, so it has lost its reason.
            // req: TIM-013
            Phase::Down(Some(at)) => *at = now.min(*at),
            // An attempt begun over the network of before may never finish.
            // req: TIM-014
            Phase::Opening { until } => *until = now.plus(OPENING_EVENT_MAX).min(*until),
            Phase::Down(None) | Phase::Greeting { .. } | Phase::Attached { .. } => {}
        }
    }

    /// Returns the next reconnect delay: uniform between 0 and min(60 s, 1 s * 2^n) after n failures (full
    /// jitter).
    pub(crate) fn backoff(&mut self) -> Duration {
        // Random delays keep the devices of a relay that restarts from all returning at once.
        // req: TIM-005
        let cap = BACKOFF_START
            .saturating_mul(1_u32.checked_shl(self.failures.min(6)).unwrap_or(64))
            .min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        self.jitter.up_to(cap)
    }

    /// Records a sign of life of the relay: a record came, which the endpoint opens without
    /// [`Attach::frame`].
    pub(crate) fn heard(&mut self, now: Timestamp) {
        self.last_heard = now;
    }

    /// Counts a DATA frame that is no record of a connection. Returns whether too many came in this second.
    pub(crate) fn is_stray_too_many(&mut self, now: Timestamp) -> bool {
        // Each stray frame may cost a handshake's computation, and a relay can send any number.
        // req: RLY-090
        self.strays.is_too_many(now, RELAY_DATA_MAX)
    }

    /// Returns the next time at which [`Attach::timeout`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Down(at) => *at,
            Phase::Opening { until } | Phase::Greeting { until, .. } => Some(*until),
            Phase::Attached { .. } => Some(self.last_heard.plus(self.silence_max())),
        }
    }

    fn silence_max(&self) -> Duration {
        if self.hidden { SILENCE_MAX_HIDDEN } else { SILENCE_MAX_VISIBLE }
    }

    /// Returns what must be done now because the current deadline has passed; `None` if it has not.
    pub(crate) fn timeout(&mut self, now: Timestamp) -> Option<AttachTimeout> {
        if self.deadline().is_none_or(|at| now < at) {
            return None;
        }
        match self.phase {
            Phase::Down(_) => {
                self.phase = Phase::Opening { until: now.plus(OPENING_MAX) };
                Some(AttachTimeout::Connect)
            }
            // TCP alone may not report a relay that vanished for many minutes.
            // req: TIM-001, TIM-014
            Phase::Opening { .. } | Phase::Greeting { .. } | Phase::Attached { .. } => {
                Some(AttachTimeout::RelaySilent)
            }
        }
    }

    /// Handles one relay frame.
    pub(crate) fn frame(&mut self, now: Timestamp, seat: &Seat<'_>, frame: RelayFrame) -> AttachEvent {
        self.last_heard = now;
        let is_flood = match frame {
            RelayFrame::Data { .. } => self.is_stray_too_many(now),
            // A relay that floods a client with its own frames must not keep it busy.
            // req: RLY-065
            _ => self.counted.is_too_many(now, RELAY_FRAMES_MAX),
        };
        if is_flood {
            return AttachEvent::Refused(ErrorCode::LIMIT);
        }
        match (frame, &mut self.phase) {
            // The relay frees the seats of clients that do not answer.
            // req: RLY-027
            (RelayFrame::Ping(token), _) => AttachEvent::Send(RelayFrame::Pong(token).encode()),
            (RelayFrame::Pong(_) | RelayFrame::Ignored(_) | RelayFrame::Sticky { .. }, _) => {
                AttachEvent::None
            }
            (RelayFrame::Error { code, .. }, _) => {
                if code == ErrorCode::REPLACED {
                    self.replaced = true;
                }
                AttachEvent::Refused(code)
            }
            (RelayFrame::Hello(hello), Phase::Greeting { hello: greeted, .. }) if !*greeted => {
                // A relay under another name could take part in attacks that the signed name is there to
                // prevent.
                // req: RLY-006
                if hello.name != self.relay {
                    return AttachEvent::Refused(ErrorCode::RELAY_NAME_MISMATCH);
                }
                if !hello.versions.contains(&VERSION) {
                    return AttachEvent::Refused(ErrorCode::RELAY_VERSION);
                }
                *greeted = true;
                AttachEvent::None
            }
            (RelayFrame::Challenge(nonce), Phase::Greeting { hello: true, .. }) => {
                AttachEvent::Send(self.prove(seat, &nonce))
            }
            (RelayFrame::Attached(attached), Phase::Greeting { hello: true, .. }) => {
                let peer =
                    attached.peer.map(|p| Presence { id: p.id, same_net: p.same_net, origin: p.origin });
                self.phase = Phase::Attached { own: attached.own, peer };
                AttachEvent::Attached
            }
            (RelayFrame::Wake(answer), Phase::Attached { .. })
                if self.role == DeviceRole::Web && !matches!(answer, Wake::Ask(_)) =>
            {
                AttachEvent::Wake(answer)
            }
            (RelayFrame::Data { kind, body }, Phase::Attached { .. }) => AttachEvent::Data(kind, body),
            (RelayFrame::Peer(peer), Phase::Attached { peer: seat, .. }) => match peer {
                Peer::Up(p) => {
                    *seat = Some(Presence { id: p.id, same_net: p.same_net, origin: p.origin });
                    AttachEvent::PeerUp
                }
                Peer::Down => {
                    *seat = None;
                    AttachEvent::PeerDown
                }
                Peer::Contended(n) => AttachEvent::Contended(n),
            },
            // A frame that no state expects shows a broken or hostile relay.
            // req: RLY-064
            _ => AttachEvent::Refused(ErrorCode::UNEXPECTED_MESSAGE),
        }
    }

    fn prove(&self, seat: &Seat<'_>, nonce: &[u8; 32]) -> Bytes {
        let (key, proof) = match seat {
            Seat::Pairing { key } => (*key, MailboxProof::Pairing { key: key.attach_key() }),
            Seat::Link { own, peer, salt } => {
                let (phone_key, web_key) = match self.role {
                    DeviceRole::Phone => (own.attach_key(), *peer),
                    DeviceRole::Web => (*peer, own.attach_key()),
                };
                (*own, MailboxProof::Link { phone_key, web_key, salt: *salt })
            }
        };
        let tbs = signed::attach_tbs(&self.relay, proof.kind(), self.role, &self.mailbox, nonce);
        let signature = key.sign(&tbs);
        RelayFrame::Attach(AttachFrame {
            version: VERSION,
            role: self.role,
            mailbox: self.mailbox,
            proof,
            signature,
        })
        .encode()
    }
}

/// The action that an expired deadline of the seat demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttachTimeout {
    /// Ask the driver for a socket.
    Connect,
    /// Drop the socket, because the relay is silent.
    RelaySilent,
}
