//! The calls by which a phone's application acts on a link: answers, wakes, the end of the link.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::envelope::ResultEnvelope;
use handfast_codec::ids::{CommandKey, Signature};
use handfast_codec::limits::MESSAGE_LEN_MAX;
use handfast_handshake::link::Terms;

use super::load::{put_revoked, wipe_rows};
use super::pending::PhoneDeferred;
use super::verbs::ENVELOPE_LEN_MAX;
use super::{Connection, Deferred, LinkStatus, PhoneEndpoint};
use crate::commands::Repeat;
use crate::commands::phone::Kept;
use crate::commit::Commit;
use crate::error::{ApiMisuse, SendError};
use crate::output::Event;

impl PhoneEndpoint {
    /// Answers a command that was delivered. Apply the commit in the transaction of the command's effect, and
    /// best in that of its delivery: a command that has no durable answer when the process ends is delivered
    /// again after [`PhoneEndpoint::load`]. `repeat` tells what to do when the command arrives again.
    ///
    /// # Errors
    ///
    /// [`SendError`]; `Misuse` when the command was not delivered or is answered already.
    pub fn answer(
        &mut self,
        now: Timestamp,
        key: CommandKey,
        body: &Bytes,
        repeat: Repeat,
    ) -> Result<Commit, SendError> {
        self.tick(now);
        if body.len() > MESSAGE_LEN_MAX.saturating_sub(ENVELOPE_LEN_MAX) {
            return Err(SendError::TooLarge);
        }
        let Some(number) = self.side.unanswered.number(&key) else {
            let (is, needs) = ("none of this key", "a delivered command that has no answer yet");
            return Err(ApiMisuse::WrongState { is, needs }.into());
        };
        let message = ResultEnvelope { key, body: Some(body.clone()) }.encode();
        self.lanes.outbox.check_room(message.len())?;
        // The answer and the command's effect are one transaction: a crash between the two would run the
        // command again, or lose its answer.
        // req: RES-012
        let mut ops = self.side.commands.answered(key, number, Kept::of(body, repeat));
        ops.extend(self.side.unanswered.remove(&key));
        let (index, put) = self.enqueue(message);
        ops.push(put);
        Ok(self.return_commit(ops, Deferred::Release(index)))
    }

    /// Returns the keys of the commands that were delivered, in this run or an earlier one, and have no answer
    /// yet. While 1,024 of them or 4 MiB wait, no other is delivered.
    #[must_use]
    pub fn unanswered(&self) -> Vec<CommandKey> {
        self.side.unanswered.keys().collect()
    }

    /// Reports a wake for this link's mailbox. Returns whether the phone should connect because of it: not
    /// for a fourth wake within an hour in which no confirm came. If it should, and no socket is open,
    /// [`Event::Connect`] follows. The count is not stored.
    pub fn handle_wake(&mut self, now: Timestamp) -> bool {
        self.tick(now);
        let follow = !self.dead && self.side.wake.woken(self.now);
        if follow {
            self.attach.reconnect_now(self.now);
        }
        follow
    }

    /// Returns the terms of the link, as the account signed them.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.side.link.terms
    }

    /// Revokes the link. `signature` is the account's over this companion
    /// (`handfast_handshake::certificate::sign_revoked`). The companion is told at once if it is connected,
    /// or else whenever it connects. Its session never continues.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn revoke(&mut self, now: Timestamp, signature: Signature) -> Result<Commit, SendError> {
        self.tick(now);
        self.check_alive()?;
        // The signature is stored before it is sent, so that the revocation outlives a crash.
        // req: HSK-151, HSK-152
        self.side.revoked = Some(signature);
        self.status = LinkStatus::Revoked;
        let live = matches!(self.conn, Connection::Live(_));
        if !live {
            self.drop_connection();
        }
        let deferred =
            if live { Deferred::OfRole(PhoneDeferred::Revoke(signature)) } else { Deferred::Nothing };
        Ok(self.return_commit(alloc::vec![put_revoked(&signature)], deferred))
    }

    /// Drops an OFFERED link at the user's request. A companion that has accepted it stays PENDING until its
    /// link lapses.
    ///
    /// # Errors
    ///
    /// [`SendError`]; `Misuse` of `WrongState` when the link is not OFFERED.
    pub fn cancel_offer(&mut self, now: Timestamp) -> Result<Commit, SendError> {
        self.tick(now);
        self.check_alive()?;
        // An ACTIVE link must be revoked instead, so that the companion learns of it.
        // req: HSK-133
        if self.status != LinkStatus::Offered {
            let (is, needs) = ("one that was confirmed", "a link that waits for its companion");
            return Err(ApiMisuse::WrongState { is, needs }.into());
        }
        self.lapses = None;
        self.drop_connection();
        self.event(Event::Disconnect);
        self.attach.down_until(None);
        Ok(self.return_commit(alloc::vec![wipe_rows()], Deferred::Wiped))
    }
}
