//! A whole application over the public API: a phone that keeps notes with files, and a companion that shows them, adds some, and
//! fetches the files. Both pair by a code, sync over a relay, and survive being killed at any time.
//!
//! ```text
//! notes phone DIR                 lines: scan CODE | code 1234 | yes | add TEXT | attach PATH | quit
//! notes companion DIR RELAY       lines: number 12 | add TEXT | get NOTE PATH | quit
//! ```
//!
//! What happens is told on standard output, a line each. `phone.rs` and `companion.rs` are the two
//! [`handfast::host::Application`]s, `store.rs` is what both keep in SQLite, this file has the loop.

mod companion;
mod phone;
mod store;

use handfast::driver::{Connector, HostDriver};
use handfast::host::Application;
use tokio::sync::mpsc;

/// Why a call or the store failed; for a program this small, a text is enough.
type Failure = Box<dyn std::error::Error>;

/// What both sides are to the loop.
trait Notes: Application<Event = String, Error = Failure> {
    /// Carries out a line of the user.
    fn line(&mut self, driver: &mut HostDriver, line: &str) -> Result<(), Failure>;
}

async fn run(app: &mut impl Notes, driver: &mut HostDriver) -> Result<(), Failure> {
    let (lines, mut inbox) = mpsc::unbounded_channel();
    // A thread, since standard input cannot be waited for otherwise; it ends with the program.
    drop(std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).all(|line| lines.send(line).is_ok())
    }));
    loop {
        let told = driver.settle(app)?;
        told.events.iter().for_each(|event| println!("{event}"));
        if let Some(failure) = told.failure {
            println!("not stored: {failure}");
        }
        tokio::select! {
            ended = driver.next(app) => ended.into_iter().for_each(|reason| println!("socket: {reason}")),
            line = inbox.recv() => match line.as_deref() {
                None | Some("quit") => return Ok(()),
                Some(line) => if let Err(error) = app.line(driver, line) {
                    println!("refused: {error}");
                },
            },
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut driver = HostDriver::new(Connector::new()?)?;
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["phone", dir] => run(&mut phone::Phone::open(dir, &mut driver)?, &mut driver).await,
        ["companion", dir, relay] => {
            run(&mut companion::Companion::open(dir, relay, &mut driver)?, &mut driver).await
        }
        _ => Err("usage: notes phone DIR | notes companion DIR RELAY".into()),
    }
}
