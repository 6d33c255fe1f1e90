//! The companions that were linked.

use handfast::DeviceRole;
use handfast::codec::frame;
use handfast::codec::ids::{CompanionId, MailboxId};
use handfast::session::pairing::{KeysInUse, peer_keys};
use handfast_messages::{CompanionState, Item};
use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError, sql, unsql};

/// Where a companion stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompanionStatus {
    /// Approved here, and not yet accepted there.
    Offered,
    /// Linked.
    Active,
    /// Two holders of the link were seen.
    Suspended,
    /// Revoked.
    Revoked,
    /// Its link stayed behind when this phone was restored from a backup: it has to be linked anew.
    Lost,
    /// Approved here, and never accepted: only the marker of its row is left.
    Forgotten,
}

impl CompanionStatus {
    /// The word in the database and for users.
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

    /// Where it stands in the list of companions; none: it is not in it.
    const fn listed(self) -> Option<CompanionState> {
        match self {
            Self::Offered => Some(CompanionState::Pending),
            Self::Active => Some(CompanionState::Active),
            Self::Suspended => Some(CompanionState::Suspended),
            Self::Revoked | Self::Lost | Self::Forgotten => None,
        }
    }
}

/// A companion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "each field has to be thought of")]
pub struct Companion {
    /// Its id.
    pub companion: CompanionId,
    /// Its link.
    pub link: MailboxId,
    /// Its serial number at this phone.
    pub serial: u64,
    /// What it calls itself.
    pub label: String,
    /// The origin that its page claims.
    pub origin: String,
    /// The relay of the link.
    pub relay: String,
    /// What it may do, as bits.
    pub grants: u64,
    /// When it was linked, in milliseconds since 1970.
    pub linked_ms: u64,
    /// When it was last connected, in milliseconds since 1970; 0: never.
    pub seen_ms: u64,
    /// Where it stands.
    pub status: CompanionStatus,
}

impl Companion {
    /// The item that companions get; a marker when it is not linked any more.
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

/// A row of [`COLUMNS`] and the revision, as a row of the list of companions.
pub(super) fn read_row(row: &Row<'_>) -> rusqlite::Result<frame::Row> {
    Ok(read(row)?.row(unsql(row.get(10)?)))
}

/// Of [`CompanionStatus`], those that the list of companions holds.
pub(super) const LISTED: &str = "status IN ('offered', 'active', 'suspended')";
pub(super) const COLUMNS: &str =
    "companion, link, serial, label, origin, relay, grants, linked_ms, seen_ms, status";

impl Store {
    /// Stores a companion, in place of what was there of the same id.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
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

    /// Changes where the companion of a link stands.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
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

    /// Notes that the companion of a link was connected.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn set_companion_seen(&mut self, link: MailboxId, seen_ms: u64) -> Result<(), StoreError> {
        self.begin()?;
        let rev = self.next_rev();
        let _ = self
            .conn
            .prepare_cached("UPDATE companions SET seen_ms = ?2, rev = ?3 WHERE link = ?1 AND seen_ms < ?2")?
            .execute(params![link.as_bytes(), sql(seen_ms), sql(rev)])?;
        Ok(())
    }

    /// Forgets the companion of a link that never became active, and the library's rows of this link; the companion's
    /// marker stays for a while.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
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

    /// All companions, in the order in which they were linked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn companions(&self) -> Result<Vec<Companion>, StoreError> {
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM companions WHERE status <> 'forgotten' ORDER BY serial"
        ))?;
        let rows = query.query_map([], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The companion of a link.
    ///
    /// # Errors
    ///
    /// [`StoreError::Sqlite`].
    pub fn companion_of(&self, link: MailboxId) -> Result<Option<Companion>, StoreError> {
        let mut query = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM companions WHERE link = ?1 AND status <> 'forgotten'"
        ))?;
        Ok(query.query_row([link.as_bytes()], read).optional()?)
    }

    /// Keeps the companion's keys of a link, also when the link has ended: no other may bring them.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn note_keys(&mut self, link: MailboxId) -> Result<(), StoreError> {
        let pairs = self.pairs(link)?;
        // The commit may have deleted the link.
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

    /// The keys of all companions that there are and were.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn keys_in_use(&self) -> Result<KeysInUse, StoreError> {
        // req: CRT-003, CRT-013
        let mut query = self.conn.prepare_cached("SELECT key FROM used_keys")?;
        let used = query.query_map([], |row| row.get::<_, [u8; 32]>(0))?;
        let mut in_use = used.collect::<Result<KeysInUse, _>>()?;
        for link in self.links()? {
            // One that cannot be opened has no keys to compare with.
            let _ = in_use.add_link(DeviceRole::Phone, &self.pairs(link)?);
        }
        Ok(in_use)
    }
}
