//! A pairing attempt, in the form that a web page uses.

use bytes::BytesMut;
use handfast_codec::DeviceRole;
use handfast_handshake::pairing::Claims;
use handfast_session::Pairing;
use handfast_session::pairing::{KeysInUse, ShownCodes};
use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::journal::Journal;
use super::js_object::object;
use super::output::{self, FrameBuffer};
use super::{Refusal, SystemRng, generator, pairs, refused, relay, timestamp};

/// A flag shared by all codes that a page shows at the same time, so that only one of them answers a phone.
/// Create a new flag when the user asks for a code (see `ShownCodes` of the crate `handfast-session`).
#[wasm_bindgen(js_name = ShownCodes)]
#[derive(Debug, Default)]
pub struct WebShownCodes(ShownCodes);

#[wasm_bindgen(js_class = ShownCodes)]
impl WebShownCodes {
    /// Creates a flag for codes of which none has answered a phone yet.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns whether one of the codes has answered a phone.
    #[wasm_bindgen(js_name = isAnswered)]
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.0.is_answered()
    }
}

/// One code and its pairing attempt, like `Pairing` of the crate `handfast-session`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WebPairing {
    pairing: Pairing,
    rng: SystemRng,
    journal: Journal,
    frames: FrameBuffer,
}

#[wasm_bindgen]
impl WebPairing {
    /// Creates a fresh code that waits for a phone. `origin` is the origin that the page claims. `links`
    /// contains the stored rows of each link of this page.
    ///
    /// # Errors
    /// The relay's name or a claim exceeds its limit, another code of this page has already answered a phone,
    /// or there are no random bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(
        relay_name: &str,
        label: String,
        origin: String,
        grants: u64,
        codes: &WebShownCodes,
        #[wasm_bindgen(unchecked_param_type = "[Uint8Array, Uint8Array][][]")] links: &Array,
        now: f64,
    ) -> Result<Self, Refusal> {
        let mut rng = generator()?;
        let claims = Claims { label, origin, grants };
        let mut in_use = KeysInUse::none();
        for link in links.iter() {
            in_use.add_link(DeviceRole::Web, &pairs(&Array::from(&link))).map_err(refused)?;
        }
        let pairing = Pairing::web(relay(relay_name)?, claims, &codes.0, in_use, timestamp(now), &mut rng)
            .map_err(refused)?;
        Ok(Self { pairing, rng, journal: Journal::default(), frames: FrameBuffer::default() })
    }

    /// Returns the text of the QR code. It contains the code's secret, so draw it, and do not store it.
    #[wasm_bindgen(js_name = offerText)]
    #[must_use]
    pub fn offer_text(&self) -> String {
        self.pairing.offer_text().map(|text| text.as_str().to_owned()).unwrap_or_default()
    }

    /// Returns whether a phone has scanned the code, so that the page must not replace the code.
    #[wasm_bindgen(js_name = isFrozen)]
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.pairing.is_frozen()
    }

    /// Returns the terms of the link, once both sides agree on them. Store them together with the commits.
    #[wasm_bindgen(unchecked_return_type = "Terms | undefined")]
    #[must_use]
    pub fn terms(&self) -> JsValue {
        self.pairing.terms().map_or(JsValue::UNDEFINED, |terms| {
            object(&[
                ("link", terms.mailbox.to_string().into()),
                ("accountName", terms.account_name.as_str().into()),
                ("companion", terms.companion.to_string().into()),
                ("relay", terms.relay.to_string().into()),
                ("label", terms.label.as_str().into()),
                ("grants", terms.grants.into()),
            ])
        })
    }

    /// Reports that the socket requested by `connect` is open.
    #[wasm_bindgen(js_name = handleOpened)]
    pub fn handle_opened(&mut self, now: f64) {
        self.pairing.handle_opened(timestamp(now));
    }

    /// Reports that the socket is closed, or could not be opened.
    #[wasm_bindgen(js_name = handleClosed)]
    pub fn handle_closed(&mut self, now: f64) {
        self.pairing.handle_closed(timestamp(now));
    }

    /// Handles one binary WebSocket message.
    ///
    /// # Errors
    /// No socket is open.
    #[wasm_bindgen(js_name = handleBytes)]
    pub fn handle_bytes(&mut self, now: f64, bytes: &[u8]) -> Result<(), Refusal> {
        let bytes = BytesMut::from(bytes);
        self.pairing.handle_bytes(timestamp(now), &mut self.rng, bytes).map_err(refused)
    }

    /// Reports that the deadline has passed.
    #[wasm_bindgen(js_name = handleTimeout)]
    pub fn handle_timeout(&mut self, now: f64) {
        self.pairing.handle_timeout(timestamp(now));
    }

    /// Reports a change of visibility, network or clock: a missing socket is requested without delay.
    pub fn probe(&mut self, now: f64) {
        self.pairing.probe(timestamp(now));
    }

    /// Checks the two digits that the user read on the phone. There is no second try.
    ///
    /// # Errors
    /// No digits were requested.
    #[wasm_bindgen(js_name = enterNumber)]
    pub fn enter_number(&mut self, now: f64, digits: &str) -> Result<(), Refusal> {
        self.pairing.enter_confirmation(timestamp(now), digits).map_err(refused)
    }

    /// Ends the attempt, because the phone asks for no digits or shows none, or because the user wishes so.
    ///
    /// # Errors
    /// No phone has scanned the code, or the number was already typed.
    pub fn stop(&mut self, now: f64) -> Result<(), Refusal> {
        self.pairing.stop(timestamp(now)).map_err(refused)
    }

    /// Reports that the oldest open commit is durable.
    ///
    /// # Errors
    /// No commit is open.
    pub fn committed(&mut self, now: f64) -> Result<(), Refusal> {
        self.pairing.committed(timestamp(now), self.journal.take_oldest()?).map_err(refused)
    }

    /// Returns the next thing to do.
    #[wasm_bindgen(js_name = pollOutput, unchecked_return_type = "Output")]
    pub fn poll_output(&mut self) -> JsValue {
        output::pairing_output(self.pairing.poll_output(), &mut self.journal, &self.frames)
    }
}
