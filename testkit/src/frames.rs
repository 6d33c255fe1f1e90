//! Frames of small numbers.

use bytes::Bytes;
use handfast_codec::frame::{Collection, Frame, Items, OpenKind, Row, RowId};

use crate::commands;

/// A message that is one command, of a command's small numbers.
pub fn command(seq: u64, number: u8, floor: u8) -> Frame {
    Frame::Msg { seq, part: 0, last: 0, body: commands::command(number, floor, b"x") }
}

pub fn open(id: u64, kind: OpenKind) -> Frame {
    Frame::Open { id, kind, meta: Bytes::from_static(b"file") }
}

pub fn data(id: u64, offset: u64, len: usize) -> Frame {
    Frame::Data { id, offset, body: Bytes::from(vec![7; len]) }
}

/// The collection that a test calls by this number.
pub fn collection(n: usize) -> Collection {
    Collection::new(&[u8::try_from(n).unwrap()]).unwrap()
}

/// A part of a delta, with one row of collection 0.
pub fn delta(from: u64, to: u64, part: u8, last: u8) -> Frame {
    let items =
        Items::build([Row { id: RowId::from_number(to), rev: to, body: "row".into() }.encode()]).unwrap();
    Frame::Delta { collection: collection(0), from, to, part, last, items }
}
