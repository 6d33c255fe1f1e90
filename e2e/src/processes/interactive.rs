//! `cargo xtask demo` with a user at the terminal.

mod pairing;
mod prompt;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::build::Programs;
use super::devices::{self, Device, Kind};
use super::keeper::Keeper;
use crate::engine;

/// The three programs and what the user can do with them.
struct Session {
    relay: Device,
    phone: Device,
    web: Device,
    root: PathBuf,
    companion: String,
    /// Events of the companion that the user has seen.
    seen: usize,
    /// Whether the companion is a page in the user's browser: then the console is the phone's.
    by_page: bool,
}

/// What became linked.
enum Linked {
    /// The companion of this terminal.
    Terminal,
    /// A page in a browser.
    Page,
    /// Nothing: the user left.
    Nothing,
}

/// Takes the user through pairing, then offers a prompt; returns `true` when the user leaves.
///
/// # Errors
/// A program cannot be started, or does not do its part in time.
pub(crate) fn run(programs: &Programs, root: &Path) -> Result<bool> {
    let keeper = Keeper::start()?;
    let relay_name = format!("127.0.0.1:{}", devices::free_port()?);
    let device = |kind, name| Device::new(kind, name, root, programs, &relay_name, &keeper);
    let mut session = Session {
        relay: device(Kind::Relay, "relay")?,
        phone: device(Kind::Phone, "phone")?,
        web: device(Kind::Web, "companion")?,
        root: root.to_owned(),
        companion: String::new(),
        seen: 0,
        by_page: false,
    };
    println!(
        "\nThree programs take part, each a process of its own on this machine:\n\
         the relay, which forwards what it cannot read; the phone, which has the account; the companion, which you link."
    );
    session.relay.start()?;
    println!("  relay      process {}, ws://{relay_name}/v1", session.relay.pid()?);
    session.phone.start()?;
    println!("  phone      process {}, data in {}", session.phone.pid()?, session.phone.dir().display());
    tell_page(&relay_name);
    match pairing::pair(&mut session)? {
        Linked::Terminal => prompt::serve(&mut session)?,
        Linked::Page => prompt::serve_phone(&mut session)?,
        Linked::Nothing => {}
    }
    println!("All three programs are ended.");
    Ok(true)
}

/// Says where the page is, if the relay was built with it.
fn tell_page(relay_name: &str) {
    if engine::package().is_dir() {
        println!("  page       http://{relay_name}/ in a browser on this machine is a companion too");
    } else {
        println!(
            "  page       not part of this build; `cargo xtask wasm` makes it, then start the demo again"
        );
    }
}

/// Shows a question and reads one line; nothing when the input ends.
fn ask_user(question: &str) -> Result<Option<String>> {
    print!("{question} ");
    std::io::stdout().flush()?;
    let mut line = String::new();
    let count = std::io::stdin().read_line(&mut line)?;
    Ok((count > 0).then(|| line.trim().to_owned()))
}

/// Asks until the user says yes or no; the end of the input is a no.
fn ask_yes(question: &str) -> Result<bool> {
    loop {
        match ask_user(&format!("{question} [y/n]"))?.as_deref() {
            Some("y" | "yes") => return Ok(true),
            Some("n" | "no") | None => return Ok(false),
            Some(_) => println!("Please answer y or n."),
        }
    }
}
