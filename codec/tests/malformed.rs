//! Sweeps of malformed bytes: whatever they are, no panic, and an error that names a place in them.

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

use build::record;
use bytes::Bytes;
use handfast_codec::Versions;
use handfast_codec::frame::{Collection, Frame, Items};
use handfast_codec::ids::DhPublic;
use handfast_codec::link::LinkCert;
use handfast_codec::payload::{Kk1, Kk2, KkHead, ResumeBlock, Xk1, Xk2, Xk3};
use handfast_codec::qr::{QrOffer, RelayRef};
use handfast_codec::record::{decode_link_record, decode_record};
use handfast_codec::relay::RelayFrame;
use handfast_codec::varint::take_varint;

#[test]
fn every_type_with_every_short_length() {
    for input in encoded::short_inputs() {
        decode_all(&input);
        decode_all(&record(&input, 128));
    }
}

#[test]
fn every_sample_cut_at_every_byte() {
    for sample in samples::all() {
        sample.is_cut_everywhere(decode_all);
    }
    let code = samples::offer().encode();
    for len in 0..code.len() {
        assert!(QrOffer::decode(&code[..len]).is_err(), "a code of {len} letters");
    }
}

#[test]
fn the_lists_of_one_byte_types_refuse_what_they_cannot_hold() {
    assert!(Versions::new(&[]).is_none() && Versions::new(&[0; 9]).is_none());
    assert!(Collection::new(&[0; 33]).is_none());
    assert!(QrOffer::new(DhPublic::from_bytes([9; 32]), [1; 32], RelayRef::Registered(0)).is_none());
    assert!(QrOffer::new(DhPublic::from_bytes([9; 32]), [1; 32], RelayRef::Registered(240)).is_none());
    assert!(QrOffer::new(DhPublic::from_bytes([9; 32]), [1; 32], RelayRef::Private(239)).is_none());
}

/// Lets every decoder read the bytes.
fn decode_all(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let checks = [
        RelayFrame::decode(bytes.clone()).err(),
        Frame::decode(&bytes).err(),
        decode_record(bytes.clone()).err(),
        decode_link_record(bytes.clone()).err(),
        Items::decode(bytes.clone()).err(),
        LinkCert::decode(input).err(),
        Xk1::decode(input).err(),
        Xk2::decode(input).err(),
        Xk3::decode(input).err(),
        Kk1::decode(input).err(),
        Kk2::decode(input).err(),
        ResumeBlock::decode(input).err(),
        KkHead::split_from(input).err(),
        take_varint(input).err(),
    ];
    for error in checks.into_iter().flatten() {
        assert!(error.at <= input.len() && error.code.is_known(), "{error} for {input:02x?}");
    }
}
