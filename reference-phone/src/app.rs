//! What the phone does: its links, one pairing attempt, commands, media, and the network behind it.
//!
//! No socket, clock, thread or hidden randomness: sockets are numbers, time and randomness are parameters. What
//! arrives goes in by `handle_*` and verbs; [`App::settle`] then stores everything that it led to in one transaction,
//! and gives what is to be sent. Nothing that depends on a transaction leaves before it is durable.

mod change;
mod command;
#[cfg(feature = "hazmat")]
mod hazmat;
mod link;
mod pairing;
mod round;
mod streams;
mod sync;
mod transfer;
mod verbs;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::BytesMut;
use handfast::codec::ids::{CompanionId, ContentId, MailboxId};
use handfast::codec::limits::OFFERED_MAX;
use handfast::host::{self, Host};
use handfast::session::{Endpoint, LinkState, LoadError};
use handfast::{DeviceRole, ErrorCode, Timestamp};
use handfast_messages::MessageState;
use rand_core::CryptoRng;

use crate::policy::RelayPolicy;
use crate::store::{Account, CompanionStatus, Store, StoreError};
use crate::upstream::{Outgoing, OutgoingChange, Upstream, UpstreamEvent};
use handfast_programs::MediaDir;
use link::{Link, LinkData};
use pairing::AttemptData;

pub use handfast::host::SocketTag;
pub use pairing::{OpenOffer, ScanStep, grant_names, grants_of};
pub use verbs::{LinkReport, Status, VerbError};

/// How long an offer that was never accepted is kept.
const OFFER_KEPT_MS: u64 = OFFERED_MAX * 1_000;

/// The time of one call: the monotonic clock for waiting, the wall clock as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two clocks")]
pub struct Now {
    /// The monotonic clock.
    pub mono: Timestamp,
    /// Milliseconds since 1970, untrusted.
    pub wall_ms: u64,
}

/// The phone cannot go on: end the process. Everything that was told is durable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The store belongs to someone else now, or is damaged: see [`StoreError::is_final`].
    #[error("{0}; nothing that was confirmed is lost")]
    Store(#[from] StoreError),
}

/// What the driver must do.
pub type AppOutput = host::Output<AppEvent>;
/// What a round led to.
pub type Settled = host::Settled<AppEvent, StoreError>;

/// What happens on a phone, for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppEvent {
    /// A step of the pairing attempt, for whoever runs it.
    Scan(ScanStep),
    /// The state of a link changed.
    LinkState {
        /// The companion.
        companion: CompanionId,
        /// The state.
        state: LinkState,
    },
    /// A companion was linked.
    Linked {
        /// The companion.
        companion: CompanionId,
    },
    /// A companion that was offered a link did not accept it in time, or the user ended that: it is not linked.
    OfferOver {
        /// The companion.
        companion: CompanionId,
    },
    /// Two holders of a link were seen.
    Diverged {
        /// The companion.
        companion: CompanionId,
    },
    /// A side of a link was put back to an earlier state: by a restored or by a copied profile.
    PutBack {
        /// The companion.
        companion: CompanionId,
        /// Which side.
        who: DeviceRole,
    },
    /// The seat of a link was taken over while its holder was alive.
    Contended {
        /// The companion.
        companion: CompanionId,
        /// How often.
        times: u64,
    },
    /// A revoked companion was told.
    RevokedTold {
        /// The companion.
        companion: CompanionId,
    },
    /// A connection ended for a reason worth telling.
    LinkError {
        /// The companion.
        companion: CompanionId,
        /// The reason.
        code: ErrorCode,
        /// Who said so: `here`, `companion` or `relay`.
        by: &'static str,
    },
    /// The database could not be written. Nothing of what was asked for meanwhile is done.
    StoreFailed {
        /// Why, and what to do.
        reason: String,
        /// It is tried again after this time.
        retry: Duration,
    },
    /// A stored link could not be opened.
    LinkDamaged {
        /// Its mailbox.
        link: MailboxId,
        /// Why.
        error: LoadError,
    },
}

/// The phone.
#[derive(Debug)]
pub struct App {
    host: Host<LinkData, AttemptData, AppEvent>,
    store: Store,
    account: Account,
    media: MediaDir,
    upstream: Box<dyn Upstream>,
    policy: RelayPolicy,
    /// Messages that go to the network once they are durable.
    outgoing: Vec<Outgoing>,
    /// Changes of messages that the network is told once they are durable.
    changes: Vec<OutgoingChange>,
    /// Content whose files go once it is durable that nothing refers to them.
    unused: Vec<ContentId>,
    /// When an upload that no message named is forgotten.
    uploads_due: Option<Timestamp>,
    /// Both clocks when everything was durable last.
    clocks: Now,
    /// Chats whose contact is there.
    present: BTreeSet<u64>,
    /// Whether the links must be told of that.
    presence_changed: bool,
    /// The revision that the links were told.
    told_rev: u64,
    /// What the network told and is not durable yet.
    heard: Vec<UpstreamEvent>,
    /// The wall clock in this round.
    wall_ms: u64,
}

impl App {
    /// Takes over an opened store: loads its links and hands the network what is unfinished.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn new(
        store: Store,
        account: Account,
        media: MediaDir,
        upstream: Box<dyn Upstream>,
        policy: RelayPolicy,
        now: Now,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        let mut app = Self {
            host: Host::default(),
            told_rev: store.rev(),
            store,
            account,
            media,
            upstream,
            policy,
            outgoing: Vec::new(),
            changes: Vec::new(),
            unused: Vec::new(),
            uploads_due: None,
            clocks: now,
            present: BTreeSet::new(),
            presence_changed: false,
            heard: Vec::new(),
            wall_ms: now.wall_ms,
        };
        app.drop_old_offers(now)?;
        app.load_links(now, rng)?;
        app.sweep()?;
        Ok(app)
    }

    /// Forgets offers that nobody accepted in time.
    fn drop_old_offers(&mut self, now: Now) -> Result<(), StoreError> {
        for companion in self.store.companions()? {
            // req: HSK-130
            if companion.status == CompanionStatus::Offered
                && now.wall_ms.saturating_sub(companion.linked_ms) >= OFFER_KEPT_MS
            {
                self.store.forget_companion(companion.link)?;
            }
        }
        self.store.commit()
    }

    /// Opens what is stored, and hands the network what is unfinished.
    fn load_links(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        for link in self.store.links()? {
            self.load_link(link, now, rng)?;
        }
        for unfinished in self.store.unfinished()? {
            let message = self.outgoing_of(&unfinished.message)?;
            self.upstream.send(now.mono, message);
        }
        Ok(())
    }

    /// Opens a stored link. One that cannot be opened is told of, and does not stop the others.
    fn load_link(&mut self, link: MailboxId, now: Now, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let Some(companion) = self.store.companion_of(link)? else { return Ok(()) };
        let pairs = self.store.pairs(link)?;
        match Endpoint::load(DeviceRole::Phone, &pairs, Some(self.account.log_id), now.mono, rng) {
            Ok(mut endpoint) => {
                endpoint.changed(now.mono, self.store.rev());
                endpoint.pruned(now.mono, self.store.floor());
                endpoint
                    .waited(now.mono, Duration::from_millis(now.wall_ms.saturating_sub(companion.linked_ms)));
                let mut data = LinkData::new(&companion);
                data.reopen_transfers(link, &endpoint, &self.store, &self.media)?;
                self.host.add_link(Link::new(now.mono, link, endpoint, data));
            }
            Err(error) => self.host.event(AppEvent::LinkDamaged { link, error }),
        }
        Ok(())
    }

    /// Removes files that belong to nothing.
    fn sweep(&self) -> Result<(), StoreError> {
        let mut keep: BTreeSet<String> = self.store.media_ids()?.iter().map(ContentId::to_string).collect();
        for link in self.host.links() {
            for content in link.data.uploads().chain(self.store.parts(link.id())?) {
                keep.extend([MediaDir::part_name(Some(link.id()), content), content.to_string()]);
            }
        }
        Ok(self.media.sweep(&keep)?)
    }

    fn outgoing_of(&self, message: &handfast_messages::Message) -> Result<Outgoing, StoreError> {
        let text = match &message.media {
            Some(media) if message.text.is_empty() => media.name.clone(),
            _ => message.text.clone(),
        };
        Ok(Outgoing {
            chat: message.chat,
            message: message.message,
            contact: self.store.contact(message.chat)?.unwrap_or_default(),
            text,
            state: message.state,
        })
    }

    /// A message of this account was stored: the network gets it once it is durable.
    fn queue_outgoing(&mut self, chat: u64, id: u64) -> Result<(), StoreError> {
        if let Some(stored) = self.store.message(chat, id)? {
            let mut outgoing = self.outgoing_of(&stored.message)?;
            outgoing.state = MessageState::Accepted;
            self.outgoing.push(outgoing);
        }
        Ok(())
    }

    /// A socket is open.
    pub fn handle_opened(&mut self, now: Now, rng: &mut dyn CryptoRng, socket: SocketTag) {
        self.host.handle_opened(now.mono, rng, socket);
    }

    /// One binary message arrived.
    pub fn handle_bytes(&mut self, now: Now, rng: &mut dyn CryptoRng, socket: SocketTag, bytes: BytesMut) {
        self.host.handle_bytes(now.mono, rng, socket, bytes);
    }

    /// The socket took a message of this length.
    pub fn handle_written(&mut self, now: Now, socket: SocketTag, len: usize) {
        self.host.handle_written(now.mono, socket, len);
    }

    /// A socket is closed, or could not be opened; `reason` says why, for the user.
    pub fn handle_closed(&mut self, now: Now, rng: &mut dyn CryptoRng, socket: SocketTag, reason: &str) {
        if let Some(attempt) = self.host.handle_closed(now.mono, rng, socket) {
            attempt.data.lost = Some(reason.to_owned());
        }
    }

    /// Time has passed; call it at [`App::deadline`] or at any other time.
    pub fn handle_timeout(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        self.host.handle_timeout(now.mono, rng);
    }

    /// The computer slept, or the network came back: whoever is connected, or waits to be, looks at once.
    pub fn probe(&mut self, now: Now) {
        self.host.probe(now.mono);
    }

    /// When [`App::handle_timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let checks = self.host.links().filter_map(|link| link.data.check_due);
        // What the network has to tell is not asked for while it cannot be stored.
        let is_paused = self.host.backoff().is_on();
        let others = [self.upstream.deadline(), self.uploads_due].into_iter().flatten();
        checks.chain(self.host.deadline()).chain(others.filter(|_| !is_paused)).min()
    }

    /// Stores what the inputs since the last call led to, and returns what must be done now: see [`host::settle`].
    ///
    /// # Errors
    ///
    /// [`SettleError`] when the process should end.
    pub fn settle(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<Settled, SettleError> {
        self.wall_ms = now.wall_ms;
        Ok(host::settle(self, now.mono, rng)?)
    }

    /// The store, to be looked at.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }
}

#[cfg(test)]
mod tests;
