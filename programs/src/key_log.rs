//! The key log of a debug build: a file to which the keys of all connections are appended. Whoever has the file
//! reads what a capture of the connections contains. The repository's `tools/README.md` describes its lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::fs::OFlags;

use super::ending::complain;
use handfast::SystemError;

handfast::codec::test_builds_only!("key-log");

/// The variable of the environment that names the file.
const VARIABLE: &str = "HANDFAST_KEY_LOG";
/// The mode of a file that only its owner may read and write.
const MODE_PRIVATE: u32 = 0o600;
/// The mode bits that give others access.
const MODE_OTHERS: u32 = 0o077;

/// The key log of this process, if its environment names one.
static KEY_LOG: OnceLock<Mutex<KeyLog>> = OnceLock::new();

/// The reason why a file cannot be the key log.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyLogError {
    /// It cannot be opened, or it is a link.
    #[error("HANDFAST_KEY_LOG names {}, which cannot be written ({reason}); choose another file", path.display())]
    Io { path: PathBuf, reason: SystemError },
    /// There is a pipe or a device at the path.
    #[error("HANDFAST_KEY_LOG names {}, which is not a file; choose another one", .0.display())]
    NotAFile(PathBuf),
    /// Others may read the file.
    #[error("HANDFAST_KEY_LOG names {}, which others may open: make it yours alone with `chmod 600`", .0.display())]
    Shared(PathBuf),
}

/// An open key log.
#[derive(Debug)]
struct KeyLog {
    file: File,
    path: PathBuf,
}

impl KeyLog {
    /// Opens the file, or creates it with mode 0600. A link is not followed.
    fn open(path: &Path) -> Result<Self, KeyLogError> {
        let failed = |reason: io::Error| KeyLogError::Io { path: path.to_path_buf(), reason: reason.into() };
        let mut options = OpenOptions::new();
        let options = options.create(true).append(true).mode(MODE_PRIVATE);
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let file = options.custom_flags(flags).open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() {
            return Err(KeyLogError::NotAFile(path.to_path_buf()));
        }
        if found.mode() & MODE_OTHERS != 0 {
            return Err(KeyLogError::Shared(path.to_path_buf()));
        }
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// Appends a line by one write, so that several programs may share the file.
    fn append(&mut self, line: &str) -> io::Result<()> {
        let mut whole = zeroize::Zeroizing::new(String::with_capacity(line.len().saturating_add(1)));
        whole.push_str(line);
        whole.push('\n');
        self.file.write_all(whole.as_bytes())
    }
}

/// Opens the key log that the environment names, and warns the user of it. Without the variable nothing is logged.
///
/// # Errors
/// [`KeyLogError`] if the variable names a file that cannot be used.
pub(super) fn open_key_log(program: &str) -> Result<(), KeyLogError> {
    let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else { return Ok(()) };
    let log = KeyLog::open(Path::new(&path))?;
    complain(&format!(
        "{program}: the keys of all connections go to {}: whoever has that file reads what they carry",
        log.path.display()
    ));
    // A process opens it once.
    let _ = KEY_LOG.set(Mutex::new(log));
    Ok(())
}

/// Appends a line to the key log, if there is one. The first failure is reported on standard error.
pub fn log_key(line: &str) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let Some(log) = KEY_LOG.get() else { return };
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = log.append(line)
        && !SAID.swap(true, Ordering::Relaxed)
    {
        let (path, reason) = (log.path.display(), SystemError::from(error));
        complain(&format!("the key log {path} cannot be written ({reason}); keys are missing in it"));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn lines_are_appended_to_a_private_file() {
        let base = tempfile::tempdir().expect("a directory");
        let path = base.path().join("keys");
        for line in ["one", "two"] {
            KeyLog::open(&path).expect("opened").append(line).expect("written");
        }
        assert_eq!(fs::read_to_string(&path).expect("read"), "one\ntwo\n");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, MODE_PRIVATE);
    }

    #[test]
    fn a_file_that_others_may_open_is_refused() {
        let base = tempfile::tempdir().expect("a directory");
        let path = base.path().join("keys");
        for mode in [0o640, 0o604, 0o620, 0o602] {
            fs::write(&path, "").expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            let error = KeyLog::open(&path).expect_err("shared").to_string();
            assert!(error.contains("chmod 600"), "{mode:o}: {error}");
        }
    }

    #[test]
    fn a_link_is_not_followed_and_a_device_not_written() {
        let base = tempfile::tempdir().expect("a directory");
        let (link, target) = (base.path().join("link"), base.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).expect("planted");
        assert!(matches!(KeyLog::open(&link), Err(KeyLogError::Io { .. })));
        assert!(!target.exists(), "nothing was made where it points to");
        assert!(matches!(KeyLog::open(Path::new("/dev/null")), Err(KeyLogError::NotAFile(_))));
        assert!(matches!(KeyLog::open(base.path()), Err(KeyLogError::Io { .. })));
    }
}
