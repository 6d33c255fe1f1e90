//! The phone's data for one link at run time, besides its machine.

use std::collections::{BTreeMap, VecDeque};

use handfast::codec::ids::{CompanionId, ContentId, MailboxId};
use handfast::content_files::SyncPace;
use handfast::host::LinkOf;
use handfast::session::{LinkState, LinkStatus, PhoneEndpoint, SyncEvent};
use handfast::{ErrorCode, Timestamp};

use super::App;
use super::transfer::Transfer;
use crate::store::{Companion, CompanionStatus, Store, StoreError};
use handfast_programs::MediaDir;

/// A link, with the phone's data for it.
pub(super) type Link = LinkOf<App>;

/// The phone's data for a link at run time.
#[derive(Debug)]
#[expect(unnameable_types, reason = "the host alone asks for it")]
pub struct LinkData {
    pub(super) companion: CompanionId,
    pub(super) grants: u64,
    /// The companion's status as it is stored in the database.
    pub(super) stored_status: CompanionStatus,
    pub(super) state: Option<LinkState>,
    /// The machine's request for the change log. It is answered while no transaction is open.
    pub(super) wanted: Option<SyncEvent>,
    pub(super) transfers: BTreeMap<u64, Transfer>,
    /// Whether streams that were open when the process ended still wait for an answer.
    pub(super) opens_due: bool,
    /// When the next piece of partly received content is checked, which earlier streams have left.
    pub(super) check_due: Option<Timestamp>,
    pub(super) pace: SyncPace,
    /// Streams that must be stopped with this code, as soon as the machine has room for a commit.
    pub(super) stops: VecDeque<(u64, ErrorCode)>,
    /// Puts that the phone has accepted and that the companion was not told of yet.
    pub(super) accepts: VecDeque<u64>,
    /// Puts of content that is already here, which the companion was not told of yet: the stream's id, and
    /// the stream's length in bytes.
    pub(super) haves: VecDeque<(u64, u64)>,
    /// Whether the companion was connected in this round.
    pub(super) seen: bool,
    /// Whether the companion can no longer accept the link's offer. The link is then deleted in the next
    /// commit.
    pub(super) over: bool,
}

/// Returns the companion's status for a state of its link.
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
            pace: SyncPace::default(),
            stops: VecDeque::new(),
            accepts: VecDeque::new(),
            haves: VecDeque::new(),
            seen: false,
            over: false,
        }
    }

    /// Opens again the files of streams that were open when the process ended, if bytes of the stream were
    /// reported as durable.
    pub(super) fn reopen_transfers(
        &mut self,
        link: MailboxId,
        endpoint: &PhoneEndpoint,
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

    /// Removes the transfer of a stream that has ended, and the answers that are queued for the stream.
    /// Returns the transfer.
    pub(super) fn take_transfer(&mut self, stream: u64) -> Option<Transfer> {
        self.accepts.retain(|accepted| *accepted != stream);
        self.haves.retain(|(had, _)| *had != stream);
        self.transfers.remove(&stream)
    }

    /// Returns the contents of the running uploads.
    pub(super) fn uploads(&self) -> impl Iterator<Item = ContentId> {
        self.transfers.values().filter_map(Transfer::upload_content)
    }
}
