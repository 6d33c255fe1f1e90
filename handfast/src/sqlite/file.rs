//! Files that only this user can read, opened without following a symbolic link that somebody planted in
//! their place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::SqliteError;

/// Returns the error for a file: the operating system's error with the file's path.
#[must_use]
pub fn error(path: &Path, error: &io::Error) -> SqliteError {
    SqliteError::File { path: path.display().to_string(), reason: error.into() }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

/// Refuses symbolic links, and does not block on a FIFO or terminal.
#[cfg(unix)]
fn direct(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
}

#[cfg(not(unix))]
fn direct(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Returns whether both metadata describe the same file.
#[cfg(unix)]
fn is_same(one: &fs::Metadata, two: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (two.dev(), two.ino())
}

#[cfg(not(unix))]
fn is_same(one: &fs::Metadata, two: &fs::Metadata) -> bool {
    one.file_type() == two.file_type()
}

/// Refuses a path at which there is something other than a regular file, such as a symbolic link.
///
/// # Errors
///
/// [`SqliteError::NotAFile`] for such a path, [`SqliteError::File`] if it cannot be examined.
pub fn require_plain_or_absent(path: &Path) -> Result<(), SqliteError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(SqliteError::NotAFile(path.display().to_string())),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(other) => Err(error(path, &other)),
    }
}

/// Creates a file that must not exist yet, readable by this user only. A symbolic link counts as existing.
///
/// # Errors
///
/// [`SqliteError::File`] if the file exists or cannot be created.
pub fn create_new(path: &Path) -> Result<File, SqliteError> {
    direct(private(OpenOptions::new().read(true).write(true).create_new(true)))
        .open(path)
        .map_err(|failed| error(path, &failed))
}

/// Opens a regular file without following a symbolic link, even one that is planted during the call.
///
/// # Errors
///
/// [`SqliteError::NotAFile`] for anything but a regular file, [`SqliteError::File`] if it does not exist or
/// cannot be opened.
pub fn open(path: &Path, write: bool) -> Result<File, SqliteError> {
    let wrap = |failed: io::Error| error(path, &failed);
    let refused = || SqliteError::NotAFile(path.display().to_string());
    let before = fs::symlink_metadata(path).map_err(wrap)?;
    if !before.is_file() {
        return Err(refused());
    }
    let file = direct(OpenOptions::new().read(true).write(write)).open(path).map_err(wrap)?;
    let opened = file.metadata().map_err(wrap)?;
    if is_same(&before, &opened) { Ok(file) } else { Err(refused()) }
}

/// Makes all writes to a file durable.
///
/// # Errors
///
/// The operating system's error.
pub fn sync(file: &File) -> io::Result<()> {
    file.sync_all()?;
    #[cfg(feature = "testing")]
    crate::witness::synced(file)?;
    Ok(())
}

/// Makes renames, creations and removals in a directory durable.
///
/// # Errors
///
/// [`SqliteError::File`] if the sync fails.
pub fn sync_dir(dir: &Path) -> Result<(), SqliteError> {
    // Some systems cannot sync directories. On Unix it must succeed.
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|failed| error(dir, &failed))?;
    }
    Ok(())
}

/// Creates a directory if there is none, accessible by this user only. A symbolic link in its place is
/// refused.
///
/// # Errors
///
/// [`SqliteError::NotAFile`] for anything but a directory at the path, [`SqliteError::File`] if it cannot be
/// created.
pub fn require_dir(dir: &Path) -> Result<(), SqliteError> {
    match fs::symlink_metadata(dir) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(SqliteError::NotAFile(dir.display().to_string())),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {}
        Err(other) => return Err(error(dir, &other)),
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        let _ = builder.mode(0o700);
    }
    builder.create(dir).map_err(|failed| error(dir, &failed))
}
