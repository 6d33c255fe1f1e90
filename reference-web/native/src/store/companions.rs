//! The mirror of the list of companions that are linked to the phone's account.

use handfast::codec::ids::CompanionId;
use handfast_messages::Item;
use rusqlite::params;

use super::{Change, Store, StoreError, from_sql, to_sql};

/// A linked companion, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkedCompanion {
    /// Its number at the phone.
    pub serial: u64,
    /// The companion.
    pub companion: CompanionId,
    /// What it calls itself.
    pub label: String,
    /// When it was linked, in milliseconds since 1970: a label.
    pub linked_ms: u64,
    /// When it was connected last, in milliseconds since 1970; 0: never.
    pub seen_ms: u64,
    /// Where it stands: the number of spec, messages.
    pub status: u8,
}

impl Store {
    /// Takes an item of the list of companions, a companion or a marker, in the open transaction.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// The linked companions, in the order in which they were linked.
    ///
    /// # Errors
    /// [`StoreError`].
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
