//! Objects and bytes as a page has them.

use js_sys::{Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

/// A field of an object: its name and value.
pub(super) type Field = (&'static str, JsValue);

/// An object with these fields.
pub(super) fn object(fields: impl IntoIterator<Item = Field>) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // A plain object takes every field.
        let _ = Reflect::set(&object, &name.into(), &value);
    }
    object.into()
}

/// Bytes that the page owns.
pub(super) fn bytes(slice: &[u8]) -> JsValue {
    Uint8Array::from(slice).into()
}
