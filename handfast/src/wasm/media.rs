//! Media for pages: content ids, chunk lists, media types (spec, streams, *Media*).

use handfast_codec::ErrorCode;
use handfast_codec::ids::ContentId;
use handfast_media as media;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::Refusal;
use super::js_object::object;
use crate::hex::parse_hex;

/// Parses a content id.
pub(super) fn content_id(text: &str) -> Result<ContentId, Refusal> {
    parse_hex(text).map(ContentId::from_bytes).ok_or_else(|| Refusal::argument("not a content id"))
}

/// Converts a length or offset for the page. Content has at most 2 GiB, and JavaScript represents numbers up
/// to that exactly.
#[expect(clippy::cast_precision_loss, reason = "at most 2^32")]
pub(super) fn length(value: u64) -> f64 {
    value as f64
}

/// Converts a length or offset from the page.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be whole and in range"
)]
pub(super) fn offset(value: f64) -> Result<u64, Refusal> {
    if (0.0..=length(1 << 32)).contains(&value) && value.fract() == 0.0 {
        Ok(value as u64)
    } else {
        Err(Refusal::argument("not an offset in content"))
    }
}

/// Builds the chunk list of content. The content is read once, in order.
///
/// This is a pass of its own over content that is sent: its id and its list must be known before a stream is
/// opened, and the page may hash in another thread, with another instance of this module.
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
        object(&[
            ("content", list.content_id().to_string().into()),
            ("list", Uint8Array::from(list.encode().as_slice()).into()),
        ])
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
    match name {
        "CANCELLED" => Some(ErrorCode::CANCELLED),
        "IO" => Some(ErrorCode::IO),
        "GONE" => Some(ErrorCode::GONE),
        _ => None,
    }
}
