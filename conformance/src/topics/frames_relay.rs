//! Relay frames.

use anyhow::Result;
use bytes::Bytes;
use handfast_codec::ids::{AttachKey, AttachmentId, BootId, MailboxId, Salt, Signature};
use handfast_codec::relay::{
    Attach, Attached, DataKind, Hello, MailboxProof, Peer, PeerInfo, RelayFrame, Wake, WakeFailure,
};
use handfast_codec::{DeviceRole, ErrorCode, RelayName, Versions};
use serde_json::json;

use super::tlv::List;
use crate::case::Case;
use crate::fields::hex;
use crate::seed;

fn some<const N: usize>(name: &str) -> [u8; N] {
    seed::bytes(&format!("frames-relay/{name}"), "any", "bytes")
}

fn hello(versions: &[u8]) -> RelayFrame {
    RelayFrame::Hello(Hello {
        versions: Versions::new(versions).expect("one to eight"),
        name: RelayName::parse("relay.example:8443").expect("a name"),
        boot: BootId::from_bytes(some("boot")),
        frame_len_max: 16_512,
        ping_interval_ms: 25_000,
    })
}

fn attach(role: DeviceRole, proof: MailboxProof) -> RelayFrame {
    let (a, b): ([u8; 32], [u8; 32]) = (some("signature-1"), some("signature-2"));
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&a);
    signature[32..].copy_from_slice(&b);
    RelayFrame::Attach(Attach {
        version: 1,
        role,
        mailbox: MailboxId::from_bytes(some("mailbox")),
        proof,
        signature: Signature::from_bytes(signature),
    })
}

fn pairing() -> MailboxProof {
    MailboxProof::Pairing { key: AttachKey::from_bytes(some("key")) }
}

fn link() -> MailboxProof {
    MailboxProof::Link {
        phone_key: AttachKey::from_bytes(some("phone")),
        web_key: AttachKey::from_bytes(some("web")),
        salt: Salt::from_bytes(some("salt")),
    }
}

fn peer(origin: Option<&str>) -> PeerInfo {
    let id = AttachmentId::from_bytes(some("peer"));
    PeerInfo { id, same_net: Some(origin.is_some()), origin: origin.map(str::to_owned) }
}

fn attached(peer: Option<PeerInfo>, sticky: Option<usize>) -> RelayFrame {
    let sticky = sticky.map(|len| Bytes::from(vec![0x5a; len]));
    RelayFrame::Attached(Attached {
        own: AttachmentId::from_bytes(some("own")),
        peer,
        phone_sticky: sticky.clone(),
        web_sticky: sticky,
    })
}

fn data(kind: DataKind, body: &'static [u8]) -> RelayFrame {
    RelayFrame::Data { kind, body: Bytes::from_static(body) }
}

/// What a relay says of the other seat.
fn seats() -> Vec<(&'static str, RelayFrame)> {
    let origin = "https://web.example";
    vec![
        ("attached-alone", attached(None, None)),
        ("attached-phone-there", attached(Some(peer(None)), None)),
        ("attached-web-there", attached(Some(peer(Some(origin))), None)),
        (
            "attached-web-network-unknown",
            attached(Some(PeerInfo { same_net: None, ..peer(Some(origin)) }), None),
        ),
        (
            "attached-phone-network-unknown",
            attached(Some(PeerInfo { same_net: None, ..peer(None) }), Some(1)),
        ),
        ("attached-sticky-1", attached(None, Some(1))),
        ("attached-sticky-512", attached(None, Some(512))),
        ("peer-up-phone", RelayFrame::Peer(Peer::Up(peer(None)))),
        ("peer-up-web", RelayFrame::Peer(Peer::Up(peer(Some(""))))),
        (
            "peer-up-phone-network-unknown",
            RelayFrame::Peer(Peer::Up(PeerInfo { same_net: None, ..peer(None) })),
        ),
        (
            "peer-up-web-network-unknown",
            RelayFrame::Peer(Peer::Up(PeerInfo { same_net: None, ..peer(Some("a")) })),
        ),
        ("peer-down", RelayFrame::Peer(Peer::Down)),
    ]
}

pub(super) fn valid() -> Result<Vec<Case>> {
    let error = |code, retry_ms| RelayFrame::Error { code, retry_ms };
    let sticky = |role, len| RelayFrame::Sticky { role, value: Bytes::from(vec![7; len]) };
    let mut frames = vec![
        ("hello", hello(&[1])),
        ("hello-versions-8", hello(&[1, 58, 3, 4, 5, 6, 7, 8])),
        ("challenge", RelayFrame::Challenge(some("nonce"))),
        ("attach-pairing-phone", attach(DeviceRole::Phone, pairing())),
        ("attach-pairing-web", attach(DeviceRole::Web, pairing())),
        ("attach-link-phone", attach(DeviceRole::Phone, link())),
        ("attach-link-web", attach(DeviceRole::Web, link())),
        ("data-pairing", data(DataKind::PAIRING, &[1, 2, 3])),
        ("data-kk1", data(DataKind::KK1, &[1, 0])),
        ("data-kk2", data(DataKind::KK2, &[0xff])),
        ("data-record", data(DataKind::RECORD, &[0; 144])),
        ("data-unknown-key", data(DataKind::UNKNOWN_KEY, &[])),
        ("data-unknown-kind", data(DataKind::from_u8(200), &[1])),
        ("peer-contended", RelayFrame::Peer(Peer::Contended(64))),
        ("wake-ask-empty", RelayFrame::Wake(Wake::Ask(Bytes::new()))),
        ("wake-ask-256", RelayFrame::Wake(Wake::Ask(Bytes::from(vec![7; 256])))),
        ("wake-sent", RelayFrame::Wake(Wake::Sent)),
        ("wake-failed", RelayFrame::Wake(Wake::Failed(WakeFailure::NO_SERVICE))),
        ("wake-failed-unknown-class", RelayFrame::Wake(Wake::Failed(WakeFailure(255)))),
        ("wake-peer-up", RelayFrame::Wake(Wake::PeerUp)),
        ("sticky-empty", sticky(DeviceRole::Phone, 0)),
        ("sticky-512", sticky(DeviceRole::Web, 512)),
        ("ping", RelayFrame::Ping(some("ping"))),
        ("pong", RelayFrame::Pong(some("ping"))),
        ("error", error(ErrorCode::SHUTDOWN, 5_000)),
        ("error-unknown-code", error(ErrorCode::from_u16(0xfffe), u32::MAX)),
    ];
    frames.extend(seats());
    let mut cases = Vec::new();
    for (name, frame) in frames.drain(..) {
        let bytes = frame.encode();
        // RLY-041 is HELLO, of type 1; the types of the registry are the odd numbers.
        let body = format!("RLY-{:03}", 41 + bytes[0] / 2);
        let input = json!({ "frame": hex(bytes) });
        let comment = "a frame of the registry";
        cases.push(Case::valid(
            &format!("frames-relay/{name}"),
            &["RLY-001", &body],
            comment,
            "relay.decode",
            input,
        )?);
    }
    for (name, bytes) in [("grease", &[58, 1, 2][..]), ("even-max", &[254]), ("even-2", &[2, 0])] {
        let input = json!({ "frame": hex(bytes) });
        let id = format!("frames-relay/ignored-{name}");
        let comment = "an unknown even type is ignored";
        cases.push(Case::valid(&id, &["RLY-001", "EXT-002"], comment, "relay.decode", input)?);
    }
    let greased = [&hello(&[1]).encode()[..], &[58, 1, 0]].concat();
    let input = json!({ "frame": hex(greased) });
    let comment = "an unknown even TLV is ignored";
    cases.push(Case::valid("frames-relay/hello-grease", &["FRM-008"], comment, "relay.decode", input)?);
    Ok(cases)
}

/// Name, requirement, code, comment, frame.
type Refusal = (String, &'static str, ErrorCode, &'static str, Vec<u8>);

fn envelopes() -> Vec<Refusal> {
    let mut out = Vec::new();
    let mut push = |name: &str, req, code, comment, bytes: Vec<u8>| {
        out.push((name.to_owned(), req, code, comment, bytes));
    };
    push("empty", "FRM-002", ErrorCode::TRUNCATED, "no byte", vec![]);
    for kind in [25_u8, 99, 255, 23] {
        let comment = "an unknown or reserved odd type";
        push(&format!("type-{kind}"), "RLY-001", ErrorCode::UNKNOWN_CRITICAL, comment, vec![kind, 0]);
    }
    let mut long = vec![9, 7];
    long.resize(16_513, 0);
    push("length-16513", "RLY-003", ErrorCode::FIELD_LENGTH, "one byte over the longest frame", long);
    let fixed: [(&str, Vec<u8>); 5] = [
        ("challenge", RelayFrame::Challenge(some("nonce")).encode().to_vec()),
        ("ping", RelayFrame::Ping(some("ping")).encode().to_vec()),
        ("pong", RelayFrame::Pong(some("ping")).encode().to_vec()),
        ("error", RelayFrame::Error { code: ErrorCode::LIMIT, retry_ms: 1 }.encode().to_vec()),
        ("peer-down", RelayFrame::Peer(Peer::Down).encode().to_vec()),
    ];
    for (name, mut bytes) in fixed {
        let cut = bytes[..bytes.len() - 1].to_vec();
        push(&format!("{name}-cut"), "FRM-002", ErrorCode::TRUNCATED, "one byte is missing", cut);
        if name != "peer-down" {
            bytes.push(0);
            push(
                &format!("{name}-trailing"),
                "FRM-003",
                ErrorCode::TRAILING_BYTES,
                "one byte too many",
                bytes,
            );
        }
    }
    push("data-cut", "FRM-002", ErrorCode::TRUNCATED, "DATA without a kind", vec![9]);
    push("wake-word-0", "FRM-011", ErrorCode::FIELD_VALUE, "no such word", vec![13, 0]);
    push("wake-word-5", "FRM-011", ErrorCode::FIELD_VALUE, "no such word", vec![13, 5]);
    push("wake-failed-cut", "FRM-002", ErrorCode::TRUNCATED, "FAILED without a class", vec![13, 3]);
    push("wake-sent-trailing", "FRM-003", ErrorCode::TRAILING_BYTES, "one byte too many", vec![13, 2, 0]);
    let handle = [vec![13, 1], vec![7; 257]].concat();
    push("wake-ask-257", "FRM-024", ErrorCode::FIELD_LENGTH, "a handle of 257 bytes", handle);
    push("sticky-role-0", "FRM-011", ErrorCode::FIELD_VALUE, "no such role", vec![15, 0]);
    push("sticky-role-3", "FRM-011", ErrorCode::FIELD_VALUE, "no such role", vec![15, 3]);
    push(
        "sticky-513",
        "FRM-024",
        ErrorCode::FIELD_LENGTH,
        "a value of 513 bytes",
        [vec![15, 1], vec![7; 513]].concat(),
    );
    push("peer-state-0", "FRM-011", ErrorCode::FIELD_VALUE, "no such state", vec![11, 0]);
    push("peer-state-4", "FRM-011", ErrorCode::FIELD_VALUE, "no such state", vec![11, 4]);
    out
}

fn lists() -> Vec<Refusal> {
    let mut out = Vec::new();
    let frames = [
        ("hello", hello(&[1]), 1, &[1_u64, 3, 5, 7, 9][..]),
        ("attach-pairing", attach(DeviceRole::Phone, pairing()), 1, &[1, 3, 5, 7, 9, 15]),
        ("attach-link", attach(DeviceRole::Web, link()), 1, &[1, 3, 5, 7, 9, 11, 13, 15]),
        ("attached", attached(Some(peer(Some("https://web.example"))), Some(1)), 1, &[1, 3]),
        ("peer-up", RelayFrame::Peer(Peer::Up(peer(None))), 2, &[3]),
        ("peer-contended", RelayFrame::Peer(Peer::Contended(1)), 2, &[1]),
    ];
    for (name, frame, head, required) in &frames {
        for field in *required {
            let list = List::of(&frame.encode(), *head);
            let bytes = list.clone().without(*field).bytes();
            let comment = "a required field is missing";
            out.push((
                format!("{name}-without-{field}"),
                "FRM-009",
                ErrorCode::FIELD_MISSING,
                comment,
                bytes,
            ));
            let empty = list.with(*field, &[]).bytes();
            let is_name = *name == "hello" && *field == 3;
            let (code, req) = if is_name {
                (ErrorCode::RELAY_NAME, "QRP-005")
            } else {
                (ErrorCode::FIELD_LENGTH, "FRM-010")
            };
            out.push((format!("{name}-empty-{field}"), req, code, "a field has no value", empty));
        }
        let mut odd = frame.encode().to_vec();
        odd.extend_from_slice(&[61, 0]);
        let comment = "an unknown odd TLV";
        out.push((format!("{name}-odd"), "FRM-007", ErrorCode::UNKNOWN_CRITICAL, comment, odd));
        let mut cut = frame.encode().to_vec();
        let _ = cut.pop();
        let comment = "the last byte is missing";
        out.push((format!("{name}-cut"), "FRM-002", ErrorCode::TRUNCATED, comment, cut));
    }
    out
}

/// Name, frame, field, its new value, code, comment.
type Change<'a> = (&'static str, &'a RelayFrame, u64, &'a [u8], ErrorCode, &'static str);

fn values() -> Vec<Refusal> {
    let hello = hello(&[1]);
    let attach = attach(DeviceRole::Phone, pairing());
    let attached = attached(Some(peer(Some("https://web.example"))), Some(1));
    let mut out = Vec::new();
    let values: [Change<'_>; 9] = [
        ("attach-kind-3", &attach, 3, &[3], ErrorCode::FIELD_VALUE, "no such kind"),
        ("attach-role-3", &attach, 5, &[3], ErrorCode::FIELD_VALUE, "no such role"),
        ("attach-mailbox-15", &attach, 7, &[0; 15], ErrorCode::FIELD_LENGTH, "a mailbox of 15 bytes"),
        ("attach-key-33", &attach, 9, &[0; 33], ErrorCode::FIELD_LENGTH, "a key of 33 bytes"),
        ("attached-net-empty", &attached, 5, &[], ErrorCode::FIELD_LENGTH, "a flag without a value"),
        ("attached-net-2", &attached, 5, &[2], ErrorCode::FIELD_VALUE, "a flag that is neither 0 nor 1"),
        ("attached-origin-utf8", &attached, 7, &[0xff], ErrorCode::BAD_UTF8, "text that is not UTF-8"),
        ("hello-versions-9", &hello, 1, &[1; 9], ErrorCode::FIELD_LENGTH, "nine versions"),
        (
            "hello-length-varint",
            &hello,
            7,
            &[0x40, 1],
            ErrorCode::VARINT_NOT_MINIMAL,
            "a number in a long form",
        ),
    ];
    for (name, frame, field, value, code, comment) in values {
        let req = match code {
            ErrorCode::FIELD_VALUE => "FRM-011",
            ErrorCode::BAD_UTF8 => "FRM-004",
            ErrorCode::VARINT_NOT_MINIMAL => "FRM-001",
            _ => "FRM-010",
        };
        out.push((
            name.to_owned(),
            req,
            code,
            comment,
            List::of(&frame.encode(), 1).with(field, value).bytes(),
        ));
    }
    out
}

/// Two faults in one list: that of the lower field is told.
fn precedence() -> Vec<Refusal> {
    let attached = List::of(&attached(Some(peer(Some("https://web.example"))), None).encode(), 1);
    let up = List::of(&RelayFrame::Peer(Peer::Up(peer(Some("")))).encode(), 2);
    [("attached", attached), ("peer-up", up)]
        .map(|(name, list)| {
            let bytes = list.with(3, &[1]).with(5, &[2]).bytes();
            let comment = "the id is too short, and the flag after it is neither 0 nor 1";
            (format!("{name}-precedence"), "FRM-013", ErrorCode::FIELD_LENGTH, comment, bytes)
        })
        .to_vec()
}

/// A pairing ATTACH that carries what only a link has.
fn mixes() -> Vec<Refusal> {
    let pairing = List::of(&attach(DeviceRole::Phone, link()).encode(), 1).with(3, &[1]);
    [("other-key", pairing.clone().without(13)), ("salt", pairing.without(11))]
        .map(|(name, list)| {
            let comment = "a pairing ATTACH carries one key and no salt";
            (format!("attach-pairing-{name}"), "RLY-009", ErrorCode::FIELD_VALUE, comment, list.bytes())
        })
        .to_vec()
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    let all = [envelopes(), lists(), values(), mixes(), precedence()].concat();
    all.into_iter()
        .map(|(name, req, code, comment, bytes)| {
            let id = format!("refuse-frames-relay/{name}");
            Case::invalid(&id, &[req], comment, "relay.decode", json!({ "frame": hex(bytes) }), code)
        })
        .collect()
}
