//! Scripted peers of a pairing that go on only when they are told to.

pub(crate) mod by_hand;

use bytes::Bytes;
use handfast_codec::DeviceRole;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::MailboxId;
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::qr::QrOffer;
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::noise::HandshakeState;
use handfast_handshake::pairing::web::{AwaitMessage3, Code};
use handfast_handshake::pairing::{mailbox, phone};
use handfast_handshake::record::{Opener, Sealer};
use handfast_session::Pairing;
use handfast_session::pairing::KeysInUse;

use by_hand::Fault;
use handfast_testkit::pairing::{account, claims, granted_terms};
use handfast_testkit::raw::{message, plain_record, record};
use handfast_testkit::relay;
use handfast_testkit::{Clocked as _, Couple};

fn seat() -> SigningKey {
    SigningKey::from_bytes([1; 32])
}

/// Which of the couple's scripted seats the peer sits in.
pub(crate) trait Peer {
    fn at(&self) -> Option<usize>;
    fn take_seat(&mut self, couple: &mut Couple);
    fn keys(&mut self) -> Option<(&mut Sealer, &mut Opener)>;

    /// Comes, or comes again under the same key.
    fn come(&mut self, couple: &mut Couple) {
        self.take_seat(couple);
        couple.settle();
    }

    fn leave(&mut self, couple: &mut Couple) {
        if let Some(at) = self.at() {
            couple.raw_close(at);
        }
    }

    fn raw(&self, couple: &mut Couple, frame: Bytes) {
        couple.raw_send(self.at().expect("the peer is there"), frame);
    }

    fn garbage(&self, couple: &mut Couple, kind: DataKind, len: usize) {
        self.bytes(couple, kind, vec![9; len]);
    }

    fn bytes(&self, couple: &mut Couple, kind: DataKind, body: Vec<u8>) {
        self.raw(couple, RelayFrame::Data { kind, body: Bytes::from(body) }.encode());
    }

    /// Sends a frame in a record, if there are keys for one.
    fn send(&mut self, couple: &mut Couple, frame: &LinkFrame) {
        self.send_all(couple, std::slice::from_ref(frame));
    }

    /// Sends frames in one record, if there are keys for one.
    fn send_all(&mut self, couple: &mut Couple, frames: &[LinkFrame]) {
        if let Some((sealer, _)) = self.keys() {
            let sealed = record(sealer, frames);
            self.raw(couple, sealed);
        }
    }

    /// Sends a record of these bytes, filled with zeros to `len`, if there are keys for one.
    fn send_plain(&mut self, couple: &mut Couple, start: &[u8], len: usize) {
        if let Some((sealer, _)) = self.keys() {
            let sealed = plain_record(sealer, start, len);
            self.raw(couple, sealed);
        }
    }

    fn close(&mut self, couple: &mut Couple) {
        self.send(couple, &LinkFrame::Close { code: ErrorCode::NOT_CONFIRMED });
    }

    /// How many DATA frames of this kind have come.
    fn got(&self, couple: &Couple, kind: DataKind) -> usize {
        let of = |at: usize| couple.raw[at].got.iter().filter(|(other, _)| *other == kind).count();
        self.at().map_or(0, of)
    }

    /// The frames of the records that came since the last look.
    fn link_frames(&mut self, couple: &mut Couple) -> Vec<LinkFrame> {
        let (at, keys) = (self.at(), self.keys());
        match (at, keys) {
            (Some(at), Some((_, opener))) => couple.raw[at].take_link_frames(opener),
            _ => Vec::new(),
        }
    }
}

/// A page that shows the code which the couple's phone has scanned.
pub(crate) struct Web {
    at: Option<usize>,
    code: Option<Code>,
    /// In place of the code, where message 2 is to be wrong.
    by_hand: Option<by_hand::Code>,
    mailbox: MailboxId,
    state: Option<AwaitMessage3>,
    digits: String,
    keys: Option<(Sealer, Opener)>,
    accept: Option<LinkFrame>,
}

impl Web {
    /// With `by_hand` its message 2 is made by [`Web::message2_wrong`].
    pub(crate) fn with_phone(seed: u64, by_hand: bool) -> (Couple, Self) {
        let mut couple = Couple::new(seed);
        let name = relay::name();
        let code = Code::generate(name.clone(), &mut couple.rng).unwrap();
        let by_hand = by_hand.then(|| by_hand::Code::new(&mut couple.rng));
        couple.web.absent = true;
        let shown = by_hand.as_ref().map_or_else(|| code.offer().encode(), |code| code.offer().encode());
        let offer = QrOffer::decode(&shown).unwrap();
        let mailbox = mailbox(&offer);
        couple.phone.machine = Pairing::phone(offer, name, KeysInUse::none(), couple.now, &mut couple.rng);
        couple.settle();
        let web = Self {
            at: None,
            code: Some(code),
            by_hand,
            mailbox,
            state: None,
            digits: String::new(),
            keys: None,
            accept: None,
        };
        (couple, web)
    }

    pub(crate) fn check_code(&self) -> String {
        self.digits.clone()
    }

    /// Answers message 1; once that is done, says it again.
    pub(crate) fn message2(&mut self, couple: &mut Couple) {
        let at = self.at.expect("the page is there");
        let Some(code) = self.code.take() else {
            return self.garbage(couple, DataKind::PAIRING, 300);
        };
        let (context, message1) = (couple.raw[at].context(), couple.raw[at].message().clone());
        let (state, message2) = code.read_message1(&context, &claims(), &message1, &mut couple.rng).unwrap();
        self.digits = state.check_code().to_string();
        self.state = Some(state);
        self.raw(couple, message(&message2));
    }

    /// Answers message 1 with this fault in the payload; where it cannot be read any more, with a message that is no other.
    pub(crate) fn message2_wrong(&mut self, couple: &mut Couple, fault: Fault) {
        let at = self.at.expect("the page is there");
        let Some(code) = self.by_hand.take() else {
            return self.garbage(couple, DataKind::PAIRING, 300);
        };
        let (context, message1) = (couple.raw[at].context(), couple.raw[at].message().clone());
        let message2 = code.message2(&context, &message1, fault, &mut couple.rng);
        self.raw(couple, message(&message2));
    }

    /// Reads message 3 and the certificate, if they have come.
    fn read_cert(&mut self, couple: &mut Couple) -> Option<LinkFrame> {
        let at = self.at?;
        if self.got(couple, DataKind::PAIRING) < 2 {
            return None;
        }
        let message3 = couple.raw[at].message().clone();
        let (state, sealer, mut opener) = self.state.take()?.read(&message3).unwrap();
        let frames = couple.raw[at].take_link_frames(&mut opener);
        let [LinkFrame::Cert(cert)] = &frames[..] else { panic!("{frames:?}") };
        let (link, _) = state.read(cert).unwrap().confirm(&couple.number()).unwrap();
        self.accept = Some(LinkFrame::Accept { signature: link.accept });
        self.keys = Some((sealer, opener));
        Some(LinkFrame::Cert(cert.clone()))
    }

    pub(crate) fn accept(&mut self, couple: &mut Couple) {
        let accept = self.made_accept();
        self.send(couple, &accept);
    }

    /// The acceptance of the certificate that has come.
    pub(crate) fn made_accept(&self) -> LinkFrame {
        self.accept.clone().expect("a certificate has come")
    }

    pub(crate) fn accept_foreign(&mut self, couple: &mut Couple) {
        let signature = SigningKey::from_bytes([9; 32]).sign(b"handfast/1 accept");
        self.send(couple, &LinkFrame::Accept { signature });
    }
}

impl Peer for Web {
    fn at(&self) -> Option<usize> {
        self.at
    }

    fn take_seat(&mut self, couple: &mut Couple) {
        self.at = Some(couple.add_raw_in(DeviceRole::Web, seat(), self.mailbox));
    }

    fn keys(&mut self) -> Option<(&mut Sealer, &mut Opener)> {
        self.keys.as_mut().map(|(sealer, opener)| (sealer, opener))
    }

    fn link_frames(&mut self, couple: &mut Couple) -> Vec<LinkFrame> {
        if let Some(cert) = self.read_cert(couple) {
            return vec![cert];
        }
        match (self.at, &mut self.keys) {
            (Some(at), Some((_, opener))) => couple.raw[at].take_link_frames(opener),
            _ => Vec::new(),
        }
    }
}

/// A phone that has scanned the couple's page.
pub(crate) struct Phone {
    at: Option<usize>,
    mailbox: MailboxId,
    state: Option<phone::AwaitMessage2>,
    message1: Bytes,
    message3: Bytes,
    number: String,
    cert: Option<LinkCert>,
    keys: Option<(Sealer, Opener)>,
    offer: QrOffer,
    /// Where message 3 is to be wrong: the state behind message 1.
    by_hand: Option<HandshakeState>,
}

impl Phone {
    pub(crate) fn with_web(seed: u64) -> (Couple, Self) {
        let mut couple = Couple::new(seed);
        couple.phone.absent = true;
        couple.settle();
        let offer = couple.offer();
        let mut phone = Self {
            at: None,
            mailbox: mailbox(&offer),
            offer,
            by_hand: None,
            state: None,
            message1: Bytes::new(),
            message3: Bytes::new(),
            number: String::new(),
            cert: None,
            keys: None,
        };
        phone.come(&mut couple);
        (couple, phone)
    }

    pub(crate) fn message1(&mut self, couple: &mut Couple) {
        let at = self.at.expect("the phone is there");
        if self.message1.is_empty() {
            let (offer, context) = (couple.offer(), couple.raw[at].context());
            let (state, message1) = phone::start(&offer, &context, &mut couple.rng).unwrap();
            (self.state, self.message1) = (Some(state), message(&message1));
        }
        self.raw(couple, self.message1.clone());
    }

    /// A message 1 with this fault in the payload, or a right one whose message 3 is made by [`Phone::message3_odd`].
    pub(crate) fn message1_by_hand(&mut self, couple: &mut Couple, fault: Option<Fault>) {
        let raw = &couple.raw[self.at.expect("the phone is there")];
        if raw.peer.is_none() {
            return self.garbage(couple, DataKind::PAIRING, 200);
        }
        let context = raw.context();
        let (state, message1) = by_hand::message1(&self.offer, &context, fault, &mut couple.rng);
        self.by_hand = Some(state);
        self.raw(couple, message(&message1));
    }

    /// A message 3 with an unknown odd field; where none can be made, a message that is no other.
    pub(crate) fn message3_odd(&mut self, couple: &mut Couple) {
        let Some(state) = self.by_hand.take() else {
            return self.garbage(couple, DataKind::PAIRING, 200);
        };
        let message2 = couple.raw[self.at.expect("the phone is there")].message().clone();
        let message3 = by_hand::message3_odd(state, &message2);
        self.raw(couple, message(&message3));
    }

    pub(crate) fn cert_lacks(&mut self, couple: &mut Couple) {
        self.approve(couple);
        let cert = self.made_cert().encode();
        // The signature is the last field: 64 bytes, a type of one and a length of two.
        let list = &cert[..cert.len() - 67];
        let frame = [&[1, 0x40, u8::try_from(list.len()).unwrap()][..], list].concat();
        let len = frame.len().max(128).next_power_of_two();
        self.send_plain(couple, &frame, len);
    }

    /// Makes message 3 and the certificate, if message 2 has come.
    fn approve(&mut self, couple: &mut Couple) {
        let (Some(state), Some(at)) = (self.state.take(), self.at) else { return };
        let mut state = state.read(couple.raw[at].message()).unwrap();
        let digits = couple.web.pairing_events.iter().find_map(|event| match event {
            handfast_session::PairingEvent::CheckCode(digits) => Some(digits.clone()),
            _ => None,
        });
        let code = state.check(&digits.expect("a code is shown")).unwrap();
        let (offered, message3) = state.approve(code, &account(), granted_terms(), &mut couple.rng).unwrap();
        self.message3 = message(&message3);
        self.number = offered.confirmation.to_string();
        self.cert = Some(offered.cert);
        self.keys = Some((offered.sealer, offered.opener));
    }

    /// The number that this phone shows.
    pub(crate) fn number(&self) -> String {
        self.number.clone()
    }

    pub(crate) fn message3(&mut self, couple: &mut Couple) {
        self.approve(couple);
        self.raw(couple, self.message3.clone());
    }

    pub(crate) fn cert(&mut self, couple: &mut Couple) {
        self.approve(couple);
        let cert = self.made_cert();
        self.send(couple, &LinkFrame::Cert(cert));
    }

    /// The certificate that the user has approved.
    pub(crate) fn made_cert(&self) -> LinkCert {
        self.cert.clone().expect("the user has approved")
    }

    pub(crate) fn cert_other(&mut self, couple: &mut Couple) {
        self.approve(couple);
        let mut cert = self.made_cert();
        cert.serial += 1;
        self.send(couple, &LinkFrame::Cert(cert));
    }
}

impl Peer for Phone {
    fn at(&self) -> Option<usize> {
        self.at
    }

    fn take_seat(&mut self, couple: &mut Couple) {
        self.at = Some(couple.add_raw_in(DeviceRole::Phone, seat(), self.mailbox));
    }

    fn keys(&mut self) -> Option<(&mut Sealer, &mut Opener)> {
        self.keys.as_mut().map(|(sealer, opener)| (sealer, opener))
    }
}
