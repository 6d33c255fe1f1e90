//! Records of media: content that is complete, and uploads that are incomplete.

use handfast::codec::ids::{ContentId, MailboxId};
use handfast::media::ChunkList;
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError, sql, unsql};

/// Content that is complete on this phone's disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaRow {
    /// The content's length, in bytes.
    pub size: u64,
    /// The content's chunk list.
    pub list: ChunkList,
}

impl Store {
    /// Records that content is complete. Its file must be synced and have its final name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn put_media(&mut self, content: ContentId, list: &ChunkList) -> Result<(), StoreError> {
        self.begin()?;
        let _ = self.conn.execute(
            "INSERT OR IGNORE INTO media(content, size, chunks) VALUES(?1, ?2, ?3)",
            params![content.as_bytes(), sql(list.size()), list.encode()],
        )?;
        Ok(())
    }

    /// Returns the record of content, if the content is complete here.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn media(&self, content: ContentId) -> Result<Option<MediaRow>, StoreError> {
        let row: Option<(i64, Vec<u8>)> = self
            .conn
            .prepare_cached("SELECT size, chunks FROM media WHERE content = ?1")?
            .query_row([content.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(row.and_then(|(size, chunks)| {
            ChunkList::decode(&chunks).ok().map(|list| MediaRow { size: unsql(size), list })
        }))
    }

    /// Returns the ids of all complete content.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn media_ids(&self) -> Result<Vec<ContentId>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT content FROM media")?;
        let rows = query.query_map([], |row| row.get::<_, [u8; 32]>(0))?;
        Ok(rows.map(|row| row.map(ContentId::from_bytes)).collect::<Result<_, _>>()?)
    }

    /// Stores the chunk list of an upload. With it the upload can continue after a restart, and in a new
    /// stream.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn put_part(&mut self, link: MailboxId, list: &ChunkList) -> Result<(), StoreError> {
        self.begin()?;
        let _ = self.conn.execute(
            "INSERT OR REPLACE INTO parts(link, content, chunks) VALUES(?1, ?2, ?3)",
            params![link.as_bytes(), list.content_id().as_bytes(), list.encode()],
        )?;
        Ok(())
    }

    /// Returns the chunk list of an incomplete upload.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn part(&self, link: MailboxId, content: ContentId) -> Result<Option<ChunkList>, StoreError> {
        let row: Option<Vec<u8>> = self
            .conn
            .prepare_cached("SELECT chunks FROM parts WHERE link = ?1 AND content = ?2")?
            .query_row(params![link.as_bytes(), content.as_bytes()], |row| row.get(0))
            .optional()?;
        Ok(row.and_then(|chunks| ChunkList::decode(&chunks).ok()))
    }

    /// Returns the content ids of the incomplete uploads over a link, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn parts(&self, link: MailboxId) -> Result<Vec<ContentId>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT content FROM parts WHERE link = ?1 ORDER BY id")?;
        let rows = query.query_map([link.as_bytes()], |row| row.get::<_, [u8; 32]>(0))?;
        Ok(rows.map(|row| row.map(ContentId::from_bytes)).collect::<Result<_, _>>()?)
    }

    /// Deletes the record of an upload that has ended.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn forget_part(&mut self, link: MailboxId, content: ContentId) -> Result<(), StoreError> {
        self.begin()?;
        let _ = self.conn.execute(
            "DELETE FROM parts WHERE link = ?1 AND content = ?2",
            params![link.as_bytes(), content.as_bytes()],
        )?;
        Ok(())
    }
}
