//! What is known of media: whole content, and uploads under way.

use handfast::codec::ids::{ContentId, MailboxId};
use handfast::session::media::ChunkList;
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError, sql, unsql};

/// Content that is whole on this phone's disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaRow {
    /// Its length, in bytes.
    pub size: u64,
    /// Its chunk list.
    pub list: ChunkList,
}

impl Store {
    /// Notes that content is whole: its file is synced and has its final name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn put_media(&mut self, content: ContentId, list: &ChunkList) -> Result<(), StoreError> {
        self.begin()?;
        let _ = self.conn.execute(
            "INSERT OR IGNORE INTO media(content, size, chunks) VALUES(?1, ?2, ?3)",
            params![content.as_bytes(), sql(list.size()), list.encode()],
        )?;
        Ok(())
    }

    /// Content, if it is whole here.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
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

    /// The ids of all whole content.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn media_ids(&self) -> Result<Vec<ContentId>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT content FROM media")?;
        let rows = query.query_map([], |row| row.get::<_, [u8; 32]>(0))?;
        Ok(rows.map(|row| row.map(ContentId::from_bytes)).collect::<Result<_, _>>()?)
    }

    /// Keeps the chunk list of an upload, so that it can go on after a restart.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn put_upload(
        &mut self,
        link: MailboxId,
        stream: u64,
        content: ContentId,
        list: &ChunkList,
    ) -> Result<(), StoreError> {
        self.begin()?;
        let _ = self.conn.execute(
            "INSERT OR REPLACE INTO uploads(link, stream, content, chunks) VALUES(?1, ?2, ?3, ?4)",
            params![link.as_bytes(), sql(stream), content.as_bytes(), list.encode()],
        )?;
        Ok(())
    }

    /// The chunk list of an upload.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn upload(&self, link: MailboxId, stream: u64) -> Result<Option<ChunkList>, StoreError> {
        let row: Option<Vec<u8>> = self
            .conn
            .prepare_cached("SELECT chunks FROM uploads WHERE link = ?1 AND stream = ?2")?
            .query_row(params![link.as_bytes(), sql(stream)], |row| row.get(0))
            .optional()?;
        Ok(row.and_then(|chunks| ChunkList::decode(&chunks).ok()))
    }

    /// Forgets an upload that ended.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn forget_upload(&mut self, link: MailboxId, stream: u64) -> Result<(), StoreError> {
        self.begin()?;
        let _ = self.conn.execute(
            "DELETE FROM uploads WHERE link = ?1 AND stream = ?2",
            params![link.as_bytes(), sql(stream)],
        )?;
        Ok(())
    }
}
