//! The connections between two devices and a relay: what is on its way, and when it arrives.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use chacha20::ChaCha8Rng;
use handfast_codec::ids::{AttachmentId, BootId};
use handfast_codec::{DeviceRole, RelayName, Timestamp};
use rand_core::Rng as _;

use super::device::Input;
use super::relay::{Action, Relay, SocketId};
use crate::host::{Output, SocketTag};

/// The longest time that a frame takes.
const DELAY_MAX: Duration = Duration::from_millis(40);
/// The same while the network is slow.
const SLOW_DELAY_MAX: Duration = Duration::from_secs(4);
/// The longest time after which the relay notices that a connection was cut.
const NOTICE_MAX: Duration = Duration::from_secs(30);

/// What is on its way.
#[derive(Debug)]
enum Arrival {
    Opened(SocketId),
    ToRelay(SocketId, Bytes),
    ToDevice(SocketId, Bytes),
    /// The relay hears that a connection has ended.
    RelayCloses(SocketId),
    /// The device hears it.
    DeviceCloses(SocketId),
}

#[derive(Debug)]
struct Socket {
    role: DeviceRole,
    tag: SocketTag,
    /// When the last frame of each direction arrives: they keep their order.
    last: [Timestamp; 2],
}

#[derive(Debug)]
pub(super) struct Net {
    relay: Relay,
    sockets: BTreeMap<SocketId, Socket>,
    on_the_way: BTreeMap<(Timestamp, u64), Arrival>,
    next: u64,
    pub(super) chance: ChaCha8Rng,
    /// Whether the relay cannot be reached.
    pub(super) is_down: bool,
    pub(super) is_slow: bool,
    /// The number of frames that have arrived.
    pub(super) frames: u64,
}

impl Net {
    pub(super) fn new(relay: RelayName, mut chance: ChaCha8Rng) -> Self {
        let relay = Relay::new(relay, boot(&mut chance));
        let (sockets, on_the_way) = (BTreeMap::new(), BTreeMap::new());
        Self { relay, sockets, on_the_way, next: 0, chance, is_down: false, is_slow: false, frames: 0 }
    }

    pub(super) const fn relay(&self) -> &RelayName {
        self.relay.name()
    }

    /// Draws a time of at most `max`.
    pub(super) fn time(&mut self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.chance.next_u64().checked_rem(max).unwrap_or(0))
    }

    /// Does what a device wants of its sockets.
    pub(super) fn carry(&mut self, now: Timestamp, role: DeviceRole, output: Output<Infallible>) {
        match output {
            Output::Connect { socket: tag, relay } => {
                let id = self.number();
                let _ = self.sockets.insert(id, Socket { role, tag, last: [now; 2] });
                let is_there = !self.is_down && relay == *self.relay.name();
                self.post(now, id, 1, if is_there { Arrival::Opened(id) } else { Arrival::DeviceCloses(id) });
            }
            Output::Transmit { socket, bytes } => {
                if let Some(id) = self.find(role, socket) {
                    self.post(now, id, 0, Arrival::ToRelay(id, bytes));
                }
            }
            Output::Disconnect { socket } => {
                if let Some(id) = self.find(role, socket) {
                    // What was sent before still arrives.
                    self.post(now, id, 0, Arrival::RelayCloses(id));
                    let _ = self.sockets.remove(&id);
                }
            }
            Output::Event(event) => match event {},
        }
    }

    fn find(&self, role: DeviceRole, tag: SocketTag) -> Option<SocketId> {
        self.sockets.iter().find(|(_, socket)| socket.role == role && socket.tag == tag).map(|(id, _)| *id)
    }

    /// Ends the connections of a device, in the middle of what is on its way. A device that runs hears it at
    /// once, the relay later.
    pub(super) fn cut(&mut self, now: Timestamp, role: DeviceRole, is_heard: bool) {
        let cut: Vec<_> = self.sockets.iter().filter(|(_, of)| of.role == role).map(|(id, _)| *id).collect();
        self.on_the_way.retain(|_, arrival| match arrival {
            Arrival::Opened(id) | Arrival::ToRelay(id, _) | Arrival::ToDevice(id, _) => !cut.contains(id),
            Arrival::RelayCloses(_) | Arrival::DeviceCloses(_) => true,
        });
        for id in cut {
            let noticed = now.plus(self.time(NOTICE_MAX));
            self.push(noticed, Arrival::RelayCloses(id));
            if is_heard {
                self.push(now, Arrival::DeviceCloses(id));
            } else {
                let _ = self.sockets.remove(&id);
            }
        }
    }

    /// Ends the relay. The next one has forgotten everything.
    pub(super) fn end_relay(&mut self, now: Timestamp) {
        for role in [DeviceRole::Phone, DeviceRole::Web] {
            self.cut(now, role, true);
        }
        self.relay = Relay::new(self.relay.name().clone(), boot(&mut self.chance));
        self.is_down = true;
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let first = self.on_the_way.first_key_value().map(|((at, _), _)| *at);
        first.into_iter().chain(self.relay.deadline()).min()
    }

    /// Lets the next thing arrive that is due, and returns what a device has to be told of it.
    pub(super) fn step(&mut self, now: Timestamp) -> Option<(DeviceRole, SocketTag, Input)> {
        let mut told = None;
        if self.on_the_way.first_key_value().is_some_and(|((at, _), _)| *at <= now) {
            told = self.on_the_way.pop_first().and_then(|(_, arrival)| self.arrive(now, arrival));
        }
        self.relay.handle_timeout(now);
        for action in self.relay.take_actions() {
            match action {
                Action::Send(id, bytes) => self.post(now, id, 1, Arrival::ToDevice(id, bytes)),
                Action::Close(id) => self.post(now, id, 1, Arrival::DeviceCloses(id)),
            }
        }
        told
    }

    fn arrive(&mut self, now: Timestamp, arrival: Arrival) -> Option<(DeviceRole, SocketTag, Input)> {
        let (id, input) = match arrival {
            Arrival::Opened(id) => {
                let (mut nonce, mut attachment) = ([0; 32], [0; 8]);
                self.chance.fill_bytes(&mut nonce);
                self.chance.fill_bytes(&mut attachment);
                self.relay.handle_open(now, id, nonce, AttachmentId::from_bytes(attachment));
                (id, Input::Opened)
            }
            Arrival::ToRelay(id, bytes) => {
                self.frames = self.frames.saturating_add(1);
                self.relay.handle_frame(id, bytes);
                return None;
            }
            Arrival::ToDevice(id, bytes) => {
                self.frames = self.frames.saturating_add(1);
                (id, Input::Bytes(bytes))
            }
            Arrival::RelayCloses(id) => {
                self.relay.handle_closed(id);
                return None;
            }
            Arrival::DeviceCloses(id) => {
                let socket = self.sockets.remove(&id)?;
                return Some((socket.role, socket.tag, Input::Closed));
            }
        };
        let socket = self.sockets.get(&id)?;
        Some((socket.role, socket.tag, input))
    }

    /// Sends something over a connection, in this direction: 0 to the relay, 1 to the device.
    fn post(&mut self, now: Timestamp, id: SocketId, direction: usize, arrival: Arrival) {
        let delay = self.time(if self.is_slow { SLOW_DELAY_MAX } else { DELAY_MAX });
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let Some(last) = socket.last.get_mut(direction) else { return };
        *last = now.plus(delay).max(*last);
        let at = *last;
        self.push(at, arrival);
    }

    fn push(&mut self, at: Timestamp, arrival: Arrival) {
        let number = self.number();
        let _ = self.on_the_way.insert((at, number), arrival);
    }

    fn number(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }
}

fn boot(chance: &mut ChaCha8Rng) -> BootId {
    let mut boot = [0; 16];
    chance.fill_bytes(&mut boot);
    BootId::from_bytes(boot)
}
