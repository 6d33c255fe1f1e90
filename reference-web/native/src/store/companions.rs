//! The table of companions that are linked to the phone's account. It is a copy of the phone's list.

use handfast::codec::ids::CompanionId;
use handfast_messages::Item;
use rusqlite::params;

use super::{Change, Store, StoreError, from_sql, to_sql};

/// A linked companion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkedCompanion {
    /// The phone's serial number for the companion.
    pub serial: u64,
    /// The companion's id.
    pub companion: CompanionId,
    /// The companion's name.
    pub label: String,
    /// The time of linking, in milliseconds since 1970, for display only.
    pub linked_ms: u64,
    /// The time of the companion's last connection, in milliseconds since 1970; 0 if there was none.
    pub seen_ms: u64,
    /// The status of the companion's link, as a number (spec, messages).
    pub status: u8,
}

impl Store {
    /// Applies an item of the phone's list, a companion or a deletion marker, in the open transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub(super) fn put_companion(&mut self, item: &Item, rev: u64) -> Result<Change, StoreError> {
        match item {
            Item::Companion { companion, serial, label, linked, seen, status } => {
                // req: SYN-029
                let _ = self
                    .write()?
                    .prepare_cached(
                        "INSERT INTO companions(serial, companion, label, linked_ms, seen_ms, status, rev)
                         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
                         ON CONFLICT(serial) DO UPDATE SET
                            companion = excluded.companion, label = excluded.label, linked_ms = excluded.linked_ms,
                            seen_ms = excluded.seen_ms, status = excluded.status, rev = excluded.rev, stale = 0
                         WHERE excluded.rev >= companions.rev OR companions.stale = 1",
                    )?
                    .execute(params![
                        to_sql(*serial)?,
                        companion.as_bytes(),
                        label,
                        to_sql(*linked)?,
                        to_sql(*seen)?,
                        status.number(),
                        to_sql(rev)?
                    ])?;
            }
            Item::Deleted { chat: serial, .. } => {
                let _ =
                    self.write()?.execute("DELETE FROM companions WHERE serial = ?1", [to_sql(*serial)?])?;
            }
            _ => {}
        }
        Ok(Change::None)
    }

    /// Returns the linked companions in the order of linking.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn companions(&self) -> Result<Vec<LinkedCompanion>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT serial, companion, label, linked_ms, seen_ms, status FROM companions ORDER BY serial",
        )?;
        let rows = query.query_map([], |row| {
            let number = |index| row.get::<_, i64>(index).map(from_sql);
            Ok(LinkedCompanion {
                serial: number(0)?,
                companion: CompanionId::from_bytes(row.get(1)?),
                label: row.get(2)?,
                linked_ms: number(3)?,
                seen_ms: number(4)?,
                status: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
