//! An evil phone, for the simulator.

use bytes::BytesMut;
use handfast::codec::ids::CompanionId;

use super::App;

impl App {
    /// Sends a record of the caller's to a companion under the real keys. Returns whether a connection was live.
    pub fn inject(&mut self, companion: CompanionId, record: BytesMut) -> bool {
        let link = self.host.links_mut().find(|link| link.data.companion == companion);
        link.is_some_and(|link| link.endpoint.inject(record))
    }
}
