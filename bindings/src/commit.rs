//! Commits as flat lists of writes, for the store of another language.

use std::collections::VecDeque;

use handfast::session::{Commit as Open, LinkRows, Op, VERSION_KEY, is_secret};
use zeroize::Zeroizing;

use crate::Refusal;

/// A stored row of a link.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct LinkRow {
    /// The key, 1 to 64 bytes.
    pub key: Vec<u8>,
    /// The value. It may be a secret.
    pub value: Vec<u8>,
}

impl core::fmt::Debug for LinkRow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LinkRow").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Writes that must become durable together, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Commit {
    /// The number for [`Input::Committed`](crate::Input::Committed).
    pub id: u64,
    /// The link whose rows are written: the id of its mailbox.
    pub link: Vec<u8>,
    /// The key of the row that counts the link's commits.
    pub version_key: Vec<u8>,
    /// What that row must have before the writes; absent if there must be none. If it has anything else, another program
    /// uses the store: write nothing, and drop the machine.
    pub expects: Option<Vec<u8>>,
    /// The writes, in order; among them the next value of the version row.
    pub writes: Vec<Write>,
}

/// One write to the rows of a link.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Write {
    /// Stores a value under a key, in place of what was there.
    Put {
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
        /// Whether the value is a secret, which a store should wrap with a key of the device.
        is_secret: bool,
    },
    /// Removes a key, if it is there.
    Delete {
        /// The key.
        key: Vec<u8>,
    },
    /// Removes every key from `first` to before `end`, as bytes are ordered.
    DeleteRange {
        /// The first key of the range.
        first: Vec<u8>,
        /// The first key after the range.
        end: Vec<u8>,
    },
}

impl core::fmt::Debug for Write {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Put { key, value, .. } => write!(f, "Put({key:02x?}, {} bytes)", value.len()),
            Self::Delete { key } => write!(f, "Delete({key:02x?})"),
            Self::DeleteRange { first, end } => write!(f, "DeleteRange({first:02x?}..{end:02x?})"),
        }
    }
}

/// The commits that the program has and that are not durable yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    open: VecDeque<(u64, Open)>,
    last: u64,
}

impl Journal {
    /// Converts a commit for the program. It is open from now on.
    pub(crate) fn write(&mut self, commit: Open) -> Commit {
        self.last = self.last.saturating_add(1);
        let expects = commit.expects();
        let written = Commit {
            id: self.last,
            link: commit.link().as_bytes().to_vec(),
            version_key: VERSION_KEY.to_vec(),
            expects: (expects > 0).then(|| expects.to_be_bytes().to_vec()),
            writes: commit.writes().iter().map(write).collect(),
        };
        self.open.push_back((self.last, commit));
        written
    }

    /// Takes out the oldest open commit, which has just become durable.
    ///
    /// # Errors
    /// Another one, or none, is the oldest.
    pub(crate) fn take(&mut self, id: u64) -> Result<Open, Refusal> {
        if self.open.front().is_none_or(|(oldest, _)| *oldest != id) {
            return Err(out_of_order());
        }
        self.open.pop_front().map(|(_, commit)| commit).ok_or_else(out_of_order)
    }
}

fn out_of_order() -> Refusal {
    Refusal::new("WRONG_STATE", "commits are reported once each and in their order")
}

fn write(op: &Op) -> Write {
    match op {
        Op::Put { key, value } => {
            Write::Put { key: key.clone(), value: value.to_vec(), is_secret: is_secret(key) }
        }
        Op::Delete { key } => Write::Delete { key: key.clone() },
        Op::DeleteRange { from, to } => Write::DeleteRange { first: from.clone(), end: to.clone() },
    }
}

/// Converts the stored rows of a link.
pub(crate) fn link_rows(rows: Vec<LinkRow>) -> LinkRows {
    rows.into_iter().map(|row| (row.key, Zeroizing::new(row.value))).collect()
}
