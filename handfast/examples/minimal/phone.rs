//! A phone with a shopping list. A companion adds to the list, and so does the phone's user.
//!
//! ```text
//! minimal-phone DIR CODE      links the companion that shows the code
//! minimal-phone DIR           goes on with the companions that are linked
//! ```

use std::error::Error;
use std::io::stdin;
use std::path::Path;

use bytes::Bytes;
use handfast::codec::frame::{Collection, RowId};
use handfast::codec::ids::MailboxId;
use handfast::driver::Connector;
use handfast::session::PairingEvent;
use handfast::tether::{self, Handle, Phone, PhoneApp, PhoneTxn, Step, TetherError};

/// The application: what it keeps is in the tether's rows.
struct List;

impl List {
    fn add(txn: &mut PhoneTxn<'_, ()>, item: Bytes) -> Result<(), TetherError> {
        let id = RowId::from_number(txn.newest()? + 1);
        println!("on the list: {}", String::from_utf8_lossy(&item));
        txn.put(&Collection::new(b"list").expect("a short name"), id, item).map(drop)
    }
}

impl PhoneApp for List {
    type Event = ();

    /// Runs exactly once for each command, whatever is lost or killed on the way.
    fn command(
        &mut self,
        txn: &mut PhoneTxn<'_, ()>,
        _: MailboxId,
        item: &Bytes,
    ) -> Result<Bytes, TetherError> {
        Self::add(txn, item.clone())?;
        Ok("added".into())
    }
}

/// Asks the user, and waits for a line; an empty one at the end of the input.
async fn ask(question: &str) -> String {
    println!("{question}");
    let line = tokio::task::spawn_blocking(|| stdin().lines().next().and_then(Result::ok));
    line.await.ok().flatten().unwrap_or_default()
}

async fn pair(phone: &Handle<Phone<List>>, code: &str) -> Result<(), TetherError> {
    let mut attempt = phone.pair(code).await?;
    loop {
        match attempt.next().await? {
            Step::Event(PairingEvent::CheckCodeWanted) => {
                attempt.enter_check_code(&ask("The four digits that the companion shows?").await).await?;
            }
            Step::Event(PairingEvent::WrongCheckCode(left)) if left > 0 => {
                attempt.enter_check_code(&ask("Wrong. The four digits again?").await).await?;
            }
            Step::Event(PairingEvent::ApprovalWanted { label, .. }) => {
                if ["y", "yes"].contains(&ask(&format!("Link \"{label}\"? yes or no")).await.as_str()) {
                    attempt.approve("Shopping", 1).await?;
                } else {
                    attempt.refuse().await?;
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

async fn serve(phone: Handle<Phone<List>>, code: Option<String>) -> Result<(), TetherError> {
    if let Some(code) = code {
        pair(&phone, &code).await?;
    }
    loop {
        let item = Bytes::from(ask("Anything to add? An empty line ends.").await);
        if item.is_empty() {
            return Ok(());
        }
        phone.change(|_, txn| List::add(txn, item)).await?;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let dir = words.next().filter(|dir| !dir.starts_with('-')).ok_or("usage: minimal-phone DIR [CODE]")?;
    let runner = tether::open_phone(Path::new(&dir), List, Connector::new()?)?;
    let phone = runner.handle();
    // When `serve` returns, its handle is gone, and the runner ends.
    let _ = tokio::try_join!(runner.run(|_| ()), serve(phone, words.next()))?;
    Ok(())
}
