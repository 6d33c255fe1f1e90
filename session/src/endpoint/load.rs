//! Loading an endpoint from its stored rows, and the rows of a new link.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::envelope::CommandEnvelope;
use handfast_codec::frame::{Collection, OpenKind, PageCursor};
use handfast_codec::ids::{CommandKey, LogId, MailboxId, Signature};
use handfast_codec::limits::{OFFERED_MAX, PENDING_MAX};
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_handshake::ratchet::{PhoneRatchet, WebRatchet};
use handfast_handshake::secret::Psk;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Ack, CompanionEndpoint, Connection, Deferred, Endpoint, Lanes, Liveness, PhoneEndpoint, Role};
use crate::attach::Attach;
use crate::commands::phone::CommandsRun;
use crate::commands::version_1;
use crate::commands::web::{OwnCommands, Unsettled};
use crate::commit::{CommitGate, Op};
use crate::counters::Counters;
use crate::ephemeral::EphemeralLane;
use crate::error::LoadError;
use crate::inbox::Inbox;
use crate::jitter::Jitter;
use crate::key_log::KeyLog;
use crate::keys;
use crate::memory::LinkRowsTxn;
use crate::outbox::Outbox;
use crate::psk::IdPsk;
use crate::stream::Streams;

/// The status of a link (spec, handshake, *Commit* and *Recovery*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkStatus {
    /// On a phone: the certificate was sent, and the companion has not accepted it yet.
    Offered,
    /// On a companion: this companion has accepted, and the phone has not confirmed yet.
    Pending,
    /// Both sides have stored the link, and sessions run.
    Active,
    /// On a phone: two devices have the companion's keys, so no session runs until the user revokes the link.
    Suspended,
    /// On a phone: the user revoked the link, and the companion is told whenever it connects.
    Revoked,
}

/// Returns how long a link may stay in this status, or `None` if there is no limit.
pub(super) fn kept_for(status: LinkStatus) -> Option<Duration> {
    match status {
        // The page may have been closed, so that nobody is left to accept the offer.
        // req: HSK-130
        LinkStatus::Offered => Some(Duration::from_secs(OFFERED_MAX)),
        // The phone may have stored ACTIVE and then been switched off, so the companion waits long for it.
        // req: HSK-131
        LinkStatus::Pending => Some(Duration::from_secs(PENDING_MAX)),
        LinkStatus::Active | LinkStatus::Suspended | LinkStatus::Revoked => None,
    }
}

/// An open stream, for an application that opens its files again after a start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The stream's id.
    pub id: u64,
    /// Whether the opener asks for bytes (get) or offers them (put).
    pub kind: OpenKind,
    /// Whether this side opened the stream.
    pub local: bool,
    /// The opener's description of the content, at most 1,024 bytes.
    pub meta: Bytes,
    /// For an incoming stream, the number of bytes durable here; 0 for an outgoing one.
    pub durable: u64,
}

/// The stored rows of a link, as [`PhoneEndpoint::load`] and [`CompanionEndpoint::load`] take them: key and value, in any order.
pub type LinkRows = BTreeMap<Vec<u8>, Zeroizing<Vec<u8>>>;

fn status_row(status: LinkStatus, revoked: Option<&Signature>) -> Op {
    let mut row = Vec::with_capacity(65);
    row.push(match status {
        LinkStatus::Offered => 1,
        LinkStatus::Pending => 2,
        LinkStatus::Active => 3,
        LinkStatus::Suspended => 4,
        LinkStatus::Revoked => 5,
    });
    if let Some(signature) = revoked {
        row.extend_from_slice(signature.as_bytes());
    }
    Op::put(keys::STATUS.to_vec(), row)
}

pub(super) fn put_status(status: LinkStatus) -> Op {
    status_row(status, None)
}

pub(super) fn put_revoked(signature: &Signature) -> Op {
    status_row(LinkStatus::Revoked, Some(signature))
}

fn read_status(row: &[u8]) -> Result<(LinkStatus, Option<Signature>), LoadError> {
    let (head, rest) = row.split_first().ok_or(LoadError::Damaged)?;
    let status = match head {
        1 => LinkStatus::Offered,
        2 => LinkStatus::Pending,
        3 => LinkStatus::Active,
        4 => LinkStatus::Suspended,
        5 => LinkStatus::Revoked,
        _ => return Err(LoadError::Damaged),
    };
    let signature = match (status, rest) {
        (LinkStatus::Revoked, bytes) => {
            Some(Signature::from_bytes(bytes.try_into().map_err(|_| LoadError::Damaged)?))
        }
        (_, []) => None,
        _ => return Err(LoadError::Damaged),
    };
    Ok((status, signature))
}

pub(super) fn put_phone_ratchet(ratchet: &PhoneRatchet<IdPsk>) -> Op {
    let mut row = Zeroizing::new(Vec::with_capacity(73));
    row.extend_from_slice(&ratchet.last_try().to_be_bytes());
    row.extend_from_slice(ratchet.current().psk.expose());
    if let Some(candidate) = ratchet.candidate() {
        row.extend_from_slice(candidate.psk.expose());
    }
    Op::Put { key: keys::RATCHET.to_vec(), value: row }
}

pub(super) fn put_web_ratchet(ratchet: &WebRatchet<IdPsk>) -> Op {
    let mut row = Zeroizing::new(Vec::with_capacity(40));
    row.extend_from_slice(&ratchet.last_try().to_be_bytes());
    row.extend_from_slice(ratchet.key().psk.expose());
    Op::Put { key: keys::RATCHET.to_vec(), value: row }
}

pub(super) fn read_ratchet(
    row: &[u8],
    mailbox: &MailboxId,
) -> Result<(u64, IdPsk, Option<IdPsk>), LoadError> {
    let (last_try, rest) = row.split_first_chunk::<8>().ok_or(LoadError::Damaged)?;
    let (current, rest) = rest.split_first_chunk::<32>().ok_or(LoadError::Damaged)?;
    let candidate = match rest {
        [] => None,
        bytes => Some(<[u8; 32]>::try_from(bytes).map_err(|_| LoadError::Damaged)?),
    };
    let slot = |bytes: [u8; 32]| IdPsk::new(Psk::from_bytes(bytes), mailbox);
    Ok((u64::from_be_bytes(*last_try), slot(*current), candidate.map(slot)))
}

/// Decodes the keys and terms of a phone's link.
pub(super) fn read_phone_link(row: &[u8]) -> Result<PhoneLink, LoadError> {
    let other = || if WebLink::decode(row).is_ok() { LoadError::OtherRole } else { LoadError::Damaged };
    PhoneLink::decode(row).map_err(|_| other())
}

/// Decodes the keys and terms of a companion's link.
pub(super) fn read_web_link(row: &[u8]) -> Result<WebLink, LoadError> {
    let other = || if PhoneLink::decode(row).is_ok() { LoadError::OtherRole } else { LoadError::Damaged };
    WebLink::decode(row).map_err(|_| other())
}

/// Returns the rows of a new link on a phone, for the commit that makes it OFFERED.
pub(crate) fn phone_rows(link: &PhoneLink, start: Start) -> Vec<Op> {
    let ratchet = PhoneRatchet::new(IdPsk::new(start.resume, &link.terms.mailbox), None, 0);
    let counters = Counters::new(start.epoch_p2w, start.epoch_w2p, 1);
    alloc::vec![
        Op::Put { key: keys::LINK.to_vec(), value: link.encode() },
        put_phone_ratchet(&ratchet),
        put_status(LinkStatus::Offered),
        counters.put(),
    ]
}

/// Returns the rows of a new link on a companion, for the commit that makes it PENDING.
pub(crate) fn web_rows(link: &WebLink, start: Start) -> Vec<Op> {
    let ratchet = WebRatchet::new(IdPsk::new(start.resume, &link.terms.mailbox), 0);
    let counters = Counters::new(start.epoch_w2p, start.epoch_p2w, 0);
    alloc::vec![
        Op::Put { key: keys::LINK.to_vec(), value: link.encode() },
        put_web_ratchet(&ratchet),
        put_status(LinkStatus::Pending),
        counters.put(),
    ]
}

/// Returns the operation that makes a link ACTIVE.
pub(crate) fn active_row() -> Op {
    put_status(LinkStatus::Active)
}

/// Returns the operation that deletes all rows of a link except the store's version.
pub(crate) fn wipe_rows() -> Op {
    Op::DeleteRange { from: alloc::vec![1], to: keys::END.to_vec() }
}

/// Encodes the row of an unfinished snapshot: its revision, and the cursor of the next page.
pub(super) fn snapshot_row(rev: u64, next: &PageCursor) -> Vec<u8> {
    [&rev.to_be_bytes()[..], next.as_bytes()].concat()
}

fn read_snapshot(row: &[u8]) -> Result<(u64, PageCursor), LoadError> {
    let (rev, next) = row.split_first_chunk::<8>().ok_or(LoadError::Damaged)?;
    let next = PageCursor::new(Bytes::copy_from_slice(next)).ok_or(LoadError::Damaged)?;
    Ok((u64::from_be_bytes(*rev), next))
}

/// The decoded rows besides keys, counters and status.
pub(crate) struct Rows<'a> {
    outbox: BTreeMap<u64, Bytes>,
    /// The rows of commands without an answer.
    pub(super) unanswered: Vec<(CommandKey, &'a [u8])>,
    pub(super) commands: CommandsRun,
    unsettled: BTreeMap<u64, CommandKey>,
    settled: BTreeMap<u64, CommandKey>,
    pub(super) cursors: BTreeMap<Collection, u64>,
    pub(super) snapshots: BTreeMap<Collection, (u64, PageCursor)>,
    streams: Streams,
    /// The account's signature, if the link is REVOKED.
    pub(super) revoked: Option<Signature>,
}

fn row<'a>(pairs: &'a LinkRows, key: &[u8]) -> Result<&'a [u8], LoadError> {
    let missing = || LoadError::Missing(key.first().copied().unwrap_or_default());
    pairs.get(key).map(|row| row.as_slice()).ok_or_else(missing)
}

fn read_rows(pairs: &LinkRows, revoked: Option<Signature>) -> Result<Rows<'_>, LoadError> {
    let mut rows = Rows {
        outbox: BTreeMap::new(),
        unanswered: Vec::new(),
        commands: CommandsRun::default(),
        unsettled: BTreeMap::new(),
        settled: BTreeMap::new(),
        cursors: BTreeMap::new(),
        snapshots: BTreeMap::new(),
        streams: Streams::default(),
        revoked,
    };
    for (key, value) in pairs {
        let number = || keys::number_of(key).ok_or(LoadError::Damaged);
        match key.first() {
            Some(&keys::OUTBOX) => {
                let _ = rows.outbox.insert(number()?, Bytes::copy_from_slice(value));
            }
            Some(&keys::COMMAND) => {
                rows.commands.load(keys::command_of(key).ok_or(LoadError::Damaged)?, value)?;
            }
            Some(&keys::UNANSWERED) => {
                rows.unanswered.push((keys::command_of(key).ok_or(LoadError::Damaged)?, value));
            }
            Some(&keys::UNSETTLED) => {
                let _ = rows.unsettled.insert(number()?, read_key(value)?);
            }
            Some(&keys::SETTLED) => {
                let _ = rows.settled.insert(number()?, read_key(value)?);
            }
            Some(&keys::CURSOR) => {
                let collection = keys::collection_of(key).ok_or(LoadError::Damaged)?;
                let cursor =
                    value.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| LoadError::Damaged)?;
                let _ = rows.cursors.insert(collection, cursor);
            }
            Some(&keys::SNAPSHOT) => {
                let collection = keys::collection_of(key).ok_or(LoadError::Damaged)?;
                let _ = rows.snapshots.insert(collection, read_snapshot(value)?);
            }
            Some(&keys::STREAM) => rows.streams.load(number()?, value)?,
            _ => {}
        }
    }
    Ok(rows)
}

fn read_key(row: &[u8]) -> Result<CommandKey, LoadError> {
    row.try_into().map(CommandKey::from_bytes).map_err(|_| LoadError::Damaged)
}

/// Builds the list of the companion's own commands. Those that wait for a result are matched with their
/// outbox rows.
pub(super) fn own_commands(rows: &mut Rows<'_>) -> OwnCommands {
    let without_row = |(number, key)| (number, Unsettled { key, index: None });
    let mut waiting: BTreeMap<_, _> =
        core::mem::take(&mut rows.unsettled).into_iter().map(without_row).collect();
    for (index, message) in &rows.outbox {
        let command = CommandEnvelope::decode(message).ok();
        if let Some(row) = command.and_then(|command| waiting.get_mut(&command.number)) {
            row.index = Some(*index);
        }
    }
    OwnCommands::new(waiting, core::mem::take(&mut rows.settled))
}

impl PhoneEndpoint {
    /// Loads a stored link. `log_id` names this phone's change log. `rng` seeds only delays and grease. Call
    /// [`PhoneEndpoint::set_log_head`] next.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when rows are missing or damaged, or are a companion's.
    pub fn load(
        pairs: &LinkRows,
        log_id: LogId,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, LoadError> {
        let mut endpoint = Self::load_or_take_over(pairs, now, rng)?;
        endpoint.counters.log_id = log_id;
        Ok(endpoint)
    }
}

impl CompanionEndpoint {
    /// Loads a stored link. `rng` seeds only delays and grease.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when rows are missing or damaged, or are a phone's.
    pub fn load(pairs: &LinkRows, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<Self, LoadError> {
        Self::load_or_take_over(pairs, now, rng)
    }
}

impl<R: Role> Endpoint<R> {
    /// Loads a link. One that was stored before commands had keys is migrated: the first commit replaces its
    /// rows with rows of version 2.
    fn load_or_take_over(
        pairs: &LinkRows,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, LoadError> {
        if pairs.is_empty() {
            return Err(LoadError::NoLink);
        }
        if !version_1::is_stored(pairs) {
            return Self::load_rows(pairs, now, rng);
        }
        let mailbox = R::mailbox(row(pairs, keys::LINK)?)?;
        let ops = version_1::take_over(R::ROLE, &mailbox, pairs)?;
        let mut taken = pairs.clone();
        let mut txn = LinkRowsTxn::new(&mut taken);
        for op in &ops {
            let Ok(()) = op.write(mailbox, &mut txn);
        }
        let mut endpoint = Self::load_rows(&taken, now, rng)?;
        endpoint.persist(ops, Deferred::Nothing);
        Ok(endpoint)
    }

    fn load_rows(pairs: &LinkRows, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<Self, LoadError> {
        let version = row(pairs, keys::VERSION)?.try_into().map(u64::from_be_bytes);
        let version = version.map_err(|_| LoadError::Damaged)?;
        let (status, revoked) = read_status(row(pairs, keys::STATUS)?)?;
        let counters = Counters::decode(row(pairs, keys::SESSION)?)?;
        let mut rows = read_rows(pairs, revoked)?;
        let (side, sync) = R::load(row(pairs, keys::LINK)?, row(pairs, keys::RATCHET)?, &mut rows, now)?;
        let mailbox = side.terms().mailbox;
        let mut jitter = Jitter::new(rng.next_u64());
        let attach =
            Attach::new(side.terms().relay.clone(), mailbox, R::ROLE, now, Jitter::new(jitter.next()));
        let lanes = Lanes {
            outbox: Outbox::new(counters.out_base, counters.next_index, rows.outbox, side.kept()),
            inbox: Inbox::new(counters.in_durable),
            sync,
            ephemeral: EphemeralLane::default(),
            streams: rows.streams,
            control: VecDeque::new(),
            ack: Ack::None,
        };
        Ok(Self {
            side,
            status,
            attach,
            conn: Connection::None,
            counters,
            lanes,
            gate: CommitGate::new(mailbox, version),
            deferred: VecDeque::new(),
            out: VecDeque::new(),
            lapsed: Vec::new(),
            jitter,
            now,
            shown: None,
            alive: Liveness::new(now),
            ahead: 0,
            lapses: kept_for(status).map(|kept| now.plus(kept)),
            dead: false,
            key_log: KeyLog::default(),
        })
    }

    /// Returns the status of the link.
    #[must_use]
    pub fn status(&self) -> LinkStatus {
        self.status
    }

    /// Sets how long ago, by wall time, the link was stored: an OFFERED or PENDING link lapses that much
    /// earlier. Without this call the link lapses as if it were new.
    pub fn waited(&mut self, now: Timestamp, age: Duration) {
        self.tick(now);
        if let Some(kept) = kept_for(self.status) {
            let at = self.now.plus(kept.saturating_sub(age));
            self.lapses = Some(self.lapses.map_or(at, |lapses| lapses.min(at)));
        }
    }

    /// Returns the open streams, so that the application can open their files again.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamInfo> {
        let durable: BTreeMap<u64, u64> = self.lanes.streams.block().into_iter().collect();
        self.lanes
            .streams
            .iter()
            .map(|(id, stream)| StreamInfo {
                id,
                kind: stream.kind,
                local: stream.local,
                meta: stream.meta.clone(),
                durable: durable.get(&id).copied().unwrap_or(0),
            })
            .collect()
    }
}
