//! Media for pages: chunk lists, and the check of content on arrival (spec, streams, *Media*).

use handfast_codec::ErrorCode;
use handfast_codec::ids::ContentId;
use handfast_codec::stream_meta::{GetMeta, PutMeta};
use handfast_media::{self as media, ChunkList};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::js_object::object;
use super::refused;
use crate::hex::parse_hex;

fn content_id(text: &str) -> Result<ContentId, JsError> {
    parse_hex(text).map(ContentId::from_bytes).ok_or_else(|| JsError::new("not a content id"))
}

/// Converts a length or offset for the page. Content has at most 2 GiB, and JavaScript represents numbers up
/// to that exactly.
#[expect(clippy::cast_precision_loss, reason = "at most 2^32")]
fn length(value: u64) -> f64 {
    value as f64
}

/// Converts a length or offset from the page.
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

/// Returns the meta that `streamOpen` takes for a put: a stream in which the page offers content.
///
/// # Errors
/// `content` is not a content id, or `size` not a size.
#[wasm_bindgen(js_name = putMeta)]
pub fn put_meta(content: &str, size: f64) -> Result<Vec<u8>, JsError> {
    Ok(PutMeta { content: content_id(content)?, offset: 0, size: offset(size)? }.encode())
}

/// Returns the meta of a get, for `streamOpen`: content that the page wants, from the offset `from` on, which
/// is a multiple of the chunk length.
///
/// # Errors
/// `content` is not a content id, or `from` not an offset.
#[wasm_bindgen(js_name = getMeta)]
pub fn get_meta(content: &str, from: f64) -> Result<Vec<u8>, JsError> {
    Ok(GetMeta { content: content_id(content)?, offset: offset(from)? }.encode())
}

/// Builds the chunk list of content. The content is read once, in order.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct ContentHasher(media::ContentHasher);

#[wasm_bindgen]
impl ContentHasher {
    /// Creates a hasher that has seen no bytes.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the content id, and the chunk list that precedes the content in a stream.
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

/// Checks the bytes of an incoming media stream. The stream may begin in the middle of the content.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MediaReceiver {
    receiver: media::MediaReceiver,
    from: u64,
    /// `checked` is the stream offset up to which everything is checked, `reported` the one up to which it
    /// was reported.
    checked: u64,
    reported: u64,
}

#[wasm_bindgen]
impl MediaReceiver {
    /// Creates a receiver for a stream that begins at content offset `from`.
    ///
    /// # Errors
    /// `content` is not a content id, or `from` not the offset of a chunk.
    #[wasm_bindgen(constructor)]
    pub fn new(content: &str, from: f64) -> Result<Self, JsError> {
        let from = offset(from)?;
        let receiver = media::MediaReceiver::new(content_id(content)?, from).map_err(refused)?;
        Ok(Self { receiver, from, checked: 0, reported: 0 })
    }

    /// Creates a receiver that continues a stream. The stream's list is known, and `durable` bytes of the
    /// stream were reported.
    ///
    /// # Errors
    /// The list is not that of the content, or an offset is not one of its chunks.
    #[wasm_bindgen(js_name = goOn)]
    pub fn go_on(content: &str, list: &[u8], from: f64, durable: f64) -> Result<Self, JsError> {
        let (from, durable) = (offset(from)?, offset(durable)?);
        let list = ChunkList::decode(list).map_err(refused)?;
        let receiver =
            media::MediaReceiver::resume(content_id(content)?, list, from, durable).map_err(refused)?;
        Ok(Self { receiver, from, checked: durable, reported: durable })
    }

    /// Checks the next bytes of the stream. Returns how many of them are content: the last ones, after the
    /// list.
    ///
    /// # Errors
    /// A chunk or the list does not match the content id.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, JsError> {
        let taken = self.receiver.take(bytes).map_err(refused)?;
        self.checked = taken.checked;
        Ok(taken.content)
    }

    /// Returns whether so many bytes are checked that they should be made durable and reported. `has_fin`
    /// tells whether the stream's end has come.
    #[wasm_bindgen(js_name = isBehind)]
    #[must_use]
    pub fn is_behind(&self, has_fin: bool) -> bool {
        self.receiver.is_behind(self.checked, self.reported, has_fin)
    }

    /// Returns the stream offset up to which everything is checked. That offset counts as reported from now
    /// on, so report it once the bytes are durable.
    pub fn report(&mut self) -> f64 {
        self.reported = self.checked;
        length(self.reported)
    }

    /// Returns how many bytes of the content are checked, counted from its beginning.
    #[must_use]
    pub fn checked(&self) -> f64 {
        let list = self.receiver.list().map_or(0, ChunkList::encoded_len);
        length(self.from.saturating_add(self.checked.saturating_sub(list)))
    }

    /// Returns the encoded chunk list, once all of it has arrived.
    #[must_use]
    pub fn list(&self) -> Option<Vec<u8>> {
        self.receiver.list().map(ChunkList::encode)
    }

    /// Returns the size of the content in bytes, once the chunk list has arrived.
    #[must_use]
    pub fn size(&self) -> Option<f64> {
        self.receiver.list().map(|list| length(list.size()))
    }

    /// Returns whether all of the content has arrived and been checked.
    #[wasm_bindgen(js_name = isComplete)]
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.receiver.is_complete()
    }
}

/// Returns the media type that a file's first bytes indicate.
#[wasm_bindgen(js_name = mediaType)]
#[must_use]
pub fn media_type(head: &[u8]) -> String {
    crate::media_type::media_type(head).to_owned()
}

/// Returns the error code that has this name, if `streamStop` accepts it.
pub(super) fn code(name: &str) -> Option<ErrorCode> {
    [ErrorCode::CANCELLED, ErrorCode::HASH, ErrorCode::IO, ErrorCode::GONE]
        .into_iter()
        .find(|code| code.to_string() == name)
}
