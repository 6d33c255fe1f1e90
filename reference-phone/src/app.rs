//! The state machine of the phone: its links, one pairing attempt, commands, media, and the network behind
//! it.
//!
//! There is no socket, clock, thread or hidden randomness: sockets are numbers, and time and randomness are
//! parameters. Inputs are passed in by `handle_*` and by verbs. [`App::settle`] then stores all their effects
//! in one transaction, and returns the actions for the driver. An action that depends on a transaction is
//! returned only once that transaction is durable.

mod change;
mod command;
mod link;
mod pairing;
mod round;
mod streams;
mod sync;
#[cfg(feature = "testing")]
mod testing;
mod transfer;
mod verbs;

use std::collections::BTreeSet;
use std::time::Duration;

use handfast::codec::ids::{CompanionId, ContentId, MailboxId};
use handfast::codec::limits::OFFERED_MAX;
use handfast::content_files::SyncIn;
use handfast::host::{self, HostOf};
use handfast::session::{LinkState, LoadError, PhoneEndpoint};
use handfast::{DeviceRole, ErrorCode, Timestamp};
use handfast_messages::MessageState;
use rand_core::CryptoRng;

use crate::policy::RelayPolicy;
use crate::store::{Account, CompanionStatus, Store, StoreError};
use crate::upstream::{Outgoing, OutgoingChange, Upstream, UpstreamEvent};
use handfast_programs::MediaDir;
use link::{Link, LinkData};

pub use handfast::host::SocketTag;
pub use pairing::{OpenOffer, ScanStep, grant_names, grants_of};
pub use verbs::{LinkReport, Status, VerbError};

/// How long an offer is kept that the companion has not accepted, in milliseconds.
const OFFER_KEPT_MS: u64 = OFFERED_MAX * 1_000;

/// The time of one call: the monotonic clock for deadlines, the wall clock for times that are stored or
/// shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two clocks")]
pub struct Now {
    /// The time of the monotonic clock.
    pub mono: Timestamp,
    /// The time of the wall clock, in milliseconds since 1970. It may be wrong.
    pub wall_ms: u64,
}

/// The error that the phone cannot continue, so that the process must end. All outputs returned before are
/// durable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The store belongs to another process now, or is damaged: see [`StoreError::is_final`].
    #[error("{0}; nothing that was confirmed is lost")]
    Store(#[from] StoreError),
}

/// An action that the phone asks of its driver.
pub type AppOutput = host::Output<AppEvent>;
/// The result of one round of the phone.
pub type Settled = host::Settled<AppEvent, StoreError>;

/// An event of the phone, for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppEvent {
    /// A step of the pairing attempt, for the client that runs the attempt.
    Scan(ScanStep),
    /// The state of a link changed.
    LinkState {
        /// The companion's id.
        companion: CompanionId,
        /// The new state.
        state: LinkState,
    },
    /// A companion was linked.
    Linked {
        /// The companion's id.
        companion: CompanionId,
    },
    /// A companion is not linked after all: it did not accept its offer in time, or the user ended the offer.
    OfferOver {
        /// The companion's id.
        companion: CompanionId,
    },
    /// The link is suspended, because two devices have the companion's keys.
    Diverged {
        /// The companion's id.
        companion: CompanionId,
    },
    /// A side of a link was put back to an earlier state, because its profile was restored or copied.
    PutBack {
        /// The companion's id.
        companion: CompanionId,
        /// The side that was put back.
        who: DeviceRole,
    },
    /// The companion's seat at the relay changed sockets although its earlier socket was alive.
    Contended {
        /// The companion's id.
        companion: CompanionId,
        /// How often that has happened.
        times: u64,
    },
    /// A revoked companion was sent the revocation.
    RevokedTold {
        /// The companion's id.
        companion: CompanionId,
    },
    /// A connection ended for a reason that the user should know.
    LinkError {
        /// The companion's id.
        companion: CompanionId,
        /// The reason.
        code: ErrorCode,
        /// Who reported the reason: `here`, `companion` or `relay`.
        by: &'static str,
    },
    /// The database could not be written. Whatever was requested since the last successful write is not done.
    StoreFailed {
        /// The reason, and what the user can do.
        reason: String,
        /// The time until the next attempt to write.
        retry: Duration,
    },
    /// A stored link could not be opened.
    LinkDamaged {
        /// The link's mailbox.
        link: MailboxId,
        /// The reason.
        error: LoadError,
    },
}

/// The phone.
#[derive(Debug)]
pub struct App {
    host: HostOf<Self>,
    store: Store,
    account: Account,
    media: MediaDir,
    upstream: Box<dyn Upstream>,
    policy: RelayPolicy,
    /// Messages to be sent to the network once they are durable.
    outgoing: Vec<Outgoing>,
    /// Changes of messages to be sent to the network once they are durable.
    changes: Vec<OutgoingChange>,
    /// Content to which nothing refers any more. Its files are deleted once that is durable.
    unused: Vec<ContentId>,
    /// When the next upload that no message refers to expires.
    uploads_due: Option<Timestamp>,
    /// What both clocks showed when everything was last durable.
    clocks: Now,
    /// The chats whose contact is online.
    present: BTreeSet<u64>,
    /// Whether `present` has changed since the companions were told.
    presence_changed: bool,
    /// The newest revision that was reported to the links.
    told_rev: u64,
    /// Events that the network has reported and that are not stored durably yet.
    heard: Vec<UpstreamEvent>,
    /// The time of the wall clock in this round, in milliseconds since 1970.
    wall_ms: u64,
}

impl App {
    /// Creates the phone from an opened store: loads its links, and sends the unfinished messages to the
    /// network.
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
            host: HostOf::<Self>::default(),
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

    /// Deletes the offers that no companion accepted in time.
    fn drop_old_offers(&mut self, now: Now) -> Result<(), StoreError> {
        for companion in self.store.companions()? {
            // An offer may have expired while the phone did not run, so times of the wall clock are compared.
            // req: HSK-130
            if companion.status == CompanionStatus::Offered
                && now.wall_ms.saturating_sub(companion.linked_ms) >= OFFER_KEPT_MS
            {
                self.store.forget_companion(companion.link)?;
            }
        }
        self.store.commit()
    }

    /// Loads all stored links, and sends the unfinished messages to the network.
    fn load_links(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        for link in self.store.database().links()? {
            self.load_link(link, now, rng)?;
        }
        for unfinished in self.store.unfinished()? {
            let message = self.outgoing_of(&unfinished.message)?;
            self.upstream.send(now.mono, message);
        }
        Ok(())
    }

    /// Loads a stored link. If a link cannot be loaded the user is told, and the other links are not
    /// affected.
    fn load_link(&mut self, link: MailboxId, now: Now, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let Some(companion) = self.store.companion_of(link)? else { return Ok(()) };
        let pairs = self.store.database().link_rows(link)?;
        match PhoneEndpoint::load(&pairs, self.account.log_id, now.mono, rng) {
            Ok(mut endpoint) => {
                endpoint.set_log_head(now.mono, self.store.rev());
                endpoint.set_log_floor(now.mono, self.store.floor());
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

    /// Deletes the files of content that nothing refers to.
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

    /// Queues a stored message of this account for the network.
    fn queue_outgoing(&mut self, chat: u64, id: u64) -> Result<(), StoreError> {
        if let Some(stored) = self.store.message(chat, id)? {
            let mut outgoing = self.outgoing_of(&stored.message)?;
            outgoing.state = MessageState::Accepted;
            self.outgoing.push(outgoing);
        }
        Ok(())
    }

    /// Does everything whose deadline has passed. Call it at [`App::deadline`]; an earlier or later call is
    /// allowed.
    pub fn handle_timeout(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        self.host.handle_timeout(now.mono, rng);
    }

    /// Makes content durable in threads of their own from now on, so that more is received meanwhile.
    pub fn sync_in_threads(&mut self) {
        self.media.set_sync_in(SyncIn::Thread);
    }

    /// Returns the time at which [`App::handle_timeout`] must be called next.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let checks = self.host.links().filter_map(|link| link.data.check_due);
        // While the store cannot be written, events of the network could not be stored, so they are not
        // polled.
        let is_paused = self.host.backoff().is_on();
        let others = [self.upstream.deadline(), self.uploads_due].into_iter().flatten();
        checks.chain(self.host.deadline()).chain(others.filter(|_| !is_paused)).min()
    }

    /// Stores what the inputs since the last call caused, and returns the actions for the driver: see
    /// [`host::settle`].
    ///
    /// # Errors
    ///
    /// [`SettleError`] when the process should end.
    pub fn settle(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<Settled, SettleError> {
        self.wall_ms = now.wall_ms;
        Ok(host::settle(self, now.mono, rng)?)
    }

    /// Returns the store, for reading.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}

#[cfg(test)]
mod tests;
