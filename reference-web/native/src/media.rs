//! The companion's directory of content. Beside the content it has the chunk lists of unfinished transfers,
//! as files. The same content may be sent and fetched at the same time, so its two chunk lists have different
//! names.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use handfast::codec::ids::ContentId;
use handfast::codec::limits::MEDIA_CHUNK_LEN;
use handfast::media::ChunkList;
use handfast::sqlite::{SqliteError, file};
use handfast_programs::{Destination, ImportError, Imported, PartCheck, Progress, Staged, UserFileError};

/// The directory of content with its chunk lists.
#[derive(Clone, Debug)]
pub struct MediaDir(handfast_programs::MediaDir);

impl Deref for MediaDir {
    type Target = handfast_programs::MediaDir;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for MediaDir {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// The reason why content could not be copied out of the directory.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The destination cannot be written.
    #[error(transparent)]
    Destination(#[from] UserFileError),
    /// The content is not here, or cannot be read.
    #[error("the content cannot be read here ({0}); ask for it again")]
    Content(SqliteError),
}

/// The files that [`MediaDir::sweep`] must keep.
#[derive(Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "one field for each kind of file")]
pub struct Wanted {
    /// The complete content that a message or a transfer refers to.
    pub whole: BTreeSet<ContentId>,
    /// The content that is being sent. Its chunk lists are kept.
    pub sent: BTreeSet<ContentId>,
    /// The content that is being fetched. Its parts and chunk lists are kept.
    pub fetched: BTreeSet<ContentId>,
}

/// Returns the file name of the chunk list of content that is being fetched.
fn list(content: ContentId) -> String {
    format!("{content}.list")
}

/// Returns the file name of the chunk list of content that is being sent.
fn sent_list(content: ContentId) -> String {
    format!("{content}.sent")
}

impl MediaDir {
    /// Opens the directory of content in the data directory `data`, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// [`SqliteError::NotAFile`] or [`SqliteError::File`].
    pub fn open(data: &Path) -> Result<Self, SqliteError> {
        handfast_programs::MediaDir::open(data).map(Self)
    }

    /// Opens the file of partly fetched content for appending. The file is truncated to the `len` bytes that
    /// are durable.
    ///
    /// # Errors
    ///
    /// [`SqliteError::File`], also when the file is shorter than `len`.
    pub fn open_part(&self, content: ContentId, len: u64) -> Result<File, SqliteError> {
        self.resume_part(None, content, len)
    }

    /// Opens the chunk list of partly fetched content for appending. It is truncated like the file in
    /// [`MediaDir::open_part`].
    ///
    /// # Errors
    ///
    /// As [`MediaDir::open_part`].
    pub fn open_list(&self, content: ContentId, len: u64) -> Result<File, SqliteError> {
        self.open_cut(&list(content), len)
    }

    /// Returns the stored chunk list of content that is being fetched, if the list is complete and its hash
    /// is the content id.
    #[must_use]
    pub fn whole_list(&self, content: ContentId) -> Option<ChunkList> {
        let list = ChunkList::decode(&self.read_list(content, u64::MAX).ok()?).ok()?;
        (list.content_id() == content).then_some(list)
    }

    /// Returns a check of what was fetched of content before a stream ended early; `None` when that cannot be
    /// used. The check leaves out the last chunk: it is fetched again, so that every stream has an end.
    #[must_use]
    pub fn check_part(&self, content: ContentId) -> Option<PartCheck> {
        let list = self.whole_list(content)?;
        let part = self.read_part(None, content).ok()?;
        let end = list.size().saturating_sub(1);
        Some(PartCheck::new(part, list, end - end % MEDIA_CHUNK_LEN))
    }

    /// Reads the first `len` bytes of the chunk list of content that is being fetched.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file cannot be read.
    pub fn read_list(&self, content: ContentId, len: u64) -> Result<Vec<u8>, SqliteError> {
        read(&self.file(&list(content)), len)
    }

    /// Writes the chunk list of content that is to be sent.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file cannot be written.
    pub fn write_list(&self, content: ContentId, list: &ChunkList) -> Result<(), SqliteError> {
        let path = self.file(&sent_list(content));
        handfast_programs::write_file(&path, &list.encode()).map_err(|error| file::error(&path, &error))
    }

    /// Reads the chunk list of content that is to be sent, encoded.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file cannot be read.
    pub fn read_sent_list(&self, content: ContentId) -> Result<Vec<u8>, SqliteError> {
        read(&self.file(&sent_list(content)), u64::MAX)
    }

    /// Removes the chunk list of content that was sent.
    pub fn drop_sent_list(&self, content: ContentId) {
        // The file may not exist, so a failure does not matter.
        let _ = fs::remove_file(self.file(&sent_list(content)));
    }

    /// Renames fetched content to its final name once it is complete, verified and synced. Removes its chunk
    /// list.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the part cannot be renamed.
    pub fn finish(&self, content: ContentId) -> Result<(), SqliteError> {
        self.finish_part(None, content)?;
        // The file may not exist, so a failure does not matter.
        let _ = fs::remove_file(self.file(&list(content)));
        Ok(())
    }

    /// Removes partly fetched content and its chunk list.
    pub fn drop_part(&self, content: ContentId) {
        self.0.drop_part(None, content);
        // The file may not exist, so a failure does not matter.
        let _ = fs::remove_file(self.file(&list(content)));
    }

    /// Removes files that nothing refers to: interrupted imports, content that was copied in but not
    /// recorded, chunk lists of transfers that ended, and parts that are not fetched. Files whose names are
    /// of no such kind stay.
    ///
    /// # Errors
    ///
    /// [`SqliteError::File`] if a file cannot be removed.
    pub fn sweep(&self, wanted: &Wanted) -> Result<(), SqliteError> {
        let whole = wanted.whole.iter().map(ContentId::to_string);
        let sent = wanted.sent.iter().map(|content| sent_list(*content));
        let fetched = wanted
            .fetched
            .iter()
            .flat_map(|content| [handfast_programs::MediaDir::part_name(None, *content), list(*content)]);
        self.0.sweep(&whole.chain(sent).chain(fetched).collect())
    }

    /// Renames a staged copy of a file to its final name, and writes the content's chunk list.
    ///
    /// # Errors
    ///
    /// [`ImportError::Write`] if either fails.
    pub fn take_in(&self, staged: &Staged) -> Result<Imported, ImportError> {
        self.write_list(staged.list().content_id(), staged.list())?;
        Ok(self.0.take_in(staged)?)
    }

    /// Copies a file into the directory of content, in one call:
    /// [`MediaDir::stage`](handfast_programs::MediaDir::stage), then [`MediaDir::take_in`].
    ///
    /// # Errors
    ///
    /// [`ImportError`] if the file cannot be read or the copy cannot be written.
    pub fn import(&self, source: &Path) -> Result<Imported, ImportError> {
        self.take_in(&self.stage(source, &Progress::default())?)
    }

    /// Copies complete content to a path of the user's choice, and leaves no incomplete file there. Returns
    /// the content's length in bytes. The call may block for as long as the disk of that path does not
    /// answer.
    ///
    /// # Errors
    ///
    /// [`ExportError`] if the content cannot be read or the path cannot be written.
    pub fn export(&self, content: ContentId, out: &Path, progress: &Progress) -> Result<u64, ExportError> {
        let mut input = file::open(&self.path(content), false).map_err(ExportError::Content)?;
        let len = input.metadata().map_err(|error| ExportError::Content(file::error(out, &error)))?.len();
        Ok(Destination::look(out, Some(len))?.put(&mut input, progress)?)
    }
}

/// Reads the first `len` bytes of a file.
fn read(path: &Path, len: u64) -> Result<Vec<u8>, SqliteError> {
    let mut bytes = Vec::new();
    let input = file::open(path, false)?;
    let _ = input.take(len).read_to_end(&mut bytes).map_err(|error| file::error(path, &error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_programs::MEDIA_DIR;
    use std::io::Write as _;

    fn dir() -> (tempfile::TempDir, MediaDir) {
        let base = tempfile::tempdir().expect("a directory");
        let media = MediaDir::open(base.path()).expect("opened");
        (base, media)
    }

    #[test]
    fn a_file_is_copied_in_under_its_content_id_and_out_again() {
        let (base, media) = dir();
        let source = base.path().join("Photo.JPG");
        let mut bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_be_bytes()[3]).collect();
        bytes[..3].copy_from_slice(b"\xff\xd8\xff");
        fs::write(&source, &bytes).expect("written");
        let imported = media.import(&source).expect("imported");
        assert_eq!((imported.media_type, imported.name.as_str()), ("image/jpeg", "Photo.JPG"));
        assert!(media.has(imported.content));
        let list = media.read_sent_list(imported.content).expect("kept");
        assert_eq!(ChunkList::decode(&list).expect("a list"), imported.list);
        assert_eq!(media.import(&source).expect("again").content, imported.content);
        let out = base.path().join("out");
        assert_eq!(media.export(imported.content, &out, &Progress::default()), Ok(200_000));
        assert_eq!(fs::read(&out).expect("read"), bytes);
        let none = media.export(ContentId::from_bytes([0; 32]), &out, &Progress::default());
        assert!(matches!(none, Err(ExportError::Content(_))));
        let dir = media.export(imported.content, base.path(), &Progress::default());
        assert!(dir.is_err_and(|error| error.to_string().contains("is a directory")));
        let names: Vec<_> = fs::read_dir(base.path().join(MEDIA_DIR)).expect("listed").collect();
        assert_eq!(names.len(), 2, "the content and its list");
        media.wipe().expect("wiped");
        assert!(!media.has(imported.content));
    }

    #[test]
    fn the_sweep_removes_what_belongs_to_nothing_and_touches_no_other_file() {
        let (base, media) = dir();
        let dir = base.path().join(MEDIA_DIR);
        let id = |n| ContentId::from_bytes([n; 32]);
        let (kept, sent, fetched, orphan) = (id(1), id(2), id(3), id(4));
        for content in [kept, sent, fetched, orphan] {
            for kind in ["", ".sent", ".part", ".list", ".sent.0011223344556677.tmp"] {
                fs::write(dir.join(format!("{content}{kind}")), b"x").expect("written");
            }
        }
        // Two files of interrupted imports, and two that the sweep must not touch.
        for name in ["import-0011223344556677.tmp", "import-ff.tmp", "notes.txt", "import.md"] {
            fs::write(dir.join(name), b"x").expect("written");
        }
        let only = |content| BTreeSet::from([content]);
        let wanted = Wanted { whole: only(kept), sent: only(sent), fetched: only(fetched) };
        media.sweep(&wanted).expect("swept");
        let mut left: Vec<_> = fs::read_dir(&dir)
            .expect("listed")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        left.sort();
        let mut expected = vec![
            kept.to_string(),
            format!("{sent}.sent"),
            format!("{fetched}.part"),
            format!("{fetched}.list"),
            "notes.txt".to_owned(),
            "import.md".to_owned(),
        ];
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn parts_are_cut_to_what_is_durable_and_never_grown() {
        let (_base, media) = dir();
        let content = ContentId::from_bytes([7; 32]);
        let mut part = media.open_part(content, 0).expect("new");
        part.write_all(b"0123456789").expect("written");
        media.open_list(content, 0).expect("new").write_all(b"list").expect("written");
        assert!(media.open_part(content, 6).is_err(), "it is being written");
        assert_eq!(fs::read(media.file(&format!("{content}.part"))).expect("read"), b"0123456789");
        drop(part);
        let mut part = media.open_part(content, 6).expect("cut");
        part.write_all(b"x").expect("written");
        drop(part);
        assert!(media.open_part(content, 8).is_err(), "shorter than what is said to be durable");
        assert!(media.open_list(content, 4).is_ok() && media.open_list(content, 5).is_err());
        media.finish(content).expect("renamed");
        assert_eq!(fs::read(media.path(content)).expect("read"), b"012345x");
        assert!(!media.file(&format!("{content}.part")).is_file());
    }
}
