//! The functions by which the phone is an [`Application`] of [`handfast::host`].

use std::time::Duration;

use handfast::codec::ids::MailboxId;
use handfast::host::{Application, HostOf, LostOf};
use handfast::session::{Commit, Event, Message, PairingEvent, role};
use handfast::{ErrorCode, Timestamp};
use handfast_messages::{MessageState, NowValue};
use rand_core::CryptoRng;

use super::change::show_presence;
use super::link::{Link, LinkData, status_of};
use super::pairing::{Attempt, AttemptData, stored_offer};
use super::sync::answer;
use super::{App, AppEvent, Now, ScanStep};
use crate::store::{CompanionStatus, NewMessage, StoreError};
use crate::upstream::UpstreamEvent;

impl Application for App {
    type Role = role::Phone;
    type Link = LinkData;
    type Attempt = AttemptData;
    type Event = AppEvent;
    type Error = StoreError;

    fn host(&mut self) -> &mut HostOf<Self> {
        &mut self.host
    }

    #[cfg(feature = "key-log")]
    fn log_key(&mut self, line: &str) {
        handfast_programs::log_key(line);
    }

    fn is_final(error: &StoreError) -> bool {
        error.is_final()
    }

    fn load(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        self.store.roll_back()?;
        self.store.make_room();
        self.told_rev = self.store.rev();
        self.load_links(self.now(now), rng)
    }

    /// Stores new events of the network, and drops expired uploads.
    fn run(&mut self, now: Timestamp, _: &mut dyn CryptoRng) -> Result<bool, StoreError> {
        if self.host.backoff().is_on() {
            return Ok(false);
        }
        let now = self.now(now);
        // The network reports each event only once, so events are kept here until they are durable.
        self.heard.extend(std::iter::from_fn(|| self.upstream.poll(now.mono)));
        for at in 0..self.heard.len() {
            let Some(event) = self.heard.get(at).cloned() else { break };
            self.hear(now, event)?;
        }
        let heard = !self.heard.is_empty();
        self.follow_clock(now)?;
        Ok(self.forget_old_uploads(now)? | heard)
    }

    fn deliver(
        &mut self,
        now: Timestamp,
        _: &mut dyn CryptoRng,
        link: &mut Link,
        message: Message,
    ) -> Result<(), StoreError> {
        let now = self.now(now);
        match message {
            Message::Command { key, body } => {
                let (result, repeat) =
                    self.run_command(now, link.data.companion, link.data.grants, key, &body)?;
                // This succeeds: the machine delivers a command only while it has room for the result.
                if let Ok(commit) = link.endpoint.answer(now.mono, key, &result.encode(), repeat) {
                    link.store(commit);
                }
            }
            Message::Opened { id: stream, kind, meta } => {
                let opened = self.open_transfer(now, link, stream, kind, &meta)?;
                if let Err(code) = opened {
                    link.data.stops.push_back((stream, code));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_event(&mut self, now: Timestamp, link: &mut Link, event: Event) -> Result<(), StoreError> {
        let now = self.now(now);
        let companion = link.data.companion;
        let told = match event {
            Event::State(state) => {
                link.data.state = Some(state);
                Some(AppEvent::LinkState { companion, state })
            }
            Event::Connected { .. } => {
                link.data.seen = true;
                show_presence(now, link, &self.present);
                None
            }
            // The user must know if a device has lost changes that it had confirmed.
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
            // A value that the codec refuses ends the session with its error.
            // req: MSG-044
            Event::Ephemeral { slot, body } => {
                if let Err(error) = NowValue::decode(slot, &body) {
                    link.endpoint.refuse(now.mono, error.code());
                }
                None
            }
            // The companion did not accept the offer in time, so its link is deleted.
            // req: HSK-130
            Event::Lapsed => {
                link.data.over = true;
                None
            }
            Event::RevokedTold => Some(AppEvent::RevokedTold { companion }),
            Event::Sync(event) => {
                link.data.wanted = Some(event);
                None
            }
            Event::Stream(event) => {
                self.on_stream_event(now, link, event)?;
                None
            }
            _ => None,
        };
        if let Some(told) = told {
            self.host.event(told);
        }
        Ok(())
    }

    fn on_pairing_event(
        &mut self,
        _: Timestamp,
        attempt: &mut Attempt,
        event: PairingEvent,
    ) -> Result<(), StoreError> {
        self.take_pairing_event(attempt, event)
    }

    fn attempt_over(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        attempt: &Attempt,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), StoreError> {
        self.end_attempt(self.now(now), rng, attempt, ended)
    }

    fn apply(
        &mut self,
        now: Timestamp,
        attempt: Option<&Attempt>,
        commit: &Commit,
    ) -> Result<(), StoreError> {
        let Some(attempt) = attempt else { return self.store.apply(commit) };
        self.store_offer(self.now(now), attempt, commit.link())?;
        self.store.apply(commit)?;
        self.store.note_keys(commit.link())
    }

    /// Answers streams, makes received uploads durable, and stores the companion's status. The first two need
    /// commits of the machine.
    fn drained(
        &mut self,
        now: Timestamp,
        _: &mut dyn CryptoRng,
        link: &mut Link,
    ) -> Result<bool, StoreError> {
        let now = self.now(now);
        if std::mem::take(&mut link.data.opens_due) {
            self.answer_opens(now, link)?;
        }
        let moved = self.pump_streams(now, link)?;
        if std::mem::take(&mut link.data.seen) {
            self.store.set_companion_seen(link.id(), now.wall_ms)?;
        }
        let status = status_of(link.endpoint.status());
        if status != link.data.stored_status {
            // A companion may accept after its pairing attempt has ended. The user is told of that as of any
            // other link.
            // req: HSK-134
            if link.data.stored_status == CompanionStatus::Offered && status == CompanionStatus::Active {
                self.host.event(AppEvent::Linked { companion: link.data.companion });
            }
            link.data.stored_status = status;
            self.store.set_companion_status(link.id(), status)?;
        }
        Ok(moved)
    }

    fn commit(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        self.forget_over()?;
        let is_open = self.store.database().is_open();
        if is_open {
            handfast_programs::kill_point!("phone.before_commit");
            self.store.commit()?;
            handfast_programs::kill_point!("phone.after_commit");
        }
        for attempt in self.host.attempts().filter(|attempt| attempt.commits_applied() > 0) {
            if attempt.commits_stored() == 0 {
                handfast_programs::kill_point!("phone.pairing_offered");
            } else {
                handfast_programs::kill_point!("phone.pairing_active");
            }
        }
        if !self.host.backoff().is_on() {
            self.clocks = self.now(now);
        }
        self.heard.clear();
        Ok(is_open)
    }

    fn committed(&mut self, now: Timestamp, _: &mut dyn CryptoRng) -> Result<bool, StoreError> {
        self.after_commit(self.now(now))
    }

    fn failed(&mut self, _: Timestamp, lost: LostOf<Self>, error: &StoreError, retry: Duration) {
        // If this rollback fails, `load` tries it again before it reads anything.
        let _ = self.store.roll_back();
        self.outgoing.clear();
        self.changes.clear();
        self.unused.clear();
        let is_end = |event: &AppEvent| matches!(event, AppEvent::Scan(ScanStep::Ended { .. }));
        let ended = lost.events.iter().any(is_end);
        // The client that runs an attempt waits for the attempt's end. So the end is also reported if the
        // event of it was lost in this round.
        if ended || !lost.attempts.is_empty() {
            let open = lost.attempts.first().and_then(stored_offer);
            let done = if open.is_some() { "the scan was broken off" } else { "nothing was linked" };
            let message = format!("{done}: {error}");
            let code = ErrorCode::STORE_FAILED;
            self.host.event(AppEvent::Scan(ScanStep::Ended { code, message, open }));
        }
        self.host.event(AppEvent::StoreFailed { reason: error.to_string(), retry });
    }
}

impl App {
    /// Returns what both clocks show in this round.
    fn now(&self, mono: Timestamp) -> Now {
        Now { mono, wall_ms: self.wall_ms }
    }

    /// Stores an event of the network.
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

    /// Deletes the links whose offer can no longer be accepted, in the transaction that also stores the end of
    /// the offer.
    fn forget_over(&mut self) -> Result<(), StoreError> {
        let over: Vec<_> = self.host.links().filter(|link| link.data.over).map(Link::id).collect();
        for id in over {
            let Some(link) = self.host.remove_link(id) else { continue };
            self.store.forget_companion(link.id())?;
            self.host.event(AppEvent::OfferOver { companion: link.data.companion });
        }
        Ok(())
    }

    /// Does the work that requires everything to be durable. Returns whether anything happened.
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
            for link in self.host.links_mut() {
                link.endpoint.set_log_head(now.mono, self.told_rev);
                link.endpoint.set_log_floor(now.mono, self.store.floor());
            }
            moved = true;
        }
        for link in self.host.links_mut() {
            let Some(wanted) = link.data.wanted.take() else { continue };
            answer(now, link, &self.store, wanted)?;
            moved = true;
        }
        Ok(moved)
    }
}
