//! What the relay counts. Numbers only: no address, mailbox or key is in it.

use std::collections::BTreeMap;

use handfast_codec::error::ErrorCode;

/// Counts since the start, and what is held now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Sockets open now.
    pub sockets: usize,
    /// Link mailboxes in which somebody sits now.
    pub link_mailboxes: usize,
    /// Pairing mailboxes remembered now.
    pub pairing_mailboxes: usize,
    /// Link mailboxes that hold a sticky value now.
    pub sticky_mailboxes: usize,
    /// Bytes that wait in the queues of all sockets now.
    pub queued_bytes: usize,
    /// Sockets ever opened.
    pub opened: u64,
    /// Attaches ever proven.
    pub attached: u64,
    /// Frames received.
    pub frames_received: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// DATA frames forwarded.
    pub frames_forwarded: u64,
    /// Their bytes.
    pub bytes_forwarded: u64,
    /// DATA frames dropped for an absent peer.
    pub frames_dropped: u64,
    /// ERROR frames sent, by code.
    pub errors: BTreeMap<ErrorCode, u64>,
}

impl Stats {
    pub(crate) fn error(&mut self, code: ErrorCode) {
        let count = self.errors.entry(code).or_default();
        *count = count.saturating_add(1);
    }
}
