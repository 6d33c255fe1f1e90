//! Transfers whose streams are open, and how a transfer is queued again.

use handfast::Timestamp;
use handfast::codec::limits::MEDIA_CHUNK_LEN;
use handfast::content_files::PartAndList;
use handfast::media::{Incoming, list_len};
use handfast_programs::PartCheck;

use super::content::Way;
use crate::store::{Direction, Transfer, TransferState};

/// A transfer whose stream is open.
#[derive(Debug)]
pub(in crate::app) struct Running {
    pub(in crate::app::transfer) row: Transfer,
    pub(in crate::app::transfer) way: Way,
}

impl Running {
    pub(in crate::app::transfer) fn as_get(&self) -> Option<&Incoming<PartAndList>> {
        match &self.way {
            Way::Get(get) => Some(get),
            Way::Put(_) => None,
        }
    }
}

/// The check of a partly fetched file, before its stream is opened.
#[derive(Debug)]
pub(in crate::app) struct Check {
    /// The id of the transfer that fetches the file.
    pub(in crate::app::transfer) row: u64,
    pub(in crate::app::transfer) part: PartCheck,
    /// When the next step of the check is due.
    pub(in crate::app) due: Timestamp,
}

/// Queues a transfer for a new stream, because its stream has ended. The bytes of a put that the phone
/// reported as durable need not be sent again. The partly fetched content of a get is checked before its next
/// stream is opened.
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
