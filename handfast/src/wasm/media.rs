//! Media for pages: lists of chunks, and the check of content as it arrives (spec, streams, *Media*).

use handfast_codec::ErrorCode;
use handfast_codec::ids::ContentId;
use handfast_codec::stream_meta::{GetMeta, PutMeta};
use handfast_media::{self, ChunkList};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::js_object::object;
use super::refused;
use crate::hex::parse_hex;

fn content_id(text: &str) -> Result<ContentId, JsError> {
    parse_hex(text).map(ContentId::from_bytes).ok_or_else(|| JsError::new("not a content id"))
}

/// A length or offset for the page. Content has at most 2 GiB, which a page holds exactly.
#[expect(clippy::cast_precision_loss, reason = "at most 2^32")]
fn length(value: u64) -> f64 {
    value as f64
}

/// A length or offset from the page.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be whole and in range"
)]
fn offset(value: f64) -> Result<u64, JsError> {
    if (0.0..=length(1 << 32)).contains(&value) && value.fract() == 0.0 {
        Ok(value as u64)
    } else {
        Err(JsError::new("not an offset in content"))
    }
}

/// What `streamOpen` says of content that is offered.
///
/// # Errors
/// That is no content id, or no size.
#[wasm_bindgen(js_name = putMeta)]
pub fn put_meta(content: &str, size: f64) -> Result<Vec<u8>, JsError> {
    Ok(PutMeta { content: content_id(content)?, offset: 0, size: offset(size)? }.encode())
}

/// What `streamOpen` says of content that is wanted, from an offset that is a multiple of the chunks' length.
///
/// # Errors
/// That is no content id, or no offset.
#[wasm_bindgen(js_name = getMeta)]
pub fn get_meta(content: &str, from: f64) -> Result<Vec<u8>, JsError> {
    Ok(GetMeta { content: content_id(content)?, offset: offset(from)? }.encode())
}

/// Makes the chunk list of content that is read once, in order.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct ContentHasher(media::ContentHasher);

#[wasm_bindgen]
impl ContentHasher {
    /// A hasher that has seen nothing.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The content's id, and the list that goes in front of it in a stream.
    #[wasm_bindgen(unchecked_return_type = "{ content: string; list: Uint8Array }")]
    #[must_use]
    pub fn finish(self) -> JsValue {
        let list = self.0.finish();
        object([
            ("content", list.content_id().to_string().into()),
            ("list", Uint8Array::from(list.encode().as_slice()).into()),
        ])
    }
}

/// Checks the bytes of an incoming stream of media, which may leave out the beginning of the content.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MediaReceiver {
    receiver: media::MediaReceiver,
    from: u64,
    /// The offset of the stream up to which everything is checked, and that which was reported.
    checked: u64,
    reported: u64,
}

#[wasm_bindgen]
impl MediaReceiver {
    /// A receiver of a stream that begins at an offset of the content.
    ///
    /// # Errors
    /// That is no content id, or no offset of a chunk.
    #[wasm_bindgen(constructor)]
    pub fn new(content: &str, from: f64) -> Result<Self, JsError> {
        let from = offset(from)?;
        let receiver = media::MediaReceiver::new(content_id(content)?, from).map_err(refused)?;
        Ok(Self { receiver, from, checked: 0, reported: 0 })
    }

    /// A receiver that goes on in such a stream, of which `durable` bytes were reported; the list is known.
    ///
    /// # Errors
    /// The list is not that of the content, or an offset is none of its chunks.
    #[wasm_bindgen(js_name = goOn)]
    pub fn go_on(content: &str, list: &[u8], from: f64, durable: f64) -> Result<Self, JsError> {
        let (from, durable) = (offset(from)?, offset(durable)?);
        let list = ChunkList::decode(list).map_err(refused)?;
        let receiver =
            media::MediaReceiver::resume(content_id(content)?, list, from, durable).map_err(refused)?;
        Ok(Self { receiver, from, checked: durable, reported: durable })
    }

    /// Takes the next bytes of the stream; gives how many of them, from their end, are content.
    ///
    /// # Errors
    /// A chunk or the list is not that of the content.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, JsError> {
        let taken = self.receiver.take(bytes).map_err(refused)?;
        self.checked = taken.checked;
        Ok(taken.content)
    }

    /// Whether there is something to write down and report: `hasFin` says that the stream's end came.
    #[wasm_bindgen(js_name = isBehind)]
    #[must_use]
    pub fn is_behind(&self, has_fin: bool) -> bool {
        self.receiver.is_behind(self.checked, self.reported, has_fin)
    }

    /// The offset of the stream up to which everything is checked, and may be reported once it is durable. It counts as
    /// reported from now on.
    pub fn report(&mut self) -> f64 {
        self.reported = self.checked;
        length(self.reported)
    }

    /// How much of the content is checked, in bytes from its beginning.
    #[must_use]
    pub fn checked(&self) -> f64 {
        let list = self.receiver.list().map_or(0, ChunkList::encoded_len);
        length(self.from.saturating_add(self.checked.saturating_sub(list)))
    }

    /// The list, once it is known.
    #[must_use]
    pub fn list(&self) -> Option<Vec<u8>> {
        self.receiver.list().map(ChunkList::encode)
    }

    /// The size of the content, once the list is known.
    #[must_use]
    pub fn size(&self) -> Option<f64> {
        self.receiver.list().map(|list| length(list.size()))
    }

    /// Whether all content is there.
    #[wasm_bindgen(js_name = isComplete)]
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.receiver.is_complete()
    }
}

/// The type of a file, as its first bytes say.
#[wasm_bindgen(js_name = mediaType)]
#[must_use]
pub fn media_type(head: &[u8]) -> String {
    crate::media_type::media_type(head).to_owned()
}

/// A code by its name, as `streamStop` takes it.
pub(super) fn code(name: &str) -> Option<ErrorCode> {
    [ErrorCode::CANCELLED, ErrorCode::HASH, ErrorCode::IO, ErrorCode::GONE]
        .into_iter()
        .find(|code| code.to_string() == name)
}
