//! The command line of the native companion.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use handfast::RelayName;
use handfast::driver::os_rng;
use handfast::program::{Clock, ControlClient, DirLock, print_line};
use reference_web::driver::{self, Mode, Settings};
use reference_web::store::Store;
use serde_json::{Value, json};

/// How long a running companion may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The native companion of Handfast: a window on the chats of a phone. Events and answers are JSON, one object a line.
#[derive(Debug, Parser)]
#[command(name = "handfast-web", version)]
struct Args {
    /// The directory of the companion.
    #[arg(long)]
    data: PathBuf,
    /// The relay of new codes.
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "HOST")]
    relay: String,
    /// Print codes as JSON only, without drawing them on the terminal.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows a code, and links the phone that scans it. NN is answered by a JSON line on stdin.
    Pair {
        /// Draw the code to this picture too.
        #[arg(long, value_name = "FILE")]
        qr_png: Option<PathBuf>,
        /// The name that the phone shows.
        #[arg(long, default_value = "Handfast companion")]
        label: String,
    },
    /// Runs the companion until it is interrupted.
    Run,
    /// Lists chats.
    Chats,
    /// Shows the last messages of a chat.
    History { chat: u64 },
    /// Sends a text.
    Send { chat: u64, text: String },
    /// Sends a file.
    Attach { chat: u64, file: PathBuf },
    /// Fetches media by its content id.
    Get { content: String, out: PathBuf },
    /// Says how the companion does.
    Status,
    /// Deletes this companion's keys, messages and media.
    Logout {
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("handfast-web: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints an event; a code is drawn for a human too.
fn tell(event: &Value) {
    let mut event = event.clone();
    let drawing = event.as_object_mut().and_then(|line| line.remove("drawing"));
    if let Some(Value::String(drawing)) = drawing {
        // A terminal that is gone does not end the companion.
        let _ = writeln!(std::io::stderr(), "{drawing}");
    }
    let _ = print_line(&event);
}

/// Prints an event as JSON alone.
fn tell_json(event: &Value) {
    let mut event = event.clone();
    let _ = event.as_object_mut().and_then(|line| line.remove("drawing"));
    // A reader that is gone does not end the companion.
    let _ = print_line(&event);
}

fn run(args: Args) -> anyhow::Result<()> {
    let relay = RelayName::parse(&args.relay.to_lowercase())
        .map_err(|_| anyhow::anyhow!("--relay takes a host, or host:port"))?;
    let tell = if args.json { tell_json } else { tell };
    let settings = |label: &str| Settings { relay: relay.clone(), label: label.to_owned() };
    let request = match args.verb {
        Verb::Pair { qr_png, label } => {
            if !(1..=64).contains(&label.len()) {
                anyhow::bail!("--label takes 1 to 64 bytes");
            }
            if relay.as_str().len() > handfast::codec::limits::QR_HOST_LEN_MAX {
                anyhow::bail!("a relay's name in a code has at most 40 bytes; use a shorter one");
            }
            return driver::run(&args.data, settings(&label), Mode::Pair { qr_png }, tell);
        }
        Verb::Run => {
            require(&args.data)?;
            return driver::run(&args.data, settings("run"), Mode::Run, tell);
        }
        Verb::Logout { yes } => return logout(&args.data, yes),
        Verb::Chats => json!({"verb": "chats"}),
        Verb::History { chat } => json!({"verb": "history", "chat": chat}),
        Verb::Send { chat, text } => json!({"verb": "send", "chat": chat, "text": text}),
        Verb::Attach { chat, file } => {
            json!({"verb": "attach", "chat": chat, "file": absolute(&file)?})
        }
        Verb::Get { content, out } => {
            json!({"verb": "get", "content": content, "out": absolute(&out)?})
        }
        Verb::Status => json!({"verb": "status"}),
    };
    let answer = ask(&args.data, settings("ask"), &request)?;
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        anyhow::bail!("{error}");
    }
    Ok(print_line(&answer)?)
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

/// Asks the running companion, or opens its directory when none runs: what it takes leaves when `run` is started.
fn ask(dir: &Path, settings: Settings, request: &Value) -> anyhow::Result<Value> {
    require(dir)?;
    if let Some(mut client) = ControlClient::connect(dir)? {
        return Ok(client.call(request, ANSWER_MAX)?);
    }
    let lock = DirLock::acquire(dir)?;
    let clock = Clock::start();
    let mut app = driver::open(&lock, settings, clock)?;
    let object = request.as_object().cloned().unwrap_or_default();
    let answer = driver::verb(&mut app, clock.now(), &object)?;
    let settled = app.settle(clock.now(), &mut os_rng()?)?;
    Ok(settled.failure.map_or(answer, |failure| json!({"error": failure})))
}

fn logout(dir: &Path, yes: bool) -> anyhow::Result<()> {
    require(dir)?;
    if !yes {
        anyhow::bail!("this deletes the companion's keys, messages and media here; say `logout --yes`");
    }
    let lock = DirLock::acquire(dir)?;
    Store::open(lock.dir())?.destroy()?;
    Ok(print_line(&json!({"logged_out": true}))?)
}
