//! The real phone and the real companion, each over its SQLite database, joined by the relay's real core under a virtual
//! clock.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses a part of it")]

mod network;
mod sockets;

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handfast::Timestamp;
use handfast::codec::limits::MARKER_REVS;
use handfast::driver::{SystemRng, os_rng};
use handfast::session::LinkState;
use handfast_messages::{MessageState, grants};
use handfast_programs::MediaDir;
use handfast_testkit::Clocked;
use handfast_testkit::net::START;
use handfast_testkit::relay::{self, Hub, SocketId};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use reference_phone::app::{App as Phone, AppEvent as PhoneEvent, Now, ScanStep, SocketTag as PhoneTag};
use reference_phone::policy::RelayPolicy;
use reference_phone::store::{NewMessage, Store as PhoneStore};
use reference_web::app::{App as Web, AppEvent, SocketTag as WebTag};
use reference_web::store::Store as WebStore;

pub(crate) use network::Network;

/// What keys of commands are drawn from.
pub(crate) fn keys() -> SystemRng {
    os_rng().unwrap()
}

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// A chat in a list: its id, its newest message, how many are not read.
pub(crate) type Listed = (u64, u64, u64);

/// Whose socket it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Phone(PhoneTag),
    Web(WebTag),
}

/// Everything there is.
pub(crate) struct Both {
    pub(crate) now: Timestamp,
    pub(crate) phone: Option<Phone>,
    pub(crate) web: Option<Web>,
    pub(crate) network: Network,
    pub(crate) events: Vec<AppEvent>,
    pub(crate) phone_events: Vec<PhoneEvent>,
    /// Called once a round of the companion, to make things happen in the middle.
    pub(crate) each_round: Box<dyn FnMut(&Network)>,
    relay: Hub,
    pub(crate) dir: tempfile::TempDir,
    rng: ChaCha20Rng,
    /// From what the companion draws its keys, if not from the same.
    web_keys: Option<ChaCha20Rng>,
    sockets: BTreeMap<SocketId, Owner>,
    asked: VecDeque<ScanStep>,
}

pub(crate) fn phone_dir(dir: &Path) -> PathBuf {
    dir.join("phone")
}

pub(crate) fn web_dir(dir: &Path) -> PathBuf {
    dir.join("web")
}

/// Copies a directory of a device; the copies are their owner's alone, as those of a device are.
pub(crate) fn copy_private(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_private(&entry.path(), &to);
        } else {
            let _ = std::fs::copy(entry.path(), &to).unwrap();
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// A received message.
pub(crate) fn received(chat: u64, text: &str) -> NewMessage<'_> {
    NewMessage {
        chat,
        author: "Bo",
        time_ms: 5,
        text,
        state: MessageState::Received,
        reply_to: None,
        media: None,
        command: None,
        network_id: None,
    }
}

/// Adds so many messages to a chat.
pub(crate) fn add_meanwhile(store: &mut PhoneStore, chat: u64, count: u64) {
    for n in 0..count {
        let _ = store.add_message(&received(chat, &format!("meanwhile {n}"))).unwrap();
    }
}

/// Adds messages to a chat until the log is complete only from a revision above the present one.
pub(crate) fn outgrow_markers(store: &mut PhoneStore, chat: u64) {
    let floor = store.rev() + MARKER_REVS;
    while store.rev() <= floor {
        for _ in 0..10_000 {
            let _ = store.add_message(&received(chat, "news")).unwrap();
        }
        store.commit().unwrap();
    }
}

impl Both {
    /// A phone with so many chats of so many messages each, and a companion, linked.
    pub(crate) fn linked(seed: u64, chats: u64, messages: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(web_dir(dir.path())).unwrap();
        std::fs::create_dir(phone_dir(dir.path())).unwrap();
        let fill = |store: &mut PhoneStore| {
            for chat in 1..=chats {
                store.add_chat(chat, &format!("chat {chat}"), "Bo")?;
            }
            for n in 0..messages {
                for chat in 1..=chats {
                    let _ = store.add_message(&received(chat, &format!("message {n} of {chat}")))?;
                }
            }
            Ok(())
        };
        drop(PhoneStore::open_or_create(&phone_dir(dir.path()), "Ada", fill).unwrap());
        let mut both = Self::over(seed, dir);
        both.pair();
        both
    }

    /// A phone and a companion over the directories that are there.
    pub(crate) fn over(seed: u64, dir: tempfile::TempDir) -> Self {
        let mut both = Self {
            now: START,
            phone: None,
            web: None,
            network: Network::default(),
            events: Vec::new(),
            phone_events: Vec::new(),
            each_round: Box::new(|_| {}),
            relay: Hub::new(relay::name()),
            dir,
            rng: ChaCha20Rng::seed_from_u64(seed),
            web_keys: None,
            sockets: BTreeMap::new(),
            asked: VecDeque::new(),
        };
        both.start_phone();
        both.start_web();
        both
    }

    fn times(&self) -> Now {
        Now { mono: self.now, wall_ms: 1_767_225_600_000 }
    }

    pub(crate) fn start_phone(&mut self) {
        let dir = phone_dir(self.dir.path());
        let (store, account) = PhoneStore::open(&dir).unwrap();
        let policy = RelayPolicy::new(vec![relay::name()], true);
        let network = Box::new(self.network.clone());
        let media = MediaDir::open(&dir).unwrap();
        let app = Phone::new(store, account, media, network, policy, self.times(), &mut self.rng).unwrap();
        self.phone = Some(app);
    }

    pub(crate) fn start_web(&mut self) {
        let store = WebStore::open(&web_dir(self.dir.path())).unwrap();
        let relay = relay::name();
        self.web = Some(Web::new(store, relay, "laptop".into(), self.now, &mut self.rng).unwrap());
    }

    /// Ends the phone's process as a power failure does; messages may be added by `change`, as if while it was away
    /// from its companions.
    pub(crate) fn away(&mut self, change: impl FnOnce(&mut PhoneStore)) {
        self.stop_phone();
        let (mut store, _) = PhoneStore::open(&phone_dir(self.dir.path())).unwrap();
        change(&mut store);
        store.commit().unwrap();
        drop(store);
        self.start_phone();
    }

    pub(crate) fn stop_phone(&mut self) {
        self.phone = None;
        self.close(|owner| matches!(owner, Owner::Phone(_)));
    }

    pub(crate) fn stop_web(&mut self) {
        self.web = None;
        self.close(|owner| matches!(owner, Owner::Web(_)));
    }

    /// Changes rows of the companion under its feet, while it is stopped.
    pub(crate) fn damage(&mut self, sql: &str) -> usize {
        self.stop_web();
        let conn = crate::world::foreign(&web_dir(self.dir.path()).join("companion.db"));
        let changed = conn.execute(sql, []).unwrap();
        drop(conn);
        self.start_web();
        changed
    }

    /// The directory with the data of both.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().to_path_buf()
    }

    /// The files of content at the phone.
    pub(crate) fn phone_media(&self) -> PathBuf {
        phone_dir(self.dir.path()).join("media")
    }

    fn close(&mut self, is: impl Fn(Owner) -> bool) {
        let gone: Vec<SocketId> =
            self.sockets.iter().filter(|(_, owner)| is(**owner)).map(|(id, _)| *id).collect();
        for id in gone {
            let _ = self.sockets.remove(&id);
            self.relay.handle_closed(self.now, id);
        }
    }

    /// Another companion, which draws its keys from a seed.
    pub(crate) fn replace_web(&mut self, keys: u64) {
        self.stop_web();
        std::fs::remove_dir_all(web_dir(self.dir.path())).unwrap();
        std::fs::create_dir(web_dir(self.dir.path())).unwrap();
        self.events.clear();
        self.asked.clear();
        self.start_web();
        self.web_keys = Some(ChaCha20Rng::seed_from_u64(keys));
    }

    /// The companion shows a code, and the phone scans it.
    fn scan(&mut self) {
        let (now, times) = (self.now, self.times());
        self.web.as_mut().unwrap().pair(now, &mut self.rng).unwrap();
        self.settle();
        let text = self.event(|event| match event {
            AppEvent::Code { text } => Some(text.clone()),
            _ => None,
        });
        self.phone.as_mut().unwrap().scan(times, &mut self.rng, &text).unwrap();
    }

    /// The end of an attempt that the phone ends by itself.
    pub(crate) fn refused_scan(&mut self) -> handfast::ErrorCode {
        self.scan();
        let ended = |both: &Self| {
            both.asked.iter().find_map(|step| match step {
                ScanStep::Ended { code, .. } => Some(*code),
                _ => None,
            })
        };
        self.run_until("the end", |both| ended(both).is_some());
        ended(self).unwrap()
    }

    /// The companion that was linked last, at the phone.
    pub(crate) fn last_companion(&self) -> handfast::codec::ids::CompanionId {
        self.phone().store().companions().unwrap().last().unwrap().companion
    }

    /// Revokes it there.
    pub(crate) fn revoke_last(&mut self) {
        let (times, companion) = (self.times(), self.last_companion());
        self.phone.as_mut().unwrap().revoke(times, companion).unwrap();
        self.settle();
    }

    pub(crate) fn pair(&mut self) {
        self.pair_giving(grants::ALL);
    }

    /// A pairing in which the phone's user gives these of the grants that are asked for.
    pub(crate) fn pair_giving(&mut self, given: u64) {
        self.scan();
        let times = self.times();
        self.run_until("digits", |b| b.events.iter().any(|e| matches!(e, AppEvent::CheckCode(_))));
        let digits = self.event(|event| match event {
            AppEvent::CheckCode(digits) => Some(digits.clone()),
            _ => None,
        });
        self.phone.as_mut().unwrap().enter_check_code(times, &digits).unwrap();
        self.settle();
        self.phone.as_mut().unwrap().approve_with(times, &mut self.rng, given).unwrap();
        self.run_until("the number", |b| b.events.iter().any(|e| matches!(e, AppEvent::NumberWanted { .. })));
        let shown = self.asked.iter().rev().find_map(|step| match step {
            ScanStep::ShowConfirmation(number) => Some(number.clone()),
            _ => None,
        });
        let (now, number) = (self.now, shown.expect("the phone shows a number"));
        self.web.as_mut().unwrap().enter_number(now, &number).unwrap();
        self.run_until("linked", |both| both.events.iter().any(|e| matches!(e, AppEvent::Linked { .. })));
    }

    /// The newest event of a kind.
    pub(crate) fn event<T>(&self, find: impl Fn(&AppEvent) -> Option<T>) -> T {
        self.events.iter().rev().find_map(find).unwrap_or_else(|| panic!("not in {:?}", self.events))
    }

    pub(crate) fn repairs(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, AppEvent::Repair { .. })).count()
    }

    pub(crate) fn is_live(&self) -> bool {
        let state = |event: &AppEvent| match event {
            AppEvent::LinkState(state) => Some(*state),
            _ => None,
        };
        self.events.iter().rev().find_map(state) == Some(LinkState::Live)
    }

    pub(crate) fn web(&mut self) -> &mut Web {
        self.web.as_mut().unwrap()
    }

    pub(crate) fn phone(&self) -> &Phone {
        self.phone.as_ref().unwrap()
    }

    /// Runs until `done`, five minutes at most.
    pub(crate) fn run_until(&mut self, what: &str, done: impl FnMut(&mut Self) -> bool) {
        Clocked::run_until(self, what, 5 * MINUTE, done);
    }

    /// Where the companion's rows of a chat differ from the phone's.
    pub(crate) fn difference(&mut self, chat: u64) -> Option<String> {
        let here: Vec<(u64, String)> =
            self.web().store().history(chat, 200).unwrap().into_iter().map(|m| (m.id, m.text)).collect();
        let phone = self.phone().store().history(chat, 0, 200).unwrap();
        let there: Vec<(u64, String)> =
            phone.into_iter().rev().map(|m| (m.message.message, m.message.text)).collect();
        (here != there).then(|| format!("chat {chat}: {} here, {} there", here.len(), there.len()))
    }

    /// Titles, last messages and unread counts of all chats: here, and at the phone.
    pub(crate) fn lists(&mut self) -> (Vec<Listed>, Vec<Listed>) {
        let here = self.web().store().chats().unwrap().into_iter();
        let here = here.map(|c| (c.chat, c.last_message, c.unread)).collect();
        let there = self.phone().store().chats().unwrap().into_iter();
        (here, there.map(|c| (c.chat, c.last_message, c.unread)).collect())
    }
}

impl Clocked for Both {
    fn clock(&mut self) -> &mut Timestamp {
        &mut self.now
    }

    fn pump(&mut self) -> bool {
        self.pump_web() | self.pump_phone() | self.pump_relay() | !self.network.is_silent()
    }

    fn next_deadline(&mut self) -> Option<Timestamp> {
        let phone = self.phone.as_ref().and_then(Phone::deadline);
        let web = self.web.as_ref().and_then(Web::deadline);
        [phone, web, self.relay.deadline(self.now)].into_iter().flatten().min()
    }

    fn tick(&mut self) {
        self.relay.handle_timeout(self.now);
        let times = self.times();
        if let Some(phone) = &mut self.phone {
            phone.handle_timeout(times, &mut self.rng);
        }
        if let Some(web) = &mut self.web {
            web.handle_timeout(times.mono, &mut self.rng);
        }
    }

    fn describe(&self) -> String {
        format!("{:?}", self.events)
    }
}
