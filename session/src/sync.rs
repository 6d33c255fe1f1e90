//! The sync lane: rows of the phone's change log, by collection (spec, delivery, *Sync*).
//!
//! The phone's side asks its application for rows, pages and digests, one thing at a time and when there is room; the
//! web's side joins parts, keeps cursors, compares digests and mends what differs by a snapshot.
//!
//! May touch: nothing outside memory.

mod phone;
mod web;

pub(crate) use phone::{PhoneSync, Wanted};
pub(crate) use web::{Arrived, Compared, Delta, Page, WebSync};
