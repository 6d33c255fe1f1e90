//! One seat in a relay's mailbox: greeting, proof, presence, and the way back to it (spec, relay and timers).
//!
//! [`Attach`] turns relay frames into [`AttachEvent`]s. It asks for sockets, answers the relay's pings, watches that
//! the relay is alive, and spaces reconnects with full jitter. May touch: nothing outside memory.

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

/// The only version of the relay envelope.
const VERSION: u8 = 1;
/// How long a socket may take to open: name, TCP, TLS and upgrade together.
const OPENING_MAX: Duration = Duration::from_secs(15);
/// The same after an event of visibility, network or clock.
const OPENING_EVENT_MAX: Duration = Duration::from_secs(5);
/// How long a relay has to finish the greeting.
const GREETING_MAX: Duration = Duration::from_secs(10);
/// A relay that says nothing for this long is gone, while the page is visible.
const SILENCE_MAX_VISIBLE: Duration = Duration::from_mins(1);
/// The same while the page is hidden.
const SILENCE_MAX_HIDDEN: Duration = Duration::from_mins(2);
/// The longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_mins(1);
/// The longest wait before the first attempt.
const BACKOFF_START: Duration = Duration::from_secs(1);

/// Which mailbox, and how its seat is proven.
pub(crate) enum Seat<'a> {
    /// A pairing mailbox: any fresh key.
    Pairing { key: &'a SigningKey },
    /// A link mailbox: this device's key, the peer's key, the salt.
    Link { own: &'a SigningKey, peer: handfast_codec::ids::AttachKey, salt: Salt },
}

/// What a relay said of the peer's seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) id: AttachmentId,
    pub(crate) same_net: Option<bool>,
    pub(crate) origin: Option<String>,
}

/// What a relay frame means to the machine above.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AttachEvent {
    /// Nothing.
    None,
    /// Send this frame.
    Send(Bytes),
    /// The seat is ours; the peer's presence is in [`Attach::peer`].
    Attached,
    /// The peer came, or came anew with another id.
    PeerUp,
    /// The peer left.
    PeerDown,
    /// The peer's seat was contended, n times.
    Contended(u64),
    /// The relay answered a WAKE.
    Wake(Wake),
    /// The peer sent bytes through the relay.
    Data(DataKind, Bytes),
    /// The relay refused, or broke a rule: close the socket.
    Refused(ErrorCode),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// No socket, none wanted before this time (`None`: not at all).
    Down(Option<Timestamp>),
    /// A socket was asked for.
    Opening { until: Timestamp },
    /// Open, the greeting is not over.
    Greeting { until: Timestamp, hello: bool },
    /// Attached.
    Attached { own: AttachmentId, peer: Option<Presence> },
}

/// The machine of one seat.
#[derive(Debug)]
pub(crate) struct Attach {
    relay: RelayName,
    mailbox: MailboxId,
    role: DeviceRole,
    phase: Phase,
    last_heard: Timestamp,
    /// The frames of the relay's own, and the DATA that is no record of a connection.
    counted: Counted,
    strays: Counted,
    hidden: bool,
    failures: u32,
    jitter: Jitter,
    /// Set by ERROR{REPLACED}: the next PING is answered, then the seat is given up.
    replaced: bool,
    /// When a phone came back to a seat that was taken.
    returns: Returns,
}

impl Attach {
    /// A seat that wants a socket at once.
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

    /// This socket's id, once attached.
    pub(crate) fn own(&self) -> Option<AttachmentId> {
        match &self.phase {
            Phase::Attached { own, .. } => Some(*own),
            Phase::Down(_) | Phase::Opening { .. } | Phase::Greeting { .. } => None,
        }
    }

    /// The peer's presence, if it is there.
    pub(crate) fn peer(&self) -> Option<&Presence> {
        match &self.phase {
            Phase::Attached { peer, .. } => peer.as_ref(),
            Phase::Down(_) | Phase::Opening { .. } | Phase::Greeting { .. } => None,
        }
    }

    /// Whether a socket is open.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Greeting { .. } | Phase::Attached { .. })
    }

    pub(crate) fn set_hidden(&mut self, hidden: bool) {
        self.hidden = hidden;
    }

    /// The connection is live: the next reconnect starts its back-off anew.
    pub(crate) fn live(&mut self) {
        self.failures = 0;
    }

    /// The socket is open.
    pub(crate) fn opened(&mut self, now: Timestamp) {
        self.last_heard = now;
        self.counted = Counted::since(now);
        self.strays = Counted::since(now);
        self.replaced = false;
        self.phase = Phase::Greeting { until: now.plus(GREETING_MAX), hello: false };
    }

    /// The socket is gone: another is asked for after a random delay.
    pub(crate) fn closed(&mut self, now: Timestamp) {
        let at = match (self.replaced, self.role) {
            // A web waits for its user.
            (true, DeviceRole::Web) => None,
            (true, DeviceRole::Phone) => Some(self.returns.next(now, &mut self.jitter)),
            (false, _) => Some(now.plus(self.backoff())),
        };
        self.phase = Phase::Down(at);
    }

    /// The socket is gone, and none is wanted before `at`.
    pub(crate) fn down_until(&mut self, at: Option<Timestamp>) {
        self.phase = Phase::Down(at);
    }

    /// If a socket is wanted later, it is wanted now; one that is being opened has little time left.
    pub(crate) fn hurry(&mut self, now: Timestamp) {
        match &mut self.phase {
            // req: TIM-013
            Phase::Down(Some(at)) => *at = now.min(*at),
            // req: TIM-014
            Phase::Opening { until } => *until = now.plus(OPENING_EVENT_MAX).min(*until),
            Phase::Down(None) | Phase::Greeting { .. } | Phase::Attached { .. } => {}
        }
    }

    /// Full jitter: a uniform delay between nothing and min(60 s, 1 s * 2^n).
    pub(crate) fn backoff(&mut self) -> Duration {
        // req: TIM-005
        let cap = BACKOFF_START
            .saturating_mul(1_u32.checked_shl(self.failures.min(6)).unwrap_or(64))
            .min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        self.jitter.up_to(cap)
    }

    /// A frame came that was not read here.
    pub(crate) fn heard(&mut self, now: Timestamp) {
        self.last_heard = now;
    }

    /// Counts a DATA frame that is no record of a connection. Returns whether it is one too many.
    pub(crate) fn is_stray_too_many(&mut self, now: Timestamp) -> bool {
        // req: RLY-090
        self.strays.is_too_many(now, RELAY_DATA_MAX)
    }

    /// The next time at which [`Attach::timeout`] has something to do.
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

    /// What time alone brings.
    pub(crate) fn timeout(&mut self, now: Timestamp) -> Option<AttachTimeout> {
        if self.deadline().is_none_or(|at| now < at) {
            return None;
        }
        match self.phase {
            Phase::Down(_) => {
                self.phase = Phase::Opening { until: now.plus(OPENING_MAX) };
                Some(AttachTimeout::Connect)
            }
            // req: TIM-001, TIM-014
            Phase::Opening { .. } | Phase::Greeting { .. } | Phase::Attached { .. } => {
                Some(AttachTimeout::RelaySilent)
            }
        }
    }

    /// Takes one relay frame.
    pub(crate) fn frame(&mut self, now: Timestamp, seat: &Seat<'_>, frame: RelayFrame) -> AttachEvent {
        self.last_heard = now;
        let is_flood = match frame {
            RelayFrame::Data { .. } => self.is_stray_too_many(now),
            // req: RLY-065
            _ => self.counted.is_too_many(now, RELAY_FRAMES_MAX),
        };
        if is_flood {
            return AttachEvent::Refused(ErrorCode::LIMIT);
        }
        match (frame, &mut self.phase) {
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

/// What a deadline of the seat means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttachTimeout {
    /// Ask for a socket.
    Connect,
    /// The relay is silent: drop the socket.
    RelaySilent,
}
