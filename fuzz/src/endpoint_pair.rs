//! Two honest endpoints, a relay between them that a tape of bytes makes hostile, and stores that a tape makes slow.
//!
//! Whatever the relay drops, delays, repeats, changes or makes up, and whenever a device crashes: commands run once and in
//! order, rows and streams are what they were, no side sees a fault of the other and none thinks that it was copied.
//! When the relay is honest again, all of it arrives.

mod device;
mod relay;

use std::sync::OnceLock;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::error::Area;
use handfast_codec::frame::OpenKind;
use handfast_codec::ids::AttachmentId;
use handfast_codec::relay::{DataKind, Peer, PeerInfo, RelayFrame};
use handfast_codec::{DeviceRole, ErrorCode, Timestamp};
use handfast_session::{Event, LinkRows, LinkState};
use handfast_testkit::keys;
use handfast_testkit::net::START;
use handfast_testkit::relay::SocketId;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use self::device::{Device, Disk, answer_to, content};
use self::relay::Relay;

const OPS_MAX: usize = 200;
/// Each device has one at a time.
const SOCKET: SocketId = SocketId::new(1);
/// The longest time in which all must have arrived once the relay is honest.
const CALM_MAX: Duration = Duration::from_hours(2);

/// Plays the tape, then lets all come to rest.
///
/// # Panics
/// When one of the properties above does not hold.
pub fn run(data: &[u8]) {
    let mut tape = Tape(data);
    let mut pair = Pair::new();
    // Three tapes of four begin with a pair that is live.
    if tape.byte() % 4 != 0 {
        pair.rest();
    }
    for _ in 0..OPS_MAX {
        let Some(op) = tape.next() else { break };
        pair.step(op, &mut tape);
        pair.settle();
        pair.check();
    }
    pair.calm();
}

/// The bytes that choose.
struct Tape<'a>(&'a [u8]);

impl Tape<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    fn role(&mut self) -> DeviceRole {
        if self.byte().is_multiple_of(2) { DeviceRole::Phone } else { DeviceRole::Web }
    }

    fn take(&mut self) -> Vec<u8> {
        let len = usize::from(self.byte() % 32).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken.to_vec()
    }
}

struct Pair {
    now: Timestamp,
    rng: ChaCha20Rng,
    relay: Relay,
    phone: Device,
    web: Device,
    /// How many streams were asked for.
    streams: u8,
}

/// The rows of a fresh link: the phone's, the web's.
fn linked() -> (LinkRows, LinkRows) {
    static LINKED: OnceLock<(LinkRows, LinkRows)> = OnceLock::new();
    LINKED.get_or_init(|| keys::linked(&mut ChaCha20Rng::seed_from_u64(1))).clone()
}

impl Pair {
    fn new() -> Self {
        let (phone, web) = linked();
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let now = START;
        let disk = |pairs| Disk { pairs, ..Disk::default() };
        Self {
            now,
            phone: device::start(DeviceRole::Phone, disk(phone), now, &mut rng),
            web: device::start(DeviceRole::Web, disk(web), now, &mut rng),
            rng,
            relay: Relay::new(handfast_testkit::relay::name()),
            streams: 0,
        }
    }

    fn device(&mut self, role: DeviceRole) -> &mut Device {
        self.device_and_rng(role).0
    }

    fn device_and_rng(&mut self, role: DeviceRole) -> (&mut Device, &mut ChaCha20Rng) {
        let device = match role {
            DeviceRole::Phone => &mut self.phone,
            DeviceRole::Web => &mut self.web,
        };
        (device, &mut self.rng)
    }

    fn step(&mut self, op: u8, tape: &mut Tape<'_>) {
        match op % 32 {
            0..=5 | 24..=27 => self.deliver_all(),
            6 => {
                let role = tape.role();
                let _ = self.deliver(role);
            }
            7..=12 | 23 => self.be_hostile(op % 32, tape),
            13 => self.advance(Duration::from_millis(match tape.byte() % 6 {
                0 => 10,
                1 => 1_000,
                2 => 11_000,
                3 => 26_000,
                4 => 61_000,
                _ => 300_000,
            })),
            14 => {
                let role = tape.role();
                self.cut(role);
            }
            15 => {
                let role = tape.role();
                self.crash(role);
            }
            16 => {
                let role = tape.role();
                self.device(role).hold ^= true;
            }
            17 => {
                let (role, now) = (tape.role(), self.now);
                let _ = device::flush(self.device(role), now);
            }
            _ => self.use_it(op % 32, tape),
        }
    }

    /// What the relay can do to frames that are on their way.
    fn be_hostile(&mut self, op: u8, tape: &mut Tape<'_>) {
        let role = tape.role();
        let seen = self.relay.seen.clone();
        let Some(queue) = self.relay.queue(role) else { return };
        match op {
            7 => drop(queue.pop_front()),
            8 => queue.extend(queue.front().cloned()),
            9 if queue.len() >= 2 => queue.swap(0, 1),
            10 => {
                if let Some(front) = queue.front_mut() {
                    let mut bytes = front.to_vec();
                    let at = usize::from(tape.byte()) * bytes.len() / 256;
                    bytes[at] ^= tape.byte() | 1;
                    *front = bytes.into();
                }
            }
            11 if !seen.is_empty() => queue.push_back(seen[usize::from(tape.byte()) % seen.len()].clone()),
            12 => {
                let kind = DataKind::from_u8(tape.byte() % 12);
                let frame = RelayFrame::Data { kind, body: tape.take().into() };
                queue.push_back(frame.encode());
            }
            23 => {
                let lie = lie(tape);
                self.relay.send(role, &lie);
            }
            _ => {}
        }
    }

    /// What an application does.
    fn use_it(&mut self, op: u8, tape: &mut Tape<'_>) {
        let now = self.now;
        match op {
            18 | 30 => {
                let len = usize::from(tape.byte()) * usize::from(tape.byte());
                device::send(&mut self.web, now, vec![tape.byte(); len].into());
            }
            19 | 31 => {
                let (collection, len) = (tape.byte() % 3, usize::from(tape.byte()) * 8);
                device::add_row(&mut self.phone, now, collection, &vec![tape.byte(); len + 1]);
            }
            20 => device::follow(&mut self.web, now, tape.byte() % 3),
            21 | 28 | 29 => {
                let kind = if tape.byte().is_multiple_of(2) { OpenKind::Get } else { OpenKind::Put };
                self.streams = self.streams.wrapping_add(1);
                let meta = Bytes::from(vec![self.streams, tape.byte()]);
                let role = tape.role();
                device::open_stream(self.device(role), now, kind, meta);
            }
            _ => match tape.byte() % 4 {
                0 => self.web.machine.companion().set_hidden(now, tape.byte().is_multiple_of(2)),
                1 => {
                    let role = tape.role();
                    self.device(role).machine.probe(now);
                }
                2 => self.web.machine.companion().reclaim_seat(now),
                _ => {
                    let role = tape.role();
                    let slot = 3 + 2 * u64::from(tape.byte() % 2);
                    let _ = self.device(role).machine.set_ephemeral(now, slot, vec![tape.byte()].into());
                }
            },
        }
    }

    fn advance(&mut self, by: Duration) {
        self.now = self.now.plus(by);
        self.tick();
    }

    fn tick(&mut self) {
        self.relay.tick(self.now);
        for device in [&mut self.phone, &mut self.web] {
            device.timeout(self.now, &mut self.rng);
        }
    }

    fn cut(&mut self, role: DeviceRole) {
        self.relay.close(role);
        let now = self.now;
        let (device, rng) = self.device_and_rng(role);
        device.closed(now, rng);
    }

    fn crash(&mut self, role: DeviceRole) {
        self.relay.close(role);
        let now = self.now;
        let (device, rng) = self.device_and_rng(role);
        device::crash(device, now, rng);
    }

    /// Gives a device the next frame on its way to it.
    fn deliver(&mut self, role: DeviceRole) -> bool {
        let Some(frame) = self.relay.queue(role).and_then(std::collections::VecDeque::pop_front) else {
            return false;
        };
        let now = self.now;
        let (device, rng) = self.device_and_rng(role);
        if device.socket.is_some() {
            device.receive(now, rng, BytesMut::from(&frame[..]));
        }
        true
    }

    fn deliver_all(&mut self) {
        for _ in 0..3_000 {
            let moved = self.deliver(DeviceRole::Phone) | self.deliver(DeviceRole::Web);
            if !moved {
                return;
            }
            self.settle();
        }
        panic!("the devices do not come to rest");
    }

    /// Takes from both devices what they have to say.
    fn settle(&mut self) {
        for role in [DeviceRole::Phone, DeviceRole::Web] {
            loop {
                let now = self.now;
                let device = self.device(role);
                let sent = device::drain(device, now);
                if device.take_closing().is_some() {
                    self.relay.close(role);
                }
                let quiet = sent.is_empty();
                for bytes in sent {
                    if self.device(role).socket.is_some() {
                        self.relay.receive(role, bytes);
                    }
                }
                if self.device(role).wants_socket() {
                    self.open(role);
                } else if quiet {
                    break;
                }
            }
        }
    }

    fn open(&mut self, role: DeviceRole) {
        self.relay.open(role, self.now);
        let now = self.now;
        let (device, rng) = self.device_and_rng(role);
        device.opened(now, SOCKET, rng);
    }

    /// What must hold at any moment.
    fn check(&mut self) {
        for (key, body) in &self.phone.disk.ran {
            assert_eq!(self.web.disk.sent.get(key), Some(body), "what runs was asked for");
        }
        for (key, body) in &self.web.disk.answered {
            let asked = self.web.disk.sent.get(key).expect("an answer to what was asked for");
            assert_eq!(*body, answer_to(asked), "an answer to this and nothing else");
        }
        for (key, item) in &self.web.disk.rows {
            assert_eq!(self.phone.disk.rows.get(key), Some(item), "a row is the phone's");
        }
        for device in [&mut self.phone, &mut self.web] {
            for event in device.events.drain(..) {
                check_event(device.role, &event);
            }
        }
        for device in [&self.phone, &self.web] {
            for meta in &device.app.done {
                let files = [&self.phone.disk.files, &self.web.disk.files];
                let there =
                    files.iter().any(|files| files.get(meta).is_some_and(|file| *file == content(meta)));
                let pending = self.phone.hold || self.web.hold;
                assert!(there || pending, "a stream that is done is on the disk: {meta:?}");
            }
        }
    }

    /// The relay is honest and the stores are quick from now on: all must arrive.
    fn calm(&mut self) {
        for role in [DeviceRole::Phone, DeviceRole::Web] {
            self.cut(role);
            self.device(role).hold = false;
        }
        self.rest();
    }

    /// Lets time pass until all has arrived.
    fn rest(&mut self) {
        let end = self.now.plus(CALM_MAX);
        while self.now < end {
            self.settle();
            self.deliver_all();
            self.check();
            if self.is_done() {
                return;
            }
            self.web.machine.companion().reclaim_seat(self.now);
            self.settle();
            let deadlines = [self.phone.deadline, self.web.deadline, self.relay.deadline()];
            let next = deadlines.into_iter().flatten().min().unwrap_or(end);
            self.now = next.max(self.now.plus(Duration::from_micros(1)));
            self.tick();
        }
        panic!("it does not all arrive: {:?} {:?}", self.phone.machine, self.web.machine);
    }

    fn is_done(&self) -> bool {
        let (phone, web) = (&self.phone, &self.web);
        let live = [phone, web].iter().all(|device| device.state == Some(LinkState::Live));
        let settled =
            web.disk.answered.len() == web.disk.sent.len() && phone.disk.ran.len() == web.disk.sent.len();
        let empty = phone.machine.outbox_len().0 == 0 && web.machine.outbox_len().0 == 0;
        let synced = web.app.follows.iter().all(|followed| {
            let rows = |device: &Device| device.disk.rows.keys().filter(|(of, _)| of == followed).count();
            rows(phone) == rows(web)
        });
        live && settled && empty && synced && !device::has_streams(phone) && !device::has_streams(web)
    }
}

/// Something that is not so.
fn lie(tape: &mut Tape<'_>) -> RelayFrame {
    match tape.byte() % 5 {
        0 => RelayFrame::Peer(Peer::Down),
        1 => {
            let id = AttachmentId::from_bytes([tape.byte(); 8]);
            RelayFrame::Peer(Peer::Up(PeerInfo { id, same_net: Some(true), origin: None }))
        }
        2 => RelayFrame::Peer(Peer::Contended(u64::from(tape.byte()))),
        3 => {
            let code = ErrorCode::ALL[usize::from(tape.byte()) % ErrorCode::ALL.len()];
            RelayFrame::Error { code, retry_ms: u32::from(tape.byte()) }
        }
        _ => RelayFrame::Data { kind: DataKind::UNKNOWN_KEY, body: Bytes::new() },
    }
}

/// Both devices are honest, and no store loses a write: no side may say otherwise, whatever the relay does.
fn check_event(role: DeviceRole, event: &Event) {
    match event {
        Event::Diverged | Event::Suspended | Event::Revoked | Event::RevokedTold => {
            panic!("{role:?}: a false alarm: {event:?}");
        }
        Event::Failed(code) | Event::Closed(code) => {
            let innocent =
                !matches!(code.area(), Area::Session | Area::Stream | Area::Limit | Area::Internal)
                    && !matches!(*code, ErrorCode::FRAME_NOT_ALLOWED | ErrorCode::UNKNOWN_CRITICAL);
            assert!(innocent, "{role:?}: an honest peer is blamed: {event:?}");
        }
        _ => {}
    }
}
