//! A phone of the tests: the real machines over rows in memory, with rows and content that a test puts there.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use handfast::codec::frame::{Collection, OpenKind, PageCursor, Row, RowId};
use handfast::codec::ids::{CommandKey, CompanionId, ContentId, LogId};
use handfast::codec::qr::Offer;
use handfast::codec::stream_meta::{GetMeta, PutMeta};
use handfast::handshake::certificate::sign_revoked;
use handfast::handshake::identity::SigningKey;
use handfast::handshake::link::Terms;
use handfast::handshake::pairing::phone::Offering;
use handfast::media::{ChunkList, ContentHasher};
use handfast::session::pairing::KeysInUse;
use handfast::session::{
    Commit, CommitId, Endpoint, Event, LinkState, Message, Output, Pairing, PairingEvent, Pairs, PairsTxn,
    Repeat, RowDigest, StreamEnd,
};
use handfast::{DeviceRole, ErrorCode, RelayName, Timestamp};
use handfast_messages::{CollectionName, Command, Item, ResultBody};
use rand_core::CryptoRng;
use reference_relay::core::SocketId;

enum Machine {
    None,
    Pairing(Box<Pairing>),
    Link(Box<Endpoint>),
}

/// Content that the phone gives: its list, and its bytes from an offset on.
pub(crate) struct Content {
    pub(crate) list: ChunkList,
    pub(crate) bytes: Box<dyn Fn(u64, usize) -> Vec<u8>>,
}

enum Stream {
    Gives(ContentId, u64),
    Takes(ContentId, Vec<u8>),
}

pub(crate) struct Phone {
    machine: Machine,
    pairs: Pairs,
    terms: Option<Terms>,
    account: SigningKey,
    pub(crate) socket: Option<SocketId>,
    pub(crate) wants_socket: bool,
    pub(crate) closing: Option<SocketId>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) pairing_events: Vec<PairingEvent>,
    pub(crate) state: Option<LinkState>,
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
    moved: bool,
}

impl Phone {
    pub(crate) fn new(rng: &mut dyn CryptoRng) -> Self {
        Self {
            machine: Machine::None,
            pairs: Pairs::new(),
            terms: None,
            account: SigningKey::generate(rng),
            socket: None,
            wants_socket: false,
            closing: None,
            deadline: None,
            pairing_events: Vec::new(),
            state: None,
            rows: Vec::new(),
            commands: Vec::new(),
            answer_with: None,
            content: BTreeMap::new(),
            received: BTreeMap::new(),
            arrived: 0,
            asked_from: Vec::new(),
            streams: BTreeMap::new(),
            stream_ends: Vec::new(),
            holds_fin: false,
            moved: false,
        }
    }

    pub(crate) fn scan(&mut self, now: Timestamp, rng: &mut dyn CryptoRng, text: &str) {
        let offer = Offer::decode(text).unwrap();
        let relay = RelayName::parse(super::NAME).unwrap();
        self.closing = self.socket.take();
        self.machine = Machine::Pairing(Box::new(Pairing::phone(offer, relay, KeysInUse::none(), now, rng)));
        self.deadline = Some(now);
    }

    pub(crate) fn pairing(&mut self) -> &mut Pairing {
        match &mut self.machine {
            Machine::Pairing(pairing) => pairing,
            _ => panic!("no pairing"),
        }
    }

    pub(crate) fn approve(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        let Machine::Pairing(pairing) = &mut self.machine else { panic!("no pairing") };
        let offering = Offering {
            account_name: "Ada".into(),
            companion: CompanionId::from_bytes([3; 16]),
            serial: 1,
            grants: 7,
            idle_days: 14,
        };
        pairing.approve(now, rng, &self.account, offering).unwrap();
    }

    pub(crate) fn revoke(&mut self, now: Timestamp) {
        let signature = sign_revoked(&self.account, self.terms.as_ref().unwrap());
        let Machine::Link(endpoint) = &mut self.machine else { panic!("no link") };
        let commit = endpoint.revoke(now, signature).unwrap();
        self.commit(now, &commit);
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
        let rev = self.rev() + 1;
        self.rows.push((name.encode().unwrap(), Row { id, rev, body }, lives));
        if let Machine::Link(endpoint) = &mut self.machine {
            endpoint.changed(now, rev);
        }
    }

    fn rev(&self) -> u64 {
        u64::try_from(self.rows.len()).unwrap()
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
        let _ = self.content.insert(id, Content { list, bytes: Box::new(give) });
        id
    }

    pub(crate) fn opened(&mut self, now: Timestamp, rng: &mut dyn CryptoRng, socket: SocketId) {
        self.socket = Some(socket);
        self.wants_socket = false;
        match &mut self.machine {
            Machine::None => {}
            Machine::Pairing(pairing) => pairing.handle_opened(now),
            Machine::Link(endpoint) => endpoint.handle_opened(now, rng),
        }
    }

    pub(crate) fn closed(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        self.socket = None;
        match &mut self.machine {
            Machine::None => {}
            Machine::Pairing(pairing) => pairing.handle_closed(now),
            Machine::Link(endpoint) => endpoint.handle_closed(now, rng),
        }
    }

    pub(crate) fn receive(&mut self, now: Timestamp, rng: &mut dyn CryptoRng, bytes: BytesMut) {
        // A machine that takes no bytes now has given its socket up.
        let _ = match &mut self.machine {
            Machine::None => Ok(()),
            Machine::Pairing(pairing) => pairing.handle_bytes(now, rng, bytes),
            Machine::Link(endpoint) => endpoint.handle_bytes(now, rng, bytes),
        };
    }

    pub(crate) fn transmitted(&mut self, now: Timestamp, len: usize) {
        if let Machine::Link(endpoint) = &mut self.machine {
            endpoint.transmitted(now, len);
        }
    }

    pub(crate) fn timeout(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        if self.deadline.is_none_or(|at| now < at) {
            return;
        }
        match &mut self.machine {
            Machine::None => {}
            Machine::Pairing(pairing) => pairing.handle_timeout(now),
            Machine::Link(endpoint) => endpoint.handle_timeout(now, rng),
        }
    }

    fn commit(&mut self, now: Timestamp, commit: &Commit) {
        commit.apply(&mut PairsTxn::new(&mut self.pairs)).unwrap();
        self.committed(now, commit.id());
    }

    fn committed(&mut self, now: Timestamp, id: CommitId) {
        match &mut self.machine {
            Machine::None => {}
            Machine::Pairing(pairing) => pairing.committed(now, id).unwrap(),
            Machine::Link(endpoint) => endpoint.committed(now, id).unwrap(),
        }
    }

    pub(crate) fn moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Drains the machine. Returns some of what it sends.
    pub(crate) fn drain(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Vec<Bytes> {
        let mut sent = Vec::new();
        while sent.len() < 8 {
            let output = match &mut self.machine {
                Machine::None => return sent,
                Machine::Pairing(pairing) => pairing.poll_output(),
                Machine::Link(endpoint) => endpoint.poll_output(),
            };
            match output {
                Output::Persist(commit) => self.commit(now, &commit),
                Output::Deliver { message, commit } => {
                    self.commit(now, &commit);
                    self.deliver(now, message);
                }
                Output::Transmit(bytes) => sent.push(bytes),
                Output::Event(Event::Pairing(PairingEvent::Linked(_))) => self.link(now, rng),
                Output::Event(event) => self.on_event(now, event),
                Output::Wait(at) => {
                    self.deadline = at;
                    return sent;
                }
                other => panic!("unexpected {other:?}"),
            }
            self.moved = true;
        }
        sent
    }

    /// The pairing is over: its link is opened.
    fn link(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        self.terms = self.pairing().terms().cloned();
        self.closing = self.socket.take();
        let log = Some(LogId::from_bytes([9; 16]));
        let mut endpoint = Endpoint::load(DeviceRole::Phone, &self.pairs, log, now, rng).unwrap();
        endpoint.changed(now, self.rev());
        self.machine = Machine::Link(Box::new(endpoint));
    }

    fn endpoint(&mut self) -> &mut Endpoint {
        match &mut self.machine {
            Machine::Link(endpoint) => endpoint,
            _ => panic!("no link"),
        }
    }

    fn deliver(&mut self, now: Timestamp, message: Message) {
        match message {
            Message::Command { key, body } => {
                let command = Command::decode(&body).unwrap();
                self.commands.push((key, command));
                let message = 1_000 + u64::try_from(self.commands.len()).unwrap();
                let answer = match self.answer_with {
                    Some(code) => ResultBody::Failed { code },
                    None => ResultBody::Accepted { message, rev: self.rev() },
                };
                let commit = self.endpoint().answer(now, key, &answer.encode(), Repeat::Answer).unwrap();
                self.commit(now, &commit);
            }
            Message::Opened { id, kind: OpenKind::Get, meta } => {
                let GetMeta { content, offset: from } = GetMeta::decode(&meta).unwrap();
                self.asked_from.push(from);
                if self.content.contains_key(&content) {
                    let _ = self.streams.insert(id, Stream::Gives(content, from));
                } else {
                    self.endpoint().reset_stream(now, id, ErrorCode::GONE).unwrap();
                }
            }
            Message::Opened { id, meta, .. } => {
                let content = PutMeta::decode(&meta).unwrap().content;
                let _ = self.streams.insert(id, Stream::Takes(content, Vec::new()));
                let commit = self.endpoint().stream_durable(now, id, 0).unwrap();
                self.commit(now, &commit);
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn on_event(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Connect => self.wants_socket = true,
            Event::Disconnect => self.closing = self.socket.take(),
            Event::State(state) => self.state = Some(state),
            Event::Pairing(event) => self.pairing_events.push(event),
            Event::DeltaWanted { collection, after, budget } => {
                self.give_rows(now, &collection, after, budget);
            }
            Event::DigestWanted { collection } => {
                let mut rows = BTreeMap::new();
                let is_kept = collection != CollectionName::Changes.encode().unwrap();
                for (_, row, lives) in self.rows.iter().filter(|(of, ..)| is_kept && *of == collection) {
                    let _ = rows.remove(&row.id);
                    if *lives {
                        let _ = rows.insert(row.id.clone(), row.rev);
                    }
                }
                let digest: RowDigest = rows.iter().map(|(id, rev)| (id, *rev)).collect();
                let rev = self.rev();
                self.endpoint().digest(now, &collection, rev, digest.value()).unwrap();
            }
            Event::PageWanted { collection, .. } => {
                assert_eq!(collection, CollectionName::Changes.encode().unwrap(), "nothing was damaged");
                let (rev, last) = (self.rev(), PageCursor::default());
                self.endpoint().page(now, &collection, rev, last, &[]).unwrap();
            }
            Event::DataWanted { id, offset, max } => self.give_data(now, id, offset, max),
            Event::Data { id, bytes, .. } => self.take_data(now, id, &bytes),
            Event::Fin { id, hash } => {
                let Some(Stream::Takes(content, bytes)) = self.streams.remove(&id) else { panic!("no put") };
                assert_eq!(hash, *content.as_bytes());
                let len = u64::try_from(bytes.len()).unwrap();
                let _ = self.received.insert(content, bytes);
                let commit = self.endpoint().stream_durable(now, id, len).unwrap();
                self.commit(now, &commit);
            }
            Event::StreamResumed { id, offset } => {
                if let Some(Stream::Takes(_, bytes)) = self.streams.get_mut(&id) {
                    bytes.truncate(usize::try_from(offset).unwrap());
                }
            }
            Event::StreamEnded { end, .. } => self.stream_ends.push(end),
            _ => {}
        }
    }

    fn give_rows(&mut self, now: Timestamp, collection: &Collection, after: u64, budget: usize) {
        let (mut items, mut len, mut to) = (Vec::new(), 0, self.rev());
        for (index, (name, row, _)) in self.rows.iter().enumerate().skip(usize::try_from(after).unwrap()) {
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
        self.endpoint().delta(now, collection, to, &items).unwrap();
    }

    fn give_data(&mut self, now: Timestamp, id: u64, offset: u64, max: usize) {
        let Some(Stream::Gives(content, from)) = self.streams.get(&id) else { return };
        let Content { list, bytes } = &self.content[content];
        let head = list.encode();
        let head_len = list.encoded_len();
        let mut part = match usize::try_from(offset).ok().and_then(|at| head.get(at..)) {
            Some(rest) => rest[..rest.len().min(max)].to_vec(),
            None => Vec::new(),
        };
        part.extend(bytes(offset.saturating_sub(head_len) + from, max - part.len()));
        let whole = list.stream_len() - from;
        let end = offset + u64::try_from(part.len()).unwrap();
        let fin = (end == whole && !self.holds_fin).then_some(*content.as_bytes());
        if part.is_empty() && fin.is_none() {
            return;
        }
        self.endpoint().stream_supply(now, id, offset, Bytes::from(part), fin).unwrap();
    }

    /// FIN, which was held back, of all that is being sent and has been supplied whole.
    pub(crate) fn release_fin(&mut self, now: Timestamp) {
        self.holds_fin = false;
        let wholes: Vec<(u64, u64, [u8; 32])> = self
            .streams
            .iter()
            .filter_map(|(id, stream)| match stream {
                Stream::Gives(content, from) => {
                    Some((*id, self.content[content].list.stream_len() - from, *content.as_bytes()))
                }
                Stream::Takes(..) => None,
            })
            .collect();
        for (id, end, hash) in wholes {
            self.endpoint().stream_supply(now, id, end, Bytes::new(), Some(hash)).unwrap();
        }
    }

    fn take_data(&mut self, now: Timestamp, id: u64, bytes: &[u8]) {
        let Some(Stream::Takes(_, taken)) = self.streams.get_mut(&id) else { return };
        taken.extend_from_slice(bytes);
        let len = u64::try_from(taken.len()).unwrap();
        self.arrived += u64::try_from(bytes.len()).unwrap();
        let commit = self.endpoint().stream_durable(now, id, len).unwrap();
        self.commit(now, &commit);
    }
}
