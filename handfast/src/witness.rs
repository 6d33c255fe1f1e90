//! A record of how many bytes of each file are durable, so that a simulator can remove the others. Never part
//! of a shipped build.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

thread_local! {
    /// The durable length of each file, by inode number.
    static SYNCED: RefCell<BTreeMap<u64, u64>> = const { RefCell::new(BTreeMap::new()) };
}

#[cfg(unix)]
fn number(meta: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn number(_: &std::fs::Metadata) -> u64 {
    0
}

/// Records that a file was synced, so that all its bytes are durable.
///
/// # Errors
///
/// The operating system's error.
pub fn synced(file: &File) -> io::Result<()> {
    let meta = file.metadata()?;
    SYNCED.with_borrow_mut(|synced| {
        let _ = synced.insert(number(&meta), meta.len());
    });
    Ok(())
}

/// Forgets all files that this thread has recorded.
pub fn forget() {
    SYNCED.with_borrow_mut(BTreeMap::clear);
}

/// Truncates a file to its durable length, as a power failure may. Returns the number of bytes lost.
///
/// # Errors
///
/// The operating system's error.
pub fn lose_unsynced(path: &Path) -> io::Result<u64> {
    let file = File::options().write(true).open(path)?;
    let meta = file.metadata()?;
    let durable = SYNCED.with_borrow(|synced| synced.get(&number(&meta)).copied().unwrap_or(0));
    let lost = meta.len().saturating_sub(durable);
    if lost > 0 {
        file.set_len(durable)?;
    }
    Ok(lost)
}
