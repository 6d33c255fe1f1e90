//! The companion's data for its link at run time, besides the link's machine, and the handling of what
//! arrives over the link.

use std::collections::BTreeMap;
use std::time::Duration;

use handfast::codec::ids::CommandKey;
use handfast::codec::limits::{HISTORY_COUNT_MAX, PENDING_MAX};
use handfast::content_files::SyncPace;
use handfast::host::LinkOf;
use handfast::session::{CompanionEndpoint, LinkStatus};
use handfast::{ErrorCode, Timestamp};
use handfast_messages::{Command, ResultBody};
use rand_core::CryptoRng;

use super::command_key::draw_key;
use super::subscriptions::Subscriptions;
use super::transfer::running::{Check, Running, requeue};
use super::{App, AppEvent, PendingDelete};
use crate::store::{CommandState, HistoryPage, LinkRowState, StoreError, TransferState};

/// How long a link that the phone has not confirmed is kept, in milliseconds.
const PENDING_KEPT_MS: u64 = PENDING_MAX * 1_000;

/// The link, with the companion's data for it.
pub(super) type Link = LinkOf<App>;

/// The companion's data for its link at run time.
#[derive(Debug)]
#[expect(unnameable_types, reason = "the host alone asks for it")]
pub struct LinkData {
    /// The transfers with an open stream, by the stream's id.
    pub(super) running: BTreeMap<u64, Running>,
    /// The check of partly fetched content, which runs before the content's next stream is opened.
    pub(super) check: Option<Check>,
    pub(super) pace: SyncPace,
    /// Requests for pages of older messages that were repeated because the page was made too early. Maps the
    /// key of the repeated command to the key of the first one.
    asked_again: BTreeMap<CommandKey, CommandKey>,
    /// Streams that must be stopped with this code, as soon as the machine has room for a commit.
    pub(super) stops: Vec<(u64, ErrorCode)>,
    /// Whether a connection is live, so that transfers can open streams.
    pub(super) live: bool,
    confirmed: Confirmed,
    pub(super) announced: Announced,
    /// Whether the user was told that this companion was put back too far.
    pub(super) told_forgotten: bool,
    /// Whether the store may contain changes that are held back; `false` once a query found none.
    pub(super) holds: bool,
    pub(super) subscriptions: Subscriptions,
}

/// Whether the phone has confirmed the link, and whether the user was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Confirmed {
    /// According to the link's row, the phone has not confirmed the link.
    No,
    /// The phone has confirmed the link, and the user must be told.
    Untold,
    /// The phone has confirmed the link, and the user was told.
    Told,
}

/// Which of the reports that the user gets only once (that everything is copied, or that the link has ended)
/// was made last or must be made next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// None of these reports was made.
    Nothing,
    /// The user was told that all subscribed chats are copied.
    Synced,
    /// The phone revoked this companion. The user is told once everything is durably deleted.
    Revoked,
    /// The phone did not confirm the link in time. The user is told once everything is durably deleted.
    Lapsed,
}

impl Announced {
    /// Returns the event for the end of the link, if the link has ended.
    pub(super) fn end(self) -> Option<AppEvent> {
        match self {
            Self::Nothing | Self::Synced => None,
            Self::Revoked => Some(AppEvent::Revoked),
            Self::Lapsed => Some(AppEvent::Lapsed),
        }
    }
}

/// Returns whether the phone has confirmed a link.
pub(super) fn is_confirmed(link: &Link) -> bool {
    link.data.confirmed != Confirmed::No || link.endpoint.status() == LinkStatus::Active
}

impl LinkData {
    fn new(confirmed: Confirmed) -> Self {
        Self {
            running: BTreeMap::new(),
            check: None,
            pace: SyncPace::default(),
            asked_again: BTreeMap::new(),
            stops: Vec::new(),
            live: false,
            confirmed,
            announced: Announced::Nothing,
            told_forgotten: false,
            holds: true,
            subscriptions: Subscriptions::default(),
        }
    }

    /// Returns when the next step of the check of partly fetched content is due.
    pub(super) fn check_due(&self) -> Option<Timestamp> {
        self.check.as_ref().filter(|_| self.opens_streams()).map(|check| check.due)
    }
}

impl App {
    /// Loads the stored link, if there is one.
    pub(super) fn load_link(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let Some(row) = self.store.link()? else { return Ok(()) };
        // The phone may accept the link while this companion is away, so an unconfirmed link is kept for a
        // limited time.
        // req: HSK-131
        let age_ms = self.store.wall_ms().saturating_sub(row.created_ms);
        if row.state == LinkRowState::Pending && age_ms >= PENDING_KEPT_MS {
            self.store.forget_link(row.link)?;
            return self.store.commit();
        }
        if !self.store.database().links()?.contains(&row.link) {
            // The phone refused the link after this side had stored it. The link's keys were deleted, so its
            // row must be deleted, too.
            self.store.forget_link(row.link)?;
            return self.store.commit();
        }
        let pairs = self.store.database().link_rows(row.link)?;
        let mut endpoint =
            CompanionEndpoint::load(&pairs, now, rng).map_err(|_| StoreError::Damaged("link"))?;
        endpoint.waited(now, Duration::from_millis(age_ms));
        let confirmed = match row.state {
            // The row may be older than the keys: another transaction may have stored that the phone
            // confirmed the link.
            LinkRowState::Pending => Confirmed::No,
            _ if self.known_linked == Some(row.companion) => Confirmed::Told,
            // Another program that used this directory may have received the confirmation, and told only its
            // own user. Or this program has lost its report in a round that failed.
            _ => Confirmed::Untold,
        };
        if endpoint.status() == LinkStatus::Pending {
            // The phone may have stored the link, so the user must know how long it can still be confirmed.
            // req: HSK-165
            let left_ms = PENDING_KEPT_MS.saturating_sub(age_ms);
            self.event(AppEvent::Unconfirmed { left_s: left_ms.div_ceil(1_000) });
        }
        let mut data = LinkData::new(confirmed);
        self.reopen_transfers(&endpoint, &mut data)?;
        self.host.add_link(Link::new(now, row.link, endpoint, data));
        Ok(())
    }

    /// Opens streams for transfers, sends changes that were held back, and tells the user once when the phone
    /// has confirmed the link.
    pub(super) fn pump_link(&mut self, now: Timestamp, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = self.pump_transfers(now, link)?;
        moved |= self.send_held(now, link)?;
        if link.data.confirmed == Confirmed::No && link.endpoint.status() == LinkStatus::Active {
            link.data.confirmed = Confirmed::Untold;
            self.store.set_link_state(link.id(), LinkRowState::Active)?;
        }
        if link.data.confirmed == Confirmed::Untold {
            // The user is told that the link is confirmed, even if that happened after the pairing attempt had
            // ended.
            // req: HSK-135
            link.data.confirmed = Confirmed::Told;
            self.tell_linked()?;
            moved = true;
        }
        Ok(moved)
    }

    /// Sends the changes that were held back, oldest first. If the machine has no room for a change, it stays
    /// held back.
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

    /// Begins to apply the phone's changes of older messages, from a revision on. Changes before that are
    /// unknown, so messages that they may concern are deleted.
    pub(super) fn begin_changes(&mut self, link: &Link, rev: u64) -> Result<(), StoreError> {
        let gone = self.store.forget_older(&link.data.subscriptions.chats())?;
        self.leftovers.extend(gone.into_iter().map(PendingDelete::Content));
        self.store.set_changes_to(rev)
    }

    /// Stores a page of older messages. If the page was made too early to count, asks for it again and
    /// returns `false`.
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
        // If the outbox is full, the page is dropped. The user can ask for it again.
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
            // The message is shown as accepted before its row arrives.
            // req: MSG-071
            Some(Ok(ResultBody::Accepted { message, .. })) => Ok(Some(message)),
            Some(Ok(ResultBody::Failed { code })) => Err(code),
            Some(Ok(ResultBody::HistoryPage { items, more, rev })) => {
                if !self.on_history(now, rng, link, key, &HistoryPage { items: &items, more, rev })? {
                    return self.store.settle_command(key, CommandState::Accepted, None, None);
                }
                Ok(None)
            }
            // The phone has carried out the command. Without a body it did so earlier, and no longer has the
            // result.
            Some(Ok(_)) | None => Ok(None),
            Some(Err(error)) => Err(error.code()),
        };
        let (state, message, error) = match outcome {
            Ok(message) => (CommandState::Accepted, message, None),
            Err(code) => (CommandState::Failed, None, Some(code)),
        };
        self.store.settle_command(key, state, message, error)?;
        // If the request was repeated, the user's client knows only the key of the first command.
        let key = link.data.asked_again.remove(&key).unwrap_or(key);
        self.event(AppEvent::Result { key, client_id, outcome });
        Ok(())
    }

    /// Continues the streams that were open when the process ended. Queues the transfers that have no stream.
    fn reopen_transfers(
        &mut self,
        endpoint: &CompanionEndpoint,
        data: &mut LinkData,
    ) -> Result<(), StoreError> {
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
