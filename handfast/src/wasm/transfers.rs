//! The events of transfers as JavaScript objects. Content crosses to the page in buffers that are used again.

use handfast_media::{SyncStep, WRITE_LEN};
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;

use super::js_object::{bytes, typed};
use super::media::length;
use crate::transfers::TransferEvent;

/// The size of the page's buffers that hold checked content, in bytes.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "a constant below 2^32")]
const BLOCK_LEN: u32 = WRITE_LEN as u32;
/// The most of these buffers that are kept for reuse.
const BLOCKS_MAX: usize = 8;

/// The page's buffers that hold no content now. Without them, each buffer would use memory until the browser's next
/// garbage collection.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<Uint8Array>);

impl Blocks {
    /// Takes back a buffer whose content was written.
    pub(super) fn reuse(&mut self, buffer: &ArrayBuffer) {
        if buffer.byte_length() == BLOCK_LEN && self.0.len() < BLOCKS_MAX {
            self.0.push(Uint8Array::new(buffer));
        }
    }

    /// Returns an array of the page with these bytes, in a buffer that is reused if there is one.
    fn hold(&mut self, content: &[u8]) -> JsValue {
        let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let block = self.0.pop().unwrap_or_else(|| Uint8Array::new_with_length(BLOCK_LEN));
        let held = block.subarray(0, len);
        held.copy_from(content);
        held.into()
    }

    /// Converts an event into an object for the page.
    pub(super) fn event(&mut self, event: TransferEvent) -> JsValue {
        match event {
            TransferEvent::Write { id, at, bytes } => {
                let fields = [("id", id.into()), ("at", length(at).into()), ("bytes", self.hold(&bytes))];
                typed("streamWrite", &fields)
            }
            TransferEvent::Sync { id, step } => sync_event(id, &step),
            TransferEvent::Read { id, at, len } => {
                let fields = [("id", id.into()), ("at", length(at).into()), ("length", length(len).into())];
                typed("streamRead", &fields)
            }
            TransferEvent::Progress { id, offset } => {
                typed("streamProgress", &[("id", id.into()), ("offset", length(offset).into())])
            }
            TransferEvent::Ended { id, end } => {
                typed("streamEnded", &[("id", id.into()), ("end", end.to_string().into())])
            }
        }
    }
}

fn sync_event(id: u64, step: &SyncStep) -> JsValue {
    let mut fields = vec![
        ("id", id.into()),
        ("offset", length(step.offset).into()),
        ("size", length(step.size).into()),
        ("isWhole", step.is_whole.into()),
    ];
    fields.extend(step.list.as_ref().map(|list| ("list", bytes(&list.encode()))));
    typed("streamSync", &fields)
}
