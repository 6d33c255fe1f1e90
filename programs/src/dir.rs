//! The data directory: accessible by its user only, and used by one process at a time.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use handfast::SystemError;

/// The name of the lock file in the data directory.
const LOCK_FILE: &str = "lock";
/// The mode of files that only their owner may read and write.
const MODE_PRIVATE: u32 = 0o600;
/// The mode bits that let others than the owner write.
const MODE_OTHERS_WRITE: u32 = 0o022;

/// The reason why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirLockError {
    /// Another process uses the directory.
    #[error("another process uses {}: stop it first, or wait until it has ended", .0.display())]
    Taken(PathBuf),
    /// Other users may write to the directory, so nothing in it can be trusted.
    #[error("others may write into {}: make it yours alone with `chmod go-w`, or choose another with --data", .0.display())]
    Shared(PathBuf),
    /// The directory belongs to another user, who may read and change everything in it.
    #[error("{} belongs to another user: choose another with --data", .0.display())]
    NotOwned(PathBuf),
    /// The directory cannot be created or opened.
    #[error("cannot use {} as data directory ({reason}): choose another with --data", dir.display())]
    Io {
        /// The path of the directory.
        dir: PathBuf,
        /// The operating system's reason.
        reason: SystemError,
    },
}

/// An exclusive lock on a data directory, which the kernel releases when the process ends.
#[derive(Debug)]
pub struct DirLock {
    dir: PathBuf,
    _lock: File,
}

impl DirLock {
    /// Creates the directory if it does not exist (mode 0700), and locks it. Does not wait for the lock.
    ///
    /// # Errors
    /// [`DirLockError::Taken`] when another process uses the directory, [`DirLockError::Shared`] and
    /// [`DirLockError::NotOwned`] when others have access, [`DirLockError::Io`] when it cannot be used.
    pub fn acquire(dir: &Path) -> Result<Self, DirLockError> {
        let failed = |reason: io::Error| DirLockError::Io { dir: dir.to_path_buf(), reason: reason.into() };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        require_own(dir, &std::fs::metadata(dir).map_err(failed)?, rustix::process::geteuid().as_raw())?;
        // If the lock file's name is a symbolic link, a file would be created wherever the link points.
        if std::fs::symlink_metadata(dir.join(LOCK_FILE)).is_ok_and(|found| !found.is_file()) {
            return Err(failed(io::Error::other(format!("{LOCK_FILE} in it is not a plain file"))));
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(MODE_PRIVATE)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(dir.join(LOCK_FILE))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DirLockError::Taken(dir.to_path_buf())),
            Err(TryLockError::Error(reason)) => Err(failed(reason)),
        }
    }

    /// Returns the path of the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Checks that a directory belongs to this user alone. Root may use any directory.
fn require_own(dir: &Path, found: &Metadata, user: u32) -> Result<(), DirLockError> {
    if user != 0 && found.uid() != user {
        return Err(DirLockError::NotOwned(dir.to_path_buf()));
    }
    if found.mode() & MODE_OTHERS_WRITE != 0 {
        return Err(DirLockError::Shared(dir.to_path_buf()));
    }
    Ok(())
}

/// Writes a file that only its owner may read, completely or not at all: a temporary file in the same
/// directory is written, synced and renamed, then the directory is synced.
///
/// # Errors
/// The file system's error; `path` is unchanged then.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut file, temporary) = create_beside(path)?;
    let written = write_synced(&mut file, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // The error to report is the one from before, so a failure to remove the file is ignored.
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    File::open(dir_of(path))?.sync_all()
}

/// Creates a file that only its owner may read, in the directory of `path`, under a random name that nobody
/// can guess. An existing file is not opened, and a link not followed.
pub(super) fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    let mut temporary = name.to_os_string();
    temporary.push(format!(".{:016x}.tmp", u64::from_be_bytes(random)));
    let temporary = dir_of(path).join(temporary);
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create_new(true).mode(MODE_PRIVATE);
    let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(&temporary)?;
    Ok((file, temporary))
}

fn dir_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write_synced(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()?;
    #[cfg(feature = "testing")]
    handfast::witness::synced(file)?;
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
    fn a_link_in_place_of_the_lock_is_not_followed() {
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
    fn a_directory_that_others_may_write_is_refused() {
        let base = tempfile::tempdir().expect("a directory");
        for mode in [0o777, 0o1777, 0o770, 0o702, 0o722] {
            let dir = base.path().join(format!("{mode:o}"));
            std::fs::create_dir(&dir).expect("created");
            std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).expect("set");
            let error = DirLock::acquire(&dir).expect_err("shared");
            assert!(error.to_string().contains("chmod go-w"), "{error}");
            assert_eq!(std::fs::read_dir(&dir).expect("listed").count(), 0, "nothing was made in it");
        }
        for mode in [0o700, 0o755, 0o711] {
            let dir = base.path().join(format!("own-{mode:o}"));
            std::fs::create_dir(&dir).expect("created");
            std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).expect("set");
            assert!(DirLock::acquire(&dir).is_ok(), "{mode:o}");
        }
        let found = std::fs::metadata(base.path()).expect("there");
        let other = found.uid().wrapping_add(1).max(1);
        let error = require_own(base.path(), &found, other).expect_err("of another user");
        assert!(error.to_string().contains("belongs to another user"), "{error}");
        assert!(require_own(base.path(), &found, 0).is_ok(), "root may");
    }

    #[test]
    fn a_link_beside_a_file_is_never_written_through() {
        let base = tempfile::tempdir().expect("a directory");
        let (path, target) = (base.path().join("code.png"), base.path().join("target"));
        // Names that an attacker in a shared directory can guess, and the target's own name.
        let guessed = base.path().join(format!("code.png.{}.tmp", std::process::id()));
        for link in [&guessed, &path] {
            std::os::unix::fs::symlink(&target, link).expect("planted");
        }
        std::fs::write(&target, b"theirs").expect("written");
        write_file(&path, b"secret").expect("written");
        assert_eq!(std::fs::read(&target).expect("read"), b"theirs");
        assert!(std::fs::symlink_metadata(&path).expect("there").is_file(), "the link was replaced");
        assert_eq!(mode(&path), 0o600);
        let (_, one) = create_beside(&path).expect("created");
        let (_, two) = create_beside(&path).expect("created");
        assert_ne!(one, two);
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
