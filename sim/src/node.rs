//! One device of the simulation: its disk, its clocks, and the real program over them while it runs.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use handfast::codec::ids::LogId;
use handfast::driver::{SocketEvent, hand_over};
use handfast::handshake::identity::SigningKey;
use handfast::host::{Application as _, Output, SocketTag};
use handfast::{DeviceRole, RelayName, Timestamp};
use handfast_programs::MediaDir;
use handfast_programs::Progress;
use rand_core::CryptoRng;
use reference_phone::app as phone;
use reference_phone::policy::RelayPolicy;
use reference_web::app as web;

use crate::disk::Disk;
use crate::faults::disk::Trap;
use crate::faults::quota;
use crate::rng::SimRng;
use crate::upstream::{self, Network};

/// The relay of every link.
pub const RELAY: &str = "127.0.0.1:8787";
/// The wall clock at the start: 2026-06-01.
const WALL_START_MS: u64 = 1_780_272_000_000;
/// What a program's monotonic clock shows when it starts.
const MONO_START: u64 = 1_000_000;

/// A device by its place in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// The program that runs on a device.
#[derive(Debug)]
pub enum Machine {
    /// The phone.
    Phone(Box<phone::App>),
    /// The companion.
    Web(Box<web::App>),
}

/// What a program wants done.
#[derive(Debug)]
pub enum Out {
    /// Open a socket.
    Connect(SocketTag),
    /// Send a message.
    Transmit(SocketTag, Bytes),
    /// Close a socket.
    Disconnect(SocketTag),
    /// The phone tells its user.
    Phone(phone::AppEvent),
    /// The phone tells whoever scans.
    Scan(phone::ScanStep),
    /// The companion tells its user.
    Web(web::AppEvent),
}

/// What a round came to.
#[derive(Debug)]
pub struct Round {
    /// What is to be done.
    pub outs: Vec<Out>,
    /// Nothing of it was stored, for this reason.
    pub failure: Option<String>,
}

/// A device.
#[derive(Debug)]
pub struct Node {
    /// Phone or companion.
    pub role: DeviceRole,
    /// Its name in traces.
    pub name: String,
    /// Its disk.
    pub disk: Disk,
    /// The program, while it runs.
    pub machine: Option<Machine>,
    /// Its randomness.
    pub rng: SimRng,
    /// Its sockets.
    pub sockets: BTreeMap<SocketTag, u64>,
    /// When its program wants to be called, in the world's time.
    pub wake: Option<u64>,
    /// It is called no more often than this when nothing arrives, in microseconds: a hidden tab.
    pub grain: u64,
    /// When it was called last by a timer.
    pub last_timer: u64,
    /// It does nothing before this time: it sleeps.
    pub asleep_until: u64,
    /// Until when its disk is at a commit, and the program waits for it.
    pub busy_until: u64,
    /// A fault that waits for its disk.
    pub trap: Option<Trap>,
    started: u64,
    mono_jump: u64,
    wall_jump_ms: i64,
    /// How long it slept in all, in microseconds.
    slept: u64,
}

thread_local! {
    static WALL: Cell<u64> = const { Cell::new(WALL_START_MS) };
}

fn wall() -> u64 {
    WALL.with(Cell::get)
}

fn relay() -> RelayName {
    RelayName::parse(RELAY).expect("a valid name")
}

impl Node {
    /// A device over a disk, switched off.
    #[must_use]
    pub fn new(role: DeviceRole, name: String, disk: Disk, rng: SimRng) -> Self {
        Self {
            role,
            name,
            disk,
            machine: None,
            rng,
            sockets: BTreeMap::new(),
            wake: None,
            grain: 0,
            last_timer: 0,
            asleep_until: 0,
            busy_until: 0,
            trap: None,
            started: 0,
            mono_jump: 0,
            wall_jump_ms: 0,
            slept: 0,
        }
    }

    /// Makes the account of a phone's empty disk.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn create_account(&mut self, chats: u64, messages: u64) -> anyhow::Result<()> {
        let key = SigningKey::generate(self.rng.crypto());
        let mut log = [0; 16];
        rand_core::Rng::fill_bytes(self.rng.crypto(), &mut log);
        let account = reference_phone::store::Account {
            name: format!("account of {}", self.name),
            key,
            log_id: LogId::from_bytes(log),
        };
        let conn = self.disk.open()?;
        let fill = |store: &mut reference_phone::store::Store| upstream::fill(store, chats, messages);
        drop(reference_phone::store::Store::create_over(conn, self.disk.key(), &account, fill)?);
        Ok(())
    }

    /// Starts the program.
    ///
    /// # Errors
    ///
    /// What the program says.
    pub fn start(&mut self, now: u64) -> anyhow::Result<()> {
        self.started = now;
        self.mono_jump = 0;
        self.sockets.clear();
        let conn = self.disk.open()?;
        let time = self.clocks(now);
        let rng = self.rng.crypto();
        self.machine = Some(match self.role {
            DeviceRole::Phone => {
                let (store, account) = reference_phone::store::Store::over(conn, self.disk.key())
                    .context("the phone's store")?;
                // A run must not hang on how full this machine is.
                let media = MediaDir::open(self.disk.dir())?.with_free_space(quota::room);
                let policy = RelayPolicy::new(vec![relay()], false);
                let network = Box::<Network>::default();
                let app = phone::App::new(store, account, media, network, policy, time, rng)?;
                Machine::Phone(Box::new(app))
            }
            DeviceRole::Web => {
                let store = reference_web::store::Store::over(conn, self.disk.key(), self.disk.dir(), wall)?;
                let app = web::App::new(store, relay(), self.name.clone(), time.mono, rng)?;
                Machine::Web(Box::new(app))
            }
        });
        self.wake = Some(now);
        Ok(())
    }

    /// Ends the program as a power failure does.
    pub fn kill(&mut self) {
        self.machine = None;
        self.sockets.clear();
        self.wake = None;
    }

    /// Its clocks at a time of the world.
    #[must_use]
    pub fn clocks(&self, now: u64) -> phone::Now {
        let mono = now.saturating_sub(self.started) + self.mono_jump + MONO_START;
        let wall_ms = (WALL_START_MS + now / 1_000).saturating_add_signed(self.wall_jump_ms);
        WALL.with(|cell| cell.set(wall_ms));
        phone::Now { mono: Timestamp::from_micros(mono), wall_ms }
    }

    /// The wall clock is set.
    pub fn jump_wall(&mut self, ms: i64) {
        self.wall_jump_ms = self.wall_jump_ms.saturating_add(ms);
    }

    /// The monotonic clock went on while the device slept.
    pub fn jump_mono(&mut self, micros: u64) {
        self.mono_jump = self.mono_jump.saturating_add(micros);
    }

    /// So much time goes by for the device in one moment of the world.
    pub fn sleeps(&mut self, now: u64, micros: u64) {
        self.slept = self.slept.saturating_add(micros);
        self.jump_wall(i64::try_from(micros / 1_000).unwrap_or(0));
        if self.machine.is_some() {
            self.jump_mono(micros);
            self.wake = Some(now);
        }
    }

    /// How much time has gone by for it since the world began, in microseconds, whatever its clocks were set to.
    #[must_use]
    pub fn lived(&self, now: u64) -> u64 {
        now.saturating_add(self.slept)
    }

    /// The phone that runs here.
    #[must_use]
    pub fn phone(&mut self) -> Option<&mut phone::App> {
        match &mut self.machine {
            Some(Machine::Phone(app)) => Some(app),
            _ => None,
        }
    }

    /// The companion that runs here.
    #[must_use]
    pub fn web(&mut self) -> Option<&mut web::App> {
        match &mut self.machine {
            Some(Machine::Web(app)) => Some(app),
            _ => None,
        }
    }

    /// The phone that runs here, and the randomness with which its user acts.
    #[must_use]
    pub fn phone_user(&mut self) -> Option<(&mut phone::App, &mut dyn CryptoRng)> {
        match &mut self.machine {
            Some(Machine::Phone(app)) => Some((app, self.rng.crypto())),
            _ => None,
        }
    }

    /// The companion that runs here, and the randomness with which its user acts.
    #[must_use]
    pub fn web_user(&mut self) -> Option<(&mut web::App, &mut dyn CryptoRng)> {
        match &mut self.machine {
            Some(Machine::Web(app)) => Some((app, self.rng.crypto())),
            _ => None,
        }
    }

    /// Something happened to a socket.
    pub fn socket(&mut self, now: u64, tag: SocketTag, event: SocketEvent) {
        let time = self.clocks(now).mono;
        let rng = self.rng.crypto();
        if matches!(event, SocketEvent::Closed(_)) {
            let _ = self.sockets.remove(&tag);
        }
        match &mut self.machine {
            Some(Machine::Phone(app)) => hand_over(app.host(), time, rng, tag, event),
            Some(Machine::Web(app)) => hand_over(app.host(), time, rng, tag, event),
            None => {}
        }
    }

    /// One round of the program, as its driver makes it.
    ///
    /// # Errors
    ///
    /// Why the process ends.
    pub fn settle(&mut self, now: u64) -> Result<Round, String> {
        let time = self.clocks(now);
        let started = self.started;
        let jump = self.mono_jump;
        let rng = self.rng.crypto();
        let (round, deadline) = match &mut self.machine {
            None => return Ok(Round { outs: Vec::new(), failure: None }),
            Some(Machine::Phone(app)) => {
                app.handle_timeout(time, rng);
                let settled = app.settle(time, rng).map_err(|error| error.to_string())?;
                let outs = outs(settled.outputs, |event| Some(phone_event(event)));
                (Round { outs, failure: settled.failure.map(|error| error.to_string()) }, app.deadline())
            }
            Some(Machine::Web(app)) => {
                app.handle_timeout(time.mono, rng);
                let mut settled = app.settle(time.mono, rng).map_err(|error| error.to_string())?;
                if copy_out(app, &settled.outputs) {
                    let more = app.settle(time.mono, rng).map_err(|error| error.to_string())?;
                    settled.outputs.extend(more.outputs);
                    settled.failure = settled.failure.or(more.failure);
                }
                let outs = outs(settled.outputs, web_event);
                (Round { outs, failure: settled.failure.map(|error| error.to_string()) }, app.deadline())
            }
        };
        self.wake = deadline.map(|at| {
            let at = at.as_micros().saturating_sub(MONO_START).saturating_sub(jump).saturating_add(started);
            at.max(now)
        });
        Ok(round)
    }

    /// It has an input, and goes on no later than when its disk is done.
    pub fn wait_for_disk(&mut self) {
        self.wake = Some(self.wake.map_or(self.busy_until, |at| at.min(self.busy_until)));
    }

    /// When its timer fires next.
    #[must_use]
    pub fn timer(&self) -> Option<u64> {
        self.wake.map(|at| {
            let at = at.max(self.asleep_until).max(self.busy_until);
            if self.grain == 0 { at } else { at.max(self.last_timer + self.grain) }
        })
    }
}

fn outs<E>(outputs: Vec<Output<E>>, told: impl Fn(E) -> Option<Out>) -> Vec<Out> {
    let out = |output| match output {
        Output::Connect { socket, .. } => Some(Out::Connect(socket)),
        Output::Transmit { socket, bytes } => Some(Out::Transmit(socket, bytes)),
        Output::Disconnect { socket } => Some(Out::Disconnect(socket)),
        Output::Event(event) => told(event),
    };
    outputs.into_iter().filter_map(out).collect()
}

fn phone_event(event: phone::AppEvent) -> Out {
    match event {
        phone::AppEvent::Scan(step) => Out::Scan(step),
        event => Out::Phone(event),
    }
}

/// Copies are made by [`copy_out`].
fn web_event(event: web::AppEvent) -> Option<Out> {
    (!matches!(event, web::AppEvent::Export { .. })).then_some(Out::Web(event))
}

/// Makes the copies that a companion asks for; whether there were any.
fn copy_out(app: &mut web::App, outputs: &[web::AppOutput]) -> bool {
    let mut any = false;
    for output in outputs {
        let Output::Event(web::AppEvent::Export { content, out }) = output else { continue };
        let made = app.store().media().export(*content, Path::new(out), &Progress::default());
        // A store that fails is told by the round that follows.
        let _ = app.exported(*content, out, made.map_err(|error| error.to_string()));
        any = true;
    }
    any
}
