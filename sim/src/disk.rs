//! The disk of one device: its database in SQLite's own memory file system, its device key, its directory of content.
//!
//! The database outlives the program that uses it, as a file does: what a program did not commit is gone with its
//! connection, what it did commit stays. Several programs may open it at once.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use handfast::codec::ids::CompanionId;
use handfast::sqlite::DeviceKey;
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// No commit fails.
const NEVER: u64 = u64::MAX;

/// Counts the commits of a disk, and makes those from a chosen one on fail.
#[derive(Debug)]
pub struct Gate {
    commits: AtomicU64,
    fail_from: AtomicU64,
}

impl Gate {
    fn new() -> Self {
        Self { commits: AtomicU64::new(0), fail_from: AtomicU64::new(NEVER) }
    }

    /// A commit is about to be made durable. Returns whether it fails.
    fn pass(&self) -> bool {
        let number = self.commits.load(Ordering::Relaxed).saturating_add(1);
        let fails = number >= self.fail_from.load(Ordering::Relaxed);
        if !fails {
            self.commits.store(number, Ordering::Relaxed);
        }
        fails
    }

    /// Commits that were made.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// The `after` next commits succeed, those after them fail.
    pub fn fail_after(&self, after: u64) {
        self.fail_from.store(self.commits().saturating_add(after).saturating_add(1), Ordering::Relaxed);
    }

    /// Commits succeed again.
    pub fn mend(&self) {
        self.fail_from.store(NEVER, Ordering::Relaxed);
    }
}

/// One disk.
#[derive(Debug)]
pub struct Disk {
    name: String,
    anchor: Connection,
    key: [u8; 32],
    dir: PathBuf,
    /// Counts and breaks commits.
    pub gate: Arc<Gate>,
    /// Another owns the directory.
    is_guest: bool,
}

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn connect(name: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let is_file = Path::new(name).extension().is_some();
    let vfs = if is_file { "unix" } else { "memdb" };
    let conn = Connection::open_with_flags(format!("file:{name}?vfs={vfs}"), flags)?;
    // Whoever holds a lock runs in this thread: waiting for it takes real time, and changes nothing.
    conn.busy_timeout(Duration::ZERO)?;
    if is_file {
        let _: String = conn.query_row("PRAGMA journal_mode = MEMORY", [], |row| row.get(0))?;
    }
    conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")?;
    let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(128);
    Ok(conn)
}

impl Disk {
    /// An empty disk; its content lies in a directory of its own below `base`.
    ///
    /// # Errors
    ///
    /// SQLite's, the file system's.
    pub fn new(base: &Path, key: [u8; 32]) -> anyhow::Result<Self> {
        let number = COUNT.with(|count| {
            count.set(count.get() + 1);
            count.get()
        });
        let thread = format!("{:?}", std::thread::current().id());
        let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
        let name = format!("/sim-{thread}-{number}");
        let dir = base.join(format!("disk-{thread}-{number}"));
        std::fs::create_dir_all(&dir)?;
        Ok(Self { anchor: connect(&name)?, name, key, dir, gate: Arc::new(Gate::new()), is_guest: false })
    }

    /// An empty disk whose database is a file, so that it does not count as memory of the process.
    ///
    /// # Errors
    ///
    /// SQLite's, the file system's.
    pub fn on_file(base: &Path, key: [u8; 32]) -> anyhow::Result<Self> {
        let mut disk = Self::new(base, key)?;
        disk.name = disk.dir.join("large.db").display().to_string();
        disk.anchor = connect(&disk.name)?;
        Ok(disk)
    }

    /// Another disk with the same content: a copy, or a snapshot.
    ///
    /// # Errors
    ///
    /// SQLite's, the file system's.
    pub fn copy(&self, base: &Path) -> anyhow::Result<Self> {
        let mut copy = Self::new(base, self.key)?;
        copy.write_over(self)?;
        Ok(copy)
    }

    /// Makes this disk's content that of another. No program may have it open.
    ///
    /// # Errors
    ///
    /// SQLite's, the file system's.
    pub fn write_over(&mut self, from: &Self) -> anyhow::Result<()> {
        let backup = Backup::new(&from.anchor, &mut self.anchor)?;
        let _ = backup.step(-1)?;
        drop(backup);
        let (old, new) = (self.dir.join("media"), from.dir.join("media"));
        if old.exists() {
            std::fs::remove_dir_all(&old)?;
        }
        if new.exists() {
            std::fs::create_dir(&old)?;
            for entry in std::fs::read_dir(&new)? {
                let entry = entry?;
                let copy = old.join(entry.file_name());
                let _ = std::fs::copy(entry.path(), &copy)?;
                handfast::sqlite::file::sync(&std::fs::File::open(&copy)?)?;
            }
        }
        Ok(())
    }

    /// The same disk, for a second program that runs over it.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn second(&self) -> anyhow::Result<Self> {
        Ok(Self {
            anchor: connect(&self.name)?,
            name: self.name.clone(),
            key: self.key,
            dir: self.dir.clone(),
            gate: Arc::new(Gate::new()),
            is_guest: true,
        })
    }

    /// What programs wrote to files and never synced is gone. (SQLite syncs each commit.)
    ///
    /// # Errors
    ///
    /// The file system's.
    pub fn lose_unsynced(&self) -> std::io::Result<u64> {
        let mut lost = 0;
        let media = self.dir.join("media");
        if media.exists() {
            for entry in std::fs::read_dir(&media)? {
                lost += handfast::witness::lose_unsynced(&entry?.path())?;
            }
        }
        Ok(lost)
    }

    /// A connection for a program.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn open(&self) -> anyhow::Result<Connection> {
        let mut conn = connect(&self.name)?;
        let gate = Arc::clone(&self.gate);
        conn.commit_hook(Some(move || gate.pass()))?;
        Ok(conn)
    }

    /// A look from outside, by SQL.
    #[must_use]
    pub fn look(&self) -> &Connection {
        &self.anchor
    }

    /// Whose link is stored on a companion's disk: a confirmed one, or any.
    #[must_use]
    pub fn companion(&self, is_confirmed: bool) -> Option<CompanionId> {
        let sql = "SELECT companion FROM links WHERE state <> 'pending' OR NOT ?1";
        self.anchor.query_row(sql, [is_confirmed], |row| row.get(0)).ok().map(CompanionId::from_bytes)
    }

    /// The device key.
    #[must_use]
    pub fn key(&self) -> DeviceKey {
        DeviceKey::from_bytes(self.key)
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if !self.is_guest {
            // What cannot be removed is in the temporary directory.
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}
