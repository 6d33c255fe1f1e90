//! Capturing what goes over the loopback interface.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::command;
use crate::processes::patience::until;

/// The interface.
const LOOPBACK: &str = "lo";
/// The time in which the capture must begin, and in which what was captured must be in the file.
const LIMIT: Duration = Duration::from_secs(20);
/// What is asked for last, so that it can be looked for in the file.
const LAST: &str = "/the-last-request-of-the-capture";

/// Returns why nothing can be captured here.
pub(super) fn missing() -> Option<String> {
    let interfaces = command::output(&mut command::program("dumpcap", ["-D"]));
    match interfaces {
        Ok(list) if list.contains(LOOPBACK) => None,
        _ => Some("dumpcap may not capture from the loopback interface here: run it as root".to_owned()),
    }
}

/// A capture that is under way; it ends when this value is dropped.
pub(super) struct Capture {
    child: Child,
    file: PathBuf,
}

impl Capture {
    /// Captures what comes to a relay and leaves it.
    ///
    /// # Errors
    /// It does not begin in time.
    pub(super) fn start(relay: &str, file: &Path) -> Result<Self> {
        let port = relay.rsplit(':').next().context("a relay without a port")?;
        let filter = format!("tcp port {port}");
        let mut command = Command::new("dumpcap");
        let _ = command.args(["-q", "-i", LOOPBACK, "-f", &filter, "-w"]).arg(file);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = child.spawn().context("dumpcap cannot be started")?;
        let mut capture = Self { child, file: file.to_owned() };
        // The file is made when the interface is open.
        until("dumpcap to make its file", LIMIT, || {
            ensure!(capture.child.try_wait()?.is_none(), "dumpcap has ended");
            let is_there = std::fs::metadata(&capture.file).is_ok_and(|found| found.len() > 0);
            Ok(is_there.then_some(()))
        })?;
        Ok(capture)
    }

    /// Waits until everything up to now is in the file, and ends the capture.
    ///
    /// # Errors
    /// It is not in time.
    pub(super) fn end(&mut self, relay: &str) -> Result<()> {
        until("the last request to be captured", LIMIT, || {
            request(relay)?;
            let bytes = std::fs::read(&self.file)?;
            Ok(bytes.windows(LAST.len()).any(|part| part == LAST.as_bytes()).then_some(()))
        })?;
        let pid = self.child.id().to_string();
        command::run(&mut command::program("kill", ["-INT", &pid]))?;
        until("dumpcap to end", LIMIT, || Ok(self.child.try_wait()?)).map(drop)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(relay: &str) -> Result<()> {
    let mut socket = TcpStream::connect(relay)?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket
        .write_all(format!("GET {LAST} HTTP/1.1\r\nHost: {relay}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let _ = socket.take(65_536).read_to_end(&mut answer)?;
    Ok(())
}
