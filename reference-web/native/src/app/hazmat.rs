//! An evil companion, for the simulator.

use bytes::BytesMut;

use super::App;

impl App {
    /// Sends a record of the caller's under the real keys. Returns whether a connection was live.
    pub fn inject(&mut self, record: BytesMut) -> bool {
        self.link_mut().is_some_and(|link| link.endpoint.inject(record))
    }
}
