//! Commits as lists of writes, for stores that apply writes asynchronously.

use core::convert::Infallible;
use std::collections::VecDeque;

use handfast_codec::ids::MailboxId;
use handfast_session::{Commit, CommitError, CommitId, StoreTxn, VERSION_KEY, is_secret};
use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::js_object::{bytes, object};

/// The version that the store will have once all commits returned so far are applied, and the commits that
/// are not durable yet.
#[derive(Debug, Default)]
pub(super) struct Journal {
    version: Option<Vec<u8>>,
    open: VecDeque<CommitId>,
}

/// A transaction that collects the writes of one commit.
struct Writing<'a> {
    version: &'a mut Option<Vec<u8>>,
    writes: Array,
}

impl Journal {
    /// Creates the journal of a store that is at this version.
    pub(super) fn at(version: Option<&[u8]>) -> Self {
        Self { version: version.map(<[u8]>::to_vec), open: VecDeque::new() }
    }

    /// Returns the id of the oldest open commit, which has just become durable.
    ///
    /// # Errors
    /// No commit is open.
    pub(super) fn take_oldest(&mut self) -> Result<CommitId, JsError> {
        self.open.pop_front().ok_or_else(|| JsError::new("no commit is open"))
    }

    /// Converts a commit into a list of writes. The commit is open from now on.
    ///
    /// # Errors
    /// The machine was loaded from other rows than this journal.
    pub(super) fn write(&mut self, commit: &Commit) -> Result<JsValue, JsError> {
        self.open.push_back(commit.id());
        let expects = self.version.clone();
        let mut writing = Writing { version: &mut self.version, writes: Array::new() };
        commit.apply(&mut writing).map_err(|error| match error {
            CommitError::Conflict { expected, found } => {
                JsError::new(&format!("the machine expects version {expected}, the journal is at {found}"))
            }
            _ => JsError::new("the commit cannot be written down"),
        })?;
        let mut fields = vec![
            ("id", JsValue::from(commit.id().get())),
            ("link", JsValue::from(commit.link().to_string())),
            ("versionKey", bytes(VERSION_KEY)),
            ("writes", writing.writes.into()),
        ];
        fields.extend(expects.map(|version| ("expects", bytes(&version))));
        Ok(object(&fields))
    }
}

impl StoreTxn for Writing<'_> {
    type Error = Infallible;

    fn read(&mut self, _: MailboxId, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        // A commit reads nothing but the store's version.
        Ok(self.version.clone().filter(|_| key == VERSION_KEY))
    }

    fn put(&mut self, _: MailboxId, key: &[u8], value: &[u8]) -> Result<(), Infallible> {
        if key == VERSION_KEY {
            *self.version = Some(value.to_vec());
        }
        let secret = is_secret(key).then_some(("secret", JsValue::TRUE));
        let mut row = vec![("key", bytes(key)), ("value", bytes(value))];
        row.extend(secret);
        let _ = self.writes.push(&object(&row));
        Ok(())
    }

    fn delete(&mut self, _: MailboxId, key: &[u8]) -> Result<(), Infallible> {
        let _ = self.writes.push(&object(&[("key", bytes(key))]));
        Ok(())
    }

    fn delete_range(&mut self, _: MailboxId, from: &[u8], to: &[u8]) -> Result<(), Infallible> {
        let _ = self.writes.push(&object(&[("from", bytes(from)), ("to", bytes(to))]));
        Ok(())
    }
}
