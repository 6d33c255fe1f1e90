//! The keys of a tether's entries: a byte that says what it is of, and then what it belongs to.

use handfast_codec::frame::Collection;
use handfast_codec::ids::{ContentId, MailboxId};

/// The machine's row of a link: the link's id, the row's key.
const LINK: u8 = 1;
/// A row of a collection: the length of the collection's name, the name, the row's id. Its value is the number of
/// the snapshot that had it last, its revision, and its body.
const ROW: u8 = 2;
/// The row that has this revision: the length of the collection's name, the name, the revision. Its value is the
/// row's id.
const REVISION: u8 = 3;
/// The newest revision of all collections.
const NEWEST: u8 = 4;
/// The number of snapshots of a collection that have begun.
const SNAPSHOTS: u8 = 5;
/// Content: 1 if all of it is here, else 0, and its chunk list.
const CONTENT: u8 = 6;
/// A path to which content is to go: the content's id, the number of the wish. Its value is the path.
const WANTED: u8 = 7;
/// Content that is to be put at the peer.
const OFFERED: u8 = 8;
/// The time when a link was loaded first, in seconds since 1970.
const SINCE: u8 = 9;
/// The serial number of the newest companion.
const SERIAL: u8 = 10;
/// A peer's key that no later link may use.
const USED_KEY: u8 = 11;
/// A secret of the account, by its name.
const SECRET: u8 = 12;
/// An entry of the application.
const APPLICATION: u8 = 13;

fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[kind], parts.concat().as_slice()].concat()
}

/// Returns the first key that does not begin with `prefix`, in the order of keys.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while end.pop_if(|last| *last == u8::MAX).is_some() {}
    if let Some(last) = end.last_mut() {
        *last = last.saturating_add(1);
    }
    end
}

/// Returns the first key after `key`, in the order of keys.
pub(super) fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

pub(super) fn links() -> Vec<u8> {
    key(LINK, &[])
}

pub(super) fn link(link: MailboxId, row: &[u8]) -> Vec<u8> {
    key(LINK, &[link.as_bytes(), row])
}

fn of_collection(kind: u8, collection: &Collection, rest: &[u8]) -> Vec<u8> {
    let name = collection.as_bytes();
    // A name has at most 32 bytes.
    let len = u8::try_from(name.len()).unwrap_or(u8::MAX);
    key(kind, &[&[len], name, rest])
}

pub(super) fn row(collection: &Collection, id: &[u8]) -> Vec<u8> {
    of_collection(ROW, collection, id)
}

pub(super) fn revision(collection: &Collection, rev: u64) -> Vec<u8> {
    of_collection(REVISION, collection, &rev.to_be_bytes())
}

pub(super) fn revisions(collection: &Collection) -> Vec<u8> {
    of_collection(REVISION, collection, &[])
}

pub(super) fn newest() -> Vec<u8> {
    key(NEWEST, &[])
}

pub(super) fn snapshots(collection: &Collection) -> Vec<u8> {
    of_collection(SNAPSHOTS, collection, &[])
}

pub(super) fn content(content: ContentId) -> Vec<u8> {
    key(CONTENT, &[content.as_bytes()])
}

pub(super) fn all_wanted() -> Vec<u8> {
    key(WANTED, &[])
}

pub(super) fn wishes(content: ContentId) -> Vec<u8> {
    key(WANTED, &[content.as_bytes()])
}

pub(super) fn wanted(content: ContentId, number: u64) -> Vec<u8> {
    key(WANTED, &[content.as_bytes(), &number.to_be_bytes()])
}

pub(super) fn all_offered() -> Vec<u8> {
    key(OFFERED, &[])
}

pub(super) fn offered(content: ContentId) -> Vec<u8> {
    key(OFFERED, &[content.as_bytes()])
}

pub(super) fn all_since() -> Vec<u8> {
    key(SINCE, &[])
}

pub(super) fn since(link: MailboxId) -> Vec<u8> {
    key(SINCE, &[link.as_bytes()])
}

pub(super) fn serial() -> Vec<u8> {
    key(SERIAL, &[])
}

pub(super) fn all_used_keys() -> Vec<u8> {
    key(USED_KEY, &[])
}

pub(super) fn used_key(peer: &[u8; 32]) -> Vec<u8> {
    key(USED_KEY, &[peer])
}

pub(super) fn secret(name: &str) -> Vec<u8> {
    key(SECRET, &[name.as_bytes()])
}

pub(super) fn application(name: &[u8]) -> Vec<u8> {
    key(APPLICATION, &[name])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_prefix_is_the_next_key_without_it() {
        for (prefix, end) in [(&[7][..], &[8][..]), (&[7, 0xff], &[8]), (&[7, 1, 0xff, 0xff], &[7, 2])] {
            assert_eq!(end_of(prefix), end);
        }
        assert!(after(vec![7]) > vec![7] && after(vec![7]) <= vec![7, 0]);
    }
}
