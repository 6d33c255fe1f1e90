//! What the companion does: codes that are shown, one link, the mirror of the phone's chats, transfers.
//!
//! No socket, clock, thread or hidden randomness: sockets are numbers, time and randomness are parameters. What
//! arrives goes in by `handle_*` and verbs; [`App::settle`] then stores everything that it led to in one transaction,
//! and gives what is to be sent.

mod codes;
mod command_key;
#[cfg(feature = "hazmat")]
mod hazmat;
mod link;
mod round;
mod subscriptions;
mod sync;
mod transfer;
mod verbs;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::BytesMut;
use handfast::codec::frame::Collection;
use handfast::codec::ids::{CommandKey, CompanionId, ContentId};
use handfast::host::{self, Host};
use handfast::session::LinkState;
use handfast::session::pairing::ShownCodes;
use handfast::{DeviceRole, ErrorCode, RelayName, Timestamp};
use rand_core::CryptoRng;

use crate::store::{Direction, LinkRowState, Message, Store, StoreError};
use codes::CodeData;
use link::{Link, LinkData};

pub use codes::CODE_SHOWN;
pub use handfast::host::SocketTag;
pub use verbs::{Sent, Status, VerbError};

/// The companion cannot go on: end the process. Everything that was told is durable.
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

/// What happens at a companion, for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppEvent {
    /// For the driver: copy content to a path of the user's choice, away from the core thread, and report it with
    /// [`App::exported`].
    Export {
        /// The content.
        content: ContentId,
        /// The path.
        out: String,
    },
    /// Show this code, in place of the one before.
    Code {
        /// The text of the QR code. It holds the code's secret.
        text: String,
    },
    /// A phone has scanned the code: show these four digits.
    CheckCode(String),
    /// Ask for the two digits that the phone shows.
    NumberWanted {
        /// The account's name.
        account: String,
    },
    /// A code is burnt.
    CodeBurnt {
        /// Why.
        code: ErrorCode,
        /// Whether no other code is shown before the user asks for one.
        asks: bool,
    },
    /// The phone has not confirmed the stored link, and may have linked this companion all the same.
    Unconfirmed {
        /// For how long this companion waits to hear so, in seconds.
        left_s: u64,
    },
    /// No relay can be reached for the code; it is tried again.
    RelayLost {
        /// Why.
        reason: String,
    },
    /// Linked.
    Linked {
        /// This companion's id.
        companion: CompanionId,
        /// The account's name.
        account: String,
    },
    /// The state of the link changed.
    LinkState(LinkState),
    /// Every collection that the phone has is mirrored.
    Synced {
        /// How many chats.
        chats: u64,
        /// How many messages.
        messages: u64,
    },
    /// A message is new here, or is another than before.
    Message {
        /// The message.
        message: Box<Message>,
        /// Whether it is new.
        is_new: bool,
    },
    /// Who is there changed, or is told for the first time in this connection.
    Presence {
        /// All chats whose contact is there.
        present: Vec<u64>,
    },
    /// Items of the phone that this version does not understand were skipped.
    Skipped {
        /// How many.
        items: u64,
    },
    /// A collection was found to differ from the phone's: it is fetched anew, or that did not help.
    Repair {
        /// The collection.
        collection: Collection,
        /// Whether that was tried three times in vain.
        failed: bool,
    },
    /// The phone answered a command.
    Result {
        /// The command.
        key: CommandKey,
        /// The name that the asker gave it.
        client_id: Option<String>,
        /// The message that it made, or why it failed.
        outcome: Result<Option<u64>, ErrorCode>,
    },
    /// A transfer came further, or is over: either `done` or with an `error`, once for each path of a get.
    Transfer {
        /// Which way.
        direction: Direction,
        /// What.
        content: ContentId,
        /// Bytes of the content that are durable at the receiver.
        offset: u64,
        /// The content's size, once it is known.
        size: Option<u64>,
        /// Whether it is over, and well.
        done: bool,
        /// Why it failed, if it did.
        error: Option<ErrorCode>,
        /// Of a get that is over: the path at which the content was wanted.
        out: Option<String>,
        /// Of a get whose content could not be put there: why.
        reason: Option<String>,
    },
    /// A side of the link was put back to an earlier state: by a restored or by a copied profile.
    PutBack {
        /// Which side.
        who: DeviceRole,
    },
    /// This companion was put back too far: the phone may have run what waits here, and has forgotten whether. It is kept.
    Forgotten {
        /// The texts that wait, with their chats.
        waiting: Vec<(u64, String)>,
    },
    /// The link is suspended: two holders of it were seen.
    Diverged,
    /// The link is suspended.
    Suspended,
    /// The phone revoked this companion; its keys and messages are deleted.
    Revoked,
    /// The phone did not confirm the link within a day: it is forgotten.
    Lapsed,
    /// Another process holds this companion's seat.
    Replaced,
    /// The store could not be written. Nothing of what was asked for meanwhile is done.
    StoreFailed {
        /// Why, and what to do.
        reason: String,
        /// It is tried again after this time.
        retry: Duration,
    },
    /// A connection ended for a reason worth telling.
    LinkError {
        /// The reason.
        code: ErrorCode,
        /// Who said so: `here`, `phone` or `relay`.
        by: &'static str,
    },
}

/// A file that nothing needs once the open transaction is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leftover {
    /// The chunk list of content that was sent.
    List(ContentId),
    /// Content that was under way.
    Part(ContentId),
    /// Content of a message that was deleted.
    Content(ContentId),
    /// Everything: the link is over.
    All,
}

/// The companion.
#[derive(Debug)]
pub struct App {
    host: Host<LinkData, CodeData, AppEvent>,
    store: Store,
    relay: RelayName,
    label: String,
    /// What the codes share, so that one of them alone answers a phone.
    shown_codes: ShownCodes,
    /// When the next code is due; `None` while no codes are shown.
    next_code: Option<Timestamp>,
    /// Files that the open transaction makes useless: they go once it is durable.
    leftovers: Vec<Leftover>,
    /// Copies of content to paths of the user that are being made.
    exporting: BTreeSet<(ContentId, String)>,
    /// The end of the link, which is told once it is durable.
    ended: Option<AppEvent>,
    /// Whether there was a link when the store failed.
    was_linked: bool,
    /// The companion that the user knows to be linked: told so by this program, or linked before it started.
    known_linked: Option<CompanionId>,
}

impl App {
    /// Takes over an opened store, and loads its link if it has one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn new(
        store: Store,
        relay: RelayName,
        label: String,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        let mut app = Self {
            host: Host::default(),
            store,
            relay,
            label,
            shown_codes: ShownCodes::default(),
            next_code: None,
            leftovers: Vec::new(),
            exporting: BTreeSet::new(),
            ended: None,
            was_linked: false,
            known_linked: None,
        };
        app.known_linked =
            app.store.link()?.filter(|row| row.state != LinkRowState::Pending).map(|row| row.companion);
        app.load_link(now, rng)?;
        if app.link().is_none() {
            // The process may have ended between the commit that deleted a link and this.
            app.store.media().wipe()?;
        } else {
            app.store.media().sweep(&app.store.wanted_files()?)?;
        }
        Ok(app)
    }

    fn event(&mut self, event: AppEvent) {
        self.host.event(event);
    }

    fn link(&self) -> Option<&Link> {
        self.host.links().next()
    }

    fn link_mut(&mut self) -> Option<&mut Link> {
        self.host.links_mut().next()
    }

    /// A socket is open.
    pub fn handle_opened(&mut self, now: Timestamp, rng: &mut dyn CryptoRng, socket: SocketTag) {
        self.host.handle_opened(now, rng, socket);
    }

    /// One binary message arrived.
    pub fn handle_bytes(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        socket: SocketTag,
        bytes: BytesMut,
    ) {
        self.host.handle_bytes(now, rng, socket, bytes);
    }

    /// The socket took a message of this length.
    pub fn handle_written(&mut self, now: Timestamp, socket: SocketTag, len: usize) {
        self.host.handle_written(now, socket, len);
    }

    /// A socket is closed, or could not be opened; `reason` says why, for the user.
    pub fn handle_closed(
        &mut self,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
        socket: SocketTag,
        reason: &str,
    ) {
        if self.host.handle_closed(now, rng, socket).is_some() {
            self.event(AppEvent::RelayLost { reason: reason.to_owned() });
        }
    }

    /// Time has passed; call it at [`App::deadline`] or at any other time.
    pub fn handle_timeout(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        self.host.handle_timeout(now, rng);
        self.rotate(now, rng);
    }

    /// The computer slept, or the network came back: whoever is connected, or waits to be, looks at once.
    pub fn probe(&mut self, now: Timestamp) {
        self.host.probe(now);
    }

    /// When [`App::handle_timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let check = self.link().and_then(|link| link.data.check_due());
        check.into_iter().chain(self.host.deadline()).chain(self.rotation_due()).min()
    }

    /// Stores what the inputs since the last call led to, and returns what must be done now: see [`host::settle`].
    ///
    /// # Errors
    ///
    /// [`SettleError`] when the process should end.
    pub fn settle(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<Settled, SettleError> {
        let settled = host::settle(self, now, rng)?;
        for output in &settled.outputs {
            if let AppOutput::Event(AppEvent::Linked { companion, .. }) = output {
                self.known_linked = Some(*companion);
            }
        }
        Ok(settled)
    }

    /// The store, to be looked at.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether this companion is linked, or may be.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.link().is_some()
    }

    /// The user wants the seat back that another process took.
    pub fn take_back(&mut self, now: Timestamp) {
        if let Some(link) = self.link_mut() {
            link.endpoint.reclaim_seat(now);
        }
    }

    /// The link is over: its row, its keys and all that came over it are deleted, in the open transaction.
    fn forget_link(&mut self) -> Result<(), StoreError> {
        let id = self.link().map(Link::id);
        if let Some(link) = id.and_then(|id| self.host.remove_link(id)) {
            self.store.forget_link(link.id())?;
            self.store.wipe_mirror()?;
            self.leftovers.push(Leftover::All);
        }
        Ok(())
    }
}
