//! The programs as the demo starts them: a relay, phones, companions.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::build::Programs;
use super::control;
use super::keeper::Keeper;
use super::patience::until;
use super::process::Process;

/// What the programs are told by `RUST_LOG`, if nothing else is said.
pub(crate) const LOG_LEVEL: &str = "debug";
/// The time in which a program must say that it is ready.
const READY_LIMIT: Duration = Duration::from_secs(20);
/// The time in which a program must answer a request.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The variable that names the kill point at which a `failpoints` build ends itself.
const KILL_AT: &str = "HANDFAST_KILL_AT";
/// The variable that names the file to which a `key-log` build appends keys.
const KEY_LOG: &str = "HANDFAST_KEY_LOG";

/// Which program a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Relay,
    Phone,
    Web,
}

/// One program with its data directory, running or not.
#[derive(Debug)]
pub(crate) struct Device {
    kind: Kind,
    name: String,
    program: PathBuf,
    /// What a relay is told besides its name and address.
    relay_words: Vec<String>,
    dir: PathBuf,
    log: PathBuf,
    relay_name: String,
    keeper: Keeper,
    process: Option<Process>,
    log_level: &'static str,
    key_log: Option<PathBuf>,
}

/// Picks a port of 127.0.0.1 that is free now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Device {
    /// Makes a device with a fresh data directory below `root`.
    pub(crate) fn new(
        kind: Kind,
        name: &str,
        root: &Path,
        programs: &Programs,
        relay_name: &str,
        keeper: &Keeper,
    ) -> Result<Self> {
        let dir = root.join(name);
        std::fs::create_dir_all(&dir)?;
        let program = match kind {
            Kind::Relay => programs.relay.clone(),
            Kind::Phone => programs.phone.clone(),
            Kind::Web => programs.web.clone(),
        };
        let log = root.join(format!("{name}.log"));
        let (name, relay_name) = (name.to_owned(), relay_name.to_owned());
        let relay_words = programs.relay_words.iter().map(|&word| word.to_owned()).collect();
        Ok(Self {
            kind,
            name,
            program,
            relay_words,
            dir,
            log,
            relay_name,
            keeper: keeper.clone(),
            process: None,
            log_level: LOG_LEVEL,
            key_log: None,
        })
    }

    /// From the next start on, it logs what is at least so grave.
    pub(crate) fn log(&mut self, level: &'static str) {
        self.log_level = level;
    }

    /// From the next start on, the keys of its connections are appended to this file.
    pub(crate) fn log_keys(&mut self, file: &Path) {
        self.key_log = Some(file.to_owned());
    }

    /// Returns the name in logs and messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the data directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// From the next start on, a relay is told this besides its name and address.
    pub(crate) fn tell_relay(&mut self, words: &[&str]) {
        self.relay_words = words.iter().map(|&word| word.to_owned()).collect();
    }

    /// Returns the process that runs.
    ///
    /// # Errors
    /// None was started.
    pub(crate) fn process(&mut self) -> Result<&mut Process> {
        let name = &self.name;
        self.process.as_mut().with_context(|| format!("{name} was not started"))
    }

    /// Returns whether the program was started, and not ended from here since.
    pub(crate) fn was_started(&self) -> bool {
        self.process.is_some()
    }

    /// Returns the process id.
    ///
    /// # Errors
    /// As [`Device::process`].
    pub(crate) fn pid(&mut self) -> Result<u32> {
        Ok(self.process()?.pid())
    }

    /// Starts the program and waits until it is ready.
    ///
    /// # Errors
    /// It does not become ready in time.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.begin(None)?;
        self.wait_ready()
    }

    /// Starts the program so that it ends itself at a kill point; does not wait.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start_to_die_at(&mut self, point: &str) -> Result<()> {
        self.begin(Some(point))
    }

    /// Starts the program without waiting for anything.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn begin_anew(&mut self) -> Result<()> {
        self.begin(None)
    }

    fn begin(&mut self, kill_at: Option<&str>) -> Result<()> {
        self.process = None;
        let words: &[&str] = if self.kind == Kind::Relay { &[] } else { &["run"] };
        self.process = Some(self.spawn(words, kill_at)?);
        Ok(())
    }

    /// Waits until the program that was started is ready.
    ///
    /// # Errors
    /// It does not become ready in time.
    pub(crate) fn wait_ready(&mut self) -> Result<()> {
        if self.kind == Kind::Relay {
            let address = self.relay_name.clone();
            let name = self.name.clone();
            return until("the relay's /healthz", READY_LIMIT, || {
                ensure!(self.process()?.is_running(), "{name} has ended, see its log {}", self.log.display());
                healthy(&address).map(Some)
            });
        }
        self.process()?.wait_event(0, "ready", READY_LIMIT).map(drop)
    }

    /// Waits until a companion that was started has a connection, or has had one since.
    ///
    /// # Errors
    /// It has none in time.
    pub(crate) fn wait_live(&mut self, limit: Duration) -> Result<()> {
        let live = |event: &Value| (event["event"] == "link_state" && event["state"] == "live").then_some(());
        self.process()?.wait(0, "the state live", limit, live)
    }

    /// Starts the program with other words than `run`, for example `scan`; the caller owns the process.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn spawn(&self, words: &[&str], kill_at: Option<&str>) -> Result<Process> {
        let mut command = self.command();
        if self.kind != Kind::Relay {
            let _ = command.arg("--json");
        }
        if let Some(point) = kill_at {
            let _ = command.env(KILL_AT, point);
        }
        Process::start(&self.name, command.args(words), &self.keeper, &self.log)
    }

    /// Starts the program as a person does, who reads words; each line is an event that is a string. The caller owns the process.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn spawn_in_words(&self, words: &[&str]) -> Result<Process> {
        Process::start(&self.name, self.command().args(words), &self.keeper, &self.log)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let relay = self.relay_name.as_str();
        let _ = match self.kind {
            Kind::Relay => command.args(["--listen", relay, "--name", relay]).args(&self.relay_words),
            Kind::Phone => command.arg("--data").arg(&self.dir).args(["--developer", "--allow-relay", relay]),
            Kind::Web => command.arg("--data").arg(&self.dir).args(["--relay", relay]),
        };
        let _ = command.env_remove(KILL_AT).env_remove(KEY_LOG).env("RUST_LOG", self.log_level);
        if let Some(file) = &self.key_log {
            let _ = command.env(KEY_LOG, file);
        }
        command
    }

    /// From the next start on, another program runs on the same data directory.
    pub(crate) fn update(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Asks the program to end, and waits until it has.
    ///
    /// # Errors
    /// As [`Process::end`], or none was started.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.process()?.end(ANSWER_LIMIT)?;
        self.process = None;
        Ok(())
    }

    /// Ends the program as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts the program again if it has ended.
    ///
    /// # Errors
    /// It does not become ready in time.
    pub(crate) fn ensure_running(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(Process::is_running) { Ok(()) } else { self.start() }
    }

    /// Asks the running program over its control socket.
    ///
    /// # Errors
    /// It does not answer, or with an error.
    pub(crate) fn ask(&self, request: &Value) -> Result<Value> {
        let answer = control::ask(&self.dir, request, ANSWER_LIMIT)?;
        if !answer["error"].is_null() {
            bail!("{} refused {request}: {answer}", self.name);
        }
        Ok(answer)
    }
}

/// Asks `/healthz` over plain HTTP.
fn healthy(address: &str) -> Result<()> {
    let limit = Some(Duration::from_secs(2));
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(limit)?;
    socket.set_write_timeout(limit)?;
    socket.write_all(
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    let _ = socket.take(4096).read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "it answers {}", answer.lines().next().unwrap_or("nothing"));
    Ok(())
}
