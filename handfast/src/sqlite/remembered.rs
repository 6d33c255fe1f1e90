//! What a query returned, for as long as nothing was written since.

use std::cell::Cell;

use super::Database;

/// The last answer to one query. It spares a query that is asked in each round, and that rarely has another answer.
#[derive(Debug)]
pub struct Remembered<T: Copy>(Cell<Option<(u64, T)>>);

impl<T: Copy> Default for Remembered<T> {
    fn default() -> Self {
        Self(Cell::new(None))
    }
}

impl<T: Copy> Remembered<T> {
    /// Returns what `read` returned, unless rows of the database have changed since: then `read` is called again.
    ///
    /// # Errors
    ///
    /// That of `read`.
    pub fn get<E>(&self, db: &Database, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let writes = db.writes();
        if let Some((_, value)) = self.0.get().filter(|(at, _)| *at == writes) {
            return Ok(value);
        }
        let value = read()?;
        self.0.set(Some((writes, value)));
        Ok(value)
    }
}
