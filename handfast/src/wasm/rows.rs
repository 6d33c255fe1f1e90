//! Rows of the sync lane, and the digest of rows, for web pages.

use bytes::Bytes;
use handfast_codec::frame::{Row, RowId};
use handfast_session::RowDigest;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::js_object::object;
use super::{Refusal, refused};

/// Decodes a row from an item of a `delta` or `page`.
///
/// # Errors
/// The item is not a row.
#[wasm_bindgen(js_name = decodeRow, unchecked_return_type = "Row")]
pub fn decode_row(item: Vec<u8>) -> Result<JsValue, Refusal> {
    let row = Row::decode(&Bytes::from(item)).map_err(refused)?;
    Ok(object(&[
        ("id", Uint8Array::from(row.id.as_bytes()).into()),
        ("rev", row.rev.into()),
        ("body", Uint8Array::from(&row.body[..]).into()),
    ]))
}

/// Returns the digest of rows. The rows' ids and revisions are two lists in the same order.
///
/// # Errors
/// An id is empty or too long, or the two lists differ in length.
#[wasm_bindgen(js_name = rowDigest)]
pub fn row_digest(ids: Vec<Uint8Array>, revs: Vec<u64>) -> Result<Vec<u8>, Refusal> {
    if ids.len() != revs.len() {
        return Err(Refusal::argument("each row has a name and a revision"));
    }
    let mut digest = RowDigest::default();
    for (id, rev) in ids.into_iter().zip(revs) {
        let id = RowId::new(Bytes::from(id.to_vec())).ok_or_else(|| Refusal::argument("not a row's name"))?;
        digest.add(&id, rev);
    }
    Ok(digest.value().to_vec())
}
