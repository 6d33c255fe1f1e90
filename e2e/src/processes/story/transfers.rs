//! Watching transfers at the companion.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::asked::Fetch;
use super::world::World;
use crate::processes::patience::until;
use crate::processes::random;

/// The time for a whole transfer of the story.
const TRANSFER_LIMIT: Duration = Duration::from_mins(1);

/// One `transfer` event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) offset: u64,
    pub(crate) done: bool,
}

/// Reads a `transfer` event of one direction, and of one content if that is known.
pub(crate) fn progress(event: &Value, direction: &str, content: Option<&str>) -> Option<Progress> {
    let ours = event["event"] == "transfer"
        && event["direction"] == direction
        && content.is_none_or(|content| event["content"] == content);
    let offset = event["offset"].as_u64().filter(|_| ours)?;
    Some(Progress { offset, done: event["done"] == true })
}

impl World {
    /// Waits until a transfer is under way but not done, and returns how far it is.
    ///
    /// # Errors
    /// It does not move, or is done at once.
    pub(crate) fn wait_under_way(
        &mut self,
        mark: usize,
        direction: &str,
        content: Option<&str>,
    ) -> Result<u64> {
        let what = format!("a {direction} to be under way");
        let seen = self.web.process()?.wait(mark, &what, TRANSFER_LIMIT, |event| {
            progress(event, direction, content).filter(|seen| seen.offset > 0)
        })?;
        ensure!(!seen.done, "the {direction} was done before it could be interrupted");
        Ok(seen.offset)
    }

    /// Waits until a transfer is done, and returns the offset at which it was first seen from `mark` on.
    ///
    /// # Errors
    /// It is not done in time.
    pub(crate) fn wait_done(&mut self, mark: usize, direction: &str, content: Option<&str>) -> Result<u64> {
        let mut first = None;
        let what = format!("a {direction} to be done");
        self.web.process()?.wait(mark, &what, TRANSFER_LIMIT, |event| {
            let seen = progress(event, direction, content)?;
            first = first.or(Some(seen.offset));
            seen.done.then_some(())
        })?;
        first.context("a transfer without a first offset")
    }

    /// Asks for a fetch until its file lies there whole, starting what has ended; a fetch that goes on goes on.
    ///
    /// # Errors
    /// It is not there in time.
    pub(crate) fn finish_fetch(&mut self, fetch: &Fetch, sha256: &str) -> Result<()> {
        until(&format!("the companion to fetch {}", fetch.content), TRANSFER_LIMIT, || {
            self.ensure_running()?;
            self.ask_fetch(fetch)?;
            Ok((file_hash(&fetch.out)?.as_deref() == Some(sha256)).then_some(()))
        })
    }

    /// Waits until the file of a content id lies whole on the phone's disk.
    ///
    /// # Errors
    /// It is not there in time.
    pub(crate) fn wait_on_phone_disk(&mut self, content: &str, sha256: &str) -> Result<()> {
        let path = self.phone.dir().join("media").join(content);
        until(&format!("{} on the phone's disk", path.display()), TRANSFER_LIMIT, || {
            Ok((file_hash(&path)?.as_deref() == Some(sha256)).then_some(()))
        })
    }

    /// Returns the SHA-256 that the ledger has for a fetch.
    pub(crate) fn hash_of(&self, content: &str) -> Result<String> {
        let entry = self.ledger.entries().iter().find(|entry| entry["content"] == json!(content));
        let hash =
            entry.and_then(|entry| entry["sha256"].as_str()).context("a fetch that is not in the ledger")?;
        Ok(hash.to_owned())
    }
}

/// Returns the SHA-256 of a file, or nothing if there is none.
pub(crate) fn file_hash(path: &Path) -> Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(random::to_hex(&Sha256::digest(bytes)))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_transfer_that_is_meant_counts() {
        let event = json!({"event": "transfer", "direction": "get", "content": "ab", "offset": 7, "size": 9, "done": false});
        let seen = Some(Progress { offset: 7, done: false });
        assert_eq!(progress(&event, "get", None), seen);
        assert_eq!(progress(&event, "get", Some("ab")), seen);
        assert_eq!(progress(&event, "get", Some("cd")), None);
        assert_eq!(progress(&event, "put", None), None);
        assert_eq!(progress(&json!({"event": "message"}), "get", None), None);
    }
}
