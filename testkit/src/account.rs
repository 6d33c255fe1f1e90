//! An application of a link, whose effects live in the transactions of its device; and two devices that run it.
//!
//! A phone runs commands, and has rows and files; a web sends the commands and mirrors the rows.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use handfast_codec::frame::{Collection, Items, OpenKind, PageCursor, Row, RowId};
use handfast_codec::ids::LogId;
use handfast_codec::{DeviceRole, Timestamp};
use handfast_session::testing::AnyEndpoint;
use handfast_session::{
    ApiMisuse, Event, LinkRows, Message, Repeat, RowDigest, SendError, StreamEnd, StreamEvent, SyncEvent,
    Value,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::CryptoRng;

use crate::commands::{key, number_of};
use crate::host::{App, Disk as _, Host, LOG};
use crate::net::Net;

/// What survives a crash.
#[derive(Clone, Default)]
pub struct Disk {
    pub pairs: LinkRows,
    /// Phone: commands run. Web: results taken. In order.
    pub effects: Vec<(u64, Vec<u8>)>,
    /// Web: rows of collections. Phone: the log.
    pub rows: BTreeMap<(Vec<u8>, u64), Vec<u8>>,
    /// Web: rows that no page of the snapshot under way has brought yet.
    pub stale: BTreeSet<(Vec<u8>, u64)>,
    /// Phone: markers of rows at or below are gone.
    pub floor: u64,
    /// Files by stream name (the stream's meta).
    pub files: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl crate::host::Disk for Disk {
    fn pairs(&mut self) -> &mut LinkRows {
        &mut self.pairs
    }
}

/// The application, but for its disk.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a test")]
pub struct Account {
    /// Content of outgoing streams, by meta.
    pub content: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Metas of streams by id, as far as known.
    pub streams: BTreeMap<u64, Vec<u8>>,
    pub ended: Vec<(Vec<u8>, StreamEnd)>,
    /// Bytes of an incoming stream that arrived in this run, by meta.
    pub arrived: BTreeMap<Vec<u8>, u64>,
    pub want_collections: Vec<Vec<u8>>,
    /// Phone: no page's cursor can be read.
    pub refuse_pages: bool,
    pub pages_given: usize,
    /// Phone: rows that come up while a page is made.
    pub rows_a_page: u64,
    /// Phone: from its next start on it has another log.
    pub has_other_log: bool,
    /// Web: its digest is never right.
    pub wrong_digest: bool,
    /// Web: a page has come.
    paged: bool,
    /// Incoming streams are held in memory up to here, and durable beyond.
    pub hold_to: u64,
    /// Phone: what it says of each command that it answers, if it is not [`Repeat::Answer`].
    pub repeat: Option<Repeat>,
    /// Phone: it answers no command.
    pub answers_nothing: bool,
    /// Web: how many keys it has drawn.
    keys: u64,
}

/// A device that runs the application.
pub type Device = Host<Account>;

/// Two of them, linked.
pub type World = Net<Account>;

/// The largest overhead of a row with a number as its id, in bytes: id, revision, length.
const ROW_OVERHEAD_MAX: usize = 24;
const OTHER_LOG: LogId = LogId::from_bytes([8; 16]);

fn row(rev: u64, body: &[u8]) -> Bytes {
    Row { id: RowId::from_number(rev), rev, body: Bytes::copy_from_slice(body) }.encode()
}

fn read_row(item: &Bytes) -> (u64, Vec<u8>) {
    let row = Row::decode(item).unwrap();
    (row.rev, row.body.to_vec())
}

impl App for Account {
    type Machine = AnyEndpoint;
    type Disk = Disk;

    fn deliver(host: &mut Device, now: Timestamp, message: Message) {
        host.take(now, message);
    }

    fn event(host: &mut Device, now: Timestamp, event: &Event) -> bool {
        host.do_what_is_asked(now, event.clone());
        true
    }
}

impl Device {
    pub fn new(role: DeviceRole, pairs: LinkRows, now: Timestamp, rng: &mut dyn CryptoRng) -> Self {
        let endpoint = AnyEndpoint::load(role, &pairs, LOG, now, rng).unwrap();
        Self::over(role, endpoint, Disk { pairs, ..Disk::default() }, Account::default(), now)
    }

    /// Starts again from the disk; what was in memory is gone, apart from what a test has set.
    pub fn reload(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        let log = if self.app.has_other_log { OTHER_LOG } else { LOG };
        let endpoint = AnyEndpoint::load(self.role, self.disk.pairs(), log, now, rng).unwrap();
        let app = Account {
            content: std::mem::take(&mut self.app.content),
            want_collections: std::mem::take(&mut self.app.want_collections),
            pages_given: self.app.pages_given,
            rows_a_page: self.app.rows_a_page,
            has_other_log: self.app.has_other_log,
            wrong_digest: self.app.wrong_digest,
            repeat: self.app.repeat,
            keys: self.app.keys,
            ..Account::default()
        };
        let mut new = Self::over(self.role, endpoint, std::mem::take(&mut self.disk), app, now);
        for stream in new.machine.streams() {
            let meta = stream.meta.to_vec();
            if let Some(file) = new.disk.files.get_mut(&meta) {
                file.truncate(usize::try_from(stream.durable).unwrap());
            }
            let _ = new.app.streams.insert(stream.id, meta);
        }
        let (head, floor) = (new.rev(), new.disk.floor);
        if let AnyEndpoint::Phone(endpoint) = &mut new.machine {
            endpoint.set_log_head(now, head);
            endpoint.set_log_floor(now, floor);
        }
        *self = new;
    }

    fn rev(&self) -> u64 {
        self.disk.rows.keys().map(|(_, rev)| *rev).max().unwrap_or(0)
    }

    /// Phone: adds a row to its log.
    pub fn add_row(&mut self, now: Timestamp, collection: &[u8], item: &[u8]) {
        let rev = self.rev() + 1;
        let _ = self.disk.rows.insert((collection.to_vec(), rev), item.to_vec());
        self.machine.phone().set_log_head(now, rev);
    }

    /// Phone: the log no longer reaches back beyond `floor`.
    pub fn prune(&mut self, now: Timestamp, floor: u64) {
        self.disk.floor = floor;
        self.machine.phone().set_log_floor(now, floor);
    }

    /// At the web: sends a command, under a key that no state of this device has seen. Returns what a test calls it by;
    /// none when the device stops before it is stored.
    ///
    /// # Errors
    /// As of [`handfast_session::CompanionEndpoint::send`].
    pub fn send(&mut self, now: Timestamp, body: &Bytes) -> Result<Option<u64>, SendError> {
        let n = self.app.keys.saturating_add(1);
        let commit = self.machine.companion().send(now, key(n), body)?;
        self.app.keys = n;
        Ok(self.commit(now, commit).then_some(n))
    }

    fn take(&mut self, now: Timestamp, message: Message) {
        match message {
            Message::Command { .. } if self.app.answers_nothing => {}
            Message::Command { key, body } => {
                self.disk.effects.push((number_of(&key), body.to_vec()));
                let repeat = self.app.repeat.unwrap_or(Repeat::Answer);
                let answer = Bytes::from([b"did ", &body[..body.len().min(60_000)]].concat());
                let commit = self.machine.phone().answer(now, key, &answer, repeat).unwrap();
                let _ = self.commit(now, commit);
            }
            Message::Result { key, body } => {
                self.disk.effects.push((number_of(&key), body.map(|b| b.to_vec()).unwrap_or_default()));
            }
            Message::Delta { collection, from, to, items } => {
                if from == 0 {
                    self.disk.rows.retain(|(of, _), _| of != collection.as_bytes());
                }
                for item in items.iter().flat_map(Items::iter).collect::<Vec<_>>() {
                    let (rev, row) = read_row(&item);
                    assert!(rev <= to, "a row beyond the delta");
                    let old = self.disk.rows.insert((collection.as_bytes().to_vec(), rev), row);
                    // Only a snapshot may have brought a row that was newer than itself.
                    assert!(old.is_none() || self.app.paged, "a row twice");
                }
            }
            Message::Page { collection, first, last, items, .. } => {
                self.app.paged = true;
                self.take_page(&collection, first, last, &items);
            }
            Message::Opened { id, meta, .. } => {
                let _ = self.app.streams.insert(id, meta.to_vec());
                if !self.app.content.contains_key(&meta[..]) {
                    let _ = self.disk.files.insert(meta.to_vec(), Vec::new());
                    // It may have been stopped since.
                    if let Ok(commit) = self.machine.stream_durable(now, id, 0) {
                        let _ = self.commit(now, commit);
                    }
                }
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn do_what_is_asked(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Connected { .. } if self.role == DeviceRole::Web => {
                for name in &self.app.want_collections {
                    self.machine.companion().subscribe(now, Collection::new(name).unwrap()).unwrap();
                }
            }
            Event::Sync(SyncEvent::DeltaWanted { collection, after, budget }) => {
                self.give_rows(now, &collection, after, budget);
            }
            Event::Sync(SyncEvent::PageWanted { collection, page, budget }) => {
                self.give_page(now, &collection, &page, budget);
            }
            Event::Sync(SyncEvent::DigestWanted { collection }) => {
                let rows = self.disk.rows.keys().filter(|(name, _)| name == collection.as_bytes());
                let ids: Vec<(RowId, u64)> = rows.map(|(_, rev)| (RowId::from_number(*rev), *rev)).collect();
                let mut digest: RowDigest = ids.iter().map(|(id, rev)| (id, *rev)).collect();
                if self.app.wrong_digest {
                    digest.add(&RowId::from_number(0), 0);
                }
                let rev = self.rev();
                self.machine.provide_digest(now, &collection, rev, digest.value()).unwrap();
            }
            Event::Stream(StreamEvent::DataWanted { id, offset, max }) => {
                self.give_data(now, id, offset, max);
            }
            Event::Stream(StreamEvent::Data { id, offset, bytes }) => self.take_data(now, id, offset, &bytes),
            Event::Stream(StreamEvent::Fin { id, hash }) => {
                let meta = self.app.streams[&id].clone();
                let len = self.disk.files.entry(meta.clone()).or_default().len();
                // It may have been stopped since.
                if let Ok(commit) = self.machine.stream_durable(now, id, u64::try_from(len).unwrap()) {
                    assert_eq!(hash[0], u8::try_from(len % 251).unwrap(), "the hash of {len} bytes");
                    let _ = self.commit(now, commit);
                    self.app.ended.push((meta, StreamEnd::Done));
                }
            }
            Event::Stream(StreamEvent::Resumed { id, offset }) => {
                let meta = self.app.streams[&id].clone();
                if let Some(file) = self.disk.files.get_mut(&meta) {
                    file.truncate(usize::try_from(offset).unwrap());
                }
            }
            Event::Stream(StreamEvent::Ended { id, end }) => {
                let meta = self.app.streams.remove(&id).unwrap_or_default();
                self.app.ended.push((meta, end));
            }
            _ => {}
        }
    }

    fn give_rows(&mut self, now: Timestamp, collection: &Collection, after: u64, budget: usize) {
        let mut to = self.rev();
        let mut items = Vec::new();
        let mut len = 0;
        for ((name, rev), item) in &self.disk.rows {
            if name == collection.as_bytes() && *rev > after {
                if len + item.len() + ROW_OVERHEAD_MAX > budget {
                    break;
                }
                len += item.len() + ROW_OVERHEAD_MAX;
                items.push(row(*rev, item));
                to = *rev;
            }
        }
        let whole = self.disk.rows.keys().filter(|(n, r)| n == collection.as_bytes() && *r > to).count() == 0;
        let to = if whole { self.rev() } else { to };
        self.machine.phone().provide_delta(now, collection, to, &items).unwrap();
    }

    /// The cursor of a page: the snapshot's revision and the last row given.
    fn give_page(&mut self, now: Timestamp, collection: &Collection, page: &PageCursor, budget: usize) {
        if self.app.refuse_pages {
            self.machine.phone().reject_page_cursor(now, collection).unwrap();
            return;
        }
        let number =
            |at: usize| page.as_bytes().get(at..at + 8).map(|b| u64::from_be_bytes(b.try_into().unwrap()));
        let (rev, after) = (number(0).unwrap_or(self.rev()), number(8).unwrap_or(0));
        let (mut items, mut len, mut next) = (Vec::new(), 0, PageCursor::default());
        let mut reached = after;
        for ((name, number), item) in &self.disk.rows {
            if name != collection.as_bytes() || *number <= after {
                continue;
            }
            len += item.len() + ROW_OVERHEAD_MAX;
            if len > budget {
                next = PageCursor::new([rev.to_be_bytes(), reached.to_be_bytes()].concat().into()).unwrap();
                break;
            }
            reached = *number;
            items.push(row(*number, item));
        }
        self.app.pages_given += 1;
        for _ in 0..self.app.rows_a_page {
            self.add_row(now, collection.as_bytes(), b"live");
        }
        self.machine.phone().provide_page(now, collection, rev, next, &items).unwrap();
    }

    fn take_page(&mut self, collection: &Collection, first: bool, last: bool, items: &Items) {
        let name = collection.as_bytes().to_vec();
        if first {
            let rows = self.disk.rows.keys().filter(|(of, _)| *of == name).cloned();
            self.disk.stale.extend(rows);
        }
        for item in items.iter() {
            let (rev, row) = read_row(&item);
            let key = (name.clone(), rev);
            let _ = self.disk.stale.remove(&key);
            let _ = self.disk.rows.insert(key, row);
        }
        if last {
            let gone = self.disk.stale.iter().filter(|(of, _)| *of == name).cloned().collect::<Vec<_>>();
            for key in gone {
                let _ = self.disk.stale.remove(&key);
                let _ = self.disk.rows.remove(&key);
            }
        }
    }

    fn give_data(&mut self, now: Timestamp, id: u64, offset: u64, max: usize) {
        let meta = self.app.streams[&id].clone();
        let content = &self.app.content[&meta];
        let from = usize::try_from(offset).unwrap();
        let to = (from + max).min(content.len());
        let fin = (to == content.len()).then_some([u8::try_from(to % 251).unwrap(); 32]);
        let bytes = Bytes::copy_from_slice(&content[from..to]);
        // It may have been stopped since.
        let supplied = self.machine.stream_supply(now, id, offset, bytes, fin);
        assert!(matches!(supplied, Ok(()) | Err(ApiMisuse::NoSuchStream)), "{supplied:?}");
    }

    fn take_data(&mut self, now: Timestamp, id: u64, offset: u64, bytes: &[u8]) {
        let meta = self.app.streams[&id].clone();
        *self.app.arrived.entry(meta.clone()).or_insert(0) += u64::try_from(bytes.len()).unwrap();
        let file = self.disk.files.entry(meta).or_default();
        assert_eq!(u64::try_from(file.len()).unwrap(), offset, "bytes follow one another");
        file.extend_from_slice(bytes);
        let len = u64::try_from(file.len()).unwrap();
        if len < self.app.hold_to {
            let _ = self.machine.stream_buffered(now, id, len);
        } else if let Ok(commit) = self.machine.stream_durable(now, id, len) {
            let _ = self.commit(now, commit);
        }
    }
}

/// Where the counters stand in a session row, after its layout byte and three ids of 16 bytes; and the length of a row.
const COUNTERS: std::ops::Range<usize> = 49..105;
const COUNTERS_LEN: usize = 105 + 8 + 16 + 8 + 1;

/// Sets the counters of a device's session row.
pub fn set_counters(pairs: &mut LinkRows, set: impl FnOnce(&mut [u64])) {
    let (_, row) = pairs.iter_mut().find(|(_, row)| row.len() == COUNTERS_LEN).expect("a session row");
    let mut numbers: Vec<u64> =
        row[COUNTERS].chunks(8).map(|n| u64::from_be_bytes(n.try_into().unwrap())).collect();
    set(&mut numbers);
    let bytes: Vec<u8> =
        [&row[..49], &numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>(), &row[105..]].concat();
    *row = Value::new(bytes);
}

impl World {
    /// Two devices over these rows.
    pub fn of_rows(phone: LinkRows, web: LinkRows, now: Timestamp, mut rng: ChaCha20Rng) -> Self {
        let phone = Device::new(DeviceRole::Phone, phone, now, &mut rng);
        let web = Device::new(DeviceRole::Web, web, now, &mut rng);
        Self::with(phone, web, now, rng)
    }

    /// The web sends a command of this text. Returns what a test calls it by.
    pub fn send(&mut self, text: &str) -> u64 {
        self.web.send(self.now, &Bytes::copy_from_slice(text.as_bytes())).unwrap().unwrap()
    }

    /// Opens a stream under this name; a put's content is given, a get's lies at the peer. Returns its id.
    pub fn open(&mut self, role: DeviceRole, kind: OpenKind, name: &str, content: Vec<u8>) -> u64 {
        let (now, name) = (self.now, name.as_bytes().to_vec());
        let owner = if kind == OpenKind::Put { role } else { !role };
        let _ = self.device(owner).app.content.insert(name.clone(), content);
        let device = self.device(role);
        let opened = device.machine.stream_open(now, kind, Bytes::from(name.clone())).unwrap();
        let _ = device.app.streams.insert(opened.id, name);
        assert!(device.commit(now, opened.commit));
        opened.id
    }

    /// Kills a device and starts it again from its store.
    pub fn crash(&mut self, role: DeviceRole) {
        let now = self.now;
        if let Some(socket) = self.device(role).socket {
            self.relay.handle_closed(now, socket);
        }
        let (device, rng) = self.device_and_rng(role);
        device.reload(now, rng);
    }
}
