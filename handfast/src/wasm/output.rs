//! The outputs of a machine as JavaScript objects, whose types are in `types.d.ts`.

use handfast_codec::ErrorCode;
use handfast_codec::frame::{Collection, Items};
use handfast_codec::limits::RELAY_FRAME_LEN_MAX;
use handfast_codec::role::DeviceRole;
use handfast_session::resume::Verdict;
use handfast_session::{Event, Message, Output, PairingEvent, PairingOutput, SyncEvent};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::journal::Journal;
use super::js_object::{bytes, typed};
use super::milliseconds;

/// A buffer that is reused for every outgoing frame. The browser copies what it sends, but keeps each buffer
/// passed to it until the next garbage collection. With a new buffer for each frame, a large file would fill
/// the memory.
#[derive(Debug)]
pub(super) struct FrameBuffer(Uint8Array);

impl FrameBuffer {
    fn hold(&self, frame: &[u8]) -> JsValue {
        match u32::try_from(frame.len()) {
            Ok(len) if len <= self.0.length() => {
                let held = self.0.subarray(0, len);
                held.copy_from(frame);
                held.into()
            }
            _ => bytes(frame),
        }
    }
}

impl Default for FrameBuffer {
    fn default() -> Self {
        Self(Uint8Array::new_with_length(u32::try_from(RELAY_FRAME_LEN_MAX).unwrap_or(u32::MAX)))
    }
}

fn coded(name: &str, code: ErrorCode) -> JsValue {
    typed(name, &[("code", code.to_string().into())])
}

/// Returns an event as an output.
pub(super) fn event_output(event: JsValue) -> JsValue {
    typed("event", &[("event", event)])
}

/// Converts an output of a machine into an object for the page.
pub(super) fn output(output: Output, journal: &mut Journal, frames: &FrameBuffer) -> JsValue {
    match output {
        Output::Persist(commit) => typed("persist", &[("commit", journal.write(commit))]),
        Output::Deliver { message: said, commit } => {
            typed("deliver", &[("message", message(&said)), ("commit", journal.write(commit))])
        }
        Output::Transmit(frame) => typed("transmit", &[("bytes", frames.hold(&frame))]),
        Output::Event(said) => event_output(event(said)),
        Output::Wait(at) => typed("wait", at.map(|at| ("at", milliseconds(at).into())).as_slice()),
        _ => event_output(typed("other", &[])),
    }
}

/// Converts an output of a pairing into an object for the page, of the same shape as those of a link.
pub(super) fn pairing_output(output: PairingOutput, journal: &mut Journal, frames: &FrameBuffer) -> JsValue {
    match output {
        PairingOutput::Persist(commit) => typed("persist", &[("commit", journal.write(commit))]),
        PairingOutput::Transmit(frame) => typed("transmit", &[("bytes", frames.hold(&frame))]),
        PairingOutput::Connect => event_output(typed("connect", &[])),
        PairingOutput::Disconnect => event_output(typed("disconnect", &[])),
        PairingOutput::Event(said) => event_output(pairing_event(said)),
        PairingOutput::Wait(at) => typed("wait", at.map(|at| ("at", milliseconds(at).into())).as_slice()),
        _ => event_output(typed("other", &[])),
    }
}

fn message(message: &Message) -> JsValue {
    match message {
        Message::Result { key, body } => {
            let mut fields = vec![("key", key.to_string().into())];
            fields.extend(body.as_ref().map(|body| ("body", bytes(body))));
            typed("result", &fields)
        }
        Message::Delta { collection, from, to, items } => {
            let fields = [
                ("collection", bytes(collection.as_bytes())),
                ("from", (*from).into()),
                ("to", (*to).into()),
                ("items", rows(items)),
            ];
            typed("delta", &fields)
        }
        Message::Page { collection, first, last, rev, items } => typed(
            "page",
            &[
                ("collection", bytes(collection.as_bytes())),
                ("first", (*first).into()),
                ("last", (*last).into()),
                ("rev", (*rev).into()),
                ("items", rows(core::slice::from_ref(items))),
            ],
        ),
        _ => typed("other", &[]),
    }
}

fn rows(parts: &[Items]) -> JsValue {
    let all = Array::new();
    for item in parts.iter().flat_map(Items::iter) {
        let _ = all.push(&bytes(&item));
    }
    all.into()
}

fn event(event: Event) -> JsValue {
    match event {
        Event::Connect => typed("connect", &[]),
        Event::Disconnect => typed("disconnect", &[]),
        Event::State(shown) => typed("state", &[("state", shown.name().into())]),
        Event::Connected { verdict } => {
            typed("connected", &[("resumed", (verdict == Verdict::Resume).into())])
        }
        Event::PutBack { who } => {
            let who = match who {
                DeviceRole::Phone => "phone",
                DeviceRole::Web => "companion",
            };
            typed("putBack", &[("who", who.into())])
        }
        Event::Failed(code) => coded("failed", code),
        Event::Closed(code) => coded("closed", code),
        Event::Relay(code) => coded("relay", code),
        Event::Replaced => typed("replaced", &[]),
        Event::Contended(times) => typed("contended", &[("times", times.into())]),
        Event::Diverged => typed("diverged", &[]),
        Event::Suspended => typed("suspended", &[]),
        Event::Revoked => typed("revoked", &[]),
        Event::Lapsed => typed("lapsed", &[]),
        Event::Ephemeral { slot, body } => {
            typed("ephemeral", &[("slot", slot.into()), ("body", bytes(&body))])
        }
        Event::Sync(event) => sync_event(&event),
        _ => typed("other", &[]),
    }
}

fn sync_event(event: &SyncEvent) -> JsValue {
    let of = |name, collection: &Collection| typed(name, &[("collection", bytes(collection.as_bytes()))]);
    match event {
        SyncEvent::DigestWanted { collection } => of("digestWanted", collection),
        SyncEvent::InSync { collection } => of("inSync", collection),
        SyncEvent::OutOfSync { collection } => of("outOfSync", collection),
        SyncEvent::ResyncFailed { collection } => of("resyncFailed", collection),
        SyncEvent::Unsubscribed { collection } => of("unsubscribed", collection),
        _ => typed("other", &[]),
    }
}

fn pairing_event(event: PairingEvent) -> JsValue {
    match event {
        PairingEvent::CheckCode(digits) => typed("checkCode", &[("digits", digits.into())]),
        PairingEvent::ConfirmationWanted { account_name, .. } => {
            typed("numberWanted", &[("accountName", account_name.into())])
        }
        PairingEvent::Linked(link) => typed("linked", &[("link", link.to_string().into())]),
        PairingEvent::Ended(code) => coded("ended", code),
        _ => typed("other", &[]),
    }
}
