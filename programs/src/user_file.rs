//! Files that the user names. They are examined before they are opened, and opening never waits.
//!
//! Reading or writing a file that is opened here may still hang (a network mount). So do it in a
//! [`super::FileJobs`], never in the core thread.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::Progress;
use super::dir::create_beside;
use super::text::size;
use handfast::SystemError;

/// The number of bytes to copy at once.
const COPY_LEN: usize = 262_144;

/// The reason why a file that the user named cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserFileError {
    /// The file cannot be read.
    #[error("{path} cannot be read ({reason}); check the path", path = path.display())]
    Unreadable {
        /// The path of the file.
        path: PathBuf,
        /// The operating system's reason.
        reason: SystemError,
    },
    /// There is something other than a file at the path.
    #[error("{path} is {what}, not a file", path = path.display())]
    NotAFile {
        /// The path of the file.
        path: PathBuf,
        /// The kind of thing at the path, such as a directory, in words.
        what: &'static str,
    },
    /// The file is larger than allowed.
    #[error("{path} is larger than {max}, which is the most that is taken", path = path.display(), max = size(*max))]
    TooLarge {
        /// The path of the file.
        path: PathBuf,
        /// The largest size allowed, in bytes.
        max: u64,
    },
    /// The file was changed while it was read.
    #[error("{path} changed while it was read; try again when nobody writes to it", path = .0.display())]
    Changed(PathBuf),
    /// The directory of a destination does not exist.
    #[error("there is no directory {path}; make it first, or choose another place", path = .0.display())]
    NoDirectory(PathBuf),
    /// The destination cannot be written.
    #[error("{path} cannot be written ({reason}); choose another place", path = path.display())]
    Unwritable {
        /// The path of the destination.
        path: PathBuf,
        /// The operating system's reason.
        reason: SystemError,
    },
    /// The disk of the destination has too little free space.
    #[error("{path} has no room for {wanted}, {free} are free; free some space, or choose another place",
        path = path.display(), wanted = size(*wanted), free = size(*free))]
    NoRoom {
        /// The path of the destination.
        path: PathBuf,
        /// The number of bytes to be written.
        wanted: u64,
        /// The number of free bytes.
        free: u64,
    },
}

/// Returns in words what something is that is not a regular file.
fn kind_of(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "something else"
    }
}

/// A regular file of the user, open for reading. It must be read completely and must not change until then;
/// [`UserFile::finish`] checks that.
#[derive(Debug)]
pub struct UserFile {
    file: File,
    path: PathBuf,
    found: Metadata,
    max: u64,
    read: u64,
}

impl UserFile {
    /// Opens a regular file of at most `max` bytes. Anything else is not opened: opening a pipe would wait,
    /// and opening a device may have an effect.
    ///
    /// # Errors
    /// [`UserFileError`] if the path is not a regular file, or the file is too large or cannot be read.
    pub fn open(path: &Path, max: u64) -> Result<Self, UserFileError> {
        let failed =
            |error: io::Error| UserFileError::Unreadable { path: path.to_path_buf(), reason: error.into() };
        let plain = |found: &Metadata| {
            let what = kind_of(found.file_type());
            let is_plain = found.is_file();
            is_plain.then_some(()).ok_or_else(|| UserFileError::NotAFile { path: path.to_path_buf(), what })
        };
        plain(&fs::metadata(path).map_err(failed)?)?;
        // There may be something else at the path by now, so opening must not wait in that case either.
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        plain(&found)?;
        if found.len() > max {
            return Err(UserFileError::TooLarge { path: path.to_path_buf(), max });
        }
        Ok(Self { file, path: path.to_path_buf(), found, max, read: 0 })
    }

    /// Reads the next bytes of the file. Returns how many were read, 0 at the end.
    ///
    /// # Errors
    /// [`UserFileError`], also when the file has grown beyond its limit.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, UserFileError> {
        loop {
            match self.file.read(buffer) {
                Ok(len) => {
                    self.read = self.read.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
                    if self.read > self.max {
                        return Err(UserFileError::TooLarge { path: self.path.clone(), max: self.max });
                    }
                    return Ok(len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(UserFileError::Unreadable { path: self.path.clone(), reason: error.into() });
                }
            }
        }
    }

    /// Checks that the file was read completely, and was not changed since it was opened.
    ///
    /// # Errors
    /// [`UserFileError::Changed`] if it has.
    pub fn finish(self) -> Result<(), UserFileError> {
        let now = self.file.metadata();
        let now =
            now.map_err(|error| UserFileError::Unreadable { path: self.path.clone(), reason: error.into() })?;
        let state = |meta: &Metadata| (meta.len(), meta.mtime(), meta.mtime_nsec());
        if state(&now) != state(&self.found) || self.read != self.found.len() {
            return Err(UserFileError::Changed(self.path));
        }
        Ok(())
    }

    /// Reads a whole file of at most `max` bytes.
    ///
    /// # Errors
    /// [`UserFileError`] if it cannot be read.
    pub fn read_all(path: &Path, max: u64) -> Result<Vec<u8>, UserFileError> {
        let mut file = Self::open(path, max)?;
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; COPY_LEN]);
        loop {
            let len = file.read(&mut buffer)?;
            if len == 0 {
                break;
            }
            bytes.extend_from_slice(buffer.get(..len).unwrap_or_default());
        }
        file.finish()?;
        Ok(bytes)
    }
}

/// A path at which the user wants a file: a new name in a directory, or a regular file to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(PathBuf);

impl Destination {
    /// Checks whether a file can be created at a path. If `wanted` is given, also checks whether the disk has
    /// space for that many bytes.
    ///
    /// # Errors
    /// [`UserFileError`] if not.
    pub fn look(path: &Path, wanted: Option<u64>) -> Result<Self, UserFileError> {
        let found = Self(path.to_path_buf());
        found.require_free()?;
        let (probe, temporary) = create_beside(path).map_err(|error| found.unwritable(error))?;
        let stats = rustix::fs::fstatvfs(&probe);
        drop(probe);
        fs::remove_file(temporary).map_err(|error| found.unwritable(error))?;
        if let (Ok(stats), Some(wanted)) = (stats, wanted) {
            let free = stats.f_bavail.saturating_mul(stats.f_frsize);
            if free < wanted {
                return Err(UserFileError::NoRoom { path: path.to_path_buf(), wanted, free });
            }
        }
        Ok(found)
    }

    /// Writes everything in `input` to the path, completely or not at all. Returns the number of bytes.
    ///
    /// # Errors
    /// [`UserFileError`]; then what is at the path is unchanged.
    pub fn put(&self, input: &mut impl Read, progress: &Progress) -> Result<u64, UserFileError> {
        self.require_free()?;
        let (file, temporary) = create_beside(&self.0).map_err(|error| self.unwritable(error))?;
        let written = self.copy(input, file, progress).and_then(|len| {
            // There may be something else at the path by now.
            self.require_free()?;
            fs::rename(&temporary, &self.0).map_err(|error| self.unwritable(error))?;
            Ok(len)
        });
        if written.is_err() {
            // The error to report is the one from before, so a failure to remove the file is ignored.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn copy(&self, input: &mut impl Read, mut file: File, progress: &Progress) -> Result<u64, UserFileError> {
        let (mut buffer, mut total) = (vec![0; COPY_LEN], 0_u64);
        loop {
            let len = input.read(&mut buffer).map_err(|error| self.unwritable(error))?;
            let Some(bytes) = buffer.get(..len).filter(|bytes| !bytes.is_empty()) else { break };
            file.write_all(bytes).map_err(|error| self.unwritable(error))?;
            total = total.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            progress.moved();
        }
        file.sync_all().map_err(|error| self.unwritable(error))?;
        Ok(total)
    }

    fn unwritable(&self, error: io::Error) -> UserFileError {
        UserFileError::Unwritable { path: self.0.clone(), reason: error.into() }
    }

    /// Checks that there is nothing at the path, or a regular file, and that the directory exists.
    fn require_free(&self) -> Result<(), UserFileError> {
        match fs::symlink_metadata(&self.0) {
            Ok(found) if found.is_file() => return Ok(()),
            Ok(found) => {
                return Err(UserFileError::NotAFile {
                    path: self.0.clone(),
                    what: kind_of(found.file_type()),
                });
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.unwritable(error)),
            Err(_) => {}
        }
        if self.0.file_name().is_none() {
            return Err(self.unwritable(io::ErrorKind::IsADirectory.into()));
        }
        let dir = self.0.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if dir.is_dir() { Ok(()) } else { Err(UserFileError::NoDirectory(dir.to_path_buf())) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn what(path: &Path) -> String {
        UserFile::open(path, 100).expect_err("it is no file").to_string()
    }

    /// Creates a named pipe, which acts like a hung mount: whoever opens it and waits, waits forever.
    fn pipe(path: &Path) {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a pipe");
    }

    #[test]
    fn only_plain_files_are_opened() {
        let dir = tempfile::tempdir().expect("a directory");
        let (fifo, socket, link) =
            (dir.path().join("pipe"), dir.path().join("socket"), dir.path().join("link"));
        pipe(&fifo);
        let _listener = UnixListener::bind(&socket).expect("a socket");
        std::os::unix::fs::symlink(&fifo, &link).expect("a link");
        assert!(what(&fifo).ends_with("is a named pipe, not a file"));
        assert!(what(&link).ends_with("is a named pipe, not a file"), "what it leads to counts");
        assert!(what(&socket).ends_with("is a socket, not a file"));
        assert!(what(dir.path()).ends_with("is a directory, not a file"));
        for device in ["/dev/zero", "/dev/tty", "/dev/full"] {
            assert!(what(Path::new(device)).ends_with("is a device, not a file"), "{device}");
        }
        assert!(what(&dir.path().join("none")).contains("(No such file or directory)"));
        std::os::unix::fs::symlink(dir.path().join("circle"), dir.path().join("circle")).expect("a link");
        assert!(what(&dir.path().join("circle")).contains("cannot be read"));
    }

    #[test]
    fn a_file_has_at_most_its_limit_and_does_not_change_meanwhile() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        fs::write(&path, [7; 100]).expect("written");
        assert_eq!(UserFile::read_all(&path, 100), Ok(vec![7; 100]));
        assert_eq!(
            UserFile::read_all(&path, 99),
            Err(UserFileError::TooLarge { path: path.clone(), max: 99 })
        );
        let mut buffer = [0; 60];
        for (name, change) in
            [("grows", 120), ("shrinks", 50), ("is emptied", 0), ("grows over the limit", 500)]
        {
            fs::write(&path, [7; 100]).expect("written");
            let mut file = UserFile::open(&path, 200).expect("opened");
            assert_eq!(file.read(&mut buffer), Ok(60));
            File::options().write(true).open(&path).and_then(|file| file.set_len(change)).expect("changed");
            let end = loop {
                match file.read(&mut buffer) {
                    Ok(0) => break file.finish(),
                    Ok(_) => {}
                    Err(error) => break Err(error),
                }
            };
            let expected = if change > 200 {
                UserFileError::TooLarge { path: path.clone(), max: 200 }
            } else {
                UserFileError::Changed(path.clone())
            };
            assert_eq!(end, Err(expected), "{name}");
        }
    }

    #[test]
    fn a_destination_is_looked_at_before_and_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let none =
            |path: &Path| Destination::look(path, Some(1)).expect_err("no place for a file").to_string();
        let (fifo, link, out) = (dir.path().join("pipe"), dir.path().join("link"), dir.path().join("out"));
        pipe(&fifo);
        std::os::unix::fs::symlink(&out, &link).expect("a link");
        assert!(none(dir.path()).ends_with("is a directory, not a file"));
        assert!(none(&fifo).ends_with("is a named pipe, not a file"));
        assert!(none(&link).ends_with("is a symbolic link, not a file"));
        assert!(none(Path::new("/dev/null")).ends_with("is a device, not a file"));
        assert!(none(&dir.path().join("no/such")).contains("there is no directory"));
        assert!(none(Path::new("/proc/nope")).contains("cannot be written"));
        let huge = Destination::look(&out, Some(u64::MAX)).expect_err("no disk has that");
        assert!(huge.to_string().contains("has no room for"), "{huge}");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 2, "nothing stays of the looks");

        let place = Destination::look(&out, Some(5)).expect("a place");
        assert_eq!(place.put(&mut &b"hello"[..], &Progress::default()), Ok(5));
        assert_eq!(place.put(&mut &b"again"[..], &Progress::default()), Ok(5), "a file is replaced");
        assert_eq!(fs::read(&out).expect("read"), b"again");
        fs::remove_file(&out).expect("removed");
        fs::create_dir(&out).expect("created");
        let error = place.put(&mut &b"hello"[..], &Progress::default()).expect_err("a directory by now");
        assert!(error.to_string().ends_with("is a directory, not a file"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 3, "no temporary file stays");
    }
}
