//! The pages of a collection's snapshot, and its digest.

use bytes::Bytes;
use handfast::codec::frame::{Collection, PageCursor, Row, RowId};
use handfast::codec::limits::CHAT_WINDOW;
use handfast::session::{RowDigest, RowList};
use handfast_messages::CollectionName;
use handfast_programs::chats::ChatRow;
use rusqlite::params;

use super::delta::chat_row;
use super::{Store, StoreError, companions, messages, sql, unsql};

/// A page, in the form that `PhoneEndpoint::provide_page` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an answer")]
pub struct PageRows {
    /// The phone's newest revision when the snapshot's first page was made.
    pub rev: u64,
    /// The cursor of the next page; empty after the last page.
    pub next: PageCursor,
    /// The rows of the page.
    pub items: Vec<Bytes>,
}

impl PageRows {
    /// Returns the only page of an empty collection, which has no rows.
    #[must_use]
    pub fn empty(rev: u64) -> Self {
        Self { rev, next: PageCursor::default(), items: Vec::new() }
    }
}

/// The position at which a page of a snapshot begins: after the row with these numbers, newest first.
///
/// The position consists of properties of that row, not of a time or a list index, so a repeated request
/// returns the same page. A row that moves during the snapshot is newer than `rev`, and is sent as a change
/// later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    rev: u64,
    /// Depending on the collection: the id of the chat's newest message, the message's id, or the companion's
    /// serial number.
    message: u64,
    /// The chat's id in the collection of chats; 0 in all others.
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
    /// Returns a page of a collection with at most `budget` bytes of rows. Returns `None` when the page's
    /// cursor cannot be read, or is from before the revision from which the log is complete. An unknown
    /// collection has no rows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
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
                    ChatRow::COLUMNS
                ))?;
                let rows = query.query_map([sql(place.message), sql(place.chat)], |row| {
                    let chat = ChatRow::read(row)?;
                    let (message, number) = (chat.last_message, chat.chat);
                    Ok((chat_row(chat), message, number))
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
            // Changes of older messages cannot be read from the beginning, so a snapshot of them has no rows
            // and only reports the revision.
            // req: MSG-062
            _ => Ok(Some(PageRows::empty(place.rev))),
        }
    }

    /// Returns the digest of a collection's durable rows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
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

/// Returns the digest of rows. Each row of the query consists of an id and a revision.
fn sum(mut rows: rusqlite::Rows<'_>) -> rusqlite::Result<RowDigest> {
    let mut digest = RowDigest::default();
    while let Some(row) = rows.next()? {
        digest.add(&RowId::from_number(unsql(row.get(0)?)), unsql(row.get(1)?));
    }
    Ok(digest)
}

/// Collects rows in order, as many as fit the budget. Each row of the query comes with its position.
fn fill(
    rows: impl Iterator<Item = rusqlite::Result<(Row, u64, u64)>>,
    rev: u64,
    budget: usize,
) -> Result<PageRows, StoreError> {
    let mut page = PageRows::empty(rev);
    let (mut items, mut last) = (RowList::new(budget), None);
    for row in rows {
        let (row, message, chat) = row?;
        if !items.push(&row) {
            page.next = last.map(Place::cursor).unwrap_or_default();
            break;
        }
        last = Some(Place { rev, message, chat });
    }
    page.items = items.into_items();
    Ok(page)
}
