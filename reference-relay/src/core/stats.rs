//! The counters of the relay. They are plain numbers, without any address, mailbox or key.

use std::collections::BTreeMap;

use handfast_codec::error::ErrorCode;

/// Counts since the start of the process, and how many of each thing there are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The number of sockets that are open now.
    pub sockets: usize,
    /// The number of link mailboxes that have a socket now.
    pub link_mailboxes: usize,
    /// The number of pairing mailboxes that are remembered now.
    pub pairing_mailboxes: usize,
    /// The number of link mailboxes that have a sticky value now.
    pub sticky_mailboxes: usize,
    /// The number of bytes in the queues of all sockets now.
    pub queued_bytes: usize,
    /// The number of sockets opened since the start.
    pub opened: u64,
    /// The number of valid ATTACH frames since the start.
    pub attached: u64,
    /// The number of frames received since the start.
    pub frames_received: u64,
    /// The number of bytes received since the start.
    pub bytes_received: u64,
    /// The number of DATA frames forwarded since the start.
    pub frames_forwarded: u64,
    /// The number of bytes in the forwarded DATA frames.
    pub bytes_forwarded: u64,
    /// The number of DATA frames dropped since the start because the peer was absent.
    pub frames_dropped: u64,
    /// By code, the number of ERROR frames sent since the start.
    pub errors: BTreeMap<ErrorCode, u64>,
}

impl Stats {
    pub(crate) fn error(&mut self, code: ErrorCode) {
        let count = self.errors.entry(code).or_default();
        *count = count.saturating_add(1);
    }
}
