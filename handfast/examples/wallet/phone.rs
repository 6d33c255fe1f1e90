//! A phone with a wallet. It keeps requests for payments, each with an invoice; a companion approves or rejects
//! them, and sends receipts. The wallet's balance and ledger are entries in the same store, redb, so each decision
//! counts exactly once.
//!
//! ```text
//! wallet-phone DIR [CODE]         links the companion that shows the code; then lines: AMOUNT INVOICE-FILE TEXT
//! ```

mod store;

use std::error::Error;
use std::io::stdin;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use handfast::codec::frame::{Collection, RowId};
use handfast::codec::ids::{ContentId, MailboxId};
use handfast::driver::Connector;
use handfast::session::PairingEvent;
use handfast::tether::{self, Handle, Phone, PhoneApp, PhoneTxn, Step, Store, TetherError, TetherEvent};

/// The longest receipt that is taken, in bytes.
const RECEIPT_LEN_MAX: u64 = 16_777_216;

/// The application. A request is a row: its state, amount and invoice, and its text.
struct Wallet;

type Txn<'a> = PhoneTxn<'a, String>;

fn requests() -> Collection {
    Collection::new(b"requests").expect("a short name")
}

fn number(txn: &Txn<'_>, key: &[u8]) -> Result<i64, TetherError> {
    let bytes = txn.entry(key)?.and_then(|value| value.try_into().ok());
    Ok(bytes.map_or(0, i64::from_be_bytes))
}

/// Carries out `approve NUMBER`, `reject NUMBER` or `receipt NUMBER CONTENT`, and returns the answer.
fn decide(txn: &mut Txn<'_>, command: &str) -> Result<String, TetherError> {
    let mut words = command.split(' ');
    let (verb, id) = (words.next().unwrap_or_default(), words.next().and_then(|id| id.parse().ok()));
    let Some(request) = id.map(RowId::from_number) else { return Ok("no number of a request".to_owned()) };
    let Some(row) = txn.row(&requests(), &request)? else { return Ok("no such request".to_owned()) };
    let text = String::from_utf8_lossy(&row.body).into_owned();
    let (state, rest) = text.split_once(' ').unwrap_or_default();
    let decided = match (verb, state) {
        ("approve", "open") => "approved",
        ("reject", "open") => "rejected",
        ("receipt", _) => return Ok("noted".to_owned()),
        _ => return Ok(format!("not done, it is {state}")),
    };
    if verb == "approve" {
        let amount = rest.split(' ').next().and_then(|amount| amount.parse().ok()).unwrap_or(0);
        let left = number(txn, b"balance")?.saturating_sub(amount);
        txn.set_entry(b"balance", Some(&left.to_be_bytes()))?;
    }
    let _ = txn.put(&requests(), request, format!("{decided} {rest}").into())?;
    Ok(decided.to_owned())
}

impl PhoneApp for Wallet {
    type Event = String;

    fn command(&mut self, txn: &mut Txn<'_>, _: MailboxId, body: &Bytes) -> Result<Bytes, TetherError> {
        let command = String::from_utf8_lossy(body);
        let answer = decide(txn, &command)?;
        // The ledger has a line for each command that ran.
        let line = number(txn, b"lines")?.saturating_add(1);
        txn.set_entry(b"lines", Some(&line.to_be_bytes()))?;
        let (key, text) = (format!("ledger/{line:08}"), format!("{command}: {answer}"));
        txn.set_entry(key.as_bytes(), Some(text.as_bytes()))?;
        txn.event(format!("ledger {line}: {text}"));
        Ok(answer.into())
    }

    fn accepts(&mut self, _: MailboxId, _: ContentId, size: u64) -> bool {
        size <= RECEIPT_LEN_MAX
    }
}

/// Asks the user, and waits for a line; an empty one at the end of the input.
async fn ask(question: &str) -> String {
    println!("{question}");
    let line = tokio::task::spawn_blocking(|| stdin().lines().next().and_then(Result::ok));
    line.await.ok().flatten().unwrap_or_default()
}

async fn pair(phone: &Handle<Phone<Wallet>>, code: &str) -> Result<(), TetherError> {
    let mut attempt = phone.pair(code).await?;
    loop {
        match attempt.next().await? {
            Step::Event(PairingEvent::CheckCodeWanted | PairingEvent::WrongCheckCode(1..)) => {
                attempt.enter_check_code(&ask("The four digits that the companion shows?").await).await?;
            }
            Step::Event(PairingEvent::ApprovalWanted { label, .. }) => {
                match ask(&format!("Link \"{label}\"? yes or no")).await.as_str() {
                    "yes" => attempt.approve("Wallet", 1).await?,
                    _ => attempt.refuse().await?,
                }
            }
            Step::Event(PairingEvent::ShowConfirmation(number)) => println!("Type there: {number}"),
            Step::Event(_) => {}
            Step::Ended(paired) => {
                println!("{paired:?}");
                return Ok(());
            }
        }
    }
}

async fn serve(phone: Handle<Phone<Wallet>>, code: Option<String>) -> Result<(), TetherError> {
    if let Some(code) = code {
        pair(&phone, &code).await?;
    }
    loop {
        let line = ask("A request? AMOUNT INVOICE-FILE TEXT; an empty line ends.").await;
        if line.is_empty() {
            return Ok(());
        }
        let words: Vec<String> = line.splitn(3, ' ').map(str::to_owned).collect();
        let [amount, invoice, text] = &words[..] else { continue };
        let (amount, invoice, text) = (amount.clone(), invoice.clone(), text.clone());
        let asked = phone.change(move |_, txn| {
            let (id, invoice) = (txn.newest()? + 1, txn.import(Path::new(&invoice))?);
            let body = format!("open {amount} {invoice} {text}");
            txn.put(&requests(), RowId::from_number(id), body.into())
        });
        println!("{}", asked.await.map_or_else(|error| error.to_string(), |id| format!("asked: {id}")));
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let dir = words.next().map(PathBuf::from).ok_or("usage: wallet-phone DIR [CODE]")?;
    let store = Store::open_with(&dir, || store::Redb::open(&dir.join("wallet.redb")))?;
    let runner = tether::open_phone_with(store, Wallet, Connector::new()?)?;
    let phone = runner.handle();
    let show = |event| match event {
        TetherEvent::App(line) => println!("{line}"),
        TetherEvent::Received(_, content) => println!("a receipt: {content}"),
        _ => {}
    };
    // When `serve` returns, its handle is gone, and the runner ends.
    let _ = tokio::try_join!(runner.run(show), serve(phone, words.next()))?;
    Ok(())
}
