//! A store over a connection, a key and a clock of the caller's choice, for the simulator.

use std::path::Path;

use handfast::sqlite::{Database, DeviceKey};
use rusqlite::Connection;

use super::{Store, StoreError, schema};
use crate::media::MediaDir;

impl Store {
    /// Makes a store from a database of the caller. If that is empty, its tables are created. The content is
    /// in the directory `dir`.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn over(
        mut conn: Connection,
        key: DeviceKey,
        dir: &Path,
        wall_ms: fn() -> u64,
    ) -> Result<Self, StoreError> {
        let media = MediaDir::open(dir)?;
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            schema::create_tables(&mut conn)?;
        }
        Self::with(Database::new(conn, key, None), media, dir, wall_ms)
    }
}
