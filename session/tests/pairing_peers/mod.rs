//! Scripted peers of a pairing that go on only when they are told to.

use bytes::Bytes;
use handfast_codec::DeviceRole;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::MailboxId;
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::{RelayName, qr::Offer};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::pairing::web::{AwaitMessage3, Code};
use handfast_handshake::pairing::{mailbox, phone};
use handfast_handshake::record::{Opener, Sealer};
use handfast_session::Pairing;
use handfast_session::pairing::KeysInUse;

use crate::couple::raw::{message, record};
use crate::couple::{Couple, NAME, claims, offering};

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
        self.raw(couple, RelayFrame::Data { kind, body: Bytes::from(vec![9; len]) }.encode());
    }

    /// Sends a frame in a record, if there are keys for one.
    fn send(&mut self, couple: &mut Couple, frame: &LinkFrame) {
        if let Some((sealer, _)) = self.keys() {
            let sealed = record(sealer, std::slice::from_ref(frame));
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
    mailbox: MailboxId,
    state: Option<AwaitMessage3>,
    digits: String,
    keys: Option<(Sealer, Opener)>,
    accept: Option<LinkFrame>,
}

impl Web {
    pub(crate) fn with_phone(seed: u64) -> (Couple, Self) {
        let mut couple = Couple::new(seed);
        let name = RelayName::parse(NAME).unwrap();
        let code = Code::generate(name.clone(), &mut couple.rng).unwrap();
        couple.web.absent = true;
        let offer = Offer::decode(&code.offer().encode()).unwrap();
        couple.phone.pairing = Pairing::phone(offer, name, KeysInUse::none(), couple.now, &mut couple.rng);
        couple.settle();
        let mailbox = mailbox(code.offer());
        let web = Self {
            at: None,
            code: Some(code),
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
        let accept = self.accept.clone().expect("a certificate has come");
        self.send(couple, &accept);
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
}

impl Phone {
    pub(crate) fn with_web(seed: u64) -> (Couple, Self) {
        let mut couple = Couple::new(seed);
        couple.phone.absent = true;
        couple.settle();
        let mut phone = Self {
            at: None,
            mailbox: mailbox(&couple.offer()),
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

    /// Makes message 3 and the certificate, if message 2 has come.
    fn approve(&mut self, couple: &mut Couple) {
        let (Some(state), Some(at)) = (self.state.take(), self.at) else { return };
        let mut state = state.read(couple.raw[at].message()).unwrap();
        let digits = couple.web.events.iter().find_map(|event| match event {
            handfast_session::PairingEvent::CheckCode(digits) => Some(digits.clone()),
            _ => None,
        });
        let code = state.check(&digits.expect("a code is shown")).unwrap();
        let (offered, message3) = state.approve(code, &couple.account, offering(), &mut couple.rng).unwrap();
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
        let cert = self.cert.clone().expect("the user has approved");
        self.send(couple, &LinkFrame::Cert(cert));
    }

    pub(crate) fn cert_other(&mut self, couple: &mut Couple) {
        self.approve(couple);
        let mut cert = self.cert.clone().expect("the user has approved");
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
