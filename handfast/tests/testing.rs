//! `handfast::testing` as the author of an application uses it: a shopping list under seeded faults, applications
//! that are wrong, and what a pair does when it is told to.
#![cfg(all(feature = "sqlite", feature = "testing"))]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use bytes::Bytes;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::ids::{CommandKey, MailboxId};
use handfast::host::{Application, AttemptOf, Host, HostOf, Incomplete, LinkOf, LostOf};
use handfast::rand_core::CryptoRng;
use handfast::session::{Commit, Event, Message, PairingEvent};
use handfast::testing::{Fault, Pair, SEED_VARIABLE, TestError, TetherPair, check};
use handfast::tether::{CompanionApp, PhoneApp, PhoneTxn, Tether, TetherError, TetherEvent, Txn};
use handfast::{DeviceRole, ErrorCode, Timestamp};
use rusqlite::{Connection, OpenFlags};

fn list() -> Collection {
    Collection::new(b"list").expect("a name of four bytes")
}

fn text(body: &Bytes) -> String {
    String::from_utf8(body.to_vec()).expect("a text")
}

/// The phone: `add ITEM` writes a row, `bought ID` removes one. What ran stands in a table of the application.
#[derive(Default)]
struct Shop {
    /// Where a faulty one writes, outside of the transaction.
    outside: Option<PathBuf>,
    /// Whether every command fails.
    fails: bool,
}

impl PhoneApp for Shop {
    type Event = String;

    fn command(
        &mut self,
        txn: &mut PhoneTxn<'_, String>,
        _: MailboxId,
        body: &Bytes,
    ) -> Result<Bytes, TetherError> {
        if self.fails {
            return Err(TetherError::NotStored("the shop is closed".to_owned()));
        }
        let words = text(body);
        txn.db()?.execute_batch("CREATE TABLE IF NOT EXISTS ran(words TEXT NOT NULL) STRICT")?;
        let _ = txn.db()?.execute("INSERT INTO ran VALUES(?1)", [&words])?;
        if let Some(file) = &self.outside {
            let mut file = File::options().append(true).create(true).open(file).expect("the file");
            writeln!(file, "{words}").expect("written");
        }
        match words.split_once(' ').expect("two words") {
            ("add", item) => {
                let _ = txn.put(&list(), RowId::from_number(txn.newest()? + 1), item.to_owned().into())?;
            }
            (_, id) => txn.remove(&list(), RowId::from_number(id.parse().expect("a number")))?,
        }
        txn.event(words);
        Ok("done".into())
    }
}

/// The companion: it notes each answer in a table of its own.
struct View {
    /// How many answers it fails to take, after it has written them.
    failures: u32,
}

impl CompanionApp for View {
    type Event = String;

    fn row(&mut self, txn: &mut Txn<'_, String>, _: &Collection, row: &Row) -> Result<(), TetherError> {
        txn.event(text(&row.body));
        Ok(())
    }

    fn gone(&mut self, _: &mut Txn<'_, String>, _: &Collection, _: &RowId) -> Result<(), TetherError> {
        Ok(())
    }

    fn result(
        &mut self,
        txn: &mut Txn<'_, String>,
        key: CommandKey,
        body: Option<&Bytes>,
    ) -> Result<(), TetherError> {
        assert_eq!(text(body.expect("it is kept")), "done");
        txn.db()?.execute_batch("CREATE TABLE IF NOT EXISTS answers(key BLOB NOT NULL) STRICT")?;
        let _ = txn.db()?.execute("INSERT INTO answers VALUES(?1)", [key.as_bytes()])?;
        if self.failures > 0 {
            self.failures -= 1;
            return Err(TetherError::NotStored("a failure".to_owned()));
        }
        Ok(())
    }
}

type Shopping = TetherPair<Shop, View>;

fn linked(seed: u64) -> Result<Shopping, TestError> {
    TetherPair::linked(seed, |_| Shop::default(), |_| View { failures: 0 }, vec![list()])
}

/// Reads a column of a table of an application, as another program would.
fn column<T: rusqlite::types::FromSql>(dir: &Path, sql: &str) -> Vec<T> {
    let conn = Connection::open_with_flags(dir.join("handfast.db"), OpenFlags::SQLITE_OPEN_READ_ONLY);
    let conn = conn.expect("the database");
    let mut query = conn.prepare(sql).expect("the table");
    query.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("values")
}

fn ran(pair: &Shopping) -> Vec<String> {
    column(pair.phone.dir(), "SELECT words FROM ran ORDER BY rowid")
}

fn answers(pair: &Shopping) -> Vec<Vec<u8>> {
    column(pair.companion.dir(), "SELECT key FROM answers ORDER BY rowid")
}

const WORDS: [&str; 8] =
    ["add milk", "add bread", "bought 1", "add salt", "add milk", "bought 4", "add rice", "add tea"];

fn send_all(pair: &mut Shopping) -> Result<Vec<Vec<u8>>, TestError> {
    let mut keys = Vec::new();
    for (at, words) in WORDS.iter().enumerate() {
        keys.push(pair.send(*words)?.as_bytes().to_vec());
        // Some are sent at once, some in the middle of what the one before has led to.
        pair.advance(Duration::from_millis(97 * (at as u64 % 3)))?;
    }
    Ok(keys)
}

fn items(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| text(&row.body)).collect()
}

#[test]
fn each_command_runs_once_in_order_and_the_rows_are_equal_under_all_faults() {
    let sent = std::cell::RefCell::new(Vec::new());
    let faults = check(
        0..120,
        linked,
        |pair| send_all(pair).map(|keys| sent.replace(keys)).map(drop),
        |pair| {
            assert_eq!(ran(pair), WORDS);
            assert_eq!(answers(pair), *sent.borrow());
            assert_eq!(items(&pair.phone_rows(&list())?), ["bread", "milk", "rice", "tea"]);
            pair.check_rows()
        },
    );
    if std::env::var(SEED_VARIABLE).is_err() {
        assert!(faults > 200, "{faults} faults happened");
    }
}

#[test]
fn the_same_seed_leads_to_the_same_run() {
    let run = |seed| {
        let mut pair = linked(seed).expect("linked");
        pair.draw_faults(6);
        let keys = send_all(&mut pair).expect("sent");
        pair.run_until_idle().expect("idle");
        let shown = format!("{:?} {:?}", pair.phone.events(), pair.companion.events());
        (keys, pair.happened().to_vec(), pair.now(), shown)
    };
    for seed in 0..5 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
    assert_ne!(run(1).2, run(2).2);
}

/// Not a test of its own: it fails when the test below starts it in a process with this variable.
#[test]
fn a_shop_that_writes_outside_of_the_transaction() {
    const FILE: &str = "bought.txt";
    if std::env::var("HANDFAST_FAULTY_SHOP").is_err() {
        return;
    }
    let open = |seed| {
        let shop = |dir: &Path| Shop { outside: Some(dir.join(FILE)), fails: false };
        TetherPair::linked(seed, shop, |_| View { failures: 0 }, vec![list()])
    };
    let _ = check(
        0..120,
        open,
        |pair| send_all(pair).map(drop),
        |pair| {
            let written = std::fs::read_to_string(pair.phone.dir().join(FILE)).expect("the file");
            assert_eq!(written.lines().collect::<Vec<_>>(), WORDS);
            Ok::<_, TestError>(())
        },
    );
}

/// What is said of the seed: itself, its faults, how to repeat it.
fn said(output: &Output) -> String {
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let at = text.find("seed ").unwrap_or_else(|| panic!("no seed in {text}"));
    text[at..].to_owned()
}

#[test]
fn a_faulty_application_is_found_and_its_seed_fails_again() {
    let run = |seed: Option<&str>| -> Output {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let _ = command.args(["--exact", "a_shop_that_writes_outside_of_the_transaction", "--nocapture"]);
        let _ = command.env("HANDFAST_FAULTY_SHOP", "1").env_remove(SEED_VARIABLE);
        if let Some(seed) = seed {
            let _ = command.env(SEED_VARIABLE, seed);
        }
        command.output().expect("it runs")
    };
    let found = said(&run(None));
    let seed = found.split(' ').nth(1).expect("a number");
    assert!(found.contains("Commit(Phone)") || found.contains("StoreFails(Phone)"), "{found}");
    assert!(found.contains(&format!("{SEED_VARIABLE}={seed} cargo test a_shop_that_writes")), "{found}");
    assert_eq!(said(&run(Some(seed))), found);
    let wrong = run(Some("seven"));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("HANDFAST_SEED is not a number: \"seven\""));
}

#[test]
fn each_fault_at_each_device_is_overcome() {
    use DeviceRole::{Phone, Web};
    let mut pair = linked(3).expect("linked");
    let mut expected = Vec::new();
    let kinds = [Fault::Cut, Fault::Kill, Fault::KillBeforeCommit, Fault::KillAfterCommit, Fault::StoreFails];
    let of_devices = kinds.into_iter().flat_map(|kind| [kind(Phone), kind(Web)]);
    let faults: Vec<_> = of_devices.chain([Fault::SlowNetwork, Fault::RelayRestart]).collect();
    for (at, fault) in faults.iter().enumerate() {
        let words = format!("add {at}");
        pair.inject(*fault);
        let _ = pair.send(words.clone()).expect("sent");
        pair.run_until_idle().expect("idle");
        expected.push(words);
        assert_eq!(ran(&pair), expected, "{fault:?}");
        assert_eq!(answers(&pair).len(), expected.len(), "{fault:?}");
        pair.check_rows().expect("the same rows");
    }
    assert_eq!(pair.happened().iter().map(|(_, fault)| *fault).collect::<Vec<_>>(), faults);
}

#[test]
fn a_phone_that_is_stopped_gets_its_commands_when_it_is_started() {
    let mut pair = linked(4).expect("linked");
    pair.stop(DeviceRole::Phone);
    assert!(matches!(pair.change(|_, _| Ok(())), Err(TestError::NotRunning(DeviceRole::Phone))));
    let _ = pair.send("add milk").expect("it is durable at the companion");
    pair.run_until_idle().expect("the companion waits");
    let before = pair.now();
    pair.advance(Duration::from_hours(3)).expect("time passes");
    assert_eq!(pair.now().since(before), Duration::from_hours(3));
    assert!(pair.phone.take_events().is_empty());
    pair.start(DeviceRole::Phone).expect("it starts");
    pair.run_until_idle().expect("idle");
    assert_eq!(ran(&pair), ["add milk"]);
    let shown = pair.companion.take_events();
    assert!(shown.iter().any(|event| matches!(event, TetherEvent::App(item) if item == "milk")), "{shown:?}");
    pair.inject_after(0, Fault::Kill(DeviceRole::Web));
    pair.change(|_, txn| txn.put(&list(), RowId::from_number(9), "oil".into()).map(drop)).expect("changed");
    pair.run_until_idle().expect("idle");
    assert_eq!(items(&pair.companion_rows(&list()).expect("rows")), ["milk", "oil"]);
    assert_eq!(pair.happened().len(), 1);
}

#[test]
fn an_application_that_fails_for_ever_is_not_idle() {
    let shop = |_: &Path| Shop { outside: None, fails: true };
    let mut pair = TetherPair::linked(5, shop, |_| View { failures: 0 }, vec![list()]).expect("linked");
    let _ = pair.send("add milk").expect("sent");
    let error = pair.run_until_idle().expect_err("it fails each time").to_string();
    assert!(error.starts_with("not idle after") && error.contains("the shop is closed"), "{error}");
    assert!(error.contains("Web: Running { waiting: 1 }"), "{error}");
    let refused = pair.change(|_, txn| txn.put(&list(), RowId::from_number(1), Bytes::new()));
    assert!(matches!(refused, Err(TestError::Refused(_))), "{refused:?}");
}

#[test]
fn what_an_application_wrote_before_it_failed_is_not_kept() {
    let mut failures = 2;
    let view = move |_: &Path| View { failures: std::mem::take(&mut failures) };
    let mut pair = TetherPair::linked(6, |_| Shop::default(), view, vec![list()]).expect("linked");
    let key = pair.send("add milk").expect("sent");
    pair.run_until_idle().expect("idle");
    assert_eq!(answers(&pair), [key.as_bytes().to_vec()]);
}

/// An application of its own, without a store, that says after each pass that there is more to do.
struct Restless {
    host: HostOf<Self>,
}

impl Application for Restless {
    type Role = handfast::session::role::Companion;
    type Link = ();
    type Attempt = ();
    type Event = ();
    type Error = Incomplete;

    fn host(&mut self) -> &mut HostOf<Self> {
        &mut self.host
    }

    fn load(&mut self, _: Timestamp, _: &mut dyn CryptoRng) -> Result<(), Incomplete> {
        Ok(())
    }

    fn deliver(
        &mut self,
        _: Timestamp,
        _: &mut dyn CryptoRng,
        _: &mut LinkOf<Self>,
        _: Message,
    ) -> Result<(), Incomplete> {
        Ok(())
    }

    fn on_event(&mut self, _: Timestamp, _: &mut LinkOf<Self>, _: Event) -> Result<(), Incomplete> {
        Ok(())
    }

    fn on_pairing_event(
        &mut self,
        _: Timestamp,
        _: &mut AttemptOf<Self>,
        _: PairingEvent,
    ) -> Result<(), Incomplete> {
        Ok(())
    }

    fn attempt_over(
        &mut self,
        _: Timestamp,
        _: &mut dyn CryptoRng,
        _: &AttemptOf<Self>,
        _: Result<MailboxId, ErrorCode>,
    ) -> Result<(), Incomplete> {
        Ok(())
    }

    fn apply(&mut self, _: Timestamp, _: Option<&AttemptOf<Self>>, _: &Commit) -> Result<(), Incomplete> {
        Ok(())
    }

    fn commit(&mut self, _: Timestamp) -> Result<bool, Incomplete> {
        Ok(false)
    }

    fn failed(&mut self, _: Timestamp, _: LostOf<Self>, _: &Incomplete, _: Duration) {}

    fn run(&mut self, _: Timestamp, _: &mut dyn CryptoRng) -> Result<bool, Incomplete> {
        Ok(true)
    }
}

#[test]
fn an_application_of_its_own_whose_round_does_not_end_is_said_to_make_no_progress() {
    let restless = |_: &Path, _: Timestamp, _: &mut dyn CryptoRng| Ok(Restless { host: Host::default() });
    let phone = |dir: &Path, now: Timestamp, rng: &mut dyn CryptoRng| {
        Tether::open_phone(dir, Shop::default(), now, rng)
    };
    let mut pair = Pair::new(7, phone, restless).expect("both start");
    let error = pair.run_until_idle().expect_err("it does not end");
    assert!(matches!(error, TestError::Ended { device: DeviceRole::Web, .. }), "{error}");
    assert!(error.to_string().contains("10000 passes"), "{error}");
}
