//! Two endpoints of one link in memory: a relay that only forwards, stores that only remember, bytes that are all alike.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use handfast_codec::frame::OpenKind;
use handfast_codec::ids::{AttachmentId, BootId, LogId};
use handfast_codec::relay::{Attached, Hello, PeerInfo, RECORD_HEADER, RelayFrame};
use handfast_codec::{DeviceRole, RelayName, Timestamp, Versions};
use handfast_session::hazmat::Linked;
use handfast_session::{Commit, Endpoint, Event, Message, Output, Pairs, PairsTxn};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

static CONTENT: [u8; 65_536] = [7; 65_536];
const PHONE: [u8; 8] = [1; 8];
const WEB: [u8; 8] = [2; 8];

fn relay_name() -> RelayName {
    RelayName::parse("127.0.0.1:8787").expect("a relay name")
}

/// The rows of both sides of a fresh link: the phone's, the web's.
pub fn linked_rows(seed: u64) -> (Pairs, Pairs) {
    let rng = &mut ChaCha20Rng::seed_from_u64(seed);
    Linked::new(relay_name(), rng).expect("an honest pairing").rows()
}

/// One side.
struct Side {
    endpoint: Endpoint,
    rows: Pairs,
    /// What the socket took and the peer has not.
    wire: VecDeque<Bytes>,
    deadline: Option<Timestamp>,
    wants_socket: bool,
    connected: usize,
    /// Bytes of an incoming stream, and how many of them were reported.
    taken: u64,
    reported: u64,
    ended: usize,
}

/// Both sides, and what lies between them.
pub struct Pair {
    phone: Side,
    web: Side,
    rng: ChaCha20Rng,
    now: Timestamp,
    content_len: u64,
    wire_most: usize,
}

impl Side {
    fn new(role: DeviceRole, rows: Pairs, now: Timestamp, rng: &mut ChaCha20Rng) -> Self {
        let log = (role == DeviceRole::Phone).then_some(LogId::from_bytes([9; 16]));
        let endpoint = Endpoint::load(role, &rows, log, now, rng).expect("rows of a link");
        Self {
            endpoint,
            rows,
            wire: VecDeque::new(),
            deadline: Some(now),
            wants_socket: false,
            connected: 0,
            taken: 0,
            reported: 0,
            ended: 0,
        }
    }

    fn commit(&mut self, now: Timestamp, commit: &Commit) {
        commit.apply(&mut PairsTxn::new(&mut self.rows)).expect("memory takes every commit");
        self.endpoint.committed(now, commit.id()).expect("commits are in order");
    }

    /// Does what the endpoint asks for, up to the next frame for the wire. Returns whether there was anything.
    fn poll(&mut self, now: Timestamp, content_len: u64) -> bool {
        let mut moved = false;
        loop {
            match self.endpoint.poll_output() {
                Output::Persist(commit) => self.commit(now, &commit),
                Output::Deliver { message, commit } => {
                    self.commit(now, &commit);
                    if let Message::Opened { id, kind: OpenKind::Put, .. } = message {
                        self.report(now, id, 0);
                    }
                }
                Output::Transmit(bytes) => {
                    self.wire.push_back(bytes);
                    return true;
                }
                Output::Event(event) => self.on_event(now, content_len, event),
                Output::Wait(at) => {
                    self.deadline = at;
                    return moved;
                }
                _ => {}
            }
            moved = true;
        }
    }

    fn on_event(&mut self, now: Timestamp, content_len: u64, event: Event) {
        match event {
            Event::Connect => self.wants_socket = true,
            Event::Connected { .. } => self.connected += 1,
            Event::DataWanted { id, offset, max } => {
                let left = usize::try_from(content_len - offset).expect("a length that fits");
                let bytes = Bytes::from_static(&CONTENT[..max.min(left)]);
                let fin = (bytes.len() == left).then_some([7; 32]);
                self.endpoint.stream_supply(now, id, offset, bytes, fin).expect("it was asked for");
            }
            Event::Data { id, bytes, .. } => {
                self.taken += bytes.len() as u64;
                // As a program does that syncs its file now and then; half of the least window.
                if self.taken - self.reported >= 32 * 1024 {
                    self.report(now, id, self.taken);
                }
            }
            Event::Fin { id, .. } => self.report(now, id, self.taken),
            Event::StreamResumed { offset, .. } => (self.taken, self.reported) = (offset, offset),
            Event::StreamEnded { .. } => self.ended += 1,
            _ => {}
        }
    }

    fn report(&mut self, now: Timestamp, id: u64, offset: u64) {
        let commit = self.endpoint.stream_durable(now, id, offset).expect("the bytes came");
        self.commit(now, &commit);
        self.reported = offset;
    }
}

impl Pair {
    pub fn new((phone, web): (Pairs, Pairs)) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let now = Timestamp::from_micros(1);
        let phone = Side::new(DeviceRole::Phone, phone, now, &mut rng);
        let web = Side::new(DeviceRole::Web, web, now, &mut rng);
        Self { phone, web, rng, now, content_len: 0, wire_most: 0 }
    }

    fn side(&mut self, role: DeviceRole) -> &mut Side {
        self.side_and_rng(role).0
    }

    fn side_and_rng(&mut self, role: DeviceRole) -> (&mut Side, &mut ChaCha20Rng) {
        let side = match role {
            DeviceRole::Phone => &mut self.phone,
            DeviceRole::Web => &mut self.web,
        };
        (side, &mut self.rng)
    }

    /// Lets both endpoints do all they can by themselves. Returns whether there was anything.
    fn poll(&mut self) -> bool {
        let mut moved = false;
        for side in [&mut self.web, &mut self.phone] {
            while side.poll(self.now, self.content_len) {
                moved = true;
            }
        }
        moved
    }

    /// Opens both sockets and attaches both, the web last.
    pub fn connect(&mut self) {
        while !(self.phone.wants_socket && self.web.wants_socket) {
            let _ = self.poll();
            if !(self.phone.wants_socket && self.web.wants_socket) {
                self.pass_time();
            }
        }
        for (role, own, peer) in [(DeviceRole::Phone, PHONE, WEB), (DeviceRole::Web, WEB, PHONE)] {
            let hello = RelayFrame::Hello(Hello {
                versions: Versions::CURRENT,
                name: relay_name(),
                boot: BootId::from_bytes([0; 16]),
                frame_len_max: 16_512,
                ping_interval_ms: 25_000,
            });
            let attached = RelayFrame::Attached(Attached {
                own: AttachmentId::from_bytes(own),
                peer: Some(PeerInfo {
                    id: AttachmentId::from_bytes(peer),
                    same_net: Some(true),
                    origin: None,
                }),
                phone_sticky: None,
                web_sticky: None,
            });
            let (now, len) = (self.now, self.content_len);
            let (side, rng) = self.side_and_rng(role);
            side.wants_socket = false;
            side.endpoint.handle_opened(now, rng);
            for frame in [hello, RelayFrame::Challenge([5; 32]), attached] {
                let bytes = BytesMut::from(&frame.encode()[..]);
                side.endpoint.handle_bytes(now, rng, bytes).expect("a socket is open");
            }
            while side.poll(now, len) {}
            // The proof of the seat goes to the relay.
            side.wire.retain(|frame| frame.first() == Some(&RECORD_HEADER[0]));
        }
    }

    /// Both sockets are gone.
    pub fn cut(&mut self) {
        let now = self.now;
        for side in [&mut self.phone, &mut self.web] {
            side.wire.clear();
            side.endpoint.handle_closed(now, &mut self.rng);
        }
        self.connect();
    }

    /// Moves frames and time until both are connected and nothing is to do.
    pub fn rest(&mut self) {
        while self.move_one() || self.phone.connected == 0 || self.web.connected == 0 {
            self.step();
        }
    }

    pub fn open(&mut self, kind: OpenKind, len: u64) {
        self.content_len = len;
        let opened = self.web.endpoint.stream_open(self.now, kind, Bytes::new()).expect("a stream");
        self.web.commit(self.now, &opened.commit);
    }

    pub fn is_over(&self) -> bool {
        self.web.ended > 0
    }

    /// One frame, or one deadline.
    pub fn step(&mut self) {
        if !self.move_one() {
            self.pass_time();
        }
    }

    /// Lets both endpoints fill their sockets, then hands over one frame of each. Returns whether anything moved.
    fn move_one(&mut self) -> bool {
        let mut moved = self.poll();
        self.wire_most = self.wire_most.max(self.on_the_wire());
        for role in [DeviceRole::Web, DeviceRole::Phone] {
            moved |= self.deliver(role);
        }
        moved
    }

    /// Hands the oldest frame of a side to the other.
    fn deliver(&mut self, from: DeviceRole) -> bool {
        let now = self.now;
        let Some(frame) = self.side(from).wire.pop_front() else { return false };
        self.side(from).endpoint.transmitted(now, frame.len());
        let (to, rng) = self.side_and_rng(!from);
        if frame.first() == Some(&RECORD_HEADER[0]) {
            to.endpoint.handle_bytes(now, rng, BytesMut::from(frame)).expect("a socket is open");
        }
        true
    }

    fn pass_time(&mut self) {
        let next = [self.phone.deadline, self.web.deadline].into_iter().flatten().min();
        self.now = self.now.max(next.expect("somebody waits for something"));
        for side in [&mut self.phone, &mut self.web] {
            if side.deadline.is_some_and(|at| at <= self.now) {
                side.endpoint.handle_timeout(self.now, &mut self.rng);
            }
        }
    }

    /// How often everything in flight had to arrive before the web's first record left.
    pub fn flights_until_first_record(&mut self) -> usize {
        let mut flights = 0;
        loop {
            let _ = self.poll();
            if self.web.wire.iter().any(|frame| frame.starts_with(&RECORD_HEADER)) {
                return flights;
            }
            let of_each = [DeviceRole::Web, DeviceRole::Phone].map(|role| (role, self.side(role).wire.len()));
            if of_each.iter().all(|(_, frames)| *frames == 0) {
                self.pass_time();
                continue;
            }
            flights += 1;
            for (role, frames) in of_each {
                for _ in 0..frames {
                    let _ = self.deliver(role);
                }
            }
        }
    }

    /// Bytes that the sockets took and nobody read.
    pub fn on_the_wire(&self) -> usize {
        let len = |side: &Side| side.wire.iter().map(Bytes::len).sum::<usize>();
        len(&self.phone) + len(&self.web)
    }

    pub fn wire_most(&self) -> usize {
        self.wire_most
    }

    pub fn handshakes(&self) -> usize {
        self.web.connected
    }
}
