//! A whole phone or companion in one directory, for an application that brings its own words and nothing else.
//!
//! A [`Tether`] is an [`Application`] of [`crate::host`] over a [`Store`]: SQLite, or a [`Backend`] of the
//! application, which is an ordered map of bytes that is written in batches. It keeps what every application must
//! keep: the links, the account's key, the rows of each collection, and content with the files that the user
//! wants of it. A [`Phone`] runs commands by a [`PhoneApp`], writes rows, and serves rows and content. A
//! [`Companion`] sends commands, holds a copy of the rows, reports them to a [`CompanionApp`], and fetches
//! content. All that is done for one input is one transaction; the application may add entries of its own
//! ([`Txn::set_entry`]), and with SQLite, writes to its own tables ([`Txn::db`]).
//!
//! With the feature `tokio`, `open_phone` and `open_companion` join a tether to sockets: a `Runner` runs it in
//! a task, and by a `Handle` other tasks pair, send, change rows and fetch content; `examples/minimal` has
//! both. Otherwise nothing here opens a socket: any loop over [`crate::host::settle`] can run a tether.
//! `examples/notes` has its own, over `driver::HostDriver`.
//!
//! ```
//! use handfast::codec::frame::{Collection, RowId};
//! use handfast::codec::ids::MailboxId;
//! use handfast::tether::{PhoneApp, PhoneTxn, TetherError};
//!
//! /// A phone with one row, which companions set: the colour of a lamp.
//! struct Lamp;
//!
//! impl PhoneApp for Lamp {
//!     type Event = ();
//!
//!     fn command(
//!         &mut self,
//!         txn: &mut PhoneTxn<'_, ()>,
//!         _: MailboxId,
//!         body: &bytes::Bytes,
//!     ) -> Result<bytes::Bytes, TetherError> {
//!         let lamps = Collection::new(b"lamps").expect("a name of five bytes");
//!         txn.put(&lamps, RowId::from_number(1), body.clone())?;
//!         Ok("set".into())
//!     }
//! }
//! ```
//!
//! May touch: the tether's directory, the paths to which the user wants content, the clock of the wall.

mod backend;
mod companion;
mod content;
#[cfg(feature = "tokio")]
mod handle;
mod keys;
mod phone;
mod rows;
#[cfg(feature = "tokio")]
mod run;
mod store;
mod streams;
mod txn;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use handfast_codec::ids::{CommandKey, ContentId, MailboxId};
use handfast_codec::{ErrorCode, Timestamp};
use handfast_session::{
    ApiMisuse, Commit, Endpoint, Event, LinkRows, LoadError, Message, Pairing, PairingEvent, SendError,
};
use rand_core::CryptoRng;

use crate::host::{Application, AttemptOf, HostOf, Incomplete, Link, LinkOf, LostOf};
use crate::session;
use crate::sqlite::SqliteError;

pub use backend::{Backend, Batch, Entry, KEY_LEN_MAX, Part};
pub use companion::{Companion, CompanionApp};
#[cfg(feature = "tokio")]
pub use handle::{Attempt, Handle, Step};
pub use phone::{Phone, PhoneApp, PhoneTxn};
#[cfg(feature = "tokio")]
pub use run::{Runner, open_companion, open_companion_with, open_phone, open_phone_with};
pub use store::Store;
pub use txn::{ENTRY_KEY_LEN_MAX, ENTRY_LEN_MAX, Txn};

/// The reason why a tether could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TetherError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] SqliteError),
    /// Another process uses the directory.
    #[error("{0} is in use by another process; end that one, or use another directory")]
    InUse(PathBuf),
    /// The application's backend failed, for this reason.
    #[error("the store failed: {0}")]
    Backend(Box<dyn std::error::Error + Send + Sync>),
    /// The application asked for SQLite, and the tether has another backend.
    #[error("the store of this tether is not SQLite; use `entry` and `set_entry`")]
    NoDatabase,
    /// Another process wrote to the store, or an older copy took its place: a machine wrote version `expected` last, and
    /// the store has version `found`.
    #[error("the store is at version {found}, and {expected} was written last: another program uses it")]
    Conflict {
        /// The version that was written last.
        expected: u64,
        /// The version that the store has.
        found: u64,
    },
    /// A stored link cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A call of the application failed halfway through its writes.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// A machine refused the call.
    #[error(transparent)]
    Refused(#[from] SendError),
    /// The call does not fit the state of its machine.
    #[error(transparent)]
    Misuse(#[from] ApiMisuse),
    /// The user's input cannot be used, for this reason.
    #[error("{0}")]
    Input(String),
    /// The store failed, for this reason, so nothing of the call was kept.
    #[error("nothing was stored: {0}; try again")]
    NotStored(String),
    /// The tether was closed.
    #[error("the tether is closed; open it again")]
    Closed,
    /// The system has no random bytes.
    #[cfg(feature = "tokio")]
    #[error(transparent)]
    Randomness(#[from] crate::driver::NoRandomness),
}

impl From<rusqlite::Error> for TetherError {
    fn from(error: rusqlite::Error) -> Self {
        SqliteError::from(error).into()
    }
}

/// The end of a pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a pairing has these three endings")]
pub enum Paired {
    /// There is a new link.
    Linked(MailboxId),
    /// The connection was lost at the last step, for this reason, so this side does not know whether the
    /// other one has the link. It tries the link, and keeps it if it is answered; otherwise it forgets the
    /// link after 10 minutes on a phone, 24 hours on a companion.
    Pending(MailboxId, ErrorCode),
    /// There is no link, for this reason.
    Failed(ErrorCode),
}

/// An event of a tether, or of its application (`E`), for the user.
#[derive(Debug)]
#[non_exhaustive]
pub enum TetherEvent<E> {
    /// An event of the application, reported by [`Txn::event`].
    App(E),
    /// A step of a pairing.
    Pairing(PairingEvent),
    /// A pairing has ended.
    PairingEnded(Paired),
    /// An event of a link, unless the tether itself deals with it.
    Link(MailboxId, Event),
    /// A command of [`Tether::send`] is durable: it will run, whatever happens.
    Sent(CommandKey),
    /// All of the content that a companion has put is here.
    Received(MailboxId, ContentId),
    /// A put of content has ended: the phone has stored it, or the reason why it has not.
    Put {
        /// The content's id.
        content: ContentId,
        /// The reason, if it was not stored.
        result: Result<(), ErrorCode>,
    },
    /// A fetch of content has ended.
    Content {
        /// The content's id.
        content: ContentId,
        /// The path to which the user wanted it.
        path: PathBuf,
        /// Its length in bytes, or the reason why it is not there.
        result: Result<u64, String>,
    },
    /// The store fails. All links pause, then the tether loads what is stored and tries again.
    StoreFailed {
        /// The length of the pause.
        pause: Duration,
        /// The reason.
        reason: String,
    },
}

/// The role of a tether: [`Phone`] or [`Companion`]. Nothing else can be one.
pub trait Role: Sized + role::Sealed {
    /// The role in the tether's links.
    type Of: session::role::Role;
    /// What the tether keeps in memory for each link.
    type Link: Default;
    /// The application's event.
    type Event;

    /// Loads the machine of a stored link.
    #[doc(hidden)]
    fn load(
        tether: &mut Tether<Self>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        rows: &LinkRows,
    ) -> Result<(Endpoint<Self::Of>, Self::Link), TetherError>;

    /// Handles a message of a link.
    #[doc(hidden)]
    fn deliver(
        tether: &mut Tether<Self>,
        now: Timestamp,
        link: &mut LinkOf<Tether<Self>>,
        message: Message,
    ) -> Result<(), TetherError>;

    /// Handles an event of a link, or returns it for the user.
    #[doc(hidden)]
    fn on_event(
        tether: &mut Tether<Self>,
        now: Timestamp,
        link: &mut LinkOf<Tether<Self>>,
        event: Event,
    ) -> Result<Option<Event>, TetherError>;

    /// Does the work that needs a commit of the link's machine. Returns whether anything happened.
    #[doc(hidden)]
    fn drained(
        tether: &mut Tether<Self>,
        now: Timestamp,
        link: &mut LinkOf<Tether<Self>>,
    ) -> Result<bool, TetherError>;

    /// Does the work that requires everything to be durable. Returns whether anything happened.
    #[doc(hidden)]
    fn committed(tether: &mut Tether<Self>, now: Timestamp) -> Result<bool, TetherError>;
}

mod role {
    #[expect(unnameable_types, reason = "there are no other roles than those of this module")]
    pub trait Sealed {}
}

/// A phone ([`Phone`]) or a companion ([`Companion`]) with its store, its links and its application.
pub struct Tether<R: Role> {
    host: HostOf<Self>,
    store: Store,
    role: R,
    /// The links whose last commit deletes their rows.
    ended: Vec<MailboxId>,
}

impl<R: Role> fmt::Debug for Tether<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tether").field("store", &self.store).finish_non_exhaustive()
    }
}

impl<R: Role> Tether<R> {
    fn with(store: Store, role: R, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<Self, TetherError> {
        let mut tether = Self { host: HostOf::<Self>::default(), store, role, ended: Vec::new() };
        tether.load_links(now, rng)?;
        Ok(tether)
    }

    /// Adds a machine for each stored link that has none.
    fn load_links(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), TetherError> {
        for (id, rows) in self.store.links()? {
            if self.host.link(id).is_none() {
                let (mut endpoint, data) = R::load(self, now, rng, &rows)?;
                endpoint.waited(now, self.store.age(id)?);
                self.host.add_link(Link::new(now, id, endpoint, data));
            }
        }
        Ok(())
    }

    /// Returns the ids of the links that are loaded.
    pub fn links(&self) -> impl Iterator<Item = MailboxId> {
        self.host.links().map(Link::id)
    }

    /// Returns the pairing that runs, for what its user enters.
    ///
    /// # Errors
    ///
    /// [`TetherError::Input`] if none runs.
    pub fn pairing(&mut self) -> Result<&mut Pairing, TetherError> {
        let attempt = self.host.attempts_mut().last();
        let none = || TetherError::Input("no pairing runs: begin one".to_owned());
        attempt.map(|attempt| &mut attempt.pairing).ok_or_else(none)
    }

    /// Lends the open transaction to `change`, which returns it. If `change` fails, its writes are undone.
    fn in_part<T>(
        &mut self,
        change: impl for<'a> FnOnce(&mut R, Txn<'a, R::Event>) -> (Result<T, TetherError>, Txn<'a, R::Event>),
    ) -> Result<T, TetherError> {
        self.store.entries.begin_part()?;
        let (changed, txn) = change(&mut self.role, Txn::new(&mut self.store));
        let events = txn.into_events();
        self.store.entries.end_part(changed.is_ok())?;
        if changed.is_ok() {
            for event in events {
                self.event(TetherEvent::App(event));
            }
        }
        changed
    }

    fn event(&mut self, event: TetherEvent<R::Event>) {
        self.host.event(event);
    }
}

impl<R: Role> Application for Tether<R> {
    type Role = R::Of;
    type Link = R::Link;
    type Attempt = ();
    type Event = TetherEvent<R::Event>;
    type Error = TetherError;

    fn host(&mut self) -> &mut HostOf<Self> {
        &mut self.host
    }

    fn load(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), TetherError> {
        self.store.entries.roll_back()?;
        self.store.removed.clear();
        self.ended.clear();
        self.load_links(now, rng)
    }

    fn deliver(
        &mut self,
        now: Timestamp,
        _: &mut dyn CryptoRng,
        link: &mut LinkOf<Self>,
        message: Message,
    ) -> Result<(), TetherError> {
        R::deliver(self, now, link, message)
    }

    fn on_event(&mut self, now: Timestamp, link: &mut LinkOf<Self>, event: Event) -> Result<(), TetherError> {
        if matches!(event, Event::Revoked | Event::Lapsed) {
            self.ended.push(link.id());
        }
        if let Some(event) = R::on_event(self, now, link, event)? {
            self.event(TetherEvent::Link(link.id(), event));
        }
        Ok(())
    }

    fn on_pairing_event(
        &mut self,
        _: Timestamp,
        _: &mut AttemptOf<Self>,
        event: PairingEvent,
    ) -> Result<(), TetherError> {
        // The end is reported by `attempt_over`.
        if !matches!(event, PairingEvent::Linked(_) | PairingEvent::Ended(_)) {
            self.event(TetherEvent::Pairing(event));
        }
        Ok(())
    }

    fn attempt_over(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        attempt: &AttemptOf<Self>,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), TetherError> {
        // The attempt's link, if it left one, is loaded like any other.
        self.load_links(now, rng)?;
        let left = attempt.link().filter(|id| self.host.link(*id).is_some());
        self.event(TetherEvent::PairingEnded(match (ended, left) {
            (Ok(link), _) => Paired::Linked(link),
            (Err(code), Some(link)) => Paired::Pending(link, code),
            (Err(code), None) => Paired::Failed(code),
        }));
        Ok(())
    }

    fn apply(
        &mut self,
        _: Timestamp,
        _: Option<&AttemptOf<Self>>,
        commit: &Commit,
    ) -> Result<(), TetherError> {
        self.store.apply(commit)
    }

    fn drained(
        &mut self,
        now: Timestamp,
        _: &mut dyn CryptoRng,
        link: &mut LinkOf<Self>,
    ) -> Result<bool, TetherError> {
        R::drained(self, now, link)
    }

    fn commit(&mut self, _: Timestamp) -> Result<bool, TetherError> {
        self.store.entries.commit()
    }

    fn committed(&mut self, now: Timestamp, _: &mut dyn CryptoRng) -> Result<bool, TetherError> {
        for id in core::mem::take(&mut self.ended) {
            drop(self.host.remove_link(id));
        }
        self.store.remove_files()?;
        R::committed(self, now)
    }

    fn is_final(error: &TetherError) -> bool {
        match error {
            TetherError::Store(error) => error.is_final(),
            TetherError::Conflict { .. } | TetherError::Load(_) => true,
            _ => false,
        }
    }

    fn failed(&mut self, _: Timestamp, _: LostOf<Self>, error: &TetherError, pause: Duration) {
        // What was written before the failure must not become durable with what is written in the pause. If
        // this fails, nothing can be written until `load` has done it.
        let _ = self.store.entries.roll_back();
        self.event(TetherEvent::StoreFailed { pause, reason: error.to_string() });
    }
}
