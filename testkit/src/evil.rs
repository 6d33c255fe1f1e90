//! A peer that holds real keys and sends whatever the test likes. It speaks to one endpoint, and plays its relay too.

use bytes::{Bytes, BytesMut};
use handfast_codec::frame::Frame;
use handfast_codec::ids::{AttachmentId, CommandKey, Epoch, PskId, Signature};
use handfast_codec::link::LinkFrame;
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, KkHead, KkMode, ResumeBlock};
use handfast_codec::record::{RecordBuilder, decode_link_record, decode_record};
use handfast_codec::relay::{DataKind, RECORD_HEADER, RelayFrame};
use handfast_codec::versions::OUTDATED;
use handfast_codec::{DeviceRole, ErrorCode, RelayName, Timestamp, Versions};
use handfast_handshake::certificate::sign_revoked;
use handfast_handshake::key_schedule::{Direction, epoch, psk_id};
use handfast_handshake::link::{PhoneLink, WebLink};
use handfast_handshake::reconnect::{self, LinkContext};
use handfast_handshake::record::{Opener, Sealer};
use handfast_handshake::secret::Psk;
use handfast_session::{Event, testing};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use reference_relay::core::SocketId;

use crate::account::Device;
use crate::frames::collection;
use crate::host::LOG;
use crate::raw::{self, PHONE, WEB};
use crate::{keys, relay};

enum Link {
    Phone(PhoneLink),
    Web(WebLink),
}

/// The endpoint under test, and its evil peer's keys.
pub struct Evil {
    pub device: Device,
    pub now: Timestamp,
    rng: ChaCha20Rng,
    link: Link,
    psk: Psk,
    h: [u8; 32],
    sealer: Option<Sealer>,
    opener: Option<Opener>,
    /// What the endpoint sent in records.
    pub heard: Vec<Frame>,
    /// What it sent to the relay.
    pub asked: Vec<RelayFrame>,
    /// The socket takes nothing that the endpoint sends; it is heard all the same.
    pub deaf: bool,
    /// The endpoint's next record is a link record: the confirm of a pending web.
    pub confirms: bool,
    /// What it sent in link records.
    pub confirmed: Vec<LinkFrame>,
    /// Records that were heard, and those of them that held a frame which this reader does not know.
    pub records: usize,
    pub greased: usize,
    /// As a phone, it answers by quarantine.
    pub quarantines: bool,
    /// As a web, the versions that it offers; as a phone, the one that it chooses.
    pub versions: Versions,
    pub version: u8,
    /// As a phone, what it says that it knows of the web's commands.
    pub known: CommandsKnown,
    /// The account's signature by which the link is revoked.
    pub revocation: Signature,
}

impl Evil {
    /// An endpoint of this role, connected to an evil peer.
    pub fn against(role: DeviceRole) -> Self {
        let mut evil = Self::opened(role, true);
        evil.attach();
        evil.connect(false);
        evil.send(&[]);
        evil
    }

    /// A phone that has answered message 1, which said `pending`, and waits for the confirm; its link is OFFERED unless
    /// `active`.
    pub fn before_confirm(active: bool, pending: bool) -> Self {
        let mut evil = Self::opened(DeviceRole::Phone, active);
        evil.attach();
        evil.connect(pending);
        evil.listen();
        evil
    }

    /// A web whose link is PENDING and that has confirmed: it waits for the phone's first record.
    pub fn before_commit() -> Self {
        let mut evil = Self::opened(DeviceRole::Web, false);
        evil.confirms = true;
        evil.attach();
        evil.connect(false);
        evil
    }

    /// An endpoint of this role whose socket is open; a web's link is PENDING unless `active`; a phone's link is OFFERED unless `active`.
    pub fn opened(role: DeviceRole, active: bool) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(77);
        let now = Timestamp::from_micros(1);
        let ((phone, phone_start), (web, web_start), account) = keys::link(&mut rng);
        let revocation = sign_revoked(&account, &phone.terms);
        let h = phone.terms.h;
        let psk = Psk::from_bytes(*phone_start.resume.expose());
        let (device, link) = match role {
            DeviceRole::Phone => {
                let rows = keys::phone_rows((phone, phone_start), active);
                (Device::new(role, rows, now, &mut rng), Link::Web(web))
            }
            DeviceRole::Web => {
                let rows = testing::web_pairs(&web, web_start, active);
                (Device::new(role, rows, now, &mut rng), Link::Phone(phone))
            }
        };
        let mut evil = Self {
            device,
            now,
            rng,
            link,
            psk,
            h,
            sealer: None,
            opener: None,
            heard: Vec::new(),
            asked: Vec::new(),
            deaf: false,
            confirms: false,
            confirmed: Vec::new(),
            records: 0,
            greased: 0,
            quarantines: false,
            versions: Versions::RECONNECT,
            version: 2,
            known: CommandsKnown { highest: 0, key: CommandKey::from_bytes([0; 16]), from: 1 },
            revocation,
        };
        let _ = evil.device.drain(evil.now);
        evil.device.opened(evil.now, SocketId::new(1), &mut evil.rng);
        evil
    }

    /// The relay greets the endpoint, and gives it its seat.
    pub fn attach(&mut self) {
        for frame in raw::greeting(self.device.role) {
            self.give(&frame);
        }
    }

    /// The acceptance of the link, which a web that is PENDING puts into its confirm.
    pub fn accept(&self) -> LinkFrame {
        match &self.link {
            Link::Web(link) => LinkFrame::Accept { signature: link.accept },
            Link::Phone(_) => panic!("the evil peer is a phone"),
        }
    }

    /// Hands the endpoint a record of link frames, and takes nothing from it yet.
    pub fn give_link(&mut self, frames: &[LinkFrame]) {
        let mut record = RecordBuilder::new();
        for frame in frames {
            assert!(record.push_link(frame), "{frame:?} fits");
        }
        self.give_record(record.finish());
    }

    /// Hands the endpoint a record of frames, and takes nothing from it yet.
    pub fn give_frames(&mut self, frames: &[Frame]) {
        self.give_record(record_of(frames));
    }

    fn give_record(&mut self, mut record: BytesMut) {
        self.sealer.as_mut().unwrap().seal(&mut record).unwrap();
        self.give(&record);
    }

    /// Sends a record of link frames, and gives the link frames with which it is answered.
    pub fn send_link(&mut self, frames: &[LinkFrame]) -> Vec<LinkFrame> {
        self.give_link(frames);
        let mut answers = Vec::new();
        for frame in self.device.drain(self.now) {
            let Some(ciphertext) = frame.strip_prefix(&RECORD_HEADER[..]) else { continue };
            let plaintext = self.opener.as_mut().unwrap().open(BytesMut::from(ciphertext)).expect("opens");
            let plaintext = plaintext.freeze();
            match decode_link_record(plaintext.clone()) {
                Ok(link) if !link.is_empty() => answers.extend(link),
                _ => self.heard.extend(decode_record(plaintext).unwrap()),
            }
        }
        answers
    }

    /// Hands the endpoint one relay frame.
    pub fn give(&mut self, frame: &[u8]) {
        self.device.receive(self.now, &mut self.rng, BytesMut::from(frame));
    }

    fn block(&self) -> ResumeBlock {
        let (w2p, p2w) = (epoch(&self.h, Direction::WebToPhone), epoch(&self.h, Direction::PhoneToWeb));
        let (out_epoch, in_epoch): (Epoch, Epoch) = match self.link {
            Link::Phone(_) => (p2w, w2p),
            Link::Web(_) => (w2p, p2w),
        };
        let log_id = LOG;
        ResumeBlock {
            out_epoch,
            in_epoch,
            next_seq: 1,
            durable: 0,
            oldest: 1,
            log_id,
            rev: 0,
            streams: vec![],
        }
    }

    /// Makes a connection. `pending` is what the evil peer says when it is a web.
    pub fn connect(&mut self, pending: bool) {
        let relay = relay::name();
        let block = self.block();
        let sent = self.device.drain(self.now);
        match &self.link {
            Link::Web(link) => {
                let context = context(&relay, link.terms.mailbox);
                let payload = Kk1 { versions: self.versions, ..message1(1, Some(block), None, pending) };
                let (state, body) =
                    reconnect::web::start(&context, link, KkMode::Resume, &self.psk, &payload, &mut self.rng)
                        .unwrap();
                self.give(&RelayFrame::Data { kind: DataKind::KK1, body: body.into() }.encode());
                let reply = self.body(DataKind::KK2);
                let (_, connection) = state.read(&reply).unwrap();
                (self.sealer, self.opener) = (Some(connection.sealer), Some(connection.opener));
                self.psk = connection.next;
            }
            Link::Phone(link) => {
                let body = find(&sent, DataKind::KK1).expect("message 1");
                let context = context(&relay, link.terms.mailbox);
                let mut received =
                    reconnect::phone::receive(&context, link, &body, |_| Some(&self.psk), &mut self.rng)
                        .unwrap();
                received.version = self.version;
                let reply = Kk2 {
                    version: self.version,
                    capabilities: vec![],
                    limits: vec![],
                    resume: (!self.quarantines).then_some(block),
                    commands: (!self.quarantines && self.version != OUTDATED).then_some(self.known),
                    quarantine: self.quarantines,
                };
                let (connection, message) = received.answer(&reply).unwrap();
                (self.sealer, self.opener) = (Some(connection.sealer), Some(connection.opener));
                self.give(&RelayFrame::Data { kind: DataKind::KK2, body: message.into() }.encode());
                self.listen();
            }
        }
    }

    /// Sends message 1 with this try under a psk; in mode recover, under the recovery psk, when there is an id that the
    /// web says it held. Takes message 2, if one comes: its payload, and the next psk.
    pub fn ask(
        &mut self,
        psk: Option<&Psk>,
        try_: u64,
        held: Option<PskId>,
        pending: bool,
    ) -> Option<(Kk2, Psk)> {
        let relay = relay::name();
        let block = held.is_none().then(|| self.block());
        let Link::Web(link) = &self.link else { panic!("the evil peer is a phone") };
        let mode = if held.is_some() { KkMode::Recover } else { KkMode::Resume };
        let (context, payload) = (context(&relay, link.terms.mailbox), message1(try_, block, held, pending));
        let psk = psk.unwrap_or(&link.recovery);
        let (state, body) =
            reconnect::web::start(&context, link, mode, psk, &payload, &mut self.rng).unwrap();
        self.asked.clear();
        self.give(&RelayFrame::Data { kind: DataKind::KK1, body: body.into() }.encode());
        self.listen();
        let reply = self.asked.iter().find_map(|frame| match frame {
            RelayFrame::Data { kind: DataKind::KK2, body } => Some(body.clone()),
            _ => None,
        })?;
        let (reply, connection) = state.read(&reply).unwrap();
        (self.sealer, self.opener) = (Some(connection.sealer), Some(connection.opener));
        Some((reply, connection.next))
    }

    /// As a phone, answers the last message 1 that was heard; returns its mode and the next psk.
    pub fn answer(&mut self, quarantine: bool) -> (KkMode, Psk) {
        let relay = relay::name();
        let block = self.block();
        let Link::Phone(link) = &self.link else { panic!("the evil peer is a web") };
        let body = self.asked.iter().rev().find_map(|frame| match frame {
            RelayFrame::Data { kind: DataKind::KK1, body } => Some(body.clone()),
            _ => None,
        });
        let context = context(&relay, link.terms.mailbox);
        let psk = |head: &KkHead| Some(if head.mode == KkMode::Resume { &self.psk } else { &link.recovery });
        let body = body.expect("message 1");
        let received = reconnect::phone::receive(&context, link, &body, psk, &mut self.rng).unwrap();
        let mode = received.head.mode;
        let resume = (mode == KkMode::Resume && !quarantine).then_some(block);
        let commands = resume.is_some().then_some(self.known);
        let reply = Kk2 { version: 2, capabilities: vec![], limits: vec![], resume, commands, quarantine };
        let (connection, message) = received.answer(&reply).unwrap();
        (self.sealer, self.opener) = (Some(connection.sealer), Some(connection.opener));
        self.give(&RelayFrame::Data { kind: DataKind::KK2, body: message.into() }.encode());
        self.listen();
        (mode, connection.next)
    }

    /// The psk that the last connection made.
    pub fn psk(&self) -> &Psk {
        &self.psk
    }

    /// What names a psk at this link.
    pub fn psk_id(&self, psk: &Psk) -> PskId {
        let Link::Web(link) = &self.link else { panic!("the evil peer is a phone") };
        psk_id(psk, &link.terms.mailbox)
    }

    fn body(&mut self, kind: DataKind) -> Bytes {
        let sent = self.device.drain(self.now);
        find(&sent, kind).expect("the awaited message")
    }

    /// Sends a record of these frames, and takes what the endpoint answers.
    pub fn send(&mut self, frames: &[Frame]) {
        self.send_record(record_of(frames));
    }

    /// Seals and sends a plaintext with its DATA header.
    pub fn send_record(&mut self, record: BytesMut) {
        self.give_record(record);
        self.listen();
    }

    /// Takes what the endpoint sends.
    pub fn listen(&mut self) {
        loop {
            let sent = self.device.drain(self.now);
            if sent.is_empty() {
                return;
            }
            for frame in sent {
                if !self.deaf {
                    self.device.transmitted(self.now, frame.len());
                }
                if let Some(ciphertext) = frame.strip_prefix(&RECORD_HEADER[..])
                    && let Some(opener) = &mut self.opener
                {
                    let plaintext = opener.open(BytesMut::from(ciphertext)).expect("opens").freeze();
                    if core::mem::take(&mut self.confirms) {
                        self.confirmed = decode_link_record(plaintext).unwrap();
                        continue;
                    }
                    let frames = decode_record(plaintext.clone()).unwrap();
                    self.records += 1;
                    self.greased += usize::from(record_of(&frames)[RECORD_HEADER.len()..] != *plaintext);
                    self.heard.extend(frames);
                } else {
                    self.asked.extend(RelayFrame::decode(frame));
                }
            }
        }
    }

    /// How many bytes of DATA were heard.
    pub fn data_heard(&self) -> usize {
        let len = |frame: &Frame| if let Frame::Data { body, .. } = frame { body.len() } else { 0 };
        self.heard.iter().map(len).sum()
    }

    /// The relay closes the socket.
    pub fn hang_up(&mut self) {
        self.listen();
        self.device.closed(self.now, &mut self.rng);
        self.listen();
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: core::time::Duration) {
        let end = self.now.plus(time);
        while let Some(at) = self.device.deadline.filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.device.timeout(self.now, &mut self.rng);
            self.listen();
        }
        self.now = end;
    }

    /// The code with which the endpoint ended the connection, having said so.
    pub fn failure(&self) -> Option<ErrorCode> {
        let failed = self.device.events.iter().find_map(|event| match event {
            Event::Failed(code) => Some(*code),
            _ => None,
        })?;
        let closed = self.heard.iter().any(|f| matches!(f, Frame::Close { code, .. } if *code == failed));
        assert!(closed, "a CLOSE says {failed} too: {:?}", self.heard);
        Some(failed)
    }
}

/// A phone that has got a record of these frames.
pub fn against_phone(frames: &[Frame]) -> Evil {
    let mut evil = Evil::against(DeviceRole::Phone);
    evil.send(frames);
    evil
}

/// A web that has got a record of these frames.
pub fn against_web(frames: &[Frame]) -> Evil {
    let mut evil = Evil::against(DeviceRole::Web);
    evil.send(frames);
    evil
}

/// A web that has subscribed to collection 0.
pub fn subscribed() -> Evil {
    let mut evil = Evil::against(DeviceRole::Web);
    evil.device.machine.companion().subscribe(evil.now, collection(0)).unwrap();
    evil.listen();
    evil
}

/// The payload of message 1.
fn message1(try_: u64, resume: Option<ResumeBlock>, psk_id_held: Option<PskId>, pending: bool) -> Kk1 {
    let (capabilities, limits) = (vec![], vec![]);
    Kk1 { versions: Versions::RECONNECT, capabilities, limits, try_, resume, psk_id_held, pending }
}

/// A record of these frames, with its DATA header.
fn record_of(frames: &[Frame]) -> BytesMut {
    let mut record = RecordBuilder::new();
    for frame in frames {
        assert!(record.push(frame), "{frame:?} fits");
    }
    record.finish()
}

fn context(relay: &RelayName, mailbox: handfast_codec::ids::MailboxId) -> LinkContext<'_> {
    LinkContext { mailbox, web: AttachmentId::from_bytes(WEB), phone: AttachmentId::from_bytes(PHONE), relay }
}

fn find(sent: &[Bytes], wanted: DataKind) -> Option<Bytes> {
    sent.iter().find_map(|frame| match RelayFrame::decode(frame.clone()) {
        Ok(RelayFrame::Data { kind, body }) if kind == wanted => Some(body),
        _ => None,
    })
}
