//! Runs an application of [`crate::host`] over sockets, in one task.

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use handfast_codec::Timestamp;
use handfast_session::role::Role;
use rand_core::CryptoRng;

use super::connect::Connector;
use super::{Clock, NoRandomness, SleepWatch, SocketError, SocketEvent, SocketSet, SystemRng, os_rng};
use crate::host::{self, Application, Host, Output, SocketTag};

/// The number of socket events that may wait before nothing more is read from the sockets.
const INBOX_LEN: usize = 64;

/// What the application reported in one round: the events for the user, and the reason if nothing of the
/// round was stored.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "both parts matter to a program")]
pub struct Round<E, F> {
    /// The events for the user, in order.
    pub events: Vec<E>,
    /// The reason why nothing of this round was stored, if so. Whoever asked for something in this round must
    /// ask again.
    pub failure: Option<F>,
}

/// Sockets, clock and randomness of an application: call [`HostDriver::settle`], then wait for [`HostDriver::next`] or for
/// whatever else the program waits for, and so on.
#[derive(Debug)]
pub struct HostDriver {
    sockets: SocketSet<SocketTag, (SocketTag, SocketEvent)>,
    inbox: mpsc::Receiver<(SocketTag, SocketEvent)>,
    clock: Clock,
    sleep: SleepWatch,
    rng: SystemRng,
}

impl HostDriver {
    /// Opens sockets by this connector. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`].
    pub fn new(connector: Connector) -> Result<Self, NoRandomness> {
        let (events, inbox) = mpsc::channel(INBOX_LEN);
        let clock = Clock::start();
        Ok(Self {
            sockets: SocketSet::new(Handle::current(), connector, events, |tag, event| (tag, event)),
            inbox,
            clock,
            sleep: SleepWatch::start(clock),
            rng: os_rng()?,
        })
    }

    /// Returns the time to pass to a call of the application's machines.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the random generator to pass to a call of the application's machines.
    pub fn rng(&mut self) -> &mut dyn CryptoRng {
        &mut self.rng
    }

    /// Runs a round ([`host::settle`]), and opens, writes and closes sockets as it says.
    ///
    /// # Errors
    ///
    /// The store's, when waiting cannot mend it: end the program.
    pub fn settle<P: Application>(&mut self, app: &mut P) -> Result<Round<P::Event, P::Error>, P::Error> {
        let settled = host::settle(app, self.clock.now(), &mut self.rng)?;
        let mut events = Vec::new();
        for output in settled.outputs {
            match output {
                Output::Connect { socket, relay } => self.sockets.connect(socket, relay),
                Output::Transmit { socket, bytes } => self.sockets.send(socket, bytes),
                Output::Disconnect { socket } => self.sockets.disconnect(socket),
                Output::Event(event) => events.push(event),
            }
        }
        Ok(Round { events, failure: settled.failure })
    }

    /// Waits until a socket has an event or a deadline of the application's machines is due, and passes that
    /// to the application.
    ///
    /// Returns why a socket ended, if one did, because a user who waits for a relay wants to know.
    ///
    /// The future may be dropped while it waits, without losing anything.
    pub async fn next<P: Application>(&mut self, app: &mut P) -> Option<SocketError> {
        let left = app.host().deadline().map(|at| at.since(self.clock.now()));
        // `self` has a sender too, so the channel is never closed.
        let event = timeout(SleepWatch::wait(left), self.inbox.recv()).await.ok().flatten();
        let (now, host, rng) = (self.clock.now(), app.host(), &mut self.rng);
        let mut ended = None;
        if let Some((tag, event)) = event {
            if let SocketEvent::Closed(reason) = &event {
                self.sockets.closed(tag);
                ended = Some(reason.clone());
            }
            hand_over(host, now, rng, tag, event);
        }
        if self.sleep.has_jumped() {
            host.probe(now);
        }
        host.handle_timeout(now, rng);
        ended
    }

    /// Closes all sockets, and waits until they are: what is queued in them is written first, for at most
    /// [`super::FLUSH_DEADLINE`].
    pub async fn close(mut self) {
        self.sockets.disconnect_all();
        while self.sockets.is_closing() {
            match self.inbox.recv().await {
                Some((tag, SocketEvent::Closed(_))) => self.sockets.closed(tag),
                Some(_) => {}
                // `self` has a sender too.
                None => return,
            }
        }
    }
}

/// Reports an event of one of a host's sockets to that host.
pub fn hand_over<R: Role, L, A, E>(
    host: &mut Host<R, L, A, E>,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
    tag: SocketTag,
    event: SocketEvent,
) {
    match event {
        SocketEvent::Opened => host.handle_opened(now, rng, tag),
        SocketEvent::Message(bytes) => host.handle_bytes(now, rng, tag, bytes),
        SocketEvent::Written(len) => host.handle_written(now, tag, len),
        SocketEvent::Closed(reason) => host.handle_closed(now, rng, tag, &reason.to_string()),
    }
}
