//! `examples/wallet` as its users run it: both sides as processes over a real relay, fifty times killed.

#[path = "../../examples/wallet/store.rs"]
mod store;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::ids::{CommandKey, MailboxId};
use handfast::driver::{Clock, os_rng};
use handfast::tether::{
    Companion, CompanionApp, Entry, Phone, PhoneApp, PhoneTxn, Store, Tether, TetherError, Txn,
};

use crate::side::{PATIENCE, Side, relay};

/// How often a side is killed.
const KILLS: u32 = 50;
/// The number of requests: each is decided once, and has an invoice.
const REQUESTS: u32 = 40;
/// The length of an invoice and of a receipt, in bytes: long enough that a kill finds it on its way.
const FILE_LEN: u32 = 200_000;

/// An application that only reads what is stored.
struct Reader;

impl PhoneApp for Reader {
    type Event = ();

    fn command(&mut self, _: &mut PhoneTxn<'_, ()>, _: MailboxId, _: &Bytes) -> Result<Bytes, TetherError> {
        unreachable!("nothing is connected")
    }
}

impl CompanionApp for Reader {
    type Event = ();

    fn row(&mut self, _: &mut Txn<'_, ()>, _: &Collection, _: &Row) -> Result<(), TetherError> {
        Ok(())
    }

    fn gone(&mut self, _: &mut Txn<'_, ()>, _: &Collection, _: &RowId) -> Result<(), TetherError> {
        Ok(())
    }

    fn result(&mut self, _: &mut Txn<'_, ()>, _: CommandKey, _: Option<&Bytes>) -> Result<(), TetherError> {
        Ok(())
    }
}

fn open(dir: &Path) -> Store {
    Store::open_with(dir, || store::Redb::open(&dir.join("wallet.redb"))).expect("a store")
}

/// The rows of the requests, the ledger and the balance of the phone in this directory, which must have ended.
fn of_phone(dir: &Path) -> (Vec<Row>, Vec<Entry>, i64) {
    let (clock, mut rng) = (Clock::start(), os_rng().expect("randomness"));
    let mut phone: Tether<Phone<Reader>> =
        Tether::open_phone_with(open(dir), Reader, clock.now(), &mut rng).expect("it opens");
    let read = phone.change(|_, txn| {
        assert!(matches!(txn.db(), Err(TetherError::NoDatabase)), "it is not SQLite");
        let balance = txn.entry(b"balance")?.expect("there is one").try_into().expect("a number");
        let rows = txn.rows(&requests(), None, 1_000)?;
        Ok((rows, txn.entries(b"ledger/", None, 1_000)?, i64::from_be_bytes(balance)))
    });
    read.expect("it can be read")
}

/// The rows of the requests and all answers to commands of the companion in this directory, which must have ended.
fn of_companion(dir: &Path) -> (Vec<Row>, Vec<String>) {
    let (clock, mut rng) = (Clock::start(), os_rng().expect("randomness"));
    let opened = Tether::open_companion_with(open(dir), Reader, vec![requests()], clock.now(), &mut rng);
    let mut companion: Tether<Companion<Reader>> = opened.expect("it opens");
    let read = companion.change(|_, txn| {
        let answers = txn.entries(b"", None, 1_000)?.into_iter();
        let answers = answers.map(|(_, answers)| String::from_utf8(answers).expect("a text")).collect();
        Ok((txn.rows(&requests(), None, 1_000)?, answers))
    });
    read.expect("it can be read")
}

fn requests() -> Collection {
    Collection::new(b"requests").expect("a short name")
}

/// A file that no other seed makes.
fn file(seed: u32) -> Vec<u8> {
    let byte = |at: u32| (at + 1).wrapping_mul(2_654_435_761).wrapping_mul(2 * seed + 1).to_be_bytes()[0];
    (0..FILE_LEN).map(byte).collect()
}

fn pair(dir: &Path) -> (Side, Side) {
    let text = |name: &str| dir.join(name).to_str().expect("a text").to_owned();
    let mut companion = Side::start(&["wallet-companion", &text("companion"), &relay()]);
    let code = companion.hear("Scan this code: ");
    let mut phone = Side::start(&["wallet-phone", &text("phone"), &code]);
    let _ = phone.hear("The four digits");
    phone.say(&companion.hear("Type at the phone: "));
    let _ = phone.hear("Link \"Desk\"?");
    phone.say("yes");
    let number = phone.hear("Type there: ");
    let _ = companion.hear("Link to \"Wallet\"?");
    companion.say(&number);
    let _ = (companion.hear("Linked("), phone.hear("Linked("));
    // From here on it goes on with the companion that is linked.
    phone.quit("");
    (Side::start(&["wallet-phone", &text("phone")]), companion)
}

#[test]
fn each_decision_counts_once_and_each_file_comes_through_fifty_kills() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("a text").to_owned();
    let (mut phone, mut companion) = pair(dir.path());
    std::fs::write(path("receipt"), file(0)).expect("written");
    let (mut numbers, mut balance, mut sent, mut kills) = (Vec::new(), 0, BTreeMap::new(), [0, 0]);
    for at in 1..=REQUESTS {
        std::fs::write(path("invoice"), file(at)).expect("written");
        phone.say(&format!("{at} {} number {at}", path("invoice")));
        numbers.push(phone.hear("asked: "));
    }
    let last = numbers.last().expect("some");
    let _ = companion.hear(&format!("request {last}: open"));

    let keep = |companion: &mut Side, line: String| {
        companion.say(&line);
        // From here on it must happen, whatever comes, and once.
        let _ = companion.hear("kept: ");
    };
    for kill in 0..KILLS {
        let at = kill as usize % numbers.len();
        let number = &numbers[at];
        if kill < REQUESTS {
            let verb = if kill % 3 == 0 { "reject" } else { "approve" };
            let done = if kill % 3 == 0 { "rejected" } else { "approved" };
            balance -= if kill % 3 == 0 { 0 } else { i64::from(kill) + 1 };
            keep(&mut companion, format!("{verb} {number}"));
            let _ = sent.insert(format!("{verb} {number}"), done);
        } else {
            keep(&mut companion, format!("invoice {number} {}", path(&format!("invoice-{at}"))));
        }
        let side = (kill as usize * 7 / 3) % 2;
        if side == 0 {
            phone.crash();
        } else {
            companion.crash();
        }
        kills[side] += 1;
    }
    keep(&mut companion, format!("receipt {last} {}", path("receipt")));
    let _ = phone.hear("a receipt: ");
    // The receipt's own command is the last: what was sent before has its answer when this one has.
    companion.hear_both("receipt ", "answer: noted");
    for at in 0..10 {
        let (copy, end) = (path(&format!("invoice-{at}")), Instant::now() + PATIENCE);
        while std::fs::read(&copy).ok() != Some(file(at + 1)) {
            assert!(Instant::now() < end, "invoice {at} has not come");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    phone.quit("");
    companion.quit("");

    let (rows, ledger, balance_kept) = of_phone(&dir.path().join("phone"));
    let lines: Vec<String> =
        ledger.into_iter().map(|(_, line)| String::from_utf8(line).expect("a text")).collect();
    let expected = sent.len() + 1;
    let missing = sent.iter().filter(|(line, done)| !lines.contains(&format!("{line}: {done}"))).count();
    let doubled = lines.len().saturating_sub(expected - missing);
    println!(
        "figure: wallet: {KILLS} kill -9 (phone {}, companion {}), {expected} commands, 11 files: {missing} lost, {doubled} doubled",
        kills[0], kills[1]
    );
    assert_eq!((missing, doubled), (0, 0), "{lines:#?}");
    assert_eq!(balance_kept, balance);
    let (copy, answers) = of_companion(&dir.path().join("companion"));
    assert_eq!(copy, rows);
    assert_eq!(rows.len(), numbers.len());
    let count = |answer: &str| answers.iter().filter(|found| *found == answer).count();
    let rejected = sent.values().filter(|done| **done == "rejected").count();
    let counts = (count("approved;"), count("rejected;"), count("noted;"), answers.len());
    assert_eq!(counts, (sent.len() - rejected, rejected, 1, expected), "each has one answer: {answers:?}");
}
