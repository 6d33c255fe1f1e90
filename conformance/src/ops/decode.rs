//! Decoding: QR text, relay frames, records, handshake payloads.

use anyhow::{Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use handfast_codec::error::DecodeError;
use handfast_codec::payload::{Kk1, Kk2, Xk1, Xk2, Xk3};
use handfast_codec::qr::QrOffer;
use handfast_codec::record::{RecordBuilder, decode_link_record, decode_record_from};
use handfast_codec::relay::{DATA_HEADER_LEN, RelayFrame};
use handfast_codec::role::DeviceRole;
use serde_json::{Map, Value, json};

use super::outcome::{Ending, Outcome};
use crate::describe;
use crate::fields::Fields;

/// Takes a decoded value further, or gives the code.
fn decoded<T>(decoded: Result<T, DecodeError>, then: impl FnOnce(T) -> Result<Value>) -> Result<Ending> {
    match decoded {
        Ok(value) => Ok(Ok(Outcome::of(then(value)?))),
        Err(error) => Ok(Err(error.code())),
    }
}

pub(super) fn qr(input: &Map<String, Value>) -> Result<Ending> {
    let text = input.text("text")?;
    decoded(QrOffer::decode(text), |offer| {
        ensure!(offer.encode().as_str() == text, "a code has one text");
        Ok(describe::offer(&offer))
    })
}

pub(super) fn relay(input: &Map<String, Value>) -> Result<Ending> {
    let bytes = Bytes::from(input.bytes("frame")?);
    decoded(RelayFrame::decode(bytes), |frame| describe::relay_frame(&frame))
}

fn role(text: &str) -> Result<DeviceRole> {
    Ok(match text {
        "phone" => DeviceRole::Phone,
        "web" => DeviceRole::Web,
        other => bail!("{other} is no role"),
    })
}

pub(super) fn record(input: &Map<String, Value>) -> Result<Ending> {
    let plaintext = Bytes::from(input.bytes("plaintext")?);
    decoded(decode_record_from(plaintext.clone(), role(input.text("from")?)?), |frames| {
        if !input.contains_key("grease") {
            let mut builder = RecordBuilder::new();
            ensure!(frames.iter().all(|frame| builder.push(frame)), "a frame that was read can be written");
            same(builder.finish(), &plaintext)?;
        }
        let frames: Result<Vec<_>> = frames.iter().map(describe::frame).collect();
        Ok(json!({ "frames": frames? }))
    })
}

pub(super) fn link_record(input: &Map<String, Value>) -> Result<Ending> {
    let plaintext = Bytes::from(input.bytes("plaintext")?);
    decoded(decode_link_record(plaintext.clone()), |frames| {
        if !input.contains_key("grease") {
            let mut builder = RecordBuilder::new();
            ensure!(
                frames.iter().all(|frame| builder.push_link(frame)),
                "a frame that was read can be written"
            );
            same(builder.finish(), &plaintext)?;
        }
        let frames: Result<Vec<_>> = frames.iter().map(describe::link_frame).collect();
        Ok(json!({ "frames": frames? }))
    })
}

/// A record has one form.
fn same(mut written: BytesMut, plaintext: &Bytes) -> Result<()> {
    ensure!(written.split_off(DATA_HEADER_LEN) == plaintext, "a record has one form");
    Ok(())
}

pub(super) fn payload(input: &Map<String, Value>) -> Result<Ending> {
    let bytes = input.bytes("payload")?;
    match input.text("kind")? {
        "xk1" => decoded(Xk1::decode(&bytes), |payload| Ok(describe::xk1(&payload))),
        "xk2" => decoded(Xk2::decode(&bytes), |payload| Ok(describe::xk2(&payload))),
        "xk3" => decoded(Xk3::decode(&bytes), |_| Ok(json!({}))),
        "kk1" => decoded(Kk1::decode(&bytes), |payload| Ok(describe::kk1(&payload))),
        "kk2" => decoded(Kk2::decode(&bytes), |payload| Ok(describe::kk2(&payload))),
        other => bail!("{other} is no payload"),
    }
}
