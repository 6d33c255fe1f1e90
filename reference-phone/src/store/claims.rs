//! Claims: content that was uploaded and that no message refers to yet belongs to its link, for a limited
//! time and within a quota.

use handfast::codec::ids::{CompanionId, ContentId, MailboxId};
use rusqlite::params;

use super::{Store, StoreError, sql, unsql};

/// How much content of a link there is that no message refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an answer")]
pub struct Claimed {
    /// The number of pieces of content.
    pub count: u64,
    /// The total length of the content, in bytes.
    pub len: u64,
}

impl Store {
    /// Records that a link uploaded content, or offered content that is already here. The content is then
    /// kept for the link until a message refers to it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn claim(&mut self, link: MailboxId, content: ContentId, now_ms: u64) -> Result<(), StoreError> {
        if self.is_named(content)? {
            return Ok(());
        }
        self.begin()?;
        let _ = self
            .conn
            .prepare_cached("INSERT OR IGNORE INTO claims(link, content, since_ms) VALUES(?1, ?2, ?3)")?
            .execute(params![link.as_bytes(), content.as_bytes(), sql(now_ms)])?;
        Ok(())
    }

    /// Returns whether a message refers to the content.
    fn is_named(&self, content: ContentId) -> Result<bool, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT 1 FROM messages WHERE content = ?1")?;
        Ok(query.exists([content.as_bytes()])?)
    }

    /// Returns whether a link may fetch content: a message refers to it, or it was uploaded over the link.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn may_have(&self, link: MailboxId, content: ContentId) -> Result<bool, StoreError> {
        // req: STR-033
        let mut query = self.conn.prepare_cached("SELECT 1 FROM claims WHERE link = ?1 AND content = ?2")?;
        Ok(self.is_named(content)? || query.exists(params![link.as_bytes(), content.as_bytes()])?)
    }

    /// Returns whether a companion may send content in a message, by the rule of [`Store::may_have`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn may_send(&self, companion: CompanionId, content: ContentId) -> Result<bool, StoreError> {
        // req: STR-033
        let mut query = self.conn.prepare_cached(
            "SELECT 1 FROM claims JOIN companions USING(link) WHERE companion = ?1 AND content = ?2",
        )?;
        Ok(self.is_named(content)? || query.exists(params![companion.as_bytes(), content.as_bytes()])?)
    }

    /// Returns the amount of a link's complete content that no message refers to.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn claimed(&self, link: MailboxId) -> Result<Claimed, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT count(*), coalesce(sum(size), 0) FROM claims JOIN media USING(content) WHERE link = ?1",
        )?;
        Ok(query.query_row([link.as_bytes()], |row| {
            Ok(Claimed { count: unsql(row.get(0)?), len: unsql(row.get(1)?) })
        })?)
    }

    /// Ends all links' claims on this content, because a message refers to it.
    pub(super) fn name_content(&mut self, content: ContentId) -> Result<(), StoreError> {
        let _ = self
            .conn
            .prepare_cached("DELETE FROM claims WHERE content = ?1")?
            .execute([content.as_bytes()])?;
        Ok(())
    }

    /// Ends a link's claims on content that no message refers to. Returns the content that may be deleted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn drop_claims(&mut self, link: MailboxId) -> Result<Vec<ContentId>, StoreError> {
        self.drop_claims_where("link = ?1", params![link.as_bytes()])
    }

    /// Ends all claims from before a time. Returns the content that may be deleted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn drop_claims_before(&mut self, since_ms: u64) -> Result<Vec<ContentId>, StoreError> {
        self.drop_claims_where("since_ms <= ?1", params![sql(since_ms)])
    }

    /// Moves the times of all claims by `by_ms`, because the wall clock was set while the phone ran.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn shift_claims(&mut self, by_ms: i64) -> Result<(), StoreError> {
        self.begin()?;
        let _ = self
            .conn
            .prepare_cached("UPDATE claims SET since_ms = max(0, since_ms + ?1)")?
            .execute([by_ms])?;
        Ok(())
    }

    /// Returns the time of the oldest claim, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn oldest_claim(&self) -> Result<Option<u64>, StoreError> {
        self.oldest_claim.get(&self.conn, || {
            let mut query = self.conn.prepare_cached("SELECT min(since_ms) FROM claims")?;
            Ok(query.query_row([], |row| row.get::<_, Option<i64>>(0))?.map(unsql))
        })
    }

    fn drop_claims_where(
        &mut self,
        which: &str,
        of: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<ContentId>, StoreError> {
        self.begin()?;
        let mut query =
            self.conn.prepare_cached(&format!("DELETE FROM claims WHERE {which} RETURNING content"))?;
        let rows = query.query_map(of, |row| row.get::<_, [u8; 32]>(0))?;
        let contents = rows.collect::<Result<Vec<_>, _>>()?;
        drop(query);
        let mut gone = Vec::new();
        for content in contents {
            let sql_text = "DELETE FROM media WHERE content = ?1
                AND NOT EXISTS (SELECT 1 FROM messages WHERE content = ?1)
                AND NOT EXISTS (SELECT 1 FROM claims WHERE content = ?1)";
            if self.conn.prepare_cached(sql_text)?.execute([content])? > 0 {
                gone.push(ContentId::from_bytes(content));
            }
        }
        Ok(gone)
    }

    /// Returns the content id and full size of each incomplete upload over a link.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn part_sizes(&self, link: MailboxId) -> Result<Vec<(ContentId, u64)>, StoreError> {
        // A chunk list begins with the content's size, 8 bytes.
        let mut query = self
            .conn
            .prepare_cached("SELECT content, substr(chunks, 1, 8) FROM parts WHERE link = ?1 ORDER BY id")?;
        let rows = query.query_map([link.as_bytes()], |row| {
            let size: Vec<u8> = row.get(1)?;
            let size = <[u8; 8]>::try_from(size.as_slice()).map_or(0, u64::from_be_bytes);
            Ok((ContentId::from_bytes(row.get(0)?), size))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
