//! The calls of [`Endpoint`] by which the application acts on a link.

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::envelope::{CommandEnvelope, ResultEnvelope};
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Frame, OpenKind, PageState};
use handfast_codec::ids::{CommandKey, Signature};
use handfast_codec::limits::{
    COMMANDS_OPEN_MAX, MESSAGE_LEN_MAX, STREAM_META_LEN_MAX, VARINT_MAX, WAKE_HANDLE_LEN_MAX,
};
use handfast_codec::role::DeviceRole;

use super::load::{put_revoked, wipe_rows};
use super::{Connection, Deferred, Endpoint, LinkStatus, Side};
use crate::commands::Repeat;
use crate::commands::phone::Kept;
use crate::commit::Commit;
use crate::error::{ApiMisuse, SendRefused};
use crate::output::{Event, StreamEnd, StreamEvent};

/// A newly opened stream.
#[must_use = "the stream opens only when its commit is durable"]
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The stream's id.
    pub id: u64,
    /// The commit that stores the stream: apply it, then report it with `committed`.
    pub commit: Commit,
}

/// The most bytes that the envelope of a command or result adds to its body.
const ENVELOPE_LEN_MAX: usize = 32;

impl Endpoint {
    pub(super) fn check_alive(&self) -> Result<(), SendRefused> {
        if self.dead {
            return Err(SendRefused::Ended);
        }
        if self.has_room() { Ok(()) } else { Err(SendRefused::Busy) }
    }

    /// On a companion: sends a command with a body of at most 65,504 bytes. The phone runs it once, whatever
    /// is lost in between. `key` identifies the command: 16 random bytes, drawn when the user acts, and
    /// stored with what the page shows of that act.
    ///
    /// # Errors
    ///
    /// [`SendRefused`], after which nothing was stored; `KnownKey` when a command with this key was sent
    /// before.
    pub fn send(&mut self, now: Timestamp, key: CommandKey, body: &Bytes) -> Result<Commit, SendRefused> {
        self.tick(now);
        self.check_alive()?;
        if body.len() > MESSAGE_LEN_MAX.saturating_sub(ENVELOPE_LEN_MAX) {
            return Err(SendRefused::TooLarge);
        }
        let Side::Web(web) = &self.side else { return Err(ApiMisuse::WrongRole.into()) };
        // A retry with the same key must not become a second command.
        // req: RES-024
        if web.commands.knows(&key) {
            return Err(SendRefused::KnownKey);
        }
        // Ascending numbers keep the order of the user's acts. By the floor the phone sees which results it
        // may forget.
        // req: RES-025, RES-011
        let number = self.counters.next_cmd;
        let floor = web.commands.floor().unwrap_or(number);
        // The phone keeps results only of the last 1,024 numbers.
        // req: RES-031
        if number > VARINT_MAX || number.saturating_sub(floor) >= COMMANDS_OPEN_MAX {
            return Err(SendRefused::OutboxFull);
        }
        let message = CommandEnvelope { number, floor, key, body: body.clone() }.encode();
        self.lanes.outbox.check_room(message.len())?;
        self.counters.next_cmd = number.saturating_add(1);
        let (index, put) = self.enqueue(message);
        self.lanes.outbox.keep(index);
        let Side::Web(web) = &mut self.side else { return Err(ApiMisuse::WrongRole.into()) };
        let ops = alloc::vec![put, web.commands.sent(number, key, index)];
        Ok(self.return_commit(ops, Deferred::Release(index)))
    }

    /// On a phone: answers a command that was delivered. Apply the commit in the transaction of the command's
    /// effect. `repeat` tells what to do when the command arrives again.
    ///
    /// # Errors
    ///
    /// [`SendRefused`]; `Misuse` when the command was not delivered or is answered already.
    pub fn answer(
        &mut self,
        now: Timestamp,
        key: CommandKey,
        body: &Bytes,
        repeat: Repeat,
    ) -> Result<Commit, SendRefused> {
        self.tick(now);
        if body.len() > MESSAGE_LEN_MAX.saturating_sub(ENVELOPE_LEN_MAX) {
            return Err(SendRefused::TooLarge);
        }
        let Side::Phone(phone) = &mut self.side else { return Err(ApiMisuse::WrongRole.into()) };
        let Some(number) = self.running.get(&key).copied() else { return Err(ApiMisuse::WrongState.into()) };
        let message = ResultEnvelope { key, body: Some(body.clone()) }.encode();
        self.lanes.outbox.check_room(message.len())?;
        let _ = self.running.remove(&key);
        // The answer and the command's effect are one transaction: a crash between the two would run the
        // command again, or lose its answer.
        // req: RES-012
        let mut ops = phone.commands.answered(key, number, Kept::of(body, repeat));
        let (index, put) = self.enqueue(message);
        ops.push(put);
        Ok(self.return_commit(ops, Deferred::Release(index)))
    }

    /// Sets a slot of the ephemeral lane (NOW) to a value of at most 1,024 bytes. Only the latest value is
    /// sent, and only once: it is not repeated if it is lost.
    ///
    /// # Errors
    ///
    /// [`SendRefused`].
    pub fn set_now(&mut self, now: Timestamp, slot: u64, body: Bytes) -> Result<(), SendRefused> {
        self.tick(now);
        self.lanes.slots.set(slot, body)
    }

    /// On a companion: reports that the page became hidden or visible, which changes timers on both sides.
    pub fn set_hidden(&mut self, now: Timestamp, hidden: bool) {
        self.tick(now);
        if self.role() == DeviceRole::Web && self.alive.hidden != hidden {
            self.alive.hidden = hidden;
            self.attach.set_hidden(hidden);
            let state = if hidden { PageState::Hidden } else { PageState::Visible };
            let _ = self.lanes.slots.set(PageState::SLOT, state.encode());
            self.probe_now();
        }
    }

    /// Reports a change of network or clock: probes the peer at once, or reconnects if there is no socket.
    pub fn probe(&mut self, now: Timestamp) {
        self.tick(now);
        self.probe_now();
    }

    /// On a companion: sets what the relay needs to wake this phone, at most 256 bytes, as received from the
    /// phone's application; `None` when the phone cannot be woken. The handle is not stored, so set it after
    /// each start.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse`] on a phone, or when the handle is too long.
    pub fn set_wake_handle(&mut self, now: Timestamp, handle: Option<Bytes>) -> Result<(), ApiMisuse> {
        self.tick(now);
        if handle.as_ref().is_some_and(|handle| handle.len() > WAKE_HANDLE_LEN_MAX) {
            return Err(ApiMisuse::TooLarge);
        }
        let Side::Web(web) = &mut self.side else { return Err(ApiMisuse::WrongRole) };
        web.wake.set_handle(handle);
        Ok(())
    }

    /// On a phone: reports a wake for this link's mailbox. Returns whether the phone should connect because
    /// of it: not for a fourth wake within an hour in which no confirm came. If it should, and no socket is
    /// open, [`Event::Connect`] follows. The count is not stored.
    pub fn handle_wake(&mut self, now: Timestamp) -> bool {
        self.tick(now);
        let Side::Phone(phone) = &mut self.side else { return false };
        let follow = !self.dead && phone.wake.woken(self.now);
        if follow {
            self.attach.reconnect_now(self.now);
        }
        follow
    }

    /// On a companion: takes back the seat that another socket took. Call it when the user asks for it.
    pub fn reclaim_seat(&mut self, now: Timestamp) {
        self.tick(now);
        if let Side::Web(web) = &mut self.side
            && web.replaced
        {
            web.replaced = false;
            if self.attach.is_open() {
                self.event(Event::Disconnect);
            }
            self.attach.down_until(Some(now));
        }
    }

    /// Opens a stream: a get asks the peer for bytes, a put offers some. `meta` describes the content in at
    /// most 1,024 bytes.
    ///
    /// # Errors
    ///
    /// [`SendRefused`].
    pub fn stream_open(
        &mut self,
        now: Timestamp,
        kind: OpenKind,
        meta: Bytes,
    ) -> Result<Opened, SendRefused> {
        self.tick(now);
        self.check_alive()?;
        if meta.len() > STREAM_META_LEN_MAX {
            return Err(SendRefused::TooLarge);
        }
        let id = self.counters.next_stream;
        // Within a session, no id may be used for two streams.
        // req: STR-001
        if id > VARINT_MAX {
            return Err(SendRefused::TooMany);
        }
        let op = self.lanes.streams.open(id, kind, meta)?;
        self.counters.next_stream = id.saturating_add(2);
        let ops = alloc::vec![op];
        Ok(Opened { id, commit: self.return_commit(ops, Deferred::OpenStream(id)) })
    }

    /// Sends the content of an outgoing stream, such as a thumbnail, before that of other streams. This lasts
    /// until the process ends.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse`] when no outgoing stream has this id.
    pub fn set_stream_priority(&mut self, now: Timestamp, id: u64) -> Result<(), ApiMisuse> {
        self.tick(now);
        self.lanes.streams.set_urgent(id)
    }

    /// Supplies bytes of an outgoing stream, in answer to [`crate::StreamEvent::DataWanted`]: at most `max` bytes.
    /// With the stream's last bytes comes the content's hash.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse`] when no bytes were requested.
    pub fn stream_supply(
        &mut self,
        now: Timestamp,
        id: u64,
        offset: u64,
        bytes: Bytes,
        fin: Option<[u8; 32]>,
    ) -> Result<(), ApiMisuse> {
        self.tick(now);
        self.lanes.streams.supply(id, offset, bytes, fin)
    }

    /// Reports that bytes of an incoming stream up to `offset` are on disk. Apply the commit *after* the file
    /// was synced; the peer is told once the commit is durable. After [`crate::StreamEvent::Fin`], reporting the
    /// end's offset finishes the stream.
    ///
    /// # Errors
    ///
    /// [`SendRefused`].
    pub fn stream_durable(&mut self, now: Timestamp, id: u64, offset: u64) -> Result<Commit, SendRefused> {
        self.tick(now);
        self.check_alive()?;
        let op = self.lanes.streams.written(id, offset)?;
        Ok(self.return_commit(alloc::vec![op], Deferred::StreamDurable(id, offset)))
    }

    /// Requests more of an incoming stream of which nothing is durable, because the application keeps its
    /// beginning (a media stream's chunk list) in memory until that is complete. `offset` is the offset up to
    /// which the application has the beginning.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse`] when no incoming stream has this id, or `offset` is beyond what arrived.
    pub fn stream_buffered(&mut self, now: Timestamp, id: u64, offset: u64) -> Result<(), ApiMisuse> {
        self.tick(now);
        self.lanes.streams.hold(id, offset)
    }

    /// Answers a put whose content this side already has, so that the peer need not send it. `size` is the
    /// length of the whole stream.
    ///
    /// # Errors
    ///
    /// [`SendRefused`].
    pub fn stream_complete(&mut self, now: Timestamp, id: u64, size: u64) -> Result<Commit, SendRefused> {
        self.tick(now);
        self.check_alive()?;
        let word = Frame::Durable { id, offset: size };
        let op = self.lanes.streams.close(id, Some(word)).ok_or(ApiMisuse::NoSuchStream)?;
        Ok(self.return_commit(alloc::vec![op], Deferred::Nothing))
    }

    /// Stops a stream for both sides; `code` tells the peer why.
    ///
    /// # Errors
    ///
    /// [`SendRefused`].
    pub fn reset_stream(&mut self, now: Timestamp, id: u64, code: ErrorCode) -> Result<(), SendRefused> {
        self.tick(now);
        self.check_alive()?;
        let op =
            self.lanes.streams.close(id, Some(Frame::Stop { id, code })).ok_or(ApiMisuse::NoSuchStream)?;
        self.persist(alloc::vec![op], Deferred::Nothing);
        self.event(Event::Stream(StreamEvent::Ended { id, end: StreamEnd::Stopped(code) }));
        Ok(())
    }

    /// On a phone: revokes the link. `signature` is the account's over this companion
    /// (`handfast_handshake::certificate::sign_revoked`). The companion is told at once if it is connected,
    /// or else whenever it connects. Its session never continues.
    ///
    /// # Errors
    ///
    /// [`SendRefused`].
    pub fn revoke(&mut self, now: Timestamp, signature: Signature) -> Result<Commit, SendRefused> {
        self.tick(now);
        self.check_alive()?;
        let Side::Phone(phone) = &mut self.side else { return Err(ApiMisuse::WrongRole.into()) };
        // The signature is stored before it is sent, so that the revocation outlives a crash.
        // req: HSK-151, HSK-152
        phone.revoked = Some(signature);
        self.status = LinkStatus::Revoked;
        let live = matches!(self.conn, Connection::Live(_));
        if !live {
            self.drop_connection();
        }
        let deferred = if live { Deferred::Revoke(signature) } else { Deferred::Nothing };
        Ok(self.return_commit(alloc::vec![put_revoked(&signature)], deferred))
    }

    /// On a phone: drops an OFFERED link at the user's request. A companion that has accepted it stays
    /// PENDING until its link lapses.
    ///
    /// # Errors
    ///
    /// [`SendRefused`]; `Misuse` of `WrongState` when the link is not OFFERED.
    pub fn cancel_offer(&mut self, now: Timestamp) -> Result<Commit, SendRefused> {
        self.tick(now);
        self.check_alive()?;
        // An ACTIVE link must be revoked instead, so that the companion learns of it.
        // req: HSK-133
        if self.status != LinkStatus::Offered {
            return Err(ApiMisuse::WrongState.into());
        }
        self.lapses = None;
        self.drop_connection();
        self.event(Event::Disconnect);
        self.attach.down_until(None);
        Ok(self.return_commit(alloc::vec![wipe_rows()], Deferred::Wiped))
    }

    /// Ends the connection with this code, because the application cannot accept what the peer sent, such as
    /// a slot's value that the specification does not allow. Does nothing when there is no connection.
    pub fn refuse(&mut self, now: Timestamp, code: ErrorCode) {
        self.tick(now);
        if matches!(self.conn, Connection::Live(_)) {
            self.fail(code);
        }
    }

    /// Returns the number of messages in the outbox, and their total length in bytes.
    #[must_use]
    pub fn outbox_len(&self) -> (usize, usize) {
        self.lanes.outbox.len()
    }
}
