//! Copying complete content to the user's paths, and the end of each get.

use handfast::ErrorCode;
use handfast::codec::ids::ContentId;
use handfast::media::list_len;

use super::super::{App, AppEvent};
use crate::store::{Direction, StoreError, Transfer, TransferState};

impl App {
    /// Asks the driver to copy complete content to the user's paths.
    pub(in crate::app) fn start_exports(&mut self) -> Result<(), StoreError> {
        if self.host.backoff().is_on() {
            return Ok(());
        }
        for (content, out) in self.store.exports_due()? {
            if self.exporting.insert((content, out.clone())) {
                self.event(AppEvent::Export { content, out });
            }
        }
        Ok(())
    }

    /// Handles the result of a copy that [`AppEvent::Export`] requested: the copy's size in bytes, or the
    /// reason why it failed. The get is then over.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn exported(
        &mut self,
        content: ContentId,
        out: &str,
        made: Result<u64, String>,
    ) -> Result<(), StoreError> {
        let _ = self.exporting.remove(&(content, out.to_owned()));
        if self.host.backoff().is_on() {
            // The wish to copy is still stored, so the copy is made again after the pause.
            return Ok(());
        }
        let dropped = self.store.drop_export(content, out);
        if self.whole(dropped)? {
            let size = made.as_ref().ok().copied().or_else(|| self.store.media().len_of(content));
            self.event(AppEvent::Transfer {
                direction: Direction::Get,
                content,
                offset: size.unwrap_or(0),
                size,
                done: made.is_ok(),
                error: made.is_err().then_some(ErrorCode::IO),
                out: Some(out.to_owned()),
                reason: made.err(),
            });
        }
        Ok(())
    }
}

/// Returns the number of content bytes, without the chunk list, that are durable at the receiver.
pub(super) fn content_offset(row: &Transfer) -> u64 {
    match row.size {
        Some(size) if row.state == TransferState::Done => size,
        Some(size) => row.base.saturating_add(row.offset.saturating_sub(list_len(size))).min(size),
        None => row.base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(base: u64, offset: u64, size: Option<u64>, state: TransferState) -> Transfer {
        let dir = tempfile::tempdir().expect("a directory");
        let mut store = crate::store::Store::open(dir.path()).expect("a store");
        let id = store.put_download(ContentId::from_bytes([1; 32])).expect("put");
        let mut row =
            store.transfers_open().expect("read").into_iter().find(|row| row.id == id).expect("there");
        (row.base, row.offset, row.size, row.state) = (base, offset, size, state);
        row
    }

    #[test]
    fn the_offset_counts_bytes_of_the_content_alone() {
        use TransferState::{Done, Open, Queued};
        let list = list_len(5);
        for (base, offset, size, state, expected) in [
            (0, 0, None, Queued, 0),
            (0, 1_000, None, Open, 0),
            (0, list, Some(5), Open, 0),
            (0, list + 3, Some(5), Open, 3),
            (0, list + 5, Some(5), Done, 5),
            (0, 45, Some(5), Done, 5),
            (65_536, 0, Some(200_000), Queued, 65_536),
            (65_536, list_len(200_000) + 10, Some(200_000), Open, 65_546),
            (0, u64::MAX, Some(629_145_600), Open, 629_145_600),
        ] {
            assert_eq!(content_offset(&row(base, offset, size, state)), expected, "{base} {offset} {size:?}");
        }
    }
}
