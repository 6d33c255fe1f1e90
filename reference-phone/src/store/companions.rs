//! The companions of this phone.

use handfast::DeviceRole;
use handfast::codec::frame;
use handfast::codec::ids::{CompanionId, MailboxId};
use handfast::session::pairing::{KeysInUse, peer_keys};
use handfast_messages::{CompanionState, Item};
use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError, sql, unsql};

/// The status of a companion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompanionStatus {
    /// The user has approved the companion, and the companion has not accepted yet.
    Offered,
    /// The companion is linked.
    Active,
    /// The companion's link is suspended, because two devices have its keys.
    Suspended,
    /// The user has revoked the companion's link.
    Revoked,
    /// This phone was restored from a backup, which contains no links, so the companion must be linked again.
    Lost,
    /// The companion never accepted the link; only the deletion marker of its row is left.
    Forgotten,
}

impl CompanionStatus {
    /// Returns the status as a word, for the database and for users.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Lost => "lost",
            Self::Forgotten => "forgotten",
        }
    }

    fn from_str(word: &str) -> Option<Self> {
        [Self::Offered, Self::Active, Self::Suspended, Self::Revoked, Self::Lost, Self::Forgotten]
            .into_iter()
            .find(|s| s.as_str() == word)
    }

    /// Returns the state that the companion has in the collection of companions; `None` if that collection
    /// does not contain it.
    const fn listed(self) -> Option<CompanionState> {
        match self {
            Self::Offered => Some(CompanionState::Pending),
            Self::Active => Some(CompanionState::Active),
            Self::Suspended => Some(CompanionState::Suspended),
            Self::Revoked | Self::Lost | Self::Forgotten => None,
        }
    }
}

/// A companion, linked now or before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "each field has to be thought of")]
pub struct Companion {
    /// The companion's id.
    pub companion: CompanionId,
    /// The mailbox id of the companion's link.
    pub link: MailboxId,
    /// The companion's serial number on this phone.
    pub serial: u64,
    /// The label that the companion claims.
    pub label: String,
    /// The origin that the companion's page claims.
    pub origin: String,
    /// The name of the relay.
    pub relay: String,
    /// The rights granted to the companion, as a bit set.
    pub grants: u64,
    /// The time at which the companion was linked, in milliseconds since 1970.
    pub linked_ms: u64,
    /// The time at which the companion was last connected, in milliseconds since 1970; 0 if never.
    pub seen_ms: u64,
    /// The state of the companion's link.
    pub status: CompanionStatus,
}

impl Companion {
    /// Returns the companion in the form in which companions get it: as an item, or as a deletion marker if
    /// it is not linked any more.
    #[must_use]
    pub fn item(&self) -> Item {
        match self.status.listed() {
            None => Item::Deleted { chat: self.serial, message: None },
            Some(status) => Item::Companion {
                companion: self.companion,
                serial: self.serial,
                label: self.label.clone(),
                linked: self.linked_ms,
                seen: self.seen_ms,
                status,
            },
        }
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Companion> {
    let status: String = row.get(9)?;
    Ok(Companion {
        companion: CompanionId::from_bytes(row.get(0)?),
        link: MailboxId::from_bytes(row.get(1)?),
        serial: unsql(row.get(2)?),
        label: row.get(3)?,
        origin: row.get(4)?,
        relay: row.get(5)?,
        grants: unsql(row.get(6)?),
        linked_ms: unsql(row.get(7)?),
        seen_ms: unsql(row.get(8)?),
        status: CompanionStatus::from_str(&status).unwrap_or(CompanionStatus::Suspended),
    })
}

/// Reads a row with [`COLUMNS`] and the revision as a row of the collection of companions.
pub(super) fn read_row(row: &Row<'_>) -> rusqlite::Result<frame::Row> {
    Ok(read(row)?.row(unsql(row.get(10)?)))
}

/// The SQL condition for companions that belong to the collection of companions.
pub(super) const LISTED: &str = "status IN ('offered', 'active', 'suspended')";
pub(super) const COLUMNS: &str =
    "companion, link, serial, label, origin, relay, grants, linked_ms, seen_ms, status";

impl Store {
    /// Stores a companion, in place of one with the same id.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn put_companion(&mut self, companion: &Companion) -> Result<(), StoreError> {
        self.begin()?;
        let rev = self.next_rev();
        let _ = self.conn.execute(
            &format!(
                "INSERT OR REPLACE INTO companions({COLUMNS}, rev)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
            ),
            params![
                companion.companion.as_bytes(),
                companion.link.as_bytes(),
                sql(companion.serial),
                companion.label,
                companion.origin,
                companion.relay,
                sql(companion.grants),
                sql(companion.linked_ms),
                sql(companion.seen_ms),
                companion.status.as_str(),
                sql(rev),
            ],
        )?;
        Ok(())
    }

    /// Changes the status of a link's companion.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn set_companion_status(
        &mut self,
        link: MailboxId,
        status: CompanionStatus,
    ) -> Result<(), StoreError> {
        self.begin()?;
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached("UPDATE companions SET status = ?2, rev = ?3 WHERE link = ?1")?
            .execute(params![link.as_bytes(), status.as_str(), sql(rev)])?;
        Ok(())
    }

    /// Records when the companion of a link was last connected.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn set_companion_seen(&mut self, link: MailboxId, seen_ms: u64) -> Result<(), StoreError> {
        self.begin()?;
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached("UPDATE companions SET seen_ms = ?2, rev = ?3 WHERE link = ?1 AND seen_ms < ?2")?
            .execute(params![link.as_bytes(), sql(seen_ms), sql(rev)])?;
        Ok(())
    }

    /// Forgets the companion of a link that never became active, and deletes the rows that the handfast
    /// crates keep for the link. A deletion marker of the companion stays for a while.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the write fails.
    pub fn forget_companion(&mut self, link: MailboxId) -> Result<(), StoreError> {
        self.forget_link(link)?;
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached(
                "UPDATE companions SET status = 'forgotten', label = '', origin = '', rev = ?2 WHERE link = ?1",
            )?
            .execute(params![link.as_bytes(), sql(rev)])?;
        Ok(())
    }

    /// Returns all companions in the order in which they were linked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn companions(&self) -> Result<Vec<Companion>, StoreError> {
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM companions WHERE status <> 'forgotten' ORDER BY serial"
        ))?;
        let rows = query.query_map([], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the companion of a link.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`] if the read fails.
    pub fn companion_of(&self, link: MailboxId) -> Result<Option<Companion>, StoreError> {
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM companions WHERE link = ?1 AND status <> 'forgotten'"
        ))?;
        Ok(query.query_row([link.as_bytes()], read).optional()?)
    }

    /// Records for good the keys that the companion of a link uses, because no later link may use them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read or write fails.
    pub fn note_keys(&mut self, link: MailboxId) -> Result<(), StoreError> {
        let pairs = self.conn.link_rows(link)?;
        // A commit in this transaction may have deleted the link's rows, so there are no keys to record.
        let Ok(keys) = peer_keys(DeviceRole::Phone, &pairs) else { return Ok(()) };
        self.begin()?;
        for key in keys {
            let _ = self
                .conn
                .prepare_cached("INSERT OR IGNORE INTO used_keys(key) VALUES(?1)")?
                .execute([key])?;
        }
        Ok(())
    }

    /// Returns the keys of all present and former companions.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails.
    pub fn keys_in_use(&self) -> Result<KeysInUse, StoreError> {
        // req: CRT-003, CRT-013
        let mut query = self.conn.prepare_cached("SELECT key FROM used_keys")?;
        let used = query.query_map([], |row| row.get::<_, [u8; 32]>(0))?;
        let mut in_use = used.collect::<Result<KeysInUse, _>>()?;
        for link in self.conn.links()? {
            // A link that cannot be decoded has no keys that could be compared.
            let _ = in_use.add_link(DeviceRole::Phone, &self.conn.link_rows(link)?);
        }
        Ok(in_use)
    }
}
