//! A database that cannot be written, under the phone's App: whoever asked is told, nothing leaves that is not durable,
//! and it goes on when there is room again. A trigger that another program puts into the database makes writes fail.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use handfast::Timestamp;
use handfast::sqlite::Reserve;
use handfast::store_suite::files::SmallDisk;
use handfast_programs::MediaDir;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use reference_phone::app::{App, AppEvent, AppOutput, Now, Settled};
use reference_phone::policy::RelayPolicy;
use reference_phone::store::{DATABASE, Store};
use reference_phone::upstream::{NetworkChat, Outgoing, OutgoingChange, Upstream, UpstreamEvent};

/// What a network was given, and what it will tell.
#[derive(Debug, Default)]
struct Network {
    sent: Vec<String>,
    tells: VecDeque<UpstreamEvent>,
}

#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Network>>);

impl Upstream for Shared {
    fn history(&self) -> Vec<NetworkChat> {
        Vec::new()
    }

    fn send(&mut self, _: Timestamp, message: Outgoing) {
        self.0.lock().unwrap().sent.push(message.text);
    }

    fn change(&mut self, _: Timestamp, _: OutgoingChange) {}

    fn poll(&mut self, _: Timestamp) -> Option<UpstreamEvent> {
        self.0.lock().unwrap().tells.pop_front()
    }

    fn deadline(&self) -> Option<Timestamp> {
        None
    }
}

struct Phone {
    dir: tempfile::TempDir,
    app: App,
    network: Shared,
    now: Now,
    rng: ChaCha20Rng,
}

impl Phone {
    fn new() -> Self {
        Self::in_dir(tempfile::tempdir().unwrap())
    }

    fn in_dir(dir: tempfile::TempDir) -> Self {
        let (store, account) =
            Store::open_or_create(dir.path(), "Ada", |store| store.add_chat(1, "Bo", "Bo")).unwrap();
        let media = MediaDir::open(dir.path()).unwrap();
        let (network, policy) = (Shared::default(), RelayPolicy::new(Vec::new(), true));
        let now = Now { mono: Timestamp::from_micros(1_000_000), wall_ms: 1_700_000_000_000 };
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let app = App::new(store, account, media, Box::new(network.clone()), policy, now, &mut rng).unwrap();
        Self { dir, app, network, now, rng }
    }

    fn settle(&mut self) -> Settled {
        self.app.settle(self.now, &mut self.rng).unwrap()
    }

    fn texts(&self) -> Vec<String> {
        self.app.history(1, 100).unwrap().into_iter().map(|stored| stored.message.text).collect()
    }

    fn sent(&self) -> Vec<String> {
        self.network.0.lock().unwrap().sent.clone()
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono.plus(time);
    }
}

/// Another program's hand in the database.
fn execute(dir: &Path, sql: &str) {
    rusqlite::Connection::open(dir.join(DATABASE)).unwrap().execute_batch(sql).unwrap();
}

/// Writes to a table fail from here on; `how` is `FAIL` (the statement) or `ROLLBACK` (SQLite rolls back by itself).
fn break_table(dir: &Path, table: &str, how: &str) {
    let sql = "CREATE TRIGGER broken BEFORE UPDATE ON {} BEGIN SELECT RAISE({}, 'no room'); END";
    execute(dir, &sql.replacen("{}", table, 1).replacen("{}", how, 1));
}

fn mend(dir: &Path) {
    execute(dir, "DROP TRIGGER broken");
}

/// A program that began to read the database, and goes on.
fn reader(dir: &Path) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(dir.join(DATABASE)).unwrap();
    let keep_log = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    let _ = conn.set_db_config(keep_log, true).unwrap();
    conn.execute_batch("BEGIN; SELECT count(*) FROM messages;").unwrap();
    conn
}

/// Sends texts of 2,000 bytes until the store takes no more, and returns how many it took.
fn send_until_full(phone: &mut Phone) -> usize {
    let text = "x".repeat(2_000);
    for sent in 0..20_000 {
        let asked = phone.app.send_text(phone.now, 1, &text);
        let settled = phone.settle();
        if let Some(failure) = settled.failure {
            assert!(failure.to_string().contains("the disk is full"), "{failure}");
            return sent;
        }
        asked.unwrap();
    }
    panic!("a disk of 20 MiB is finite");
}

/// The log grows while another program reads it, to the last byte of the disk. When the reader is gone the phone needs
/// nobody to make room: what it held back is enough to empty the log.
#[test]
fn a_disk_that_a_log_has_filled_heals_when_its_reader_is_gone() {
    let Some(disk) = SmallDisk::mount(20) else { return };
    let mut phone = Phone::in_dir(tempfile::tempdir_in(disk.path()).unwrap());
    let reserve = Reserve::beside(&phone.dir.path().join(DATABASE));
    assert!(reserve.is_held());
    phone.app.send_text(phone.now, 1, "before").unwrap();
    assert_eq!(phone.settle().failure, None);
    let reader = reader(phone.dir.path());
    let sent = send_until_full(&mut phone);
    assert!(sent > 100, "{sent}");
    // While it reads nothing helps, and the reserve stays.
    for _ in 0..3 {
        phone.pass(Duration::from_mins(1));
        let _ = phone.settle();
        let _ = send_until_full(&mut phone);
        assert!(reserve.is_held());
    }
    let stored = phone.app.history(1, 100_000).unwrap().len();
    assert!(stored > sent);
    drop(reader);
    phone.pass(Duration::from_mins(1));
    assert_eq!(phone.settle().failure, None);
    assert_eq!(phone.app.history(1, 100_000).unwrap().len(), stored, "nothing is lost");
    for n in 0..50 {
        phone.app.send_text(phone.now, 1, &format!("after {n}")).unwrap();
        assert_eq!(phone.settle().failure, None, "{n}");
    }
    assert!(reserve.is_held(), "for the next time");
}

/// The same, when the process ends in between: its next start does it.
#[test]
fn a_start_on_a_disk_that_a_log_has_filled_heals_it() {
    let Some(disk) = SmallDisk::mount(20) else { return };
    let mut phone = Phone::in_dir(tempfile::tempdir_in(disk.path()).unwrap());
    let reader = reader(phone.dir.path());
    let sent = send_until_full(&mut phone);
    let Phone { dir, app, .. } = phone;
    drop((app, reader));
    std::fs::write(disk.path().join("others"), vec![1; 30_000_000]).unwrap_err();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    assert_eq!(store.history(1, 0, 50).unwrap().len(), sent.min(50));
    for n in 0..50 {
        store.add_chat(100 + n, "new", "new").unwrap();
        store.commit().unwrap();
    }
}

fn retry_of(settled: &Settled) -> Duration {
    let retry = settled.outputs.iter().find_map(|output| match output {
        AppOutput::Event(AppEvent::StoreFailed { retry, .. }) => Some(*retry),
        _ => None,
    });
    retry.expect("the user is told")
}

#[test]
fn a_failed_round_is_told_and_nothing_of_it_leaves() {
    // The message's row, the chat's row, and the counters at the commit: each may be what does not fit.
    for (table, how) in
        [("chats", "FAIL"), ("chats", "ROLLBACK"), ("account", "FAIL"), ("account", "ROLLBACK")]
    {
        let mut phone = Phone::new();
        phone.app.send_text(phone.now, 1, "before").unwrap();
        assert_eq!(phone.settle().failure, None);
        break_table(phone.dir.path(), table, how);
        for (n, seconds) in [1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
            // Where the verb itself fails it says so, and the round takes back what it had written.
            let asked = phone.app.send_text(phone.now, 1, "lost");
            let settled = phone.settle();
            assert!(settled.failure.is_some(), "{table} {how} {n}: whoever asked must ask again");
            assert!(asked.is_ok() || table == "chats", "{asked:?}");
            assert_eq!(retry_of(&settled), Duration::from_secs(seconds), "{table} {how} {n}");
            assert_eq!(phone.app.deadline(), Some(phone.now.mono.plus(Duration::from_secs(seconds))));
            assert_eq!(phone.texts(), ["before"], "{table} {how}");
        }
        mend(phone.dir.path());
        // A verb that can be stored is, even while the phone rests.
        phone.app.send_text(phone.now, 1, "after").unwrap();
        assert_eq!(phone.settle().failure, None);
        phone.pass(Duration::from_mins(1));
        assert_eq!(phone.settle().failure, None);
        assert_eq!(phone.texts(), ["before", "after"]);
        let sent = phone.sent();
        assert!(
            !sent.iter().any(|text| text == "lost") && sent.iter().any(|text| text == "after"),
            "{sent:?}"
        );
    }
}

#[test]
fn what_the_network_tells_while_nothing_can_be_stored_is_stored_later_and_once() {
    let mut phone = Phone::new();
    break_table(phone.dir.path(), "account", "FAIL");
    let incoming = |n: u64| UpstreamEvent::Incoming {
        chat: 1,
        network_id: format!("n{n}"),
        author: "Bo".to_owned(),
        text: format!("text {n}"),
        reply_to: None,
    };
    phone.network.0.lock().unwrap().tells.extend([incoming(1), incoming(2)]);
    assert!(phone.settle().failure.is_some());
    phone.network.0.lock().unwrap().tells.push_back(incoming(3));
    for _ in 0..3 {
        phone.pass(Duration::from_mins(1));
        assert!(phone.settle().failure.is_some());
        assert_eq!(phone.texts(), Vec::<String>::new());
    }
    mend(phone.dir.path());
    phone.pass(Duration::from_mins(1));
    assert_eq!(phone.settle().failure, None);
    assert_eq!(phone.texts(), ["text 1", "text 2", "text 3"]);
    assert_eq!(phone.settle().failure, None);
    assert_eq!(phone.texts().len(), 3);
}

#[test]
fn what_needs_a_link_is_refused_while_the_phone_rests() {
    let mut phone = Phone::new();
    break_table(phone.dir.path(), "account", "FAIL");
    phone.app.send_text(phone.now, 1, "lost").unwrap();
    assert!(phone.settle().failure.is_some());
    let error = phone.app.scan(phone.now, &mut phone.rng, "HF1*").unwrap_err();
    assert!(error.to_string().contains("free some space"), "{error}");
    let nobody = handfast::codec::ids::CompanionId::from_bytes([1; 16]);
    let error = phone.app.revoke(phone.now, nobody).unwrap_err();
    assert!(error.to_string().contains("free some space"), "{error}");
}

#[test]
fn the_settings_that_durability_hangs_on_can_be_read() {
    let phone = Phone::new();
    let settings = phone.app.status().unwrap().settings;
    for wanted in [("journal_mode", "wal"), ("synchronous", "2"), ("secure_delete", "1")] {
        assert!(settings.contains(&(wanted.0, wanted.1.to_owned())), "{settings:?}");
    }
    assert!(settings.iter().any(|(name, version)| *name == "sqlite_version" && version.starts_with('3')));
}
