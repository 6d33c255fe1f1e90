//! The sync lane, which carries rows of the phone's change log by collection (spec, delivery, *Sync*).
//!
//! The phone's side requests rows, pages and digests from its application, one at a time and when the queue
//! has room. The companion's side joins parts, keeps cursors and compares digests. When rows differ, it
//! replaces them with a snapshot.
//!
//! Nothing here does I/O.

mod phone;
mod web;

pub(crate) use phone::{PhoneSync, Wanted};
pub(crate) use web::{Arrived, Compared, Delta, Page, WebSync};
