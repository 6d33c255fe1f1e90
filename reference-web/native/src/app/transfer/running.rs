//! Transfers under way, and what becomes of one whose stream is over.

use handfast::Timestamp;
use handfast::codec::limits::MEDIA_CHUNK_LEN;
use handfast::media::list_len;
use handfast_programs::PartCheck;

use super::content::Way;
use crate::store::{Direction, Transfer, TransferState};

/// A transfer whose stream is open.
#[derive(Debug)]
pub(in crate::app) struct Running {
    pub(in crate::app::transfer) row: Transfer,
    pub(in crate::app::transfer) way: Way,
}

/// What is under way of some content, when it is looked at before its stream is opened.
#[derive(Debug)]
pub(in crate::app) struct Check {
    /// The transfer.
    pub(in crate::app::transfer) row: u64,
    pub(in crate::app::transfer) part: PartCheck,
    /// When the next step is due.
    pub(in crate::app) due: Timestamp,
}

/// A transfer whose stream is over waits for a new one. What the phone reported of a put stays sent; what is here of
/// content to be fetched is checked before its next stream is opened.
pub(in crate::app) fn requeue(row: &mut Transfer) {
    if row.direction == Direction::Put
        && let Some(size) = row.size
    {
        let reported = row.base.saturating_add(row.offset.saturating_sub(list_len(size)));
        let sent = reported.min(size.saturating_sub(1));
        row.base = sent - sent % MEDIA_CHUNK_LEN;
    }
    row.state = TransferState::Queued;
    row.stream = None;
    row.offset = 0;
}
