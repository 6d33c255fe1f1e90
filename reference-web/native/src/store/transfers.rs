//! The transfers of content in both directions. They are stored, so a transfer continues after a restart.

use std::collections::BTreeSet;

use handfast::ErrorCode;
use handfast::codec::ids::{CommandKey, ContentId};
use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError, from_sql, to_sql};
use crate::media::Wanted;

/// The direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum Direction {
    /// The content is fetched from the phone.
    Get,
    /// The content is sent to the phone.
    Put,
}

impl Direction {
    /// Returns the name that the direction has in the table and in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
        }
    }
}

/// The state of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferState {
    /// The transfer waits for a stream.
    Queued,
    /// The transfer's stream is open.
    Open,
    /// The receiver has the whole content.
    Done,
    /// The transfer has failed.
    Failed,
}

impl TransferState {
    /// Returns the name that the state has in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "queued" => Self::Queued,
            "open" => Self::Open,
            "done" => Self::Done,
            "failed" => Self::Failed,
            _ => return None,
        })
    }
}

/// A row of the table of transfers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer {
    /// The transfer's id.
    pub id: u64,
    /// The direction of the transfer.
    pub direction: Direction,
    /// The id of the transferred content.
    pub content: ContentId,
    /// The content's size, once it is known.
    pub size: Option<u64>,
    /// The content offset at which the stream begins.
    pub base: u64,
    /// The number of stream bytes (chunk list and content) that are durable at the receiver.
    pub offset: u64,
    /// The id of the transfer's stream, while that is open.
    pub stream: Option<u64>,
    /// The state of the transfer.
    pub state: TransferState,
    /// The reason why the transfer failed, if it did.
    pub error: Option<ErrorCode>,
    /// For a put, the fields of the message that will have the content.
    pub put: Option<PutRow>,
    /// The name that the client gave the transfer, if any.
    pub client_id: Option<String>,
    /// For a put, the key of the command that sends the message once the phone has the content. It is drawn
    /// when the user chooses the file.
    pub command: Option<CommandKey>,
}

/// The fields of the message that will have the content of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutRow {
    /// The chat's id.
    pub chat: u64,
    /// The media type of the content.
    pub media_type: String,
    /// The file name of the content.
    pub name: String,
    /// The caption of the message, if there is one.
    pub caption: Option<String>,
}

impl PutRow {
    /// Creates the fields of a put's message.
    #[must_use]
    pub fn new(chat: u64, media_type: String, name: String, caption: Option<String>) -> Self {
        Self { chat, media_type, name, caption }
    }
}

const COLUMNS: &str = "id, direction, content, size, base, offset, stream, state, error, chat, media_type, \
                       media_name, caption, client_id, command";

fn transfer(row: &Row<'_>) -> rusqlite::Result<Transfer> {
    let number = |index| row.get::<_, Option<i64>>(index).map(|n| n.map(from_sql));
    let state: String = row.get(7)?;
    let chat = number(9)?;
    Ok(Transfer {
        id: number(0)?.unwrap_or_default(),
        direction: if row.get::<_, String>(1)? == "put" { Direction::Put } else { Direction::Get },
        content: ContentId::from_bytes(row.get(2)?),
        size: number(3)?,
        base: number(4)?.unwrap_or_default(),
        offset: number(5)?.unwrap_or_default(),
        stream: number(6)?,
        state: TransferState::parse(&state).unwrap_or(TransferState::Failed),
        error: row.get::<_, Option<u16>>(8)?.map(ErrorCode::from_u16),
        put: match chat {
            Some(chat) => Some(PutRow::new(chat, row.get(10)?, row.get(11)?, row.get(12)?)),
            None => None,
        },
        client_id: row.get(13)?,
        command: row.get::<_, Option<[u8; 16]>>(14)?.map(CommandKey::from_bytes),
    })
}

impl Store {
    /// Stores a new put (a transfer to the phone) in the open transaction. Returns its id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_upload(
        &mut self,
        content: ContentId,
        size: u64,
        put: &PutRow,
        client_id: Option<&str>,
        command: CommandKey,
    ) -> Result<u64, StoreError> {
        let (size, chat) = (to_sql(size)?, to_sql(put.chat)?);
        let conn = self.write()?;
        let _ = conn.execute(
            "INSERT INTO transfers(direction, content, size, base, offset, state, chat, media_type, media_name, caption,
                                   client_id, command)
             VALUES('put', ?1, ?2, 0, 0, 'queued', ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                content.as_bytes(),
                size,
                chat,
                put.media_type,
                put.name,
                put.caption,
                client_id,
                command.as_bytes()
            ],
        )?;
        Ok(from_sql(conn.last_insert_rowid()))
    }

    /// Stores a new get (a transfer from the phone) in the open transaction. Returns its id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_download(&mut self, content: ContentId) -> Result<u64, StoreError> {
        let conn = self.write()?;
        let _ = conn.execute(
            "INSERT INTO transfers(direction, content, base, offset, state) VALUES('get', ?1, 0, 0, 'queued')",
            [content.as_bytes()],
        )?;
        Ok(from_sql(conn.last_insert_rowid()))
    }

    /// Stores the progress of a transfer in the open transaction: all columns that can change.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn update_transfer(&mut self, transfer: &Transfer) -> Result<(), StoreError> {
        let sql = |number: Option<u64>| number.map(to_sql).transpose();
        let (size, stream) = (sql(transfer.size)?, sql(transfer.stream)?);
        let (id, base, offset) = (to_sql(transfer.id)?, to_sql(transfer.base)?, to_sql(transfer.offset)?);
        let _ = self
            .write()?
            .prepare_cached(
                "UPDATE transfers SET size = ?2, base = ?3, offset = ?4, stream = ?5, state = ?6, error = ?7
             WHERE id = ?1",
            )?
            .execute(params![
                id,
                size,
                base,
                offset,
                stream,
                transfer.state.as_str(),
                transfer.error.map(ErrorCode::as_u16)
            ])?;
        Ok(())
    }

    /// Returns the unfinished transfers, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn transfers_open(&self) -> Result<Vec<Transfer>, StoreError> {
        self.transfers_where("state IN ('queued', 'open')")
    }

    /// Returns whether a transfer waits for a stream.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_queued_transfers(&self) -> Result<bool, StoreError> {
        self.has_queued.get(&self.conn, || {
            let mut query = self.conn.prepare_cached("SELECT 1 FROM transfers WHERE state = 'queued'")?;
            Ok(query.exists([])?)
        })
    }

    fn transfers_where(&self, filter: &str) -> Result<Vec<Transfer>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM transfers WHERE {filter} ORDER BY id");
        let mut query = self.conn.prepare_cached(&sql)?;
        let rows = query.query_map([], transfer)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the put that a client sent under this name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn transfer_of_client(&self, client_id: &str) -> Result<Option<Transfer>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM transfers WHERE client_id = ?1");
        let mut query = self.conn.prepare_cached(&sql)?;
        Ok(query.query_row([client_id], transfer).optional()?)
    }

    /// Stores in the open transaction a path to which content is to be copied once it is complete.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_export(&mut self, content: ContentId, out: &str) -> Result<(), StoreError> {
        let _ = self
            .write()?
            .prepare_cached("INSERT OR IGNORE INTO exports(content, out) VALUES(?1, ?2)")?
            .execute(params![content.as_bytes(), out])?;
        Ok(())
    }

    /// Returns the paths to which this content is to be copied.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn exports(&self, content: ContentId) -> Result<Vec<String>, StoreError> {
        let mut query =
            self.conn.prepare_cached("SELECT out FROM exports WHERE content = ?1 ORDER BY out")?;
        let rows = query.query_map([content.as_bytes()], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns complete content that is to be copied, with the paths to copy it to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn exports_due(&self) -> Result<Vec<(ContentId, String)>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT content, out FROM exports
             WHERE content IN (SELECT content FROM transfers WHERE direction = 'get' AND state = 'done')
               AND content NOT IN (SELECT content FROM transfers WHERE direction = 'get' AND state IN ('queued', 'open'))
             ORDER BY content, out",
        )?;
        let rows = query.query_map([], |row| Ok((ContentId::from_bytes(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Deletes in the open transaction a path to which content was to be copied. Returns whether the path was
    /// stored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn drop_export(&mut self, content: ContentId, out: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM exports WHERE content = ?1 AND out = ?2";
        Ok(self.write()?.prepare_cached(sql)?.execute(params![content.as_bytes(), out])? > 0)
    }

    /// Returns the size of content, if a message states it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn size_of_content(&self, content: ContentId) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT media_size FROM messages WHERE content = ?1 LIMIT 1";
        let mut query = self.conn.prepare_cached(sql)?;
        let size = query.query_row([content.as_bytes()], |row| row.get::<_, Option<i64>>(0)).optional()?;
        Ok(size.flatten().map(from_sql))
    }

    /// Returns the content whose files must be kept in the directory of content.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn wanted_files(&self) -> Result<Wanted, StoreError> {
        let of = |sql: &str| -> Result<BTreeSet<ContentId>, StoreError> {
            let mut query = self.conn.prepare_cached(sql)?;
            let rows = query.query_map([], |row| Ok(ContentId::from_bytes(row.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        Ok(Wanted {
            whole: of("SELECT content FROM messages WHERE content IS NOT NULL
                       UNION SELECT content FROM transfers WHERE state != 'failed'")?,
            sent: of(
                "SELECT content FROM transfers WHERE direction = 'put' AND state IN ('queued', 'open')",
            )?,
            fetched: of(
                "SELECT content FROM transfers WHERE direction = 'get' AND state IN ('queued', 'open')",
            )?,
        })
    }

    /// Returns whether an unfinished transfer sends or fetches this content. The transfer with the id `id`
    /// does not count; no transfer has the id 0.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_content_in_use(&self, content: ContentId, id: u64) -> Result<bool, StoreError> {
        Ok(self.transfers_open()?.iter().any(|other| other.content == content && other.id != id))
    }
}
