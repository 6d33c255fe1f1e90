//! One round: everything that the inputs led to, stored in one transaction.

use handfast::ErrorCode;
use handfast::codec::frame::OpenKind;
use handfast::codec::ids::MailboxId;
use handfast::codec::message::{MessageState, grants};
use handfast::session::{Event, Message, Output, SendRefused};
use rand_core::CryptoRng;

use super::link::{Link, Wanted, status_of};
use super::transfer::{PutAnswer, Transfer, UploadStep};
use super::{App, AppEvent, AppOutput, Now, Owner};
use crate::store::{NewMessage, StoreError};
use crate::upstream::UpstreamEvent;

/// Commits of one link in a transaction, after which its files wait for the next one.
const COMMITS_FULL: usize = 16;

impl App {
    pub(super) fn round(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        if std::mem::take(&mut self.spoiled) {
            return Err(StoreError::Incomplete);
        }
        if self.resting.is_some_and(|until| until <= now.mono) {
            self.wake(now, rng)?;
        }
        loop {
            // No transaction is open here.
            self.out_durable = self.out.len();
            let mut moved = self.pump_upstream(now)?;
            moved |= self.pump_attempt(now)?;
            let links: Vec<MailboxId> = self.links.keys().copied().collect();
            for id in links {
                // Out of the map while it runs: an error leaves it out, and all are loaded again.
                let Some(mut link) = self.links.remove(&id) else { continue };
                moved |= self.pump_link(now, id, &mut link)?;
                drop(self.links.insert(id, link));
            }
            if self.store.is_open() {
                moved = true;
                handfast::kill_point!("phone.before_commit");
                self.store.commit()?;
                self.stored = true;
                handfast::kill_point!("phone.after_commit");
                self.failures = 0;
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
        if self.resting.is_some() {
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

    /// Drains one link, and does for it what takes a commit. Gives whether anything happened.
    fn pump_link(&mut self, now: Now, id: MailboxId, link: &mut Link) -> Result<bool, StoreError> {
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
            Message::Command { cmd_id, body } => {
                let result = self.run_command(now, link.companion, link.grants, cmd_id, &body)?;
                // The machine delivers a command only while it can take the result.
                if let Ok(commit) = link.endpoint.answer(now.mono, cmd_id, &result.encode()) {
                    link.commits.push(commit);
                }
            }
            Message::Opened { id: stream, kind, meta } => {
                let opened = self.open_transfer(id, link, stream, kind, &meta)?;
                if let Err(code) = opened {
                    link.stops.push_back((stream, code));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn open_transfer(
        &mut self,
        id: MailboxId,
        link: &mut Link,
        stream: u64,
        kind: OpenKind,
        meta: &[u8],
    ) -> Result<Result<(), ErrorCode>, StoreError> {
        if link.grants & grants::MEDIA == 0 {
            return Ok(Err(ErrorCode::REFUSED));
        }
        if kind == OpenKind::Get {
            let (content, from) = match super::transfer::read_get_meta(meta) {
                Ok(wanted) => wanted,
                Err(error) => return Ok(Err(error.code())),
            };
            let row = self.store.media(content)?;
            return Ok(Transfer::open_download(content, from, row, &self.media)
                .map(|transfer| drop(link.transfers.insert(stream, transfer))));
        }
        let (content, _) = match super::transfer::read_put_meta(meta) {
            Ok(offered) => offered,
            Err(error) => return Ok(Err(error.code())),
        };
        let row = self.store.media(content)?;
        Ok(Transfer::open_upload(id, stream, meta, row, &self.media).map(|answer| match answer {
            PutAnswer::Take(transfer) => {
                drop(link.transfers.insert(stream, transfer));
                link.accepts.push_back(stream);
            }
            PutAnswer::Have(len) => link.haves.push_back((stream, len)),
        }))
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
                None
            }
            Event::Failed(code) => Some(AppEvent::LinkError { companion, code, by: "here" }),
            Event::Closed(code) => Some(AppEvent::LinkError { companion, code, by: "companion" }),
            Event::Relay(code) => Some(AppEvent::LinkError { companion, code, by: "relay" }),
            Event::Replaced => {
                Some(AppEvent::LinkError { companion, code: ErrorCode::REPLACED, by: "relay" })
            }
            Event::Contended(times) => Some(AppEvent::Contended { companion, times }),
            Event::Diverged => Some(AppEvent::Diverged { companion }),
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

    fn on_stream_event(
        &mut self,
        now: Now,
        id: MailboxId,
        link: &mut Link,
        event: Event,
    ) -> Result<(), StoreError> {
        match event {
            Event::Data { id: stream, offset, bytes } => {
                let Some(upload) = link.transfers.get_mut(&stream).and_then(Transfer::as_upload) else {
                    return Ok(());
                };
                match upload.write(&bytes) {
                    // The chunk list may be longer than the first credit, and is stored when it is whole.
                    Ok(()) if upload.list().is_none() => {
                        let end = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
                        let _ = link.endpoint.stream_hold(now.mono, stream, end);
                    }
                    Ok(()) => {}
                    Err(code) => self.stop(id, link, stream, code)?,
                }
            }
            Event::Fin { id: stream, hash } => {
                if let Some(upload) = link.transfers.get_mut(&stream).and_then(Transfer::as_upload) {
                    upload.fin(hash);
                }
            }
            Event::DataWanted { id: stream, offset, max } => {
                let Some(download) = link.transfers.get_mut(&stream).and_then(Transfer::as_download) else {
                    link.stops.push_back((stream, ErrorCode::GONE));
                    return Ok(());
                };
                match download.read(offset, max) {
                    // What is not wanted any more is not missed.
                    Ok((bytes, fin)) => {
                        let _ = link.endpoint.stream_supply(now.mono, stream, offset, bytes, fin);
                    }
                    Err(code) => self.stop(id, link, stream, code)?,
                }
            }
            Event::StreamResumed { id: stream, .. } => {
                let Some(info) = link.endpoint.streams().into_iter().find(|info| info.id == stream) else {
                    return Ok(());
                };
                drop(link.transfers.remove(&stream));
                match Transfer::reopen(id, &info, &self.store, &self.media)? {
                    Ok(transfer) => drop(link.transfers.insert(stream, transfer)),
                    Err(code) => self.stop(id, link, stream, code)?,
                }
            }
            Event::StreamEnded { id: stream, .. } => self.forget_transfer(id, link, stream)?,
            _ => {}
        }
        Ok(())
    }

    fn stop(
        &mut self,
        id: MailboxId,
        link: &mut Link,
        stream: u64,
        code: ErrorCode,
    ) -> Result<(), StoreError> {
        link.stops.push_back((stream, code));
        self.forget_transfer(id, link, stream)
    }

    fn forget_transfer(&mut self, id: MailboxId, link: &mut Link, stream: u64) -> Result<(), StoreError> {
        link.accepts.retain(|accepted| *accepted != stream);
        link.haves.retain(|(had, _)| *had != stream);
        if let Some(Transfer::Upload(_)) = link.transfers.remove(&stream) {
            self.media.drop_part(id, stream);
            self.store.forget_upload(id, stream)?;
        }
        Ok(())
    }

    /// Does what takes a commit of the machine; what it has no room for waits for the next transaction.
    fn pump_streams(&mut self, now: Now, id: MailboxId, link: &mut Link) -> Result<bool, StoreError> {
        let mut moved = false;
        while let Some((stream, code)) = link.stops.pop_front() {
            if link.endpoint.stream_stop(now.mono, stream, code) == Err(SendRefused::Busy) {
                link.stops.push_front((stream, code));
                break;
            }
            moved = true;
        }
        while let Some(stream) = link.accepts.pop_front() {
            match link.endpoint.stream_durable(now.mono, stream, 0) {
                Ok(commit) => link.commits.push(commit),
                Err(SendRefused::Busy) => {
                    link.accepts.push_front(stream);
                    break;
                }
                Err(_) => {}
            }
            moved = true;
        }
        while let Some((stream, len)) = link.haves.pop_front() {
            match link.endpoint.stream_have(now.mono, stream, len) {
                Ok(commit) => link.commits.push(commit),
                Err(SendRefused::Busy) => {
                    link.haves.push_front((stream, len));
                    break;
                }
                Err(_) => {}
            }
            moved = true;
        }
        Ok(moved | self.pump_uploads(now, id, link)?)
    }

    /// Makes what arrived durable, and reports it.
    fn pump_uploads(&mut self, now: Now, id: MailboxId, link: &mut Link) -> Result<bool, StoreError> {
        let behind: Vec<u64> = link
            .transfers
            .iter_mut()
            .filter_map(|(stream, transfer)| transfer.as_upload().filter(|u| u.is_behind()).map(|_| *stream))
            .collect();
        let mut moved = false;
        for stream in behind {
            // The machine must have room for the report before anything is renamed.
            if link.commits.len() >= COMMITS_FULL {
                return Ok(true);
            }
            let Some(upload) = link.transfers.get_mut(&stream).and_then(Transfer::as_upload) else {
                continue;
            };
            if let Some(list) = upload.list_to_store() {
                self.store.put_upload(id, stream, upload.content(), list)?;
                upload.list_is_stored();
            }
            match upload.sync(id, stream, &self.media) {
                Ok(UploadStep::Nothing) => continue,
                Ok(UploadStep::Durable(offset)) => {
                    link.commits.extend(link.endpoint.stream_durable(now.mono, stream, offset));
                }
                Ok(UploadStep::Whole(len)) => {
                    if let Some(list) = upload.list() {
                        self.store.put_media(upload.content(), list)?;
                    }
                    drop(link.transfers.remove(&stream));
                    self.store.forget_upload(id, stream)?;
                    link.commits.extend(link.endpoint.stream_durable(now.mono, stream, len));
                }
                Err(code) => self.stop(id, link, stream, code)?,
            }
            moved = true;
        }
        Ok(moved)
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
                    handfast::kill_point!("phone.pairing_offered");
                }
                if attempt.stored > 1 {
                    handfast::kill_point!("phone.pairing_active");
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
