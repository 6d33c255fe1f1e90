//! A companion of the wallet: it shows the requests, approves or rejects them, fetches invoices, and sends receipts.
//!
//! ```text
//! wallet-companion DIR RELAY      lines: approve NUMBER | reject NUMBER | invoice NUMBER PATH | receipt NUMBER FILE
//! ```

mod store;

use std::error::Error;
use std::io::stdin;
use std::path::Path;

use bytes::Bytes;
use handfast::RelayName;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::ids::{CommandKey, ContentId};
use handfast::driver::Connector;
use handfast::handshake::pairing::Claims;
use handfast::hex::parse_hex;
use handfast::session::PairingEvent;
use handfast::tether::{self, Companion, CompanionApp, Handle, Step, Store, TetherError, TetherEvent, Txn};

/// The application: it prints what it is told.
struct Requests;

fn requests() -> Collection {
    Collection::new(b"requests").expect("a short name")
}

impl CompanionApp for Requests {
    type Event = String;

    fn row(&mut self, txn: &mut Txn<'_, String>, _: &Collection, row: &Row) -> Result<(), TetherError> {
        let number = row.id.number().unwrap_or_default();
        txn.event(format!("request {number}: {}", String::from_utf8_lossy(&row.body)));
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
        let answer = body.map_or("it ran".into(), |body| String::from_utf8_lossy(body));
        // All answers to each command: there must be one.
        let answers = txn.entry(key.as_bytes())?.unwrap_or_default();
        txn.set_entry(key.as_bytes(), Some(&[&answers, answer.as_bytes(), b";"].concat()))?;
        txn.event(format!("answer: {answer}"));
        Ok(())
    }
}

/// Asks the user, and waits for a line; an empty one at the end of the input.
async fn ask(question: &str) -> String {
    println!("{question}");
    let line = tokio::task::spawn_blocking(|| stdin().lines().next().and_then(Result::ok));
    line.await.ok().flatten().unwrap_or_default()
}

async fn pair(companion: &Handle<Companion<Requests>>, relay: RelayName) -> Result<(), TetherError> {
    let claims = Claims { label: "Desk".to_owned(), origin: String::new(), grants: 1 };
    let (code, mut attempt) = companion.pair(relay, claims).await?;
    println!("Scan this code: {code}");
    loop {
        match attempt.next().await? {
            Step::Event(PairingEvent::CheckCode(digits)) => println!("Type at the phone: {digits}"),
            Step::Event(PairingEvent::ConfirmationWanted { account_name, .. }) => {
                let number = ask(&format!("Link to \"{account_name}\"? The number that it shows?")).await;
                attempt.enter_confirmation(&number).await?;
            }
            Step::Event(_) => {}
            Step::Ended(paired) => {
                println!("{paired:?}");
                return Ok(());
            }
        }
    }
}

/// Carries out a line of the user. What it wants is durable when this returns.
async fn act(companion: &Handle<Companion<Requests>>, line: &str) -> Result<(), TetherError> {
    let words: Vec<&str> = line.splitn(3, ' ').collect();
    match words[..] {
        ["approve" | "reject", _] => {
            let _ = companion.send(line.to_owned().into()).await?;
        }
        ["invoice", number, path] => {
            let id = RowId::from_number(number.parse().unwrap_or(0));
            let row = companion.call(move |tether, _, _| tether.row(&requests(), &id)).await?;
            let text = row.map(|row| String::from_utf8_lossy(&row.body).into_owned()).unwrap_or_default();
            let invoice = text.split(' ').nth(2).and_then(parse_hex);
            let none = || TetherError::Input("there is no such request".to_owned());
            companion.get(ContentId::from_bytes(invoice.ok_or_else(none)?), Path::new(path)).await?;
        }
        ["receipt", number, path] => {
            let content = companion.put(Path::new(path)).await?;
            let _ = companion.send(format!("receipt {number} {content}").into()).await?;
        }
        _ => return Err(TetherError::Input("approve | reject | invoice | receipt, and a number".to_owned())),
    }
    Ok(())
}

async fn talk(companion: Handle<Companion<Requests>>, relay: RelayName) -> Result<(), TetherError> {
    if companion.call(|tether, _, _| Ok(tether.links().next().is_none())).await? {
        pair(&companion, relay).await?;
    }
    loop {
        let line = ask("What now? An empty line ends.").await;
        if line.is_empty() {
            return Ok(());
        }
        match act(&companion, &line).await {
            Ok(()) => println!("kept: {line}"),
            Err(error) => println!("refused: {error}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [dir, relay] = &words[..] else { return Err("usage: wallet-companion DIR RELAY".into()) };
    let (dir, relay) = (Path::new(dir), RelayName::parse(relay)?);
    let store = Store::open_with(dir, || store::Redb::open(&dir.join("wallet.redb")))?;
    let runner = tether::open_companion_with(store, Requests, vec![requests()], Connector::new()?)?;
    let companion = runner.handle();
    let show = |event| match event {
        TetherEvent::App(line) => println!("{line}"),
        TetherEvent::Content { path, result, .. } => println!("invoice {}: {result:?}", path.display()),
        TetherEvent::Put { content, result } => println!("receipt {content}: {result:?}"),
        _ => {}
    };
    // When `talk` returns, its handle is gone, and the runner ends.
    let _ = tokio::try_join!(runner.run(show), talk(companion, relay))?;
    Ok(())
}
