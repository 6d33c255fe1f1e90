//! The companion: it shows the phone's notes, adds some, and fetches their files.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use bytes::Bytes;
use handfast::codec::frame::{Collection, Items, OpenKind, Row};
use handfast::codec::ids::{CommandKey, ContentId, MailboxId};
use handfast::codec::stream_meta::GetMeta;
use handfast::content_files::PartFile;
use handfast::driver::HostDriver;
use handfast::handshake::pairing::Claims;
use handfast::host::{Application, AttemptOf, HostOf, Link, LinkOf, Lost};
use handfast::media::{Incoming, MediaReceiver, Progress};
use handfast::session::pairing::{KeysInUse, ShownCodes};
use handfast::session::{
    Commit, Endpoint, Event, LinkState, Message, Pairing, PairingEvent, StreamEnd, StreamEvent, SyncEvent,
};
use handfast::{DeviceRole, ErrorCode, RelayName, Timestamp, sqlite};
use rand_core::CryptoRng;
use rusqlite::params;

use crate::store::{Note, Store};
use crate::{Failure, Notes};

pub(crate) struct Companion {
    host: HostOf<Self>,
    store: Store,
}

/// What is kept for the link: the files that come, by stream.
#[derive(Default)]
pub(crate) struct Fetched {
    is_live: bool,
    files: BTreeMap<u64, Incoming<PartFile>>,
}

impl Companion {
    pub(crate) fn open(dir: &str, relay: &str, driver: &mut HostDriver) -> Result<Self, Failure> {
        let mut companion = Self { host: HostOf::<Self>::default(), store: Store::open(dir)? };
        let now = driver.now();
        companion.load(now, driver.rng())?;
        if companion.host.links().next().is_none() {
            let claims = Claims { label: "notes".into(), origin: String::new(), grants: 1 };
            let (relay, codes) = (RelayName::parse(relay)?, ShownCodes::default());
            let pairing = Pairing::web(relay, claims, &codes, KeysInUse::none(), now, driver.rng())?;
            let code = pairing.offer_text().ok_or("a code that is shown has a text")?;
            companion.host.event(format!("code {}", *code));
            let _ = companion.host.add_attempt(now, pairing, ());
        }
        Ok(companion)
    }

    fn take(&mut self, rows: impl Iterator<Item = Bytes>) -> Result<(), Failure> {
        for row in rows {
            let Some(note) = Note::from_row(&Row::decode(&row)?) else { continue };
            self.store.put(&note)?;
            self.host.event(format!("note {}: {}", note.id, note.text));
        }
        Ok(())
    }

    /// The files that the user wants, each with the path to which it goes.
    fn wanted(&self) -> Result<Vec<(ContentId, String)>, Failure> {
        let mut query = self.store.conn.prepare("SELECT content, path FROM wanted")?;
        let rows = query.query_map([], |row| Ok((ContentId::from_bytes(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Nothing more comes of a file: it is where it was wanted, or cannot be had.
    fn settle(&mut self, content: ContentId, ending: &str) -> Result<(), Failure> {
        let _ = self.store.write()?.execute("DELETE FROM wanted WHERE content = ?1", [content.as_bytes()])?;
        self.host.event(format!("file {content}: {ending}"));
        Ok(())
    }

    /// Opens a stream for each file that is wanted and has none.
    fn fetch(&mut self, now: Timestamp, link: &mut LinkOf<Self>) -> Result<bool, Failure> {
        let mut moved = false;
        for (content, _) in self.wanted()? {
            if !link.data.is_live || link.data.files.values().any(|file| file.content() == content) {
                continue;
            }
            let opened = link.endpoint.stream_open(
                now,
                OpenKind::Get,
                GetMeta { content, offset: 0 }.encode().into(),
            )?;
            let receiver = MediaReceiver::new(content, 0).map_err(|code| code.to_string())?;
            let part = PartFile(File::create(self.store.path(content))?);
            let _ = link.data.files.insert(opened.id, Incoming::new(content, None, receiver, 0, part));
            link.store(opened.commit);
            moved = true;
        }
        Ok(moved)
    }

    /// Syncs what came, and reports it.
    fn sync(&mut self, now: Timestamp, link: &mut LinkOf<Self>) -> Result<bool, Failure> {
        let behind = link.data.files.iter().find(|(_, file)| file.is_behind()).map(|(id, _)| *id);
        let Some((id, file)) = behind.and_then(|id| Some((id, link.data.files.get_mut(&id)?))) else {
            return Ok(false);
        };
        let (content, synced) = (file.content(), file.sync());
        match synced {
            Ok(Progress::Nothing) => {}
            Ok(Progress::Durable(to)) => {
                let report = link.endpoint.stream_durable(now, id, to)?;
                link.store(report);
            }
            Ok(Progress::Whole(to)) => {
                for (_, path) in self.wanted()?.into_iter().filter(|(wanted, _)| *wanted == content) {
                    let copied = std::fs::copy(self.store.path(content), &path);
                    self.settle(
                        content,
                        &copied
                            .map_or_else(|error| error.to_string(), |len| format!("{len} bytes in {path}")),
                    )?;
                }
                let report = link.endpoint.stream_durable(now, id, to)?;
                link.store(report);
                drop(link.data.files.remove(&id));
            }
            Err(code) => link.endpoint.reset_stream(now, id, code)?,
        }
        Ok(true)
    }
}

impl Notes for Companion {
    fn line(&mut self, driver: &mut HostDriver, line: &str) -> Result<(), Failure> {
        let now = driver.now();
        match line.split_once(' ').unwrap_or((line, "")) {
            ("number", digits) => {
                let attempt = self.host.attempts_mut().next().ok_or("nothing is asked")?;
                attempt.pairing.enter_confirmation(now, digits)?;
            }
            ("add", text) => {
                let mut key = [0; 16];
                driver.rng().fill_bytes(&mut key);
                let linked = self.host.links_mut().next().ok_or("not linked")?;
                let body = Bytes::copy_from_slice(text.as_bytes());
                let commit = linked.endpoint.send(now, CommandKey::from_bytes(key), &body)?;
                linked.store(commit);
                self.host.event(format!("sent: {text}"));
            }
            ("get", words) => {
                let (id, path) = words.split_once(' ').ok_or("get NOTE PATH")?;
                let note = self.store.notes("id = ?1", id.parse()?)?.pop().ok_or("no such note")?;
                let file = note.file.ok_or("it has no file")?;
                let row = params![file.as_bytes(), path];
                let _ = self.store.write()?.execute("INSERT INTO wanted VALUES(?1, ?2)", row)?;
            }
            _ => return Err("lines: number 12 | add TEXT | get NOTE PATH | quit".into()),
        }
        Ok(())
    }
}

impl Application for Companion {
    type Link = Fetched;
    type Attempt = ();
    type Event = String;
    type Error = Failure;

    fn host(&mut self) -> &mut HostOf<Self> {
        &mut self.host
    }

    fn load(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
        sqlite::roll_back(&self.store.conn)?;
        for (id, rows) in self.store.links()? {
            let mut endpoint = Endpoint::load(DeviceRole::Web, &rows, None, now, rng)?;
            // What was under way begins again: the user's wish is stored, the stream's part is not.
            for stream in endpoint.streams() {
                endpoint.reset_stream(now, stream.id, ErrorCode::CANCELLED)?;
            }
            self.host.add_link(Link::new(now, id, endpoint, Fetched::default()));
        }
        Ok(())
    }

    fn deliver(
        &mut self,
        _: Timestamp,
        _: &mut dyn CryptoRng,
        _: &mut LinkOf<Self>,
        message: Message,
    ) -> Result<(), Failure> {
        match message {
            Message::Result { .. } => self.host.event("taken".into()),
            Message::Delta { items, .. } => self.take(items.iter().flat_map(Items::iter))?,
            Message::Page { first, items, .. } => {
                if first {
                    let _ = self.store.write()?.execute("DELETE FROM notes", [])?;
                }
                self.take(items.iter())?;
            }
            _ => {}
        }
        Ok(())
    }

    fn on_event(&mut self, now: Timestamp, link: &mut LinkOf<Self>, event: Event) -> Result<(), Failure> {
        match event {
            Event::State(state) => {
                link.data.is_live = state == LinkState::Live;
                self.host.event(format!("phone {}", state.name()));
            }
            Event::Connected { .. } => {
                let notes = Collection::new(b"notes").ok_or("a name of five bytes")?;
                link.endpoint.subscribe(now, notes)?;
            }
            Event::Sync(SyncEvent::DigestWanted { collection }) => {
                link.endpoint.provide_digest(now, &collection, 0, self.store.digest()?)?;
            }
            Event::Sync(SyncEvent::InSync { .. }) => self.host.event("in step".into()),
            Event::Stream(StreamEvent::Data { id, bytes, .. }) => {
                if let Some(Err(code)) = link.data.files.get_mut(&id).map(|file| file.take(&bytes)) {
                    link.endpoint.reset_stream(now, id, code)?;
                }
            }
            Event::Stream(StreamEvent::Fin { id, hash }) => {
                if let Some(file) = link.data.files.get_mut(&id) {
                    file.fin(hash);
                }
            }
            // A stream that the phone has forgotten begins again.
            Event::Stream(StreamEvent::Ended { id, end }) => {
                if let (Some(file), StreamEnd::Stopped(code)) = (link.data.files.remove(&id), end) {
                    self.settle(file.content(), &code.to_string())?;
                }
            }
            // To go on it would have to be cut where it is durable: here it begins again, too.
            Event::Stream(StreamEvent::Resumed { id, .. }) => {
                drop(link.data.files.remove(&id));
                link.endpoint.reset_stream(now, id, ErrorCode::CANCELLED)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn on_pairing_event(
        &mut self,
        _: Timestamp,
        _: &mut AttemptOf<Self>,
        event: PairingEvent,
    ) -> Result<(), Failure> {
        let told = match event {
            PairingEvent::CheckCode(digits) => format!("digits {digits}"),
            PairingEvent::ConfirmationWanted { account_name, .. } => {
                format!("link to {account_name}? type: number and what the phone shows")
            }
            _ => return Ok(()),
        };
        self.host.event(told);
        Ok(())
    }

    fn attempt_over(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        _: &AttemptOf<Self>,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), Failure> {
        self.host.event(ended.map_or_else(|code| format!("not linked: {code}"), |_| "linked".into()));
        self.load(now, rng)
    }

    fn apply(&mut self, _: Timestamp, _: Option<&AttemptOf<Self>>, commit: &Commit) -> Result<(), Failure> {
        self.store.apply(commit)
    }

    fn drained(
        &mut self,
        now: Timestamp,
        _: &mut dyn CryptoRng,
        link: &mut LinkOf<Self>,
    ) -> Result<bool, Failure> {
        Ok(self.sync(now, link)? | self.fetch(now, link)?)
    }

    fn commit(&mut self, _: Timestamp) -> Result<bool, Failure> {
        self.store.commit()
    }

    fn failed(&mut self, _: Timestamp, _: Lost<Fetched, (), String>, error: &Failure, pause: Duration) {
        self.host.event(format!("the store fails, next try in {} s: {error}", pause.as_secs()));
    }
}
