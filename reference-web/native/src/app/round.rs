//! The functions by which the companion is an [`Application`] of [`handfast::host`].

use std::time::Duration;

use handfast::codec::frame::Items;
use handfast::codec::ids::MailboxId;
use handfast::host::{Application, HostOf, LostOf};
use handfast::session::{Commit, Event, LinkState, Message, PairingEvent, role};
use handfast::{ErrorCode, Timestamp};
use handfast_messages::{CollectionName, NowValue};
use rand_core::CryptoRng;

use super::codes::Code;
use super::link::{Announced, Link, LinkData};
use super::subscriptions::CHATS_FOLLOWED_MAX;
use super::{App, AppEvent, PendingDelete};
use crate::store::{LinkRowState, StoreError};

impl Application for App {
    type Role = role::Companion;
    type Link = LinkData;
    type Attempt = ();
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
        self.load_link(now, rng)?;
        // The requests to copy content were lost with the failed round, so they are made again.
        self.exporting.clear();
        if std::mem::take(&mut self.was_linked) && self.link().is_none() {
            // The link is gone because another program that used this directory has received the revocation.
            self.event(AppEvent::Revoked);
        }
        if self.next_code.is_some() {
            self.next_code = Some(now);
            self.rotate(now, rng);
        }
        Ok(())
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
                    self.leftovers.extend(gone.into_iter().map(PendingDelete::Content));
                }
                Ok(())
            }
            // Phones open no streams, so a stream that one opens is refused.
            Message::Opened { id, .. } => {
                link.data.stops.push((id, ErrorCode::REFUSED));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_event(&mut self, now: Timestamp, link: &mut Link, event: Event) -> Result<(), StoreError> {
        match event {
            Event::State(state) => {
                link.data.live = state == LinkState::Live;
                self.event(AppEvent::LinkState(state));
            }
            // The user must know if a device has lost changes that it had confirmed.
            // req: RES-034, RES-040
            Event::PutBack { who } => self.event(AppEvent::PutBack { who }),
            Event::Connected { .. } => {
                self.store.commands_leave()?;
                self.store.set_link_state(link.id(), LinkRowState::Active)?;
                let recent = self.store.recent_chats(CHATS_FOLLOWED_MAX)?;
                link.data.subscriptions.begin(now, &mut link.endpoint, &recent);
                self.tell_synced(link)?;
            }
            Event::Diverged => {
                self.store.set_link_state(link.id(), LinkRowState::Diverged)?;
                self.event(AppEvent::Diverged);
            }
            Event::Suspended => {
                self.store.set_link_state(link.id(), LinkRowState::Suspended)?;
                self.event(AppEvent::Suspended);
            }
            Event::Revoked => link.data.announced = Announced::Revoked,
            Event::Lapsed => link.data.announced = Announced::Lapsed,
            Event::Replaced => self.event(AppEvent::Replaced),
            Event::Ephemeral { slot, body } => {
                // A value that the codec refuses ends the session with its error.
                // req: MSG-044
                match NowValue::decode(slot, &body) {
                    Ok(Some(NowValue::Presence { present })) => self.event(AppEvent::Presence { present }),
                    // This companion does not use the other slots.
                    Ok(_) => {}
                    Err(error) => link.endpoint.refuse(now, error.code()),
                }
            }
            Event::Failed(code) => {
                if code == ErrorCode::COMMANDS_FORGOTTEN
                    && !std::mem::replace(&mut link.data.told_forgotten, true)
                {
                    // The phone may have run the commands of these texts and forgotten that it did, so the
                    // user must decide.
                    // req: RES-038
                    let waiting = self.store.texts_waiting()?;
                    self.event(AppEvent::Forgotten { waiting });
                }
                self.event(AppEvent::LinkError { code, by: "here" });
            }
            Event::Closed(code) => self.event(AppEvent::LinkError { code, by: "phone" }),
            Event::Relay(code) => self.event(AppEvent::LinkError { code, by: "relay" }),
            Event::Sync(event) => self.on_sync_event(now, link, &event)?,
            Event::Stream(event) => self.on_stream_event(now, link, event)?,
            _ => {}
        }
        Ok(())
    }

    fn on_pairing_event(
        &mut self,
        _: Timestamp,
        _: &mut Code,
        event: PairingEvent,
    ) -> Result<(), StoreError> {
        self.take_pairing_event(event)
    }

    /// Reports relays that cannot be reached while a code waits for a phone.
    fn run(&mut self, _: Timestamp, _: &mut dyn CryptoRng) -> Result<bool, StoreError> {
        let lost: Vec<String> = self.host.attempts_mut().filter_map(|code| code.lost.take()).collect();
        for reason in lost {
            self.event(AppEvent::RelayLost { reason });
        }
        Ok(false)
    }

    fn attempt_over(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        code: &Code,
        ended: Result<MailboxId, ErrorCode>,
    ) -> Result<(), StoreError> {
        self.end_code(now, rng, code, ended)
    }

    fn apply(&mut self, _: Timestamp, code: Option<&Code>, commit: &Commit) -> Result<(), StoreError> {
        if let Some(code) = code {
            self.store_terms(code)?;
        }
        self.store.apply(commit)
    }

    fn drained(
        &mut self,
        now: Timestamp,
        _: &mut dyn CryptoRng,
        link: &mut Link,
    ) -> Result<bool, StoreError> {
        self.pump_link(now, link)
    }

    fn commit(&mut self, _: Timestamp) -> Result<bool, StoreError> {
        self.ended = self.link().and_then(|link| link.data.announced.end());
        if self.ended.is_some() {
            self.forget_link()?;
        }
        let is_open = self.store.database().is_open();
        if is_open {
            handfast_programs::kill_point!("web.before_commit");
            self.store.commit()?;
            handfast_programs::kill_point!("web.after_commit");
        }
        for code in self.host.attempts().filter(|code| code.commits_applied() > 0) {
            if code.commits_stored() == 0 {
                handfast_programs::kill_point!("web.pairing_pending");
            } else {
                handfast_programs::kill_point!("web.pairing_linked");
            }
        }
        Ok(is_open)
    }

    fn committed(&mut self, _: Timestamp, _: &mut dyn CryptoRng) -> Result<bool, StoreError> {
        self.drop_leftovers()?;
        if let Some(end) = self.ended.take() {
            self.event(end);
        }
        self.start_exports()?;
        Ok(false)
    }

    fn failed(&mut self, _: Timestamp, lost: LostOf<Self>, error: &StoreError, retry: Duration) {
        // If this rollback fails, `load` tries it again before it reads anything.
        let _ = self.store.roll_back();
        self.leftovers.clear();
        self.ended = None;
        // An attempt in which a phone was answered counts as ended, so the next code is shown only when the
        // user asks for it.
        let asks = self.next_code.is_some() && self.shown_codes.is_answered();
        if asks {
            self.next_code = None;
        }
        self.was_linked |= !lost.links.is_empty();
        self.event(AppEvent::StoreFailed { reason: error.to_string(), retry });
        if asks {
            self.event(AppEvent::CodeBurnt { code: ErrorCode::STORE_FAILED, asks });
        }
    }
}

impl App {
    /// Deletes the files that are useless now that the transaction is durable. They are not deleted earlier,
    /// because the transaction could have failed.
    fn drop_leftovers(&mut self) -> Result<(), StoreError> {
        // Of a deleted message no content may stay on the disk.
        // req: MSG-070
        for leftover in std::mem::take(&mut self.leftovers) {
            match leftover {
                // The chunk list is still needed if another message with the same content is being sent.
                PendingDelete::List(content) if self.is_being_sent(content)? => {}
                PendingDelete::List(content) => self.store.media().drop_sent_list(content),
                PendingDelete::Part(content) => self.store.media().drop_part(content),
                PendingDelete::Content(content) if self.store.needs_content(content)? => {}
                PendingDelete::Content(content) => self.store.media().remove(content),
                PendingDelete::All => self.store.media().wipe()?,
            }
        }
        Ok(())
    }
}
