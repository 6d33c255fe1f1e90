//! Writes `fuzz/seeds/`: real encodings, one file each. Run it again after a change of the formats.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use handfast_codec::frame::{Collection, Frame, Items, OpenKind, PageCursor, PageState};
use handfast_codec::ids::{
    AttachKey, AttachmentId, BootId, CommandKey, CompanionId, ContentId, DhPublic, Epoch, LogId, MailboxId,
    PskId, Salt, Signature, SigningPublic,
};
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, KkHead, KkMode, ResumeBlock, Xk1, Xk2};
use handfast_codec::qr::{Offer, Opening, RelayRef};
use handfast_codec::record::RecordBuilder;
use handfast_codec::relay::{Attach, Attached, DataKind, Hello, MailboxProof, Peer, PeerInfo, RelayFrame};
use handfast_codec::{DeviceRole, ErrorCode, RelayName, Versions};
use handfast_messages::{
    CollectionName, Command, CommandRef, CompanionState, Item, MediaDescriptor, Message, MessageState,
    NowValue, Reaction, ResultBody,
};

fn main() {
    write("qr", &qr());
    write("relay_frames", &relay_frames());
    write("record_frames", &record_frames());
    write("handshake_bytes", &handshake_bytes());
    write("endpoint_pair", &endpoint_pair());
}

type Seeds = Vec<(&'static str, Vec<u8>)>;

fn write(target: &str, seeds: &Seeds) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder).expect("the folder can be made");
    for (name, bytes) in seeds {
        fs::write(folder.join(name), bytes).expect("the file can be written");
    }
    println!("{} seeds in {}", seeds.len(), folder.display());
}

fn qr() -> Seeds {
    let offer = |relay| Offer::new(DhPublic::from_bytes([9; 32]), [0x5a; 32], relay).expect("the relay fits");
    let host = |name: &str| RelayRef::Host(name.parse::<RelayName>().expect("the name is valid"));
    let text = |relay| offer(relay).encode().as_bytes().to_vec();
    // A payload without its text, which the target makes itself; this one has a field of a later version.
    let payload = [&[1, 0][..], &[9; 32], &[0x5a; 32], &[240, 58, 2, 7, 7]].concat();
    vec![
        ("host", text(host("relay.example"))),
        ("host-port", text(host("relay.example:8443"))),
        ("ipv4", text(host("127.0.0.1:8787"))),
        ("ipv6", text(host("[2001:db8::1]:443"))),
        ("registered", text(RelayRef::Registered(1))),
        ("private", text(RelayRef::Private(255))),
        ("payload", payload),
        ("other", b"https://example.com/".to_vec()),
    ]
}

/// A byte that says whether the pair is live at first, then operations by number, as `endpoint_pair` reads them: 0 deliver, 13 time, 14 cut, 15 crash, 16 hold, 17 flush, 18
/// command, 19 row, 20 follow, 21 stream, and the relay's lies.
fn endpoint_pair() -> Seeds {
    let live = [1].as_slice();
    let with = |rest: &[&[u8]]| [&[live], rest].concat().concat();
    vec![
        ("live", with(&[])),
        ("from-nothing", vec![0, 18, 3, 4, 7, 13, 3, 0, 13, 3, 0]),
        ("commands", with(&[&[18, 3, 4, 7], &[0], &[18, 255, 255, 8], &[0]])),
        ("apart", with(&[&[14, 0], &[18, 3, 4, 7], &[15, 1], &[0]])),
        ("rows", with(&[&[20, 1], &[19, 1, 9, 5], &[0], &[19, 1, 255, 6], &[14, 1], &[19, 1, 1, 7], &[0]])),
        ("streams", with(&[&[21, 0, 2, 1], &[21, 1, 3, 1], &[0], &[14, 1], &[13, 2], &[0]])),
        ("held", with(&[&[16, 0], &[16, 1], &[18, 9, 9, 9], &[0], &[17, 1], &[0], &[15, 0], &[17, 0], &[0]])),
        ("replay", with(&[&[18, 3, 4, 7], &[0], &[11, 0, 3], &[11, 1, 5], &[0]])),
        ("corrupt", with(&[&[18, 3, 4, 7], &[10, 0, 200, 1], &[0], &[13, 3], &[0]])),
        ("unknown-key", with(&[&[14, 1], &[0], &[23, 1, 4], &[0], &[13, 3], &[0]])),
        ("lies", with(&[&[23, 0, 0], &[23, 1, 1, 9], &[23, 0, 2, 7], &[23, 1, 3, 52], &[0]])),
    ]
}

/// A resume block that has something of everything.
fn block() -> ResumeBlock {
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

/// The first byte chooses the step; the rest changes its honest message, or replaces it.
fn handshake_bytes() -> Seeds {
    let patch = |step: u8, patches: &[u8]| [&[step, 0], patches].concat();
    let raw = |step: u8, bytes: &[u8]| [&[step, 1], bytes].concat();
    let payload = |bytes: &[u8]| [&[8], bytes].concat();
    let versions = Versions::CURRENT.with_grease(0);
    let xk1 = Xk1 { versions, capabilities: vec![1, 58], limits: vec![(1, 16_384)] };
    let xk2 = Xk2 {
        version: 2,
        capabilities: vec![],
        limits: vec![],
        web_key: DhPublic::from_bytes([1; 32]),
        signing_key: SigningPublic::from_bytes([2; 32]),
        attach_key: AttachKey::from_bytes([3; 32]),
        label: "Firefox".into(),
        origin: "https://a.b".into(),
        grants: 7,
        opening: Opening::from_bytes([4; 32]),
    };
    let resume = Some(block());
    let kk1 = Kk1 {
        versions,
        capabilities: vec![],
        limits: vec![],
        try_: 1,
        resume: resume.clone(),
        psk_id_held: Some(PskId::from_bytes([8; 8])),
        pending: true,
    };
    let kk2 = Kk2 {
        version: 2,
        capabilities: vec![],
        limits: vec![],
        resume: resume.clone(),
        commands: Some(CommandsKnown { highest: 300, key: CommandKey::from_bytes([5; 16]), from: 7 }),
        quarantine: true,
    };
    let head = KkHead { mode: KkMode::Recover, psk_id: PskId::from_bytes([8; 8]) };
    vec![
        ("message-1", patch(0, &[])),
        ("message-1-flipped", patch(0, &[0, 3, 1])),
        ("message-1-cut", patch(0, &[0xff, 0xff, 16])),
        ("message-1-raw", raw(0, &[9; 200])),
        ("message-2", patch(1, &[])),
        ("message-2-flipped", patch(1, &[0, 90, 0x80])),
        ("message-3", patch(2, &[])),
        ("message-3-flipped", patch(2, &[0, 0, 2])),
        ("certificate", patch(3, &[])),
        ("certificate-flipped", patch(3, &[0, 6, 1])),
        ("reconnect", patch(4, &[])),
        ("reconnect-mode", patch(4, &[0, 1, 1])),
        ("reconnect-key", patch(4, &[0, 4, 1])),
        ("answer", patch(5, &[])),
        ("answer-flipped", patch(5, &[0, 40, 4])),
        ("record", patch(6, &[])),
        ("record-flipped", patch(6, &[0, 0, 1])),
        ("code", patch(7, b"0000 1111 2222")),
        ("xk1", payload(&xk1.encode())),
        ("xk2", payload(&xk2.encode())),
        ("kk1", payload(&kk1.encode())),
        ("kk2", payload(&kk2.encode())),
        ("head", payload(&head.encode())),
        ("block", payload(&resume.map(|block| block.encode()).unwrap_or_default())),
        ("rows", patch(9, &[])),
        ("rows-flipped", patch(9, &[0, 0, 2])),
    ]
}

fn relay_frames() -> Seeds {
    let key = AttachKey::from_bytes([4; 32]);
    let link = MailboxProof::Link { phone_key: key, web_key: key, salt: Salt::from_bytes([6; 16]) };
    let attach = |role, proof| {
        RelayFrame::Attach(Attach {
            version: 1,
            role,
            mailbox: MailboxId::from_bytes([3; 16]),
            proof,
            signature: Signature::from_bytes([5; 64]),
        })
    };
    let info = PeerInfo {
        id: AttachmentId::from_bytes([2; 8]),
        same_net: Some(true),
        origin: Some("https://a.b".into()),
    };
    let attached = Attached {
        own: AttachmentId::from_bytes([1; 8]),
        peer: Some(info.clone()),
        phone_sticky: Some(Bytes::from_static(b"tombstone")),
        web_sticky: Some(Bytes::from_static(b"goodbye")),
    };
    let hello = Hello {
        versions: Versions::new(&[1, 58]).expect("two versions"),
        name: "relay.example".parse().expect("a valid name"),
        boot: BootId::from_bytes([9; 16]),
        frame_len_max: 16_512,
        ping_interval_ms: 25_000,
    };
    let frames = [
        ("hello", RelayFrame::Hello(hello)),
        ("challenge", RelayFrame::Challenge([7; 32])),
        ("attach-phone", attach(DeviceRole::Phone, MailboxProof::Pairing { key })),
        ("attach-web", attach(DeviceRole::Web, MailboxProof::Pairing { key })),
        ("attach-link", attach(DeviceRole::Web, link)),
        ("attached", RelayFrame::Attached(attached)),
        ("data", RelayFrame::Data { kind: DataKind::RECORD, body: Bytes::from_static(&[8; 20]) }),
        ("up", RelayFrame::Peer(Peer::Up(info))),
        ("down", RelayFrame::Peer(Peer::Down)),
        ("contended", RelayFrame::Peer(Peer::Contended(3))),
        ("sticky", RelayFrame::Sticky { role: DeviceRole::Web, value: Bytes::from_static(b"goodbye") }),
        ("ping", RelayFrame::Ping(*b"01234567")),
        ("pong", RelayFrame::Pong(*b"01234567")),
        ("error", RelayFrame::Error { code: ErrorCode::REPLACED, retry_ms: 1_000 }),
        ("ignored", RelayFrame::Ignored(58)),
    ];
    frames.into_iter().map(|(name, frame)| (name, frame.encode().to_vec())).collect()
}

fn record_frames() -> Seeds {
    let collection = CollectionName::Messages(300).encode().expect("a small id");
    let frames: Vec<(&'static str, Vec<Frame>)> = vec![
        ("control", control_frames(collection)),
        ("commands", commands().iter().map(|command| msg(command.encode())).collect()),
        ("results", results().iter().map(|result| msg(result.encode())).collect()),
        ("sync", sync_frames(collection)),
        ("streams", stream_frames()),
    ];
    let mut seeds: Seeds = frames
        .into_iter()
        .map(|(name, frames)| {
            let mut record = RecordBuilder::new();
            assert!(frames.iter().all(|frame| record.push(frame)), "the frames fit");
            record.grease(0x35);
            (name, record.as_slice()[2..].to_vec())
        })
        .collect();
    let mut link = RecordBuilder::new();
    for frame in link_frames() {
        assert!(link.push_link(&frame), "the frame fits");
    }
    seeds.push(("link", link.as_slice()[2..].to_vec()));
    seeds.push(("empty", RecordBuilder::new().finish()[2..].to_vec()));
    seeds
}

fn msg(body: Bytes) -> Frame {
    Frame::Msg { seq: 1, part: 0, last: 0, body }
}

fn control_frames(collection: Collection) -> Vec<Frame> {
    vec![
        Frame::Ping { id: 1, rev: 300 },
        Frame::Pong { id: 1 },
        Frame::Ack { durable: 7, cursors: vec![(collection, 1 << 33)] },
        Frame::Now { slot: 1, body: NowValue::Page(PageState::Hidden).encode() },
        Frame::Now { slot: 3, body: NowValue::PhoneStatus { battery: 80, charging: true }.encode() },
        Frame::Now { slot: 5, body: NowValue::Typing { chat: 70 }.encode() },
        Frame::Now { slot: 7, body: NowValue::Presence { present: vec![1, 70] }.encode() },
        Frame::Close { code: ErrorCode::REKEY, retry_ms: 0 },
        Frame::Revoked { signature: Signature::from_bytes([5; 64]) },
        Frame::WebBack,
    ]
}

fn sync_frames(collection: Collection) -> Vec<Frame> {
    let encoded: Vec<Bytes> = items().iter().map(Item::encode).collect();
    let items = Items::build(encoded).expect("the items fit");
    let page = PageCursor::new(Bytes::from_static(b"page 2")).expect("a short cursor");
    let next = PageCursor::default();
    vec![
        Frame::Since { collection, cursor: 2 },
        Frame::Delta { collection, from: 2, to: 4, part: 0, last: 1, items: items.clone() },
        Frame::SnapshotRequired { collection, rev: 5 },
        Frame::PageGet { collection, page: page.clone() },
        Frame::Page { collection, page, next, rev: 9, items },
        Frame::DigestGet { collection, cursor: 2 },
        Frame::Digest { collection, cursor: 2, digest: [0xdd; 32] },
        Frame::Leave { collection },
    ]
}

fn stream_frames() -> Vec<Frame> {
    vec![
        Frame::Open { id: 2, kind: OpenKind::Get, meta: Bytes::from_static(b"\x01\x02ab") },
        Frame::Open { id: 4, kind: OpenKind::Put, meta: Bytes::new() },
        Frame::Data { id: 2, offset: 65_536, body: Bytes::from_static(b"content") },
        Frame::Credit { id: 2, offset: 131_072 },
        Frame::Durable { id: 2, offset: 7 },
        Frame::Stop { id: 4, code: ErrorCode::TOO_LARGE },
        Frame::Fin { id: 2, hash: [0xaa; 32] },
        Frame::ConnCredit { offset: 262_144 },
    ]
}

fn media() -> MediaDescriptor {
    MediaDescriptor {
        content: ContentId::from_bytes([7; 32]),
        size: 5_000_000,
        media_type: "image/png".into(),
        name: "cat.png".into(),
    }
}

fn commands() -> Vec<Command> {
    vec![
        Command::SendText { chat: 1, text: "hello".into(), reply_to: Some(2) },
        Command::History { chat: 1, before: 0, count: 50 },
        Command::SendMedia { chat: 1, media: media(), caption: Some("a cat".into()) },
        Command::MarkRead { chat: 1, message: 9 },
        Command::EditText { chat: 1, message: 9, text: "hello!".into() },
        Command::Delete { chat: 1, message: 9 },
        Command::React { chat: 1, message: 9, reaction: "👍".into() },
    ]
}

fn results() -> Vec<ResultBody> {
    vec![
        ResultBody::Accepted { message: 3, rev: 70 },
        ResultBody::HistoryPage { items: items().iter().map(Item::encode).collect(), more: true, rev: 71 },
        ResultBody::Failed { code: ErrorCode::OFFLINE },
        ResultBody::Done,
    ]
}

fn items() -> Vec<Item> {
    vec![
        Item::Chat {
            chat: 1,
            title: "Bob".into(),
            last_message: 2,
            last_text: "hello".into(),
            last_time: 1_700_000_000_000,
            unread: 1,
        },
        Item::Message(Message {
            chat: 1,
            message: 2,
            author: "Bob".into(),
            time: 1_700_000_000_000,
            text: "hello".into(),
            state: MessageState::Received,
            reply_to: Some(1),
            media: Some(media()),
            command: Some(CommandRef {
                companion: CompanionId::from_bytes([4; 16]),
                key: CommandKey::from_bytes([5; 16]),
            }),
            edited: true,
            reactions: ["", "Bob"]
                .map(|author| Reaction { author: author.into(), reaction: "👍".into() })
                .into(),
        }),
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

fn link_frames() -> Vec<LinkFrame> {
    vec![
        LinkFrame::Cert(LinkCert {
            account: SigningPublic::from_bytes([1; 32]),
            phone_attach: AttachKey::from_bytes([2; 32]),
            salt: Salt::from_bytes([3; 16]),
            companion: CompanionId::from_bytes([4; 16]),
            serial: 1,
            grants: 7,
            idle_days: 14,
            account_name: "Ada".into(),
            signature: Signature::from_bytes([5; 64]),
        }),
        LinkFrame::Accept { signature: Signature::from_bytes([5; 64]) },
        LinkFrame::Commit,
        LinkFrame::WebBack,
        LinkFrame::Close { code: ErrorCode::NOT_CONFIRMED },
    ]
}
