//! What the companion's page needs in WebAssembly besides `handfast::wasm`: encoding and decoding the chat
//! application's messages, and drawing QR codes.

mod messages;

use js_sys::Uint8Array;
use qrcode::{EcLevel, QrCode};
use wasm_bindgen::prelude::*;

pub use handfast::wasm::{ContentHasher, WebLink, WebPairing, decode_row, media_type, relay_url, row_digest};
pub use messages::{
    changes_collection, chats_collection, companions_collection, decode_item, decode_now, decode_result,
    delete_message, edit_text, history, mark_read, messages_collection, now_fault, react, send_media,
    send_text, typing,
};

/// The width of a QR code's quiet zone, in modules.
const QUIET_ZONE: usize = 4;

/// Draws a QR code. Returns its modules row by row, 1 for dark and 0 for light, including the quiet zone. The
/// code is square, so its width is the square root of the number of modules.
///
/// # Errors
///
/// The text is too long for a QR code.
#[wasm_bindgen(js_name = drawCode)]
pub fn draw_code(text: &str) -> Result<Uint8Array, JsError> {
    // req: QRP-007
    modules(text)
        .map(|dark| Uint8Array::from(dark.as_slice()))
        .ok_or_else(|| JsError::new("too long for a code"))
}

fn modules(text: &str) -> Option<Vec<u8>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let inner = code.width();
    let width = inner + 2 * QUIET_ZONE;
    let mut dark = vec![0; width * width];
    for (index, color) in code.to_colors().into_iter().enumerate() {
        let (x, y) = (index % inner + QUIET_ZONE, index / inner + QUIET_ZONE);
        dark[y * width + x] = u8::from(color == qrcode::Color::Dark);
    }
    Some(dark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_code_is_square_with_its_quiet_zone() {
        // req: QRP-007
        let dark = modules(&"A".repeat(119)).expect("it fits");
        let width = dark.len().isqrt();
        assert_eq!(width * width, dark.len());
        assert!(dark[..QUIET_ZONE * width].iter().all(|module| *module == 0), "light above");
        assert_eq!(dark[QUIET_ZONE * width + QUIET_ZONE], 1, "the finder begins behind it");
        assert!(modules(&"a".repeat(5000)).is_none());
    }
}
