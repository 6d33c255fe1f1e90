//! Commands of companions, which run in the open transaction.

use bytes::Bytes;
use handfast::ErrorCode;
use handfast::codec::ids::{CommandKey, CompanionId};
use handfast::codec::limits::MESSAGE_LEN_MAX;
use handfast::session::Repeat;
use handfast_messages::{Command, CommandRef, MediaDescriptor, MessageState, ResultBody, grants};

use super::{App, Now};
use crate::store::{NewMessage, StoreError};
use crate::upstream::Change;

/// The length of a page of messages, in bytes: the limit for a result, less room for the result's envelope.
const PAGE_LEN_MAX: usize = MESSAGE_LEN_MAX - 1_024;

/// Returns the grants that a command needs.
fn grant_of(command: &Command) -> u64 {
    match command {
        Command::SendText { .. } => grants::SEND,
        // These commands name messages by ids, which only a companion with the right to read knows.
        Command::EditText { .. } | Command::Delete { .. } | Command::React { .. } => {
            grants::READ | grants::SEND
        }
        Command::SendMedia { .. } => grants::SEND | grants::MEDIA,
        _ => grants::READ,
    }
}

/// Returns whether a repeated command runs again, or is answered with its stored result. A result that
/// contains texts of messages is not stored, so such a command runs again.
fn repeat_of(command: &Command) -> Repeat {
    // req: RES-028
    match command {
        Command::History { .. } => Repeat::Run,
        _ => Repeat::Answer,
    }
}

fn failed(code: ErrorCode) -> ResultBody {
    ResultBody::Failed { code }
}

/// A message that a command asks to send.
struct Wanted<'a> {
    chat: u64,
    text: &'a str,
    reply_to: Option<u64>,
    media: Option<&'a MediaDescriptor>,
}

impl App {
    /// Runs a command. Returns its result, and what is to be done if the command arrives again. A refusal is
    /// a result, too.
    pub(super) fn run_command(
        &mut self,
        now: Now,
        companion: CompanionId,
        granted: u64,
        key: CommandKey,
        body: &Bytes,
    ) -> Result<(ResultBody, Repeat), StoreError> {
        let command = match Command::decode(body) {
            Ok(command) => command,
            // A faulty command gets an answer with the error, and the session continues.
            // req: MSG-091
            Err(error) => return Ok((failed(error.code()), Repeat::Answer)),
        };
        // When the companion was linked, the user decided what it may do.
        // req: MSG-056
        let needed = grant_of(&command);
        let result = if granted & needed == needed {
            self.run(now, CommandRef { companion, key }, &command)?
        } else {
            failed(ErrorCode::REFUSED)
        };
        Ok((result, repeat_of(&command)))
    }

    fn run(&mut self, now: Now, by: CommandRef, command: &Command) -> Result<ResultBody, StoreError> {
        match command {
            Command::SendText { chat, text, reply_to } => {
                self.send_for(now, by, &Wanted { chat: *chat, text, reply_to: *reply_to, media: None })
            }
            Command::SendMedia { chat, media, caption } => {
                // Content that is incomplete, or belongs to another link, counts as missing.
                // req: MSG-092, STR-033
                let is_there = self.store.may_send(by.companion, media.content)?;
                let whole = if is_there { self.store.media(media.content)? } else { None };
                if whole.is_none_or(|row| row.size != media.size) {
                    return Ok(failed(ErrorCode::GONE));
                }
                let media_type = self.media.type_of(media.content).to_owned();
                let media = MediaDescriptor { media_type, ..media.clone() };
                let text = caption.as_deref().unwrap_or("");
                self.send_for(now, by, &Wanted { chat: *chat, text, reply_to: None, media: Some(&media) })
            }
            Command::History { chat, before, count } => self.history_page(*chat, *before, *count),
            Command::MarkRead { chat, message } => {
                let found = self.store.mark_read(*chat, *message)?;
                Ok(if found { ResultBody::Done } else { failed(ErrorCode::GONE) })
            }
            Command::EditText { chat, message, text } => {
                self.change_for(*chat, *message, Change::Edited(text.clone()))
            }
            Command::Delete { chat, message } => self.change_for(*chat, *message, Change::Deleted),
            Command::React { chat, message, reaction } => {
                self.change_for(*chat, *message, Change::Reacted(reaction.clone()))
            }
            // The codec has refused unknown commands before: req MSG-001.
            _ => Ok(failed(ErrorCode::UNKNOWN_CRITICAL)),
        }
    }

    fn send_for(&mut self, now: Now, by: CommandRef, wanted: &Wanted<'_>) -> Result<ResultBody, StoreError> {
        // The companion's copy may be older than the deletion of a chat or message that its command names.
        // req: MSG-092
        if self.store.contact(wanted.chat)?.is_none() {
            return Ok(failed(ErrorCode::GONE));
        }
        if let Some(original) = wanted.reply_to
            && self.store.message(wanted.chat, original)?.is_none_or(|message| message.deleted)
        {
            return Ok(failed(ErrorCode::GONE));
        }
        let added = self.store.add_message(&NewMessage {
            chat: wanted.chat,
            author: "",
            time_ms: now.wall_ms,
            text: wanted.text,
            state: MessageState::Accepted,
            reply_to: wanted.reply_to,
            media: wanted.media,
            command: Some(by),
            network_id: None,
        })?;
        let Some((message, rev)) = added else { return Ok(failed(ErrorCode::ALREADY_DONE)) };
        self.queue_outgoing(wanted.chat, message)?;
        Ok(ResultBody::Accepted { message, rev })
    }

    fn change_for(&mut self, chat: u64, message: u64, change: Change) -> Result<ResultBody, StoreError> {
        Ok(self.change(chat, message, change)?.map_or_else(failed, |()| ResultBody::Done))
    }

    fn history_page(&self, chat: u64, before: u64, count: u8) -> Result<ResultBody, StoreError> {
        if self.store.contact(chat)?.is_none() {
            return Ok(failed(ErrorCode::GONE));
        }
        let rows = self.store.history(chat, before, u64::from(count).saturating_add(1))?;
        let (mut items, mut left) = (Vec::new(), PAGE_LEN_MAX);
        for row in rows.iter().take(usize::from(count)) {
            let item = row.item().encode();
            let Some(rest) = left.checked_sub(item.len().saturating_add(4)) else { break };
            left = rest;
            items.push(item);
        }
        let more = items.len() < rows.len();
        // The page of messages is read in the open transaction, so it contains everything up to the newest
        // revision.
        // req: MSG-061
        Ok(ResultBody::HistoryPage { items, more, rev: self.store.newest() })
    }
}
