//! Two hosts at one relay.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::relay::{DataKind, data_kind};
use handfast_codec::{DeviceRole, RelayName, Timestamp};
use handfast_session::{Event, LinkState};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::CryptoRng;

use crate::clock::Clocked;
use crate::host::{App, Host};
use crate::machine::Machine as _;
use crate::raw::Raw;
use crate::relay::{self, Hub, Said};

/// What the relay gets of a frame that a device sends.
pub type Tap = Box<dyn FnMut(DeviceRole, Bytes) -> Vec<Bytes>>;

/// Frames that were kept.
pub type Tape = Rc<RefCell<Vec<Vec<u8>>>>;

/// When everything begins.
pub const START: Timestamp = Timestamp::from_micros(1_000_000);

/// Everything there is.
pub struct Net<A: App> {
    pub now: Timestamp,
    pub relay: Hub,
    pub phone: Host<A>,
    pub web: Host<A>,
    pub rng: ChaCha20Rng,
    pub tap: Tap,
    /// Devices beside these two.
    pub others: Vec<Host<A>>,
    /// Scripted peers.
    pub raw: Vec<Raw>,
}

impl<A: App> Net<A> {
    pub fn with(phone: Host<A>, web: Host<A>, now: Timestamp, rng: ChaCha20Rng) -> Self {
        Self::at_relay(relay::name(), phone, web, now, rng)
    }

    /// The same, at a relay that says this name.
    pub fn at_relay(says: RelayName, phone: Host<A>, web: Host<A>, now: Timestamp, rng: ChaCha20Rng) -> Self {
        let (relay, tap): (_, Tap) = (Hub::new(says), Box::new(|_, frame| vec![frame]));
        Self { now, relay, phone, web, rng, tap, others: Vec::new(), raw: Vec::new() }
    }

    pub fn device(&mut self, role: DeviceRole) -> &mut Host<A> {
        self.device_and_rng(role).0
    }

    pub(crate) fn device_and_rng(&mut self, role: DeviceRole) -> (&mut Host<A>, &mut ChaCha20Rng) {
        let device = match role {
            DeviceRole::Phone => &mut self.phone,
            DeviceRole::Web => &mut self.web,
        };
        (device, &mut self.rng)
    }

    /// Sets what becomes of each frame that a device sends.
    pub fn alter(&mut self, tap: impl FnMut(DeviceRole, Bytes) -> Vec<Bytes> + 'static) {
        self.tap = Box::new(tap);
    }

    /// Sets which frames that a device sends arrive.
    pub fn filter(&mut self, mut arrives: impl FnMut(DeviceRole, &[u8]) -> bool + 'static) {
        self.alter(move |role, frame| if arrives(role, &frame) { vec![frame] } else { vec![] });
    }

    /// Keeps the DATA of one kind that a device sends; with `drop` it does not arrive.
    pub fn tape(&mut self, kind: DataKind, from: DeviceRole, drop: bool) -> Tape {
        let tape = Tape::default();
        let kept = tape.clone();
        self.filter(move |role, frame| {
            let is_it = role == from && data_kind(frame) == Some(kind);
            if is_it {
                kept.borrow_mut().push(frame.to_vec());
            }
            !(is_it && drop)
        });
        tape
    }

    /// The wire is whole again.
    pub fn unfilter(&mut self) {
        self.filter(|_, _| true);
    }

    fn pump_hosts(&mut self) -> bool {
        let Self { now, relay, phone, web, rng, tap, others, .. } = self;
        let mut moved = false;
        for host in [phone, web].into_iter().chain(others) {
            moved |= pump(host, *now, relay, rng, tap);
        }
        moved
    }

    fn pump_relay(&mut self) -> bool {
        let mut moved = false;
        while let Some(said) = self.relay.take() {
            moved = true;
            let (now, rng) = (self.now, &mut self.rng);
            let mut hosts = [&mut self.phone, &mut self.web].into_iter().chain(&mut self.others);
            match said {
                Said::Frame(to, frame) => {
                    if let Some(host) = hosts.find(|host| host.socket == Some(to)) {
                        host.receive(now, rng, BytesMut::from(&*frame));
                    }
                    let raw = self.raw.iter_mut().find(|raw| raw.socket == to);
                    if let Some(reply) = raw.and_then(|raw| raw.receive(frame)) {
                        self.relay.handle_frame(now, to, reply);
                    }
                }
                Said::Closed(socket) => {
                    if let Some(host) = hosts.find(|host| host.socket == Some(socket)) {
                        host.closed(now, rng);
                    }
                }
            }
        }
        moved
    }

    /// Cuts a device's socket.
    pub fn cut(&mut self, role: DeviceRole) {
        let now = self.now;
        let (device, rng) = self.device_and_rng(role);
        let socket = device.socket;
        device.closed(now, rng);
        if let Some(socket) = socket {
            self.relay.handle_closed(now, socket);
        }
    }

    /// Restarts the relay: it forgets everything.
    pub fn restart_relay(&mut self) {
        self.relay.restart();
        for role in [DeviceRole::Phone, DeviceRole::Web] {
            self.cut(role);
        }
    }

    /// The relay itself sends a device something, if that has a socket.
    pub fn relay_says(&mut self, role: DeviceRole, frame: &[u8]) {
        let now = self.now;
        let (device, rng) = self.device_and_rng(role);
        if device.socket.is_some() {
            device.receive(now, rng, BytesMut::from(frame));
        }
        self.settle();
    }

    pub fn is_live(&self) -> bool {
        [&self.phone, &self.web].iter().all(|device| device.state == Some(LinkState::Live))
    }

    /// Runs until both sides show LIVE.
    pub fn run_until_live(&mut self) {
        self.run_until("live", Duration::from_mins(5), |net| net.is_live());
    }

    /// Whether a side was told of this.
    pub fn saw(&self, role: DeviceRole, event: &Event) -> bool {
        match role {
            DeviceRole::Phone => self.phone.events.contains(event),
            DeviceRole::Web => self.web.events.contains(event),
        }
    }
}

/// Moves what a host has ready, and hands its frames to the relay as `tap` makes them. Returns whether anything moved.
pub fn pump<A: App>(
    host: &mut Host<A>,
    now: Timestamp,
    relay: &mut Hub,
    rng: &mut dyn CryptoRng,
    tap: &mut dyn FnMut(DeviceRole, Bytes) -> Vec<Bytes>,
) -> bool {
    host.timeout(now, rng);
    let sent = host.drain(now);
    let mut moved = host.take_moved();
    let mut closing = host.take_closing();
    // What was said before a socket is closed still leaves by it.
    let socket = closing.or(host.socket);
    for frame in sent {
        let len = frame.len();
        if let Some(socket) = socket {
            for frame in tap(host.role, frame) {
                relay.handle_frame(now, socket, frame);
            }
        }
        host.transmitted(now, len);
    }
    if host.is_dead() {
        closing = closing.or_else(|| host.die());
    }
    if let Some(socket) = closing {
        moved = true;
        relay.handle_closed(now, socket);
    }
    if host.wants_socket() && !host.is_dead() {
        moved = true;
        if host.offline {
            host.machine.closed(now, rng);
        } else {
            let socket = relay.open(now, host.origin, rng);
            host.opened(now, socket, rng);
        }
    }
    moved
}

impl<A: App> Clocked for Net<A> {
    fn clock(&mut self) -> &mut Timestamp {
        &mut self.now
    }

    fn pump(&mut self) -> bool {
        self.pump_hosts() | self.pump_relay()
    }

    fn next_deadline(&mut self) -> Option<Timestamp> {
        let devices = [self.phone.deadline, self.web.deadline, self.relay.deadline(self.now)];
        devices.into_iter().chain(self.others.iter().map(|host| host.deadline)).flatten().min()
    }

    fn tick(&mut self) {
        self.relay.handle_timeout(self.now);
    }

    fn describe(&self) -> String {
        let of = |host: &Host<A>| format!("{:?} {:?} {:?}", host.state, host.events, host.pairing_events);
        format!("phone {}\nweb {}", of(&self.phone), of(&self.web))
    }
}
