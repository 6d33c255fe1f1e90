//! A scripted peer: it takes a seat at the relay honestly, then sends what it is told to.

use bytes::{Bytes, BytesMut};
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{AttachmentId, MailboxId};
use handfast_codec::link::LinkFrame;
use handfast_codec::qr::Offer;
use handfast_codec::record::{RecordBuilder, decode_link_record};
use handfast_codec::relay::{Attach, DataKind, MailboxProof, Peer, RECORD_HEADER, RelayFrame};
use handfast_codec::{DeviceRole, RelayName, signed};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::pairing::PairingContext;
use handfast_handshake::record::{Opener, Sealer};
use handfast_handshake::secret::Psk;
use reference_relay::core::SocketId;
use sha2::{Digest, Sha256};

pub(crate) struct Raw {
    role: DeviceRole,
    key: SigningKey,
    mailbox: MailboxId,
    pub(crate) socket: SocketId,
    pub(crate) own: Option<AttachmentId>,
    pub(crate) peer: Option<AttachmentId>,
    pub(crate) got: Vec<(DataKind, Bytes)>,
    pub(crate) errors: Vec<ErrorCode>,
}

impl Raw {
    pub(crate) fn new(role: DeviceRole, key: SigningKey, mailbox: MailboxId, socket: SocketId) -> Self {
        Self { role, key, mailbox, socket, own: None, peer: None, got: Vec::new(), errors: Vec::new() }
    }

    /// Takes a frame, and gives the answer that keeps the seat.
    pub(crate) fn receive(&mut self, frame: Bytes) -> Option<Bytes> {
        match RelayFrame::decode(frame).unwrap() {
            RelayFrame::Challenge(nonce) => {
                let proof = MailboxProof::Pairing { key: self.key.attach_key() };
                let name = RelayName::parse(super::NAME).unwrap();
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

    pub(crate) fn context(&self) -> PairingContext {
        let (own, peer) = (self.own.unwrap(), self.peer.unwrap());
        let (phone, web) = match self.role {
            DeviceRole::Phone => (own, peer),
            DeviceRole::Web => (peer, own),
        };
        PairingContext { relay: RelayName::parse(super::NAME).unwrap(), phone, web }
    }

    /// The last pairing message that came.
    pub(crate) fn message(&self) -> &Bytes {
        &self.got.iter().rfind(|(kind, _)| *kind == DataKind::PAIRING).unwrap().1
    }

    /// As [`Raw::link_frames`], and keeps what is no record.
    pub(crate) fn take_link_frames(&mut self, opener: &mut Opener) -> Vec<LinkFrame> {
        let others = self.got.iter().filter(|(kind, _)| *kind != DataKind::RECORD).cloned().collect();
        let frames = self.link_frames(opener);
        self.got = others;
        frames
    }

    /// Opens every record that came since the last call, in order.
    pub(crate) fn link_frames(&mut self, opener: &mut Opener) -> Vec<LinkFrame> {
        let records = std::mem::take(&mut self.got).into_iter().filter(|(kind, _)| *kind == DataKind::RECORD);
        let open = |(_, body): (DataKind, Bytes)| opener.open(BytesMut::from(&*body)).unwrap();
        records.map(open).flat_map(|plaintext| decode_link_record(plaintext.freeze()).unwrap()).collect()
    }
}

pub(crate) fn message(message: &[u8]) -> Bytes {
    RelayFrame::Data { kind: DataKind::PAIRING, body: Bytes::copy_from_slice(message) }.encode()
}

/// A sealed record of these frames, ready for the relay.
pub(crate) fn record(sealer: &mut Sealer, frames: &[LinkFrame]) -> Bytes {
    let mut record = RecordBuilder::new();
    for frame in frames {
        assert!(record.push_link(frame), "the frames fit");
    }
    let mut record = record.finish();
    sealer.seal(&mut record).unwrap();
    record.freeze()
}

/// A sealed record whose plaintext begins with these bytes and is filled with zeros to `len`, ready for the relay.
pub(crate) fn plain_record(sealer: &mut Sealer, start: &[u8], len: usize) -> Bytes {
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
pub(crate) fn pairing_psk(offer: &Offer) -> Psk {
    let prk = hmac(b"handfast/1 pair", &[offer.secret()]);
    Psk::from_bytes(hmac(&prk, &[b"handfast/1 pair psk", offer.web_key.as_bytes(), &[1]]))
}

/// The check code of an attempt, from the text of the specification.
pub(crate) fn check_code(h1: &[u8; 32], opening: &[u8; 32]) -> String {
    let prk = hmac(&[], &[h1, opening]);
    let out = hmac(&prk, &[b"handfast/1 check code", &[1]]);
    let number = u64::from_be_bytes(*out.first_chunk().expect("32 bytes"));
    format!("{:04}", number % 10_000)
}
