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
    for input in encoded::short_inputs() {
        decode_all(&input);
    }
}

#[test]
fn every_sample_cut_at_every_byte() {
    for sample in samples::all() {
        sample.is_cut_everywhere(decode_all);
    }
}

/// Lets every decoder read the bytes.
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
