//! The open database of an application: one connection, with one transaction at a time.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use handfast_codec::ids::MailboxId;
use handfast_session::{Commit, CommitError, LinkRows};
use rusqlite::Connection;

use super::{DeviceKey, Reserve, SqliteError, Txn, begin_kept, links, load_rows, make_room, roll_back};

/// A connection that keeps its transaction open over several calls: [`Database::write`] opens it, and
/// [`Database::commit`] makes all of it durable.
#[derive(Debug)]
pub struct Database {
    conn: Connection,
    key: Arc<DeviceKey>,
    is_open: bool,
    roll_backs: u64,
    /// Reserved disk space; `None` for a database that the caller opened.
    reserve: Option<Reserve>,
}

impl Database {
    /// Wraps a connection, on which no transaction is open, and the key that wraps its secrets.
    #[must_use]
    pub fn new(conn: Connection, key: impl Into<Arc<DeviceKey>>, reserve: Option<Reserve>) -> Self {
        Self { conn, key: key.into(), is_open: false, roll_backs: 0, reserve }
    }

    /// Returns the key that wraps the secrets of this database.
    #[must_use]
    pub fn key(&self) -> &DeviceKey {
        &self.key
    }

    /// Returns the connection, with a transaction open.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if no transaction can be opened.
    pub fn write(&mut self) -> Result<&Connection, SqliteError> {
        if !self.is_open {
            if self.reserve.as_ref().is_some_and(Reserve::is_wanted) {
                self.make_room();
            }
            begin_kept(&self.conn)?;
            self.is_open = true;
        }
        Ok(&self.conn)
    }

    /// Returns whether a transaction is open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Makes the open transaction durable, if there is one.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if that fails; call [`Database::roll_back`] then.
    pub fn commit(&mut self) -> Result<(), SqliteError> {
        if self.is_open {
            let _ = self.conn.prepare_cached("COMMIT")?.execute([])?;
            self.is_open = false;
        }
        Ok(())
    }

    /// Rolls back the open transaction, if there is one.
    ///
    /// # Errors
    ///
    /// [`SqliteError`]; nothing may be read or written until a further call succeeds.
    pub fn roll_back(&mut self) -> Result<(), SqliteError> {
        self.is_open = false;
        self.roll_backs = self.roll_backs.saturating_add(1);
        roll_back(&self.conn)
    }

    /// Returns a number that grows with each row that is written over this connection, and when a transaction is rolled
    /// back.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.conn.total_changes().wrapping_add(self.roll_backs)
    }

    /// Empties the log with the reserved disk space, after a write failed perhaps because the disk is full.
    /// No transaction may be open. If this does not help, the next write reports why.
    pub fn make_room(&mut self) {
        if let Some(reserve) = &mut self.reserve {
            let _ = make_room(&self.conn, reserve);
        }
    }

    /// Applies a commit of a machine in the open transaction.
    ///
    /// # Errors
    ///
    /// [`CommitError::Conflict`] when another process wrote, or the failure of the write.
    pub fn apply(&mut self, commit: &Commit) -> Result<(), CommitError<SqliteError>> {
        let _ = self.write().map_err(CommitError::Store)?;
        commit.apply(&mut Txn::new(&self.conn, &self.key))
    }

    /// Returns the rows of a link: see [`load_rows`].
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if they cannot be read or unwrapped.
    pub fn link_rows(&self, link: MailboxId) -> Result<LinkRows, SqliteError> {
        load_rows(&self.conn, &self.key, link)
    }

    /// Returns the mailbox ids of the links that have rows: see [`links`].
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if they cannot be read.
    pub fn links(&self) -> Result<Vec<MailboxId>, SqliteError> {
        links(&self.conn)
    }

    /// Deletes the rows of a link in the open transaction.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if they cannot be deleted.
    pub fn forget_link(&mut self, link: MailboxId) -> Result<(), SqliteError> {
        let _ = self.write()?.execute("DELETE FROM handfast WHERE link = ?1", [link.as_bytes()])?;
        Ok(())
    }

    /// Closes the database. What is not committed is lost.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if SQLite cannot close it.
    pub fn close(self) -> Result<(), SqliteError> {
        Ok(self.conn.close().map_err(|(_, error)| error)?)
    }
}

impl Deref for Database {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.conn
    }
}

impl DerefMut for Database {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.conn
    }
}
