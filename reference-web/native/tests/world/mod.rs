//! The companion's App over real SQLite, and a phone, joined by the relay's real core under a virtual clock.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses a part of it")]

pub(crate) mod account;
pub(crate) mod phone;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BytesMut;
use handfast::Timestamp;
use handfast::codec::ids::ContentId;
use handfast::driver::{SystemRng, os_rng};
use handfast::host::Application as _;
use handfast::session::{LinkState, PairingEvent};
use handfast_programs::Progress;
use handfast_testkit::Clocked;
use handfast_testkit::net::{START, pump};
use handfast_testkit::relay::{self, Hub, Said, SocketId};
use phone::Phone;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use reference_web::app::{App, AppEvent, AppOutput, SocketTag};
use reference_web::store::Store;

/// What keys of commands are drawn from.
pub(crate) fn keys() -> SystemRng {
    os_rng().unwrap()
}

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// Everything there is.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) relay: Hub,
    pub(crate) phone: Phone,
    pub(crate) app: App,
    pub(crate) dir: PathBuf,
    _dir: tempfile::TempDir,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) web_sockets: BTreeMap<SocketTag, SocketId>,
    pub(crate) events: Vec<AppEvent>,
    /// The App is stopped: what it would say is not heard.
    pub(crate) offline: bool,
    /// Whether the store may fail, and how often it did.
    pub(crate) may_fail: bool,
    pub(crate) failures: usize,
}

pub(crate) fn open(dir: &Path, now: Timestamp, rng: &mut ChaCha20Rng) -> App {
    let store = Store::open(dir).unwrap();
    App::new(store, relay::name(), "laptop".into(), now, rng).unwrap()
}

/// Another program's connection to a database. As the last user that closes it, it would remove the log, and the
/// store would miss that: so it leaves it.
pub(crate) fn foreign(database: &Path) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(database).unwrap();
    let keep_log = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    let _ = conn.set_db_config(keep_log, true).unwrap();
    conn
}

/// Changes an epoch of the session in a companion's database.
pub(crate) fn spoil_epoch(dir: &Path) {
    let conn = foreign(&dir.join("companion.db"));
    let select = "SELECT value FROM handfast WHERE key = x'11'";
    let mut row: Vec<u8> = conn.query_row(select, [], |row| row.get(0)).unwrap();
    row[1] ^= 1;
    let changed = conn.execute("UPDATE handfast SET value = ?1 WHERE key = x'11'", [row]).unwrap();
    assert_eq!(changed, 1);
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self::new_in(seed, tempfile::tempdir().unwrap())
    }

    /// The same, with the companion's data below this directory.
    pub(crate) fn new_in(seed: u64, temporary: tempfile::TempDir) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let now = START;
        let dir = temporary.path().join("web");
        std::fs::create_dir(&dir).unwrap();
        let app = open(&dir, now, &mut rng);
        Self {
            now,
            relay: Hub::new(relay::name()),
            phone: Phone::new(&mut rng),
            app,
            dir,
            _dir: temporary,
            rng,
            web_sockets: BTreeMap::new(),
            events: Vec::new(),
            offline: false,
            may_fail: false,
            failures: 0,
        }
    }

    /// A pair that is linked and live.
    pub(crate) fn live(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.pair();
        world.run_until_live();
        world
    }

    /// Links the two, as their users would.
    pub(crate) fn pair(&mut self) {
        self.pair_until_nn();
        let number = self.number();
        self.app.enter_number(self.now, &number).unwrap();
        self.wait_for("linked", |event| matches!(event, AppEvent::Linked { .. }).then_some(()));
    }

    /// The phone shows its number, and the companion's user is asked for it.
    pub(crate) fn pair_until_nn(&mut self) {
        self.app.pair(self.now, &mut self.rng).unwrap();
        self.settle();
        let text = self.code();
        self.phone.scan(self.now, &mut self.rng, &text);
        let digits = self.check_code();
        self.phone.pairing().enter_check_code(self.now, &digits).unwrap();
        self.settle();
        self.phone.approve(self.now, &mut self.rng);
        self.wait_for("the number", |event| matches!(event, AppEvent::NumberWanted { .. }).then_some(()));
    }

    /// The number that the phone shows.
    pub(crate) fn number(&self) -> String {
        let shown = self.phone.pairing_events.iter().rev().find_map(|event| match event {
            PairingEvent::ShowConfirmation(number) => Some(number.clone()),
            _ => None,
        });
        shown.expect("the phone shows a number")
    }

    /// The phone's socket is lost, and the phone does not know.
    pub(crate) fn lose_phone(&mut self) {
        let socket = self.phone.socket.take().expect("it has one");
        self.relay.handle_closed(self.now, socket);
        self.settle();
    }

    /// The code that is shown.
    pub(crate) fn code(&self) -> String {
        let last = self.events.iter().rev().find_map(|event| match event {
            AppEvent::Code { text } => Some(text.clone()),
            _ => None,
        });
        last.expect("a code is shown")
    }

    pub(crate) fn check_code(&mut self) -> String {
        self.wait_for("check code", |event| match event {
            AppEvent::CheckCode(digits) => Some(digits.clone()),
            _ => None,
        })
    }

    /// Runs until an event comes that was not there before, or is there already.
    pub(crate) fn wait_for<T>(&mut self, what: &str, find: impl Fn(&AppEvent) -> Option<T>) -> T {
        self.run_until(what, MINUTE, |world| world.events.iter().any(|event| find(event).is_some()));
        self.events.iter().rev().find_map(find).unwrap()
    }

    pub(crate) fn run_until_live(&mut self) {
        self.run_until("live", 5 * MINUTE, |world| {
            world.phone.state == Some(LinkState::Live) && world.states().last() == Some(&LinkState::Live)
        });
    }

    pub(crate) fn states(&self) -> Vec<LinkState> {
        let state = |event: &AppEvent| match event {
            AppEvent::LinkState(state) => Some(*state),
            _ => None,
        };
        self.events.iter().filter_map(state).collect()
    }

    /// Ends the App as if its power failed, and opens its directory again.
    pub(crate) fn restart_web(&mut self) {
        self.stop_web();
        self.offline = false;
        // A process that ended holds no file open: another App takes its place before the new one starts.
        let elsewhere = tempfile::tempdir().unwrap();
        self.app = open(elsewhere.path(), self.now, &mut self.rng);
        self.app = open(&self.dir, self.now, &mut self.rng);
    }

    /// Ends the App's process, and changes an epoch of its stored session, so that the next connection is a RESET.
    pub(crate) fn stop_web_and_reset(&mut self) {
        self.stop_web();
        spoil_epoch(&self.dir);
    }

    /// Ends the App's process, and keeps it ended.
    pub(crate) fn stop_web(&mut self) {
        for socket in std::mem::take(&mut self.web_sockets).into_values() {
            self.relay.handle_closed(self.now, socket);
        }
        self.offline = true;
        self.settle();
    }

    fn pump_web(&mut self) -> bool {
        if self.offline {
            return false;
        }
        let settled = self.app.settle(self.now, &mut self.rng).unwrap();
        assert!(settled.failure.is_none() || self.may_fail, "{:?}", settled.failure);
        if settled.failure.is_some() {
            self.failures += 1;
            let is_quiet = |output: &AppOutput| !matches!(output, AppOutput::Transmit { .. });
            assert!(settled.outputs.iter().all(is_quiet), "nothing leaves a round that was not stored");
        }
        let moved = !settled.outputs.is_empty();
        for output in settled.outputs {
            match output {
                AppOutput::Connect { socket, .. } => {
                    let id = self.relay.open(self.now, None, &mut self.rng);
                    let _ = self.web_sockets.insert(socket, id);
                    self.app.host().handle_opened(self.now, &mut self.rng, socket);
                }
                AppOutput::Transmit { socket, bytes } => {
                    let len = bytes.len();
                    if let Some(id) = self.web_sockets.get(&socket) {
                        self.relay.handle_frame(self.now, *id, bytes);
                    }
                    self.app.host().handle_written(self.now, socket, len);
                }
                AppOutput::Disconnect { socket } => {
                    if let Some(id) = self.web_sockets.remove(&socket) {
                        self.relay.handle_closed(self.now, id);
                    }
                }
                AppOutput::Event(AppEvent::Export { content, out }) => {
                    let made =
                        self.app.store().media().export(content, Path::new(&out), &Progress::default());
                    self.app.exported(content, &out, made.map_err(|error| error.to_string())).unwrap();
                }
                AppOutput::Event(event) => self.events.push(event),
            }
        }
        moved
    }

    fn pump_phone(&mut self) -> bool {
        let (now, rng) = (self.now, &mut self.rng);
        let moved = pump(&mut self.phone, now, &mut self.relay, rng, &mut |_, frame| vec![frame]);
        self.phone.open_link(now, rng);
        moved
    }

    fn web_socket(&self, id: SocketId) -> Option<SocketTag> {
        self.web_sockets.iter().find(|(_, other)| **other == id).map(|(tag, _)| *tag)
    }

    fn pump_relay(&mut self) -> bool {
        let mut moved = false;
        while let Some(said) = self.relay.take() {
            moved = true;
            match said {
                Said::Frame(to, frame) => {
                    let bytes = BytesMut::from(&*frame);
                    if let Some(tag) = self.web_socket(to) {
                        self.app.host().handle_bytes(self.now, &mut self.rng, tag, bytes);
                    } else if self.phone.socket == Some(to) {
                        self.phone.receive(self.now, &mut self.rng, bytes);
                    }
                }
                Said::Closed(socket) => {
                    if let Some(tag) = self.web_socket(socket) {
                        let _ = self.web_sockets.remove(&tag);
                        self.app.host().handle_closed(self.now, &mut self.rng, tag, "closed");
                    } else if self.phone.socket == Some(socket) {
                        self.phone.closed(self.now, &mut self.rng);
                    }
                }
            }
        }
        moved
    }

    /// Asks for content. Returns the path to which it is to be copied.
    pub(crate) fn get(&mut self, content: ContentId) -> PathBuf {
        let out = self.dir.parent().unwrap().join("out");
        self.app.get(content, &out).unwrap();
        out
    }
}

impl Clocked for World {
    fn clock(&mut self) -> &mut Timestamp {
        &mut self.now
    }

    fn pump(&mut self) -> bool {
        self.pump_web() | self.pump_phone() | self.pump_relay()
    }

    fn next_deadline(&mut self) -> Option<Timestamp> {
        let app = self.app.deadline().filter(|_| !self.offline);
        [app, self.phone.deadline, self.relay.deadline(self.now)].into_iter().flatten().min()
    }

    fn tick(&mut self) {
        self.relay.handle_timeout(self.now);
        if !self.offline {
            self.app.handle_timeout(self.now, &mut self.rng);
        }
    }

    fn describe(&self) -> String {
        format!("companion {:?}", self.events)
    }
}
