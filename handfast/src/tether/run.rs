//! A tether over sockets, in a task of its own: the [`Runner`]. All other tasks use it by a [`Handle`].

use std::fmt;
use std::path::Path;

use handfast_codec::frame::Collection;
use tokio::sync::mpsc;

use super::handle::{Answer, Call, Handle, Request, Step};
use super::{Companion, CompanionApp, Phone, PhoneApp, Role, Store, Tether, TetherError, TetherEvent};
use crate::content_files::SyncIn;
use crate::driver::{Connector, HostDriver};

/// The number of calls that may wait for the runner before a caller waits.
const CALLS_MAX: usize = 64;

/// A tether with its sockets. It does nothing unless [`Runner::run`] is awaited.
///
/// ```no_run
/// # use handfast::bytes::Bytes;
/// # use handfast::codec::ids::MailboxId;
/// # use handfast::tether::{PhoneApp, PhoneTxn, TetherError};
/// use handfast::driver::Connector;
/// use handfast::tether::open_phone;
///
/// # struct List;
/// # impl PhoneApp for List {
/// #     type Event = ();
/// #     fn command(&mut self, _: &mut PhoneTxn<'_, ()>, _: MailboxId, _: &Bytes) -> Result<Bytes, TetherError> {
/// #         Ok(Bytes::new())
/// #     }
/// # }
/// # async fn example(dir: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
/// let runner = open_phone(dir, List, Connector::new()?)?;
/// let phone = runner.handle(); // for other tasks; `runner` runs in this one
/// runner.run(|event| println!("{event:?}")).await?;
/// # drop(phone);
/// # Ok(())
/// # }
/// ```
#[must_use = "a tether does nothing unless it is run"]
pub struct Runner<R: Role> {
    inner: Inner<R>,
    /// For the handles that are asked for before it runs.
    sender: mpsc::Sender<Request<R>>,
}

struct Inner<R: Role> {
    tether: Tether<R>,
    driver: HostDriver,
    requests: mpsc::Receiver<Request<R>>,
    /// The callers of this round.
    answers: Vec<Answer>,
    /// Who follows the pairing.
    pairing: Option<mpsc::UnboundedSender<Step>>,
}

impl<R: Role> fmt::Debug for Runner<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("tether", &self.inner.tether).finish_non_exhaustive()
    }
}

/// Opens the phone in this directory, as [`Tether::open_phone`], with sockets that `connector` opens. Must be
/// called within a tokio runtime.
///
/// # Errors
///
/// [`TetherError`] if the directory is in use or cannot be read, or the system has no random bytes.
pub fn open_phone<A: PhoneApp>(
    dir: &Path,
    app: A,
    connector: Connector,
) -> Result<Runner<Phone<A>>, TetherError> {
    open_phone_with(Store::open(dir)?, app, connector)
}

/// Opens the phone in this store, as [`open_phone`].
///
/// # Errors
///
/// As [`open_phone`].
pub fn open_phone_with<A: PhoneApp>(
    store: Store,
    app: A,
    connector: Connector,
) -> Result<Runner<Phone<A>>, TetherError> {
    let mut driver = HostDriver::new(connector)?;
    let tether = Tether::open_phone_with(store, app, driver.now(), driver.rng())?;
    Ok(Runner::new(tether, driver))
}

/// Opens the companion in this directory, as [`Tether::open_companion`], with sockets that `connector` opens.
/// Must be called within a tokio runtime.
///
/// # Errors
///
/// [`TetherError`] if the directory is in use or cannot be read, or the system has no random bytes.
pub fn open_companion<A: CompanionApp>(
    dir: &Path,
    app: A,
    collections: Vec<Collection>,
    connector: Connector,
) -> Result<Runner<Companion<A>>, TetherError> {
    open_companion_with(Store::open(dir)?, app, collections, connector)
}

/// Opens the companion in this store, as [`open_companion`].
///
/// # Errors
///
/// As [`open_companion`].
pub fn open_companion_with<A: CompanionApp>(
    store: Store,
    app: A,
    collections: Vec<Collection>,
    connector: Connector,
) -> Result<Runner<Companion<A>>, TetherError> {
    let mut driver = HostDriver::new(connector)?;
    let tether = Tether::open_companion_with(store, app, collections, driver.now(), driver.rng())?;
    Ok(Runner::new(tether, driver))
}

impl<R: Role> Runner<R> {
    fn new(mut tether: Tether<R>, driver: HostDriver) -> Self {
        // While a disk writes, more is received.
        tether.store.sync_in = SyncIn::Thread;
        let (sender, requests) = mpsc::channel(CALLS_MAX);
        Self { inner: Inner { tether, driver, requests, answers: Vec::new(), pairing: None }, sender }
    }

    /// Returns a handle, by which other tasks use the tether.
    #[must_use]
    pub fn handle(&self) -> Handle<R> {
        Handle::new(self.sender.clone())
    }

    /// Runs the tether until a handle closes it, or none of its handles is left; without a handle, until this
    /// future is dropped. `on_event` is called with each event for the user, in the order in which they became
    /// durable.
    ///
    /// # Errors
    ///
    /// [`TetherError`] that waiting cannot mend: another program writes to the store, or it is damaged. A
    /// store that fails for a while is an event.
    pub async fn run(self, mut on_event: impl FnMut(TetherEvent<R::Event>)) -> Result<(), TetherError> {
        let Self { mut inner, sender } = self;
        // The last handle to go ends the run. Where there never was one, this sender stays.
        let sender = Some(sender).filter(|sender| sender.strong_count() == 1);
        let closed = loop {
            inner.settle(&mut on_event)?;
            let request = tokio::select! {
                _ = inner.driver.next(&mut inner.tether) => continue,
                request = inner.requests.recv() => request,
            };
            match request {
                Some(Request::Call(call)) => inner.call(call),
                Some(Request::Pair(call, steps)) => {
                    inner.pairing = Some(steps);
                    inner.call(call);
                }
                Some(Request::Close(closed)) => break Some(closed),
                None => break None,
            }
        };
        drop(sender);
        inner.driver.close().await;
        if let Some(closed) = closed {
            // The caller may have gone.
            let _ = closed.send(());
        }
        Ok(())
    }
}

impl<R: Role> Inner<R> {
    /// Runs a round, answers its callers, and passes its events on.
    fn settle(&mut self, on_event: &mut impl FnMut(TetherEvent<R::Event>)) -> Result<(), TetherError> {
        let round = self.driver.settle(&mut self.tether)?;
        for answer in self.answers.drain(..) {
            answer(round.failure.as_ref());
        }
        for event in round.events {
            if let Some(event) = self.follow(event) {
                on_event(event);
            }
        }
        Ok(())
    }

    fn call(&mut self, call: Call<R>) {
        let now = self.driver.now();
        self.answers.push(call(&mut self.tether, now, self.driver.rng()));
    }

    /// Passes an event to whoever follows the pairing, or returns it for the program.
    fn follow(&self, event: TetherEvent<R::Event>) -> Option<TetherEvent<R::Event>> {
        // An attempt that was dropped is not followed any more.
        let Some(steps) = self.pairing.as_ref().filter(|steps| !steps.is_closed()) else {
            return Some(event);
        };
        // A send fails only if the attempt is dropped just now.
        let _ = match event {
            TetherEvent::Pairing(event) => steps.send(Step::Event(event)),
            TetherEvent::PairingEnded(paired) => steps.send(Step::Ended(paired)),
            event => return Some(event),
        };
        None
    }
}
