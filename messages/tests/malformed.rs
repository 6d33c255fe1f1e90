//! Sweeps of malformed bytes: whatever they are, no panic, and an error that names a place in them.

#[path = "../../codec/tests/support/encoded.rs"]
#[expect(dead_code, reason = "each test file uses some of it")]
mod encoded;
#[path = "support/samples.rs"]
mod samples;
#[path = "../../codec/tests/support/walk.rs"]
mod walk;

use bytes::Bytes;
use handfast_messages::{Command, Item, MediaDescriptor, ResultBody};

#[test]
fn every_type_with_every_short_length() {
    for kind in 0..=u8::MAX {
        for len in 0..=4_u8 {
            for fill in [0, 1, 0x3f, 0x40, 0xff] {
                let body = vec![fill; usize::from(len)];
                let inputs = vec![[&[kind][..], &body].concat(), [&[kind, len][..], &body].concat()];
                for input in &inputs {
                    decode_all(input);
                }
            }
        }
    }
}

#[test]
fn every_sample_cut_at_every_byte() {
    for sample in samples::all() {
        for len in 0..sample.bytes.len() {
            let cut = sample.bytes.slice(..len);
            decode_all(&cut);
            match (sample.again)(cut.clone()) {
                // What is left may be whole: a body that has no length of its own, or fields that are optional.
                Ok(again) => assert_eq!(again, cut, "{} cut to {len}", sample.name),
                Err(error) => assert!(error.at <= len, "{} cut to {len}: {error}", sample.name),
            }
        }
    }
}

/// Gives the bytes to every decoder.
fn decode_all(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let checks = [
        Command::decode(input).err(),
        ResultBody::decode(&bytes).err(),
        Item::decode(input).err(),
        MediaDescriptor::decode(input).err(),
    ];
    for error in checks.into_iter().flatten() {
        assert!(error.at <= input.len() && error.code.is_known(), "{error} for {input:02x?}");
    }
}
