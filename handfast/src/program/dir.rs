//! The data directory: created private, held by one process.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The lock file's name in the data directory.
const LOCK_FILE: &str = "lock";
/// Mode of files that the owner alone may read and write.
const MODE_PRIVATE: u32 = 0o600;

/// A data directory could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirLockError {
    /// Another process holds it.
    #[error("another process uses {}: stop it first, or wait until it has ended", .0.display())]
    Taken(PathBuf),
    /// It cannot be created or opened.
    #[error("cannot use {} as data directory ({reason}): choose another with --data", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        reason: io::Error,
    },
}

/// An exclusive hold on a data directory, for as long as it lives. The kernel ends it with the process.
#[derive(Debug)]
pub struct DirLock {
    dir: PathBuf,
    _lock: File,
}

impl DirLock {
    /// Creates the directory if it is not there (mode 0700), and takes it. Does not wait.
    ///
    /// # Errors
    /// [`DirLockError::Taken`] when another process holds it, [`DirLockError::Io`] when it cannot be used.
    pub fn acquire(dir: &Path) -> Result<Self, DirLockError> {
        let failed = |reason| DirLockError::Io { dir: dir.to_path_buf(), reason };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        // A link here would have a file made wherever it points to.
        if std::fs::symlink_metadata(dir.join(LOCK_FILE)).is_ok_and(|found| !found.is_file()) {
            return Err(failed(io::Error::other(format!("{LOCK_FILE} in it is not a plain file"))));
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(MODE_PRIVATE)
            .open(dir.join(LOCK_FILE))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DirLockError::Taken(dir.to_path_buf())),
            Err(TryLockError::Error(reason)) => Err(failed(reason)),
        }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Writes a file that the owner alone may read, whole or not at all: a temporary file beside it is written, synced and
/// renamed, then the directory is synced.
///
/// # Errors
/// The file system's. What stood at `path` is unchanged then.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = name.to_os_string();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = dir.join(temporary);
    let written = write_new(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // It may not even exist; the first error is the one to tell.
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    File::open(dir)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(MODE_PRIVATE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    #[cfg(feature = "hazmat")]
    crate::witness::synced(&file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn a_directory_has_one_holder_and_is_private() {
        let base = tempfile::tempdir().expect("a directory");
        let dir = base.path().join("a/b");
        let lock = DirLock::acquire(&dir).expect("free");
        assert_eq!((mode(&dir), mode(&dir.join(LOCK_FILE))), (0o700, 0o600));
        let error = DirLock::acquire(&dir).expect_err("held");
        assert!(matches!(&error, DirLockError::Taken(taken) if *taken == dir));
        assert!(error.to_string().contains("another process uses"), "{error}");
        drop(lock);
        assert_eq!(DirLock::acquire(&dir).expect("free again").dir(), dir);
    }

    #[test]
    fn st11_a_link_in_place_of_the_lock_is_not_followed() {
        let base = tempfile::tempdir().expect("a directory");
        let target = base.path().join("target");
        let dir = base.path().join("data");
        std::fs::create_dir(&dir).expect("created");
        std::os::unix::fs::symlink(&target, dir.join(LOCK_FILE)).expect("planted");
        let error = DirLock::acquire(&dir).expect_err("a link");
        assert!(error.to_string().contains("not a plain file"), "{error}");
        assert!(!target.exists(), "nothing was made where it points to");
    }

    #[test]
    fn a_path_that_cannot_be_a_directory_says_so() {
        let base = tempfile::tempdir().expect("a directory");
        let file = base.path().join("file");
        write_file(&file, b"x").expect("written");
        let error = DirLock::acquire(&file).expect_err("a file");
        assert!(matches!(error, DirLockError::Io { .. }));
        assert!(error.to_string().contains("--data"), "{error}");
    }

    #[test]
    fn files_are_replaced_whole_and_private() {
        let base = tempfile::tempdir().expect("a directory");
        let path = base.path().join("out");
        for content in [&b"first"[..], b"2"] {
            write_file(&path, content).expect("written");
            assert_eq!(std::fs::read(&path).expect("read"), content);
        }
        assert_eq!(mode(&path), 0o600);
        assert_eq!(std::fs::read_dir(base.path()).expect("listed").count(), 1, "no temporary file stays");
        assert!(write_file(&base.path().join("no/such/dir"), b"x").is_err());
    }
}
