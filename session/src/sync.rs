//! The sync lane, which carries rows of the phone's change log by collection (spec, delivery, *Sync*).
//!
//! The phone's side requests rows, pages and digests from its application, one at a time and when the queue
//! has room. The companion's side joins parts, keeps cursors and compares digests. When rows differ, it
//! replaces them with a snapshot.
//!
//! Nothing here does I/O.

mod phone;
mod web;

use alloc::vec::Vec;

use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, Frame};
use handfast_codec::record::RecordBuilder;

use crate::output::SyncEvent;

pub(crate) use phone::PhoneSync;
pub(crate) use web::{Arrived, Compared, Delta, Page, WebSync};

/// One side of the sync lane, as an endpoint of either role uses it.
pub(crate) trait SyncLane {
    /// Returns the revision for the resume block.
    fn rev(&self) -> u64;

    /// Returns the revision for a PING: 0 where no rows are sent.
    fn ping_rev(&self) -> u64 {
        0
    }

    /// Records that the peer has sent or skipped everything up to the revision of its PING.
    fn on_ping(&mut self, _rev: u64) {}

    /// Handles a frame of the lane. Returns what the application must be told.
    fn on_frame(&mut self, frame: Frame) -> Result<Option<SyncEvent>, ErrorCode>;

    /// Handles the peer's acknowledgement of a collection up to `cursor`.
    fn ack(&mut self, _collection: &Collection, _cursor: u64) -> Result<(), ErrorCode> {
        Err(ErrorCode::FRAME_NOT_ALLOWED)
    }

    /// Returns the next request to the application, if there is one.
    fn ask(&mut self) -> Option<SyncEvent> {
        None
    }

    /// Returns the cursors for an ACK, and clears the list of them.
    fn take_acks(&mut self) -> Vec<(Collection, u64)> {
        Vec::new()
    }

    /// Returns whether frames wait to be sent.
    fn wants_to_send(&self) -> bool;

    /// Adds the frames that wait to a record, as far as they fit.
    fn fill(&mut self, record: &mut RecordBuilder);
}
