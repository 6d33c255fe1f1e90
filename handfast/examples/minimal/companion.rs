//! A companion of the phone with the shopping list: it shows the list, and adds to it.
//!
//! ```text
//! minimal-companion DIR RELAY
//! ```

use std::error::Error;
use std::io::stdin;
use std::path::Path;

use bytes::Bytes;
use handfast::RelayName;
use handfast::codec::frame::{Collection, Row, RowId};
use handfast::codec::ids::CommandKey;
use handfast::driver::Connector;
use handfast::handshake::pairing::Claims;
use handfast::session::PairingEvent;
use handfast::tether::{self, Companion, CompanionApp, Handle, Paired, Step, TetherError, Txn};

/// The application: it prints what it is told.
struct List;

impl CompanionApp for List {
    type Event = ();

    fn row(&mut self, _: &mut Txn<'_, ()>, _: &Collection, row: &Row) -> Result<(), TetherError> {
        show(row);
        Ok(())
    }

    fn gone(&mut self, _: &mut Txn<'_, ()>, _: &Collection, _: &RowId) -> Result<(), TetherError> {
        Ok(())
    }

    fn result(&mut self, _: &mut Txn<'_, ()>, _: CommandKey, _: Option<&Bytes>) -> Result<(), TetherError> {
        println!("the phone has added it");
        Ok(())
    }
}

/// The collection that the phone keeps.
fn list() -> Collection {
    Collection::new(b"list").expect("a short name")
}

fn show(row: &Row) {
    println!("on the list: {}", String::from_utf8_lossy(&row.body));
}

/// Asks the user, and waits for a line; an empty one at the end of the input.
async fn ask(question: &str) -> String {
    println!("{question}");
    let line = tokio::task::spawn_blocking(|| stdin().lines().next().and_then(Result::ok));
    line.await.ok().flatten().unwrap_or_default()
}

async fn pair(companion: &Handle<Companion<List>>, relay: RelayName) -> Result<Paired, TetherError> {
    let claims = Claims { label: "Kitchen".to_owned(), origin: String::new(), grants: 1 };
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
                return Ok(paired);
            }
        }
    }
}

async fn talk(companion: Handle<Companion<List>>, relay: RelayName) -> Result<(), TetherError> {
    if companion.call(|tether, _, _| Ok(tether.links().next().is_none())).await?
        && matches!(pair(&companion, relay).await?, Paired::Failed(_))
    {
        return Ok(());
    }
    // What came in an earlier run; from now on `row` reports what changes.
    let rows = companion.call(|tether, _, _| tether.rows(&list(), None, 1_000)).await?;
    rows.iter().for_each(show);
    loop {
        let item = ask("Anything to add? An empty line ends.").await;
        if item.is_empty() {
            return Ok(());
        }
        // Once this has returned, the item will be on the phone's list, and once.
        let _ = companion.send(item.into()).await?;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [dir, relay] = &words[..] else { return Err("usage: minimal-companion DIR RELAY".into()) };
    let relay = RelayName::parse(relay)?;
    let runner = tether::open_companion(Path::new(dir), List, vec![list()], Connector::new()?)?;
    let companion = runner.handle();
    // When `talk` returns, its handle is gone, and the runner ends.
    let _ = tokio::try_join!(runner.run(|_| ()), talk(companion, relay))?;
    Ok(())
}
