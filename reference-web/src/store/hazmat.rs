//! A store over a connection that the caller opened, with a key and a clock that the caller chose: for the simulator.

use std::path::Path;

use handfast::sqlite::DeviceKey;
use rusqlite::Connection;

use super::{Store, StoreError};
use crate::media::MediaDir;

impl Store {
    /// Takes over a database, empty or not; content lies in `dir`.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn over(
        conn: Connection,
        key: DeviceKey,
        dir: &Path,
        wall_ms: fn() -> u64,
    ) -> Result<Self, StoreError> {
        let media = MediaDir::open(dir)?;
        Self::with(conn, key, media, dir, wall_ms)
    }

    /// The connection, to be looked through.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.conn
    }
}
