//! A relay in memory, clients that can sign, and a clock that stands still until it is moved.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachKey, AttachmentId, BootId, MailboxId, Salt, Signature};
use handfast_codec::relay::{Attach, Attached, DataKind, MailboxProof, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_codec::{RelayName, Timestamp, signed};
use reference_relay::core::{Fresh, Limits, Output, Relay, SocketId, Source};
use sha2::{Digest, Sha256};

pub(crate) const NAME: &str = "relay.example";
pub(crate) const HOME: &str = "192.0.2.1";
pub(crate) const AWAY: &str = "198.51.100.7";
pub(crate) const ORIGIN: &str = "https://page.example";

/// The two keys of a link, and its mailbox.
pub(crate) struct Link {
    pub(crate) phone: SigningKey,
    pub(crate) web: SigningKey,
    pub(crate) salt: Salt,
    pub(crate) mailbox: MailboxId,
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn public(key: &SigningKey) -> AttachKey {
    AttachKey::from_bytes(key.verifying_key().to_bytes())
}

impl Link {
    pub(crate) fn new(seed: u8) -> Self {
        let (phone, web) = (key(seed), key(seed ^ 0x80));
        let salt = Salt::from_bytes([seed; 16]);
        let mut hash = Sha256::new();
        hash.update(b"handfast/1 mailbox");
        hash.update(phone.verifying_key().as_bytes());
        hash.update(web.verifying_key().as_bytes());
        hash.update(salt.as_bytes());
        let mailbox = MailboxId::from_bytes(hash.finalize()[..16].try_into().expect("16 bytes"));
        Self { phone, web, salt, mailbox }
    }

    pub(crate) fn proof(&self) -> MailboxProof {
        MailboxProof::Link { phone_key: public(&self.phone), web_key: public(&self.web), salt: self.salt }
    }

    pub(crate) fn key(&self, role: DeviceRole) -> &SigningKey {
        match role {
            DeviceRole::Phone => &self.phone,
            DeviceRole::Web => &self.web,
        }
    }
}

pub(crate) struct Harness {
    pub(crate) relay: Relay,
    pub(crate) now: Timestamp,
    /// False: what the relay sends stays in its queue, as with a client that does not read.
    pub(crate) reads: bool,
    pub(crate) inboxes: BTreeMap<SocketId, Vec<RelayFrame>>,
    pub(crate) raw: BTreeMap<SocketId, Vec<Bytes>>,
    pub(crate) closed: BTreeMap<SocketId, ErrorCode>,
    pub(crate) deadline: Option<Timestamp>,
    next: u64,
}

impl Harness {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let name = RelayName::parse(NAME).expect("a valid name");
        Self {
            relay: Relay::new(name, BootId::from_bytes([7; 16]), limits),
            now: Timestamp::from_micros(1_000_000),
            reads: true,
            inboxes: BTreeMap::new(),
            raw: BTreeMap::new(),
            closed: BTreeMap::new(),
            deadline: None,
            next: 0,
        }
    }

    pub(crate) fn drain(&mut self) {
        loop {
            match self.relay.poll_output() {
                Output::Send(socket, bytes) => {
                    assert!(!self.closed.contains_key(&socket), "nothing is sent to a closed socket");
                    if self.reads {
                        self.relay.transmitted(socket, 1, bytes.len());
                    }
                    let frame = RelayFrame::decode(bytes.clone()).expect("the relay sends valid frames");
                    self.inboxes.entry(socket).or_default().push(frame);
                    self.raw.entry(socket).or_default().push(bytes);
                }
                Output::Close(socket, code) => {
                    assert_eq!(self.closed.insert(socket, code), None, "a socket is closed once");
                }
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    pub(crate) fn open_from(&mut self, address: &str, origin: Option<&str>) -> SocketId {
        let address: IpAddr = address.parse().expect("an address");
        self.open_at(address.into(), origin)
    }

    pub(crate) fn open_at(&mut self, source: Source, origin: Option<&str>) -> SocketId {
        self.next += 1;
        let socket = SocketId::new(self.next);
        let fresh = Fresh {
            nonce: [u8::try_from(self.next % 251).expect("small"); 32],
            id: AttachmentId::from_bytes(self.next.to_be_bytes()),
        };
        self.relay.handle_open(self.now, socket, source, origin.map(str::to_owned), fresh).expect("fresh");
        self.drain();
        socket
    }

    pub(crate) fn open(&mut self) -> SocketId {
        let socket = self.open_from(HOME, None);
        let greeting = self.take(socket);
        assert!(matches!(greeting[..], [RelayFrame::Hello(_), RelayFrame::Challenge(_)]), "{greeting:?}");
        socket
    }

    pub(crate) fn nonce(socket: SocketId) -> [u8; 32] {
        [u8::try_from(socket.as_u64() % 251).expect("small"); 32]
    }

    pub(crate) fn send(&mut self, socket: SocketId, frame: &RelayFrame) {
        self.send_raw(socket, frame.encode());
    }

    pub(crate) fn send_raw(&mut self, socket: SocketId, bytes: Bytes) {
        self.relay.handle_frame(self.now, socket, bytes);
        self.drain();
    }

    pub(crate) fn data(&mut self, socket: SocketId, len: usize) {
        self.send(socket, &RelayFrame::Data { kind: DataKind::RECORD, body: vec![0xda; len].into() });
    }

    pub(crate) fn take(&mut self, socket: SocketId) -> Vec<RelayFrame> {
        self.inboxes.remove(&socket).unwrap_or_default()
    }

    pub(crate) fn close(&mut self, socket: SocketId) {
        self.relay.handle_closed(self.now, socket);
        self.drain();
    }

    /// Lets time pass, stopping at every deadline on the way.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now.plus(duration);
        while let Some(at) = self.deadline.filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.relay.handle_timeout(self.now);
            self.drain();
            assert!(self.deadline.is_none_or(|next| next > at), "a timer that fired is gone");
        }
        self.now = end;
    }

    /// The answer to this socket's challenge.
    pub(crate) fn claim(
        socket: SocketId,
        role: DeviceRole,
        mailbox: MailboxId,
        proof: MailboxProof,
        by: &SigningKey,
    ) -> Attach {
        let name = RelayName::parse(NAME).expect("a valid name");
        let tbs = signed::attach_tbs(&name, proof.kind(), role, &mailbox, &Self::nonce(socket));
        let signature = Signature::from_bytes(by.sign(&tbs).to_bytes());
        Attach { version: 1, role, mailbox, proof, signature }
    }

    pub(crate) fn attach(&mut self, socket: SocketId, link: &Link, role: DeviceRole) {
        let claim = Self::claim(socket, role, link.mailbox, link.proof(), link.key(role));
        self.send(socket, &RelayFrame::Attach(claim));
    }

    pub(crate) fn attach_pairing(
        &mut self,
        socket: SocketId,
        mailbox: u8,
        role: DeviceRole,
        by: &SigningKey,
    ) {
        let mailbox = MailboxId::from_bytes([mailbox; 16]);
        let claim = Self::claim(socket, role, mailbox, MailboxProof::Pairing { key: public(by) }, by);
        self.send(socket, &RelayFrame::Attach(claim));
    }

    /// A socket in this seat of the link, its greetings read.
    pub(crate) fn seat(&mut self, link: &Link, role: DeviceRole) -> SocketId {
        let socket = self.open();
        self.attach(socket, link, role);
        let _ = self.attached(socket);
        socket
    }

    /// A socket in this seat of the pairing mailbox, its greetings read.
    pub(crate) fn seat_pairing(&mut self, mailbox: u8, role: DeviceRole, by: &SigningKey) -> SocketId {
        let socket = self.open();
        self.attach_pairing(socket, mailbox, role, by);
        let _ = self.attached(socket);
        socket
    }

    /// A page and a phone in the seats of a pairing mailbox, by the keys 1 and 2.
    pub(crate) fn pairing(&mut self, mailbox: u8) -> (SocketId, SocketId) {
        let web = self.seat_pairing(mailbox, DeviceRole::Web, &key(1));
        (web, self.seat_pairing(mailbox, DeviceRole::Phone, &key(2)))
    }

    /// A claim to this seat of the pairing mailbox is refused.
    pub(crate) fn assert_pairing_refused(
        &mut self,
        mailbox: u8,
        role: DeviceRole,
        by: &SigningKey,
        code: ErrorCode,
    ) {
        let socket = self.open();
        self.attach_pairing(socket, mailbox, role, by);
        self.assert_refused(socket, code);
    }

    /// Both seats of the link, all inboxes read.
    pub(crate) fn both(&mut self, link: &Link) -> (SocketId, SocketId) {
        let phone = self.seat(link, DeviceRole::Phone);
        let web = self.seat(link, DeviceRole::Web);
        let _ = self.take(phone);
        (phone, web)
    }

    /// The ATTACHED that must be all that came.
    pub(crate) fn attached(&mut self, socket: SocketId) -> Attached {
        let frames = self.take(socket);
        let [RelayFrame::Attached(attached)] = &frames[..] else {
            panic!("not attached: {frames:?} {:?}", self.closed.get(&socket));
        };
        attached.clone()
    }

    /// The socket was told `code`, nothing else, and is closed.
    pub(crate) fn assert_refused(&mut self, socket: SocketId, code: ErrorCode) {
        let told: Vec<_> = self
            .take(socket)
            .into_iter()
            .map(|frame| match frame {
                RelayFrame::Error { code, .. } => code,
                frame => panic!("{frame:?} instead of an error"),
            })
            .collect();
        assert_eq!(told, [code]);
        assert_eq!(self.closed.get(&socket), Some(&code));
    }

    pub(crate) fn id(socket: SocketId) -> AttachmentId {
        AttachmentId::from_bytes(socket.as_u64().to_be_bytes())
    }
}
