//! A whole application over the public API: a phone that keeps notes with files, and a companion that shows
//! them, adds some, and fetches the files. Both pair by a code, sync over a relay, and survive being killed at
//! any time.
//!
//! ```text
//! notes phone DIR                 lines: scan CODE | code 1234 | yes | add TEXT | attach PATH | quit
//! notes companion DIR RELAY       lines: number 12 | add TEXT | get NOTE PATH | quit
//! ```
//!
//! Events are printed on standard output, one line each. `phone.rs` and `companion.rs` contain what makes the
//! two sides differ, this file contains their loop and the texts of all events.

mod companion;
mod phone;

use handfast::codec::frame::Collection;
use handfast::driver::{Connector, HostDriver};
use handfast::session::{Event, PairingEvent, SyncEvent};
use handfast::tether::{Paired, Role, Tether, TetherError, TetherEvent};
use tokio::sync::mpsc;

/// The only collection. A note is a row: the content id of its file, or zeros, and then its text.
fn notes() -> Collection {
    Collection::new(b"notes").expect("a name of five bytes")
}

/// Returns the line that tells the user of an event. Those of the application are lines already.
fn line(event: TetherEvent<String>) -> String {
    match event {
        TetherEvent::App(line) => line,
        TetherEvent::Pairing(PairingEvent::CheckCode(digits)) => format!("digits {digits}"),
        TetherEvent::Pairing(PairingEvent::CheckCodeWanted) => {
            "type: code and the page's four digits".to_owned()
        }
        TetherEvent::Pairing(PairingEvent::ApprovalWanted { label, .. }) => {
            format!("link {label}? type: yes")
        }
        TetherEvent::Pairing(PairingEvent::ShowConfirmation(number)) => format!("number {number}"),
        TetherEvent::Pairing(PairingEvent::ConfirmationWanted { account_name, .. }) => {
            format!("link to {account_name}? type: number and what the phone shows")
        }
        TetherEvent::PairingEnded(Paired::Linked(_)) => "linked".to_owned(),
        TetherEvent::PairingEnded(Paired::Pending(_, code)) => format!("perhaps linked: {code}"),
        TetherEvent::PairingEnded(Paired::Failed(code)) => format!("not linked: {code}"),
        TetherEvent::Link(_, Event::State(state)) => format!("peer {}", state.name()),
        TetherEvent::Link(_, Event::Sync(SyncEvent::InSync { .. })) => "in sync".to_owned(),
        TetherEvent::Sent(_) => "sent".to_owned(),
        TetherEvent::Content { path, result: Ok(len), .. } => {
            format!("file {}: {len} bytes", path.display())
        }
        TetherEvent::Content { path, result: Err(reason), .. } => {
            format!("file {}: {reason}", path.display())
        }
        TetherEvent::StoreFailed { pause, reason } => {
            format!("the store fails, next try in {} s: {reason}", pause.as_secs())
        }
        other => format!("{other:?}"),
    }
}

/// Runs one side. `act` carries out a line of the user.
async fn run<R: Role<Event = String>>(
    mut tether: Tether<R>,
    mut driver: HostDriver,
    act: impl Fn(&mut Tether<R>, &mut HostDriver, &str) -> Result<(), TetherError>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (lines, mut inbox) = mpsc::unbounded_channel();
    // Standard input cannot be waited for, except by a thread. The thread ends with the program.
    drop(std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).all(|line| lines.send(line).is_ok())
    }));
    loop {
        let round = driver.settle(&mut tether)?;
        round.events.into_iter().for_each(|event| println!("{}", line(event)));
        tokio::select! {
            ended = driver.next(&mut tether) => ended.into_iter().for_each(|reason| println!("socket: {reason}")),
            line = inbox.recv() => match line.as_deref() {
                None | Some("quit") => return Ok(()),
                Some(line) => if let Err(error) = act(&mut tether, &mut driver, line) {
                    println!("refused: {error}");
                },
            },
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut driver = HostDriver::new(Connector::new()?)?;
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["phone", dir] => run(phone::open(dir, &mut driver)?, driver, phone::act).await,
        ["companion", dir, relay] => {
            run(companion::open(dir, relay, &mut driver)?, driver, companion::act).await
        }
        _ => Err("usage: notes phone DIR | notes companion DIR RELAY".into()),
    }
}
