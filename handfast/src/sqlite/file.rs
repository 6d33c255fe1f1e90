//! Files that belong to this user alone, and never to whoever planted a link in their place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::SqliteError;

/// The error of a file.
#[must_use]
pub fn error(path: &Path, error: &io::Error) -> SqliteError {
    SqliteError::File { path: path.display().to_string(), reason: error.into() }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

/// Never through a link, and never waiting for what is no plain file.
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

/// Whether two looks found the same file.
#[cfg(unix)]
fn is_same(one: &fs::Metadata, two: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (two.dev(), two.ino())
}

#[cfg(not(unix))]
fn is_same(one: &fs::Metadata, two: &fs::Metadata) -> bool {
    one.file_type() == two.file_type()
}

/// Refuses what is there and is not a plain file: a symbolic link above all.
///
/// # Errors
///
/// [`SqliteError::NotAFile`], [`SqliteError::File`].
pub fn require_plain_or_absent(path: &Path) -> Result<(), SqliteError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(SqliteError::NotAFile(path.display().to_string())),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(other) => Err(error(path, &other)),
    }
}

/// Creates a file that must not be there, for this user alone. A symbolic link counts as being there.
///
/// # Errors
///
/// [`SqliteError::File`].
pub fn create_new(path: &Path) -> Result<File, SqliteError> {
    direct(private(OpenOptions::new().read(true).write(true).create_new(true)))
        .open(path)
        .map_err(|failed| error(path, &failed))
}

/// Opens a plain file, without following a symbolic link, even one that is planted in the middle of the call.
///
/// # Errors
///
/// [`SqliteError::NotAFile`], [`SqliteError::File`] also when it is not there.
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

/// Makes what was written to a file durable.
///
/// # Errors
///
/// The system's.
pub fn sync(file: &File) -> io::Result<()> {
    file.sync_all()?;
    #[cfg(feature = "hazmat")]
    crate::witness::synced(file)?;
    Ok(())
}

/// Makes renames, creations and removals in a directory durable.
///
/// # Errors
///
/// [`SqliteError::File`].
pub fn sync_dir(dir: &Path) -> Result<(), SqliteError> {
    // Directories cannot be synced everywhere; where they can, it must work.
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|failed| error(dir, &failed))?;
    }
    Ok(())
}

/// Makes sure that a directory is there, for this user alone if it has to be created. A symbolic link in its place
/// is refused.
///
/// # Errors
///
/// [`SqliteError::NotAFile`], [`SqliteError::File`].
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
