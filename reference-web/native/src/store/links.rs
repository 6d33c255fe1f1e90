//! The table of links, with what may be shown of them. The keys of a link are in the rows of the handfast
//! crates.

use handfast::codec::ids::{CompanionId, MailboxId, SigningPublic};
use handfast::handshake::link::Terms;
use rusqlite::params;

use super::{Store, StoreError, from_sql, to_sql};

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkRowState {
    /// The phone has not confirmed the link.
    Pending,
    /// The link is in use.
    Active,
    /// The phone has noticed two devices with the link's keys.
    Diverged,
    /// The phone suspended the link.
    Suspended,
}

impl LinkRowState {
    /// Returns the name that the state has in the table and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Diverged => "diverged",
            Self::Suspended => "suspended",
        }
    }

    fn parse(word: &str) -> Result<Self, StoreError> {
        Ok(match word {
            "pending" => Self::Pending,
            "active" => Self::Active,
            "diverged" => Self::Diverged,
            "suspended" => Self::Suspended,
            _ => return Err(StoreError::Damaged("link state")),
        })
    }
}

/// A link without its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkRow {
    /// The id of the link's mailbox.
    pub link: MailboxId,
    /// The account's public key.
    pub account: SigningPublic,
    /// The account's name.
    pub account_name: String,
    /// This companion's id.
    pub companion: CompanionId,
    /// The relay's name.
    pub relay: String,
    /// The name under which the phone lists this companion.
    pub label: String,
    /// The rights that the phone's user granted this companion, as bits.
    pub grants: u64,
    /// The time of linking, in milliseconds since 1970.
    pub created_ms: u64,
    /// The link's state.
    pub state: LinkRowState,
}

impl Store {
    /// Returns this companion's newest link, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the read fails, or the row is damaged.
    pub fn link(&self) -> Result<Option<LinkRow>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT link, account, account_name, companion, relay, label, grants, created_ms, state
             FROM links ORDER BY created_ms DESC, rowid DESC LIMIT 1",
        )?;
        let mut rows = query.query([])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(LinkRow {
            link: MailboxId::from_bytes(row.get(0)?),
            account: SigningPublic::from_bytes(row.get(1)?),
            account_name: row.get(2)?,
            companion: CompanionId::from_bytes(row.get(3)?),
            relay: row.get(4)?,
            label: row.get(5)?,
            grants: from_sql(row.get(6)?),
            created_ms: from_sql(row.get(7)?),
            state: LinkRowState::parse(&row.get::<_, String>(8)?)?,
        }))
    }

    /// Stores a new link as pending, in the open transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn put_link(&mut self, terms: &Terms) -> Result<(), StoreError> {
        let (grants, created) = (to_sql(terms.grants)?, to_sql(self.wall_ms())?);
        let _ = self.write()?.prepare_cached("INSERT OR REPLACE INTO links(link, account, account_name, companion, relay, label, grants, created_ms, state)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending')")?.execute(
            params![
                terms.mailbox.as_bytes(),
                terms.account.as_bytes(),
                terms.account_name,
                terms.companion.as_bytes(),
                terms.relay.as_str(),
                terms.label,
                grants,
                created,
            ],
        )?;
        Ok(())
    }

    /// Sets the state of a link in the open transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn set_link_state(&mut self, link: MailboxId, state: LinkRowState) -> Result<(), StoreError> {
        let _ = self
            .write()?
            .prepare_cached("UPDATE links SET state = ?2 WHERE link = ?1")?
            .execute(params![link.as_bytes(), state.as_str()])?;
        Ok(())
    }

    /// Deletes a link's row and keys in the open transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn forget_link(&mut self, link: MailboxId) -> Result<(), StoreError> {
        let _ = self.write()?.execute("DELETE FROM links WHERE link = ?1", [link.as_bytes()])?;
        Ok(self.conn.forget_link(link)?)
    }

    /// Deletes every link except this one, and everything that came over any link, in the open transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the write fails.
    pub fn forget_links_but(&mut self, link: MailboxId) -> Result<(), StoreError> {
        self.wipe_mirror()?;
        let conn = self.write()?;
        let _ = conn.execute("DELETE FROM links WHERE link <> ?1", [link.as_bytes()])?;
        let _ = conn.execute("DELETE FROM handfast WHERE link <> ?1", [link.as_bytes()])?;
        Ok(())
    }
}
