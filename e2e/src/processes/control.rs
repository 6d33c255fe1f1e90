//! Asks a running program over its control socket.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Sends one request to the program that runs in `dir` and returns its first answer.
///
/// # Errors
/// No program listens, it does not answer in time, or it ends while it should answer.
pub(crate) fn ask(dir: &Path, request: &Value, limit: Duration) -> Result<Value> {
    let path = dir.join("control.sock");
    let mut socket =
        UnixStream::connect(&path).with_context(|| format!("nobody listens on {}", path.display()))?;
    socket.set_read_timeout(Some(limit))?;
    socket.set_write_timeout(Some(limit))?;
    socket.write_all(format!("{request}\n").as_bytes())?;
    let mut line = String::new();
    let got = BufReader::new(socket).read_line(&mut line);
    let _ = got.with_context(|| format!("no answer on {} within {} s", path.display(), limit.as_secs()))?;
    ensure!(line.ends_with('\n'), "{} closed without an answer", path.display());
    serde_json::from_str(&line).with_context(|| format!("an answer that is no JSON: {line}"))
}
