//! Pages of a snapshot of a collection, and its digest.

use bytes::Bytes;
use handfast::codec::frame::{Collection, PageCursor, Row, RowId};
use handfast::codec::limits::CHAT_WINDOW;
use handfast::session::{RowDigest, RowList};
use handfast_messages::CollectionName;
use rusqlite::params;

use super::{ChatRow, Store, StoreError, chats, companions, messages, sql, unsql};

/// A page, as `Endpoint::page` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an answer")]
pub struct PageRows {
    /// The newest revision when the first page was made.
    pub rev: u64,
    /// The next page; empty after the last.
    pub next: PageCursor,
    /// The rows.
    pub items: Vec<Bytes>,
}

impl PageRows {
    /// A collection without rows.
    #[must_use]
    pub fn empty(rev: u64) -> Self {
        Self { rev, next: PageCursor::default(), items: Vec::new() }
    }
}

/// Where a page begins: behind the row that sorts with these numbers, newest first.
///
/// It counts by what rows are, never by a clock or a position in a list, so that a page comes out the same however late
/// it is asked for again, and a row that moves meanwhile is newer than `rev` and comes as a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    rev: u64,
    /// The chat's newest message, or the message, or the companion's serial.
    message: u64,
    /// The chat; 0 in other lists than that of chats.
    chat: u64,
}

impl Place {
    fn cursor(self) -> PageCursor {
        let numbers = [self.rev, self.message, self.chat].map(u64::to_be_bytes);
        PageCursor::new(Bytes::from(numbers.concat())).unwrap_or_default()
    }

    fn read(page: &PageCursor, newest: u64) -> Option<Self> {
        if page.as_bytes().is_empty() {
            return Some(Self { rev: newest, message: u64::MAX, chat: u64::MAX });
        }
        let numbers = <[u8; 24]>::try_from(&page.as_bytes()[..]).ok()?;
        let mut numbers = numbers.chunks_exact(8).filter_map(|n| n.try_into().ok()).map(u64::from_be_bytes);
        let place = Self { rev: numbers.next()?, message: numbers.next()?, chat: numbers.next()? };
        (place.rev <= newest).then_some(place)
    }
}

impl Store {
    /// A page of a collection with at most `budget` bytes of rows; none when the cursor cannot be read, or is of a log
    /// that no longer reaches back to it. A collection that is not known has no rows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn page(
        &self,
        collection: &Collection,
        page: &PageCursor,
        budget: usize,
    ) -> Result<Option<PageRows>, StoreError> {
        // req: SYN-012, SYN-014, SYN-026
        let place = Place::read(page, self.rev()).filter(|place| place.rev >= self.floor());
        let Some(place) = place else { return Ok(None) };
        match CollectionName::decode(collection) {
            Some(CollectionName::Chats) => {
                let mut query = self.conn.prepare_cached(&format!(
                    "SELECT {} FROM chats WHERE (last_message, chat) < (?1, ?2)
                     ORDER BY last_message DESC, chat DESC",
                    chats::COLUMNS
                ))?;
                let rows = query.query_map([sql(place.message), sql(place.chat)], |row| {
                    ChatRow::read(row).map(|chat| (chat.row(), chat.last_message, chat.chat))
                })?;
                fill(rows, place.rev, budget).map(Some)
            }
            Some(CollectionName::Messages(chat)) => {
                let mut query = self.conn.prepare_cached(&format!(
                    "SELECT {} FROM messages WHERE chat = ?1 AND id < ?2 AND id >= ?3 AND deleted = 0
                     ORDER BY id DESC",
                    messages::COLUMNS
                ))?;
                let range = params![sql(chat), sql(place.message), sql(self.oldest_of(chat)?)];
                let rows = query.query_map(range, |row| {
                    self.read_message(row).map(|stored| (stored.row(), stored.message.message, 0))
                })?;
                fill(rows, place.rev, budget).map(Some)
            }
            Some(CollectionName::Companions) => {
                let mut query = self.conn.prepare_cached(&format!(
                    "SELECT {}, rev FROM companions WHERE serial < ?1 AND {} ORDER BY serial DESC",
                    companions::COLUMNS,
                    companions::LISTED
                ))?;
                let rows = query.query_map([sql(place.message)], |row| {
                    Ok((companions::read_row(row)?, unsql(row.get(2)?), 0))
                })?;
                fill(rows, place.rev, budget).map(Some)
            }
            // The changes are no rows to be had from the beginning: their snapshot tells the revision alone.
            // req: MSG-062
            _ => Ok(Some(PageRows::empty(place.rev))),
        }
    }

    /// The digest of a collection, over the rows as they are durable.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn digest(&self, collection: &Collection) -> Result<RowDigest, StoreError> {
        // req: SYN-015
        match CollectionName::decode(collection) {
            Some(CollectionName::Chats) => {
                let mut query = self.conn.prepare_cached("SELECT chat, rev FROM chats")?;
                Ok(sum(query.query([])?)?)
            }
            Some(CollectionName::Messages(chat)) => {
                let mut query = self.conn.prepare_cached(
                    "SELECT id, rev FROM messages INDEXED BY messages_live WHERE chat = ?1 AND deleted = 0
                     ORDER BY id DESC LIMIT ?2",
                )?;
                Ok(sum(query.query([sql(chat), sql(CHAT_WINDOW)])?)?)
            }
            Some(CollectionName::Companions) => {
                let listed = format!("SELECT serial, rev FROM companions WHERE {}", companions::LISTED);
                let mut query = self.conn.prepare_cached(&listed)?;
                Ok(sum(query.query([])?)?)
            }
            // req: MSG-063
            _ => Ok(RowDigest::default()),
        }
    }
}

/// The digest of rows of id and revision.
fn sum(mut rows: rusqlite::Rows<'_>) -> rusqlite::Result<RowDigest> {
    let mut digest = RowDigest::default();
    while let Some(row) = rows.next()? {
        digest.add(&RowId::from_number(unsql(row.get(0)?)), unsql(row.get(1)?));
    }
    Ok(digest)
}

/// Rows in order, while they fit; each with its place.
fn fill(
    rows: impl Iterator<Item = rusqlite::Result<(Row, u64, u64)>>,
    rev: u64,
    budget: usize,
) -> Result<PageRows, StoreError> {
    let mut page = PageRows::empty(rev);
    let (mut list, mut last) = (RowList::new(budget), None);
    for row in rows {
        let (row, message, chat) = row?;
        if !list.push(&row) {
            page.next = last.map(Place::cursor).unwrap_or_default();
            break;
        }
        last = Some(Place { rev, message, chat });
    }
    page.items = list.into_items();
    Ok(page)
}
