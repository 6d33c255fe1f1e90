//! The role of a companion: it sends commands, holds a copy of the phone's rows, and fetches content.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use handfast_codec::frame::{Collection, Items, OpenKind, Row, RowId};
use handfast_codec::ids::{CommandKey, ContentId};
use handfast_codec::stream_meta::GetMeta;
use handfast_codec::{ErrorCode, RelayName, Timestamp};
use handfast_handshake::pairing::Claims;
use handfast_media::{Incoming, Progress};
use handfast_session::pairing::ShownCodes;
use handfast_session::{
    CompanionEndpoint, Event, LinkRows, LinkState, Message, Pairing, StreamEnd, StreamEvent, SyncEvent,
};
use rand_core::CryptoRng;

use super::content::{Stops, stop_streams};
use super::store::{Store, Txn};
use super::{Role, Tether, TetherError, TetherEvent};
use crate::DeviceRole;
use crate::content_files::PartFile;
use crate::host::LinkOf;
use crate::session;

/// The number of streams over which content comes at the same time.
const STREAMS_MAX: usize = 4;

/// An application on a companion.
pub trait CompanionApp {
    /// An event for the user.
    type Event: From<TetherEvent>;

    /// Takes note of a row that is new or has changed.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn row(
        &mut self,
        txn: &mut Txn<'_, Self::Event>,
        collection: &Collection,
        row: &Row,
    ) -> Result<(), TetherError>;

    /// Takes note of a row that is gone.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn gone(
        &mut self,
        txn: &mut Txn<'_, Self::Event>,
        collection: &Collection,
        id: &RowId,
    ) -> Result<(), TetherError>;

    /// Takes the answer to a command; `None` if the phone ran the command and no longer has its answer.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    fn result(
        &mut self,
        txn: &mut Txn<'_, Self::Event>,
        key: CommandKey,
        body: Option<&Bytes>,
    ) -> Result<(), TetherError>;
}

/// The role of a companion with the application `A`.
#[derive(Debug)]
pub struct Companion<A> {
    app: A,
    collections: Vec<Collection>,
}

/// What a companion keeps in memory for its link.
#[derive(Debug, Default)]
#[expect(unnameable_types, reason = "the host alone asks for it")]
pub struct Fetched {
    is_live: bool,
    /// The content that comes, by stream.
    files: BTreeMap<u64, Incoming<PartFile>>,
    stops: Stops,
}

impl Fetched {
    /// Opens the file of a stream that goes on at `durable`. If that cannot be, the stream ends, and the
    /// content is fetched from its beginning.
    fn reopen(
        &mut self,
        store: &Store,
        id: u64,
        content: ContentId,
        durable: u64,
    ) -> Result<(), TetherError> {
        match store.incoming(content, durable)? {
            Ok(incoming) => drop(self.files.insert(id, incoming)),
            Err(_) => self.stops.push((id, ErrorCode::CANCELLED)),
        }
        Ok(())
    }
}

impl<A: CompanionApp> Tether<Companion<A>> {
    /// Opens the companion in this directory. It subscribes to these collections whenever it is connected.
    ///
    /// # Errors
    ///
    /// [`TetherError`] if the directory is in use or cannot be read.
    pub fn open_companion(
        dir: &Path,
        app: A,
        collections: Vec<Collection>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, TetherError> {
        Self::with(Store::open(dir)?, Companion { app, collections }, now, rng)
    }

    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut A, &mut Txn<'_, A::Event>) -> Result<T, TetherError>,
    ) -> Result<T, TetherError> {
        let _ = self.store.write()?;
        let mut txn = Txn::new(&mut self.store);
        let changed = change(&mut self.role.app, &mut txn);
        let events = txn.into_events();
        for event in events {
            self.host.event(event);
        }
        changed
    }

    /// Begins a pairing over this relay, and returns the code to show. The user's next step comes as an event.
    ///
    /// # Errors
    ///
    /// [`TetherError::Misuse`] if a claim is empty or too long; a failure of the store.
    pub fn show_code(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        relay: RelayName,
        claims: Claims,
    ) -> Result<String, TetherError> {
        let in_use = self.store.keys_in_use()?;
        let pairing = Pairing::web(relay, claims, &ShownCodes::default(), in_use, now, rng)?;
        let code = pairing.offer_text().map(|text| text.as_str().to_owned()).unwrap_or_default();
        let _ = self.host.add_attempt(now, pairing, ());
        Ok(code)
    }

    /// Sends a command, at most 65,504 bytes, which the phone runs exactly once. Returns its key.
    /// [`TetherEvent::Sent`] follows when the command is durable.
    ///
    /// # Errors
    ///
    /// [`TetherError::Input`] if there is no link; [`TetherError::Refused`].
    pub fn send(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        body: &Bytes,
    ) -> Result<CommandKey, TetherError> {
        let mut key = [0; 16];
        rng.fill_bytes(&mut key);
        let key = CommandKey::from_bytes(key);
        let none = || TetherError::Input("there is no link: pair first".to_owned());
        let link = self.host.links_mut().next().ok_or_else(none)?;
        let commit = link.endpoint.send(now, key, body)?;
        link.store(commit);
        self.event(TetherEvent::Sent(key));
        Ok(key)
    }

    /// Fetches content, and copies it to `path` in the round that completes it. The wish is durable: it outlives
    /// losses of connection and restarts. The end comes as [`TetherEvent::Content`].
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn get(&mut self, content: ContentId, path: &str) -> Result<(), TetherError> {
        Ok(self.store.want(content, path)?)
    }

    /// Returns a row of the copy.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn row(&self, collection: &Collection, id: &RowId) -> Result<Option<Row>, TetherError> {
        self.store.row(collection, id)
    }

    fn take(
        &mut self,
        collection: &Collection,
        rows: impl Iterator<Item = Bytes>,
    ) -> Result<(), TetherError> {
        for row in rows {
            // The machine has checked the list, not the rows in it: one that cannot be read is left out.
            let Ok(row) = Row::decode(&row) else { continue };
            if row.body.is_empty() {
                if self.store.delete_row(collection, &row.id, row.rev)? {
                    self.change(|app, txn| app.gone(txn, collection, &row.id))?;
                }
            } else if self.store.put_row(collection, &row)? {
                self.change(|app, txn| app.row(txn, collection, &row))?;
            }
        }
        Ok(())
    }

    /// Reports the end of a fetch to everybody who wanted the content.
    fn report(
        &mut self,
        content: ContentId,
        result: impl Fn(&Path) -> Result<u64, String>,
    ) -> Result<(), TetherError> {
        for path in self.store.take_wishes(content)? {
            let result = result(&path);
            self.event(TetherEvent::Content { content, path, result });
        }
        Ok(())
    }

    fn copy_out(&mut self, content: ContentId) -> Result<(), TetherError> {
        let from = self.store.content_path(content);
        self.report(content, |path| std::fs::copy(&from, path).map_err(|error| error.to_string()))
    }

    /// Opens a stream for content that is wanted and has none.
    fn fetch(
        &mut self,
        now: Timestamp,
        link: &mut LinkOf<Tether<Companion<A>>>,
    ) -> Result<bool, TetherError> {
        let mut moved = false;
        for (content, _) in self.store.wanted()? {
            let Fetched { is_live, files, .. } = &link.data;
            if files.values().any(|file| file.content() == content) {
                continue;
            }
            if self.store.has_whole(content)? {
                self.copy_out(content)?;
                continue;
            }
            if !is_live || files.len() >= STREAMS_MAX || link.is_full() {
                continue;
            }
            match self.store.incoming(content, 0)? {
                Ok(incoming) => {
                    let meta = GetMeta { content, offset: 0 }.encode();
                    let opened = link.endpoint.stream_open(now, OpenKind::Get, meta.into())?;
                    drop(link.data.files.insert(opened.id, incoming));
                    link.store(opened.commit);
                }
                Err(code) => self.report(content, |_| Err(code.to_string()))?,
            }
            moved = true;
        }
        Ok(moved)
    }

    /// Syncs what came over one stream, and reports it to the phone.
    fn sync(&mut self, now: Timestamp, link: &mut LinkOf<Tether<Companion<A>>>) -> Result<bool, TetherError> {
        let is_full = link.is_full();
        let behind = link.data.files.iter_mut().find(|(_, file)| file.is_behind());
        let Some((id, file)) = behind.filter(|_| !is_full) else { return Ok(false) };
        let (id, content) = (*id, file.content());
        match file.sync() {
            Ok(Progress::Nothing) => {}
            Ok(Progress::Durable(to)) => {
                self.store.keep_list(file)?;
                let report = link.endpoint.stream_durable(now, id, to)?;
                link.store(report);
            }
            Ok(Progress::Whole(to)) => {
                self.store.complete(file)?;
                self.copy_out(content)?;
                drop(link.data.files.remove(&id));
                let report = link.endpoint.stream_durable(now, id, to)?;
                link.store(report);
            }
            Err(code) => link.data.stops.push((id, code)),
        }
        Ok(true)
    }

    fn on_stream(&mut self, data: &mut Fetched, event: StreamEvent) -> Result<(), TetherError> {
        match event {
            StreamEvent::Data { id, bytes, .. } => {
                if let Some(Err(code)) = data.files.get_mut(&id).map(|file| file.take(&bytes)) {
                    data.stops.push((id, code));
                }
            }
            StreamEvent::Fin { id, hash } => {
                if let Some(file) = data.files.get_mut(&id) {
                    file.fin(hash);
                }
            }
            StreamEvent::Resumed { id, offset } => {
                if let Some(content) = data.files.remove(&id).map(|file| file.content()) {
                    data.reopen(&self.store, id, content, offset)?;
                }
            }
            StreamEvent::Ended { id, end } => {
                let content = data.files.remove(&id).map(|file| file.content());
                // A stream that the phone no longer knows is opened again, since the content is still wanted.
                if let (Some(content), StreamEnd::Stopped(code)) = (content, end) {
                    self.report(content, |_| Err(code.to_string()))?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl<A> super::role::Sealed for Companion<A> {}

impl<A: CompanionApp> Role for Companion<A> {
    type Of = session::role::Companion;
    type Link = Fetched;
    type Event = A::Event;

    fn load(
        tether: &mut Tether<Self>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        rows: &LinkRows,
    ) -> Result<(CompanionEndpoint, Fetched), TetherError> {
        tether.store.note_keys(DeviceRole::Web, rows)?;
        let endpoint = CompanionEndpoint::load(rows, now, rng)?;
        let mut fetched = Fetched::default();
        for stream in endpoint.streams() {
            // The companion alone opens streams, and this program wrote their meta.
            if let Ok(GetMeta { content, .. }) = GetMeta::decode(&stream.meta) {
                fetched.reopen(&tether.store, stream.id, content, stream.durable)?;
            }
        }
        Ok((endpoint, fetched))
    }

    fn deliver(
        tether: &mut Tether<Self>,
        _: Timestamp,
        _: &mut LinkOf<Tether<Self>>,
        message: Message,
    ) -> Result<(), TetherError> {
        match message {
            Message::Result { key, body } => tether.change(|app, txn| app.result(txn, key, body.as_ref())),
            Message::Delta { collection, items, .. } => {
                tether.take(&collection, items.iter().flat_map(Items::iter))
            }
            Message::Page { collection, first, last, items, .. } => {
                if first {
                    tether.store.begin_snapshot(&collection)?;
                }
                tether.take(&collection, items.iter())?;
                let gone = if last { tether.store.end_snapshot(&collection)? } else { Vec::new() };
                gone.iter().try_for_each(|id| tether.change(|app, txn| app.gone(txn, &collection, id)))
            }
            _ => Ok(()),
        }
    }

    fn on_event(
        tether: &mut Tether<Self>,
        now: Timestamp,
        link: &mut LinkOf<Tether<Self>>,
        event: Event,
    ) -> Result<Option<Event>, TetherError> {
        match &event {
            Event::State(state) => link.data.is_live = *state == LinkState::Live,
            Event::Connected { .. } => {
                for collection in &tether.role.collections {
                    link.endpoint.subscribe(now, *collection)?;
                }
            }
            Event::Sync(SyncEvent::DigestWanted { collection }) => {
                let digest = tether.store.digest(collection)?;
                link.endpoint.provide_digest(now, collection, digest)?;
                return Ok(None);
            }
            Event::Stream(_) => {
                if let Event::Stream(event) = event {
                    tether.on_stream(&mut link.data, event)?;
                }
                return Ok(None);
            }
            _ => {}
        }
        Ok(Some(event))
    }

    fn drained(
        tether: &mut Tether<Self>,
        now: Timestamp,
        link: &mut LinkOf<Tether<Self>>,
    ) -> Result<bool, TetherError> {
        let stopped = stop_streams(now, &mut link.endpoint, &mut link.data.stops);
        Ok(stopped | tether.sync(now, link)? | tether.fetch(now, link)?)
    }

    fn committed(_: &mut Tether<Self>, _: Timestamp) -> Result<bool, TetherError> {
        Ok(false)
    }
}
