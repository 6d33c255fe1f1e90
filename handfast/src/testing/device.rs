//! A device: the application that is tested, in a directory of its own, whose process can die at a commit.

use std::convert::Infallible;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use chacha20::ChaCha8Rng;
use handfast_codec::{DeviceRole, Timestamp};
use rand_core::{CryptoRng, SeedableRng as _};

use super::TestError;
use crate::host::faults::{CommitFault, Death, Faults, PASSES_MAX};
use crate::host::{self, Application, Output, SocketTag};

/// Starts the application in its directory, as its `main` does.
pub(super) type Open<P> =
    Box<dyn FnMut(&Path, Timestamp, &mut dyn CryptoRng) -> Result<P, <P as Application>::Error>>;

/// What a socket does, for its device.
#[derive(Debug)]
pub(super) enum Input {
    Opened,
    Bytes(Bytes),
    Closed,
}

/// What a process does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Stopped,
    /// It waits after a failure of its store.
    Pausing,
    /// It runs, and so many messages wait for an acknowledgement.
    Running {
        waiting: usize,
    },
}

/// What came of a round.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// What the device wants of its sockets.
    pub(super) outputs: Vec<Output<Infallible>>,
    /// Whether a transaction was made durable, or failed.
    pub(super) has_moved: bool,
    /// Whether what the user asked for is durable, or needed no transaction.
    pub(super) is_kept: bool,
    pub(super) is_killed: bool,
}

/// A device of a [`super::Pair`].
pub struct Device<P: Application> {
    role: DeviceRole,
    open: Open<P>,
    dir: PathBuf,
    rng: ChaCha8Rng,
    process: Option<P>,
    /// A fault that waits for the next transaction.
    armed: Option<CommitFault>,
    is_due: bool,
    events: Vec<P::Event>,
    last_failure: Option<String>,
}

impl<P: Application> fmt::Debug for Device<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("role", &self.role).field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// A device of either role.
pub(super) trait AnyDevice {
    /// Starts the process, if it does not run.
    fn start(&mut self, now: Timestamp) -> Result<(), TestError>;
    /// Ends the process at once.
    fn kill(&mut self);
    fn state(&mut self) -> State;
    /// Returns the fault that waits for the next transaction.
    fn armed(&mut self) -> &mut Option<CommitFault>;
    fn handle(&mut self, now: Timestamp, tag: SocketTag, input: Input);
    /// Returns when the process wants to run, unless it is stopped.
    fn deadline(&mut self, now: Timestamp) -> Option<Timestamp>;
    /// Lets the machines act that are due, and runs a round.
    fn round(&mut self, now: Timestamp) -> Result<Round, TestError>;
    fn describe(&mut self) -> String;
}

impl<P: Application<Error: Display>> Device<P> {
    pub(super) fn new(role: DeviceRole, dir: PathBuf, seed: u64, open: Open<P>) -> Self {
        let (rng, events) = (ChaCha8Rng::seed_from_u64(seed), Vec::new());
        Self { role, open, dir, rng, process: None, armed: None, is_due: false, events, last_failure: None }
    }

    /// Returns the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the events that the user was shown. Those of a process that was killed before it could show
    /// them are not among them.
    #[must_use]
    pub fn events(&self) -> &[P::Event] {
        &self.events
    }

    /// Takes the events, as [`Device::events`].
    pub fn take_events(&mut self) -> Vec<P::Event> {
        std::mem::take(&mut self.events)
    }

    /// Makes a call of the application, as its user does.
    pub(super) fn call<T>(
        &mut self,
        now: Timestamp,
        call: impl FnOnce(&mut P, Timestamp, &mut dyn CryptoRng) -> Result<T, P::Error>,
    ) -> Result<T, TestError> {
        let process = self.process.as_mut().ok_or(TestError::NotRunning(self.role))?;
        (process.host().faults.was_called, self.is_due) = (true, true);
        call(process, now, &mut self.rng).map_err(|error| TestError::Refused(error.to_string()))
    }

    fn ended(&self, reason: &dyn Display) -> TestError {
        TestError::Ended { device: self.role, reason: reason.to_string() }
    }
}

impl<P: Application<Error: Display>> AnyDevice for Device<P> {
    fn start(&mut self, now: Timestamp) -> Result<(), TestError> {
        if self.process.is_none() {
            let opened = (self.open)(&self.dir, now, &mut self.rng);
            self.process = Some(opened.map_err(|error| self.ended(&error))?);
            self.is_due = true;
        }
        Ok(())
    }

    fn kill(&mut self) {
        self.process = None;
    }

    fn state(&mut self) -> State {
        let Some(process) = &mut self.process else { return State::Stopped };
        let host = process.host();
        if host.backoff().is_on() {
            return State::Pausing;
        }
        State::Running { waiting: host.links().map(|link| link.endpoint.outbox_len().0).sum() }
    }

    fn armed(&mut self) -> &mut Option<CommitFault> {
        &mut self.armed
    }

    fn handle(&mut self, now: Timestamp, tag: SocketTag, input: Input) {
        let Some(process) = &mut self.process else { return };
        self.is_due = true;
        let (host, rng) = (process.host(), &mut self.rng);
        match input {
            Input::Opened => host.handle_opened(now, rng, tag),
            Input::Bytes(bytes) => host.handle_bytes(now, rng, tag, BytesMut::from(&*bytes)),
            Input::Closed => host.handle_closed(now, rng, tag, "the connection was cut by a fault"),
        }
    }

    fn deadline(&mut self, now: Timestamp) -> Option<Timestamp> {
        let process = self.process.as_mut()?;
        if self.is_due { Some(now) } else { process.host().deadline() }
    }

    fn round(&mut self, now: Timestamp) -> Result<Round, TestError> {
        let Some(process) = &mut self.process else { return Ok(Round::default()) };
        self.is_due = false;
        let host = process.host();
        let was_called = host.faults.was_called;
        host.faults = Faults { next: self.armed, was_called, ..Faults::default() };
        host.handle_timeout(now, &mut self.rng);
        let settled = host::settle(process, now, &mut self.rng);
        let faults = &process.host().faults;
        self.armed = faults.next;
        let (is_stored, death) = (faults.commits > 0, faults.death);
        let settled = match (settled, death) {
            (Ok(settled), _) => settled,
            (Err(_), Some(Death::Killed)) => {
                self.process = None;
                return Ok(Round {
                    is_killed: true,
                    is_kept: is_stored,
                    has_moved: true,
                    outputs: Vec::new(),
                });
            }
            (Err(_), Some(Death::NoProgress)) => {
                return Err(self.ended(&format!("a round has made {PASSES_MAX} passes and does not end")));
            }
            (Err(error), None) => return Err(self.ended(&error)),
        };
        let is_pausing = process.host().backoff().is_on();
        let (is_kept, has_moved) = (settled.failure.is_none(), is_stored || is_pausing);
        self.last_failure = settled.failure.map(|error| error.to_string()).or(self.last_failure.take());
        let mut outputs = Vec::new();
        for output in settled.outputs {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Connect { socket, relay } => outputs.push(Output::Connect { socket, relay }),
                Output::Disconnect { socket } => {
                    // A driver is woken when the socket is closed.
                    self.is_due = true;
                    outputs.push(Output::Disconnect { socket });
                }
                Output::Transmit { socket, bytes } => {
                    // The socket accepts everything.
                    process.host().handle_written(now, socket, bytes.len());
                    self.is_due = true;
                    outputs.push(Output::Transmit { socket, bytes });
                }
            }
        }
        Ok(Round { outputs, has_moved, is_kept, is_killed: false })
    }

    fn describe(&mut self) -> String {
        let state = self.state();
        let failure = self.last_failure.as_deref().unwrap_or("none");
        format!("{:?}: {state:?}, last failure of its store: {failure}", self.role)
    }
}
