//! What becomes of what is stored: both programs start again, and nothing more goes wrong.

use std::time::Duration;

use bytes::BytesMut;
use handfast_codec::ids::AttachmentId;
use handfast_codec::{DeviceRole, Timestamp};
use handfast_session::{Endpoint, Event, LinkState, LinkStatus, Output};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use reference_relay::core::{Fresh, Output as RelayOutput, Relay, SocketId};

use super::attempt::new_relay;
use super::disk::Disk;

/// How long they have to find one another.
const TIME_MAX: Duration = Duration::from_mins(5);

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Linked on both sides and LIVE.
    Both,
    /// Linked on neither; what waits as OFFERED or PENDING is dropped after 24 hours.
    Neither,
    /// Linked on one side, for good.
    OneSided,
}

struct Device {
    role: DeviceRole,
    endpoint: Endpoint,
    disk: Disk,
    socket: Option<SocketId>,
    deadline: Option<Timestamp>,
    live: bool,
}

/// Lets the two stores meet.
pub(super) fn outcome(phone: &Disk, web: &Disk) -> Outcome {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let now = Timestamp::from_micros(1_000_000);
    let mut load = |role, disk: &Disk| {
        let endpoint = disk.load(role, now, &mut rng)?;
        Some(Device { role, endpoint, disk: disk.clone(), socket: None, deadline: Some(now), live: false })
    };
    let (phone, web) = (load(DeviceRole::Phone, phone), load(DeviceRole::Web, web));
    let is_active = |device: &Device| device.endpoint.status() == LinkStatus::Active;
    match (phone, web) {
        (Some(phone), Some(web)) => {
            let [phone, web] = meet([phone, web], now, &mut rng);
            match (is_active(&phone), is_active(&web)) {
                (true, true) if phone.live && web.live => Outcome::Both,
                (false, false) => Outcome::Neither,
                _ => Outcome::OneSided,
            }
        }
        (Some(one), None) | (None, Some(one)) if is_active(&one) => Outcome::OneSided,
        _ => Outcome::Neither,
    }
}

/// Runs both until they are LIVE, or the time is over.
fn meet(mut devices: [Device; 2], mut now: Timestamp, rng: &mut ChaCha20Rng) -> [Device; 2] {
    let (mut relay, mut sockets) = (new_relay(), 0);
    let end = now.plus(TIME_MAX);
    loop {
        while devices.iter_mut().fold(false, |moved, d| d.pump(now, rng, &mut relay, &mut sockets) | moved)
            | carry(&mut devices, now, rng, &mut relay)
        {}
        let next = devices.iter().filter_map(|device| device.deadline).min();
        let Some(at) = next.filter(|at| *at <= end && !devices.iter().all(|device| device.live)) else {
            return devices;
        };
        now = now.max(at);
        relay.handle_timeout(now);
        for device in &mut devices {
            if device.deadline.is_some_and(|at| at <= now) {
                device.endpoint.handle_timeout(now, rng);
            }
        }
    }
}

impl Device {
    /// Does what the endpoint asks for. Returns whether something moved.
    fn pump(&mut self, now: Timestamp, rng: &mut ChaCha20Rng, relay: &mut Relay, sockets: &mut u64) -> bool {
        let mut moved = false;
        loop {
            match self.endpoint.poll_output() {
                Output::Persist(commit) => {
                    self.disk.apply(&commit);
                    self.endpoint.committed(now, commit.id()).expect("the oldest open commit");
                }
                Output::Transmit(bytes) => {
                    let len = bytes.len();
                    if let Some(socket) = self.socket {
                        relay.handle_frame(now, socket, bytes);
                    }
                    self.endpoint.transmitted(now, len);
                }
                Output::Event(Event::Connect) => {
                    *sockets += 1;
                    let socket = SocketId::new(*sockets);
                    let byte = u8::try_from(*sockets).unwrap_or_default();
                    let fresh = Fresh { nonce: [byte; 32], id: AttachmentId::from_bytes([byte; 8]) };
                    relay.handle_open(now, socket, [127, 0, 0, 1].into(), None, fresh).expect("fresh");
                    self.socket = Some(socket);
                    self.endpoint.handle_opened(now, rng);
                }
                Output::Event(Event::Disconnect) => {
                    if let Some(socket) = self.socket.take() {
                        relay.handle_closed(now, socket);
                    }
                }
                Output::Event(Event::State(state)) => self.live = state == LinkState::Live,
                Output::Event(_) => {}
                Output::Wait(at) => {
                    self.deadline = at;
                    return moved;
                }
                other => panic!("unexpected {other:?} at the {:?}", self.role),
            }
            moved = true;
        }
    }
}

fn carry(devices: &mut [Device; 2], now: Timestamp, rng: &mut ChaCha20Rng, relay: &mut Relay) -> bool {
    let mut moved = false;
    loop {
        let (to, frame) = match relay.poll_output() {
            RelayOutput::Send(to, frame) => (to, Some(frame)),
            RelayOutput::Close(to, _) => (to, None),
            RelayOutput::Wait(_) => return moved,
        };
        moved = true;
        if let Some(frame) = &frame {
            relay.transmitted(to, frame.len());
        }
        for device in devices.iter_mut().filter(|device| device.socket == Some(to)) {
            if let Some(frame) = &frame {
                let bytes = BytesMut::from(&**frame);
                device.endpoint.handle_bytes(now, rng, bytes).expect("a socket is open");
            } else {
                device.socket = None;
                device.endpoint.handle_closed(now, rng);
            }
        }
    }
}
