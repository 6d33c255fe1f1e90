//! JavaScript objects and byte arrays.

use js_sys::{Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

/// The name and value of an object's field.
pub(super) type Field = (&'static str, JsValue);

/// Returns an object with these fields.
pub(super) fn object(fields: &[Field]) -> JsValue {
    let object = Object::new();
    set(&object, fields);
    object.into()
}

fn set(object: &Object, fields: &[Field]) {
    for (name, value) in fields {
        // Setting a field of a plain object never fails.
        let _ = Reflect::set(object, &(*name).into(), value);
    }
}

/// Returns an object with this type and these fields.
pub(super) fn typed(name: &str, fields: &[Field]) -> JsValue {
    let object = Object::new();
    set(&object, &[("type", name.into())]);
    set(&object, fields);
    object.into()
}

/// Returns a copy of the bytes. The page owns the copy.
pub(super) fn bytes(slice: &[u8]) -> JsValue {
    Uint8Array::from(slice).into()
}
