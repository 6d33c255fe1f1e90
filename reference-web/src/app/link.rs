//! The link at run time: its machine, its socket, what arrives over it.

use std::collections::BTreeMap;

use handfast::codec::frame::Items;
use handfast::codec::ids::MailboxId;
use handfast::codec::message::{Item, NowValue, ResultBody};
use handfast::session::{Commit, CommitId, Endpoint, Event, LinkStatus, Message, Output};
use handfast::{DeviceRole, ErrorCode, Timestamp};
use rand_core::CryptoRng;

use super::subscriptions::{CHATS_FOLLOWED_MAX, Subscriptions};
use super::transfer::{Check, Running, requeue};
use super::{App, AppEvent, AppOutput, Owner, SocketTag};
use crate::store::{CommandState, LinkRowState, StoreError, TransferState};

/// How long a link that the phone never confirmed is kept.
const PENDING_KEPT_MS: u64 = 24 * 3_600_000;

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
    /// Streams to be stopped as soon as the machine takes it.
    pub(super) stops: Vec<(u64, ErrorCode)>,
    /// Whether a connection is live, so that transfers may open streams.
    pub(super) live: bool,
    /// Whether the phone has confirmed the link.
    active: bool,
    pub(super) told: Told,
    pub(super) subscriptions: Subscriptions,
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
}

impl Link {
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
        // req: HSK-019
        let old = self.store.wall_ms().saturating_sub(row.created_ms) >= PENDING_KEPT_MS;
        if row.state == LinkRowState::Pending && old {
            self.store.forget_link(row.link)?;
            return self.store.commit();
        }
        if !self.store.has_keys(row.link)? {
            // The phone ended the attempt after this side had stored it: the keys are gone, the row follows.
            self.store.forget_link(row.link)?;
            return self.store.commit();
        }
        let pairs = self.store.pairs(row.link)?;
        let endpoint = Endpoint::load(DeviceRole::Web, &pairs, None, now, rng)
            .map_err(|_| StoreError::Damaged("link"))?;
        // The keys may be confirmed in an older transaction than the row: then the user was not told yet.
        let active = row.state != LinkRowState::Pending;
        self.link = Some(Link {
            id: row.link,
            endpoint,
            socket: None,
            deadline: Some(now),
            commits: Vec::new(),
            applied: Vec::new(),
            running: BTreeMap::new(),
            check: None,
            stops: Vec::new(),
            live: false,
            active,
            told: Told::Nothing,
            subscriptions: Subscriptions::default(),
        });
        self.reopen_transfers()
    }

    /// Drains the link. Gives whether anything happened.
    pub(super) fn pump_link(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let Some(mut link) = self.link.take() else { return Ok(false) };
        let moved = self.pump(now, &mut link);
        self.link = Some(link);
        moved
    }

    fn pump(&mut self, now: Timestamp, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = false;
        loop {
            match link.endpoint.poll_output() {
                Output::Persist(commit) => link.commits.push(commit),
                Output::Deliver { message, commit } => {
                    link.commits.push(commit);
                    self.deliver(now, link, message)?;
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
        if !link.active && link.endpoint.status() == LinkStatus::Active {
            link.active = true;
            self.store.set_link_state(link.id, LinkRowState::Active)?;
            self.tell_linked()?;
        }
        for commit in link.commits.drain(..) {
            self.store.apply(&commit)?;
            link.applied.push(commit.id());
        }
        Ok(moved)
    }

    fn deliver(&mut self, now: Timestamp, link: &mut Link, message: Message) -> Result<(), StoreError> {
        match message {
            Message::Result { cmd_id, body } => self.on_result(cmd_id, body.as_ref()),
            Message::Delta { items, from, collection, .. } => {
                if from == 0 {
                    self.store.clear_collection(&collection)?;
                }
                self.take_rows(now, link, &collection, items.iter().flat_map(Items::iter))
            }
            Message::Page { collection, first, last, items, .. } => {
                if first {
                    self.store.begin_snapshot(&collection)?;
                }
                self.take_rows(now, link, &collection, items.iter())?;
                if last {
                    self.store.end_snapshot(&collection)?;
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

    fn on_result(&mut self, cmd_id: u64, body: Option<&bytes::Bytes>) -> Result<(), StoreError> {
        let client_id = self.store.command(cmd_id)?.and_then(|command| command.client_id);
        let outcome = match body.map(ResultBody::decode) {
            Some(Ok(ResultBody::Accepted { message, .. })) => Ok(Some(message)),
            Some(Ok(ResultBody::Failed { code })) => Err(code),
            Some(Ok(ResultBody::HistoryPage { items, .. })) => {
                for item in items.iter().filter_map(|item| Item::decode(item).ok()) {
                    let _ = self.store.put_item(&item, 0)?;
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
        self.store.settle_command(cmd_id, state, message, error)?;
        self.event(AppEvent::Result { cmd_id, client_id, outcome });
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
            Event::Replaced => self.event(AppEvent::Replaced),
            Event::Now { slot, body } => {
                // What else a slot may say, or what is malformed, is of no use here.
                if let Ok(Some(NowValue::Presence { present })) = NowValue::decode(slot, &body) {
                    self.event(AppEvent::Presence { present });
                }
            }
            Event::Failed(code) => self.event(AppEvent::LinkError { code, by: "here" }),
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
