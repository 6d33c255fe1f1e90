//! Two endpoints of one link in memory: a relay that only forwards, stores that only remember, bytes that are all alike.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use handfast_codec::frame::OpenKind;
use handfast_codec::relay::RECORD_HEADER;
use handfast_codec::{DeviceRole, Timestamp};
use handfast_session::testing::AnyEndpoint;
use handfast_session::{Event, LinkRows, Message, StreamEvent};
use handfast_testkit::host::{App, Host, LOG};
use handfast_testkit::{keys, raw};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

static CONTENT: [u8; 65_536] = [7; 65_536];

/// The rows of both sides of a fresh link: the phone's, the web's.
pub fn linked_rows(seed: u64) -> (LinkRows, LinkRows) {
    keys::linked(&mut ChaCha20Rng::seed_from_u64(seed))
}

/// What one side does: it sends content whose bytes are all alike, and takes what comes.
#[derive(Default)]
struct Content {
    /// What the socket took and the peer has not.
    wire: VecDeque<Bytes>,
    len: u64,
    connected: usize,
    /// Bytes of an incoming stream, and how many of them were reported.
    taken: u64,
    reported: u64,
    ended: usize,
}

type Side = Host<Content>;

/// What a side takes beside its endpoint, in bytes.
pub const SIDE_LEN: u64 = (size_of::<Side>() - size_of::<AnyEndpoint>()) as u64;

/// Both sides, and what lies between them.
pub struct Pair {
    phone: Side,
    web: Side,
    rng: ChaCha20Rng,
    now: Timestamp,
    wire_most: usize,
}

impl App for Content {
    type Machine = AnyEndpoint;
    type Disk = LinkRows;

    fn deliver(side: &mut Side, now: Timestamp, message: Message) {
        if let Message::Opened { id, kind: OpenKind::Put, .. } = message {
            report(side, now, id, 0);
        }
    }

    fn event(side: &mut Side, now: Timestamp, event: &Event) -> bool {
        match *event {
            Event::Connected { .. } => side.app.connected += 1,
            Event::Stream(StreamEvent::DataWanted { id, offset, max }) => {
                let left = usize::try_from(side.app.len - offset).expect("a length that fits");
                let bytes = Bytes::from_static(&CONTENT[..max.min(left)]);
                let fin = (bytes.len() == left).then_some([7; 32]);
                side.machine.stream_supply(now, id, offset, bytes, fin).expect("it was asked for");
            }
            Event::Stream(StreamEvent::Data { id, ref bytes, .. }) => {
                side.app.taken += bytes.len() as u64;
                // As a program does that syncs its file now and then; half of the least window.
                if side.app.taken - side.app.reported >= 32 * 1024 {
                    report(side, now, id, side.app.taken);
                }
            }
            Event::Stream(StreamEvent::Fin { id, .. }) => report(side, now, id, side.app.taken),
            Event::Stream(StreamEvent::Resumed { offset, .. }) => {
                (side.app.taken, side.app.reported) = (offset, offset);
            }
            Event::Stream(StreamEvent::Ended { .. }) => side.app.ended += 1,
            _ => {}
        }
        false
    }
}

fn report(side: &mut Side, now: Timestamp, id: u64, offset: u64) {
    let commit = side.machine.stream_durable(now, id, offset).expect("the bytes came");
    let _ = side.commit(now, commit);
    side.app.reported = offset;
}

/// Does what the endpoint asks for, up to the next frame for the wire. Returns whether there was anything.
fn poll(side: &mut Side, now: Timestamp) -> bool {
    let sent = side.drain_up_to(now, 1);
    side.app.wire.extend(sent);
    side.take_moved()
}

impl Pair {
    pub fn new((phone, web): (LinkRows, LinkRows)) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let now = Timestamp::from_micros(1);
        let mut side = |role, rows: LinkRows| {
            let endpoint = AnyEndpoint::load(role, &rows, LOG, now, &mut rng).expect("rows of a link");
            Side::over(role, endpoint, rows, Content::default(), now)
        };
        let (phone, web) = (side(DeviceRole::Phone, phone), side(DeviceRole::Web, web));
        Self { phone, web, rng, now, wire_most: 0 }
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
            while poll(side, self.now) {
                moved = true;
            }
        }
        moved
    }

    /// Opens both sockets and attaches both, the web last.
    pub fn connect(&mut self) {
        let (mut phone, mut web) = (false, false);
        while !(phone && web) {
            let moved = self.poll();
            phone |= self.phone.wants_socket();
            web |= self.web.wants_socket();
            if !moved {
                self.pass_time();
            }
        }
        for role in [DeviceRole::Phone, DeviceRole::Web] {
            let now = self.now;
            let (side, rng) = self.side_and_rng(role);
            side.machine.handle_opened(now, rng);
            for frame in raw::greeting(role) {
                side.machine.handle_bytes(now, rng, BytesMut::from(&*frame)).expect("a socket is open");
            }
            while poll(side, now) {}
            // The proof of the seat goes to the relay.
            side.app.wire.retain(|frame| frame.first() == Some(&RECORD_HEADER[0]));
        }
    }

    /// Both sockets are gone.
    pub fn cut(&mut self) {
        let now = self.now;
        for side in [&mut self.phone, &mut self.web] {
            side.app.wire.clear();
            side.machine.handle_closed(now, &mut self.rng);
        }
        self.connect();
    }

    /// Moves frames and time until both are connected and nothing is to do.
    pub fn rest(&mut self) {
        while self.move_one() || self.phone.app.connected == 0 || self.web.app.connected == 0 {
            self.step();
        }
    }

    pub fn open(&mut self, kind: OpenKind, len: u64) {
        self.web.app.len = len;
        let opened = self.web.machine.stream_open(self.now, kind, Bytes::new()).expect("a stream");
        let _ = self.web.commit(self.now, opened.commit);
    }

    pub fn is_over(&self) -> bool {
        self.web.app.ended > 0
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
        let Some(frame) = self.side(from).app.wire.pop_front() else { return false };
        self.side(from).machine.transmitted(now, frame.len());
        let (to, rng) = self.side_and_rng(!from);
        if frame.first() == Some(&RECORD_HEADER[0]) {
            to.machine.handle_bytes(now, rng, BytesMut::from(frame)).expect("a socket is open");
        }
        true
    }

    fn pass_time(&mut self) {
        let next = [self.phone.deadline, self.web.deadline].into_iter().flatten().min();
        self.now = self.now.max(next.expect("somebody waits for something"));
        for side in [&mut self.phone, &mut self.web] {
            if side.deadline.is_some_and(|at| at <= self.now) {
                side.machine.handle_timeout(self.now, &mut self.rng);
            }
        }
    }

    /// How often everything in flight had to arrive before the web's first record left.
    pub fn flights_until_first_record(&mut self) -> usize {
        let mut flights = 0;
        loop {
            let _ = self.poll();
            if self.web.app.wire.iter().any(|frame| frame.starts_with(&RECORD_HEADER)) {
                return flights;
            }
            let of_each =
                [DeviceRole::Web, DeviceRole::Phone].map(|role| (role, self.side(role).app.wire.len()));
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
        let len = |side: &Side| side.app.wire.iter().map(Bytes::len).sum::<usize>();
        len(&self.phone) + len(&self.web)
    }

    pub fn wire_most(&self) -> usize {
        self.wire_most
    }

    pub fn handshakes(&self) -> usize {
        self.web.app.connected
    }
}
