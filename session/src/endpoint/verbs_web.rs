//! The calls by which a companion's application acts on a link: commands, the page's state, the seat.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::envelope::CommandEnvelope;
use handfast_codec::frame::PageState;
use handfast_codec::ids::CommandKey;
use handfast_codec::limits::{COMMANDS_OPEN_MAX, MESSAGE_LEN_MAX, VARINT_MAX, WAKE_HANDLE_LEN_MAX};

use super::verbs::ENVELOPE_LEN_MAX;
use super::{CompanionEndpoint, Deferred};
use crate::commit::Commit;
use crate::error::{ApiMisuse, SendError};
use crate::output::Event;

impl CompanionEndpoint {
    /// Sends a command with a body of at most 65,504 bytes. The phone runs it once, whatever is lost in
    /// between. `key` identifies the command: 16 random bytes, drawn when the user acts, and stored with what
    /// the page shows of that act.
    ///
    /// # Errors
    ///
    /// [`SendError`], after which nothing was stored; `KnownKey` when a command with this key was sent
    /// before.
    pub fn send(&mut self, now: Timestamp, key: CommandKey, body: &Bytes) -> Result<Commit, SendError> {
        self.tick(now);
        self.check_alive()?;
        if body.len() > MESSAGE_LEN_MAX.saturating_sub(ENVELOPE_LEN_MAX) {
            return Err(SendError::TooLarge);
        }
        // A retry with the same key must not become a second command.
        // req: RES-024
        if self.side.commands.knows(&key) {
            return Err(SendError::KnownKey);
        }
        // Ascending numbers keep the order of the user's acts. By the floor the phone sees which results it
        // may forget.
        // req: RES-025, RES-011
        let number = self.counters.next_cmd;
        let floor = self.side.commands.floor().unwrap_or(number);
        // The phone keeps results only of the last 1,024 numbers.
        // req: RES-031
        if number > VARINT_MAX || number.saturating_sub(floor) >= COMMANDS_OPEN_MAX {
            return Err(SendError::TooManyUnsettled { oldest: floor });
        }
        let message = CommandEnvelope { number, floor, key, body: body.clone() }.encode();
        self.lanes.outbox.check_room(message.len())?;
        self.counters.next_cmd = number.saturating_add(1);
        let (index, put) = self.enqueue(message);
        self.lanes.outbox.keep(index);
        let ops = alloc::vec![put, self.side.commands.sent(number, key, index)];
        Ok(self.return_commit(ops, Deferred::Release(index)))
    }

    /// Returns the keys of the commands whose results are not stored yet, in the order in which they were sent:
    /// what an application shows as waiting, also after a restart. There are 1,024 at most.
    #[must_use]
    pub fn unsettled(&self) -> Vec<CommandKey> {
        self.side.commands.waiting().collect()
    }

    /// Reports that the page became hidden or visible, which changes timers on both sides.
    pub fn set_hidden(&mut self, now: Timestamp, hidden: bool) {
        self.tick(now);
        if self.alive.hidden != hidden {
            self.alive.hidden = hidden;
            self.attach.set_hidden(hidden);
            let state = if hidden { PageState::Hidden } else { PageState::Visible };
            let _ = self.lanes.ephemeral.set(PageState::SLOT, state.encode());
            self.probe_now();
        }
    }

    /// Sets what the relay needs to wake the phone, at most 256 bytes, as received from the phone's
    /// application; `None` when the phone cannot be woken. The handle is not stored, so set it after each
    /// start.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::TooLarge`] when the handle is too long.
    pub fn set_wake_handle(&mut self, now: Timestamp, handle: Option<Bytes>) -> Result<(), ApiMisuse> {
        self.tick(now);
        if handle.as_ref().is_some_and(|handle| handle.len() > WAKE_HANDLE_LEN_MAX) {
            return Err(ApiMisuse::TooLarge);
        }
        self.side.wake.set_handle(handle);
        Ok(())
    }

    /// Takes back the seat that another socket took. Call it when the user asks for it.
    pub fn reclaim_seat(&mut self, now: Timestamp) {
        self.tick(now);
        if self.side.replaced {
            self.side.replaced = false;
            if self.attach.is_open() {
                self.event(Event::Disconnect);
            }
            self.attach.down_until(Some(now));
        }
    }
}
