//! The loop of the core thread: inputs, a round of the application, answers and outputs.

use std::fmt::Display;

use anyhow::Context as _;
use handfast::Timestamp;
use handfast::driver::{Clock, Connector, SleepWatch, SocketEvent, SocketSet, hand_over, os_rng};
use handfast::host::{Application, Output, Settled, SocketTag};
use rand_core::CryptoRng;
use serde_json::{Map, Value, json};
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use super::core_thread::run_core;
use super::socket_log::log_socket;
use super::usage::usage;
use super::{ControlEvent, DirLock, FileJobs, Inbox, Replies, reason, serve_control};

/// The number of inputs that may wait before those who send them must wait.
const INBOX_LEN: usize = 256;

/// An input of the core thread.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the loop handles each")]
pub enum Input<O> {
    /// A socket to a relay has an event.
    Socket(SocketTag, SocketEvent),
    /// A client of the control socket has sent a request, or has gone.
    Control(ControlEvent),
    /// An input that only this program has.
    Own(O),
    /// The program was asked to end.
    Stop,
}

/// The sender of a request: a client of the control socket, or standard input if `None`.
pub type Asker = Option<Replies>;

/// The result of a round of an application.
pub type SettledOf<P> = Settled<<P as Application>::Event, <P as Application>::Error>;

/// What the core of every program has besides its machines.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the parts are used one by one")]
pub struct CoreIo<O> {
    /// The clock of the machines.
    pub clock: Clock,
    /// The sockets to relays.
    pub sockets: SocketSet<SocketTag, Input<O>>,
    /// The background work on the user's files.
    pub files: FileJobs<Input<O>>,
}

impl<O: Send + 'static> CoreIo<O> {
    /// Returns the resource usage of the running process, for a status.
    #[must_use]
    pub fn usage(&self) -> Value {
        let (sockets, queued) = self.sockets.usage();
        usage(self.sockets.runtime(), sockets, queued)
    }
}

/// The state of a core thread, which [`run_program_core`] runs.
pub trait Core {
    /// The inputs that only this program has.
    type Own: Send + 'static;
    /// The application with the machines.
    type App: Application<Error: Display>;

    /// Returns the sockets and files.
    fn io(&mut self) -> &mut CoreIo<Self::Own>;

    /// Returns the application.
    fn app(&mut self) -> &mut Self::App;

    /// Reports that the program runs and can be ended by a signal.
    fn started(&mut self);

    /// Handles a request. Returns `None` when the answer to it follows later.
    ///
    /// # Errors
    ///
    /// The user's mistake, or the failure.
    fn request(
        &mut self,
        rng: &mut dyn CryptoRng,
        client: u64,
        object: &Map<String, Value>,
        replies: &Replies,
    ) -> anyhow::Result<Option<Value>>;

    /// Handles an input that only this program has. Returns an answer if one is due now.
    fn input(&mut self, rng: &mut dyn CryptoRng, input: Self::Own) -> Option<(Asker, Value)>;

    /// Handles the end of a client's connection.
    fn gone(&mut self, _client: u64) {}

    /// Lets the machines act whose deadline has passed, and runs a round ([`handfast::host::settle`]).
    ///
    /// # Errors
    ///
    /// The failure that ends the program.
    fn settle(&mut self, rng: &mut dyn CryptoRng) -> anyhow::Result<SettledOf<Self::App>>;

    /// Returns the time at which [`Core::settle`] must be called next.
    fn deadline(&self) -> Option<Timestamp>;

    /// Sends an answer.
    fn answer(&self, asker: Asker, line: Value) {
        if let Some(replies) = asker {
            // The client may have gone, so a failure does not matter.
            let _ = replies.send(line);
        }
    }

    /// Handles an event of the application.
    ///
    /// # Errors
    ///
    /// The failure that ends the program.
    fn event(&mut self, event: <Self::App as Application>::Event) -> anyhow::Result<()>;

    /// Returns the result with which the program ends, once it is known.
    fn end(&mut self) -> Option<anyhow::Result<()>> {
        None
    }
}

/// Returns the line with which to answer a request, or `None` if the answer follows later. An error becomes a
/// line that states the reason.
#[must_use]
pub fn answer_or_refusal(answer: anyhow::Result<Option<Value>>) -> Option<Value> {
    answer.unwrap_or_else(|error| Some(json!({"error": reason(error.as_ref())})))
}

/// Runs a program until it is done, or until SIGINT, SIGTERM or SIGHUP. `make` returns the state of its core
/// thread; by the sender it passes on inputs of the program's own.
///
/// # Errors
///
/// The failure that ended the program.
pub fn run_program_core<C: Core + Send + 'static>(
    lock: &DirLock,
    clock: Clock,
    connector: Connector,
    make: impl FnOnce(CoreIo<C::Own>, &mpsc::Sender<Input<C::Own>>) -> anyhow::Result<C>,
) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = || runtime.handle().clone();
    let (events, inbox) = Inbox::new(INBOX_LEN)?;
    let server = serve_control(runtime.handle(), lock, events.clone(), Input::Control)
        .context("the control socket cannot be made")?;
    let sockets = SocketSet::new(handle(), connector, events.clone(), Input::Socket);
    let core = make(CoreIo { clock, sockets, files: FileJobs::new(handle(), events.clone()) }, &events)?;
    let result = run_core(&runtime, &events, Input::Stop, move || run(core, inbox))?;
    drop(server);
    runtime.shutdown_background();
    result?
}

fn run<C: Core>(mut core: C, mut inbox: Inbox<Input<C::Own>>) -> anyhow::Result<()> {
    let (mut rng, clock) = (os_rng()?, core.io().clock);
    core.started();
    let mut sleep = SleepWatch::start(clock);
    let mut batch = Vec::new();
    loop {
        let mut answers = Vec::new();
        for input in batch.drain(..) {
            match input {
                Input::Stop => return Ok(()),
                Input::Socket(tag, event) => take_socket_event(&mut core, &mut rng, tag, event),
                Input::Control(ControlEvent::Gone { client }) => core.gone(client),
                Input::Control(ControlEvent::Object { client, object, replies }) => {
                    let answer = core.request(&mut rng, client, &object, &replies);
                    answers.extend(answer_or_refusal(answer).map(|line| (Some(replies), line)));
                }
                Input::Own(input) => answers.extend(core.input(&mut rng, input)),
            }
        }
        if sleep.has_jumped() {
            core.app().host().probe(clock.now());
        }
        let settled = core.settle(&mut rng)?;
        if let Some(failure) = &settled.failure {
            tracing::warn!(%failure, "a round could not be stored");
        }
        for (asker, line) in answers {
            let failure = settled.failure.as_ref();
            core.answer(asker, failure.map_or(line, |failure| json!({"error": failure.to_string()})));
        }
        for output in settled.outputs {
            carry_out(&mut core, output)?;
        }
        if let Some(end) = core.end() {
            return end;
        }
        let wait = core.deadline().map(|at| at.since(clock.now()));
        if !inbox.wait(Some(SleepWatch::wait(wait)), &mut batch) {
            return Ok(());
        }
    }
}

// Logs contain sockets, events, sizes and codes. They never contain a text, a name, a key or a payload.
fn take_socket_event<C: Core>(core: &mut C, rng: &mut dyn CryptoRng, tag: SocketTag, event: SocketEvent) {
    log_socket(tag.get(), &event);
    let io = core.io();
    let now = io.clock.now();
    if matches!(event, SocketEvent::Closed(_)) {
        io.sockets.closed(tag);
    }
    hand_over(core.app().host(), now, rng, tag, event);
}

fn carry_out<C: Core>(core: &mut C, output: Output<<C::App as Application>::Event>) -> anyhow::Result<()> {
    let sockets = &mut core.io().sockets;
    match output {
        Output::Connect { socket, relay } => {
            tracing::debug!(socket = socket.get(), %relay, "connecting");
            sockets.connect(socket, relay);
        }
        Output::Transmit { socket, bytes } => sockets.send(socket, bytes),
        Output::Disconnect { socket } => sockets.disconnect(socket),
        Output::Event(event) => return core.event(event),
    }
    Ok(())
}
