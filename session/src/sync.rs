//! The sync lane, which carries rows of the phone's change log by collection (spec, delivery, *Sync*).
//!
//! The phone's side requests rows, pages and digests from its application, one at a time and when there is
//! room; the companion's side joins parts, keeps cursors, compares digests, and replaces rows that differ by
//! a snapshot.
//!
//! Nothing here does I/O.

mod phone;
mod web;

pub(crate) use phone::{PhoneSync, Wanted};
pub(crate) use web::{Arrived, Compared, Delta, Page, WebSync};
