//! The role of a companion: it sends commands, holds a copy of the phone's rows, and fetches content.

use std::path::Path;

use bytes::Bytes;
use handfast_codec::frame::{Collection, Items, OpenKind, Row, RowId};
use handfast_codec::ids::{CommandKey, ContentId};
use handfast_codec::stream_meta::{GetMeta, PutMeta};
use handfast_codec::{ErrorCode, RelayName, Timestamp};
use handfast_handshake::pairing::Claims;
use handfast_session::pairing::ShownCodes;
use handfast_session::{CompanionEndpoint, Event, LinkRows, LinkState, Message, Pairing, SyncEvent};
use rand_core::CryptoRng;

use super::store::Store;
use super::streams::{Moved, Streams};
use super::txn::Txn;
use super::{Role, Tether, TetherError, TetherEvent};
use crate::DeviceRole;
use crate::host::LinkOf;
use crate::session;

/// An application on a companion.
pub trait CompanionApp {
    /// An event for the user.
    type Event;

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
    streams: Streams,
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
        Self::open_companion_with(Store::open(dir)?, app, collections, now, rng)
    }

    /// Opens the companion in this store. It subscribes to these collections whenever it is connected.
    ///
    /// # Errors
    ///
    /// [`TetherError`] if the store cannot be read.
    pub fn open_companion_with(
        store: Store,
        app: A,
        collections: Vec<Collection>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, TetherError> {
        Self::with(store, Companion { app, collections }, now, rng)
    }

    /// Runs `change` in the open transaction. What it wrote and reported is durable after the next round.
    ///
    /// # Errors
    ///
    /// The error of `change`, whose writes are undone then; a failure of the store.
    pub fn change<T>(
        &mut self,
        change: impl FnOnce(&mut A, &mut Txn<'_, A::Event>) -> Result<T, TetherError>,
    ) -> Result<T, TetherError> {
        self.in_part(|role, mut txn| (change(&mut role.app, &mut txn), txn))
    }

    /// Begins a pairing over this relay, and returns the code to show. The user's next step comes as an event.
    ///
    /// # Errors
    ///
    /// [`TetherError::Misuse`] if the label is empty, or label or origin too long; a failure of the store.
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

    /// Returns the keys of the commands that have no answer yet, in the order in which they were sent, also those of
    /// earlier runs. There are 1,024 at most.
    #[must_use]
    pub fn unsettled(&self) -> Vec<CommandKey> {
        self.host.links().flat_map(|link| link.endpoint.unsettled()).collect()
    }

    /// Fetches content, and copies it to `path` in the round that completes it. The wish is durable: it outlives
    /// losses of connection and restarts. The end comes as [`TetherEvent::Content`].
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn get(&mut self, content: ContentId, path: &str) -> Result<(), TetherError> {
        self.store.want(content, path)
    }

    /// Puts a file at the phone: copies it into the tether's directory, and sends it. The wish is durable: it
    /// outlives losses of connection and restarts. The end comes as [`TetherEvent::Put`]. Blocks while it copies.
    ///
    /// # Errors
    ///
    /// [`TetherError::Input`] if the file cannot be read; a failure of the store.
    pub fn put(&mut self, path: &Path) -> Result<ContentId, TetherError> {
        let content = self.store.import(path)?;
        self.store.offer(content);
        Ok(content)
    }

    /// Returns a row of the copy.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn row(&self, collection: &Collection, id: &RowId) -> Result<Option<Row>, TetherError> {
        self.store.row(collection, id)
    }

    /// Returns at most `max` rows of the copy of a collection in the order of their ids, from the first one
    /// after `after` on.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub fn rows(
        &self,
        collection: &Collection,
        after: Option<&RowId>,
        max: usize,
    ) -> Result<Vec<Row>, TetherError> {
        self.store.rows_by_id(collection, after, max)
    }

    /// Returns the collections to which the companion subscribes.
    #[must_use]
    pub fn collections(&self) -> &[Collection] {
        &self.role.collections
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

    /// Opens streams for content that is wanted or offered and has none. Returns whether it opened one.
    fn open_streams(
        &mut self,
        now: Timestamp,
        link: &mut LinkOf<Tether<Companion<A>>>,
    ) -> Result<bool, TetherError> {
        let mut moved = false;
        for content in self.store.wanted()? {
            if link.data.streams.is_coming(content) {
                continue;
            }
            if self.store.has_whole(content)? {
                self.copy_out(content)?;
                moved = true;
            } else if link.data.has_room() && !link.is_full() {
                moved = true;
                match self.store.incoming(content, None, 0)? {
                    Ok(incoming) => {
                        let meta = GetMeta { content, offset: 0 }.encode();
                        let opened = link.endpoint.stream_open(now, OpenKind::Get, meta.into())?;
                        link.data.streams.insert_incoming(opened.id, incoming);
                        link.store(opened.commit);
                    }
                    Err(code) => self.report(content, |_| Err(code.to_string()))?,
                }
            }
        }
        for content in self.store.offered()? {
            if !link.data.streams.is_sent(content) && link.data.has_room() && !link.is_full() {
                moved = true;
                let meta = PutMeta { content, offset: 0, size: self.store.size(content)? }.encode();
                let opened = link.endpoint.stream_open(now, OpenKind::Put, meta.clone().into())?;
                link.data.streams.send(&self.store, opened.id, OpenKind::Put, &meta)?;
                link.store(opened.commit);
            }
        }
        Ok(moved)
    }

    fn on_moved(&mut self, moved: &Moved) -> Result<(), TetherError> {
        match *moved {
            Moved::Came(content) => self.copy_out(content),
            Moved::NotCome(content, code) => self.report(content, |_| Err(code.to_string())),
            Moved::Sent(content) => self.put_ended(content, Ok(())),
            Moved::NotSent(content, code) => self.put_ended(content, Err(code)),
        }
    }

    fn put_ended(&mut self, content: ContentId, result: Result<(), ErrorCode>) -> Result<(), TetherError> {
        if self.store.withdraw(content)? {
            self.event(TetherEvent::Put { content, result });
        }
        Ok(())
    }
}

impl Fetched {
    /// Returns whether another stream may be opened.
    fn has_room(&self) -> bool {
        self.is_live && !self.streams.is_full()
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
            fetched.streams.load(&tether.store, &stream)?;
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
            Event::Stream(event) => {
                let event = event.clone();
                link.data.streams.handle(&mut tether.store, now, &mut link.endpoint, event)?;
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
        let mut streams = std::mem::take(&mut link.data.streams);
        let pumped = streams.pump(&mut tether.store, now, link);
        let moved = streams.take_moved();
        link.data.streams = streams;
        moved.iter().try_for_each(|moved| tether.on_moved(moved))?;
        Ok(pumped? | tether.open_streams(now, link)?)
    }

    fn committed(_: &mut Tether<Self>, _: Timestamp) -> Result<bool, TetherError> {
        Ok(false)
    }
}
