//! A link, in the form that a web page uses.

use bytes::{Bytes, BytesMut};
use handfast_codec::frame::Collection;
use handfast_codec::ids::CommandKey;
use handfast_session::{CompanionEndpoint, Event, Output};
use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::journal::Journal;
use super::output::{self, FrameBuffer};
use super::transfers::Blocks;
use super::{Refusal, SystemRng, generator, pairs, parse_hex, refused, timestamp};
use crate::transfers::Transfers;

/// One link, like `CompanionEndpoint` of the crate `handfast-session`. Where a call returns a commit, apply
/// that together with the call's own effect, and then call `committed`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WebLink {
    pub(super) endpoint: CompanionEndpoint,
    rng: SystemRng,
    pub(super) journal: Journal,
    frames: FrameBuffer,
    pub(super) transfers: Transfers,
    pub(super) blocks: Blocks,
}

#[wasm_bindgen]
impl WebLink {
    /// Loads a link from its stored rows, an array of `[key, value]`.
    ///
    /// # Errors
    /// A row is missing or damaged, or there are no random bytes.
    pub fn load(
        #[wasm_bindgen(unchecked_param_type = "[Uint8Array, Uint8Array][]")] rows: &Array,
        now: f64,
    ) -> Result<Self, Refusal> {
        let mut rng = generator()?;
        let pairs = pairs(rows);
        let endpoint = CompanionEndpoint::load(&pairs, timestamp(now), &mut rng).map_err(refused)?;
        let transfers = Transfers::new(endpoint.streams());
        let (journal, frames, blocks) = Default::default();
        Ok(Self { endpoint, rng, journal, frames, transfers, blocks })
    }

    /// Sets how long ago, in milliseconds of wall time, the link was stored. A link that the phone has not
    /// confirmed lapses that much earlier.
    pub fn waited(&mut self, now: f64, age: f64) {
        self.endpoint.waited(timestamp(now), timestamp(age).since(handfast_codec::Timestamp::ZERO));
    }

    /// Returns the relay's name.
    #[must_use]
    pub fn relay(&self) -> String {
        self.endpoint.relay().to_string()
    }

    /// Returns whether the phone has confirmed the link.
    #[wasm_bindgen(js_name = isActive)]
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.endpoint.status() == handfast_session::LinkStatus::Active
    }

    /// Reports that the socket requested by `connect` is open.
    #[wasm_bindgen(js_name = handleOpened)]
    pub fn handle_opened(&mut self, now: f64) {
        self.endpoint.handle_opened(timestamp(now), &mut self.rng);
    }

    /// Reports that the socket is closed, or could not be opened.
    #[wasm_bindgen(js_name = handleClosed)]
    pub fn handle_closed(&mut self, now: f64) {
        self.endpoint.handle_closed(timestamp(now), &mut self.rng);
    }

    /// Handles one binary WebSocket message.
    ///
    /// # Errors
    /// No socket is open.
    #[wasm_bindgen(js_name = handleBytes)]
    pub fn handle_bytes(&mut self, now: f64, bytes: Vec<u8>) -> Result<(), Refusal> {
        // A vector becomes the buffer that the machine reads in place, without another copy.
        let bytes = BytesMut::from(Bytes::from(bytes));
        self.endpoint.handle_bytes(timestamp(now), &mut self.rng, bytes).map_err(refused)
    }

    /// Reports that the deadline has passed.
    #[wasm_bindgen(js_name = handleTimeout)]
    pub fn handle_timeout(&mut self, now: f64) {
        self.endpoint.handle_timeout(timestamp(now), &mut self.rng);
    }

    /// Reports that the socket has sent this many bytes.
    pub fn transmitted(&mut self, now: f64, bytes: usize) {
        self.endpoint.transmitted(timestamp(now), bytes);
    }

    /// Reports that the oldest open commit is durable.
    ///
    /// # Errors
    /// No commit is open.
    pub fn committed(&mut self, now: f64) -> Result<(), Refusal> {
        self.endpoint.committed(timestamp(now), self.journal.take_oldest()?).map_err(refused)
    }

    /// Returns the next thing to do.
    #[wasm_bindgen(js_name = pollOutput, unchecked_return_type = "Output")]
    pub fn poll_output(&mut self, now: f64) -> JsValue {
        let now = timestamp(now);
        loop {
            if let Some(event) = self.transfers.poll(now, &mut self.endpoint) {
                return output::event_output(self.blocks.event(event));
            }
            match self.endpoint.poll_output() {
                Output::Event(Event::Stream(event)) => self.transfers.handle(event),
                output => return output::output(output, &mut self.journal, &self.frames),
            }
        }
    }

    /// Sends a command, and returns a commit. `key` identifies the command: 16 random bytes in hexadecimal,
    /// drawn when the user acts, and stored with what the page shows of that act.
    ///
    /// # Errors
    /// The outbox is full, the body too long, the link has ended, or a command with this key was sent before.
    #[wasm_bindgen(unchecked_return_type = "Commit")]
    pub fn send(&mut self, now: f64, key: &str, body: Vec<u8>) -> Result<JsValue, Refusal> {
        let key = parse_hex(key).ok_or_else(|| Refusal::argument("a command's key has 16 bytes"))?;
        let key = CommandKey::from_bytes(key);
        let commit = self.endpoint.send(timestamp(now), key, &Bytes::from(body)).map_err(refused)?;
        Ok(self.journal.write(commit))
    }

    /// Opens a subscription, which lasts as long as the connection.
    ///
    /// # Errors
    /// Too many are open, or the name is too long.
    pub fn subscribe(&mut self, now: f64, collection: &[u8]) -> Result<(), Refusal> {
        let collection = Collection::new(collection).ok_or_else(|| Refusal::argument("not a collection"))?;
        self.endpoint.subscribe(timestamp(now), collection).map_err(refused)
    }

    /// Opens a subscription to a collection whose rows are not stored. It starts from the stored cursor.
    /// Without a cursor it starts from the phone's newest revision, which a page without rows reports first.
    ///
    /// # Errors
    /// Too many are open, or the name is too long.
    #[wasm_bindgen(js_name = subscribeFromNow)]
    pub fn subscribe_from_now(&mut self, now: f64, collection: &[u8]) -> Result<(), Refusal> {
        let collection = Collection::new(collection).ok_or_else(|| Refusal::argument("not a collection"))?;
        self.endpoint.subscribe_from_now(timestamp(now), collection).map_err(refused)
    }

    /// Ends a subscription. The event `unsubscribed` follows.
    ///
    /// # Errors
    /// There is no such subscription.
    pub fn unsubscribe(&mut self, now: f64, collection: &[u8]) -> Result<(), Refusal> {
        let collection = Collection::new(collection).ok_or_else(|| Refusal::argument("not a collection"))?;
        self.endpoint.unsubscribe(timestamp(now), collection).map_err(refused)
    }

    /// Answers `digestWanted` with the collection's digest, 32 bytes.
    ///
    /// # Errors
    /// No digest was requested.
    pub fn digest(&mut self, now: f64, collection: &[u8], digest: Vec<u8>) -> Result<(), Refusal> {
        let collection = Collection::new(collection).ok_or_else(|| Refusal::argument("not a collection"))?;
        let digest = <[u8; 32]>::try_from(digest).map_err(|_| Refusal::argument("a digest has 32 bytes"))?;
        self.endpoint.provide_digest(timestamp(now), &collection, digest).map_err(refused)
    }

    /// Ends the connection with this error code, because the page cannot accept what the phone sent.
    pub fn refuse(&mut self, now: f64, code: u16) {
        self.endpoint.refuse(timestamp(now), handfast_codec::ErrorCode::from_u16(code));
    }

    /// Sets a slot of the ephemeral lane. Only the latest value of a slot is sent.
    ///
    /// # Errors
    /// The value is too long.
    #[wasm_bindgen(js_name = setEphemeral)]
    pub fn set_ephemeral(&mut self, now: f64, slot: u64, body: Vec<u8>) -> Result<(), Refusal> {
        self.endpoint.set_ephemeral(timestamp(now), slot, Bytes::from(body)).map_err(refused)
    }

    /// Reports that the page became hidden or visible.
    #[wasm_bindgen(js_name = setHidden)]
    pub fn set_hidden(&mut self, now: f64, hidden: bool) {
        self.endpoint.set_hidden(timestamp(now), hidden);
    }

    /// Reports a change of visibility, network or clock, so that the connection to the phone is checked at
    /// once.
    pub fn probe(&mut self, now: f64) {
        self.endpoint.probe(timestamp(now));
    }

    /// Takes back the seat at the relay that another browser took. Call it when the user asks for it.
    #[wasm_bindgen(js_name = takeBack)]
    pub fn take_back(&mut self, now: f64) {
        self.endpoint.reclaim_seat(timestamp(now));
    }

    /// Returns the number of messages in the outbox.
    #[wasm_bindgen(js_name = outboxLen)]
    #[must_use]
    pub fn outbox_len(&self) -> usize {
        self.endpoint.outbox_len().0
    }
}
