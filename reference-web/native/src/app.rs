//! The state machine of the companion: pairing codes, one link, the mirror of the phone's chats, and
//! transfers.
//!
//! There is no socket, clock, thread or hidden randomness: sockets are numbers, and time and randomness are
//! parameters. Inputs are passed in by `handle_*` and by verbs. [`App::settle`] then stores all their effects
//! in one transaction, and returns the actions for the driver.

mod codes;
mod command_key;
mod link;
mod round;
mod subscriptions;
mod sync;
#[cfg(feature = "testing")]
mod testing;
mod transfer;
mod verbs;

use std::collections::BTreeSet;
use std::time::Duration;

use handfast::codec::frame::Collection;
use handfast::codec::ids::{CommandKey, CompanionId, ContentId};
use handfast::content_files::SyncIn;
use handfast::host::{self, HostOf};
use handfast::session::LinkState;
use handfast::session::pairing::ShownCodes;
use handfast::{DeviceRole, ErrorCode, RelayName, Timestamp};
use rand_core::CryptoRng;

use crate::store::{Direction, LinkRowState, Message, Store, StoreError};
use link::Link;

pub use codes::CODE_SHOWN;
pub use handfast::host::SocketTag;
pub use verbs::{Sent, Status, VerbError};

/// The error that the companion cannot continue, so that the process must end. All outputs returned before
/// are durable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The store belongs to another process now, or is damaged: see [`StoreError::is_final`].
    #[error("{0}; nothing that was confirmed is lost")]
    Store(#[from] StoreError),
}

/// An action that the companion asks of its driver.
pub type AppOutput = host::Output<AppEvent>;
/// The result of one round of the companion.
pub type Settled = host::Settled<AppEvent, StoreError>;

/// An event of the companion, for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppEvent {
    /// For the driver: copy content to the user's path in another thread, and report the result by
    /// [`App::exported`].
    Export {
        /// The content to copy.
        content: ContentId,
        /// The path to which the user wants the content.
        out: String,
    },
    /// Show this code instead of the one before.
    Code {
        /// The text of the QR code, which contains the code's secret.
        text: String,
    },
    /// A phone has scanned the code: show these four digits.
    CheckCode(String),
    /// Ask the user for the two digits that the phone shows.
    NumberWanted {
        /// The account's name.
        account: String,
    },
    /// A code is no longer valid.
    CodeBurnt {
        /// The reason why the code is no longer valid.
        code: ErrorCode,
        /// Whether the next code is shown only when the user asks for it.
        asks: bool,
    },
    /// The phone has not confirmed the link that is stored here, but may have stored the link itself.
    Unconfirmed {
        /// How long this companion still waits for the confirmation, in seconds.
        left_s: u64,
    },
    /// The connection to the relay on which a code waits for a phone was lost, or could not be made. It is
    /// tried again.
    RelayLost {
        /// The reason.
        reason: String,
    },
    /// The companion is linked.
    Linked {
        /// This companion's id.
        companion: CompanionId,
        /// The account's name.
        account: String,
    },
    /// The state of the link changed.
    LinkState(LinkState),
    /// All collections to which the companion is subscribed are copied for the first time.
    Synced {
        /// The number of chats that are copied.
        chats: u64,
        /// The number of messages that are copied.
        messages: u64,
    },
    /// A message is new here, or has changed.
    Message {
        /// The message.
        message: Box<Message>,
        /// Whether the message is new here.
        is_new: bool,
    },
    /// The presence of contacts has changed, or is known for the first time in this connection.
    Presence {
        /// The chats whose contact is online.
        present: Vec<u64>,
    },
    /// Items from the phone were set aside, because this version does not understand them.
    Skipped {
        /// The number of items.
        items: u64,
    },
    /// A collection differs from the phone's. It is fetched again, or fetching it again has failed.
    Repair {
        /// The collection.
        collection: Collection,
        /// Whether fetching the collection again has failed three times.
        failed: bool,
    },
    /// The phone answered a command.
    Result {
        /// The key of the command.
        key: CommandKey,
        /// The name that the client gave the command, if any.
        client_id: Option<String>,
        /// The id of the message that the command created, if any, or the reason why the command failed.
        outcome: Result<Option<u64>, ErrorCode>,
    },
    /// A transfer has progressed or ended. At its end the event has `done` or an `error`. The end of a get is
    /// reported once for each path.
    Transfer {
        /// The direction of the transfer.
        direction: Direction,
        /// The content that is transferred.
        content: ContentId,
        /// The number of content bytes that are durable at the receiver.
        offset: u64,
        /// The content's size, once it is known.
        size: Option<u64>,
        /// Whether the transfer has succeeded.
        done: bool,
        /// The reason why the transfer failed, if it did.
        error: Option<ErrorCode>,
        /// At the end of a get, the path to which the user wanted the content.
        out: Option<String>,
        /// The reason why the content could not be written to that path, if so.
        reason: Option<String>,
    },
    /// A side of the link was put back to an earlier state, because its profile was restored or copied.
    PutBack {
        /// The side that was put back.
        who: DeviceRole,
    },
    /// This companion was put back too far. The phone may have run the waiting commands and forgotten that it
    /// did, so they are kept but not sent.
    Forgotten {
        /// The texts that wait to be sent, with their chats.
        waiting: Vec<(u64, String)>,
    },
    /// The link is suspended, because two devices have this companion's keys.
    Diverged,
    /// The link is suspended by the phone.
    Suspended,
    /// The phone revoked this companion; its keys and messages are deleted.
    Revoked,
    /// The phone did not confirm the link within a day, so the link was deleted.
    Lapsed,
    /// Another process has taken this companion's seat at the relay.
    Replaced,
    /// The store could not be written. Whatever was requested since the last successful write is not done.
    StoreFailed {
        /// The reason, and what the user can do.
        reason: String,
        /// The time until the next attempt to write.
        retry: Duration,
    },
    /// A connection ended for a reason that the user should know.
    LinkError {
        /// The reason.
        code: ErrorCode,
        /// Who reported the reason: `here`, `phone` or `relay`.
        by: &'static str,
    },
}

/// A file that can be deleted once the open transaction is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PendingDelete {
    /// The chunk list of content that was sent.
    List(ContentId),
    /// Content that was partly fetched.
    Part(ContentId),
    /// The content of a message that was deleted.
    Content(ContentId),
    /// All files, because the link has ended.
    All,
}

/// The companion.
#[derive(Debug)]
pub struct App {
    host: HostOf<Self>,
    store: Store,
    relay: RelayName,
    label: String,
    /// The flag shared by all shown codes, so that only one of them answers a phone.
    shown_codes: ShownCodes,
    /// When the next code is due; `None` while no codes are shown.
    next_code: Option<Timestamp>,
    /// Files that the open transaction makes useless. They are deleted once it is durable.
    leftovers: Vec<PendingDelete>,
    /// The copies of content to paths of the user that are under way.
    exporting: BTreeSet<(ContentId, String)>,
    /// The event that tells the user of the link's end, once that end is durable.
    ended: Option<AppEvent>,
    /// Whether there was a link when the store failed.
    was_linked: bool,
    /// The linked companion's id, if the user knows that it is linked: this program has reported it, or it
    /// was linked when the program started.
    known_linked: Option<CompanionId>,
}

impl App {
    /// Creates the companion from an opened store, and loads its link if there is one.
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
            host: HostOf::<Self>::default(),
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
            // The process may have ended between the commit that deleted the link and the deletion of the
            // files.
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

    /// Does everything whose deadline has passed. Call it at [`App::deadline`]; an earlier or later call is
    /// allowed.
    pub fn handle_timeout(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) {
        self.host.handle_timeout(now, rng);
        self.rotate(now, rng);
    }

    /// Makes content durable in threads of their own from now on, so that more is received meanwhile.
    pub fn sync_in_threads(&mut self) {
        self.store.media_mut().set_sync_in(SyncIn::Thread);
    }

    /// Returns the time at which [`App::handle_timeout`] must be called next.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let check = self.link().and_then(|link| link.data.check_due());
        check.into_iter().chain(self.host.deadline()).chain(self.rotation_due()).min()
    }

    /// Stores what the inputs since the last call caused, and returns the actions for the driver: see
    /// [`host::settle`].
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

    /// Returns the store, for reading.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns whether this companion is linked, or has a link that the phone may still confirm.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.link().is_some()
    }

    /// Takes back the seat at the relay that another process took. Call it when the user asks for it.
    pub fn take_back(&mut self, now: Timestamp) {
        if let Some(link) = self.link_mut() {
            link.endpoint.reclaim_seat(now);
        }
    }

    /// Deletes the link in the open transaction: the link's row, its keys, and everything that came over it.
    fn forget_link(&mut self) -> Result<(), StoreError> {
        let id = self.link().map(Link::id);
        if let Some(link) = id.and_then(|id| self.host.remove_link(id)) {
            self.store.forget_link(link.id())?;
            self.store.wipe_mirror()?;
            self.leftovers.push(PendingDelete::All);
        }
        Ok(())
    }
}
