//! The table of commands sent to the phone, with their states and results.

use bytes::Bytes;
use handfast::ErrorCode;
use handfast::codec::ids::CommandKey;
use handfast_messages::Command;
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError, from_sql, to_sql};

/// The state of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandState {
    /// The command is held back here until the phone is connected. The user can still cancel it.
    Held,
    /// The command is in the outbox, and not sent yet.
    Queued,
    /// The command was sent over a live connection, and is not answered yet.
    Sent,
    /// The phone has carried out the command.
    Accepted,
    /// The phone has refused the command.
    Failed,
}

impl CommandState {
    /// Returns the name that the state has in the table and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Failed => "failed",
        }
    }

    fn parse(word: &str) -> Result<Self, StoreError> {
        Ok(match word {
            "held" => Self::Held,
            "queued" => Self::Queued,
            "sent" => Self::Sent,
            "accepted" => Self::Accepted,
            "failed" => Self::Failed,
            _ => return Err(StoreError::Damaged("command state")),
        })
    }
}

/// A row of the table of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredCommand {
    /// The key by which the phone knows the command.
    pub key: CommandKey,
    /// The name that the companion's client gave the command, if any.
    pub client_id: Option<String>,
    /// The name of the command's kind.
    pub kind: String,
    /// The command's state.
    pub state: CommandState,
    /// The id of the message that the command made, if the phone has carried it out.
    pub result: Option<u64>,
    /// The phone's reason for refusing the command.
    pub error: Option<ErrorCode>,
}

impl Store {
    /// Stores a new command in the open transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn put_command(
        &mut self,
        key: CommandKey,
        client_id: Option<&str>,
        kind: &str,
        body: &[u8],
        state: CommandState,
    ) -> Result<(), StoreError> {
        let _ = self
            .write()?
            .prepare_cached(
                "INSERT INTO commands(command, client_id, kind, body, state) VALUES(?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![key.as_bytes(), client_id, kind, body, state.as_str()])?;
        Ok(())
    }

    /// Returns key and body of the command that has been held back longest.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn first_held(&self) -> Result<Option<(CommandKey, Bytes)>, StoreError> {
        let sql = "SELECT command, body FROM commands WHERE state = 'held' ORDER BY id LIMIT 1";
        let held = self.conn.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
        let held: Option<([u8; 16], Vec<u8>)> = held.optional()?;
        Ok(held.map(|(key, body)| (CommandKey::from_bytes(key), body.into())))
    }

    /// Records in the open transaction that a command is no longer held back, because it was sent.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn held_leaves(&mut self, key: CommandKey) -> Result<(), StoreError> {
        let sql = "UPDATE commands SET state = 'sent' WHERE command = ?1 AND state = 'held'";
        let _ = self.write()?.prepare_cached(sql)?.execute([key.as_bytes()])?;
        Ok(())
    }

    /// Deletes a command that is held back, in the open transaction. Returns false if it is not held back.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn take_back_held(&mut self, key: CommandKey) -> Result<bool, StoreError> {
        let sql = "DELETE FROM commands WHERE command = ?1 AND state = 'held'";
        Ok(self.write()?.prepare_cached(sql)?.execute([key.as_bytes()])? > 0)
    }

    /// Records in the open transaction that the queued commands are being sent, because a connection is live.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn commands_leave(&mut self) -> Result<(), StoreError> {
        let waiting: i64 =
            self.conn
                .query_row("SELECT count(*) FROM commands WHERE state = 'queued'", [], |row| row.get(0))?;
        if waiting > 0 {
            let _ = self
                .write()?
                .prepare_cached("UPDATE commands SET state = 'sent' WHERE state = 'queued'")?
                .execute([])?;
        }
        Ok(())
    }

    /// Records in the open transaction the phone's answer to a command.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn settle_command(
        &mut self,
        key: CommandKey,
        state: CommandState,
        result: Option<u64>,
        error: Option<ErrorCode>,
    ) -> Result<(), StoreError> {
        let result = result.map(to_sql).transpose()?;
        let _ = self
            .write()?
            .prepare_cached("UPDATE commands SET state = ?2, result = ?3, error = ?4 WHERE command = ?1")?
            .execute(params![key.as_bytes(), state.as_str(), result, error.map(ErrorCode::as_u16)])?;
        Ok(())
    }

    /// Returns the command with this key.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn command(&self, key: CommandKey) -> Result<Option<StoredCommand>, StoreError> {
        self.find_command("command = ?1", key.as_bytes())
    }

    /// Returns the command to which the companion's client gave this name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn command_of_client(&self, client_id: &str) -> Result<Option<StoredCommand>, StoreError> {
        self.find_command("client_id = ?1", client_id)
    }

    fn find_command(
        &self,
        filter: &str,
        value: impl rusqlite::ToSql,
    ) -> Result<Option<StoredCommand>, StoreError> {
        let sql =
            format!("SELECT command, client_id, kind, state, result, error FROM commands WHERE {filter}");
        let mut query = self.conn.prepare_cached(&sql)?;
        let row = query
            .query_row([value], |row| {
                let state: String = row.get(3)?;
                Ok((
                    row.get::<_, [u8; 16]>(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    state,
                    row.get::<_, Option<i64>>(4)?,
                    row.get::<_, Option<u16>>(5)?,
                ))
            })
            .optional()?;
        let Some((key, client_id, kind, state, result, error)) = row else { return Ok(None) };
        Ok(Some(StoredCommand {
            key: CommandKey::from_bytes(key),
            client_id,
            kind,
            state: CommandState::parse(&state)?,
            result: result.map(from_sql),
            error: error.map(ErrorCode::from_u16),
        }))
    }

    /// Returns the texts that the phone has not answered yet, with their chats, in the order of sending.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn texts_waiting(&self) -> Result<Vec<(u64, String)>, StoreError> {
        let sql = "SELECT body FROM commands WHERE state IN ('queued', 'sent') ORDER BY id";
        let mut query = self.conn.prepare_cached(sql)?;
        let bodies: Vec<Vec<u8>> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let texts = bodies.into_iter().filter_map(|body| match Command::decode(&Bytes::from(body)) {
            Ok(Command::SendText { chat, text, .. }) => Some((chat, text)),
            _ => None,
        });
        Ok(texts.collect())
    }

    /// Returns the number of commands that the phone has not answered, including those that are held back.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn commands_open(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM commands WHERE state IN ('held', 'queued', 'sent')";
        Ok(self.conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(from_sql)?)
    }
}
