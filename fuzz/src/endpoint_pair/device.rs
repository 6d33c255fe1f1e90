//! One device: an endpoint, its store, and an application whose effects stand in the same transactions.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use handfast_codec::frame::{Collection, Items, OpenKind, Row, RowId};
use handfast_codec::ids::CommandKey;
use handfast_codec::{DeviceRole, Timestamp};
use handfast_session::testing::AnyEndpoint;
use handfast_session::{
    Commit, Event, LinkRows, LinkRowsTxn, Message, Repeat, RowDigest, SendError, StreamEnd, StreamEvent,
    SyncEvent,
};
use handfast_testkit::host::{self, App, Host, LOG};
use rand_chacha::ChaCha20Rng;

/// What a crash leaves.
#[derive(Clone, Default)]
pub(super) struct Disk {
    pub(super) pairs: LinkRows,
    /// Web: how often its user acted, also where a crash took the act.
    pub(super) acts: u64,
    /// Web: what it asked for, by command.
    pub(super) sent: BTreeMap<CommandKey, Bytes>,
    /// Phone: what it ran, in order.
    pub(super) ran: Vec<(CommandKey, Bytes)>,
    /// Web: what it was answered, by command.
    pub(super) answered: BTreeMap<CommandKey, Bytes>,
    /// Rows by collection and revision.
    pub(super) rows: BTreeMap<(u8, u64), Bytes>,
    /// Web: how far each collection is known.
    pub(super) cursors: BTreeMap<u8, u64>,
    /// What arrived of each stream, by its meta.
    pub(super) files: BTreeMap<Bytes, Vec<u8>>,
}

/// What happens with a commit.
enum Effect {
    Sent(CommandKey, Bytes),
    Ran(CommandKey, Bytes),
    Answered(CommandKey, Bytes),
    Rows { collection: u8, from: u64, to: u64, rows: Vec<(u64, Bytes)> },
    Written(Bytes, usize, Bytes),
}

/// One transaction.
#[derive(Default)]
struct Batch {
    commits: Vec<Commit>,
    effects: Vec<Effect>,
}

/// A stream of this device: its meta, and for an incoming one how far it has arrived and is written.
struct Stream {
    meta: Bytes,
    arrived: usize,
    fin: bool,
    /// Bytes that arrived and could not be handed to the store yet.
    unsaved: Option<(usize, BytesMut)>,
}

/// The application: each of its transactions holds all that came up since the one before.
#[derive(Default)]
pub(super) struct Play {
    pub(super) done: Vec<Bytes>,
    /// Collections that the web follows.
    pub(super) follows: Vec<u8>,
    streams: BTreeMap<u64, Stream>,
    current: Batch,
    pending: VecDeque<Batch>,
}

/// A device. While it holds its transactions, they are only made when it is told to.
pub(super) type Device = Host<Play>;

/// The content of a stream: its length and its bytes hang on its meta.
pub(super) fn content(meta: &[u8]) -> Vec<u8> {
    let seed = meta.iter().fold(7_usize, |seed, byte| (seed * 31 + usize::from(*byte)) % 65_521);
    let len = 1 + seed * usize::from(meta.last().copied().unwrap_or(0) % 4);
    (0..len).map(|n| u8::try_from((n * 7 + seed) % 251).expect("below 256")).collect()
}

fn hash(content: &[u8]) -> [u8; 32] {
    [u8::try_from(content.len() % 251).expect("below 256"); 32]
}

pub(super) fn answer_to(body: &[u8]) -> Bytes {
    [b"did ", body].concat().into()
}

impl host::Disk for Disk {
    fn pairs(&mut self) -> &mut LinkRows {
        &mut self.pairs
    }
}

impl App for Play {
    type Machine = AnyEndpoint;
    type Disk = Disk;

    fn persist(device: &mut Device, _: Timestamp, commit: Commit) -> bool {
        device.app.current.commits.push(commit);
        true
    }

    fn deliver(device: &mut Device, now: Timestamp, message: Message) {
        deliver(device, now, message);
    }

    fn event(device: &mut Device, now: Timestamp, event: &Event) -> bool {
        on_event(device, now, event);
        true
    }
}

pub(super) fn start(role: DeviceRole, disk: Disk, now: Timestamp, rng: &mut ChaCha20Rng) -> Device {
    let endpoint =
        AnyEndpoint::load(role, &disk.pairs, LOG, now, rng).expect("what was committed can be loaded");
    let mut device = Host::over(role, endpoint, disk, Play::default(), now);
    for stream in device.machine.streams() {
        let durable = usize::try_from(stream.durable).expect("a small stream");
        if let Some(file) = device.disk.files.get_mut(&stream.meta) {
            assert!(file.len() >= durable, "what was reported durable is on the disk");
            file.truncate(durable);
        }
        let stream_state = Stream { meta: stream.meta, arrived: durable, fin: false, unsaved: None };
        let _ = device.app.streams.insert(stream.id, stream_state);
    }
    if role == DeviceRole::Phone {
        let rev = device.disk.rev();
        device.machine.phone().set_log_head(now, rev);
    }
    device
}

/// The process ends, and starts again from its disk.
pub(super) fn crash(device: &mut Device, now: Timestamp, rng: &mut ChaCha20Rng) {
    let follows = std::mem::take(&mut device.app.follows);
    *device = start(device.role, std::mem::take(&mut device.disk), now, rng);
    device.app.follows = follows;
}

pub(super) fn has_streams(device: &Device) -> bool {
    !device.app.streams.is_empty()
}

/// Adds a row to the phone's log.
pub(super) fn add_row(device: &mut Device, now: Timestamp, collection: u8, item: &[u8]) {
    let rev = device.disk.rev() + 1;
    let _ = device.disk.rows.insert((collection, rev), Bytes::copy_from_slice(item));
    device.machine.phone().set_log_head(now, rev);
}

pub(super) fn send(device: &mut Device, now: Timestamp, body: Bytes) {
    device.disk.acts += 1;
    let key = CommandKey::from_bytes(u128::from(device.disk.acts).to_be_bytes());
    if let Ok(commit) = device.machine.companion().send(now, key, &body) {
        device.app.current.effects.push(Effect::Sent(key, body));
        device.app.current.commits.push(commit);
    }
}

pub(super) fn open_stream(device: &mut Device, now: Timestamp, kind: OpenKind, meta: Bytes) {
    if let Ok(opened) = device.machine.stream_open(now, kind, meta.clone()) {
        let stream = Stream { meta, arrived: 0, fin: false, unsaved: None };
        let _ = device.app.streams.insert(opened.id, stream);
        device.app.current.commits.push(opened.commit);
    }
}

pub(super) fn follow(device: &mut Device, now: Timestamp, collection: u8) {
    if !device.app.follows.contains(&collection) {
        device.app.follows.push(collection);
    }
    let _ = device.machine.companion().subscribe(now, name(collection));
}

/// Drains the endpoint, and makes its transactions unless they are held. Returns what it sends.
pub(super) fn drain(device: &mut Device, now: Timestamp) -> Vec<Bytes> {
    let mut sent = Vec::new();
    loop {
        save_more(device, now);
        // A frame counts as written when it is given out.
        while let Some(frame) = device.drain_up_to(now, 1).pop() {
            device.transmitted(now, frame.len());
            sent.push(frame);
        }
        let mut batch = std::mem::take(&mut device.app.current);
        batch.commits.sort_by_key(Commit::expects);
        if !batch.commits.is_empty() {
            device.app.pending.push_back(batch);
        }
        if device.hold || !flush(device, now) {
            return sent;
        }
    }
}

/// Makes the oldest transaction. Returns whether there was one.
pub(super) fn flush(device: &mut Device, now: Timestamp) -> bool {
    let Some(batch) = device.app.pending.pop_front() else { return false };
    for commit in &batch.commits {
        commit
            .apply(&mut LinkRowsTxn::new(&mut device.disk.pairs))
            .expect("the store is at the version of its only writer");
    }
    for effect in batch.effects {
        device.disk.apply(effect);
    }
    for commit in batch.commits {
        device.machine.committed(now, commit).expect("commits are reported in order");
    }
    true
}

fn deliver(device: &mut Device, now: Timestamp, message: Message) {
    match message {
        Message::Command { key, body } => {
            let commit = device.machine.phone().answer(now, key, &answer_to(&body), Repeat::Answer);
            device.app.current.commits.push(commit.expect("a command that was delivered can be answered"));
            device.app.current.effects.push(Effect::Ran(key, body));
        }
        Message::Result { key, body } => {
            let body = body.expect("a result that is not settled is kept");
            device.app.current.effects.push(Effect::Answered(key, body));
        }
        Message::Delta { collection, from, to, items } => {
            let rows = items.iter().flat_map(Items::iter).map(|item| {
                let row = Row::decode(&item).expect("the phone's own row");
                (row.rev, row.body)
            });
            let rows = rows.collect();
            let collection = collection.as_bytes()[0];
            device.app.current.effects.push(Effect::Rows { collection, from, to, rows });
        }
        Message::Opened { id, kind, meta } => {
            let receives = kind == OpenKind::Put;
            let unsaved = receives.then(|| (0, BytesMut::new()));
            let _ = device.app.streams.insert(id, Stream { meta, arrived: 0, fin: false, unsaved });
        }
        other => panic!("a message that the harness does not know: {other:?}"),
    }
}

fn on_event(device: &mut Device, now: Timestamp, event: &Event) {
    match event {
        Event::Connected { .. } if device.role == DeviceRole::Web => {
            for collection in device.app.follows.clone() {
                let _ = device.machine.companion().subscribe(now, name(collection));
            }
        }
        Event::Sync(SyncEvent::DeltaWanted { collection, after, budget }) => {
            give_rows(device, now, collection, *after, *budget);
        }
        Event::Sync(SyncEvent::DigestWanted { collection }) => give_digest(device, now, collection),
        Event::Sync(
            SyncEvent::PageWanted { .. } | SyncEvent::OutOfSync { .. } | SyncEvent::ResyncFailed { .. },
        ) => {
            panic!("no row was damaged, and the log is whole: {event:?}")
        }
        Event::Stream(StreamEvent::DataWanted { id, offset, max }) => {
            let content = content(&device.app.streams[id].meta);
            let from = usize::try_from(*offset).expect("a small stream");
            let to = (from + max).min(content.len());
            let fin = (to == content.len()).then(|| hash(&content));
            let bytes = Bytes::copy_from_slice(&content[from..to]);
            device.machine.stream_supply(now, *id, *offset, bytes, fin).expect("what was asked for");
        }
        Event::Stream(StreamEvent::Data { id, offset, bytes }) => {
            let stream = device.app.streams.get_mut(id).expect("a stream that is open");
            assert_eq!(*offset, stream.arrived as u64, "bytes follow one another");
            let whole = content(&stream.meta);
            assert_eq!(
                Some(&bytes[..]),
                whole.get(stream.arrived..stream.arrived + bytes.len()),
                "the content"
            );
            let (_, unsaved) = stream.unsaved.get_or_insert((stream.arrived, BytesMut::new()));
            unsaved.extend_from_slice(bytes);
            stream.arrived += bytes.len();
            save_more(device, now);
        }
        Event::Stream(StreamEvent::Fin { id, hash: claimed }) => {
            let stream = device.app.streams.get_mut(id).expect("a stream that is open");
            let whole = content(&stream.meta);
            assert_eq!((stream.arrived, *claimed), (whole.len(), hash(&whole)), "the end of the content");
            stream.fin = true;
            let _ = stream.unsaved.get_or_insert((stream.arrived, BytesMut::new()));
            save_more(device, now);
        }
        Event::Stream(StreamEvent::Resumed { id, offset }) => {
            if let Some(stream) = device.app.streams.get_mut(id) {
                stream.arrived = usize::try_from(*offset).expect("a small stream");
                stream.unsaved = None;
                stream.fin = false;
            }
        }
        Event::Stream(StreamEvent::Ended { id, end }) => {
            if let Some(stream) = device.app.streams.remove(id)
                && *end == StreamEnd::Done
            {
                device.app.done.push(stream.meta);
            }
        }
        _ => {}
    }
}

/// Hands what arrived to the store, as far as commits can be opened.
fn save_more(device: &mut Device, now: Timestamp) {
    let mut finished = Vec::new();
    for (id, stream) in &mut device.app.streams {
        let Some((from, bytes)) = stream.unsaved.take() else { continue };
        let to = u64::try_from(from + bytes.len()).expect("a small stream");
        match device.machine.stream_durable(now, *id, to) {
            Ok(commit) => {
                device.app.current.commits.push(commit);
                device.app.current.effects.push(Effect::Written(stream.meta.clone(), from, bytes.freeze()));
                if stream.fin {
                    finished.push(*id);
                }
            }
            Err(SendError::Busy) => stream.unsaved = Some((from, bytes)),
            Err(error) => panic!("what arrived can be stored: {error}"),
        }
    }
    for id in finished {
        // The receiver knows by itself that all of it is there.
        if let Some(stream) = device.app.streams.remove(&id) {
            device.app.done.push(stream.meta);
        }
    }
}

fn give_rows(device: &mut Device, now: Timestamp, collection: &Collection, after: u64, budget: usize) {
    let mut len = 0;
    let (mut items, mut to) = (Vec::new(), device.disk.rev());
    for ((of, rev), item) in &device.disk.rows {
        if [*of] != collection.as_bytes() || *rev <= after {
            continue;
        }
        // The id, the revision, and the lengths.
        len += item.len() + 24;
        if len > budget {
            to = rev - 1;
            break;
        }
        items.push(Row { id: RowId::from_number(*rev), rev: *rev, body: item.clone() }.encode());
    }
    device.machine.phone().provide_delta(now, collection, to, &items).expect("what was asked for");
}

/// The digest of the rows as the open transactions leave them.
fn give_digest(device: &mut Device, now: Timestamp, collection: &Collection) {
    let stored = device.disk.rows.keys().copied();
    let open = device.app.pending.iter().chain([&device.app.current]).flat_map(|batch| &batch.effects);
    let open = open.flat_map(|effect| match effect {
        Effect::Rows { collection, rows, .. } => rows.iter().map(|(rev, _)| (*collection, *rev)).collect(),
        _ => Vec::new(),
    });
    let mut digest = RowDigest::default();
    for (_, rev) in stored.chain(open).filter(|(of, _)| [*of] == collection.as_bytes()) {
        digest.add(&RowId::from_number(rev), rev);
    }
    device
        .machine
        .provide_digest(now, collection, device.disk.rev(), digest.value())
        .expect("what was asked for");
}

impl Disk {
    pub(super) fn rev(&self) -> u64 {
        self.rows.keys().map(|(_, rev)| *rev).max().unwrap_or(0)
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Sent(key, body) => {
                assert_eq!(self.sent.insert(key, body), None, "a key is used once");
            }
            Effect::Ran(key, body) => {
                // Keys ascend in the order of the acts.
                assert!(
                    self.ran.last().is_none_or(|(last, _)| key > *last),
                    "commands run once, and in order"
                );
                self.ran.push((key, body));
            }
            Effect::Answered(key, body) => {
                assert_eq!(self.answered.insert(key, body), None, "a command is answered once");
            }
            Effect::Rows { collection, from, to, rows } => {
                if from == 0 {
                    self.rows.retain(|(of, _), _| *of != collection);
                    let _ = self.cursors.remove(&collection);
                }
                let cursor = self.cursors.insert(collection, to).unwrap_or(0);
                assert!(cursor <= from && to >= from, "a delta begins where the last one ended, or later");
                for (rev, item) in rows {
                    assert!(rev > from && rev <= to, "a row lies in its delta");
                    assert_eq!(self.rows.insert((collection, rev), item), None, "a row comes once");
                }
            }
            Effect::Written(meta, from, bytes) => {
                let file = self.files.entry(meta).or_default();
                file.truncate(from);
                assert_eq!(file.len(), from, "a file has no holes");
                file.extend_from_slice(&bytes);
            }
        }
    }
}

fn name(collection: u8) -> Collection {
    Collection::new(&[collection]).expect("a short name")
}
