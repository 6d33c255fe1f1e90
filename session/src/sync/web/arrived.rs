//! What has arrived at a companion, as the endpoint passes it to the application.

use alloc::vec::Vec;

use handfast_codec::frame::{Collection, Items, PageCursor};

/// A complete DELTA, joined from its parts.
#[derive(Debug)]
pub(crate) struct Delta {
    pub(crate) collection: Collection,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) items: Vec<Items>,
}

/// A page of a snapshot: `at` is its own cursor, `next` the cursor of the following page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) collection: Collection,
    pub(crate) at: PageCursor,
    pub(crate) next: PageCursor,
    pub(crate) rev: u64,
    pub(crate) items: Items,
}

/// An item for the endpoint to pass to the application.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// A DELTA whose rows must be stored with the new cursor.
    Delta(Delta),
    /// A page whose rows must be stored with the cursor from which the snapshot continues.
    Page(Page),
    /// A digest of the phone's rows, to be compared with the digest of the rows that are stored now.
    Digest { collection: Collection, cursor: u64, digest: [u8; 32] },
}

/// The result of comparing two digests.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Both sides have stored the same rows, and the cursor may move up to the digest's.
    Equal { moved: Option<u64> },
    /// The rows differ, so a snapshot will replace them.
    Repair,
    /// The rows still differ after three snapshots, so no other is fetched.
    GivenUp,
    /// The rows differ, but the subscription has ended. The next subscription compares again.
    Left,
}
