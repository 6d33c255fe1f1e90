//! What the phone keeps for one link at run time, besides its machine.

use std::collections::{BTreeMap, VecDeque};

use handfast::codec::frame::{Collection, PageCursor};
use handfast::codec::ids::{CompanionId, ContentId, MailboxId};
use handfast::host;
use handfast::session::{Endpoint, LinkState, LinkStatus};
use handfast::{ErrorCode, Timestamp};

use super::transfer::Transfer;
use crate::store::{Companion, CompanionStatus, Store, StoreError};
use handfast_programs::MediaDir;

/// A link, with what the phone keeps for it.
pub(super) type Link = host::Link<LinkData>;

/// What the phone keeps for a link while it runs.
#[derive(Debug)]
#[expect(unnameable_types, reason = "the host alone asks for it")]
pub struct LinkData {
    pub(super) companion: CompanionId,
    pub(super) grants: u64,
    /// Where the companion stands in the database.
    pub(super) stored_status: CompanionStatus,
    pub(super) state: Option<LinkState>,
    /// What is asked of the change log: it is read once no transaction is open.
    pub(super) wanted: Option<Wanted>,
    pub(super) transfers: BTreeMap<u64, Transfer>,
    /// Streams that were open when the process ended are still to be answered.
    pub(super) opens_due: bool,
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

impl LinkData {
    pub(super) fn new(companion: &Companion) -> Self {
        Self {
            companion: companion.companion,
            grants: companion.grants,
            stored_status: companion.status,
            state: None,
            wanted: None,
            transfers: BTreeMap::new(),
            opens_due: true,
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
        endpoint: &Endpoint,
        store: &Store,
        media: &MediaDir,
    ) -> Result<(), StoreError> {
        for stream in endpoint.streams().into_iter().filter(|stream| stream.durable > 0) {
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

    /// The contents of uploads under way.
    pub(super) fn uploads(&self) -> impl Iterator<Item = ContentId> {
        self.transfers.values().filter_map(Transfer::upload_content)
    }
}
