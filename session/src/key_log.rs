//! Lines of a key log, until the application takes them. Without the feature `key-log` there is nothing here.

#[cfg(feature = "key-log")]
use alloc::collections::VecDeque;
#[cfg(feature = "key-log")]
use alloc::string::String;

use handfast_handshake::record::{Opener, Sealer};
#[cfg(feature = "key-log")]
use zeroize::Zeroizing;

/// The lines of the connections of one machine.
#[derive(Default)]
pub(crate) struct KeyLog {
    #[cfg(feature = "key-log")]
    lines: VecDeque<Zeroizing<String>>,
}

impl KeyLog {
    /// Adds the lines of a connection, one for each direction.
    #[cfg(feature = "key-log")]
    pub(crate) fn note(&mut self, sealer: &Sealer, opener: &Opener) {
        self.lines.extend(sealer.key_log_line());
        self.lines.extend(opener.key_log_line());
    }

    /// Does nothing: there is no key log.
    #[cfg(not(feature = "key-log"))]
    #[expect(clippy::unused_self, reason = "callers need not know whether there is a key log")]
    pub(crate) const fn note(&mut self, _: &Sealer, _: &Opener) {}

    /// Removes the oldest line and returns it.
    #[cfg(feature = "key-log")]
    pub(crate) fn poll(&mut self) -> Option<Zeroizing<String>> {
        self.lines.pop_front()
    }
}
