//! The harness of stores over a [`Database`].

extern crate std;

use core::fmt::Display;
use core::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::string::{String, ToString as _};
use std::vec::Vec;

use handfast_codec::ids::MailboxId;
use handfast_session::{Commit, LinkRows};
use rusqlite::Connection;

use super::FileHarness;
use crate::sqlite::Database;
use crate::store_suite::{Fault, StoreHarness, Write, WriteError, interrupt};

/// An application's store, in a directory, over a [`Database`]. Its functions are those of the application.
pub trait DatabaseStore: Sized {
    /// The name of the database file in the directory.
    const DATABASE: &'static str;
    /// A failure of the store.
    type Error: Display;

    /// Creates the store, unless [`DatabaseStore::open`] does it.
    ///
    /// # Errors
    ///
    /// The store's.
    fn create(_dir: &Path) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// The store's.
    fn open(dir: &Path) -> Result<Self, Self::Error>;

    /// Applies a commit in the open transaction.
    ///
    /// # Errors
    ///
    /// The store's.
    fn apply(&mut self, commit: &Commit) -> Result<(), Self::Error>;

    /// Stores an effect, a number, in the open transaction.
    ///
    /// # Errors
    ///
    /// The store's.
    fn put_effect(&mut self, effect: u64) -> Result<(), Self::Error>;

    /// Makes the open transaction durable.
    ///
    /// # Errors
    ///
    /// The store's.
    fn commit(&mut self) -> Result<(), Self::Error>;

    /// Rolls back the open transaction.
    ///
    /// # Errors
    ///
    /// The store's.
    fn roll_back(&mut self) -> Result<(), Self::Error>;

    /// Returns whether this error means that another program wrote to the rows of a link.
    fn is_conflict(error: &Self::Error) -> bool;

    /// Returns the effects, in the order in which they were stored.
    fn effects(&self) -> Vec<u64>;

    /// Returns the database.
    fn database(&mut self) -> &mut Database;
}

/// The harness of a [`DatabaseStore`].
#[derive(Debug)]
pub struct DatabaseHarness<S> {
    dir: PathBuf,
    _dir: Option<tempfile::TempDir>,
    _store: PhantomData<S>,
}

/// Does everything of a transaction but its end.
fn put<S: DatabaseStore>(store: &mut S, write: &Write<'_>) -> Result<(), S::Error> {
    write.commits.iter().try_for_each(|commit| store.apply(commit))?;
    write.effect.map_or(Ok(()), |effect| store.put_effect(effect))
}

fn works<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("the store must work: {error}"))
}

impl<S: DatabaseStore> StoreHarness for DatabaseHarness<S> {
    type Holder = S;

    async fn new() -> Self {
        let dir = works(tempfile::tempdir());
        works(S::create(dir.path()));
        Self { dir: dir.path().to_path_buf(), _dir: Some(dir), _store: PhantomData }
    }

    async fn open(&mut self) -> S {
        works(S::open(&self.dir))
    }

    async fn write(&mut self, store: &mut S, write: &Write<'_>) -> Result<(), WriteError> {
        put(store, write).and_then(|()| store.commit()).map_err(|error| {
            // Where this fails, `recover` does it.
            let _ = store.roll_back();
            if S::is_conflict(&error) { WriteError::Conflict } else { WriteError::Store(error.to_string()) }
        })
    }

    async fn recover(&mut self, store: &mut S) {
        works(store.roll_back());
    }

    async fn die_within(&mut self, mut store: S, write: &Write<'_>) {
        works(put(&mut store, write));
    }

    async fn pairs(&mut self, store: &mut S, link: MailboxId) -> LinkRows {
        works(store.database().link_rows(link))
    }

    async fn links(&mut self, store: &mut S) -> Vec<MailboxId> {
        works(store.database().links())
    }

    async fn effects(&mut self, store: &mut S) -> Vec<u64> {
        store.effects()
    }

    fn set_fault(&mut self, store: &mut S, fault: Option<Fault>) {
        interrupt(store.database(), fault);
    }
}

impl<S: DatabaseStore> FileHarness for DatabaseHarness<S> {
    const DATABASE: &'static str = S::DATABASE;

    fn at(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), _dir: None, _store: PhantomData }
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn try_open(&mut self) -> Result<S, String> {
        S::open(&self.dir).map_err(|error| error.to_string())
    }

    fn conn(store: &mut S) -> &mut Connection {
        store.database()
    }
}
