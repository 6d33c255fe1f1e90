//! Copies of a store's files, and what a power failure does to them.

extern crate std;

use std::path::Path;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;
use std::{format, fs};

use super::{Chance, FileHarness, Files};

/// The unit that a disk writes atomically, in bytes.
const SECTOR_LEN: usize = 512;
/// The size of a log's header, in bytes. When a log is restarted, SQLite syncs the new header before it
/// writes anything after it.
const LOG_HEADER_LEN: usize = 32;

/// Reads the files of a store.
pub(super) fn files_of(dir: &Path) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(dir).expect("the directory is there") {
        let entry = entry.expect("it can be listed");
        let name = entry.file_name().to_str().expect("names are text").to_string();
        let is_left = name.ends_with("-shm") || name.ends_with("-reserve");
        let is_kept = entry.file_type().expect("a type").is_file() && !is_left;
        if is_kept {
            let _ = files.insert(name, fs::read(entry.path()).expect("a file"));
        }
    }
    files
}

/// A copy of a store, in a directory that is removed when this is dropped.
pub(super) struct Copy<H> {
    pub(super) harness: H,
    _dir: tempfile::TempDir,
}

impl<H: FileHarness> Copy<H> {
    pub(super) fn of(files: &Files) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, bytes) in files {
            fs::write(dir.path().join(name), bytes).expect("written");
        }
        Self { harness: H::at(dir.path()), _dir: dir }
    }
}

/// Returns the file name of the database's write-ahead log.
pub(super) fn log<H: FileHarness>() -> String {
    format!("{}-wal", H::DATABASE)
}

/// Returns what a disk may contain after a power failure. `before` was synced. Of the writes that turn it
/// into `after`, any sectors may have been written, in any order.
pub(super) fn tear(chance: &mut Chance, before: &[u8], after: &[u8]) -> Vec<u8> {
    let longer = after.len().saturating_sub(before.len());
    let len = match chance.below(4) {
        0 => after.len(),
        // A file's new length may be written before its content.
        _ => before.len() + chance.below(longer + 1),
    };
    let mut torn = vec![0; len];
    let often = 1 + chance.below(8);
    for (at, sector) in torn.chunks_mut(SECTOR_LEN).enumerate() {
        let from = if chance.below(8) < often { after } else { before };
        let found = from.get(at * SECTOR_LEN..).unwrap_or(&[]);
        let len = found.len().min(sector.len());
        sector[..len].copy_from_slice(&found[..len]);
    }
    torn
}

/// Returns what a disk may contain of a log after a power failure. A new header of the log is written and
/// synced separately.
pub(super) fn tear_log(chance: &mut Chance, before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut with_header = before.to_vec();
    if let (Some(old), Some(new)) = (with_header.get_mut(..LOG_HEADER_LEN), after.get(..LOG_HEADER_LEN)) {
        if old != new && chance.below(6) == 0 {
            return before.to_vec();
        }
        old.copy_from_slice(new);
    }
    if chance.below(12) == 0 {
        return with_header;
    }
    tear(chance, &with_header, after)
}
