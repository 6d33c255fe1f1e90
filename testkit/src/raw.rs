//! A scripted peer: it takes a seat at the relay honestly, then sends what it is told to.

use bytes::{Bytes, BytesMut};
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachmentId, BootId, MailboxId};
use handfast_codec::link::LinkFrame;
use handfast_codec::qr::QrOffer;
use handfast_codec::record::{RecordBuilder, decode_link_record};
use handfast_codec::relay::{
    Attach, Attached, DataKind, Hello, MailboxProof, Peer, PeerInfo, RECORD_HEADER, RelayFrame,
};
use handfast_codec::{DeviceRole, RelayName, Versions, signed};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::pairing::PairingContext;
use handfast_handshake::record::{Opener, Sealer};
use handfast_handshake::secret::Psk;
use reference_relay::core::SocketId;
use sha2::{Digest, Sha256};

use crate::relay;

/// The attachments of a phone and of a web, where a relay is played.
pub const PHONE: [u8; 8] = [1; 8];
pub const WEB: [u8; 8] = [2; 8];

/// What a relay of this name says first.
pub fn hello(name: &str, versions: Versions) -> RelayFrame {
    RelayFrame::Hello(Hello {
        versions,
        name: RelayName::parse(name).unwrap(),
        boot: BootId::from_bytes([0; 16]),
        frame_len_max: 16_512,
        ping_interval_ms: 25_000,
    })
}

/// What it says when a device sits in its seat.
pub fn attached(role: DeviceRole, with_peer: bool) -> RelayFrame {
    let (own, peer) = match role {
        DeviceRole::Phone => (PHONE, WEB),
        DeviceRole::Web => (WEB, PHONE),
    };
    let peer = PeerInfo { id: AttachmentId::from_bytes(peer), same_net: Some(true), origin: None };
    RelayFrame::Attached(Attached {
        own: AttachmentId::from_bytes(own),
        peer: with_peer.then_some(peer),
        phone_sticky: None,
        web_sticky: None,
    })
}

/// What a relay says up to the seat of a device whose peer is there.
pub fn greeting(role: DeviceRole) -> [Bytes; 3] {
    let hello = hello(relay::NAME, Versions::RELAY);
    [hello, RelayFrame::Challenge([5; 32]), attached(role, true)].map(|frame| frame.encode())
}

/// A peer that sits at the relay.
pub struct Raw {
    role: DeviceRole,
    key: SigningKey,
    mailbox: MailboxId,
    pub socket: SocketId,
    pub own: Option<AttachmentId>,
    pub peer: Option<AttachmentId>,
    pub got: Vec<(DataKind, Bytes)>,
    pub errors: Vec<ErrorCode>,
}

impl Raw {
    pub fn new(role: DeviceRole, key: SigningKey, mailbox: MailboxId, socket: SocketId) -> Self {
        Self { role, key, mailbox, socket, own: None, peer: None, got: Vec::new(), errors: Vec::new() }
    }

    /// Takes a frame, and gives the answer that keeps the seat.
    pub fn receive(&mut self, frame: Bytes) -> Option<Bytes> {
        match RelayFrame::decode(frame).unwrap() {
            RelayFrame::Challenge(nonce) => {
                let proof = MailboxProof::Pairing { key: self.key.attach_key() };
                let name = relay::name();
                let tbs = signed::attach_tbs(&name, proof.kind(), self.role, &self.mailbox, &nonce);
                let (role, mailbox, signature) = (self.role, self.mailbox, self.key.sign(&tbs));
                return Some(
                    RelayFrame::Attach(Attach { version: 1, role, mailbox, proof, signature }).encode(),
                );
            }
            RelayFrame::Attached(attached) => {
                self.own = Some(attached.own);
                self.peer = attached.peer.map(|peer| peer.id);
            }
            RelayFrame::Peer(Peer::Up(peer)) => self.peer = Some(peer.id),
            RelayFrame::Peer(Peer::Down) => self.peer = None,
            RelayFrame::Data { kind, body } => self.got.push((kind, body)),
            RelayFrame::Ping(token) => return Some(RelayFrame::Pong(token).encode()),
            RelayFrame::Error { code, .. } => self.errors.push(code),
            _ => {}
        }
        None
    }

    pub fn context(&self) -> PairingContext {
        let (own, peer) = (self.own.unwrap(), self.peer.unwrap());
        let (phone, web) = match self.role {
            DeviceRole::Phone => (own, peer),
            DeviceRole::Web => (peer, own),
        };
        PairingContext { relay: relay::name(), phone, web }
    }

    /// The last pairing message that came.
    pub fn message(&self) -> &Bytes {
        &self.got.iter().rfind(|(kind, _)| *kind == DataKind::PAIRING).unwrap().1
    }

    /// As [`Raw::link_frames`], and keeps what is no record.
    pub fn take_link_frames(&mut self, opener: &mut Opener) -> Vec<LinkFrame> {
        let others = self.got.iter().filter(|(kind, _)| *kind != DataKind::RECORD).cloned().collect();
        let frames = self.link_frames(opener);
        self.got = others;
        frames
    }

    /// Opens every record that came since the last call, in order.
    pub fn link_frames(&mut self, opener: &mut Opener) -> Vec<LinkFrame> {
        let records = std::mem::take(&mut self.got).into_iter().filter(|(kind, _)| *kind == DataKind::RECORD);
        let open = |(_, body): (DataKind, Bytes)| opener.open(BytesMut::from(&*body)).unwrap();
        records.map(open).flat_map(|plaintext| decode_link_record(plaintext.freeze()).unwrap()).collect()
    }
}

pub fn message(message: &[u8]) -> Bytes {
    RelayFrame::Data { kind: DataKind::PAIRING, body: Bytes::copy_from_slice(message) }.encode()
}

/// A sealed record of these frames, ready for the relay.
pub fn record(sealer: &mut Sealer, frames: &[LinkFrame]) -> Bytes {
    let mut record = RecordBuilder::new();
    for frame in frames {
        assert!(record.push_link(frame), "the frames fit");
    }
    let mut record = record.finish();
    sealer.seal(&mut record).unwrap();
    record.freeze()
}

/// A sealed record whose plaintext begins with these bytes and is filled with zeros to `len`, ready for the relay.
pub fn plain_record(sealer: &mut Sealer, start: &[u8], len: usize) -> Bytes {
    let mut record = BytesMut::from(&RECORD_HEADER[..]);
    record.extend_from_slice(start);
    record.resize(RECORD_HEADER.len() + len, 0);
    sealer.seal(&mut record).unwrap();
    record.freeze()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let mut inner = Sha256::new().chain_update(pad(0x36));
    for part in parts {
        inner = inner.chain_update(part);
    }
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner.finalize()).finalize().into()
}

/// `psk = Expand(Extract("pair", secret), "pair psk" || Wq, 32)`, from the text of the specification.
pub fn pairing_psk(offer: &QrOffer) -> Psk {
    let prk = hmac(b"handfast/1 pair", &[offer.secret()]);
    Psk::from_bytes(hmac(&prk, &[b"handfast/1 pair psk", offer.web_key.as_bytes(), &[1]]))
}

/// The check code of an attempt, from the text of the specification.
pub fn check_code(h1: &[u8; 32], opening: &[u8; 32]) -> String {
    let prk = hmac(&[], &[h1, opening]);
    let out = hmac(&prk, &[b"handfast/1 check code", &[1]]);
    let number = u64::from_be_bytes(*out.first_chunk().expect("32 bytes"));
    format!("{:04}", number % 10_000)
}
