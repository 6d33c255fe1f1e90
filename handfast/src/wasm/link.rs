//! A link, for a page.

use bytes::{Bytes, BytesMut};
use handfast_codec::DeviceRole;
use handfast_codec::frame::{Collection, OpenKind};
use handfast_codec::ids::CommandKey;
use handfast_session::{Endpoint, VERSION_KEY};
use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::journal::Journal;
use super::js_object::object;
use super::output::{self, FrameBuffer};
use super::{SystemRng, generator, media, pairs, parse_hex, refused, timestamp};

/// One link: see `Endpoint` of the crate `handfast-session`. A verb gives a commit where the text says so: apply it with
/// the verb's own effect, and say `committed`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct WebLink {
    endpoint: Endpoint,
    rng: SystemRng,
    journal: Journal,
    frames: FrameBuffer,
}

#[wasm_bindgen]
impl WebLink {
    /// Opens a link from its stored rows: an array of `[key, value]`.
    ///
    /// # Errors
    /// A row is missing or damaged, or there is no randomness.
    pub fn load(
        #[wasm_bindgen(unchecked_param_type = "[Uint8Array, Uint8Array][]")] rows: &Array,
        now: f64,
    ) -> Result<Self, JsError> {
        let mut rng = generator()?;
        let pairs = pairs(rows);
        let journal = Journal::at(pairs.get(VERSION_KEY).map(|version| version.as_slice()));
        let endpoint =
            Endpoint::load(DeviceRole::Web, &pairs, None, timestamp(now), &mut rng).map_err(refused)?;
        Ok(Self { endpoint, rng, journal, frames: FrameBuffer::default() })
    }

    /// The link was stored so many milliseconds before it was loaded, by wall time: one that the phone has not
    /// confirmed is given up so much sooner.
    pub fn waited(&mut self, now: f64, age: f64) {
        self.endpoint.waited(timestamp(now), timestamp(age).since(handfast_codec::Timestamp::ZERO));
    }

    /// The relay's name.
    #[must_use]
    pub fn relay(&self) -> String {
        self.endpoint.relay().to_string()
    }

    /// Whether the phone has confirmed the link.
    #[wasm_bindgen(js_name = isActive)]
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.endpoint.status() == handfast_session::LinkStatus::Active
    }

    /// The socket that `connect` asked for is open.
    #[wasm_bindgen(js_name = handleOpened)]
    pub fn handle_opened(&mut self, now: f64) {
        self.endpoint.handle_opened(timestamp(now), &mut self.rng);
    }

    /// The socket is closed, or could not be opened.
    #[wasm_bindgen(js_name = handleClosed)]
    pub fn handle_closed(&mut self, now: f64) {
        self.endpoint.handle_closed(timestamp(now), &mut self.rng);
    }

    /// One binary message arrived.
    ///
    /// # Errors
    /// No socket is open.
    #[wasm_bindgen(js_name = handleBytes)]
    pub fn handle_bytes(&mut self, now: f64, bytes: &[u8]) -> Result<(), JsError> {
        self.endpoint.handle_bytes(timestamp(now), &mut self.rng, BytesMut::from(bytes)).map_err(refused)
    }

    /// Time has passed.
    #[wasm_bindgen(js_name = handleTimeout)]
    pub fn handle_timeout(&mut self, now: f64) {
        self.endpoint.handle_timeout(timestamp(now), &mut self.rng);
    }

    /// The socket has handed this many bytes on.
    pub fn transmitted(&mut self, now: f64, bytes: usize) {
        self.endpoint.transmitted(timestamp(now), bytes);
    }

    /// The oldest open commit is durable.
    ///
    /// # Errors
    /// None is open.
    pub fn committed(&mut self, now: f64) -> Result<(), JsError> {
        self.endpoint.committed(timestamp(now), self.journal.take_oldest()?).map_err(refused)
    }

    /// What the driver must do next.
    ///
    /// # Errors
    /// A commit does not fit.
    #[wasm_bindgen(js_name = pollOutput, unchecked_return_type = "Output")]
    pub fn poll_output(&mut self) -> Result<JsValue, JsError> {
        output::output(self.endpoint.poll_output(), &mut self.journal, &self.frames)
    }

    /// Sends a command. `key` is what it is known by: 16 random bytes in hex, drawn when the user acts and stored with
    /// what is shown of the act. Returns a commit.
    ///
    /// # Errors
    /// The outbox is full, the body too long, the link has ended, or a command of this key was sent before.
    #[wasm_bindgen(unchecked_return_type = "Commit")]
    pub fn send(&mut self, now: f64, key: &str, body: Vec<u8>) -> Result<JsValue, JsError> {
        let key = parse_hex(key).ok_or_else(|| JsError::new("a command's key has 16 bytes"))?;
        let key = CommandKey::from_bytes(key);
        let commit = self.endpoint.send(timestamp(now), key, &Bytes::from(body)).map_err(refused)?;
        self.journal.write(&commit)
    }

    /// Opens a subscription for this connection's life.
    ///
    /// # Errors
    /// Too many are open, or the name is too long.
    pub fn subscribe(&mut self, now: f64, collection: &[u8]) -> Result<(), JsError> {
        let collection = Collection::new(collection).ok_or_else(|| JsError::new("not a collection"))?;
        self.endpoint.subscribe(timestamp(now), collection).map_err(refused)
    }

    /// Opens a subscription to a collection of which no row is kept: from the stored cursor on, or else from the phone's
    /// newest revision, which a page without rows tells first.
    ///
    /// # Errors
    /// Too many are open, or the name is too long.
    #[wasm_bindgen(js_name = subscribeFromNow)]
    pub fn subscribe_from_now(&mut self, now: f64, collection: &[u8]) -> Result<(), JsError> {
        let collection = Collection::new(collection).ok_or_else(|| JsError::new("not a collection"))?;
        self.endpoint.subscribe_from_now(timestamp(now), collection).map_err(refused)
    }

    /// Ends a subscription; `left` follows.
    ///
    /// # Errors
    /// There is no such subscription.
    pub fn leave(&mut self, now: f64, collection: &[u8]) -> Result<(), JsError> {
        let collection = Collection::new(collection).ok_or_else(|| JsError::new("not a collection"))?;
        self.endpoint.leave(timestamp(now), collection).map_err(refused)
    }

    /// Answers `digestWanted`.
    ///
    /// # Errors
    /// It was not asked for.
    pub fn digest(&mut self, now: f64, collection: &[u8], digest: Vec<u8>) -> Result<(), JsError> {
        let collection = Collection::new(collection).ok_or_else(|| JsError::new("not a collection"))?;
        let digest = <[u8; 32]>::try_from(digest).map_err(|_| JsError::new("a digest has 32 bytes"))?;
        self.endpoint.digest(timestamp(now), &collection, 0, digest).map_err(refused)
    }

    /// The page cannot accept what the phone sent: ends the connection with this code.
    pub fn refuse(&mut self, now: f64, code: u16) {
        self.endpoint.refuse(timestamp(now), handfast_codec::ErrorCode::from_u16(code));
    }

    /// Sets a slot; only the last value is sent.
    ///
    /// # Errors
    /// The value is too long.
    #[wasm_bindgen(js_name = setNow)]
    pub fn set_now(&mut self, now: f64, slot: u64, body: Vec<u8>) -> Result<(), JsError> {
        self.endpoint.set_now(timestamp(now), slot, Bytes::from(body)).map_err(refused)
    }

    /// The page became hidden or visible.
    #[wasm_bindgen(js_name = setHidden)]
    pub fn set_hidden(&mut self, now: f64, hidden: bool) {
        self.endpoint.set_hidden(timestamp(now), hidden);
    }

    /// Visibility, network or clock changed: asks at once whether the phone is there.
    pub fn probe(&mut self, now: f64) {
        self.endpoint.probe(timestamp(now));
    }

    /// The user wants the seat back that another browser took.
    #[wasm_bindgen(js_name = takeBack)]
    pub fn take_back(&mut self, now: f64) {
        self.endpoint.reclaim_seat(timestamp(now));
    }

    /// Messages in the outbox.
    #[wasm_bindgen(js_name = outboxLen)]
    #[must_use]
    pub fn outbox_len(&self) -> usize {
        self.endpoint.outbox_len().0
    }

    /// Opens a stream. Returns its id and a commit.
    ///
    /// # Errors
    /// Too many are open.
    #[wasm_bindgen(js_name = streamOpen, unchecked_return_type = "{ id: bigint; commit: Commit }")]
    pub fn stream_open(&mut self, now: f64, put: bool, meta: Vec<u8>) -> Result<JsValue, JsError> {
        let kind = if put { OpenKind::Put } else { OpenKind::Get };
        let opened = self.endpoint.stream_open(timestamp(now), kind, Bytes::from(meta)).map_err(refused)?;
        let commit = self.journal.write(&opened.commit)?;
        Ok(object([("id", opened.id.into()), ("commit", commit)]))
    }

    /// Gives bytes that `dataWanted` asked for, and the hash with the last of them.
    ///
    /// # Errors
    /// They were not asked for.
    #[wasm_bindgen(js_name = streamSupply)]
    pub fn stream_supply(
        &mut self,
        now: f64,
        id: u64,
        offset: u64,
        bytes: Vec<u8>,
        hash: Option<Vec<u8>>,
    ) -> Result<(), JsError> {
        let fin = hash.map(<[u8; 32]>::try_from).transpose();
        let fin = fin.map_err(|_| JsError::new("a hash has 32 bytes"))?;
        self.endpoint.stream_supply(timestamp(now), id, offset, Bytes::from(bytes), fin).map_err(refused)
    }

    /// Bytes of an incoming stream are durable up to here. Returns a commit.
    ///
    /// # Errors
    /// No such stream.
    #[wasm_bindgen(js_name = streamDurable, unchecked_return_type = "Commit")]
    pub fn stream_durable(&mut self, now: f64, id: u64, offset: u64) -> Result<JsValue, JsError> {
        let commit = self.endpoint.stream_durable(timestamp(now), id, offset).map_err(refused)?;
        self.journal.write(&commit)
    }

    /// Asks for more of an incoming stream whose beginning is held in memory until it is whole: a list of chunks.
    ///
    /// # Errors
    /// No such stream.
    #[wasm_bindgen(js_name = streamHold)]
    pub fn stream_buffered(&mut self, now: f64, id: u64, offset: u64) -> Result<(), JsError> {
        self.endpoint.stream_buffered(timestamp(now), id, offset).map_err(refused)
    }

    /// Stops a stream, for both sides: the user does not want it any more, what came is not what was wanted, or it
    /// cannot be read or written here.
    ///
    /// # Errors
    /// No such stream, or too much is open.
    #[wasm_bindgen(js_name = streamStop)]
    pub fn reset_stream(
        &mut self,
        now: f64,
        id: u64,
        #[wasm_bindgen(unchecked_param_type = "'CANCELLED' | 'HASH' | 'IO' | 'GONE'")] code: &str,
    ) -> Result<(), JsError> {
        let code = media::code(code).ok_or_else(|| JsError::new("not a reason to stop"))?;
        self.endpoint.reset_stream(timestamp(now), id, code).map_err(refused)
    }

    /// The streams that are open: what is not among them must be opened anew.
    #[must_use]
    pub fn streams(&self) -> Vec<u64> {
        self.endpoint.streams().into_iter().map(|info| info.id).collect()
    }
}
