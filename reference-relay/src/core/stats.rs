//! The counters of the relay. They are plain numbers, without any address, mailbox or key.

use std::collections::BTreeMap;

use handfast_codec::error::ErrorCode;

/// Counts since the start of the process, and numbers of what is held now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The sockets that are open now.
    pub sockets: usize,
    /// The link mailboxes with a socket now.
    pub link_mailboxes: usize,
    /// The pairing mailboxes remembered now.
    pub pairing_mailboxes: usize,
    /// The link mailboxes that have a sticky value now.
    pub sticky_mailboxes: usize,
    /// The bytes in the queues of all sockets now.
    pub queued_bytes: usize,
    /// The sockets opened since the start.
    pub opened: u64,
    /// The valid ATTACH frames since the start.
    pub attached: u64,
    /// The frames received since the start.
    pub frames_received: u64,
    /// The bytes received since the start.
    pub bytes_received: u64,
    /// The DATA frames forwarded since the start.
    pub frames_forwarded: u64,
    /// The bytes of these frames.
    pub bytes_forwarded: u64,
    /// The DATA frames dropped since the start, because the peer was absent.
    pub frames_dropped: u64,
    /// The ERROR frames sent since the start, by code.
    pub errors: BTreeMap<ErrorCode, u64>,
}

impl Stats {
    pub(crate) fn error(&mut self, code: ErrorCode) {
        let count = self.errors.entry(code).or_default();
        *count = count.saturating_add(1);
    }
}
