//! One link at run time: its machine, its socket, its transfers.

use std::collections::{BTreeMap, VecDeque};

use handfast::codec::frame::{Collection, PageCursor};
use handfast::codec::ids::{CompanionId, ContentId, MailboxId};
use handfast::session::{Commit, CommitId, Endpoint, LinkState, LinkStatus};
use handfast::{ErrorCode, Timestamp};

use super::SocketTag;
use super::transfer::Transfer;
use crate::store::{Companion, CompanionStatus, Store, StoreError};
use handfast_programs::MediaDir;

/// A link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) endpoint: Endpoint,
    pub(super) companion: CompanionId,
    pub(super) grants: u64,
    /// Where the companion stands in the database.
    pub(super) stored_status: CompanionStatus,
    pub(super) socket: Option<SocketTag>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) state: Option<LinkState>,
    /// Commits that are not yet in the open transaction.
    pub(super) commits: Vec<Commit>,
    /// Commits of the open transaction, to be reported once it is durable.
    pub(super) applied: VecDeque<CommitId>,
    /// What is asked of the change log: it is read once no transaction is open.
    pub(super) wanted: Option<Wanted>,
    pub(super) transfers: BTreeMap<u64, Transfer>,
    /// When a piece of what earlier streams left is looked at again.
    pub(super) check_due: Option<Timestamp>,
    /// Streams to be stopped as soon as the machine takes it.
    pub(super) stops: VecDeque<(u64, ErrorCode)>,
    /// Puts that are taken, to be told so.
    pub(super) accepts: VecDeque<u64>,
    /// Puts of content that is here: stream and stream length.
    pub(super) haves: VecDeque<(u64, u64)>,
    /// The companion was connected in this round.
    pub(super) seen: bool,
    /// The offer of the link is over: the link goes with the commit that says so.
    pub(super) over: bool,
}

/// What a machine asks of the change log.
#[derive(Debug)]
pub(super) enum Wanted {
    Delta { collection: Collection, after: u64, budget: usize },
    Page { collection: Collection, page: PageCursor, budget: usize },
    Digest { collection: Collection },
}

/// Where the companion of a link in this state stands.
pub(super) fn status_of(status: LinkStatus) -> CompanionStatus {
    match status {
        LinkStatus::Offered | LinkStatus::Pending => CompanionStatus::Offered,
        LinkStatus::Active => CompanionStatus::Active,
        LinkStatus::Revoked => CompanionStatus::Revoked,
        _ => CompanionStatus::Suspended,
    }
}

impl Link {
    pub(super) fn new(endpoint: Endpoint, companion: &Companion, now: Timestamp) -> Self {
        Self {
            endpoint,
            companion: companion.companion,
            grants: companion.grants,
            stored_status: companion.status,
            socket: None,
            deadline: Some(now),
            state: None,
            commits: Vec::new(),
            applied: VecDeque::new(),
            wanted: None,
            transfers: BTreeMap::new(),
            check_due: None,
            stops: VecDeque::new(),
            accepts: VecDeque::new(),
            haves: VecDeque::new(),
            seen: false,
            over: false,
        }
    }

    /// Opens the files of the streams of which something was reported when the process ended.
    pub(super) fn reopen_transfers(
        &mut self,
        link: MailboxId,
        store: &Store,
        media: &MediaDir,
    ) -> Result<(), StoreError> {
        for stream in self.endpoint.streams().into_iter().filter(|stream| stream.durable > 0) {
            let transfer = Transfer::reopen(link, &stream, store, media)?;
            match transfer {
                Ok(transfer) => drop(self.transfers.insert(stream.id, transfer)),
                Err(code) => self.stops.push_back((stream.id, code)),
            }
        }
        Ok(())
    }

    /// A stream is over, and what was to be said of it. Returns its transfer.
    pub(super) fn take_transfer(&mut self, stream: u64) -> Option<Transfer> {
        self.accepts.retain(|accepted| *accepted != stream);
        self.haves.retain(|(had, _)| *had != stream);
        self.transfers.remove(&stream)
    }

    /// When there is something to do next.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.deadline.into_iter().chain(self.check_due).min()
    }

    /// The contents of uploads under way.
    pub(super) fn uploads(&self) -> impl Iterator<Item = ContentId> {
        self.transfers.values().filter_map(Transfer::upload_content)
    }
}
