//! What the companion keeps for its link at run time, besides its machine, and what arrives over it.

use std::collections::BTreeMap;
use std::time::Duration;

use handfast::codec::ids::CommandKey;
use handfast::codec::limits::{HISTORY_COUNT_MAX, PENDING_MAX};
use handfast::host;
use handfast::session::{Endpoint, LinkStatus};
use handfast::{DeviceRole, ErrorCode, Timestamp};
use handfast_messages::{Command, ResultBody};
use rand_core::CryptoRng;

use super::command_key::draw_key;
use super::subscriptions::Subscriptions;
use super::transfer::running::{Check, Running, requeue};
use super::{App, AppEvent, Leftover};
use crate::store::{CommandState, HistoryPage, LinkRowState, StoreError, TransferState};

/// How long a link that the phone never confirmed is kept.
const PENDING_KEPT_MS: u64 = PENDING_MAX * 1_000;

/// The link, with what the companion keeps for it.
pub(super) type Link = host::Link<LinkData>;

/// What the companion keeps for its link while it runs.
#[derive(Debug)]
#[expect(unnameable_types, reason = "the host alone asks for it")]
pub struct LinkData {
    /// Streams that are open, by id.
    pub(super) running: BTreeMap<u64, Running>,
    /// What is looked at before its stream is opened.
    pub(super) check: Option<Check>,
    /// Pages of history that came too old: the command that asks again, and the one that asked first.
    asked_again: BTreeMap<CommandKey, CommandKey>,
    /// Streams to be stopped as soon as the machine takes it.
    pub(super) stops: Vec<(u64, ErrorCode)>,
    /// Whether a connection is live, so that transfers may open streams.
    pub(super) live: bool,
    confirmed: Confirmed,
    pub(super) told: Told,
    /// Whether the user was told that this companion was put back too far.
    pub(super) told_forgotten: bool,
    /// Whether the store may hold changes until the phone is there: false once a look has found none.
    pub(super) holds: bool,
    pub(super) subscriptions: Subscriptions,
}

/// Whether the phone has confirmed the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Confirmed {
    /// Not as far as its row says.
    No,
    /// It has, and the user is to be told.
    Untold,
    /// It has, and the user knows.
    Told,
}

/// What is to be told once, and what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing yet.
    Nothing,
    /// Every chat is here.
    Synced,
    /// The phone revoked this companion: everything is deleted once that is durable.
    Revoked,
    /// The phone did not confirm the link in time: the same.
    Lapsed,
}

impl Told {
    /// What the user is told when everything of the link is deleted, if that is to be.
    pub(super) fn end(self) -> Option<AppEvent> {
        match self {
            Self::Nothing | Self::Synced => None,
            Self::Revoked => Some(AppEvent::Revoked),
            Self::Lapsed => Some(AppEvent::Lapsed),
        }
    }
}

/// Whether the phone has confirmed a link.
pub(super) fn is_confirmed(link: &Link) -> bool {
    link.data.confirmed != Confirmed::No || link.endpoint.status() == LinkStatus::Active
}

impl LinkData {
    fn new(confirmed: Confirmed) -> Self {
        Self {
            running: BTreeMap::new(),
            check: None,
            asked_again: BTreeMap::new(),
            stops: Vec::new(),
            live: false,
            confirmed,
            told: Told::Nothing,
            told_forgotten: false,
            holds: true,
            subscriptions: Subscriptions::default(),
        }
    }

    /// When the next look at what is under way is due.
    pub(super) fn check_due(&self) -> Option<Timestamp> {
        self.check.as_ref().filter(|_| self.opens_streams()).map(|check| check.due)
    }
}

impl App {
    /// Opens the stored link, if there is one.
    pub(super) fn load_link(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let Some(row) = self.store.link()? else { return Ok(()) };
        // req: HSK-131
        let age_ms = self.store.wall_ms().saturating_sub(row.created_ms);
        if row.state == LinkRowState::Pending && age_ms >= PENDING_KEPT_MS {
            self.store.forget_link(row.link)?;
            return self.store.commit();
        }
        if !self.store.has_keys(row.link)? {
            // The phone ended the attempt after this side had stored it: the keys are gone, the row follows.
            self.store.forget_link(row.link)?;
            return self.store.commit();
        }
        let pairs = self.store.pairs(row.link)?;
        let mut endpoint = Endpoint::load(DeviceRole::Web, &pairs, None, now, rng)
            .map_err(|_| StoreError::Damaged("link"))?;
        endpoint.waited(now, Duration::from_millis(age_ms));
        let confirmed = match row.state {
            // The keys may be confirmed in an older transaction than the row.
            LinkRowState::Pending => Confirmed::No,
            _ if self.known_linked == Some(row.companion) => Confirmed::Told,
            // Another program on the same directory may have had it confirmed, and told its own user alone; or what this
            // one was about to tell went with a round that failed.
            _ => Confirmed::Untold,
        };
        if endpoint.status() == LinkStatus::Pending {
            // req: HSK-165
            let left_ms = PENDING_KEPT_MS.saturating_sub(age_ms);
            self.event(AppEvent::Unconfirmed { left_s: left_ms.div_ceil(1_000) });
        }
        let mut data = LinkData::new(confirmed);
        self.reopen_transfers(&endpoint, &mut data)?;
        self.host.add_link(Link::new(now, row.link, endpoint, data));
        Ok(())
    }

    /// Opens streams for transfers, sends what was held, and tells that the phone has confirmed the link.
    pub(super) fn pump_link(&mut self, now: Timestamp, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = self.pump_transfers(now, link)?;
        moved |= self.send_held(now, link)?;
        if link.data.confirmed == Confirmed::No && link.endpoint.status() == LinkStatus::Active {
            link.data.confirmed = Confirmed::Untold;
            self.store.set_link_state(link.id(), LinkRowState::Active)?;
        }
        if link.data.confirmed == Confirmed::Untold {
            // req: HSK-135
            link.data.confirmed = Confirmed::Told;
            self.tell_linked()?;
            moved = true;
        }
        Ok(moved)
    }

    /// Hands over what was held until the phone is there, the oldest first. Where the machine has no room, it goes later.
    fn send_held(&mut self, now: Timestamp, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = false;
        while link.data.live && link.data.holds {
            let Some((key, body)) = self.store.first_held()? else {
                link.data.holds = false;
                break;
            };
            let Ok(commit) = link.endpoint.send(now, key, &body) else { break };
            link.store(commit);
            self.store.held_leaves(key)?;
            moved = true;
        }
        Ok(moved)
    }

    /// The phone tells changes from this revision on, and none before.
    pub(super) fn begin_changes(&mut self, link: &Link, rev: u64) -> Result<(), StoreError> {
        let gone = self.store.forget_older(&link.data.subscriptions.chats())?;
        self.leftovers.extend(gone.into_iter().map(Leftover::Content));
        self.store.set_changes_to(rev)
    }

    /// Takes a page of history. Returns whether it counts; one that does not is asked for again.
    fn on_history(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        link: &mut Link,
        key: CommandKey,
        page: &HistoryPage<'_>,
    ) -> Result<bool, StoreError> {
        let Some((chat, before)) = self.store.history_asked(key)? else { return Ok(true) };
        if self.store.put_history(chat, before, page)? {
            return Ok(true);
        }
        let count = u8::try_from(HISTORY_COUNT_MAX).unwrap_or(u8::MAX);
        let body = Command::History { chat, before, count }.encode();
        // Where the outbox is full, the user asks again.
        let again = draw_key(rng);
        let Ok(commit) = link.endpoint.send(now, again, &body) else { return Ok(true) };
        link.store(commit);
        self.store.put_command(again, None, "history", &body, CommandState::Sent)?;
        let waiting = link.data.asked_again.remove(&key).unwrap_or(key);
        let _ = link.data.asked_again.insert(again, waiting);
        Ok(false)
    }

    pub(super) fn on_result(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        link: &mut Link,
        key: CommandKey,
        body: Option<&bytes::Bytes>,
    ) -> Result<(), StoreError> {
        let client_id = self.store.command(key)?.and_then(|command| command.client_id);
        let outcome = match body.map(ResultBody::decode) {
            // req: MSG-071
            Some(Ok(ResultBody::Accepted { message, .. })) => Ok(Some(message)),
            Some(Ok(ResultBody::Failed { code })) => Err(code),
            Some(Ok(ResultBody::HistoryPage { items, more, rev })) => {
                if !self.on_history(now, rng, link, key, &HistoryPage { items: &items, more, rev })? {
                    return self.store.settle_command(key, CommandState::Accepted, None, None);
                }
                Ok(None)
            }
            // It was done, or was done before and the phone has forgotten what came of it.
            Some(Ok(_)) | None => Ok(None),
            Some(Err(error)) => Err(error.code()),
        };
        let (state, message, error) = match outcome {
            Ok(message) => (CommandState::Accepted, message, None),
            Err(code) => (CommandState::Failed, None, Some(code)),
        };
        self.store.settle_command(key, state, message, error)?;
        // Who asked first knows that command alone.
        let key = link.data.asked_again.remove(&key).unwrap_or(key);
        self.event(AppEvent::Result { key, client_id, outcome });
        Ok(())
    }

    /// Opens the streams again that were open when the process ended, and queues the transfers that have none.
    fn reopen_transfers(&mut self, endpoint: &Endpoint, data: &mut LinkData) -> Result<(), StoreError> {
        let streams: BTreeMap<u64, u64> =
            endpoint.streams().into_iter().map(|stream| (stream.id, stream.durable)).collect();
        for mut transfer in self.store.transfers_open()? {
            let open = transfer.stream.and_then(|id| streams.get(&id).map(|durable| (id, *durable)));
            match open {
                Some((id, durable)) => self.reopen(data, id, transfer, durable)?,
                None if transfer.state == TransferState::Open => {
                    requeue(&mut transfer);
                    self.store.update_transfer(&transfer)?;
                }
                None => {}
            }
        }
        for id in streams.keys().filter(|id| !data.running.contains_key(id)) {
            data.stops.push((*id, ErrorCode::CANCELLED));
        }
        self.store.commit()
    }
}
