//! The link at run time: its machine, its socket, what arrives over it.

use std::collections::BTreeMap;
use std::time::Duration;

use handfast::codec::frame::Items;
use handfast::codec::ids::{CommandKey, MailboxId};
use handfast::codec::limits::{HISTORY_COUNT_MAX, PENDING_MAX};
use handfast::session::{Commit, CommitId, Endpoint, Event, LinkStatus, Message, Output};
use handfast::{DeviceRole, ErrorCode, Timestamp};
use handfast_messages::{CollectionName, Command, NowValue, ResultBody};
use rand_core::CryptoRng;

use super::command_key::draw_key;
use super::subscriptions::{CHATS_FOLLOWED_MAX, Subscriptions};
use super::transfer::running::{Check, Running, requeue};
use super::{App, AppEvent, AppOutput, Leftover, Owner, SocketTag};
use crate::store::{CommandState, HistoryPage, LinkRowState, StoreError, TransferState};

/// How long a link that the phone never confirmed is kept.
const PENDING_KEPT_MS: u64 = PENDING_MAX * 1_000;

/// The link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: MailboxId,
    pub(super) endpoint: Endpoint,
    pub(super) socket: Option<SocketTag>,
    pub(super) deadline: Option<Timestamp>,
    /// Commits that are not yet in the open transaction.
    pub(super) commits: Vec<Commit>,
    /// Commits of the open transaction, to be reported once it is durable.
    pub(super) applied: Vec<CommitId>,
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
    told_forgotten: bool,
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

impl Link {
    /// Whether the phone has confirmed the link.
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed != Confirmed::No || self.endpoint.status() == LinkStatus::Active
    }

    /// When there is something to do next.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let check = self.check.as_ref().filter(|_| self.opens_streams()).map(|check| check.due);
        self.deadline.into_iter().chain(check).min()
    }
}

impl App {
    /// Opens the stored link, if there is one.
    pub(super) fn load_link(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        self.link = None;
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
        self.link = Some(Link {
            id: row.link,
            endpoint,
            socket: None,
            deadline: Some(now),
            commits: Vec::new(),
            applied: Vec::new(),
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
        });
        if self.is_pending() {
            // req: HSK-165
            let left_ms = PENDING_KEPT_MS.saturating_sub(age_ms);
            self.event(AppEvent::Unconfirmed { left_s: left_ms.div_ceil(1_000) });
        }
        self.reopen_transfers()
    }

    /// Drains the link. Returns whether anything happened.
    pub(super) fn pump_link(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<bool, StoreError> {
        let Some(mut link) = self.link.take() else { return Ok(false) };
        let moved = self.pump(now, rng, &mut link);
        self.link = Some(link);
        moved
    }

    fn pump(&mut self, now: Timestamp, rng: &mut dyn CryptoRng, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = false;
        loop {
            match link.endpoint.poll_output() {
                Output::Persist(commit) => link.commits.push(commit),
                Output::Deliver { message, commit } => {
                    link.commits.push(commit);
                    self.deliver(now, rng, link, message)?;
                }
                Output::Transmit(bytes) => {
                    self.out.extend(link.socket.map(|socket| AppOutput::Transmit { socket, bytes }));
                }
                Output::Event(event) => self.on_event(now, link, event)?,
                Output::Wait(at) => {
                    link.deadline = at;
                    break;
                }
                _ => {}
            }
            moved = true;
        }
        moved |= self.pump_transfers(now, link)?;
        moved |= self.send_held(now, link)?;
        if link.confirmed == Confirmed::No && link.endpoint.status() == LinkStatus::Active {
            link.confirmed = Confirmed::Untold;
            self.store.set_link_state(link.id, LinkRowState::Active)?;
        }
        if link.confirmed == Confirmed::Untold {
            // req: HSK-135
            link.confirmed = Confirmed::Told;
            self.tell_linked()?;
            moved = true;
        }
        for commit in link.commits.drain(..) {
            self.store.apply(&commit)?;
            link.applied.push(commit.id());
        }
        Ok(moved)
    }

    /// Hands over what was held until the phone is there, the oldest first. Where the machine has no room, it goes later.
    fn send_held(&mut self, now: Timestamp, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = false;
        while link.live && link.holds {
            let Some((key, body)) = self.store.first_held()? else {
                link.holds = false;
                break;
            };
            let Ok(commit) = link.endpoint.send(now, key, &body) else { break };
            link.commits.push(commit);
            self.store.held_leaves(key)?;
            moved = true;
        }
        Ok(moved)
    }

    fn deliver(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        link: &mut Link,
        message: Message,
    ) -> Result<(), StoreError> {
        match message {
            Message::Result { key, body } => self.on_result(now, rng, link, key, body.as_ref()),
            Message::Delta { items, from, to, collection } => {
                self.store.begin_delta(&collection, from)?;
                self.take_rows(now, link, &collection, items.iter().flat_map(Items::iter))?;
                self.store.end_delta(&collection, to, items.iter().flat_map(Items::iter))
            }
            Message::Page { collection, first, last, rev, items } => {
                if CollectionName::decode(&collection) == Some(CollectionName::Changes) {
                    return self.begin_changes(link, rev);
                }
                if first {
                    self.store.begin_snapshot(&collection)?;
                }
                self.take_rows(now, link, &collection, items.iter())?;
                self.store.end_page(&collection, items.iter())?;
                if last {
                    let gone = self.store.end_snapshot(&collection)?;
                    self.leftovers.extend(gone.into_iter().map(Leftover::Content));
                }
                Ok(())
            }
            // The phone opens no streams.
            Message::Opened { id, .. } => {
                link.stops.push((id, ErrorCode::REFUSED));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The phone tells changes from this revision on, and none before.
    fn begin_changes(&mut self, link: &Link, rev: u64) -> Result<(), StoreError> {
        let gone = self.store.forget_older(&link.subscriptions.chats())?;
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
        link.commits.push(commit);
        self.store.put_command(again, None, "history", &body, CommandState::Sent)?;
        let waiting = link.asked_again.remove(&key).unwrap_or(key);
        let _ = link.asked_again.insert(again, waiting);
        Ok(false)
    }

    fn on_result(
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
        let key = link.asked_again.remove(&key).unwrap_or(key);
        self.event(AppEvent::Result { key, client_id, outcome });
        Ok(())
    }

    fn on_event(&mut self, now: Timestamp, link: &mut Link, event: Event) -> Result<(), StoreError> {
        match event {
            Event::Connect => {
                let relay = link.endpoint.relay().clone();
                link.socket = Some(self.connect(Owner::Link, relay));
            }
            Event::Disconnect => {
                let socket = link.socket.take();
                self.disconnect(socket);
            }
            Event::State(state) => {
                link.live = state == handfast::session::LinkState::Live;
                self.event(AppEvent::LinkState(state));
            }
            // req: RES-034, RES-040
            Event::PutBack { who } => self.event(AppEvent::PutBack { who }),
            Event::Connected { .. } => {
                self.store.commands_leave()?;
                self.store.set_link_state(link.id, LinkRowState::Active)?;
                let recent = self.store.recent_chats(CHATS_FOLLOWED_MAX)?;
                link.subscriptions.begin(now, &mut link.endpoint, &recent);
                self.tell_synced(link)?;
            }
            Event::Diverged => {
                self.store.set_link_state(link.id, LinkRowState::Diverged)?;
                self.event(AppEvent::Diverged);
            }
            Event::Suspended => {
                self.store.set_link_state(link.id, LinkRowState::Suspended)?;
                self.event(AppEvent::Suspended);
            }
            Event::Revoked => link.told = Told::Revoked,
            Event::Lapsed => link.told = Told::Lapsed,
            Event::Replaced => self.event(AppEvent::Replaced),
            Event::Now { slot, body } => {
                // req: MSG-044
                match NowValue::decode(slot, &body) {
                    Ok(Some(NowValue::Presence { present })) => self.event(AppEvent::Presence { present }),
                    // What else a slot may say is of no use here.
                    Ok(_) => {}
                    Err(error) => link.endpoint.refuse(now, error.code()),
                }
            }
            Event::Failed(code) => {
                if code == ErrorCode::COMMANDS_FORGOTTEN && !std::mem::replace(&mut link.told_forgotten, true)
                {
                    // req: RES-038
                    let waiting = self.store.texts_waiting()?;
                    self.event(AppEvent::Forgotten { waiting });
                }
                self.event(AppEvent::LinkError { code, by: "here" });
            }
            Event::Closed(code) => self.event(AppEvent::LinkError { code, by: "phone" }),
            Event::Relay(code) => self.event(AppEvent::LinkError { code, by: "relay" }),
            other => {
                if let Some(other) = self.on_sync_event(now, link, other)? {
                    self.on_stream_event(now, link, other)?;
                }
            }
        }
        Ok(())
    }

    /// Opens the streams again that were open when the process ended, and queues the transfers that have none.
    fn reopen_transfers(&mut self) -> Result<(), StoreError> {
        let Some(mut link) = self.link.take() else { return Ok(()) };
        let streams: BTreeMap<u64, u64> =
            link.endpoint.streams().into_iter().map(|stream| (stream.id, stream.durable)).collect();
        for mut transfer in self.store.transfers_open()? {
            let open = transfer.stream.and_then(|id| streams.get(&id).map(|durable| (id, *durable)));
            match open {
                Some((id, durable)) => self.reopen(&mut link, id, transfer, durable)?,
                None if transfer.state == TransferState::Open => {
                    requeue(&mut transfer);
                    self.store.update_transfer(&transfer)?;
                }
                None => {}
            }
        }
        for id in streams.keys().filter(|id| !link.running.contains_key(id)) {
            link.stops.push((*id, ErrorCode::CANCELLED));
        }
        self.link = Some(link);
        self.store.commit()
    }
}
