//! Disk space that is reserved for the time when the disk is full.
//!
//! While some program reads a write-ahead log (`-wal`), SQLite cannot restart the log, so it grows until the
//! disk is full. When the reader is gone, the checkpoint that would empty the log needs space itself, for
//! pages that the database does not have yet. So the checkpoint fails, and every write with it, until
//! somebody frees space by hand. At that moment the file of a [`Reserve`] is deleted to give its space to the
//! checkpoint.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::{BUSY_DEADLINE, SqliteError, file};

/// The size of the reserve, in bytes. Few of the pages in a log are new to the database: a text of 2,000
/// bytes writes thirty pages, and adds less than two to the database.
pub const RESERVE_LEN: u64 = 8 * 1_024 * 1_024;

/// The number of bytes written at a time.
const BLOCK_LEN: usize = 8_192;
const _: () = assert!(RESERVE_LEN.is_multiple_of(BLOCK_LEN as u64), "it is made of whole blocks");

/// The suffix of the reserve's file, after the name of the database.
const SUFFIX: &str = "-reserve";

/// The file beside a database that occupies [`RESERVE_LEN`] bytes.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    /// Whether the log should have been emptied, and could not be.
    is_wanted: bool,
}

impl Reserve {
    /// Returns the reserve of a database, whether or not its file exists.
    #[must_use]
    pub fn beside(database: &Path) -> Self {
        let mut path = database.as_os_str().to_os_string();
        path.push(SUFFIX);
        Self { path: PathBuf::from(path), is_wanted: false }
    }

    /// Returns whether [`make_room`] was called and the log was not emptied since. If so, call [`make_room`]
    /// again before the next write. Otherwise that write fails even if the log's reader is gone.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Returns the path of the reserve's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the space is reserved.
    #[must_use]
    pub fn is_held(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| found.is_file() && found.len() == RESERVE_LEN)
    }

    /// Reserves the space. Returns false when there is too little. An incomplete file of the reserve is
    /// removed, because it would not help.
    #[must_use]
    pub fn take(&self) -> bool {
        if self.is_held() {
            return true;
        }
        self.give_back();
        let is_taken = file::create_new(&self.path).is_ok_and(|file| fill(&file).is_ok());
        if !is_taken {
            self.give_back();
        }
        is_taken
    }

    /// Returns the reserved space to the disk.
    pub fn give_back(&self) {
        // If the file cannot be removed, its space stays reserved, and nothing is lost.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a file occupy its full space on the disk, which a sparse file would not.
fn fill(mut file: &fs::File) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(file, FallocateFlags::empty(), 0, RESERVE_LEN) {
            Ok(()) => return Ok(()),
            // Some file systems do not support the call that allocates space.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let block = [0xa5; BLOCK_LEN];
    for _ in 0..RESERVE_LEN / BLOCK_LEN as u64 {
        file.write_all(&block)?;
    }
    file.sync_all()
}

/// Opens a database like [`super::open`], and its reserve. If the disk is too full to open the database, the
/// reserved space is used.
///
/// # Errors
///
/// As [`super::open`].
pub fn open_reserved(path: &Path) -> Result<(Connection, Reserve), SqliteError> {
    let opened = super::open(path).or_else(|error| match error {
        SqliteError::Full | SqliteError::Disk(_) => {
            // Opening may have lacked space for the file of the log's index (`-shm`).
            Reserve::beside(path).give_back();
            super::open(path)
        }
        other => Err(other),
    })?;
    let mut reserve = Reserve::beside(path);
    let mut log = path.as_os_str().to_os_string();
    log.push("-wal");
    if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        // When the database was opened, its log could not be emptied because of a reader, a full disk, or
        // both.
        let _ = make_room(&opened, &mut reserve);
    }
    let _ = reserve.take();
    Ok((opened, reserve))
}

/// Empties the log of a database whose disk is full, using the reserved space, and then reserves that space
/// again. Call it before the next attempt to write, with no transaction open.
///
/// Returns whether the log is empty now. If another program reads the log it is not, but nothing is lost.
///
/// # Errors
///
/// [`SqliteError`], such as when even the reserved space is too little.
pub fn make_room(conn: &Connection, reserve: &mut Reserve) -> Result<bool, SqliteError> {
    reserve.is_wanted = true;
    reserve.give_back();
    // Does not wait for another program that reads the log.
    conn.busy_timeout(Duration::ZERO)?;
    let busy: Result<i64, _> = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    conn.busy_timeout(BUSY_DEADLINE)?;
    let _ = reserve.take();
    let is_empty = busy? == 0;
    reserve.is_wanted = !is_empty;
    Ok(is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_takes_up_room_and_gives_it_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let database = dir.path().join("a.db");
        let reserve = Reserve::beside(&database);
        assert!(!reserve.is_held() && reserve.take());
        assert!(reserve.is_held() && reserve.path().ends_with("a.db-reserve"));
        let found = fs::metadata(reserve.path()).expect("it is there");
        assert_eq!(found.len(), RESERVE_LEN);
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, PermissionsExt};
            assert!(found.blocks() * 512 >= RESERVE_LEN, "no hole: {} blocks", found.blocks());
            assert_eq!(found.permissions().mode() & 0o777, 0o600);
        }
        assert!(reserve.take(), "it is there");
        reserve.give_back();
        assert!(!reserve.is_held() && !reserve.path().exists());
        fs::write(reserve.path(), b"half").expect("written");
        assert!(!reserve.is_held());
        assert!(reserve.take() && reserve.is_held());
    }

    #[test]
    fn room_is_wanted_until_the_log_could_be_emptied() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.db");
        let (conn, mut reserve) = open_reserved(&path).expect("opened");
        assert!(!reserve.is_wanted());
        conn.execute_batch("CREATE TABLE t (n); INSERT INTO t VALUES (1);").expect("written");
        let reader = Connection::open(&path).expect("opened");
        reader.execute_batch("BEGIN; SELECT n FROM t;").expect("read");
        conn.execute_batch("INSERT INTO t VALUES (2);").expect("written");
        assert_eq!(make_room(&conn, &mut reserve), Ok(false), "it is read");
        assert!(reserve.is_wanted() && reserve.is_held());
        drop(reader);
        assert_eq!(make_room(&conn, &mut reserve), Ok(true));
        assert!(!reserve.is_wanted() && reserve.is_held());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_the_reserve_is_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (database, target) = (dir.path().join("a.db"), dir.path().join("target"));
        fs::write(&target, b"somebody's").expect("written");
        std::os::unix::fs::symlink(&target, dir.path().join("a.db-reserve")).expect("a link");
        assert!(Reserve::beside(&database).take());
        assert_eq!(fs::read(&target).expect("it is there"), b"somebody's");
    }
}
