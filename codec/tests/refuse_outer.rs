//! One test for each rule of QR, relay and records by which a receiver refuses, named after the rule; the exact error, at the
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

use build::{error, fields, framed, list, qr_payload, qr_text, record, relay};
use bytes::Bytes;
use handfast_codec::ids::DhPublic;
use handfast_codec::payload::{Xk1, Xk3};
use handfast_codec::qr::{QrOffer, RelayRef};
use handfast_codec::record::{check_ciphertext_len, decode_record};
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::{ErrorCode, RelayName};

#[test]
fn text_that_is_no_handfast_code() {
    // req: QRP-001
    let code = samples::offer().encode();
    for text in ["", "HF1", "HF2*AE", "hf1*AE", "https://example.com/", &format!(" {}", code.as_str())] {
        assert_eq!(
            QrOffer::decode(text).unwrap_err(),
            error(ErrorCode::QR_NOT_HANDFAST, 0, "qr text"),
            "{text:?}"
        );
    }
}

#[test]
fn damaged_text() {
    // req: QRP-002
    let code = samples::offer().encode().to_string();
    for bad in ["a", "0", "1", "8", "=", " ", "\u{e9}"] {
        let text = [&code[..10], bad, &code[11..]].concat();
        assert_eq!(
            QrOffer::decode(&text).unwrap_err(),
            error(ErrorCode::QR_ALPHABET, 10, "qr text"),
            "{bad:?}"
        );
    }
    // Lengths of 1, 3 and 6 letters more than a multiple of 8 cannot be.
    for (letters, possible) in
        [(0, true), (1, false), (2, true), (3, false), (4, true), (5, true), (6, false), (7, true)]
    {
        let text = format!("HF1*{}", "A".repeat(104 + letters));
        let refused = QrOffer::decode(&text).unwrap_err();
        assert_eq!(refused.code == ErrorCode::QR_ALPHABET, !possible, "{letters} letters: {refused}");
    }
    // The last letter of 86 bytes has three bits of payload and two spare ones.
    let last = code.len() - 1;
    assert_eq!((code.len() - 4) % 8, 2);
    let spare = [&code[..last], "B"].concat();
    assert_eq!(QrOffer::decode(&spare).unwrap_err(), error(ErrorCode::QR_ALPHABET, last, "qr text"));
}

#[test]
fn a_payload_that_is_too_long() {
    // req: QRP-003
    let host = |len: usize| RelayName::parse(&"a".repeat(len)).unwrap();
    let offer = |len| QrOffer::new(DhPublic::from_bytes([9; 32]), [1; 32], RelayRef::Host(host(len)));
    let longest = offer(40).unwrap().encode();
    assert_eq!(longest.len(), 4 + 173);
    assert_eq!(QrOffer::decode(&longest).unwrap().relay, RelayRef::Host(host(40)));
    assert!(offer(41).is_none());
    let text = format!("HF1*{}", "A".repeat(174));
    assert_eq!(QrOffer::decode(&text).unwrap_err(), error(ErrorCode::FIELD_LENGTH, 4, "qr text"));
    // Letters outside the alphabet behind the limit are not looked at.
    let text = format!("HF1*{}", "?".repeat(10_000));
    assert_eq!(QrOffer::decode(&text).unwrap_err(), error(ErrorCode::FIELD_LENGTH, 4, "qr text"));
}

#[test]
fn a_code_of_the_older_kind_is_told_apart_from_one_of_a_newer_kind() {
    // req: QRP-013, QRP-014
    for flags in [0, 1, 0xff] {
        let text = qr_text(&qr_payload(&[1, flags], &[9; 32], &[1], &[]));
        assert_eq!(QrOffer::decode(&text).unwrap_err(), error(ErrorCode::QR_OUTDATED, 0, "qr type"));
    }
    for (kind, flags) in [(0, 0), (3, 0), (0xff, 0), (2, 1), (2, 0x80)] {
        let text = qr_text(&qr_payload(&[kind, flags], &[9; 32], &[1], &[]));
        assert_eq!(QrOffer::decode(&text).unwrap_err(), error(ErrorCode::QR_UNSUPPORTED, 0, "qr type"));
    }
}

#[test]
fn a_malformed_relay_name() {
    // req: QRP-005
    for host in ["", "A.example", "a:0", "-a", &"a".repeat(41)] {
        let relay = [&[0, u8::try_from(host.len()).unwrap()][..], host.as_bytes()].concat();
        let text = qr_text(&qr_payload(&[2, 0], &[9; 32], &relay, &[]));
        let expected = if host.len() > 40 { ErrorCode::FIELD_LENGTH } else { ErrorCode::RELAY_NAME };
        assert_eq!(QrOffer::decode(&text).map(|_| ()).map_err(|error| error.code), Err(expected), "{host}");
    }
}

#[test]
fn a_key_that_is_not_canonical() {
    // req: QRP-008
    let key = |first: u8, last: u8| {
        let mut key = [0xff; 32];
        (key[0], key[31]) = (first, last);
        QrOffer::decode(&qr_text(&qr_payload(&[2, 0], &key, &[1], &[]))).map(|offer| offer.web_key)
    };
    assert!(key(0xec, 0x7f).is_ok(), "2^255 - 20 is canonical");
    let refused = error(ErrorCode::FIELD_VALUE, 2, "qr key");
    assert_eq!(key(0xed, 0x7f), Err(refused), "2^255 - 19 is not");
    assert_eq!(key(0xff, 0x7f), Err(refused));
    assert_eq!(key(0x00, 0xff), Err(refused), "the top bit is not part of a point");
    assert_eq!(key(0x00, 0x80), Err(refused));
}

#[test]
fn fields_of_a_later_version_of_a_code_are_bound_and_kept() {
    // req: FRM-007, FRM-008, FRM-012
    let text = qr_text(&qr_payload(&[2, 0], &[9; 32], &[240], &list(&[(58, b"new")])));
    let offer = QrOffer::decode(&text).unwrap();
    assert_eq!(offer.relay, RelayRef::Private(240));
    assert_eq!(offer.encode().as_str(), text);
    let expected = [&[2, 0][..], &[9; 32], &[240], &[58, 3], b"new"].concat();
    assert_eq!(offer.payload_without_secret(), expected);
    let odd = qr_text(&qr_payload(&[2, 0], &[9; 32], &[240], &list(&[(1, b"new")])));
    assert_eq!(QrOffer::decode(&odd).unwrap_err(), error(ErrorCode::UNKNOWN_CRITICAL, 67, "tlv type"));
}

#[test]
fn unknown_relay_frames() {
    // req: RLY-001, EXT-002
    for kind in 0..=u8::MAX {
        let known = matches!(kind, 1 | 3 | 5 | 7 | 9 | 11 | 13 | 15 | 17 | 19 | 21);
        let decoded = relay([kind, 0xff, 0xff]);
        match (known, kind % 2) {
            (false, 0) => assert_eq!(decoded, Ok(RelayFrame::Ignored(kind))),
            (false, _) => assert_eq!(decoded, Err(error(ErrorCode::UNKNOWN_CRITICAL, 0, "relay frame type"))),
            (true, _) => assert!(!matches!(decoded, Ok(RelayFrame::Ignored(_)))),
        }
    }
}

#[test]
fn an_unknown_kind_of_data_survives() {
    // req: RLY-002
    let decoded = relay([9, 200, 1]);
    let body = Bytes::from_static(&[1]);
    assert_eq!(decoded, Ok(RelayFrame::Data { kind: DataKind::from_u8(200), body }));
}

#[test]
fn a_relay_frame_that_is_too_long() {
    // req: RLY-003
    let mut bytes = vec![9; 16_512];
    assert!(relay(&bytes).is_ok());
    bytes.push(9);
    assert_eq!(relay(&bytes), Err(error(ErrorCode::FIELD_LENGTH, 0, "relay frame")));
    assert_eq!(handfast_codec::relay::data_kind(&bytes), None);
    let sticky = |len: usize| relay([&[15, 1][..], &vec![0; len]].concat());
    assert!(sticky(512).is_ok());
    assert_eq!(sticky(513), Err(error(ErrorCode::FIELD_LENGTH, 2, "sticky value")));
    let attached = |len: usize| relay([&[7][..], &list(&[(1, &[0; 8]), (9, &vec![0; len])])].concat());
    assert!(attached(512).is_ok() && attached(1).is_ok());
    assert_eq!(attached(513), Err(error(ErrorCode::FIELD_LENGTH, 14, "phone sticky")));
    assert_eq!(attached(0), Err(error(ErrorCode::FIELD_LENGTH, 13, "phone sticky")));
    let origin =
        |len: usize| relay([&[11, 1][..], &list(&[(3, &[0; 8]), (5, &[0]), (7, &vec![b'x'; len])])].concat());
    assert!(origin(128).is_ok());
    assert_eq!(origin(129), Err(error(ErrorCode::FIELD_LENGTH, 18, "peer origin")));
}

#[test]
fn a_pairing_attach_with_a_key_or_a_salt_too_many() {
    // req: RLY-009
    let frames = samples::relay_frames();
    for (sample, other) in [(2, 11_u64), (3, 9)] {
        let bytes = frames[sample].encode();
        for (kind, value) in [(other, &[5; 32][..]), (13, &[6; 16])] {
            let mut all = fields(&bytes[1..]);
            all.push((kind, value.to_vec()));
            all.sort();
            let list: Vec<u8> = all.iter().flat_map(|(kind, value)| framed(*kind, value)).collect();
            let refused = relay([&[5][..], &list].concat()).unwrap_err();
            assert_eq!(refused.code, ErrorCode::FIELD_VALUE, "{kind}");
        }
    }
}

#[test]
fn a_record_of_another_size() {
    // req: CHN-011
    let wrong_size = error(ErrorCode::BAD_RECORD_SIZE, 0, "record");
    for len in [0, 1, 127, 129, 255, 384, 16_383, 16_385, 32_768] {
        assert_eq!(decode_record(record(&[], len)), Err(wrong_size), "{len}");
        assert_eq!(check_ciphertext_len(len + 16), Err(wrong_size), "{len}");
    }
    assert_eq!(check_ciphertext_len(15), Err(wrong_size));
    // The size is looked at before the frames are.
    assert_eq!(decode_record(record(&[43, 0], 100)), Err(wrong_size));
    for len in (0..8).map(|k| 128 << k) {
        assert_eq!(check_ciphertext_len(len + 16), Ok(()));
    }
    assert_eq!(decode_record(record(&[], 128)), Ok(vec![]), "an empty record");
    assert_eq!(decode_record(record(&[], 256)), Err(wrong_size), "not the smallest that holds nothing");
    // 128 bytes of frames fit 128 bytes; 129 do not.
    let fill = |len: usize| record(&framed(23, &vec![1; len - 3]), len.next_power_of_two());
    assert_eq!(framed(23, &[1; 125]).len(), 128);
    assert!(decode_record(fill(128)).is_ok() && decode_record(fill(129)).is_ok());
    assert!(decode_record(record(&framed(23, &[1; 60]), 128)).is_ok());
    assert_eq!(decode_record(record(&framed(23, &[1; 60]), 256)), Err(wrong_size));
    assert!(decode_record(fill(256)).is_ok());
    let wrong_size = error(ErrorCode::BAD_RECORD_SIZE, 0, "handshake payload");
    for len in [0, 127, 129, 4_096, 16_384] {
        assert_eq!(Xk3::decode(&record(&[], len)), Err(wrong_size), "{len}");
    }
    assert_eq!(Xk3::decode(&record(&[], 256)), Err(wrong_size), "not the smallest");
    assert_eq!(Xk3::decode(&record(&framed(2, &[1; 2_000]), 2_048)), Ok(Xk3));
    assert_eq!(
        Xk3::decode(&record(&framed(2, &[1; 126]), 128)),
        Err(error(ErrorCode::TRUNCATED, 3, "tlv value"))
    );
}

#[test]
fn padding_that_is_not_zero() {
    // req: CHN-002
    for at in [3, 4, 64, 127] {
        let mut bytes = record(&[3, 1, 1], 128).to_vec();
        bytes[at] = 1;
        let refused = decode_record(bytes.into()).unwrap_err();
        let expected = if at == 3 {
            // The byte is the type of a PING without a body then.
            error(ErrorCode::TRUNCATED, 5, "ping id")
        } else {
            error(ErrorCode::BAD_PADDING, at, "padding")
        };
        assert_eq!(refused, expected, "{at}");
    }
    let mut payload = samples::xk1().encode();
    payload[127] = 1;
    assert_eq!(Xk1::decode(&payload), Err(error(ErrorCode::BAD_PADDING, 127, "padding")));
}
