//! The formats, by example: each field on a line of its own.

#[path = "support/encoded.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod encoded;
#[path = "support/samples.rs"]
#[expect(dead_code, reason = "each test file uses some of the samples")]
mod samples;
#[path = "support/walk.rs"]
mod walk;

use bytes::Bytes;
use handfast_codec::frame::{Collection, Frame};
use handfast_codec::ids::{AttachmentId, CompanionId, DhPublic, MailboxId, PskId, Salt};
use handfast_codec::link::LinkFrame;
use handfast_codec::payload::{KkHead, KkMode, Xk3};
use handfast_codec::qr::{QrOffer, RelayRef};
use handfast_codec::record::{RecordBuilder, decode_link_record, decode_record};
use handfast_codec::relay::{DataKind, MailboxKind, RelayFrame, data_kind};
use handfast_codec::signed::{self, CertificateFields};
use handfast_codec::{DeviceRole, ErrorCode};

#[test]
fn a_qr_code() {
    // req: QRP-010
    let relay = RelayRef::Host("a.b".parse().unwrap());
    let offer = QrOffer::new(DhPublic::from_bytes([0x11; 32]), [0x22; 32], relay).unwrap();
    let without_secret = [
        &[0x02][..], // type
        &[0x00],     // flags
        &[0x11; 32], // Wq
        &[0x00],     // relay: by name
        &[0x03],     // length of the host
        b"a.b",
    ]
    .concat();
    assert_eq!(offer.payload_without_secret(), without_secret);
    let text = offer.encode();
    // base64.b32encode of Python over the payload with its secret.
    let expected = "HF1*AIABCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEJCEIRCEIRCEIRCEI\
                    RCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIRCEIAAGYJOMI";
    assert_eq!(text.as_str(), expected);
    let decoded = QrOffer::decode(&text).unwrap();
    assert_eq!(
        (decoded.web_key, &decoded.relay, decoded.secret()),
        (offer.web_key, &offer.relay, &[0x22; 32])
    );
}

#[test]
fn a_relay_frame_that_carries_a_record() {
    let frame = RelayFrame::Data { kind: DataKind::RECORD, body: Bytes::from_static(&[0xab, 0xcd]) };
    let bytes = [
        0x09, // DATA
        0x07, // a record
        0xab, 0xcd,
    ];
    assert_eq!(frame.encode().as_ref(), bytes);
    assert_eq!(data_kind(&bytes), Some(DataKind::RECORD));
    assert_eq!(data_kind(&[0x0b, 0x07]), None);
}

#[test]
fn a_relay_error() {
    let bytes = [
        0x15, // ERROR
        0x07, 0x0a, // CODE_TAKEN
        0x00, 0x00, 0x03, 0xe8, // 1,000 ms
    ];
    let frame = RelayFrame::Error { code: ErrorCode::CODE_TAKEN, retry_ms: 1_000 };
    assert_eq!(frame.encode().as_ref(), bytes);
}

#[test]
fn frames_of_a_record() {
    let since = Frame::Since { collection: Collection::new(&[1]).unwrap(), cursor: 300 };
    let msg = Frame::Msg { seq: 1, part: 0, last: 0, body: Bytes::from_static(b"hi") };
    let mut record = RecordBuilder::new();
    assert!(record.push(&since) && record.push(&msg));
    let frames = [
        0x07, 0x04, // SINCE, 4 bytes
        0x01, 0x01, // collection 01
        0x41, 0x2c, // cursor 300
        0x05, 0x05, // MSG, 5 bytes
        0x01, // seq 1
        0x00, 0x00, // part 0 of 0
        b'h', b'i',
    ];
    assert_eq!(record.len(), frames.len());
    let sealed_in_place = record.finish();
    assert_eq!(sealed_in_place[..2], [0x09, 0x07]); // DATA, a record
    assert_eq!(sealed_in_place[2..15], frames);
    assert_eq!(sealed_in_place[15..], [0; 115]); // padding to 128
    let plaintext = sealed_in_place.freeze().slice(2..);
    assert_eq!(decode_record(plaintext), Ok(vec![since, msg]));
}

#[test]
fn a_link_record() {
    // req: CHN-010, CRT-010, CRT-014
    let mut record = RecordBuilder::new();
    for frame in samples::link_frames() {
        assert!(record.push_link(&frame));
    }
    let plaintext = record.finish().freeze().slice(2..);
    assert_eq!(plaintext.len(), 512);
    assert_eq!(decode_link_record(plaintext), Ok(samples::link_frames()));
    assert_eq!(LinkFrame::Commit.encode(), [0x05, 0x00]);
    assert_eq!(LinkFrame::WebBack.encode(), [0x09, 0x00]);
    assert_eq!(LinkFrame::Close { code: ErrorCode::NOT_CONFIRMED }.encode(), [0x07, 0x02, 0x02, 0x09]);
}

#[test]
fn the_head_of_a_reconnect() {
    // req: HSK-078
    let head = KkHead { mode: KkMode::Recover, psk_id: PskId::from_bytes([7; 8]) };
    let bytes = [
        0x01, // suite
        0x01, // mode recover
        7, 7, 7, 7, 7, 7, 7, 7, // psk id
    ];
    assert_eq!(head.encode(), bytes);
    let message = [&bytes[..], b"noise"].concat();
    assert_eq!(KkHead::split_from(&message), Ok((head, &b"noise"[..])));
}

#[test]
fn the_payload_of_the_third_pairing_message_is_padding() {
    // req: HSK-062, CHN-009
    assert_eq!(Xk3.encode(), [0; 128]);
}

#[test]
fn what_is_signed_and_hashed() {
    // req: HSK-071, HSK-079, CRT-012
    let name = samples::name();
    let key = samples::certificate().phone_attach;
    let (mailbox, salt) = (MailboxId::from_bytes([0xaa; 16]), Salt::from_bytes([0xbb; 16]));
    let ids = (AttachmentId::from_bytes([1; 8]), AttachmentId::from_bytes([2; 8]));
    let relay_name = [&[18][..], b"relay.example:8443"].concat();
    assert_eq!(
        signed::mailbox_preimage(&key, &key, &salt),
        [&b"handfast/1 mailbox"[..], &[2; 64], &[0xbb; 16]].concat()
    );
    assert_eq!(
        signed::attach_tbs(&name, MailboxKind::Link, DeviceRole::Web, &mailbox, &[9; 32]),
        [&b"handfast/1 attach"[..], &relay_name, &[2, 2], &[0xaa; 16], &[9; 32]].concat()
    );
    assert_eq!(
        signed::accept_tbs(&[5; 32], &[6; 32]),
        [&b"handfast/1 accept"[..], &[5; 32], &[6; 32]].concat()
    );
    assert_eq!(
        signed::revoked_tbs(&CompanionId::from_bytes([3; 16]), 258, &mailbox),
        [&b"handfast/1 revoked"[..], &[3; 16], &[0, 0, 0, 0, 0, 0, 1, 2], &[0xaa; 16]].concat()
    );
    assert_eq!(
        signed::pairing_prologue(b"offer", &name, &mailbox, &ids.0, &ids.1),
        [&b"handfast/1 pairing"[..], &[5], b"offer", &relay_name, &[0xaa; 16], &[1; 8], &[2; 8]].concat()
    );
    let head = KkHead { mode: KkMode::Resume, psk_id: PskId::from_bytes([7; 8]) };
    assert_eq!(
        signed::link_prologue(&mailbox, &ids.1, &ids.0, &name, &head),
        [&b"handfast/1 link"[..], &[0xaa; 16], &[2; 8], &[1; 8], &relay_name, &[1, 0], &[7; 8]].concat()
    );
}

#[test]
fn the_signed_list_of_a_certificate() {
    // req: CRT-006
    let (cert, xk2, name) = (samples::certificate(), samples::xk2(), samples::name());
    let phone_key = DhPublic::from_bytes([0xcc; 32]);
    let tbs = signed::certificate_tbs(&CertificateFields {
        h: &[0xdd; 32],
        account: &cert.account,
        phone_key: &phone_key,
        web_key: &xk2.web_key,
        web_signing: &xk2.signing_key,
        phone_attach: &cert.phone_attach,
        web_attach: &xk2.attach_key,
        salt: &cert.salt,
        companion: &cert.companion,
        serial: cert.serial,
        grants: cert.grants,
        idle_days: cert.idle_days,
        relay: &name,
    });
    let expected = [
        &[1, 22][..],
        b"handfast/1 certificate",
        &[3, 1, 1], // version
        &[5, 32],   // h
        &[0xdd; 32],
        &[7, 32], // A
        &[1; 32],
        &[9, 32], // Ps
        &[0xcc; 32],
        &[11, 32], // Wd
        &[1; 32],
        &[13, 32], // We
        &[2; 32],
        &[15, 32], // phone attach key
        &[2; 32],
        &[17, 32], // web attach key
        &[3; 32],
        &[19, 16], // salt
        &[3; 16],
        &[21, 16], // companion id
        &[4; 16],
        &[23, 1, 1],  // serial
        &[25, 1, 7],  // grants
        &[27, 1, 14], // idle days
        &[29, 18],    // relay name
        b"relay.example:8443",
    ]
    .concat();
    assert_eq!(tbs, expected);
    let preimage = signed::certificate_preimage(&tbs, &cert.signature);
    assert_eq!(preimage, [&tbs[..], &[0x51; 64]].concat());
}

#[test]
fn no_debug_output_shows_the_secret_of_an_offer() {
    let offer = samples::offer();
    let shown = format!("{offer:?}");
    assert!(shown.starts_with("QrOffer { web_key: DhPublic(0909"), "{shown}");
    for trace in ["c5c5", "C5C5", "197, 197"] {
        assert!(!shown.contains(trace), "{shown}");
    }
}
