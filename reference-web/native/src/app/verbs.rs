//! The calls by which the companion's user acts.

use std::path::Path;

use handfast::Timestamp;
use handfast::codec::ids::{CommandKey, ContentId};
use handfast::codec::limits::{HISTORY_COUNT_MAX, REACTION_LEN_MAX, TEXT_LEN_MAX};
use handfast::session::{LinkStatus, SendError};
use handfast::sqlite;
use handfast_messages::Command;
use handfast_programs::{ImportError, Imported};
use rand_core::CryptoRng;

use super::App;
use super::command_key::draw_key;
use super::link::Link;
use crate::store::{CommandState, Counts, Direction, LinkRow, PutRow, StoreError, TransferState};

/// The reason why a call of the user was refused. Nothing was stored or sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerbError {
    /// This companion is linked already.
    #[error("this companion is linked; run `logout --yes` first to link it again")]
    Linked,
    /// This companion is not linked.
    #[error("this companion is not linked; run `pair` first")]
    NotLinked,
    /// The phone has not confirmed the link, and may never do so.
    #[error("the phone has not confirmed the link; connect it, and send when the chats are here")]
    Pending,
    /// The store could not be written, and is in the pause before the next attempt.
    #[error("the store cannot be written now; free some space, then ask again")]
    Resting,
    /// No question to the user waits for this answer.
    #[error("nothing is asked now")]
    NotAsked,
    /// The text is empty or too long.
    #[error("a text has 1 to {TEXT_LEN_MAX} bytes; send it in parts")]
    TextLength,
    /// The command is not held back here any more, or never existed.
    #[error("no such command waits here: it may be on its way to the phone already")]
    NotHeld,
    /// The reaction is too long.
    #[error("a reaction has {REACTION_LEN_MAX} bytes at most")]
    ReactionLength,
    /// The link's machine refused the command.
    #[error(transparent)]
    Refused(#[from] SendError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// A command that this companion has accepted from its user. It is durable once [`App::settle`] has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an answer")]
pub struct Sent {
    /// The key by which the phone recognizes the command.
    pub command: CommandKey,
    /// Whether the command is held back here until the phone is connected, so that [`App::undo`] can still
    /// cancel it.
    pub held: bool,
}

/// The state of the companion and of its link.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "an answer")]
pub struct Status {
    /// The link, if there is one.
    pub link: Option<LinkRow>,
    /// How many chats and messages are copied from the phone.
    pub counts: Counts,
    /// How many commands have no answer yet.
    pub commands_open: u64,
    /// How many messages, and how many bytes of them, are in the outbox.
    pub outbox: (usize, usize),
    /// The number of running transfers.
    pub transfers: u64,
    /// How many chats are subscribed, and how many wait until one of these is unsubscribed.
    pub followed: (usize, usize),
    /// The settings of the database.
    pub settings: Vec<(&'static str, String)>,
}

impl App {
    /// Sends a text, optionally as a reply to a message of the same chat. If `client_id` was used before,
    /// returns the command that was made then.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn send_text(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        chat: u64,
        text: &str,
        reply_to: Option<u64>,
        client_id: Option<&str>,
    ) -> Result<Sent, VerbError> {
        if text.is_empty() || text.len() > TEXT_LEN_MAX {
            return Err(VerbError::TextLength);
        }
        let body = Command::SendText { chat, text: text.to_owned(), reply_to };
        self.command(now, rng, &body, "text", client_id)
    }

    /// Asks the phone for messages of a chat that are older than those stored here.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn ask_older(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        chat: u64,
    ) -> Result<Sent, VerbError> {
        let before = self.store.oldest(chat)?;
        let count = u8::try_from(HISTORY_COUNT_MAX).unwrap_or(u8::MAX);
        self.command(now, rng, &Command::History { chat, before, count }, "history", None)
    }

    /// Marks a chat as read up to a message, for every device of the account.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn mark_read(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        chat: u64,
        message: u64,
    ) -> Result<Sent, VerbError> {
        self.command(now, rng, &Command::MarkRead { chat, message }, "read", None)
    }

    /// Replaces the text of a message of the account.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn edit_text(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        chat: u64,
        message: u64,
        text: &str,
    ) -> Result<Sent, VerbError> {
        if text.is_empty() || text.len() > TEXT_LEN_MAX {
            return Err(VerbError::TextLength);
        }
        self.change(now, rng, &Command::EditText { chat, message, text: text.to_owned() }, "edit")
    }

    /// Deletes a message of the account.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn delete_message(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        chat: u64,
        message: u64,
    ) -> Result<Sent, VerbError> {
        self.change(now, rng, &Command::Delete { chat, message }, "delete")
    }

    /// Sets the account's reaction to a message, in place of an earlier one. An empty reaction only removes
    /// the earlier one.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn react(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        chat: u64,
        message: u64,
        reaction: &str,
    ) -> Result<Sent, VerbError> {
        if reaction.len() > REACTION_LEN_MAX {
            return Err(VerbError::ReactionLength);
        }
        self.change(now, rng, &Command::React { chat, message, reaction: reaction.to_owned() }, "react")
    }

    /// Cancels an edit, a deletion or a reaction that is held back here. A command that was given to the
    /// machine may already be on the phone, and cannot be cancelled.
    ///
    /// # Errors
    ///
    /// [`VerbError::NotHeld`] when no such command is held.
    pub fn undo(&mut self, command: CommandKey) -> Result<(), VerbError> {
        let _ = self.linked()?;
        let taken = self.store.take_back_held(command);
        if self.whole(taken)? { Ok(()) } else { Err(VerbError::NotHeld) }
    }

    /// Sends a change of a message. While the phone is not connected the change is held back. It is also held
    /// back while earlier changes are, so that the order stays.
    fn change(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        command: &Command,
        kind: &str,
    ) -> Result<Sent, VerbError> {
        let is_live = self.linked()?.data.live;
        if is_live && self.store.first_held()?.is_none() {
            return self.command(now, rng, command, kind, None);
        }
        let key = draw_key(rng);
        let put = self.store.put_command(key, None, kind, &command.encode(), CommandState::Held);
        self.whole(put)?;
        self.linked()?.data.holds = true;
        Ok(Sent { command: key, held: true })
    }

    fn command(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        command: &Command,
        kind: &str,
        client_id: Option<&str>,
    ) -> Result<Sent, VerbError> {
        let known = client_id.map(|id| self.store.command_of_client(id)).transpose()?.flatten();
        if let Some(known) = known {
            return Ok(Sent { command: known.key, held: false });
        }
        let body = command.encode();
        let link = self.linked()?;
        let key = draw_key(rng);
        let commit = link.endpoint.send(now, key, &body)?;
        link.store(commit);
        let state = if link.data.live { CommandState::Sent } else { CommandState::Queued };
        let put = self.store.put_command(key, client_id, kind, &body, state);
        self.whole(put)?;
        Ok(Sent { command: key, held: false })
    }

    /// Returns the link if the phone has confirmed it. Commands over an unconfirmed link could be lost with
    /// that link.
    fn linked(&mut self) -> Result<&mut Link, VerbError> {
        if self.is_pending() {
            return Err(VerbError::Pending);
        }
        let missing = if self.host.backoff().is_on() { VerbError::Resting } else { VerbError::NotLinked };
        self.link_mut().ok_or(missing)
    }

    /// Returns `done` unchanged. If the store failed halfway through the writes of a call, it also makes the
    /// round undo those writes.
    pub(super) fn whole<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if done.is_err() {
            self.host.set_incomplete();
        }
        done
    }

    /// Sends a file that was imported into the directory of content.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn send_media(
        &mut self,
        rng: &mut dyn CryptoRng,
        chat: u64,
        imported: Imported,
        client_id: Option<&str>,
    ) -> Result<Sent, VerbError> {
        if let Some(sent) = self.media_of_client(client_id)? {
            return Ok(sent);
        }
        let _ = self.linked()?;
        let put = PutRow::new(chat, imported.media_type.to_owned(), imported.name, None);
        // The transfer stores the key of its later command, so that the phone recognizes the command when it
        // is repeated.
        // req: RES-024
        let key = draw_key(rng);
        let put = self.store.put_upload(imported.content, imported.list.size(), &put, client_id, key);
        let _ = self.whole(put)?;
        Ok(Sent { command: key, held: false })
    }

    /// Returns the command by which a client sent media under the name `client_id`, if there is one.
    ///
    /// # Errors
    ///
    /// [`VerbError::Store`].
    pub fn media_of_client(&self, client_id: Option<&str>) -> Result<Option<Sent>, VerbError> {
        let known = client_id.map(|id| self.store.transfer_of_client(id)).transpose()?.flatten();
        Ok(known.and_then(|transfer| transfer.command).map(|command| Sent { command, held: false }))
    }

    /// Returns the size of content, if the content is here or a message refers to it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn size_of(&self, content: ContentId) -> Result<Option<u64>, StoreError> {
        match self.store.media().len_of(content) {
            Some(len) => Ok(Some(len)),
            None => self.store.size_of_content(content),
        }
    }

    /// Fetches content and copies it to `out`. The caller must have checked that path
    /// ([`handfast_programs::Destination`]). A fetch that is under way is continued. Content that is here is
    /// copied at once. In each case a transfer event reports the end.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn get(&mut self, content: ContentId, out: &Path) -> Result<(), VerbError> {
        let _ = self.linked()?;
        let out = out.to_str().ok_or(VerbError::Store(StoreError::Damaged("path")))?;
        let wanted = self.want(content, out);
        Ok(self.whole(wanted)?)
    }

    fn want(&mut self, content: ContentId, out: &str) -> Result<(), StoreError> {
        self.store.put_export(content, out)?;
        let is_ours =
            |row: &crate::store::Transfer| row.direction == Direction::Get && row.content == content;
        let open = self.store.transfers_open()?.iter().any(is_ours);
        let done = self.store.media().has(content);
        if !open {
            let id = self.store.put_download(content)?;
            if done && let Some(mut row) = self.store.transfers_open()?.into_iter().find(|row| row.id == id) {
                row.state = TransferState::Done;
                self.store.update_transfer(&row)?;
            }
        }
        Ok(())
    }

    /// Returns the state of the companion and of its link.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn status(&self) -> Result<Status, StoreError> {
        Ok(Status {
            link: self.store.link()?,
            counts: self.store.counts()?,
            commands_open: self.store.commands_open()?,
            outbox: self.link().map_or((0, 0), |link| link.endpoint.outbox_len()),
            transfers: u64::try_from(self.store.transfers_open()?.len()).unwrap_or(u64::MAX),
            followed: self.link().map_or((0, 0), |link| link.data.subscriptions.counts()),
            settings: sqlite::settings(self.store.database()).map_err(StoreError::from)?,
        })
    }

    /// Returns whether a link is stored that the phone has not confirmed.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.link().is_some_and(|link| link.endpoint.status() == LinkStatus::Pending)
    }
}
