//! What the command lines of all programs have: log, exit code, certificates, and requests to the running
//! program.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use handfast::driver::Connector;
use serde_json::{Map, Value};
use tracing_subscriber::EnvFilter;

use super::ending::{keep_files_private, printed};
use super::{
    ControlClient, DirLock, Unwritable, UserFile, complain, print_line, print_words, reason, wall_ms,
};

/// The longest wait for an answer of the running program.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The longest time to copy a file into the directory of content. The running program gives up earlier if
/// the file's disk does not answer.
const COPY_MAX: Duration = Duration::from_mins(30);

/// The largest file of certificates, in bytes.
const CA_LEN_MAX: u64 = 1_048_576;

/// Parses the arguments of the process, and runs the program with them. An error is printed in one line that
/// begins with the program's `name`; the exit code is 2 if standard output cannot be written, else 1.
pub fn run_program<A: Parser>(name: &str, run: impl FnOnce(A) -> anyhow::Result<()>) -> ExitCode {
    keep_files_private();
    let args = A::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
    #[cfg(feature = "key-log")]
    if let Err(error) = super::key_log::open_key_log(name) {
        complain(&format!("{name}: {}", reason(&error)));
        return ExitCode::FAILURE;
    }
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{name}: {}", reason(error.as_ref())));
            if error.is::<Unwritable>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// Prints an answer, as JSON or as the text that `words` returns for it and the time of the wall clock.
///
/// # Errors
///
/// [`Unwritable`] if standard output cannot be written.
pub fn show(answer: &Value, json: bool, words: fn(&Value, u64) -> String) -> Result<(), Unwritable> {
    printed(if json { print_line(answer) } else { print_words(&words(answer, wall_ms())) })
}

/// Returns the connector for relays. It trusts the public certificate authorities and those in the file `ca`.
///
/// # Errors
///
/// A fault of that file, in words for the user.
pub fn connector(ca: Option<&Path>) -> anyhow::Result<Connector> {
    let Some(path) = ca else { return Ok(Connector::new()?) };
    let pem = UserFile::read_all(path, CA_LEN_MAX).context("--ca")?;
    Connector::with_more_roots(&pem).with_context(|| format!("--ca: {}", path.display()))
}

/// Sends a request to the program that is running with a data directory, and returns its answer. If none is
/// running, `alone` answers instead, with the lock of the directory.
///
/// # Errors
///
/// Why there is no answer, or the error that is the answer.
pub fn ask(
    dir: &Path,
    request: &Value,
    alone: impl FnOnce(&DirLock, &Map<String, Value>) -> anyhow::Result<Value>,
) -> anyhow::Result<Value> {
    let answer = if let Some(mut client) = ControlClient::connect(dir)? {
        client.call(request, if request["verb"] == "attach" { COPY_MAX } else { ANSWER_MAX })?
    } else {
        alone(&DirLock::acquire(dir)?, &request.as_object().cloned().unwrap_or_default())?
    };
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => anyhow::bail!("{error}"),
        None => Ok(answer),
    }
}
