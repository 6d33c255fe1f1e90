//! The command line of the reference phone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use handfast::RelayName;
use handfast::driver::os_rng;
use handfast_programs::chats::ChatVerb;
use handfast_programs::{
    Clock, ControlClient, DirLock, connector, pasted_code, print_line, print_words, run_program, show, told,
};
use reference_phone::policy::RelayPolicy;
use reference_phone::{driver, store, terminal};
use serde_json::{Map, Value, json};

/// How many empty lines may come before a pasted code.
const EMPTY_LINES_MAX: usize = 16;

/// The longest time for one step of a scan, including the user's decision.
const SCAN_STEP_MAX: Duration = Duration::from_mins(5);

/// The phone of Handfast: account, messages and media.
#[derive(Debug, Parser)]
#[command(name = "handfast-phone", version)]
struct Args {
    /// The directory with the phone's data.
    #[arg(long)]
    data: PathBuf,
    /// A relay that scanned codes may use; may be repeated.
    #[arg(long = "allow-relay", value_name = "HOST")]
    allow_relay: Vec<String>,
    /// Also allow relays on this machine and in private networks.
    #[arg(long)]
    developer: bool,
    /// Also trust the certificate authorities in this PEM file.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Read and print JSON, one object per line.
    #[arg(long)]
    json: bool,
    /// The account's name, used when the account is created.
    #[arg(long, default_value = "Demo", allow_hyphen_values = true)]
    account_name: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the phone until it is interrupted.
    Run,
    /// Links a companion: the running phone scans the code that a page shows.
    #[command(group(clap::ArgGroup::new("code").required(true)))]
    Scan {
        /// A picture of the code.
        #[arg(long, value_name = "FILE", group = "code")]
        image: Option<PathBuf>,
        /// Read the code's text from the first line of standard input.
        #[arg(long, group = "code")]
        text_stdin: bool,
    },
    /// Lists companions.
    Companions,
    /// Withdraws the offer of a link whose scan ended before the companion had accepted.
    Cancel { companion: String },
    /// Revokes a companion.
    Revoke { companion: String },
    #[command(flatten)]
    Chat(ChatVerb),
    /// Sends a file.
    Attach { chat: u64, file: PathBuf },
    /// Shows the state of the phone and of its links.
    Status,
    /// Writes the account, its messages and its media to a new file. The phone may run meanwhile. Whoever has
    /// the file has the account.
    Backup { file: PathBuf },
    /// Restores a phone from a backup into an empty directory. Its companions must be linked again.
    Restore { file: PathBuf },
}

fn main() -> ExitCode {
    run_program("handfast-phone", run)
}

/// Prints an event as JSON. A closed output does not end the phone.
fn tell_json(event: &Value) {
    told(print_line(event));
}

/// Prints an event as text. A closed output does not end the phone.
fn tell_words(event: &Value) {
    told(print_words(&terminal::event(event)));
}

fn run(args: Args) -> anyhow::Result<()> {
    let mut allowed = Vec::new();
    for name in &args.allow_relay {
        let name = RelayName::parse(&name.to_lowercase());
        allowed.push(name.map_err(|_| anyhow::anyhow!("--allow-relay takes a host, or host:port"))?);
    }
    let policy = RelayPolicy::new(allowed, args.developer);
    let print = |answer: &Value| Ok(show(answer, args.json, terminal::answer)?);
    let request = match args.verb {
        Verb::Run => {
            if !(1..=64).contains(&args.account_name.len()) {
                anyhow::bail!("--account-name takes 1 to 64 bytes");
            }
            let tell = if args.json { tell_json } else { tell_words };
            return driver::run(&args.data, &args.account_name, policy, connector(args.ca.as_deref())?, tell);
        }
        Verb::Scan { image, .. } => return scan(&args.data, image.as_deref(), args.json),
        Verb::Companions => json!({"verb": "companions"}),
        Verb::Cancel { companion } => json!({"verb": "cancel", "companion": companion}),
        Verb::Revoke { companion } => json!({"verb": "revoke", "companion": companion}),
        Verb::Chat(verb) => verb.request(),
        Verb::Attach { chat, file } => {
            let file = std::path::absolute(&file)?;
            let Some(file) = file.to_str() else { anyhow::bail!("the file's path is not UTF-8; rename it") };
            json!({"verb": "attach", "chat": chat, "file": file})
        }
        Verb::Status => json!({"verb": "status"}),
        Verb::Backup { file } => {
            require(&args.data)?;
            let made = store::write_backup(&args.data, &file)?;
            return print(&json!({"backed_up": file, "messages": made.messages, "media": made.media}));
        }
        Verb::Restore { file } => {
            let lock = DirLock::acquire(&args.data)?;
            let made = store::restore(lock.dir(), &file)?;
            return print(&json!({"restored": file, "messages": made.messages, "media": made.media}));
        }
    };
    require(&args.data)?;
    print(&handfast_programs::ask(&args.data, &request, |lock, request| answer(lock, policy, request))?)
}

/// Lets the running phone scan a code. The phone's questions are printed to standard output, and answered
/// from standard input.
fn scan(dir: &Path, image: Option<&Path>, json: bool) -> anyhow::Result<()> {
    let tell = if json { tell_json } else { tell_words };
    let mut lines = std::io::stdin().lines();
    let text = match image {
        Some(image) => reference_phone::picture::read_code(image)?,
        None => pasted(&mut lines)?,
    };
    let Some(mut client) = ControlClient::connect(dir)? else {
        anyhow::bail!("no phone runs on {}; start it with `run` first", dir.display());
    };
    client.send(&json!({"verb": "scan", "text": text}))?;
    loop {
        let step = client.recv(SCAN_STEP_MAX)?;
        if let Some(error) = step.get("error").and_then(Value::as_str) {
            anyhow::bail!("{error}");
        }
        let is_end = step["event"] == "ended";
        // In text form, the error with which the program ends already says this.
        if json || !is_end {
            tell(&step);
        }
        match step["event"].as_str() {
            Some("linked") => return Ok(()),
            Some("ended") => {
                anyhow::bail!("{}", terminal::ended(&step));
            }
            Some("check_code_wanted" | "approval_wanted" | "wrong_code") if step["left"] != 0 => {
                client.send(&scan_answer(&mut lines, json)?)?;
            }
            _ => {}
        }
    }
}

/// Returns the first line of standard input that is not empty.
fn pasted(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> anyhow::Result<String> {
    for line in lines.take(EMPTY_LINES_MAX) {
        let line = line.context("the code cannot be read from stdin")?;
        if !pasted_code(&line).is_empty() {
            return Ok(line);
        }
    }
    anyhow::bail!("there is no code on stdin; paste the text of the code, then press Enter")
}

/// Reads the answer to a question of the phone. A person is asked again until the answer is valid.
fn scan_answer(
    lines: &mut impl Iterator<Item = std::io::Result<String>>,
    json: bool,
) -> anyhow::Result<Value> {
    loop {
        let line = lines.next().transpose()?;
        let line = line.context("stdin ended before an answer; nothing was linked")?;
        if json {
            let hint = "an answer is {\"check_code\":\"1234\"}, or {\"approve\":true} with or without \"grants\":[\"read\"]";
            return serde_json::from_str(&line).context(hint);
        }
        if let Some(answer) = terminal::scan_answer(&line) {
            return Ok(answer);
        }
        print_words("Please type the four digits, or yes or no, or what it may do (read send media): ")?;
    }
}

fn require(dir: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(dir.is_dir(), "there is no phone in {}; start one with `run`", dir.display());
    Ok(())
}

/// Answers a request in a directory with which no phone is running.
fn answer(lock: &DirLock, policy: RelayPolicy, request: &Map<String, Value>) -> anyhow::Result<Value> {
    let clock = Clock::start();
    let mut app = driver::open(lock, None, policy, clock)?;
    let answer = driver::verb(&mut app, driver::now(clock), request, || Value::Null)?;
    let settled = app.settle(driver::now(clock), &mut os_rng()?)?;
    Ok(settled.failure.map_or(answer, |failure| json!({"error": failure.to_string()})))
}
