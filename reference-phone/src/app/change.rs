//! Changes of messages by this account and by the network, and the presence of contacts.

use std::collections::BTreeSet;

use handfast::ErrorCode;
use handfast::codec::limits::PRESENT_MAX;
use handfast_messages::{NowValue, grants};

use super::link::Link;
use super::{App, Now};
use crate::store::StoreError;
use crate::upstream::{Change, MessageName, OutgoingChange};

impl App {
    /// Changes a message for this account, and queues the change for the network. Returns the code if the
    /// change is refused.
    pub(super) fn change(
        &mut self,
        chat: u64,
        id: u64,
        change: Change,
    ) -> Result<Result<(), ErrorCode>, StoreError> {
        // A message that was deleted before the change came cannot be changed.
        // req: MSG-051
        let stored = self.store.message(chat, id)?.filter(|stored| !stored.deleted);
        let Some(stored) = stored else { return Ok(Err(ErrorCode::GONE)) };
        let is_refused = match &change {
            // Only the account's own messages can be edited or deleted, and only a text can be edited.
            // req: MSG-052, MSG-053
            Change::Edited(_) => !stored.message.author.is_empty() || stored.message.media.is_some(),
            // req: MSG-052
            Change::Deleted => !stored.message.author.is_empty(),
            Change::Reacted(_) => false,
        };
        if is_refused {
            return Ok(Err(ErrorCode::REFUSED));
        }
        // A message has a limited number of reactions, which `apply_change` enforces.
        // req: MSG-054
        if !self.apply_change(chat, id, "", &change)? {
            return Ok(Err(ErrorCode::LIMIT));
        }
        let contact = self.store.contact(chat)?.unwrap_or_default();
        let message = stored.network_id.map_or(MessageName::Phone(id), MessageName::Network);
        self.changes.push(OutgoingChange { chat, contact, message, change });
        Ok(Ok(()))
    }

    /// Applies a contact's change of a message. A missing or deleted message is left unchanged. A message of
    /// another author may only get a reaction.
    pub(super) fn hear_change(
        &mut self,
        chat: u64,
        author: &str,
        message: &MessageName,
        change: &Change,
    ) -> Result<(), StoreError> {
        let id = match message {
            MessageName::Phone(id) => Some(*id),
            MessageName::Network(id) => self.store.message_of_network(chat, id)?,
        };
        let Some(id) = id else { return Ok(()) };
        let stored = self.store.message(chat, id)?.filter(|stored| !stored.deleted);
        let Some(stored) = stored else { return Ok(()) };
        if stored.message.author == author || matches!(change, Change::Reacted(_)) {
            let _ = self.apply_change(chat, id, author, change)?;
        }
        Ok(())
    }

    /// Applies a change to a message. Returns false if the message has no room for another reaction.
    fn apply_change(
        &mut self,
        chat: u64,
        id: u64,
        author: &str,
        change: &Change,
    ) -> Result<bool, StoreError> {
        match change {
            Change::Edited(text) => self.store.edit_message(chat, id, text)?,
            Change::Deleted => self.unused.extend(self.store.delete_message(chat, id)?),
            Change::Reacted(reaction) => return self.store.react(chat, id, author, reaction),
        }
        Ok(true)
    }

    /// Deletes the files of content that no message refers to any more. The transaction that removed the last
    /// reference must be durable.
    pub(super) fn remove_unused(&mut self) -> Result<(), StoreError> {
        for content in std::mem::take(&mut self.unused) {
            // A message with this content may have been added since.
            if self.store.media(content)?.is_none() {
                self.media.remove(content);
            }
        }
        Ok(())
    }

    /// Notes that a contact came online or went offline.
    pub(super) fn hear_presence(&mut self, chat: u64, is_there: bool) {
        self.presence_changed |=
            if is_there { self.present.insert(chat) } else { self.present.remove(&chat) };
    }

    /// Sends every companion the list of contacts that are online, if that list has changed. Returns whether
    /// it was sent.
    pub(super) fn tell_presence(&mut self, now: Now) -> bool {
        let is_new = std::mem::take(&mut self.presence_changed);
        if is_new {
            for link in self.host.links_mut() {
                show_presence(now, link, &self.present);
            }
        }
        is_new
    }
}

/// Sends a companion the list of contacts that are online, if the companion has the right to read.
pub(super) fn show_presence(now: Now, link: &mut Link, present: &BTreeSet<u64>) {
    if link.data.grants & grants::READ == 0 {
        return;
    }
    let value = presence(present);
    // The machine refuses only an unknown slot or a value that is too long.
    let _ = link.endpoint.set_ephemeral(now.mono, value.slot(), value.encode());
}

/// Returns the value of the presence slot.
pub(super) fn presence(present: &BTreeSet<u64>) -> NowValue {
    // A slot has a limited length, so only the chats with the lowest ids are listed.
    // req: MSG-046
    NowValue::Presence { present: present.iter().copied().take(PRESENT_MAX).collect() }
}
