//! The calls of a link that transfer content.

use bytes::Bytes;
use handfast_media::ChunkList;
use handfast_session::{Opened, SendError};
use js_sys::ArrayBuffer;
use wasm_bindgen::prelude::*;

use super::js_object::object;
use super::link::WebLink;
use super::media::{code, content_id, offset};
use super::{Refusal, refused, timestamp};

#[wasm_bindgen]
impl WebLink {
    /// Opens a stream that fetches content of which the first `stored` bytes are stored and checked. Returns
    /// its id and a commit, which must be stored together.
    ///
    /// # Errors
    /// Too many are open, `content` is not a content id, or `stored` not an offset.
    #[wasm_bindgen(js_name = streamGet, unchecked_return_type = "{ id: bigint; commit: Commit }")]
    pub fn stream_get(&mut self, now: f64, content: &str, stored: f64) -> Result<JsValue, Refusal> {
        let (content, stored) = (content_id(content)?, offset(stored)?);
        let opened = self.transfers.get(timestamp(now), &mut self.endpoint, content, stored);
        self.opened(opened)
    }

    /// Opens a stream that sends the content of this chunk list. Returns its id and a commit.
    ///
    /// # Errors
    /// Too many are open, or `list` is not a chunk list.
    #[wasm_bindgen(js_name = streamPut, unchecked_return_type = "{ id: bigint; commit: Commit }")]
    pub fn stream_put(&mut self, now: f64, list: &[u8]) -> Result<JsValue, Refusal> {
        let list = ChunkList::decode(list).map_err(refused)?;
        let opened = self.transfers.put(timestamp(now), &mut self.endpoint, &list);
        self.opened(opened)
    }

    /// Continues a stream from before the page was loaded. `list` is its chunk list if that is stored: the one of
    /// `streamPut`, or the one that came with a `streamSync`. Returns false if there is no such stream any
    /// more. A stream that cannot continue is stopped.
    #[wasm_bindgen(js_name = streamContinue)]
    #[expect(clippy::needless_pass_by_value, reason = "wasm-bindgen takes no optional slice")]
    pub fn stream_continue(&mut self, id: u64, list: Option<Vec<u8>>) -> bool {
        self.transfers.resume(id, list.as_deref())
    }

    /// Supplies the bytes that `streamRead` asked for. Fewer may be supplied, but not none.
    #[wasm_bindgen(js_name = streamSupply)]
    pub fn stream_supply(&mut self, id: u64, bytes: Vec<u8>) {
        self.transfers.supply(id, Bytes::from(bytes));
    }

    /// Pauses a stream that sends, or continues it.
    #[wasm_bindgen(js_name = streamPause)]
    pub fn stream_pause(&mut self, id: u64, is_paused: bool) {
        self.transfers.set_paused(id, is_paused);
    }

    /// Reports that what `streamSync` asked for is durable. Returns a commit, or nothing if the stream has
    /// ended or was resumed meanwhile; then `streamSync` comes again if it is needed.
    ///
    /// # Errors
    /// Too many commits are open, or the link has ended.
    #[wasm_bindgen(js_name = streamDurable, unchecked_return_type = "Commit | undefined")]
    pub fn stream_durable(&mut self, now: f64, id: u64) -> Result<JsValue, Refusal> {
        let commit = self.transfers.durable(timestamp(now), &mut self.endpoint, id).map_err(refused)?;
        Ok(commit.map_or(JsValue::UNDEFINED, |commit| self.journal.write(commit)))
    }

    /// Takes back the buffer of a `streamWrite` whose bytes were written, to be used again.
    #[wasm_bindgen(js_name = streamReuse)]
    pub fn stream_reuse(&mut self, buffer: &ArrayBuffer) {
        self.blocks.reuse(buffer);
    }

    /// Stops a stream for both sides. `code` is `CANCELLED` when the user stops it, and `IO` or `GONE` if the
    /// content cannot be written or read here. If there is such a stream, `streamEnded` follows.
    ///
    /// # Errors
    /// `code` is another one.
    #[wasm_bindgen(js_name = streamStop)]
    pub fn reset_stream(
        &mut self,
        id: u64,
        #[wasm_bindgen(unchecked_param_type = "'CANCELLED' | 'IO' | 'GONE'")] code: &str,
    ) -> Result<(), Refusal> {
        let code = self::code(code).ok_or_else(|| Refusal::argument("not a reason to stop"))?;
        self.transfers.stop(id, code);
        Ok(())
    }

    /// Returns the ids of the open streams. Any other stream that the page still needs must be opened again.
    #[must_use]
    pub fn streams(&self) -> Vec<u64> {
        self.endpoint.streams().into_iter().map(|info| info.id).collect()
    }
}

impl WebLink {
    /// Returns the id of a stream and the commit that opens it.
    fn opened(&mut self, opened: Result<Opened, SendError>) -> Result<JsValue, Refusal> {
        let Opened { id, commit, .. } = opened.map_err(refused)?;
        Ok(object(&[("id", id.into()), ("commit", self.journal.write(commit))]))
    }
}
