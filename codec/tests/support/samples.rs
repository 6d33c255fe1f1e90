//! One value of every kind, with fields at their limits where that is cheap.

use super::encoded::Sample;
use super::walk;
use bytes::Bytes;
use handfast_codec::frame::{Collection, Frame, Items, OpenKind, PageCursor};
use handfast_codec::ids::{
    AttachKey, AttachmentId, BootId, CommandKey, CompanionId, DhPublic, Epoch, LogId, MailboxId, PskId, Salt,
    Signature, SigningPublic,
};
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, ResumeBlock, Xk1, Xk2, Xk3};
use handfast_codec::qr::{Opening, QrOffer, RelayRef};
use handfast_codec::relay::{
    Attach, Attached, DataKind, Hello, MailboxProof, Peer, PeerInfo, RelayFrame, Wake, WakeFailure,
};
use handfast_codec::{DeviceRole, ErrorCode, RelayName, Versions};

pub(crate) const HOST: &str = "relay.example:8443";

pub(crate) fn name() -> RelayName {
    RelayName::parse(HOST).unwrap()
}

pub(crate) fn signature() -> Signature {
    Signature::from_bytes([0x51; 64])
}

pub(crate) fn relay_frames() -> Vec<RelayFrame> {
    let info = PeerInfo {
        id: AttachmentId::from_bytes([2; 8]),
        same_net: Some(true),
        origin: Some("https://app.example".into()),
    };
    let plain = PeerInfo { same_net: Some(false), origin: None, ..info.clone() };
    let attach = |role, proof| {
        RelayFrame::Attach(Attach {
            version: 1,
            role,
            mailbox: MailboxId::from_bytes([3; 16]),
            proof,
            signature: signature(),
        })
    };
    let key = AttachKey::from_bytes([4; 32]);
    let link = MailboxProof::Link {
        phone_key: key,
        web_key: AttachKey::from_bytes([5; 32]),
        salt: Salt::from_bytes([6; 16]),
    };
    let attached = |peer, phone_sticky, web_sticky| {
        RelayFrame::Attached(Attached {
            own: AttachmentId::from_bytes([1; 8]),
            peer,
            phone_sticky,
            web_sticky,
        })
    };
    vec![
        RelayFrame::Hello(Hello {
            versions: Versions::new(&[1, 2]).unwrap(),
            name: name(),
            boot: BootId::from_bytes([9; 16]),
            frame_len_max: 16_512,
            ping_interval_ms: 25_000,
        }),
        RelayFrame::Challenge([7; 32]),
        attach(DeviceRole::Phone, MailboxProof::Pairing { key }),
        attach(DeviceRole::Web, MailboxProof::Pairing { key }),
        attach(DeviceRole::Phone, link.clone()),
        attach(DeviceRole::Web, link),
        attached(None, None, None),
        attached(Some(plain.clone()), Some(Bytes::from_static(&[1; 512])), None),
        attached(Some(info.clone()), None, Some(Bytes::from_static(b"goodbye"))),
        RelayFrame::Data { kind: DataKind::RECORD, body: Bytes::from_static(&[8; 144]) },
        RelayFrame::Data { kind: DataKind::UNKNOWN_KEY, body: Bytes::new() },
        RelayFrame::Peer(Peer::Up(info)),
        RelayFrame::Peer(Peer::Up(plain)),
        RelayFrame::Peer(Peer::Down),
        RelayFrame::Peer(Peer::Contended(70)),
        RelayFrame::Wake(Wake::Ask(Bytes::from_static(b"handle"))),
        RelayFrame::Wake(Wake::Sent),
        RelayFrame::Wake(Wake::Failed(WakeFailure::REFUSED)),
        RelayFrame::Wake(Wake::PeerUp),
        RelayFrame::Sticky { role: DeviceRole::Phone, value: Bytes::from_static(b"tombstone") },
        RelayFrame::Sticky { role: DeviceRole::Web, value: Bytes::new() },
        RelayFrame::Ping(*b"01234567"),
        RelayFrame::Pong(*b"76543210"),
        RelayFrame::Error { code: ErrorCode::CODE_TAKEN, retry_ms: 1_000 },
    ]
}

pub(crate) fn frames() -> Vec<Frame> {
    let collection = Collection::new(&[2, 0x41, 0x2c]).unwrap();
    let longest = Collection::new(&[0xee; 32]).unwrap();
    let items = Items::build([&b"first"[..], b"second"]).unwrap();
    let page = PageCursor::new(Bytes::from_static(b"page 2")).unwrap();
    vec![
        Frame::Ping { id: 1, rev: 2 },
        Frame::Pong { id: 1 },
        Frame::Msg { seq: 1, part: 0, last: 0, body: Bytes::from_static(b"hello") },
        Frame::Msg { seq: 64, part: 31, last: 31, body: Bytes::new() },
        Frame::Since { collection, cursor: 1_000 },
        Frame::Delta { collection, from: 1, to: 70_000, part: 0, last: 1, items: items.clone() },
        Frame::Delta { collection: longest, from: 1, to: 2, part: 1, last: 1, items: Items::default() },
        Frame::SnapshotRequired { collection, rev: 5 },
        Frame::PageGet { collection, page: PageCursor::default() },
        Frame::Page { collection, page, next: PageCursor::default(), rev: 1 << 40, items },
        Frame::DigestGet { collection, cursor: 3 },
        Frame::Digest { collection, cursor: 3, digest: [0xdd; 32] },
        Frame::Ack { durable: 0, cursors: vec![] },
        Frame::Ack { durable: 9, cursors: vec![(collection, 4), (longest, 1 << 30)] },
        Frame::Now { slot: 1, body: Bytes::from_static(&[1]) },
        Frame::Open { id: 2, kind: OpenKind::Get, meta: Bytes::from_static(b"meta") },
        Frame::Open { id: 3, kind: OpenKind::Put, meta: Bytes::new() },
        Frame::Data { id: 2, offset: 65_536, body: Bytes::from_static(&[0; 40]) },
        Frame::Credit { id: 2, offset: 65_536 },
        Frame::Durable { id: 2, offset: 1 },
        Frame::Stop { id: 2, code: ErrorCode::GONE },
        Frame::Fin { id: 2, hash: [0xaa; 32] },
        Frame::ConnCredit { offset: 262_144 },
        Frame::Close { code: ErrorCode::REKEY, retry_ms: 0 },
        Frame::Revoked { signature: signature() },
        Frame::Leave { collection },
        Frame::WebBack,
    ]
}

pub(crate) fn certificate() -> LinkCert {
    LinkCert {
        account: SigningPublic::from_bytes([1; 32]),
        phone_attach: AttachKey::from_bytes([2; 32]),
        salt: Salt::from_bytes([3; 16]),
        companion: CompanionId::from_bytes([4; 16]),
        serial: 1,
        grants: 7,
        idle_days: 14,
        account_name: "Ada".into(),
        signature: signature(),
    }
}

pub(crate) fn link_frames() -> Vec<LinkFrame> {
    vec![
        LinkFrame::Cert(certificate()),
        LinkFrame::Accept { signature: signature() },
        LinkFrame::Commit,
        LinkFrame::WebBack,
        LinkFrame::Close { code: ErrorCode::NOT_CONFIRMED },
    ]
}

pub(crate) fn resume_block() -> ResumeBlock {
    ResumeBlock {
        out_epoch: Epoch::from_bytes([1; 16]),
        in_epoch: Epoch::from_bytes([2; 16]),
        next_seq: 300,
        durable: 2,
        oldest: 1,
        log_id: LogId::from_bytes([3; 16]),
        rev: 1 << 33,
        streams: vec![(0, 65_536), (1, 0)],
    }
}

pub(crate) fn xk1() -> Xk1 {
    Xk1 { versions: Versions::CURRENT, capabilities: vec![58], limits: vec![] }
}

pub(crate) fn xk2() -> Xk2 {
    Xk2 {
        version: 1,
        capabilities: vec![],
        limits: vec![(1, 16_384), (58, 0)],
        web_key: DhPublic::from_bytes([1; 32]),
        signing_key: SigningPublic::from_bytes([2; 32]),
        attach_key: AttachKey::from_bytes([3; 32]),
        label: "Firefox on Linux".into(),
        origin: "https://app.example".into(),
        grants: 7,
        opening: Opening::from_bytes([4; 32]),
    }
}

pub(crate) fn kk1() -> Kk1 {
    Kk1 {
        versions: Versions::CURRENT,
        capabilities: vec![],
        limits: vec![],
        try_: 1,
        resume: Some(resume_block()),
        psk_id_held: None,
        pending: true,
    }
}

pub(crate) fn kk1_recover() -> Kk1 {
    Kk1 { resume: None, psk_id_held: Some(PskId::from_bytes([8; 8])), pending: false, ..kk1() }
}

pub(crate) fn commands_known() -> CommandsKnown {
    CommandsKnown { highest: 300, key: CommandKey::from_bytes([6; 16]), from: 7 }
}

pub(crate) fn kk2() -> Kk2 {
    Kk2 {
        version: 2,
        capabilities: vec![],
        limits: vec![],
        resume: Some(resume_block()),
        commands: Some(commands_known()),
        quarantine: false,
    }
}

pub(crate) fn kk2_quarantine() -> Kk2 {
    Kk2 { resume: None, commands: None, quarantine: true, ..kk2() }
}

pub(crate) fn offer() -> QrOffer {
    QrOffer::new(DhPublic::from_bytes([9; 32]), [0xc5; 32], RelayRef::Host(name())).unwrap()
}

/// Every sample of this file in its encoded form.
pub(crate) fn all() -> Vec<Sample> {
    let mut out = Vec::new();
    let mut add =
        |name: String, bytes: Bytes, again, ignores| out.push(Sample { name, bytes, again, ignores });
    for frame in relay_frames() {
        let again = |b| Ok(RelayFrame::decode(b)?.encode().to_vec());
        add(format!("{frame:?}"), frame.encode(), again, relay_frame_ignores);
    }
    for frame in frames() {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        add(format!("{frame:?}"), bytes.into(), frame_again, walk::ignores);
    }
    let list = walk::ignores;
    add("certificate".into(), certificate().encode().into(), |b| Ok(LinkCert::decode(&b)?.encode()), list);
    add(
        "resume block".into(),
        resume_block().encode().into(),
        |b| Ok(ResumeBlock::decode(&b)?.encode()),
        |_| false,
    );
    add("xk1".into(), xk1().encode().into(), |b| Ok(Xk1::decode(&b)?.encode()), list);
    add("xk2".into(), xk2().encode().to_vec().into(), |b| Ok(Xk2::decode(&b)?.encode().to_vec()), list);
    add("xk3".into(), Xk3.encode().into(), |b| Ok(Xk3::decode(&b)?.encode()), list);
    for payload in [kk1(), kk1_recover()] {
        add("kk1".into(), payload.encode().into(), |b| Ok(Kk1::decode(&b)?.encode()), list);
    }
    for payload in [kk2(), kk2_quarantine()] {
        add("kk2".into(), payload.encode().into(), |b| Ok(Kk2::decode(&b)?.encode()), list);
    }
    out
}

#[expect(clippy::needless_pass_by_value, reason = "every sample's decoder takes its bytes")]
fn frame_again(bytes: Bytes) -> Result<Vec<u8>, handfast_codec::DecodeError> {
    let mut out = Vec::new();
    if let Some(frame) = Frame::decode(&bytes)? {
        frame.encode(&mut out);
    }
    Ok(out)
}

/// Whether a relay frame holds something that is ignored: HELLO, ATTACH, ATTACHED and PEER hold lists.
fn relay_frame_ignores(frame: &[u8]) -> bool {
    match frame {
        [1 | 5 | 7, list @ ..] | [11, _, list @ ..] => walk::ignores(list),
        [kind, ..] => kind.is_multiple_of(2),
        [] => false,
    }
}
