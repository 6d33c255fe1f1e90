//! A phone that sends arbitrary records, for the simulator.

use bytes::BytesMut;
use handfast::codec::ids::CompanionId;

use super::App;

impl App {
    /// Sends a given record to a companion, encrypted under the real keys. Returns whether there was a live
    /// connection.
    pub fn inject(&mut self, companion: CompanionId, record: BytesMut) -> bool {
        let link = self.host.links_mut().find(|link| link.data.companion == companion);
        link.is_some_and(|link| link.endpoint.inject(record))
    }
}
