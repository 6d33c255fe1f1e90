//! A phone of the tests: the real machines over rows in memory, with rows and content that a test puts there.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use handfast::codec::frame::{Collection, OpenKind, PageCursor, Row, RowId};
use handfast::codec::ids::{CommandKey, CompanionId, ContentId};
use handfast::codec::qr::QrOffer;
use handfast::codec::stream_meta::{GetMeta, PutMeta};
use handfast::handshake::certificate::sign_revoked;
use handfast::handshake::identity::SigningKey;
use handfast::handshake::link::Terms;
use handfast::handshake::pairing::phone::GrantedTerms;
use handfast::media::{ChunkList, ContentHasher};
use handfast::session::pairing::KeysInUse;
use handfast::session::{
    Event, LinkRows, Message, Pairing, PairingEvent, PhoneEndpoint, Repeat, RowDigest, StreamEnd,
    StreamEvent, SyncEvent,
};
use handfast::{DeviceRole, ErrorCode, Timestamp};
use handfast_messages::{CollectionName, Command, Item, ResultBody};
use handfast_testkit::host::{App, Host, LOG};
use handfast_testkit::machine::Driven;
use handfast_testkit::{machine, relay};
use rand_core::CryptoRng;

/// What the phone drives: a pairing, then the link that came of it.
pub(crate) enum Machine {
    None,
    Pairing(Box<Pairing>),
    Link(Box<PhoneEndpoint>),
}

impl machine::Machine for Machine {
    fn driven(&mut self) -> Driven<'_> {
        match self {
            Self::None => Driven::None,
            Self::Pairing(pairing) => Driven::Code(pairing),
            Self::Link(endpoint) => Driven::Link(endpoint.as_mut()),
        }
    }
}

/// Content that the phone gives: its list, and its bytes from an offset on.
pub(crate) struct Content {
    pub(crate) list: ChunkList,
    pub(crate) bytes: Box<dyn Fn(u64, usize) -> Vec<u8>>,
}

enum Stream {
    Serves(ContentId, u64),
    Takes(ContentId, Vec<u8>),
}

/// What it has and does above its machine.
#[derive(Default)]
pub(crate) struct Chats {
    /// Collection, row, and whether it lives.
    rows: Vec<(Collection, Row, bool)>,
    pub(crate) commands: Vec<(CommandKey, Command)>,
    pub(crate) answer_with: Option<ErrorCode>,
    pub(crate) content: BTreeMap<ContentId, Content>,
    pub(crate) received: BTreeMap<ContentId, Vec<u8>>,
    /// Bytes of uploads that arrived in all.
    pub(crate) arrived: u64,
    /// Where in its content each get was asked to begin.
    pub(crate) asked_from: Vec<u64>,
    streams: BTreeMap<u64, Stream>,
    pub(crate) stream_ends: Vec<StreamEnd>,
    /// Content is sent without FIN.
    pub(crate) holds_fin: bool,
}

pub(crate) struct Phone {
    host: Host<Chats>,
    account: SigningKey,
    terms: Option<Terms>,
}

impl Deref for Phone {
    type Target = Host<Chats>;

    fn deref(&self) -> &Host<Chats> {
        &self.host
    }
}

impl DerefMut for Phone {
    fn deref_mut(&mut self) -> &mut Host<Chats> {
        &mut self.host
    }
}

impl App for Chats {
    type Machine = Machine;
    type Disk = LinkRows;

    fn deliver(host: &mut Host<Self>, now: Timestamp, message: Message) {
        deliver(host, now, message);
    }

    fn event(host: &mut Host<Self>, now: Timestamp, event: &Event) -> bool {
        on_event(host, now, event.clone());
        false
    }
}

impl Phone {
    pub(crate) fn new(rng: &mut dyn CryptoRng) -> Self {
        let (none, now) = (Machine::None, Timestamp::ZERO);
        let host = Host::over(DeviceRole::Phone, none, LinkRows::new(), Chats::default(), now);
        Self { host, account: SigningKey::generate(rng), terms: None }
    }

    pub(crate) fn scan(&mut self, now: Timestamp, rng: &mut dyn CryptoRng, text: &str) {
        let offer = QrOffer::decode(text).unwrap();
        let pairing = Pairing::phone(offer, relay::name(), KeysInUse::none(), now, rng);
        self.host.begin(Machine::Pairing(Box::new(pairing)), now);
    }

    /// Opens the link, once its pairing is over.
    pub(crate) fn open_link(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        if let Machine::Pairing(pairing) = &self.host.machine
            && pairing.is_over()
            && matches!(self.host.pairing_events.last(), Some(PairingEvent::Linked(_)))
        {
            self.terms = pairing.terms().cloned();
            let mut endpoint = PhoneEndpoint::load(&self.host.disk, LOG, now, rng).unwrap();
            endpoint.set_log_head(now, self.host.app.rev());
            self.host.begin(Machine::Link(Box::new(endpoint)), now);
        }
    }

    pub(crate) fn pairing(&mut self) -> &mut Pairing {
        match &mut self.host.machine {
            Machine::Pairing(pairing) => pairing,
            _ => panic!("no pairing"),
        }
    }

    pub(crate) fn approve(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        let Machine::Pairing(pairing) = &mut self.host.machine else { panic!("no pairing") };
        let granted = GrantedTerms {
            account_name: "Ada".into(),
            companion: CompanionId::from_bytes([3; 16]),
            serial: 1,
            grants: 7,
            idle_days: 14,
        };
        pairing.approve(now, rng, &self.account, granted).unwrap();
    }

    pub(crate) fn revoke(&mut self, now: Timestamp) {
        let signature = sign_revoked(&self.account, self.terms.as_ref().unwrap());
        let Machine::Link(endpoint) = &mut self.host.machine else { panic!("no link") };
        let commit = endpoint.revoke(now, signature).unwrap();
        let _ = self.host.commit(now, commit);
    }

    /// Adds a row to the log.
    pub(crate) fn add(&mut self, now: Timestamp, name: CollectionName, item: &Item) {
        let (id, lives) = match item {
            Item::Chat { chat, .. } => (*chat, true),
            Item::Message(message) => (message.message, true),
            Item::Deleted { chat, message } => (message.unwrap_or(*chat), false),
            other => panic!("{other:?}"),
        };
        self.add_row(now, name, RowId::from_number(id), item.encode(), lives);
    }

    /// Adds a row whose body is these bytes.
    pub(crate) fn add_raw(&mut self, now: Timestamp, name: CollectionName, id: u64, body: Bytes) {
        self.add_row(now, name, RowId::from_number(id), body, true);
    }

    fn add_row(&mut self, now: Timestamp, name: CollectionName, id: RowId, body: Bytes, lives: bool) {
        let rev = self.host.app.rev() + 1;
        self.host.app.rows.push((name.encode().unwrap(), Row { id, rev, body }, lives));
        if let Machine::Link(endpoint) = &mut self.host.machine {
            endpoint.set_log_head(now, rev);
        }
    }

    /// Has content to give. Returns its id.
    pub(crate) fn has(&mut self, bytes: Vec<u8>) -> ContentId {
        let mut hasher = ContentHasher::new();
        hasher.update(&bytes);
        let list = hasher.finish();
        let id = list.content_id();
        let give = move |from: u64, max: usize| {
            let from = usize::try_from(from).unwrap().min(bytes.len());
            bytes[from..bytes.len().min(from + max)].to_vec()
        };
        let _ = self.host.app.content.insert(id, Content { list, bytes: Box::new(give) });
        id
    }

    /// FIN, which was held back, of all that is being sent and has been supplied whole.
    pub(crate) fn release_fin(&mut self, now: Timestamp) {
        self.host.app.holds_fin = false;
        let wholes: Vec<(u64, u64, [u8; 32])> = self
            .host
            .app
            .streams
            .iter()
            .filter_map(|(id, stream)| match stream {
                Stream::Serves(content, from) => {
                    Some((*id, self.host.app.content[content].list.stream_len() - from, *content.as_bytes()))
                }
                Stream::Takes(..) => None,
            })
            .collect();
        for (id, end, hash) in wholes {
            link(&mut self.host).stream_supply(now, id, end, Bytes::new(), Some(hash)).unwrap();
        }
    }
}

impl Chats {
    fn rev(&self) -> u64 {
        u64::try_from(self.rows.len()).unwrap()
    }
}

fn link(host: &mut Host<Chats>) -> &mut PhoneEndpoint {
    match &mut host.machine {
        Machine::Link(endpoint) => endpoint,
        _ => panic!("no link"),
    }
}

fn deliver(host: &mut Host<Chats>, now: Timestamp, message: Message) {
    match message {
        Message::Command { key, body } => {
            let command = Command::decode(&body).unwrap();
            host.app.commands.push((key, command));
            let message = 1_000 + u64::try_from(host.app.commands.len()).unwrap();
            let answer = match host.app.answer_with {
                Some(code) => ResultBody::Failed { code },
                None => ResultBody::Accepted { message, rev: host.app.rev() },
            };
            let commit = link(host).answer(now, key, &answer.encode(), Repeat::Answer).unwrap();
            let _ = host.commit(now, commit);
        }
        Message::Opened { id, kind: OpenKind::Get, meta } => {
            let GetMeta { content, offset: from } = GetMeta::decode(&meta).unwrap();
            host.app.asked_from.push(from);
            if host.app.content.contains_key(&content) {
                let _ = host.app.streams.insert(id, Stream::Serves(content, from));
            } else {
                link(host).reset_stream(now, id, ErrorCode::GONE).unwrap();
            }
        }
        Message::Opened { id, meta, .. } => {
            let content = PutMeta::decode(&meta).unwrap().content;
            let _ = host.app.streams.insert(id, Stream::Takes(content, Vec::new()));
            let commit = link(host).stream_durable(now, id, 0).unwrap();
            let _ = host.commit(now, commit);
        }
        other => panic!("unexpected {other:?}"),
    }
}

fn on_event(host: &mut Host<Chats>, now: Timestamp, event: Event) {
    match event {
        Event::Sync(SyncEvent::DeltaWanted { collection, after, budget }) => {
            give_rows(host, now, &collection, after, budget);
        }
        Event::Sync(SyncEvent::DigestWanted { collection }) => {
            let mut rows = BTreeMap::new();
            let is_kept = collection != CollectionName::Changes.encode().unwrap();
            for (_, row, lives) in host.app.rows.iter().filter(|(of, ..)| is_kept && *of == collection) {
                let _ = rows.remove(&row.id);
                if *lives {
                    let _ = rows.insert(row.id.clone(), row.rev);
                }
            }
            let digest: RowDigest = rows.iter().map(|(id, rev)| (id, *rev)).collect();
            let rev = host.app.rev();
            link(host).provide_digest(now, &collection, rev, digest.value()).unwrap();
        }
        Event::Sync(SyncEvent::PageWanted { collection, .. }) => {
            assert_eq!(collection, CollectionName::Changes.encode().unwrap(), "nothing was damaged");
            let (rev, last) = (host.app.rev(), PageCursor::default());
            link(host).provide_page(now, &collection, rev, last, &[]).unwrap();
        }
        Event::Stream(StreamEvent::DataWanted { id, offset, max }) => give_data(host, now, id, offset, max),
        Event::Stream(StreamEvent::Data { id, bytes, .. }) => take_data(host, now, id, &bytes),
        Event::Stream(StreamEvent::Fin { id, hash }) => {
            let Some(Stream::Takes(content, bytes)) = host.app.streams.remove(&id) else { panic!("no put") };
            assert_eq!(hash, *content.as_bytes());
            let len = u64::try_from(bytes.len()).unwrap();
            let _ = host.app.received.insert(content, bytes);
            let commit = link(host).stream_durable(now, id, len).unwrap();
            let _ = host.commit(now, commit);
        }
        Event::Stream(StreamEvent::Resumed { id, offset }) => {
            if let Some(Stream::Takes(_, bytes)) = host.app.streams.get_mut(&id) {
                bytes.truncate(usize::try_from(offset).unwrap());
            }
        }
        Event::Stream(StreamEvent::Ended { end, .. }) => host.app.stream_ends.push(end),
        _ => {}
    }
}

fn give_rows(host: &mut Host<Chats>, now: Timestamp, collection: &Collection, after: u64, budget: usize) {
    let (mut items, mut len, mut to) = (Vec::new(), 0, host.app.rev());
    for (index, (name, row, _)) in host.app.rows.iter().enumerate().skip(usize::try_from(after).unwrap()) {
        if name == collection {
            let item = row.encode();
            len += item.len() + 8;
            if len > budget {
                to = u64::try_from(index).unwrap();
                break;
            }
            items.push(item);
        }
    }
    link(host).provide_delta(now, collection, to, &items).unwrap();
}

fn give_data(host: &mut Host<Chats>, now: Timestamp, id: u64, offset: u64, max: usize) {
    let Some(Stream::Serves(content, from)) = host.app.streams.get(&id) else { return };
    let Content { list, bytes } = &host.app.content[content];
    let head = list.encode();
    let head_len = list.encoded_len();
    let mut part = match usize::try_from(offset).ok().and_then(|at| head.get(at..)) {
        Some(rest) => rest[..rest.len().min(max)].to_vec(),
        None => Vec::new(),
    };
    part.extend(bytes(offset.saturating_sub(head_len) + from, max - part.len()));
    let whole = list.stream_len() - from;
    let end = offset + u64::try_from(part.len()).unwrap();
    let fin = (end == whole && !host.app.holds_fin).then_some(*content.as_bytes());
    if part.is_empty() && fin.is_none() {
        return;
    }
    link(host).stream_supply(now, id, offset, Bytes::from(part), fin).unwrap();
}

fn take_data(host: &mut Host<Chats>, now: Timestamp, id: u64, bytes: &[u8]) {
    let Some(Stream::Takes(_, taken)) = host.app.streams.get_mut(&id) else { return };
    taken.extend_from_slice(bytes);
    let len = u64::try_from(taken.len()).unwrap();
    host.app.arrived += u64::try_from(bytes.len()).unwrap();
    let commit = link(host).stream_durable(now, id, len).unwrap();
    let _ = host.commit(now, commit);
}
