//! The calls by which the phone's user acts.

use std::path::Path;

use handfast::ErrorCode;
use handfast::codec::ids::CompanionId;
use handfast::codec::limits::{REACTION_LEN_MAX, TEXT_LEN_MAX};
use handfast::codec::signed;
use handfast::session::{LinkState, SendError};
use handfast::sqlite;
use handfast_messages::{MediaDescriptor, MessageState};

use super::{App, Now};
use crate::policy::RelayRefused;
use crate::store::{Companion, CompanionStatus, NewMessage, StoreError, StoredMessage};
use crate::upstream::Change;
use handfast_programs::chats::ChatRow;
use handfast_programs::{ImportError, Imported, MediaDir};

/// The reason why a call of the user was not carried out.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerbError {
    /// The chat does not exist.
    #[error("there is no chat {0}; `chats` lists them")]
    NoSuchChat(u64),
    /// The text has a wrong length, in bytes.
    #[error("a text has 1 to 8,192 bytes; this one has {0}")]
    TextLength(usize),
    /// The reaction is too long, in bytes.
    #[error("a reaction has 64 bytes at most; this one has {0}")]
    ReactionLength(usize),
    /// The message does not exist in the chat.
    #[error("there is no message {1} in chat {0}; `history` lists them")]
    NoSuchMessage(u64, u64),
    /// The message is not of this account, or has no text to edit.
    #[error("only a text of this account can be edited, and only a message of this account deleted")]
    NotYours,
    /// The message has the maximum number of reactions.
    #[error("the message has 32 reactions already")]
    TooManyReactions,
    /// The companion does not exist.
    #[error("there is no companion {0}; `companions` lists them")]
    NoSuchCompanion(CompanionId),
    /// The companion is not waiting to be linked: it is linked already, or was.
    #[error("the companion {0} is not waiting to be linked; `revoke {0}` ends a link")]
    NotOffered(CompanionId),
    /// The companion is already revoked.
    #[error("the companion {0} is revoked already")]
    AlreadyRevoked(CompanionId),
    /// Another pairing attempt is running.
    #[error("another scan is under way; finish or cancel it first")]
    ScanUnderWay,
    /// The database could not be written, and is in the pause before the next attempt.
    #[error("the database cannot be written now; free some space, then ask again")]
    Resting,
    /// No pairing attempt waits for this answer.
    #[error("nothing is waiting for this answer; begin with `scan`")]
    NotAsked,
    /// The rights that the user allows include none that the companion asks for.
    #[error("that gives the companion nothing; name at least one right that it asks for, or refuse")]
    NoGrants,
    /// The text is not that of a pairing code, or not of one that this version can use.
    #[error("{}", code_text(*.0))]
    Code(ErrorCode),
    /// The code names a relay that is not allowed.
    #[error(transparent)]
    Relay(RelayRefused),
    /// The link's machine has no room for another commit now.
    #[error("the link is busy; try again")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns advice for the user about a code that was refused.
fn code_text(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::QR_NOT_HANDFAST => {
            "this is not a Handfast code; scan the one that the page shows under \"link a device\""
        }
        ErrorCode::QR_OUTDATED => {
            "this page uses an old kind of code that is no longer safe; reload it, and if it stays, do not link"
        }
        ErrorCode::QR_UNSUPPORTED => "the code is of a newer version of Handfast; update this phone",
        _ => "the code is damaged; scan it again",
    }
}

/// The state of a running phone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a report")]
pub struct Status {
    /// The account's name.
    pub account: String,
    /// The newest revision of the change log.
    pub rev: u64,
    /// How many chats and how many messages there are.
    pub counts: (u64, u64),
    /// The settings of the database.
    pub settings: Vec<(&'static str, String)>,
    /// The state of each link.
    pub links: Vec<LinkReport>,
    /// Whether a pairing attempt is under way.
    pub scanning: bool,
}

/// One link in a [`Status`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a report")]
pub struct LinkReport {
    /// The companion's id.
    pub companion: CompanionId,
    /// The connection state that is shown to the user.
    pub state: Option<LinkState>,
    /// Whether a socket is open or being opened.
    pub has_socket: bool,
    /// How many messages, and how many bytes of them, wait for the companion.
    pub outbox: (usize, usize),
    /// The number of open streams.
    pub streams: usize,
}

impl App {
    /// Returns the chats, most recent first.
    ///
    /// # Errors
    ///
    /// [`VerbError::Store`].
    pub fn chats(&self) -> Result<Vec<ChatRow>, VerbError> {
        Ok(self.store.chats()?)
    }

    /// Returns the last messages of a chat, oldest first.
    ///
    /// # Errors
    ///
    /// [`VerbError::NoSuchChat`], [`VerbError::Store`].
    pub fn history(&self, chat: u64, count: u64) -> Result<Vec<StoredMessage>, VerbError> {
        if self.store.contact(chat)?.is_none() {
            return Err(VerbError::NoSuchChat(chat));
        }
        let mut messages = self.store.history(chat, 0, count)?;
        messages.reverse();
        Ok(messages)
    }

    /// Sends a text. Returns the id of its message. The message is durable once [`App::settle`] has returned.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn send_text(&mut self, now: Now, chat: u64, text: &str) -> Result<u64, VerbError> {
        if text.is_empty() || text.len() > TEXT_LEN_MAX {
            return Err(VerbError::TextLength(text.len()));
        }
        let sent = self.send(now, chat, text, None);
        self.whole(sent)
    }

    /// Replaces the text of a message of this account.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn edit_text(&mut self, chat: u64, message: u64, text: &str) -> Result<(), VerbError> {
        if text.is_empty() || text.len() > TEXT_LEN_MAX {
            return Err(VerbError::TextLength(text.len()));
        }
        self.change_or_say(chat, message, Change::Edited(text.to_owned()))
    }

    /// Deletes a message of this account.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn delete_message(&mut self, chat: u64, message: u64) -> Result<(), VerbError> {
        self.change_or_say(chat, message, Change::Deleted)
    }

    /// Sets the account's reaction to a message, in place of an earlier one. An empty reaction only removes
    /// the earlier one.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn react(&mut self, chat: u64, message: u64, reaction: &str) -> Result<(), VerbError> {
        if reaction.len() > REACTION_LEN_MAX {
            return Err(VerbError::ReactionLength(reaction.len()));
        }
        self.change_or_say(chat, message, Change::Reacted(reaction.to_owned()))
    }

    fn change_or_say(&mut self, chat: u64, message: u64, change: Change) -> Result<(), VerbError> {
        let changed = self.change(chat, message, change).map_err(VerbError::from);
        self.whole(changed)?.map_err(|code| match code {
            ErrorCode::GONE => VerbError::NoSuchMessage(chat, message),
            ErrorCode::LIMIT => VerbError::TooManyReactions,
            _ => VerbError::NotYours,
        })
    }

    /// Copies a file into the phone's directory of content, and blocks until that is done. A running program
    /// copies it in another thread instead, by [`MediaDir::stage`].
    ///
    /// # Errors
    ///
    /// [`ImportError`].
    pub fn import(&self, source: &Path) -> Result<Imported, ImportError> {
        self.media.import(source)
    }

    /// Returns the directory of content.
    #[must_use]
    pub fn media(&self) -> &MediaDir {
        &self.media
    }

    /// Sends content that was imported. Returns the message's id.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn send_media(&mut self, now: Now, chat: u64, imported: &Imported) -> Result<u64, VerbError> {
        let sent = self.send_imported(now, chat, imported);
        self.whole(sent)
    }

    fn send_imported(&mut self, now: Now, chat: u64, imported: &Imported) -> Result<u64, VerbError> {
        if self.store.contact(chat)?.is_none() {
            return Err(VerbError::NoSuchChat(chat));
        }
        self.store.put_media(imported.content, &imported.list)?;
        let media = MediaDescriptor {
            content: imported.content,
            size: imported.list.size(),
            media_type: imported.media_type.to_owned(),
            name: imported.name.clone(),
        };
        self.send(now, chat, "", Some(&media))
    }

    fn send(
        &mut self,
        now: Now,
        chat: u64,
        text: &str,
        media: Option<&MediaDescriptor>,
    ) -> Result<u64, VerbError> {
        if self.store.contact(chat)?.is_none() {
            return Err(VerbError::NoSuchChat(chat));
        }
        let added = self.store.add_message(&NewMessage {
            chat,
            author: "",
            time_ms: now.wall_ms,
            text,
            state: MessageState::Accepted,
            reply_to: None,
            media,
            command: None,
            network_id: None,
        })?;
        let (id, _) = added.ok_or(VerbError::Busy)?;
        self.queue_outgoing(chat, id)?;
        Ok(id)
    }

    /// Returns the companions, each with the connection state that is shown to the user.
    ///
    /// # Errors
    ///
    /// [`VerbError::Store`].
    pub fn companions(&self) -> Result<Vec<(Companion, Option<LinkState>)>, VerbError> {
        let companions = self.store.companions()?.into_iter();
        Ok(companions
            .map(|companion| {
                let state = self.host.link(companion.link).and_then(|link| link.data.state);
                (companion, state)
            })
            .collect())
    }

    /// Revokes a companion. It is told at once if it is connected, otherwise at its next connection.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn revoke(&mut self, now: Now, companion: CompanionId) -> Result<(), VerbError> {
        if self.host.backoff().is_on() {
            return Err(VerbError::Resting);
        }
        let revoked = self.revoke_now(now, companion);
        self.whole(revoked)
    }

    /// Returns `done` unchanged. If the store failed halfway through the writes of a call, it also makes the
    /// round undo those writes.
    pub(super) fn whole<T>(&mut self, done: Result<T, VerbError>) -> Result<T, VerbError> {
        if matches!(done, Err(VerbError::Store(_))) {
            self.host.set_incomplete();
        }
        done
    }

    fn revoke_now(&mut self, now: Now, companion: CompanionId) -> Result<(), VerbError> {
        let found = self.store.companions()?.into_iter().find(|found| found.companion == companion);
        let found = found.ok_or(VerbError::NoSuchCompanion(companion))?;
        if found.status == CompanionStatus::Revoked {
            return Err(VerbError::AlreadyRevoked(companion));
        }
        let Some(link) = self.host.link_mut(found.link) else {
            // A link that cannot be loaded is deleted without telling the companion: with its keys gone, the
            // link is over.
            self.store.forget_link(found.link)?;
            self.store.set_companion_status(found.link, CompanionStatus::Revoked)?;
            return Ok(());
        };
        let tbs = signed::revoked_tbs(&found.companion, found.serial, &found.link);
        let signature = self.account.key.sign(&tbs);
        match link.endpoint.revoke(now.mono, signature) {
            Ok(commit) => link.store(commit),
            Err(SendError::Busy) => return Err(VerbError::Busy),
            Err(_) => return Err(VerbError::AlreadyRevoked(companion)),
        }
        for content in link.data.uploads() {
            self.media.drop_part(Some(found.link), content);
        }
        link.data.transfers.clear();
        Ok(self.forget_parts(found.link)?)
    }

    /// Ends the offer of a link whose attempt ended before the companion had accepted.
    ///
    /// # Errors
    ///
    /// [`VerbError`].
    pub fn cancel(&mut self, now: Now, companion: CompanionId) -> Result<(), VerbError> {
        if self.host.backoff().is_on() {
            return Err(VerbError::Resting);
        }
        let cancelled = self.cancel_now(now, companion);
        self.whole(cancelled)
    }

    fn cancel_now(&mut self, now: Now, companion: CompanionId) -> Result<(), VerbError> {
        let found = self.store.companions()?.into_iter().find(|found| found.companion == companion);
        let found = found.ok_or(VerbError::NoSuchCompanion(companion))?;
        // Only an offer that the companion has not accepted can be withdrawn; an active link must be revoked.
        // req: HSK-133
        if found.status != CompanionStatus::Offered {
            return Err(VerbError::NotOffered(companion));
        }
        if let Some(link) = self.host.link_mut(found.link) {
            match link.endpoint.cancel_offer(now.mono) {
                Ok(commit) => link.store(commit),
                Err(SendError::Busy) => return Err(VerbError::Busy),
                Err(_) => return Err(VerbError::NotOffered(companion)),
            }
            link.data.over = true;
        } else if self.host.attempts().next().is_some() {
            self.cancel_scan(now);
        } else {
            // The link could not be loaded, so only its rows remain to be deleted.
            self.store.forget_companion(found.link)?;
        }
        Ok(())
    }

    /// Returns the state of the phone and of its links.
    ///
    /// # Errors
    ///
    /// [`VerbError::Store`].
    pub fn status(&self) -> Result<Status, VerbError> {
        let links = self.host.links().map(|link| LinkReport {
            companion: link.data.companion,
            state: link.data.state,
            has_socket: link.has_socket(),
            outbox: link.endpoint.outbox_len(),
            streams: link.endpoint.streams().len(),
        });
        Ok(Status {
            account: self.account.name.clone(),
            rev: self.store.rev(),
            counts: self.store.counts()?,
            settings: sqlite::settings(self.store.database()).map_err(StoreError::from)?,
            links: links.collect(),
            scanning: self.host.attempts().next().is_some(),
        })
    }
}
