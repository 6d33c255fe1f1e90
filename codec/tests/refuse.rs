//! One test for each rule of conventions and frames by which a receiver refuses, named after the rule; the exact error, at the
//! maximum and one past it.

#[path = "support/bytes.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod build;
#[path = "support/encoded.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod encoded;
#[path = "support/samples.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod samples;
#[path = "support/walk.rs"]
mod walk;

use build::{error, fields, frame, framed, list, padded, record, relay, with, without};
use bytes::Bytes;
use handfast_codec::frame::{Frame, Items};
use handfast_codec::link::{LinkCert, LinkFrame};
use handfast_codec::payload::{Kk1, Kk2, KkHead, ResumeBlock, Xk1, Xk2};
use handfast_codec::record::{RecordBuilder, decode_link_record, decode_record, decode_record_from};
use handfast_codec::relay::RelayFrame;
use handfast_codec::tlv::TlvReader;
use handfast_codec::varint::{grease, take_varint};
use handfast_codec::{DeviceRole, ErrorCode};

#[test]
fn a_varint_that_is_not_minimal() {
    // req: FRM-001
    let refused = error(ErrorCode::VARINT_NOT_MINIMAL, 0, "varint");
    for bytes in [
        &[0x40, 0x3f][..],
        &[0x40, 0x00],
        &[0x80, 0x00, 0x3f, 0xff],
        &[0xc0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff],
    ] {
        assert_eq!(take_varint(bytes), Err(refused), "{bytes:02x?}");
    }
    assert_eq!(take_varint(&[0x40, 0x40]), Ok((0x40, &[][..])));
    assert_eq!(frame([0x40, 0x03, 1, 1]), Err(error(ErrorCode::VARINT_NOT_MINIMAL, 0, "frame type")));
    assert_eq!(frame([3, 0x40, 1, 1]), Err(error(ErrorCode::VARINT_NOT_MINIMAL, 1, "frame body")));
    assert_eq!(frame([3, 2, 0x40, 1]), Err(error(ErrorCode::VARINT_NOT_MINIMAL, 2, "pong id")));
}

#[test]
fn an_item_that_ends_before_its_declared_length() {
    // req: FRM-002
    // Declared: 2^62 - 1 bytes. Nothing is allocated by it.
    let huge = [0xff; 8];
    assert_eq!(frame([&[27][..], &huge, &[1]].concat()), Err(error(ErrorCode::TRUNCATED, 9, "frame body")));
    assert_eq!(
        TlvReader::new(&[&[2][..], &huge].concat(), &[]).unwrap_err(),
        error(ErrorCode::TRUNCATED, 9, "tlv value")
    );
    let items = Items::decode(Bytes::copy_from_slice(&huge));
    assert_eq!(items, Err(error(ErrorCode::TRUNCATED, 8, "item")));
    assert_eq!(frame([]), Err(error(ErrorCode::TRUNCATED, 0, "frame type")));
    assert_eq!(relay([]), Err(error(ErrorCode::TRUNCATED, 0, "relay frame type")));
    assert_eq!(relay([9]), Err(error(ErrorCode::TRUNCATED, 1, "data kind")));
    assert_eq!(relay([17, 1, 2, 3]), Err(error(ErrorCode::TRUNCATED, 1, "ping token")));
    assert_eq!(KkHead::split_from(&[1, 0, 1]), Err(error(ErrorCode::TRUNCATED, 2, "psk id")));
}

#[test]
fn bytes_after_the_last_field_of_a_frame() {
    // req: FRM-003
    assert_eq!(frame([3, 2, 1, 1]), Err(error(ErrorCode::TRAILING_BYTES, 3, "PONG")));
    assert_eq!(frame([3, 1, 1, 0]), Err(error(ErrorCode::TRAILING_BYTES, 3, "frame")));
    assert_eq!(
        relay([19, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
        Err(error(ErrorCode::TRAILING_BYTES, 9, "relay frame"))
    );
    let commit = record(&[5, 1, 1], 128);
    assert_eq!(decode_link_record(commit), Err(error(ErrorCode::TRAILING_BYTES, 2, "link frame")));
}

#[test]
fn text_of_a_frame_that_is_not_utf_8() {
    // req: FRM-004
    let label = with(&samples::xk2().encode(), 13, b"ab\xff");
    let refused = Xk2::decode(&padded(&label)).unwrap_err();
    assert_eq!((refused.code, refused.what), (ErrorCode::BAD_UTF8, "label"));
    let name = with(&samples::certificate().encode(), 31, &[0xc3]);
    let refused = LinkCert::decode(&name).unwrap_err();
    assert_eq!((refused.code, refused.what), (ErrorCode::BAD_UTF8, "account name"));
}

#[test]
fn a_field_that_stands_twice() {
    // req: FRM-005
    let twice = list(&[(3, &[1]), (3, &[1])]);
    assert_eq!(TlvReader::new(&twice, &[3]).unwrap_err(), error(ErrorCode::DUPLICATE_FIELD, 3, "tlv type"));
    let even = list(&[(2, &[]), (2, &[])]);
    assert_eq!(TlvReader::new(&even, &[]).unwrap_err(), error(ErrorCode::DUPLICATE_FIELD, 2, "tlv type"));
    let versions = with(&samples::xk1().encode(), 3, &[4, 4]);
    assert_eq!(Xk1::decode(&padded(&versions)), Err(error(ErrorCode::DUPLICATE_FIELD, 6, "capabilities")));
}

#[test]
fn fields_that_descend() {
    // req: FRM-006
    let descending = list(&[(3, &[1]), (1, &[1])]);
    assert_eq!(
        TlvReader::new(&descending, &[1, 3]).unwrap_err(),
        error(ErrorCode::FIELD_ORDER, 3, "tlv type")
    );
    let limits = with(&samples::xk1().encode(), 5, &[4, 0, 3, 0]);
    assert_eq!(Xk1::decode(&padded(&limits)), Err(error(ErrorCode::FIELD_ORDER, 10, "limits")));
    let mut block = samples::resume_block();
    block.streams = vec![(2, 0), (1, 0)];
    let refused = ResumeBlock::decode(&block.encode()).unwrap_err();
    assert_eq!((refused.code, refused.what), (ErrorCode::FIELD_ORDER, "resume streams"));
}

#[test]
fn an_unknown_odd_field() {
    // req: FRM-007
    let odd = list(&[(1, &[1]), (5, &[])]);
    assert_eq!(TlvReader::new(&odd, &[1]).unwrap_err(), error(ErrorCode::UNKNOWN_CRITICAL, 3, "tlv type"));
    // It is found before a field that is missing or too long.
    let payload = list(&[(1, &[1; 9]), (99, &[])]);
    assert_eq!(Xk1::decode(&padded(&payload)), Err(error(ErrorCode::UNKNOWN_CRITICAL, 11, "tlv type")));
}

#[test]
fn an_unknown_even_field_is_ignored() {
    // req: FRM-008, EXT-002
    for kind in [2, 4, 6, 58, grease(200), (1 << 62) - 2] {
        let mut all = fields(&samples::xk1().encode());
        all.push((kind, b"anything".to_vec()));
        all.sort();
        let payload: Vec<u8> = all.iter().flat_map(|(kind, value)| framed(*kind, value)).collect();
        assert_eq!(Xk1::decode(&padded(&payload)), Ok(samples::xk1()), "{kind}");
    }
    // PEER down holds a list without known fields.
    let peer = [&[11, 2][..], &list(&[(58, b"x")])].concat();
    assert!(relay(peer).is_ok());
}

#[test]
fn a_required_field_that_is_missing() {
    // req: FRM-009
    let cert = samples::certificate().encode();
    for (kind, what) in [
        (3, "certificate version"),
        (7, "account key"),
        (15, "phone attach key"),
        (19, "salt"),
        (21, "companion id"),
        (23, "serial"),
        (25, "grants"),
        (27, "idle days"),
        (31, "account name"),
        (33, "certificate signature"),
    ] {
        let list = without(&cert, kind);
        assert_eq!(LinkCert::decode(&list), Err(error(ErrorCode::FIELD_MISSING, list.len(), what)));
    }
    let xk2 = samples::xk2().encode();
    for (len, is_right) in [(0, false), (31, false), (32, true), (33, false), (64, false)] {
        // req: HSK-093
        let read = Xk2::decode(&padded(&with(&xk2, 29, &vec![4; len])));
        assert_eq!(
            read.map_err(|error| error.code).err(),
            (!is_right).then_some(ErrorCode::FIELD_LENGTH),
            "{len}"
        );
    }
    for kind in [1, 3, 5, 7, 9, 11, 13, 15, 17, 29] {
        let list = without(&xk2, kind);
        let refused = Xk2::decode(&padded(&list)).unwrap_err();
        assert_eq!((refused.code, refused.at), (ErrorCode::FIELD_MISSING, list.len()), "{kind}");
    }
    for (frame, at) in samples::relay_frames()
        .iter()
        .zip(0..)
        .filter(|(frame, _)| matches!(frame, RelayFrame::Hello(_) | RelayFrame::Attach(_)))
    {
        let bytes = frame.encode();
        for (kind, _) in fields(&bytes[1..]) {
            let list = [&bytes[..1], &without(&bytes[1..], kind)].concat();
            assert_eq!(relay(&list).unwrap_err().code, ErrorCode::FIELD_MISSING, "sample {at}, field {kind}");
        }
    }
    assert_eq!(relay([7]), Err(error(ErrorCode::FIELD_MISSING, 1, "own attachment id")));
    assert_eq!(relay([11, 1]), Err(error(ErrorCode::FIELD_MISSING, 2, "peer attachment id")));
    assert_eq!(relay([11, 3]), Err(error(ErrorCode::FIELD_MISSING, 2, "contended count")));
    let no_id = [&[11, 1][..], &list(&[(5, &[1])])].concat();
    assert_eq!(relay(no_id), Err(error(ErrorCode::FIELD_MISSING, 5, "peer attachment id")));
    assert_eq!(Kk1::decode(&padded(&samples::xk1().encode())).unwrap_err().what, "try");
}

#[test]
fn a_value_of_another_length() {
    // req: FRM-010
    let cert = samples::certificate().encode();
    for (kind, value) in fields(&cert) {
        if kind == 31 {
            continue;
        }
        let longer = with(&cert, kind, &[&value[..], &[0]].concat());
        assert_eq!(LinkCert::decode(&longer).unwrap_err().code, ErrorCode::FIELD_LENGTH, "{kind} longer");
        let shorter = with(&cert, kind, &value[1..]);
        assert_eq!(LinkCert::decode(&shorter).unwrap_err().code, ErrorCode::FIELD_LENGTH, "{kind} shorter");
    }
    let flag = with(&samples::kk1().encode(), 25, &[1]);
    let refused = Kk1::decode(&padded(&flag)).unwrap_err();
    assert_eq!((refused.code, refused.what), (ErrorCode::FIELD_LENGTH, "pending"));
    let reply = with(&samples::kk2().encode(), 1, &[1, 1]);
    assert_eq!(Kk2::decode(&padded(&reply)), Err(error(ErrorCode::FIELD_LENGTH, 2, "version")));
    let half = with(&samples::kk1().encode(), 19, &[0; 7]);
    assert_eq!(Kk1::decode(&padded(&half)).unwrap_err().what, "try");
}

#[test]
fn a_value_of_a_frame_out_of_range() {
    // req: FRM-011
    let cert = samples::certificate().encode();
    for (value, ok) in [(&[0][..], false), (&[1], true), (&[0x41, 0x6d], true), (&[0x41, 0x6e], false)] {
        let decoded = LinkCert::decode(&with(&cert, 27, value));
        assert_eq!(
            decoded.map_err(|error| error.code),
            if ok {
                Ok(LinkCert { idle_days: if value == [1] { 1 } else { 365 }, ..samples::certificate() })
            } else {
                Err(ErrorCode::FIELD_VALUE)
            }
        );
    }
    assert_eq!(
        LinkCert::decode(&with(&cert, 3, &[2])),
        Err(error(ErrorCode::FIELD_VALUE, 2, "certificate version"))
    );
    assert_eq!(frame([5, 3, 0, 0, 0]), Err(error(ErrorCode::FIELD_VALUE, 2, "msg seq")));
    assert_eq!(frame([25, 2, 2, 0]), Err(error(ErrorCode::FIELD_VALUE, 3, "open kind")));
    assert_eq!(frame([25, 2, 2, 3]), Err(error(ErrorCode::FIELD_VALUE, 3, "open kind")));
    assert_eq!(relay([11, 0]), Err(error(ErrorCode::FIELD_VALUE, 1, "peer state")));
    assert_eq!(relay([11, 4]), Err(error(ErrorCode::FIELD_VALUE, 1, "peer state")));
    assert_eq!(relay([15, 0]), Err(error(ErrorCode::FIELD_VALUE, 1, "sticky role")));
    assert_eq!(relay([15, 3]), Err(error(ErrorCode::FIELD_VALUE, 1, "sticky role")));
    assert_eq!(KkHead::split_from(&[2; 10]), Err(error(ErrorCode::FIELD_VALUE, 0, "suite")));
    assert_eq!(
        KkHead::split_from(&[1, 2, 0, 0, 0, 0, 0, 0, 0, 0]),
        Err(error(ErrorCode::FIELD_VALUE, 1, "mode"))
    );
    let attach = samples::relay_frames()[2].encode();
    for (kind, value, what) in
        [(3, 0, "mailbox kind"), (3, 3, "mailbox kind"), (5, 0, "attach role"), (5, 3, "attach role")]
    {
        let bytes = [&attach[..1], &with(&attach[1..], kind, &[value])].concat();
        let refused = relay(bytes).unwrap_err();
        assert_eq!((refused.code, refused.what), (ErrorCode::FIELD_VALUE, what));
    }
    let net = [&[11, 1][..], &list(&[(3, &[1; 8]), (5, &[2])])].concat();
    assert_eq!(relay(net), Err(error(ErrorCode::FIELD_VALUE, 14, "same network")));
    let zero = list(&[(0, &[])]);
    assert_eq!(TlvReader::new(&zero, &[]).unwrap_err(), error(ErrorCode::FIELD_VALUE, 0, "tlv type"));
}

#[test]
fn an_unknown_odd_frame() {
    // req: FRM-020
    assert_eq!(frame([47, 0]), Err(error(ErrorCode::UNKNOWN_CRITICAL, 0, "frame type")));
    assert_eq!(frame([0, 0]), Err(error(ErrorCode::UNKNOWN_CRITICAL, 0, "frame type")));
    let refused = decode_record(record(&[3, 1, 1, 47, 0], 128));
    assert_eq!(refused, Err(error(ErrorCode::UNKNOWN_CRITICAL, 3, "frame type")));
    let refused = decode_link_record(record(&[11, 0], 128));
    assert_eq!(refused, Err(error(ErrorCode::UNKNOWN_CRITICAL, 0, "frame type")));
}

#[test]
fn an_unknown_even_frame_is_ignored() {
    // req: FRM-021, EXT-002
    assert_eq!(frame([2, 1, 0xff]), Ok(None));
    let bytes = record(&[&[3, 1, 1][..], &framed(58, b"grease"), &[3, 1, 2]].concat(), 128);
    assert_eq!(decode_record(bytes), Ok(vec![Frame::Pong { id: 1 }, Frame::Pong { id: 2 }]));
    let bytes = record(&[&framed(grease(255), b"grease")[..], &[5, 0]].concat(), 128);
    assert_eq!(decode_link_record(bytes), Ok(vec![LinkFrame::Commit]));
}

#[test]
fn a_frame_of_the_other_role() {
    // req: FRM-022
    for frame in samples::frames() {
        let mut builder = RecordBuilder::new();
        assert!(builder.push(&frame));
        let plaintext = builder.finish().freeze().slice(2..);
        for role in [DeviceRole::Phone, DeviceRole::Web] {
            let of_web = matches!(
                frame,
                Frame::Since { .. } | Frame::PageGet { .. } | Frame::DigestGet { .. } | Frame::WebBack
            );
            let of_phone = matches!(
                frame,
                Frame::Delta { .. }
                    | Frame::SnapshotRequired { .. }
                    | Frame::Page { .. }
                    | Frame::Digest { .. }
                    | Frame::Revoked { .. }
            );
            let allowed = match role {
                DeviceRole::Phone => !of_web,
                DeviceRole::Web => !of_phone,
            };
            let expected = if allowed {
                Ok(vec![frame.clone()])
            } else {
                Err(error(ErrorCode::FRAME_NOT_ALLOWED, 0, "frame type"))
            };
            assert_eq!(decode_record_from(plaintext.clone(), role), expected, "{role:?}");
        }
    }
}

#[test]
fn a_part_above_the_last() {
    // req: FRM-023
    for (part, last, ok) in
        [(0, 0, true), (1, 0, false), (31, 31, true), (0, 31, true), (0, 32, false), (32, 32, false)]
    {
        let expected = error(ErrorCode::FIELD_VALUE, 3, "part");
        let msg = frame(framed(5, &[1, part, last]));
        assert_eq!(msg.err(), (!ok).then_some(expected), "msg {part} of {last}");
        let delta = frame(framed(9, &[1, 1, 1, 2, part, last]));
        let expected = error(ErrorCode::FIELD_VALUE, 6, "part");
        assert_eq!(delta.err(), (!ok).then_some(expected), "delta {part} of {last}");
    }
}

#[test]
fn a_body_an_item_or_a_list_past_its_maximum() {
    // req: FRM-024
    let cases: [(u64, &[u8], usize, &str); 6] = [
        (5, &[1, 0, 0], 16_000, "msg body"),
        (9, &[1, 1, 1, 2, 0, 0], 16_000, "items"),
        (23, &[1], 1_024, "now body"),
        (25, &[2, 1], 1_024, "open meta"),
        (27, &[2, 0], 16_000, "data body"),
        (13, &[1, 1, 64], 64, "PAGE_GET"),
    ];
    for (kind, head, max, what) in cases {
        // One byte of body repeated is a list of items of one byte too.
        let body = |len: usize| [head, &vec![1; len]].concat();
        assert!(frame(framed(kind, &body(max))).is_ok(), "{what} at its maximum");
        let refused = frame(framed(kind, &body(max + 2))).unwrap_err();
        let code = if what == "PAGE_GET" { ErrorCode::TRAILING_BYTES } else { ErrorCode::FIELD_LENGTH };
        assert_eq!((refused.code, refused.what), (code, what));
    }
    let page = |len: u8| frame(framed(13, &[&[1, 1, len][..], &vec![0; usize::from(len)]].concat()));
    assert_eq!(page(65), Err(error(ErrorCode::FIELD_LENGTH, 5, "page cursor")));
    let since = |len: u8| frame(framed(7, &[&[len][..], &vec![9; usize::from(len)], &[0]].concat()));
    assert!(since(32).is_ok() && since(1).is_ok());
    assert_eq!(since(33), Err(error(ErrorCode::FIELD_LENGTH, 2, "collection")));
    assert_eq!(since(0), Err(error(ErrorCode::FIELD_LENGTH, 2, "collection")));
    assert_eq!(frame([27, 2, 2, 0]), Err(error(ErrorCode::FIELD_LENGTH, 4, "data body")));
    let cursors = |count: usize| frame(framed(21, &[&[0][..], &[1, 7, 0].repeat(count)].concat()));
    assert!(cursors(64).is_ok());
    assert_eq!(cursors(65), Err(error(ErrorCode::FIELD_LENGTH, 4 + 3 * 64, "ack cursors")));
}

#[test]
fn the_whole_list_is_checked_before_its_fields() {
    // req: FRM-013
    let cert = samples::certificate().encode();
    let bad = |kind: u64, value: &[u8]| with(&cert, kind, value);
    let refused = |list: &[u8]| LinkCert::decode(list).unwrap_err().code;
    // One fault each, and then two of them.
    assert_eq!(refused(&bad(3, &[9])), ErrorCode::FIELD_VALUE);
    assert_eq!(refused(&bad(7, &[1])), ErrorCode::FIELD_LENGTH);
    assert_eq!(refused(&with(&bad(3, &[9]), 7, &[1])), ErrorCode::FIELD_VALUE, "the lower field first");
    let critical = [&bad(3, &[9])[..], &list(&[(61, &[])])].concat();
    assert_eq!(refused(&critical), ErrorCode::UNKNOWN_CRITICAL, "the list before its fields");
    let cut = [&bad(3, &[9])[..], &[62]].concat();
    assert_eq!(refused(&cut), ErrorCode::TRUNCATED, "the list before its fields");
}

#[test]
fn limits_of_handshake_payloads() {
    // req: FRM-010, FRM-024
    let xk2 = samples::xk2().encode();
    for (kind, min, max, what) in [(13, 1, 64, "label"), (15, 0, 128, "claimed origin")] {
        let size = |len: usize| Xk2::decode(&padded(&with(&xk2, kind, &vec![b'x'; len])));
        assert!(size(min).is_ok() && size(max).is_ok(), "{what}");
        assert_eq!(size(max + 1).unwrap_err().code, ErrorCode::FIELD_LENGTH, "{what}");
        if min > 0 {
            assert_eq!(size(min - 1).unwrap_err().code, ErrorCode::FIELD_LENGTH, "{what}");
        }
    }
    let xk1 = samples::xk1().encode();
    let of = |kind: u64, value: &[u8]| Xk1::decode(&padded(&with(&xk1, kind, value)));
    assert!(of(1, &[1; 8]).is_ok());
    assert_eq!(of(1, &[1; 9]), Err(error(ErrorCode::FIELD_LENGTH, 2, "versions")));
    assert_eq!(of(1, &[]), Err(error(ErrorCode::FIELD_LENGTH, 2, "versions")));
    let numbers: Vec<u8> = (0..33).collect();
    assert!(of(3, &numbers[..32]).is_ok());
    assert_eq!(of(3, &numbers).unwrap_err().code, ErrorCode::FIELD_LENGTH);
    let pairs: Vec<u8> = (0..33).flat_map(|id| [id, 0]).collect();
    assert!(of(5, &pairs[..64]).is_ok());
    assert_eq!(of(5, &pairs).unwrap_err().code, ErrorCode::FIELD_LENGTH);
    assert_eq!(of(5, &[1]).unwrap_err().code, ErrorCode::TRUNCATED);
    let mut block = samples::resume_block();
    block.streams = (0..16).map(|id| (id, 0)).collect();
    assert!(ResumeBlock::decode(&block.encode()).is_ok());
    block.streams.push((16, 0));
    assert_eq!(ResumeBlock::decode(&block.encode()).unwrap_err().code, ErrorCode::FIELD_LENGTH);
    for (len, ok) in [(1, true), (64, true), (65, false), (0, false)] {
        let cert = with(&samples::certificate().encode(), 31, &vec![b'x'; len]);
        assert_eq!(LinkCert::decode(&cert).is_ok(), ok, "account name of {len}");
    }
}
