//! The command line of the native companion.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};
use handfast::RelayName;
use handfast::driver::os_rng;
use handfast_programs::chats::ChatVerb;
use handfast_programs::{
    Clock, DirLock, connector, parse_object, print_line, print_words, run_program, show, told,
};
use reference_web::driver::{self, Console, Mode, Settings};
use reference_web::store::Store;
use reference_web::terminal;
use serde_json::{Map, Value, json};

/// The relay through which new pairing codes are answered when `--relay` is not given.
const RELAY_DEFAULT: &str = "127.0.0.1:8787";

/// The native companion of Handfast: a window on the chats of a phone.
#[derive(Debug, Parser)]
#[command(name = "handfast-web", version)]
struct Args {
    /// The directory with the companion's data.
    #[arg(long)]
    data: PathBuf,
    /// The relay for new codes [default: 127.0.0.1:8787]. A link keeps the relay over which it was made.
    #[arg(long, value_name = "HOST")]
    relay: Option<String>,
    /// Also trust the certificate authorities in this PEM file.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Read and print JSON, one object per line; codes are not drawn on the terminal.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows a code, and links the phone that scans it.
    Pair {
        /// Also write the code to this PNG file.
        #[arg(long, value_name = "FILE")]
        qr_png: Option<PathBuf>,
        /// The label that the phone shows for this companion.
        #[arg(long, default_value = "Handfast companion", allow_hyphen_values = true)]
        label: String,
    },
    /// Runs the companion until it is interrupted.
    Run,
    #[command(flatten)]
    Chat(ChatVerb),
    /// Takes back an edit, deletion or reaction that still waits here for the phone.
    Undo {
        /// The id of the command, which the edit, deletion or reaction returned.
        command: String,
    },
    /// Lists the companions that are linked to the phone.
    Companions,
    /// Sends a file.
    Attach { chat: u64, file: PathBuf },
    /// Fetches media by its content id, and writes it to a file.
    Get { content: String, out: PathBuf },
    /// Shows the state of the companion and of its link.
    Status,
    /// Deletes this companion's keys, messages and media.
    Logout {
        /// Confirm the deletion.
        #[arg(long)]
        yes: bool,
    },
}

fn main() -> ExitCode {
    run_program("handfast-web", run)
}

/// Reads and prints JSON, for use by a program.
const JSON: Console =
    Console { tell: tell_json, read: |line| parse_object(line.as_bytes()).map_err(Into::into) };

/// Reads and prints text, for use by a person.
const WORDS: Console = Console {
    tell: tell_words,
    read: |line| terminal::request(line).ok_or_else(|| anyhow::anyhow!("please type yes or no")),
};

/// Prints an event as JSON. If nobody reads the output any more the event is dropped, so that the companion
/// continues.
fn tell_json(event: &Value) {
    let mut event = event.clone();
    for words in ["drawing", "not_drawn"] {
        let _ = event.as_object_mut().and_then(|line| line.remove(words));
    }
    told(print_line(&event));
}

/// Prints an event as text. If nobody reads the output any more the event is dropped. The messages of the
/// first synchronization, perhaps thousands, are not printed: its last event has their number.
fn tell_words(event: &Value) {
    static SYNCED: AtomicBool = AtomicBool::new(false);
    match event["event"].as_str() {
        Some("synced") => SYNCED.store(true, Ordering::Relaxed),
        Some("message") if !SYNCED.load(Ordering::Relaxed) => return,
        _ => {}
    }
    if let Some(said) = terminal::event(event) {
        told(print_words(&said));
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    let given = args.relay.as_deref();
    let relay = RelayName::parse(&given.unwrap_or(RELAY_DEFAULT).to_lowercase())
        .map_err(|_| anyhow::anyhow!("--relay takes a host, or host:port"))?;
    let console = if args.json { JSON } else { WORDS };
    let settings = |label: &str| Settings { relay: relay.clone(), label: label.to_owned() };
    let request = match args.verb {
        Verb::Pair { qr_png, label } => {
            if !(1..=64).contains(&label.len()) {
                anyhow::bail!("--label takes 1 to 64 bytes");
            }
            if relay.as_str().len() > handfast::codec::limits::QR_HOST_LEN_MAX {
                anyhow::bail!("a relay's name in a code has at most 40 bytes; use a shorter one");
            }
            let (settings, connector) = (settings(&label), connector(args.ca.as_deref())?);
            return driver::run(&args.data, settings, connector, Mode::Pair { qr_png }, console);
        }
        Verb::Run => {
            require(&args.data)?;
            let (settings, connector) = (settings("run"), connector(args.ca.as_deref())?);
            let mode = Mode::Run { relay: given.is_some().then_some(relay.clone()) };
            return driver::run(&args.data, settings, connector, mode, console);
        }
        Verb::Logout { yes } => return logout(&args.data, yes, args.json),
        Verb::Chat(verb) => verb.request(),
        Verb::Undo { command } => json!({"verb": "undo", "command": command}),
        Verb::Companions => json!({"verb": "companions"}),
        Verb::Attach { chat, file } => {
            json!({"verb": "attach", "chat": chat, "file": absolute(&file)?})
        }
        Verb::Get { content, out } => {
            json!({"verb": "get", "content": content, "out": absolute(&out)?})
        }
        Verb::Status => json!({"verb": "status"}),
    };
    require(&args.data)?;
    let alone = |lock: &DirLock, request: &_| answer(lock, settings("ask"), request);
    let answer = handfast_programs::ask(&args.data, &request, alone)?;
    Ok(show(&answer, args.json, terminal::answer)?)
}

fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path)?;
    path.to_str().map(str::to_owned).ok_or_else(|| anyhow::anyhow!("the path is not UTF-8; rename it"))
}

fn require(dir: &Path) -> anyhow::Result<()> {
    if !Store::exists(dir) {
        anyhow::bail!("there is no companion in {}; link one with `pair`", dir.display());
    }
    Ok(())
}

/// Answers a request in a directory with which no companion is running. What is queued then is sent when `run`
/// is started.
fn answer(lock: &DirLock, settings: Settings, request: &Map<String, Value>) -> anyhow::Result<Value> {
    let clock = Clock::start();
    let mut app = driver::open(lock, settings, clock)?;
    let answer = driver::verb(&mut app, clock.now(), &mut os_rng()?, request, || Value::Null)?;
    let failure = driver::settle_alone(&mut app, clock)?;
    Ok(failure.map_or(answer, |failure| json!({"error": failure})))
}

fn logout(dir: &Path, yes: bool, json: bool) -> anyhow::Result<()> {
    require(dir)?;
    if !yes {
        anyhow::bail!("this deletes the companion's keys, messages and media here; say `logout --yes`");
    }
    let lock = DirLock::acquire(dir)?;
    Store::open(lock.dir())?.destroy()?;
    Ok(show(&json!({"logged_out": true}), json, terminal::answer)?)
}
