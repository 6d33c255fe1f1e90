//! The versions of an application's tables, and the steps from one to the next.

use rusqlite::Connection;

use super::{SqliteError, begin};

/// The migration of the tables from one version to the next.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the two ways to change tables")]
pub enum Migration {
    /// Statements of SQL.
    Batch(&'static str),
    /// A function, for rows whose new values SQL cannot compute.
    Rows(fn(&Connection) -> Result<(), SqliteError>),
}

impl Migration {
    /// Executes the migration in the open transaction.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if a read or write fails.
    pub fn take(self, conn: &Connection) -> Result<(), SqliteError> {
        match self {
            Self::Batch(sql) => Ok(conn.execute_batch(sql)?),
            Self::Rows(take) => take(conn),
        }
    }
}

/// What [`migrate`] found in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a program must say something different for each")]
pub enum Tables {
    /// The tables are of the program's version now.
    Current,
    /// The tables were written by a newer program, whose version this is, and are left as they are.
    Newer(i64),
    /// There are no tables of this program.
    Foreign,
}

/// Returns the migrations that tables of this version have behind them, and those that they still need.
/// Returns `None` for a version that no program of this kind has written.
#[must_use]
pub fn split_steps(steps: &[Migration], version: i64) -> Option<(&[Migration], &[Migration])> {
    steps.split_at_checked(usize::try_from(version).ok()?.checked_sub(1)?)
}

/// Migrates the tables to the program's `version`. The version of the tables is stored in the database as
/// `user_version`; the first of the `steps` leads from version 1 to version 2.
///
/// # Errors
///
/// [`SqliteError`] if a read or write fails; the tables are as they were then.
pub fn migrate(conn: &mut Connection, version: i64, steps: &[Migration]) -> Result<Tables, SqliteError> {
    let stored: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if stored == version {
        return Ok(Tables::Current);
    }
    if stored > version {
        return Ok(Tables::Newer(stored));
    }
    let Some((_, missing)) = split_steps(steps, stored) else { return Ok(Tables::Foreign) };
    let txn = begin(conn)?;
    for step in missing {
        step.take(&txn)?;
    }
    txn.pragma_update(None, "user_version", version)?;
    txn.commit()?;
    Ok(Tables::Current)
}
