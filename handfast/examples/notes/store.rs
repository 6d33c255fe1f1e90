//! What both sides keep in SQLite: the rows of the library, and notes. Every write is part of one open transaction.

use std::path::PathBuf;

use bytes::Bytes;
use handfast::codec::frame::{Row, RowId};
use handfast::codec::ids::{ContentId, MailboxId};
use handfast::session::{Commit, Pairs, RowDigest};
use handfast::sqlite::{self, DeviceKey, Txn};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::Failure;

/// One note, and the content of its file.
pub(crate) struct Note {
    pub(crate) id: i64,
    pub(crate) rev: i64,
    pub(crate) file: Option<ContentId>,
    pub(crate) text: String,
}

impl Note {
    /// The note as a row: the file's id, or zeros, then the text.
    pub(crate) fn row(&self) -> Row {
        let file = self.file.unwrap_or(ContentId::from_bytes([0; 32]));
        let body = [file.as_bytes(), self.text.as_bytes()].concat();
        Row {
            id: RowId::from_number(self.id.cast_unsigned()),
            rev: self.rev.cast_unsigned(),
            body: body.into(),
        }
    }

    pub(crate) fn from_row(row: &Row) -> Option<Self> {
        let (file, text) = row.body.split_first_chunk::<32>()?;
        let file = Some(ContentId::from_bytes(*file)).filter(|file| file.as_bytes() != &[0; 32]);
        let (id, rev) = (row.id.number()?.cast_signed(), row.rev.cast_signed());
        Some(Self { id, rev, file, text: String::from_utf8_lossy(text).into_owned() })
    }
}

pub(crate) struct Store {
    pub(crate) conn: Connection,
    pub(crate) key: DeviceKey,
    dir: PathBuf,
}

impl Store {
    /// Opens the database of a directory that only one process uses.
    pub(crate) fn open(dir: &str) -> Result<Self, Failure> {
        let dir = PathBuf::from(dir);
        std::fs::create_dir_all(&dir)?;
        let (key, conn) =
            (DeviceKey::load_or_create(&dir.join("device.key"))?, sqlite::open(&dir.join("notes.db"))?);
        sqlite::create_table(&conn)?;
        conn.execute_batch(
            "CREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY, rev INTEGER, file BLOB, text TEXT);
             CREATE TABLE IF NOT EXISTS files(content BLOB PRIMARY KEY, list BLOB);
             CREATE TABLE IF NOT EXISTS wanted(content BLOB, path TEXT);
             CREATE TABLE IF NOT EXISTS named(name TEXT PRIMARY KEY, value BLOB);",
        )?;
        Ok(Self { conn, key, dir })
    }

    /// The connection, within a transaction.
    pub(crate) fn write(&self) -> Result<&Connection, Failure> {
        if self.conn.is_autocommit() {
            sqlite::begin_kept(&self.conn)?;
        }
        Ok(&self.conn)
    }

    pub(crate) fn apply(&self, commit: &Commit) -> Result<(), Failure> {
        Ok(commit.apply(&mut Txn::new(self.write()?, &self.key))?)
    }

    pub(crate) fn commit(&self) -> Result<bool, Failure> {
        let is_open = !self.conn.is_autocommit();
        if is_open {
            self.conn.execute_batch("COMMIT")?;
        }
        Ok(is_open)
    }

    /// Stores a note in place of one with its id.
    pub(crate) fn put(&self, note: &Note) -> Result<(), Failure> {
        let values = params![note.id, note.rev, note.file.as_ref().map(ContentId::as_bytes), note.text];
        let _ = self.write()?.execute("INSERT OR REPLACE INTO notes VALUES(?1, ?2, ?3, ?4)", values)?;
        Ok(())
    }

    /// The notes for which `condition` holds of the number `than`.
    pub(crate) fn notes(&self, condition: &str, than: i64) -> Result<Vec<Note>, Failure> {
        let mut query =
            self.conn.prepare(&format!("SELECT id, rev, file, text FROM notes WHERE {condition}"))?;
        let notes = query.query_map([than], |row| {
            let file = row.get::<_, Option<[u8; 32]>>(2)?.map(ContentId::from_bytes);
            Ok(Note { id: row.get(0)?, rev: row.get(1)?, file, text: row.get(3)? })
        })?;
        Ok(notes.collect::<Result<_, _>>()?)
    }

    /// The newest revision.
    pub(crate) fn newest(&self) -> Result<i64, Failure> {
        Ok(self.conn.query_row("SELECT ifnull(max(rev), 0) FROM notes", [], |row| row.get(0))?)
    }

    /// What tells whether both sides have the same notes.
    pub(crate) fn digest(&self) -> Result<[u8; 32], Failure> {
        let rows: Vec<Row> = self.notes("id > ?1", 0)?.iter().map(Note::row).collect();
        Ok(rows.iter().map(|row| (&row.id, row.rev)).collect::<RowDigest>().value())
    }

    /// The rows of each link.
    pub(crate) fn links(&self) -> Result<Vec<(MailboxId, Pairs)>, Failure> {
        let links = sqlite::links(&self.conn)?.into_iter();
        links.map(|id| Ok((id, sqlite::load_pairs(&self.conn, &self.key, id)?))).collect()
    }

    /// A value by its name, drawn and stored the first time.
    pub(crate) fn named(&self, name: &str, new: impl FnOnce() -> Vec<u8>) -> Result<Bytes, Failure> {
        let found = self.conn.query_row("SELECT value FROM named WHERE name = ?1", [name], |row| row.get(0));
        if let Some(value) = found.optional()? {
            return Ok(Bytes::from_owner::<Vec<u8>>(value));
        }
        let value = new();
        let _ = self.write()?.execute("INSERT INTO named VALUES(?1, ?2)", params![name, value])?;
        Ok(value.into())
    }

    pub(crate) fn path(&self, content: ContentId) -> PathBuf {
        self.dir.join(content.to_string())
    }
}
