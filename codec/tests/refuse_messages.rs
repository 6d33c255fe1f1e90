//! One test for each rule of messages and handshake payloads by which a receiver refuses, named after the rule; the exact error, at the
//! maximum and one past it.

#[path = "support/bytes.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod build;
#[path = "support/samples.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod samples;
#[path = "support/walk.rs"]
mod walk;

use build::{error, list, padded, with};
use bytes::Bytes;
use handfast_codec::ErrorCode;
use handfast_codec::link::LinkCert;
use handfast_codec::message::{Command, Item, MediaDescriptor, ResultBody};
use handfast_codec::payload::{ResumeBlock, Xk1, Xk2};

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
}

#[test]
fn limits_of_messages() {
    // req: FRM-010
    let size = |kind: u8, fields: &[(u64, &[u8])]| [&[kind][..], &list(fields)].concat();
    for (len, ok) in [(0, false), (1, true), (8_192, true), (8_193, false)] {
        let text = vec![b'x'; len];
        assert_eq!(Command::decode(&size(1, &[(1, &[1]), (3, &text)])).is_ok(), ok, "text of {len}");
    }
    let media = samples::media().encode();
    for (len, ok) in [(0, true), (1_024, true), (1_025, false)] {
        let caption = vec![b'x'; len];
        let command = size(5, &[(1, &[1]), (3, &media), (5, &caption)]);
        assert_eq!(Command::decode(&command).is_ok(), ok, "caption of {len}");
    }
    for (kind, min, max) in [(5, 1, 64), (7, 0, 128)] {
        let sized = |len: usize| MediaDescriptor::decode(&with(&media, kind, &vec![b'x'; len]));
        assert!(sized(min).is_ok() && sized(max).is_ok());
        assert_eq!(sized(max + 1).unwrap_err().code, ErrorCode::FIELD_LENGTH);
        assert_eq!(min == 1, sized(0).is_err());
    }
    let chat = samples::items()[0].encode();
    for (kind, min, max) in [(3, 1, 128), (7, 0, 256)] {
        let sized =
            |len: usize| Item::decode(&[&[1][..], &with(&chat[1..], kind, &vec![b'x'; len])].concat());
        assert!(sized(min).is_ok() && sized(max).is_ok());
        assert_eq!(sized(max + 1).unwrap_err().code, ErrorCode::FIELD_LENGTH);
    }
    let message = samples::items()[2].encode();
    for (kind, max) in [(5, 128), (9, 8_192)] {
        let sized =
            |len: usize| Item::decode(&[&[3][..], &with(&message[1..], kind, &vec![b'x'; len])].concat());
        assert!(sized(0).is_ok() && sized(max).is_ok());
        assert_eq!(sized(max + 1).unwrap_err().code, ErrorCode::FIELD_LENGTH);
    }
    for (len, ok) in [(1, true), (64, true), (65, false), (0, false)] {
        let cert = with(&samples::certificate().encode(), 31, &vec![b'x'; len]);
        assert_eq!(LinkCert::decode(&cert).is_ok(), ok, "account name of {len}");
    }
}

#[test]
fn msg_001_a_body_of_an_unknown_kind() {
    // req: MSG-001
    for kind in [0, 2, 9, 58] {
        assert_eq!(Command::decode(&[kind]), Err(error(ErrorCode::UNKNOWN_CRITICAL, 0, "command kind")));
        let result = ResultBody::decode(&Bytes::copy_from_slice(&[kind]));
        assert_eq!(result, Err(error(ErrorCode::UNKNOWN_CRITICAL, 0, "result kind")));
        assert_eq!(Item::decode(&[kind]), Err(error(ErrorCode::UNKNOWN_CRITICAL, 0, "item kind")));
    }
}
