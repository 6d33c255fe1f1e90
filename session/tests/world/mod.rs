//! Two endpoints over the relay's real core, with stores in memory and a virtual clock.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "a test world: each test file uses its part")]

pub mod commands;
pub mod device;
pub mod evil;
pub mod keys;

use std::time::Duration;

use bytes::BytesMut;
use device::Device;
use handfast_codec::ids::{AttachmentId, BootId};
use handfast_codec::{DeviceRole, RelayName, Timestamp};
use handfast_session::{Event, LinkState};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use reference_relay::core::{Fresh, Limits, Output as RelayOutput, Relay, SocketId};

/// Says of each frame that a device sends whether it arrives.
pub type Filter = Box<dyn FnMut(DeviceRole, &[u8]) -> bool>;

/// Everything there is.
pub struct World {
    pub now: Timestamp,
    pub relay: Relay,
    pub phone: Device,
    pub web: Device,
    pub rng: ChaCha20Rng,
    sockets: u64,
    /// Called on each frame that a device sends; `false` drops it.
    pub filter: Filter,
    /// Devices that only hear: what the relay still sends to them is delivered, and answered.
    pub others: Vec<Device>,
}

impl World {
    /// A linked pair, both down.
    pub fn linked(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let now = Timestamp::from_micros(1_000_000);
        let (phone, web) = keys::linked(&mut rng);
        let phone = Device::new(DeviceRole::Phone, phone, now, &mut rng);
        let web = Device::new(DeviceRole::Web, web, now, &mut rng);
        Self::with(phone, web, now, rng)
    }

    pub fn with(phone: Device, web: Device, now: Timestamp, rng: ChaCha20Rng) -> Self {
        let relay = new_relay();
        Self { now, relay, phone, web, rng, sockets: 0, filter: Box::new(|_, _| true), others: Vec::new() }
    }

    /// A linked pair that is live.
    pub fn live(seed: u64) -> Self {
        let mut world = Self::linked(seed);
        world.run_until_live();
        world
    }

    pub fn device(&mut self, role: DeviceRole) -> &mut Device {
        match role {
            DeviceRole::Phone => &mut self.phone,
            DeviceRole::Web => &mut self.web,
        }
    }

    /// Moves everything that can move now. Returns whether something did.
    pub fn settle(&mut self) -> bool {
        let mut moved = false;
        for _ in 0..100_000 {
            if !self.step() {
                return moved;
            }
            moved = true;
        }
        panic!("the world does not come to rest");
    }

    /// Moves what each party has ready, once. Returns whether something moved.
    pub fn step(&mut self) -> bool {
        self.pump(DeviceRole::Phone) | self.pump(DeviceRole::Web) | self.pump_others() | self.pump_relay()
    }

    fn pump(&mut self, role: DeviceRole) -> bool {
        let now = self.now;
        let device = match role {
            DeviceRole::Phone => &mut self.phone,
            DeviceRole::Web => &mut self.web,
        };
        let sent = device.drain(now);
        let mut moved = device.moved();
        if device.wants_socket() {
            moved = true;
            self.connect(role);
        }
        if let Some(socket) = self.device(role).take_closing() {
            self.relay.handle_closed(now, socket);
            moved = true;
        }
        for bytes in sent {
            moved = true;
            let len = bytes.len();
            if let Some(socket) = self.device(role).socket
                && (self.filter)(role, &bytes)
            {
                self.relay.handle_frame(now, socket, bytes);
            }
            self.device(role).transmitted(now, len);
        }
        moved
    }

    fn pump_others(&mut self) -> bool {
        let now = self.now;
        let mut moved = false;
        for device in &mut self.others {
            for bytes in device.drain(now) {
                if let Some(socket) = device.socket {
                    self.relay.handle_frame(now, socket, bytes);
                }
            }
            moved |= device.moved();
        }
        moved
    }

    fn connect(&mut self, role: DeviceRole) {
        self.sockets += 1;
        let socket = SocketId::new(self.sockets);
        let (mut nonce, mut id) = ([0; 32], [0; 8]);
        self.rng.fill_bytes(&mut nonce);
        self.rng.fill_bytes(&mut id);
        let fresh = Fresh { nonce, id: AttachmentId::from_bytes(id) };
        self.relay.handle_open(self.now, socket, [127, 0, 0, 1].into(), None, fresh).unwrap();
        let now = self.now;
        match role {
            DeviceRole::Phone => self.phone.opened(now, socket, &mut self.rng),
            DeviceRole::Web => self.web.opened(now, socket, &mut self.rng),
        }
    }

    fn pump_relay(&mut self) -> bool {
        let mut moved = false;
        loop {
            match self.relay.poll_output() {
                RelayOutput::Send(to, frame) => {
                    moved = true;
                    self.relay.transmitted(to, frame.len());
                    let (now, rng) = (self.now, &mut self.rng);
                    for device in [&mut self.phone, &mut self.web].into_iter().chain(&mut self.others) {
                        if device.socket == Some(to) {
                            device.receive(now, rng, BytesMut::from(&*frame));
                        }
                    }
                }
                RelayOutput::Close(socket, _) => {
                    moved = true;
                    let (now, rng) = (self.now, &mut self.rng);
                    for device in [&mut self.phone, &mut self.web].into_iter().chain(&mut self.others) {
                        if device.socket == Some(socket) {
                            device.closed(now, rng);
                        }
                    }
                }
                RelayOutput::Wait(_) => return moved,
            }
        }
    }

    /// Lets time pass, doing what is due in between.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now.plus(time);
        let _ = self.settle();
        while let Some(at) = self.next_deadline().filter(|at| *at <= end) {
            self.step_to(at);
        }
        self.now = end;
        self.step_to(end);
    }

    fn next_deadline(&mut self) -> Option<Timestamp> {
        let relay = match self.relay.poll_output() {
            RelayOutput::Wait(at) => at,
            _ => Some(self.now),
        };
        [self.phone.deadline, self.web.deadline, relay].into_iter().flatten().min()
    }

    fn step_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        self.relay.handle_timeout(self.now);
        let (now, rng) = (self.now, &mut self.rng);
        for device in [&mut self.phone, &mut self.web] {
            device.timeout(now, rng);
        }
        let _ = self.settle();
    }

    /// Runs until `done`, at most `time`.
    ///
    /// # Panics
    ///
    /// When it does not come to pass.
    pub fn run_until(&mut self, what: &str, time: Duration, mut done: impl FnMut(&mut Self) -> bool) {
        let end = self.now.plus(time);
        let _ = self.settle();
        while !done(self) {
            let next = self.next_deadline().filter(|at| *at <= end);
            let Some(at) = next else {
                panic!(
                    "{what}: not within {time:?}; phone {:?}\n{:?}\nweb {:?}\n{:?}",
                    self.phone.endpoint, self.phone.events, self.web.endpoint, self.web.events
                );
            };
            self.step_to(at);
        }
    }

    /// Runs until both sides show LIVE.
    pub fn run_until_live(&mut self) {
        self.run_until("live", Duration::from_mins(5), |w| {
            w.phone.state == Some(LinkState::Live) && w.web.state == Some(LinkState::Live)
        });
    }

    /// Cuts a device's socket.
    pub fn cut(&mut self, role: DeviceRole) {
        let now = self.now;
        if let Some(socket) = self.device(role).socket {
            self.relay.handle_closed(now, socket);
        }
        let rng = &mut self.rng;
        match role {
            DeviceRole::Phone => self.phone.closed(now, rng),
            DeviceRole::Web => self.web.closed(now, rng),
        }
    }

    /// Kills a device and starts it again from its store.
    pub fn crash(&mut self, role: DeviceRole) {
        let now = self.now;
        if let Some(socket) = self.device(role).socket {
            self.relay.handle_closed(now, socket);
        }
        let rng = &mut self.rng;
        match role {
            DeviceRole::Phone => self.phone.reload(now, rng),
            DeviceRole::Web => self.web.reload(now, rng),
        }
    }

    /// Restarts the relay: it forgets everything.
    pub fn restart_relay(&mut self) {
        self.relay = new_relay();
        let (now, rng) = (self.now, &mut self.rng);
        self.phone.closed(now, rng);
        self.web.closed(now, rng);
    }

    /// Whether either side's events hold this one.
    pub fn saw(&self, role: DeviceRole, event: &Event) -> bool {
        match role {
            DeviceRole::Phone => self.phone.events.contains(event),
            DeviceRole::Web => self.web.events.contains(event),
        }
    }
}

fn new_relay() -> Relay {
    let name = RelayName::parse("127.0.0.1:8787").unwrap();
    Relay::new(name, BootId::from_bytes([7; 16]), Limits::default())
}
