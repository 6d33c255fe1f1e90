//! The codes that one page shows at a time.
//!
//! May touch: nothing outside memory.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

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
