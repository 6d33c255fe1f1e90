//! Encoding and decoding are inverse, both ways.

#[path = "support/encoded.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod encoded;
#[path = "support/samples.rs"]
#[expect(dead_code, reason = "each test file uses some of the samples")]
mod samples;
#[path = "support/strategies.rs"]
mod strategies;
#[path = "support/values.rs"]
mod values;
#[path = "support/walk.rs"]
mod walk;

use bytes::Bytes;
use handfast_codec::frame::Frame;
use handfast_codec::ids::DhPublic;
use handfast_codec::payload::{Kk1, Kk2, ResumeBlock, Xk1, Xk2};
use handfast_codec::qr::{QrOffer, RelayRef};
use handfast_codec::record::{RecordBuilder, decode_link_record, decode_record, padded_len};
use handfast_codec::relay::RelayFrame;
use handfast_codec::varint::{put_varint, take_varint, varint_len};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_varint_comes_back(value in values::number(), rest in vec(any::<u8>(), 0..4)) {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        prop_assert_eq!(bytes.len(), varint_len(value));
        bytes.extend_from_slice(&rest);
        prop_assert_eq!(take_varint(&bytes), Ok((value, rest.as_slice())));
    }

    #[test]
    fn a_relay_frame_comes_back(frame in strategies::relay_frame()) {
        prop_assert_eq!(RelayFrame::decode(frame.encode()), Ok(frame));
    }

    #[test]
    fn a_frame_comes_back_and_its_length_is_exact(frame in strategies::frame()) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        prop_assert!(frame.is_within_limits());
        prop_assert_eq!(bytes.len(), frame.encoded_len());
        prop_assert_eq!(Frame::decode(&bytes.into()), Ok(Some(frame)));
    }

    #[test]
    fn a_link_record_comes_back(frames in vec(strategies::link_frame(), 0..5)) {
        let mut record = RecordBuilder::new();
        for frame in &frames {
            prop_assert!(record.push_link(frame));
        }
        prop_assert_eq!(decode_link_record(plaintext(record)), Ok(frames));
    }

    #[test]
    fn handshake_payloads_come_back(
        xk1 in strategies::xk1(),
        xk2 in strategies::xk2(),
        kk1 in strategies::kk1(),
        kk2 in strategies::kk2(),
        block in strategies::resume_block(),
    ) {
        prop_assert_eq!(Xk1::decode(&xk1.encode()), Ok(xk1));
        let again = Xk2::decode(&xk2.encode()).unwrap();
        prop_assert_eq!(again.encode(), xk2.encode());
        prop_assert_eq!(again.opening.expose(), xk2.opening.expose());
        prop_assert_eq!(Kk1::decode(&kk1.encode()), Ok(kk1));
        prop_assert_eq!(Kk2::decode(&kk2.encode()), Ok(kk2));
        prop_assert_eq!(ResumeBlock::decode(&block.encode()), Ok(block));
    }

    #[test]
    fn an_offer_comes_back(key in any::<[u8; 31]>(), secret in any::<[u8; 32]>(), name in strategies::relay_name()) {
        let mut web_key = [0; 32];
        web_key[..31].copy_from_slice(&key);
        let offer = QrOffer::new(DhPublic::from_bytes(web_key), secret, RelayRef::Host(name)).unwrap();
        let text = offer.encode();
        let decoded = QrOffer::decode(&text).unwrap();
        prop_assert_eq!(decoded.secret(), &secret);
        prop_assert_eq!(decoded.payload_without_secret(), offer.payload_without_secret());
        prop_assert_eq!(&decoded.encode(), &text);
    }

    /// The same frames, placed differently into records and with grease between them, are the same frames.
    #[test]
    fn frames_do_not_depend_on_their_records(
        frames in vec(strategies::frame(), 0..30),
        cuts in vec(any::<bool>(), 30),
        grease in vec(any::<u8>(), 30),
    ) {
        let mut decoded = Vec::new();
        let mut record = RecordBuilder::new();
        for (n, frame) in frames.iter().enumerate() {
            if cuts[n] || !record.push(frame) {
                let full = std::mem::take(&mut record);
                decoded.extend(decode_record(plaintext(full)).unwrap());
                record.grease(grease[n]);
                prop_assert!(record.push(frame), "a frame fits a record that is empty but for grease");
            }
        }
        decoded.extend(decode_record(plaintext(record)).unwrap());
        prop_assert_eq!(decoded, frames);
    }

    /// A decoder that accepts bytes accepts one form only: writing the value gives the bytes again, unless they held
    /// something that is ignored.
    #[test]
    fn accepted_bytes_are_canonical(sample in any::<prop::sample::Index>(), edits in vec(encoded::edit(), 1..4)) {
        let samples = samples::all();
        samples[sample.index(samples.len())].is_canonical_behind(&edits);
    }

    #[test]
    fn accepted_records_are_canonical(frames in vec(strategies::frame(), 1..6), edits in vec(encoded::edit(), 0..3)) {
        let mut record = RecordBuilder::new();
        for frame in &frames {
            let _ = record.push(frame);
        }
        let mut bytes = plaintext(record).to_vec();
        for edit in &edits {
            edit.apply(&mut bytes);
        }
        if let Ok(frames) = decode_record(bytes.clone().into()) {
            let mut again = RecordBuilder::new();
            prop_assert!(frames.iter().all(|frame| again.push(frame)));
            prop_assert!(plaintext(again) == bytes || walk::ignores(&bytes));
        }
    }
}

#[test]
fn every_sample_comes_back() {
    samples::all().iter().for_each(encoded::Sample::comes_back);
}

#[test]
fn a_record_is_filled_to_the_last_byte_and_no_further() {
    let body = Bytes::from_static(&[7; 16_000]);
    let mut record = RecordBuilder::with_capacity(16_384);
    assert!(record.push(&Frame::Data { id: 0, offset: 0, body: body.clone() }));
    let room = record.room();
    assert_eq!(room, 16_384 - 16_005);
    let filler = |len: usize| Frame::Data { id: 0, offset: 0, body: body.slice(..len) };
    assert!(!record.push(&filler(room - 4)));
    assert!(record.push(&filler(room - 5)));
    assert_eq!((record.len(), record.room()), (16_384, 0));
    record.grease(0xff);
    assert_eq!(record.len(), 16_384, "grease never overflows a record");
    let buffer = record.finish();
    assert!(buffer.capacity() >= 2 + 16_384 + 16, "there is room for the tag");
    assert_eq!(decode_record(buffer.freeze().slice(2..)).unwrap().len(), 2);
}

#[test]
fn a_record_of_known_size_is_filled_without_moving() {
    let mut record = RecordBuilder::with_capacity(16_384);
    let before = format!("{:p}", record_start(&record));
    let body = Bytes::from_static(&[7; 16_000]);
    assert!(record.push(&Frame::Data { id: 0, offset: 0, body }));
    let buffer = record.finish();
    assert_eq!(format!("{:p}", buffer.as_ptr()), before);
}

#[test]
fn padding_takes_the_smallest_size() {
    let cases = [
        (0, 128),
        (128, 128),
        (129, 256),
        (256, 256),
        (257, 512),
        (1_025, 2_048),
        (8_193, 16_384),
        (16_384, 16_384),
    ];
    for (len, padded) in cases {
        assert_eq!(padded_len(len), Some(padded), "{len}");
    }
    assert_eq!(padded_len(16_385), None);
    assert_eq!(padded_len(usize::MAX), None);
}

fn plaintext(record: RecordBuilder) -> Bytes {
    record.finish().freeze().slice(2..)
}

fn record_start(record: &RecordBuilder) -> *const u8 {
    record.as_slice().as_ptr()
}
