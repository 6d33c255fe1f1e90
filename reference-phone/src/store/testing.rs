//! Stores over a connection and with keys that the caller provides, for the simulator.

use handfast::sqlite::{Database, DeviceKey};
use rusqlite::Connection;

use super::{Account, Counters, Store, StoreError, schema};

impl Store {
    /// Opens a store over a database that has an account.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn over(conn: Connection, key: DeviceKey) -> Result<(Self, Account), StoreError> {
        Self::take_over(Database::new(conn, key, None))
    }

    /// Creates this account in an empty database.
    ///
    /// # Errors
    ///
    /// As [`Store::open_or_create`].
    pub fn create_over(
        conn: Connection,
        key: DeviceKey,
        account: &Account,
        fill: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let counters = Counters { rev: 0, next_message: 1, next_serial: 1 };
        let mut store = Self::new(Database::new(conn, key, None), counters);
        schema::create_account(&mut store, account, fill)?;
        Ok(store)
    }
}
