//! One round: everything that the inputs led to, stored in one transaction.

use handfast::ErrorCode;
use handfast::codec::ids::MailboxId;
use handfast::session::{Event, Message, Output};
use handfast_messages::{MessageState, NowValue};
use rand_core::CryptoRng;

use super::link::{Link, Wanted, status_of};
use super::{App, AppEvent, AppOutput, Now, Owner};
use crate::store::{CompanionStatus, NewMessage, StoreError};
use crate::upstream::UpstreamEvent;

impl App {
    pub(super) fn round(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        if std::mem::take(&mut self.spoiled) {
            return Err(StoreError::Incomplete);
        }
        if self.rest.is_due(now.mono) {
            self.wake(now, rng)?;
        }
        loop {
            // No transaction is open here.
            self.out_durable = self.out.len();
            let mut moved = self.pump_upstream(now)?;
            if !self.rest.is_on() {
                self.follow_clock(now)?;
                moved |= self.forget_old_uploads(now)?;
            }
            moved |= self.pump_attempt(now)?;
            let links: Vec<MailboxId> = self.links.keys().copied().collect();
            for id in links {
                // Out of the map while it runs: an error leaves it out, and all are loaded again.
                let Some(mut link) = self.links.remove(&id) else { continue };
                moved |= self.pump_link(now, id, &mut link)?;
                if link.over {
                    self.disconnect(link.socket);
                    self.store.forget_companion(id)?;
                    self.out.push_back(AppOutput::Event(AppEvent::OfferOver { companion: link.companion }));
                } else {
                    drop(self.links.insert(id, link));
                }
            }
            if self.store.is_open() {
                moved = true;
                handfast_programs::kill_point!("phone.before_commit");
                self.store.commit()?;
                self.stored = true;
                handfast_programs::kill_point!("phone.after_commit");
                self.rest.stored();
            }
            if !self.rest.is_on() {
                self.clocks = now;
            }
            self.heard.clear();
            self.report(now);
            self.end_attempt(now, rng)?;
            moved |= self.after_commit(now)?;
            if !moved {
                return Ok(());
            }
        }
    }

    /// What happened in the network.
    fn pump_upstream(&mut self, now: Now) -> Result<bool, StoreError> {
        if self.rest.is_on() {
            return Ok(false);
        }
        // What could not be stored before is not told again, so that it is kept until it is durable.
        self.heard.extend(std::iter::from_fn(|| self.upstream.poll(now.mono)));
        for at in 0..self.heard.len() {
            let Some(event) = self.heard.get(at).cloned() else { break };
            self.hear(now, event)?;
        }
        Ok(!self.heard.is_empty())
    }

    /// Stores what happened in the network.
    fn hear(&mut self, now: Now, event: UpstreamEvent) -> Result<(), StoreError> {
        match event {
            UpstreamEvent::State { chat, message, state } => {
                let _ = self.store.advance(chat, message, state)?;
            }
            UpstreamEvent::Incoming { chat, network_id, author, text, reply_to } => {
                let _ = self.store.add_message(&NewMessage {
                    chat,
                    author: &author,
                    time_ms: now.wall_ms,
                    text: &text,
                    state: MessageState::Received,
                    reply_to,
                    media: None,
                    command: None,
                    network_id: Some(&network_id),
                })?;
            }
            UpstreamEvent::Changed { chat, author, message, change } => {
                self.hear_change(chat, &author, &message, &change)?;
            }
            UpstreamEvent::Presence { chat, is_there } => self.hear_presence(chat, is_there),
        }
        Ok(())
    }

    /// Drains the pairing attempt.
    fn pump_attempt(&mut self, now: Now) -> Result<bool, StoreError> {
        let mut moved = false;
        loop {
            let Some(attempt) = &mut self.attempt else { return Ok(moved) };
            match attempt.pairing.poll_output() {
                Output::Persist(commit) => {
                    attempt.applied.push(commit.id());
                    self.store_offer(now, commit.link())?;
                    self.store.apply(&commit)?;
                    self.store.note_keys(commit.link())?;
                }
                Output::Transmit(bytes) => {
                    if let Some(socket) = attempt.socket {
                        self.out.push_back(AppOutput::Transmit { socket, bytes });
                    }
                }
                Output::Event(Event::Connect) => self.connect_attempt(),
                Output::Event(Event::Disconnect) => {
                    let socket = attempt.socket.take();
                    self.disconnect(socket);
                }
                Output::Event(Event::Pairing(event)) => self.on_pairing_event(event)?,
                Output::Wait(at) => {
                    attempt.deadline = at;
                    return Ok(moved);
                }
                _ => {}
            }
            moved = true;
        }
    }

    /// Drains one link, and does for it what takes a commit. Returns whether anything happened.
    pub(super) fn pump_link(&mut self, now: Now, id: MailboxId, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = false;
        loop {
            match link.endpoint.poll_output() {
                Output::Persist(commit) => link.commits.push(commit),
                Output::Deliver { message, commit } => {
                    link.commits.push(commit);
                    self.deliver(now, id, link, message)?;
                }
                Output::Transmit(bytes) => {
                    if let Some(socket) = link.socket {
                        self.out.push_back(AppOutput::Transmit { socket, bytes });
                    }
                }
                Output::Event(event) => self.on_event(now, id, link, event)?,
                Output::Wait(at) => {
                    link.deadline = at;
                    break;
                }
                _ => {}
            }
            moved = true;
        }
        moved |= self.pump_streams(now, id, link)?;
        if std::mem::take(&mut link.seen) {
            self.store.set_companion_seen(id, now.wall_ms)?;
        }
        let status = status_of(link.endpoint.status());
        if status != link.stored_status {
            // req: HSK-134
            if link.stored_status == CompanionStatus::Offered && status == CompanionStatus::Active {
                let companion = link.companion;
                self.out.push_back(AppOutput::Event(AppEvent::Linked { companion }));
            }
            link.stored_status = status;
            self.store.set_companion_status(id, status)?;
        }
        // A verb's commit may be younger than one that was still queued: the store wants them in their order.
        link.commits.sort_by_key(handfast::session::Commit::id);
        for commit in link.commits.drain(..) {
            self.store.apply(&commit)?;
            link.applied.push_back(commit.id());
        }
        Ok(moved)
    }

    fn deliver(
        &mut self,
        now: Now,
        id: MailboxId,
        link: &mut Link,
        message: Message,
    ) -> Result<(), StoreError> {
        match message {
            Message::Command { key, body } => {
                let (result, repeat) = self.run_command(now, link.companion, link.grants, key, &body)?;
                // The machine delivers a command only while it can take the result.
                if let Ok(commit) = link.endpoint.answer(now.mono, key, &result.encode(), repeat) {
                    link.commits.push(commit);
                }
            }
            Message::Opened { id: stream, kind, meta } => {
                let opened = self.open_transfer(now, id, link, stream, kind, &meta)?;
                if let Err(code) = opened {
                    link.stops.push_back((stream, code));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_event(&mut self, now: Now, id: MailboxId, link: &mut Link, event: Event) -> Result<(), StoreError> {
        let companion = link.companion;
        let told = match event {
            Event::Connect => {
                link.socket = Some(self.connect(Owner::Link(id), link.endpoint.relay().clone()));
                None
            }
            Event::Disconnect => {
                let socket = link.socket.take();
                self.disconnect(socket);
                None
            }
            Event::State(state) => {
                link.state = Some(state);
                Some(AppEvent::LinkState { companion, state })
            }
            Event::Connected { .. } => {
                link.seen = true;
                link.show_presence(now, &self.present);
                None
            }
            // req: RES-034, RES-040
            Event::PutBack { who } => Some(AppEvent::PutBack { companion, who }),
            Event::Failed(code) => Some(AppEvent::LinkError { companion, code, by: "here" }),
            Event::Closed(code) => Some(AppEvent::LinkError { companion, code, by: "companion" }),
            Event::Relay(code) => Some(AppEvent::LinkError { companion, code, by: "relay" }),
            Event::Replaced => {
                Some(AppEvent::LinkError { companion, code: ErrorCode::REPLACED, by: "relay" })
            }
            Event::Contended(times) => Some(AppEvent::Contended { companion, times }),
            Event::Diverged => Some(AppEvent::Diverged { companion }),
            // req: MSG-044
            Event::Now { slot, body } => {
                if let Err(error) = NowValue::decode(slot, &body) {
                    link.endpoint.refuse(now.mono, error.code());
                }
                None
            }
            // req: HSK-130
            Event::Lapsed => {
                link.over = true;
                None
            }
            Event::RevokedTold => Some(AppEvent::RevokedTold { companion }),
            Event::DeltaWanted { collection, after, budget } => {
                link.wanted = Some(Wanted::Delta { collection, after, budget });
                None
            }
            Event::PageWanted { collection, page, budget } => {
                link.wanted = Some(Wanted::Page { collection, page, budget });
                None
            }
            Event::DigestWanted { collection } => {
                link.wanted = Some(Wanted::Digest { collection });
                None
            }
            other => {
                self.on_stream_event(now, id, link, other)?;
                None
            }
        };
        self.out.extend(told.map(AppOutput::Event));
        Ok(())
    }

    /// Tells the machines that the transaction is durable.
    fn report(&mut self, now: Now) {
        for link in self.links.values_mut() {
            while let Some(commit) = link.applied.pop_front() {
                // Reported once each and in order: it cannot be refused.
                let _ = link.endpoint.committed(now.mono, commit);
            }
        }
        if let Some(attempt) = &mut self.attempt {
            for commit in attempt.applied.drain(..) {
                attempt.stored = attempt.stored.saturating_add(1);
                if attempt.stored == 1 {
                    handfast_programs::kill_point!("phone.pairing_offered");
                }
                if attempt.stored > 1 {
                    handfast_programs::kill_point!("phone.pairing_active");
                }
                let _ = attempt.pairing.committed(now.mono, commit);
            }
        }
    }

    /// What may happen only once everything is durable.
    fn after_commit(&mut self, now: Now) -> Result<bool, StoreError> {
        let mut moved = false;
        for message in self.outgoing.drain(..) {
            self.upstream.send(now.mono, message);
        }
        for change in self.changes.drain(..) {
            self.upstream.change(now.mono, change);
        }
        self.remove_unused()?;
        self.time_uploads(now)?;
        moved |= self.tell_presence(now);
        if self.store.rev() > self.told_rev {
            self.told_rev = self.store.rev();
            for link in self.links.values_mut() {
                link.endpoint.changed(now.mono, self.told_rev);
                link.endpoint.pruned(now.mono, self.store.floor());
            }
            moved = true;
        }
        for link in self.links.values_mut() {
            let Some(wanted) = link.wanted.take() else { continue };
            link.give(now, &self.store, wanted)?;
            moved = true;
        }
        Ok(moved)
    }
}
