//! The codes that one page shows at the same time, and a limit on the messages 1 that each of them reads.
//!
//! Nothing here does I/O.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use handfast_codec::Timestamp;
use handfast_codec::limits::CODE_MESSAGES1_MAX;

/// The least time between two messages 1 that are read for one code.
const MESSAGE1_EVERY: Duration = Duration::from_secs(1);

/// A flag shared by all codes that one page shows at the same time: only one of them may answer, even when
/// phones reach two of them at once. After an attempt that ended without a link, create a fresh flag once the
/// user asks for a new code.
///
/// ```
/// use handfast_session::pairing::ShownCodes;
/// let codes = ShownCodes::default();
/// assert!(!codes.is_answered());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ShownCodes(Arc<AtomicBool>);

impl ShownCodes {
    /// Returns whether one of the codes has sent its message 2.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Claims the right to answer a phone. Returns false when another code of the page has claimed it
    /// already.
    pub(super) fn answer(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

/// A token bucket for the messages 1 that a code reads. Each message 1 costs a key generation and a
/// Diffie-Hellman before it can be told from a forgery, and whoever sits in the phone's seat can send any
/// number.
pub(super) struct Message1Budget {
    left: u32,
    /// When the last token was added.
    since: Timestamp,
}

impl Message1Budget {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { left: CODE_MESSAGES1_MAX, since: now }
    }

    /// Takes a token. Returns false when there is none: then the message must be dropped unread.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        // A forged message 1 costs curve operations before the forgery is found.
        // req: HSK-160
        while self.left < CODE_MESSAGES1_MAX && now >= self.since.plus(MESSAGE1_EVERY) {
            self.left = self.left.saturating_add(1);
            self.since = self.since.plus(MESSAGE1_EVERY);
        }
        // A full bucket gains no tokens while it waits.
        if self.left == CODE_MESSAGES1_MAX {
            self.since = now;
        }
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        true
    }
}
