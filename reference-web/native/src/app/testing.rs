//! A companion that sends arbitrary records, for the simulator.

use bytes::BytesMut;

use super::App;

impl App {
    /// Sends a given record to the phone, encrypted under the real keys. Returns whether there was a live
    /// connection.
    pub fn inject(&mut self, record: BytesMut) -> bool {
        self.link_mut().is_some_and(|link| link.endpoint.inject(record))
    }
}
