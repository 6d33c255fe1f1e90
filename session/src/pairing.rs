//! The state machine of a pairing: a seat in the code's mailbox, the XK handshake, three link records (spec,
//! handshake).
//!
//! [`Pairing`] is one attempt with one code: on a companion it lives as long as the code, on a phone as long
//! as the attempt. Its commits hold the rows of the new link, which [`crate::Endpoint::load`] then opens.
//! Replacing codes that expire is left to the application.

mod codes;
mod ending;
pub(crate) mod event;
mod in_use;
mod phone;
mod web;
mod wire;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::MailboxId;
use handfast_codec::link::LinkFrame;
use handfast_codec::qr::QrOffer;
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_codec::{RelayName, Timestamp};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::Terms;
use handfast_handshake::pairing::Claims;
use handfast_handshake::record::{Opener, Sealer};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::attach::{Attach, AttachTimeout};
use crate::commit::{Commit, CommitGate, Op};
use crate::error::ApiMisuse;
use crate::jitter::Jitter;
use crate::key_log::KeyLog;
use crate::queue::pop_front_if;

use codes::Message1Budget;

pub use codes::ShownCodes;
pub use event::{PairingEvent, PairingOutput};
pub use in_use::{KeysInUse, peer_keys};

/// The longest wait for a handshake message.
const MESSAGE_MAX: Duration = Duration::from_secs(10);
/// How long the user has for each of: the check code (counted from the first question), the approval, and the
/// two-digit number (NN) that the phone shows.
const CODE_MAX: Duration = Duration::from_mins(1);
const APPROVAL_MAX: Duration = Duration::from_mins(2);
const NN_MAX: Duration = Duration::from_secs(90);
/// How long a phone waits for `LINK_ACCEPT`, which includes the time that the page's user may take for NN.
const ACCEPT_MAX: Duration = Duration::from_secs(100);

/// The state of the attempt, by device role.
enum Side {
    Phone(phone::PhoneState),
    Web(web::WebState),
}

/// The action that waits until a commit is durable.
enum Deferred {
    /// Send message 3, and then this link frame.
    Offer(Bytes, LinkFrame),
    /// Send this link frame.
    Send(LinkFrame),
    /// The attempt has succeeded: the link is stored as ACTIVE.
    Linked,
    /// Send this link frame; with it the attempt has succeeded.
    SendLinked(LinkFrame),
    /// No action: the commit matters only for its rows.
    Nothing,
}

/// The keys of the link records.
struct Keys {
    sealer: Sealer,
    opener: Opener,
}

/// One pairing attempt, from the QR code to a stored link.
///
/// ```
/// use handfast_codec::qr::QrOffer;
/// use handfast_codec::{RelayName, Timestamp};
/// use handfast_handshake::pairing::Claims;
/// use handfast_session::pairing::{KeysInUse, ShownCodes};
/// use handfast_session::{MemoryStore, Pairing, PairingOutput};
/// # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut rng = ChaCha20Rng::seed_from_u64(1);
/// // `rng` draws from the operating system, and `now` is read from a monotonic clock before each call.
/// let (now, relay) = (Timestamp::ZERO, RelayName::parse("relay.example")?);
/// let claims = Claims { label: "Kitchen".into(), origin: String::new(), grants: 0 };
/// let mut companion =
///     Pairing::web(relay.clone(), claims, &ShownCodes::default(), KeysInUse::none(), now, &mut rng)?;
/// let code = companion.offer_text().expect("nobody has scanned it yet");
/// let mut phone = Pairing::phone(QrOffer::decode(&code)?, relay, KeysInUse::none(), now, &mut rng);
///
/// // Both are driven the same way. A machine first waits for the time that it is; then this is what it does:
/// phone.handle_timeout(now);
/// let (mut store, mut wants_a_socket) = (MemoryStore::new(), false);
/// let _deadline = loop {
///     match phone.poll_output() {
///         PairingOutput::Connect => wants_a_socket = true, // then `handle_opened`
///         PairingOutput::Transmit(_frame) => {}            // one binary message of the WebSocket
///         PairingOutput::Disconnect => {}
///         PairingOutput::Persist(commit) => {
///             let mut txn = store.begin();
///             commit.apply(&mut txn)?;
///             txn.commit();
///             phone.committed(now, commit)?;
///         }
///         PairingOutput::Event(event) => println!("{event:?}"), // ask the user, show digits, end
///         PairingOutput::Wait(deadline) => break deadline,      // then `handle_timeout`
///         _ => {}
///     }
/// };
/// assert!(wants_a_socket);
/// # Ok(())
/// # }
/// ```
pub struct Pairing {
    side: Side,
    attach: Attach,
    seat_key: SigningKey,
    /// On a companion: how many messages 1 its code may still read.
    messages1: Message1Budget,
    keys: Option<Keys>,
    key_log: KeyLog,
    /// The numbering of commits, once the link's mailbox is known.
    gate: Option<CommitGate>,
    terms: Option<Terms>,
    deferred: VecDeque<(u64, Deferred)>,
    out: VecDeque<PairingOutput>,
    now: Timestamp,
    /// The peers' keys in this device's other links. The new link may not use any of them.
    in_use: KeysInUse,
    /// When the current wait ends, and the code with which the attempt ends then.
    deadline: Option<(Timestamp, ErrorCode)>,
    ended: bool,
}

impl core::fmt::Debug for Pairing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Pairing")
            .field("mailbox", &self.attach.mailbox())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl Pairing {
    fn new(
        side: Side,
        relay: RelayName,
        mailbox: MailboxId,
        in_use: KeysInUse,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let role = match &side {
            Side::Phone(_) => DeviceRole::Phone,
            Side::Web(_) => DeviceRole::Web,
        };
        Self {
            side,
            attach: Attach::new(relay, mailbox, role, now, Jitter::new(rng.next_u64())),
            // If a link used the same key, the relay could tell that the two mailboxes belong together.
            // req: HSK-154
            seat_key: SigningKey::generate(rng),
            messages1: Message1Budget::new(now),
            keys: None,
            key_log: KeyLog::default(),
            gate: None,
            terms: None,
            deferred: VecDeque::new(),
            out: VecDeque::new(),
            now,
            in_use,
            deadline: None,
            ended: false,
        }
    }

    /// On a companion: creates a fresh code that waits for a phone. `codes` is shared with the other codes of
    /// the page.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::TooLarge`] when the relay's name does not fit a code (40 bytes), or a claim exceeds its
    /// limit; [`ApiMisuse::WrongState`] when another code of the page has already answered a phone: then only
    /// the user may ask for a new one.
    pub fn web(
        relay: RelayName,
        claims: Claims,
        codes: &ShownCodes,
        in_use: KeysInUse,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, ApiMisuse> {
        let (state, mailbox) = web::WebState::new(relay.clone(), claims, codes, rng)?;
        Ok(Self::new(Side::Web(state), relay, mailbox, in_use, now, rng))
    }

    /// On a phone: starts an attempt with a scanned code, over the relay that the code names.
    pub fn phone(
        offer: QrOffer,
        relay: RelayName,
        in_use: KeysInUse,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let (state, mailbox) = phone::PhoneState::new(offer);
        let mut pairing = Self::new(Side::Phone(state), relay, mailbox, in_use, now, rng);
        pairing.wait(MESSAGE_MAX, ErrorCode::TIMEOUT);
        pairing
    }

    /// On a companion: returns the text of the QR code while it is shown. It contains the code's secret.
    #[must_use]
    pub fn offer_text(&self) -> Option<Zeroizing<String>> {
        match &self.side {
            Side::Web(web) => web.offer_text(),
            Side::Phone(_) => None,
        }
    }

    /// On a companion: returns whether a phone has scanned the code, so that the application must not replace
    /// the code.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        matches!(&self.side, Side::Web(web) if web.is_frozen())
    }

    /// Returns whether the attempt has ended, linked or not.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended
    }

    /// Returns the name of the relay to connect to.
    #[must_use]
    pub fn relay(&self) -> &RelayName {
        self.attach.relay()
    }

    /// Returns the terms of the link once they are agreed, for the application to store beside the commits.
    #[must_use]
    pub fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// Reports that the socket requested by [`PairingOutput::Connect`] is open.
    pub fn handle_opened(&mut self, now: Timestamp) {
        self.tick(now);
        self.attach.opened(self.now);
    }

    /// Reports that the socket is closed, or could not be opened.
    pub fn handle_closed(&mut self, now: Timestamp) {
        self.tick(now);
        if self.ended {
            return;
        }
        if self.is_begun() {
            self.attach.down_until(None);
            self.end(ErrorCode::PEER_GONE);
        } else if self.is_settled() {
            self.attach.down_until(None);
        } else {
            self.attach.closed(self.now);
        }
    }

    /// Handles one binary WebSocket message from the relay.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::NotOpen`] when no socket is open.
    pub fn handle_bytes(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        bytes: BytesMut,
    ) -> Result<(), ApiMisuse> {
        self.tick(now);
        if self.ended {
            return Ok(());
        }
        if !self.attach.is_open() {
            return Err(ApiMisuse::NotOpen);
        }
        match RelayFrame::decode(bytes.freeze()) {
            Ok(frame) => self.on_relay_frame(rng, frame),
            Err(error) => self.leave_relay(error.code()),
        }
        Ok(())
    }

    /// Reports a change of visibility, network or clock: a missing socket is requested without delay.
    pub fn probe(&mut self, now: Timestamp) {
        self.tick(now);
        self.attach.reconnect_now(self.now);
    }

    /// Reports that the deadline of [`PairingOutput::Wait`] has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.tick(now);
        if self.ended {
            return;
        }
        match self.attach.timeout(self.now) {
            Some(AttachTimeout::Connect) => self.out.push_back(PairingOutput::Connect),
            Some(AttachTimeout::RelaySilent) => {
                self.out.push_back(PairingOutput::Disconnect);
                self.handle_closed(now);
            }
            None => {}
        }
        if let Some((at, code)) = self.deadline
            && at <= self.now
            && !self.ended
        {
            // A code that waits without end could be answered by a stranger later.
            // req: HSK-006, HSK-014
            self.give_up(code);
        }
    }

    /// Reports that the application's transaction with this commit is durable. Whatever waited for the commit
    /// is then sent or emitted.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::CommitOrder`] when the commit is not the oldest open one, [`ApiMisuse::OtherLink`] when it
    /// is none of this pairing.
    pub fn committed(&mut self, now: Timestamp, commit: Commit) -> Result<(), ApiMisuse> {
        self.tick(now);
        let version = self.gate.as_mut().ok_or(ApiMisuse::OtherLink)?.committed(commit)?;
        while let Some((_, deferred)) = pop_front_if(&mut self.deferred, |(of, _)| *of <= version) {
            match deferred {
                _ if self.ended => {}
                Deferred::Offer(message, frame) => {
                    self.send_data(DataKind::PAIRING, message);
                    self.send_link(&frame);
                }
                Deferred::Send(frame) => self.send_link(&frame),
                Deferred::SendLinked(frame) => {
                    self.send_link(&frame);
                    self.linked();
                }
                Deferred::Linked => self.linked(),
                Deferred::Nothing => {}
            }
        }
        Ok(())
    }

    /// Returns the next line of the key log, as [`Endpoint::poll_key_log`](crate::Endpoint::poll_key_log) does.
    ///
    /// # Security
    ///
    /// Whoever has both lines reads the link records of the attempt.
    #[cfg(feature = "key-log")]
    pub fn poll_key_log(&mut self) -> Option<Zeroizing<String>> {
        self.key_log.poll()
    }

    /// Returns the next thing to do; call it until it returns [`PairingOutput::Wait`].
    pub fn poll_output(&mut self) -> PairingOutput {
        if let Some(output) = self.out.pop_front() {
            return output;
        }
        if self.ended {
            return PairingOutput::Wait(None);
        }
        let own = self.deadline.map(|(at, _)| at);
        let at = match (own, self.attach.deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        PairingOutput::Wait(at)
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.give_way();
    }

    /// Takes over the keys of the handshake, which is complete.
    fn take_keys(&mut self, sealer: Sealer, opener: Opener) {
        self.key_log.note(&sealer, &opener);
        self.keys = Some(Keys { sealer, opener });
    }

    fn wait(&mut self, time: Duration, code: ErrorCode) {
        self.deadline = Some((self.now.plus(time), code));
    }

    fn event(&mut self, event: PairingEvent) {
        self.out.push_back(PairingOutput::Event(event));
    }

    /// Returns whether a handshake has begun, so that a lost socket ends the attempt.
    fn is_begun(&self) -> bool {
        match &self.side {
            Side::Phone(phone) => phone.is_begun(),
            Side::Web(web) => web.is_begun(),
        }
    }

    /// Returns whether the link is agreed and only the commit of ACTIVE is awaited, so that the loss of peer
    /// or socket no longer matters.
    fn is_settled(&self) -> bool {
        matches!(&self.side, Side::Phone(phone::PhoneState::Active) | Side::Web(web::WebState::Active))
    }

    /// Returns the error of a call that needs something else than there is.
    const fn unfit(&self, needs: &'static str) -> ApiMisuse {
        let is = match &self.side {
            Side::Phone(state) => state.name(),
            Side::Web(state) => state.name(),
        };
        ApiMisuse::WrongState { is, needs }
    }

    fn persist(&mut self, link: MailboxId, ops: Vec<Op>, deferred: Deferred) {
        let gate = self.gate.get_or_insert_with(|| CommitGate::new(link, 0));
        let commit = gate.open(ops);
        self.deferred.push_back((commit.expects(), deferred));
        self.out.push_back(PairingOutput::Persist(commit));
    }
}
