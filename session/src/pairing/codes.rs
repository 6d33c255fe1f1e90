//! The codes that one page shows at a time, and how many messages 1 one of them reads.
//!
//! May touch: nothing outside memory.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use handfast_codec::Timestamp;
use handfast_codec::limits::CODE_MESSAGES1_MAX;

/// After how long a code may read one message 1 more.
const MESSAGE1_EVERY: Duration = Duration::from_secs(1);

/// What all codes that one page shows at a time share: one of them alone may answer, even when phones reach two of them
/// in the same moment. After an attempt that ended without a link, a fresh one stands for the user's asking for a code.
///
/// ```
/// use handfast_session::pairing::ShownCodes;
/// let codes = ShownCodes::default();
/// assert!(!codes.is_answered());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ShownCodes(Arc<AtomicBool>);

impl ShownCodes {
    /// Whether one of the codes has sent its message 2.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Takes the one answer; false when another code has taken it.
    pub(super) fn answer(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

/// How many messages 1 a code reads: each costs a key and a Diffie-Hellman before it is known to be forged, and whoever
/// sits in the phone's seat can send them without end.
pub(super) struct Message1Budget {
    left: u32,
    /// From when on the next one is earned.
    since: Timestamp,
}

impl Message1Budget {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { left: CODE_MESSAGES1_MAX, since: now }
    }

    /// Takes one; false when the message is to be dropped unread.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        // req: HSK-160
        while self.left < CODE_MESSAGES1_MAX && now >= self.since.plus(MESSAGE1_EVERY) {
            self.left = self.left.saturating_add(1);
            self.since = self.since.plus(MESSAGE1_EVERY);
        }
        // A full budget earns nothing more.
        if self.left == CODE_MESSAGES1_MAX {
            self.since = now;
        }
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        true
    }
}
