//! Plaintexts of records, and the words of the application inside of them.

use core::fmt::Debug;

use bytes::Bytes;
use handfast_codec::frame::Frame;
use handfast_codec::limits::RECORD_PLAINTEXT_LEN_MAX;
use handfast_codec::record::{
    RecordBuilder, check_ciphertext_len, decode_link_record, decode_record, decode_record_from, padded_len,
};
use handfast_codec::{DecodeError, DeviceRole};
use handfast_messages::{CollectionName, Command, Item, NowValue, ResultBody};

use crate::walk;

/// Reads the bytes as the plaintext of a record, as they are and padded.
///
/// # Panics
/// When a record that is accepted is not the only form of its frames, is over a limit, or when a fault lies outside of
/// the bytes.
pub fn run(data: &[u8]) {
    check(data);
    if let Some(len) = padded_len(data.len()) {
        let mut padded = Vec::from(data);
        padded.resize(len, 0);
        check(&padded);
    }
}

fn check(data: &[u8]) {
    let input = Bytes::copy_from_slice(data);
    check_record(&input);
    check_link_record(&input);
    let size = check_ciphertext_len(data.len() + 16);
    assert!(size.is_ok() || decode_record(input).is_err(), "a record of a wrong size is refused");
}

fn check_record(input: &Bytes) {
    let decoded = decode_record(input.clone());
    for role in [DeviceRole::Phone, DeviceRole::Web] {
        let allowed = decoded.as_ref().is_ok_and(|f| f.iter().all(|f| f.frame_type().is_allowed_from(role)));
        assert_eq!(
            decode_record_from(input.clone(), role).is_ok(),
            allowed,
            "a role may send what its frames allow"
        );
    }
    let frames = match decoded {
        Ok(frames) => frames,
        Err(error) => return check_error(error, input),
    };
    check_sizes(input, frames.len(), frames.capacity());
    let mut again = RecordBuilder::new();
    for frame in &frames {
        assert!(frame.is_within_limits() && again.push(frame), "a frame that was accepted can be sent");
        check_words(frame);
    }
    let again = again.finish().freeze().slice(2..);
    if walk::list_ignores(input) {
        assert_eq!(decode_record(again), Ok(frames), "what is ignored changes nothing");
    } else {
        assert_eq!(&again, input, "accepted bytes are the only ones of their frames");
    }
}

fn check_link_record(input: &Bytes) {
    let frames = match decode_link_record(input.clone()) {
        Ok(frames) => frames,
        Err(error) => return check_error(error, input),
    };
    check_sizes(input, frames.len(), frames.capacity());
    let mut again = RecordBuilder::new();
    assert!(frames.iter().all(|frame| again.push_link(frame)), "a frame that was accepted can be sent");
    let again = again.finish().freeze().slice(2..);
    if walk::link_frames_ignore(input) {
        assert_eq!(decode_link_record(again), Ok(frames), "what is ignored changes nothing");
    } else {
        assert_eq!(&again, input, "accepted bytes are the only ones of their frames");
    }
}

/// A frame has two bytes at least, so the frames of a record, and what is allocated for them, are bounded by its size.
fn check_sizes(input: &Bytes, frames: usize, capacity: usize) {
    assert!(input.len() <= RECORD_PLAINTEXT_LEN_MAX, "a record has a maximum");
    assert!(frames * 2 <= input.len(), "a frame has two bytes at least");
    assert!(capacity <= input.len().max(8), "what is allocated is bounded by the input");
}

fn check_error(error: DecodeError, input: &Bytes) {
    assert!(error.at <= input.len() && error.code.is_known(), "a fault lies in the record: {error}");
}

/// Reads the bodies of a frame as the application does.
fn check_words(frame: &Frame) {
    match frame {
        Frame::Msg { body, .. } => {
            let ignored = walk::body_ignores(body, (5, 3));
            check_body(body, ignored, Command::decode(body), Command::encode, |b| Command::decode(&b));
            let ignored = walk::body_ignores(body, (0, 0));
            check_body(body, ignored, ResultBody::decode(body), ResultBody::encode, |b| {
                ResultBody::decode(&b)
            });
        }
        Frame::Delta { collection, items, .. } | Frame::Page { collection, items, .. } => {
            if let Some(name) = CollectionName::decode(collection) {
                assert_eq!(
                    name.encode().as_ref(),
                    Some(collection),
                    "a name is the only one of its collection"
                );
            }
            let all: Vec<Bytes> = items.iter().collect();
            let len: usize = all.iter().map(|item| item.len() + if item.len() < 64 { 1 } else { 2 }).sum();
            assert_eq!(len, items.len(), "every byte of a list belongs to an item");
            for item in all {
                let ignored = walk::body_ignores(&item, (3, 15));
                check_body(&item, ignored, Item::decode(&item), Item::encode, |b| Item::decode(&b));
            }
        }
        Frame::Now { slot, body } => {
            if let Ok(Some(value)) = NowValue::decode(*slot, body) {
                assert_eq!((value.slot(), value.encode()), (*slot, body.clone()), "a value has one form");
            }
        }
        _ => {}
    }
}

fn check_body<T: Debug + PartialEq>(
    body: &Bytes,
    ignored: bool,
    decoded: Result<T, DecodeError>,
    encode: fn(&T) -> Bytes,
    decode: fn(Bytes) -> Result<T, DecodeError>,
) {
    match decoded {
        Ok(value) if ignored => {
            assert_eq!(decode(encode(&value)), Ok(value), "what is ignored changes nothing");
        }
        Ok(value) => assert_eq!(&encode(&value), body, "accepted bytes are the only ones of their value"),
        Err(error) => check_error(error, body),
    }
}
