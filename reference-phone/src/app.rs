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
mod rest;
mod settle;
mod streams;
mod sync;
mod transfer;
mod verbs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast::codec::ids::{CompanionId, ContentId, MailboxId};
use handfast::codec::limits::OFFERED_MAX;
use handfast::session::{Endpoint, LinkState, LoadError};
use handfast::{DeviceRole, ErrorCode, RelayName, Timestamp};
use handfast_messages::MessageState;
use handfast_programs::StoreBackoff;
use rand_core::CryptoRng;

use crate::policy::RelayPolicy;
use crate::store::{Account, CompanionStatus, Store, StoreError};
use crate::upstream::{Outgoing, OutgoingChange, Upstream, UpstreamEvent};
use handfast_programs::MediaDir;
use link::Link;
use pairing::Attempt;

pub use pairing::{OpenOffer, ScanStep, grant_names, grants_of};
pub use rest::{SettleError, Settled};
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

/// One socket, by a number that is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketTag(u64);

impl SocketTag {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What the driver must do.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppOutput {
    /// Open a socket to this relay, and report it with `handle_opened` or `handle_closed`.
    Connect {
        /// The socket.
        socket: SocketTag,
        /// The relay.
        relay: RelayName,
    },
    /// Send one binary message, and report it with `handle_written`.
    Transmit {
        /// The socket.
        socket: SocketTag,
        /// The message.
        bytes: Bytes,
    },
    /// Close the socket. `handle_closed` is not needed.
    Disconnect {
        /// The socket.
        socket: SocketTag,
    },
    /// Tell whoever watches this phone.
    Event(AppEvent),
    /// Tell whoever runs the pairing attempt.
    Scan(ScanStep),
}

/// What happens on a phone, for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppEvent {
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

/// Whom a socket belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Link(MailboxId),
    Scan,
}

/// The phone.
#[derive(Debug)]
pub struct App {
    store: Store,
    account: Account,
    media: MediaDir,
    upstream: Box<dyn Upstream>,
    policy: RelayPolicy,
    links: BTreeMap<MailboxId, Link>,
    attempt: Option<Attempt>,
    sockets: BTreeMap<SocketTag, Owner>,
    next_socket: u64,
    out: VecDeque<AppOutput>,
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
    /// Whether a transaction of this round is durable.
    stored: bool,
    /// How many of `out` no open transaction can undo.
    out_durable: usize,
    /// What the network told and is not durable yet.
    heard: Vec<UpstreamEvent>,
    /// A verb could not do all its writes: the round must not be stored.
    spoiled: bool,
    /// While it is on, after the store failed, there are no links.
    rest: StoreBackoff,
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
            told_rev: store.rev(),
            store,
            account,
            media,
            upstream,
            policy,
            links: BTreeMap::new(),
            attempt: None,
            sockets: BTreeMap::new(),
            next_socket: 1,
            out: VecDeque::new(),
            outgoing: Vec::new(),
            changes: Vec::new(),
            unused: Vec::new(),
            uploads_due: None,
            clocks: now,
            present: BTreeSet::new(),
            presence_changed: false,
            stored: false,
            out_durable: 0,
            heard: Vec::new(),
            spoiled: false,
            rest: StoreBackoff::default(),
        };
        app.drop_old_offers(now)?;
        app.load_links(now, rng)?;
        app.sweep()?;
        for unfinished in app.store.unfinished()? {
            let message = app.outgoing_of(&unfinished.message)?;
            app.upstream.send(now.mono, message);
        }
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

    fn load_links(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        for link in self.store.links()? {
            self.load_link(link, now, rng)?;
        }
        // Once all are there: what runs over the others counts.
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let Some(mut link) = self.links.remove(&id) else { continue };
            self.answer_opens(now, id, &mut link)?;
            drop(self.links.insert(id, link));
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
                let mut loaded = Link::new(endpoint, &companion, now.mono);
                loaded.reopen_transfers(link, &self.store, &self.media)?;
                drop(self.links.insert(link, loaded));
            }
            Err(error) => self.out.push_back(AppOutput::Event(AppEvent::LinkDamaged { link, error })),
        }
        Ok(())
    }

    /// Removes files that belong to nothing.
    fn sweep(&self) -> Result<(), StoreError> {
        let mut keep: BTreeSet<String> = self.store.media_ids()?.iter().map(ContentId::to_string).collect();
        for (link, running) in &self.links {
            for content in running.uploads().chain(self.store.parts(*link)?) {
                keep.extend([MediaDir::part_name(Some(*link), content), content.to_string()]);
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

    fn connect(&mut self, owner: Owner, relay: RelayName) -> SocketTag {
        let socket = SocketTag(self.next_socket);
        self.next_socket = self.next_socket.saturating_add(1);
        let _ = self.sockets.insert(socket, owner);
        self.out.push_back(AppOutput::Connect { socket, relay });
        socket
    }

    /// Gives a socket up.
    fn disconnect(&mut self, socket: Option<SocketTag>) {
        if let Some(socket) = socket
            && self.sockets.remove(&socket).is_some()
        {
            self.out.push_back(AppOutput::Disconnect { socket });
        }
    }

    /// A socket is open.
    pub fn handle_opened(&mut self, now: Now, rng: &mut dyn CryptoRng, socket: SocketTag) {
        match self.sockets.get(&socket) {
            Some(Owner::Link(link)) => {
                if let Some(link) = self.links.get_mut(link) {
                    link.endpoint.handle_opened(now.mono, rng);
                }
            }
            Some(Owner::Scan) => {
                if let Some(attempt) = &mut self.attempt {
                    attempt.pairing.handle_opened(now.mono);
                }
            }
            None => {}
        }
    }

    /// One binary message arrived.
    pub fn handle_bytes(&mut self, now: Now, rng: &mut dyn CryptoRng, socket: SocketTag, bytes: BytesMut) {
        // A machine that takes no bytes now has given this socket up: they are of no use.
        let _ = match self.sockets.get(&socket) {
            Some(Owner::Link(link)) => {
                self.links.get_mut(link).map(|link| link.endpoint.handle_bytes(now.mono, rng, bytes))
            }
            Some(Owner::Scan) => {
                self.attempt.as_mut().map(|attempt| attempt.pairing.handle_bytes(now.mono, rng, bytes))
            }
            None => None,
        };
    }

    /// The socket took a message of this length.
    pub fn handle_written(&mut self, now: Now, socket: SocketTag, len: usize) {
        if let Some(Owner::Link(link)) = self.sockets.get(&socket)
            && let Some(link) = self.links.get_mut(link)
        {
            link.endpoint.transmitted(now.mono, len);
        }
    }

    /// A socket is closed, or could not be opened; `reason` says why, for the user.
    pub fn handle_closed(&mut self, now: Now, rng: &mut dyn CryptoRng, socket: SocketTag, reason: &str) {
        match self.sockets.remove(&socket) {
            Some(Owner::Link(link)) => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.socket = None;
                    link.endpoint.handle_closed(now.mono, rng);
                }
            }
            Some(Owner::Scan) => {
                if let Some(attempt) = &mut self.attempt {
                    attempt.socket = None;
                    attempt.lost = Some(reason.to_owned());
                    attempt.pairing.handle_closed(now.mono);
                }
            }
            None => {}
        }
    }

    /// Time has passed; call it at [`App::deadline`] or at any other time.
    pub fn handle_timeout(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        for link in self.links.values_mut() {
            if link.deadline.is_some_and(|at| at <= now.mono) {
                link.endpoint.handle_timeout(now.mono, rng);
            }
        }
        if let Some(attempt) = &mut self.attempt
            && attempt.deadline.is_some_and(|at| at <= now.mono)
        {
            attempt.pairing.handle_timeout(now.mono);
        }
    }

    /// The computer slept, or the network came back: whoever is connected, or waits to be, looks at once.
    pub fn probe(&mut self, now: Now) {
        for link in self.links.values_mut() {
            link.endpoint.probe(now.mono);
        }
        if let Some(attempt) = &mut self.attempt {
            attempt.pairing.probe(now.mono);
        }
    }

    /// When [`App::handle_timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let links = self.links.values().filter_map(Link::deadline);
        let attempt = self.attempt.as_ref().and_then(|attempt| attempt.deadline);
        // What the network has to tell is not asked for while it cannot be stored.
        let upstream = self.rest.until().or_else(|| self.upstream.deadline());
        let uploads = if self.rest.until().is_some() { None } else { self.uploads_due };
        links.chain(attempt).chain(upstream).chain(uploads).min()
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
