//! Loading an endpoint from its stored rows, and the rows of a new link.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use handfast_codec::Timestamp;
use handfast_codec::envelope::CommandEnvelope;
use handfast_codec::frame::{Collection, OpenKind, PageCursor};
use handfast_codec::ids::{CommandKey, LogId, MailboxId, Signature};
use handfast_codec::limits::{OFFERED_MAX, PENDING_MAX};
use handfast_codec::role::DeviceRole;
use handfast_handshake::key_schedule;
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_handshake::ratchet::{PhoneRatchet, WebRatchet};
use handfast_handshake::secret::Psk;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Ack, Connection, Deferred, Endpoint, Lanes, Liveness, PhoneSide, Side, WebSide};
use crate::attach::Attach;
use crate::commands::phone::CommandsRun;
use crate::commands::version_1;
use crate::commands::web::{OwnCommands, Unsettled};
use crate::commit::{CommitGate, Op};
use crate::counted::Counted;
use crate::counters::Counters;
use crate::error::LoadError;
use crate::inbox::Inbox;
use crate::jitter::Jitter;
use crate::keys;
use crate::memory::PairsTxn;
use crate::outbox::Outbox;
use crate::psk::IdPsk;
use crate::slots::Slots;
use crate::stream::Streams;
use crate::sync::{PhoneSync, WebSync};
use crate::wake::{PhoneWake, WebWake};

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

/// The stored rows of a link, as [`Endpoint::load`] takes them: key and value, in any order.
pub type Pairs = BTreeMap<Vec<u8>, Zeroizing<Vec<u8>>>;

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

fn read_ratchet(row: &[u8], mailbox: &MailboxId) -> Result<(u64, IdPsk, Option<IdPsk>), LoadError> {
    let (last_try, rest) = row.split_first_chunk::<8>().ok_or(LoadError::Damaged)?;
    let (current, rest) = rest.split_first_chunk::<32>().ok_or(LoadError::Damaged)?;
    let candidate = match rest {
        [] => None,
        bytes => Some(<[u8; 32]>::try_from(bytes).map_err(|_| LoadError::Damaged)?),
    };
    let slot = |bytes: [u8; 32]| IdPsk::new(Psk::from_bytes(bytes), mailbox);
    Ok((u64::from_be_bytes(*last_try), slot(*current), candidate.map(slot)))
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

/// The decoded rows of the lanes.
struct Rows {
    outbox: BTreeMap<u64, Bytes>,
    commands: CommandsRun,
    unsettled: BTreeMap<u64, CommandKey>,
    settled: BTreeMap<u64, CommandKey>,
    cursors: BTreeMap<Collection, u64>,
    snapshots: BTreeMap<Collection, (u64, PageCursor)>,
    streams: Streams,
}

fn read_rows(pairs: &Pairs) -> Result<Rows, LoadError> {
    let mut rows = Rows {
        outbox: BTreeMap::new(),
        commands: CommandsRun::default(),
        unsettled: BTreeMap::new(),
        settled: BTreeMap::new(),
        cursors: BTreeMap::new(),
        snapshots: BTreeMap::new(),
        streams: Streams::default(),
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
fn own_commands(
    outbox: &BTreeMap<u64, Bytes>,
    unsettled: BTreeMap<u64, CommandKey>,
    settled: BTreeMap<u64, CommandKey>,
) -> OwnCommands {
    let without_row = |(number, key)| (number, Unsettled { key, index: None });
    let mut waiting: BTreeMap<_, _> = unsettled.into_iter().map(without_row).collect();
    for (index, message) in outbox {
        let command = CommandEnvelope::decode(message).ok();
        if let Some(row) = command.and_then(|command| waiting.get_mut(&command.number)) {
            row.index = Some(*index);
        }
    }
    OwnCommands::new(waiting, settled)
}

/// Returns the indexes of the outbox rows that stay until the result of their command has come.
fn kept(side: &Side) -> BTreeSet<u64> {
    match side {
        Side::Web(web) => web.commands.rows().collect(),
        Side::Phone(_) => BTreeSet::new(),
    }
}

impl Endpoint {
    /// Loads a stored link. `log_id` names this phone's change log, and is `None` on a companion. `rng` seeds
    /// only delays and grease.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when rows are missing or damaged.
    pub fn load(
        role: DeviceRole,
        pairs: &Pairs,
        log_id: Option<LogId>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, LoadError> {
        let row = |key: &[u8]| {
            pairs.get(key).ok_or_else(|| LoadError::Missing(key.first().copied().unwrap_or_default()))
        };
        if version_1::is_stored(pairs) {
            return Self::take_over(role, pairs, log_id, now, rng);
        }
        let version = row(keys::VERSION)?.as_slice().try_into().map(u64::from_be_bytes);
        let version = version.map_err(|_| LoadError::Damaged)?;
        let (status, revoked) = read_status(row(keys::STATUS)?)?;
        let mut counters = Counters::decode(row(keys::SESSION)?)?;
        let rows = read_rows(pairs)?;
        let (link, ratchet) = (row(keys::LINK)?, row(keys::RATCHET)?);
        let (side, relay, mailbox) = match role {
            DeviceRole::Phone => {
                counters.log_id = log_id.ok_or(LoadError::Damaged)?;
                let link = PhoneLink::decode(link)?;
                let (relay, mailbox) = (link.terms.relay.clone(), link.terms.mailbox);
                let (last_try, current, candidate) = read_ratchet(ratchet, &mailbox)?;
                let ratchet = PhoneRatchet::new(current, candidate, last_try);
                let side = phone_side(link, ratchet, rows.commands, revoked);
                (Side::Phone(side), relay, mailbox)
            }
            DeviceRole::Web => {
                let link = WebLink::decode(link)?;
                let (relay, mailbox) = (link.terms.relay.clone(), link.terms.mailbox);
                let (last_try, key, _) = read_ratchet(ratchet, &mailbox)?;
                let ratchet = WebRatchet::new(key, last_try);
                let commands = own_commands(&rows.outbox, rows.unsettled, rows.settled);
                let sync = WebSync::new(rows.cursors, rows.snapshots);
                (Side::Web(web_side(link, ratchet, commands, sync, now)), relay, mailbox)
            }
        };
        let mut jitter = Jitter::new(rng.next_u64());
        let attach = Attach::new(relay, mailbox, role, now, Jitter::new(jitter.next()));
        let lanes = Lanes {
            outbox: Outbox::new(counters.out_base, counters.next_index, rows.outbox, kept(&side)),
            inbox: Inbox::new(counters.in_durable),
            slots: Slots::default(),
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
            running: BTreeMap::new(),
            lapses: kept_for(status).map(|kept| now.plus(kept)),
            dead: false,
        })
    }

    /// Loads a link that was stored before commands had keys. The first commit replaces its rows with rows of
    /// version 2.
    fn take_over(
        role: DeviceRole,
        pairs: &Pairs,
        log_id: Option<LogId>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, LoadError> {
        let link = pairs.get(keys::LINK).ok_or(LoadError::Missing(1))?;
        let mailbox = match role {
            DeviceRole::Phone => PhoneLink::decode(link)?.terms.mailbox,
            DeviceRole::Web => WebLink::decode(link)?.terms.mailbox,
        };
        let ops = version_1::take_over(role, &mailbox, pairs)?;
        let mut taken = pairs.clone();
        let mut txn = PairsTxn::new(&mut taken);
        for op in &ops {
            let Ok(()) = op.write(mailbox, &mut txn);
        }
        let mut endpoint = Self::load(role, &taken, log_id, now, rng)?;
        endpoint.persist(ops, Deferred::Nothing);
        Ok(endpoint)
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

fn web_side(
    link: WebLink,
    ratchet: WebRatchet<IdPsk>,
    commands: OwnCommands,
    sync: WebSync,
    now: Timestamp,
) -> WebSide {
    WebSide {
        link,
        ratchet,
        next_attempt: now,
        starts: Counted::since(now),
        unanswered: 0,
        recover: false,
        replaced: false,
        outdated: false,
        sync,
        commands,
        wake: WebWake::default(),
    }
}

fn phone_side(
    link: PhoneLink,
    ratchet: PhoneRatchet<IdPsk>,
    commands: CommandsRun,
    revoked: Option<Signature>,
) -> PhoneSide {
    PhoneSide {
        recovery_id: key_schedule::psk_id(&link.recovery, &link.terms.mailbox),
        link,
        ratchet,
        held: None,
        read: None,
        hinted: None,
        sync: PhoneSync::default(),
        commands,
        revoked,
        wake: PhoneWake::default(),
    }
}
