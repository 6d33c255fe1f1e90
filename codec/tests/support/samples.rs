//! One value of every kind, with fields at their limits where that is cheap.

use super::walk;
use bytes::Bytes;
use handfast_codec::frame::{Collection, Frame, Items, OpenKind, PageCursor};
use handfast_codec::ids::{
    AttachKey, AttachmentId, BootId, CommandKey, CompanionId, ContentId, DhPublic, Epoch, LogId, MailboxId,
    PskId, Salt, Signature, SigningPublic,
};
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::message::{
    Command, CommandRef, CompanionState, Item, MediaDescriptor, Message, MessageState, NowValue, PageState,
    Reaction, ResultBody,
};
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, ResumeBlock, Xk1, Xk2, Xk3};
use handfast_codec::qr::{Offer, Opening, RelayRef};
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

pub(crate) fn offer() -> Offer {
    Offer::new(DhPublic::from_bytes([9; 32]), [0xc5; 32], RelayRef::Host(name())).unwrap()
}

pub(crate) fn media() -> MediaDescriptor {
    MediaDescriptor {
        content: ContentId::from_bytes([7; 32]),
        size: 5_000_000,
        media_type: "image/png".into(),
        name: "cat.png".into(),
    }
}

/// So many reactions, the first one of the account itself.
pub(crate) fn reactions(count: usize) -> Vec<Reaction> {
    let author = |number: usize| if number == 0 { String::new() } else { format!("Bob {number:02}") };
    (0..count).map(|number| Reaction { author: author(number), reaction: "👍".into() }).collect()
}

pub(crate) fn message() -> Message {
    Message {
        chat: 1,
        message: 2,
        author: String::new(),
        time: 1_700_000_000_000,
        text: "hello".into(),
        state: MessageState::Sent,
        reply_to: Some(1),
        media: Some(media()),
        command: Some(CommandRef {
            companion: CompanionId::from_bytes([4; 16]),
            key: CommandKey::from_bytes([5; 16]),
        }),
        edited: true,
        reactions: reactions(2),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    vec![
        Command::SendText { chat: 1, text: "hi".into(), reply_to: None },
        Command::SendText { chat: 1, text: "x".repeat(8_192), reply_to: Some(2) },
        Command::History { chat: 1, before: 0, count: 50 },
        Command::SendMedia { chat: 1, media: media(), caption: None },
        Command::SendMedia { chat: 1, media: media(), caption: Some(String::new()) },
        Command::MarkRead { chat: 1, message: 9 },
        Command::EditText { chat: 1, message: 9, text: "hi".into() },
        Command::Delete { chat: 1, message: 9 },
        Command::React { chat: 1, message: 9, reaction: "👍".into() },
        Command::React { chat: 1, message: 9, reaction: String::new() },
    ]
}

pub(crate) fn results() -> Vec<ResultBody> {
    vec![
        ResultBody::Accepted { message: 3, rev: 70 },
        ResultBody::HistoryPage { items: items().iter().map(Item::encode).collect(), more: true, rev: 71 },
        ResultBody::HistoryPage { items: vec![], more: false, rev: 0 },
        ResultBody::Failed { code: ErrorCode::OFFLINE },
        ResultBody::Done,
    ]
}

pub(crate) fn items() -> Vec<Item> {
    vec![
        Item::Chat {
            chat: 1,
            title: "Bob".into(),
            last_message: 2,
            last_text: "hello".into(),
            last_time: 1_700_000_000_000,
            unread: 0,
        },
        Item::Message(message()),
        Item::Message(Message {
            reply_to: None,
            media: None,
            command: None,
            edited: false,
            reactions: vec![],
            ..message()
        }),
        Item::Deleted { chat: 1, message: None },
        Item::Deleted { chat: 1, message: Some(2) },
        Item::Companion {
            companion: CompanionId::from_bytes([4; 16]),
            serial: 3,
            label: "PC".into(),
            linked: 1_700_000_000_000,
            seen: 0,
            status: CompanionState::Active,
        },
    ]
}

/// The bytes of a sample, a decoder that gives the bytes of what it read, and whether the grammar allows the bytes to
/// hold something that is ignored.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    pub(crate) again: fn(Bytes) -> Result<Vec<u8>, handfast_codec::DecodeError>,
    pub(crate) ignores: fn(&[u8]) -> bool,
}

/// Every sample of this file in its encoded form.
pub(crate) fn all() -> Vec<Sample> {
    let mut out = Vec::new();
    let mut add =
        |name: String, bytes: Bytes, again, ignores| out.push(Sample { name, bytes, again, ignores });
    for frame in relay_frames() {
        let again = |b| Ok(RelayFrame::decode(b)?.encode().to_vec());
        add(format!("{frame:?}"), frame.encode(), again, walk::relay_frame_ignores);
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
    for command in commands() {
        let again = |b: Bytes| Ok(Command::decode(&b)?.encode().to_vec());
        add(format!("{command:?}"), command.encode(), again, |b| walk::body_ignores(b, &[(5, 3)]));
    }
    for result in results() {
        let again = |b: Bytes| Ok(ResultBody::decode(&b)?.encode().to_vec());
        add(format!("{result:?}"), result.encode(), again, |b| walk::body_ignores(b, &[]));
    }
    for item in items() {
        let again = |b: Bytes| Ok(Item::decode(&b)?.encode().to_vec());
        add(format!("{item:?}"), item.encode(), again, |b| walk::body_ignores(b, &[(3, 15)]));
    }
    add("media".into(), media().encode().into(), |b| Ok(MediaDescriptor::decode(&b)?.encode()), list);
    let now = NowValue::Page(PageState::Hidden);
    let again =
        |b: Bytes| Ok(NowValue::decode(1, &b)?.map(|value| value.encode().to_vec()).unwrap_or_default());
    add("now".into(), now.encode(), again, |_| false);
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
