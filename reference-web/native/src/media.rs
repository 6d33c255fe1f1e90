//! Content of the companion: the directory of content, and the chunk lists of what is under way, in files beside it. The
//! same content may be sent and fetched at the same time.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::ops::Deref;
use std::path::Path;

use handfast::codec::ids::ContentId;
use handfast::codec::limits::MEDIA_CHUNK_LEN;
use handfast::media::ChunkList;
use handfast::sqlite::{SqliteError, file};
use handfast_programs::{Destination, ImportError, Imported, PartCheck, Progress, Staged, UserFileError};

/// The directory of content, with its chunk lists.
#[derive(Clone, Debug)]
pub struct MediaDir(handfast_programs::MediaDir);

impl Deref for MediaDir {
    type Target = handfast_programs::MediaDir;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Content could not be copied to where the user wants it.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It cannot be written there.
    #[error(transparent)]
    Destination(#[from] UserFileError),
    /// It is not here any more.
    #[error("the content cannot be read here ({0}); ask for it again")]
    Content(SqliteError),
}

/// Which files of the directory belong to something: see [`MediaDir::sweep`].
#[derive(Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "one field for each kind of file")]
pub struct Wanted {
    /// Whole content that a message or a transfer has.
    pub whole: BTreeSet<ContentId>,
    /// Content that is being sent.
    pub sent: BTreeSet<ContentId>,
    /// Content that is being fetched.
    pub fetched: BTreeSet<ContentId>,
}

/// The name of the list of content under way.
fn list(content: ContentId) -> String {
    format!("{content}.list")
}

/// The name of the list of content that is sent.
fn sent_list(content: ContentId) -> String {
    format!("{content}.sent")
}

impl MediaDir {
    /// Opens the directory of content, and creates it if it is not there.
    ///
    /// # Errors
    /// [`SqliteError::NotAFile`], [`SqliteError::File`].
    pub fn open(data: &Path) -> Result<Self, SqliteError> {
        handfast_programs::MediaDir::open(data).map(Self)
    }

    /// Opens content under way, cut to what is durable, to be written behind that.
    ///
    /// # Errors
    /// [`SqliteError`], also when the file is shorter than what is said to be durable.
    pub fn open_part(&self, content: ContentId, len: u64) -> Result<File, SqliteError> {
        self.resume_part(None, content, len)
    }

    /// Opens the list of content under way, as [`MediaDir::open_part`] its content.
    ///
    /// # Errors
    /// As [`MediaDir::open_part`].
    pub fn open_list(&self, content: ContentId, len: u64) -> Result<File, SqliteError> {
        self.open_cut(&list(content), len)
    }

    /// The list of content under way, if it is whole and that of the content.
    #[must_use]
    pub fn whole_list(&self, content: ContentId) -> Option<ChunkList> {
        let list = ChunkList::decode(&self.read_list(content, u64::MAX).ok()?).ok()?;
        (list.content_id() == content).then_some(list)
    }

    /// A check of what is here of content whose stream ended before its time; `None` when nothing of it is of use.
    /// The last chunk is left out: it comes again, so that each stream has an end.
    #[must_use]
    pub fn check_part(&self, content: ContentId) -> Option<PartCheck> {
        let list = self.whole_list(content)?;
        let part = self.read_part(None, content).ok()?;
        let end = list.size().saturating_sub(1);
        Some(PartCheck::new(part, list, end - end % MEDIA_CHUNK_LEN))
    }

    /// The first `len` bytes of the list of content under way.
    ///
    /// # Errors
    /// [`SqliteError`].
    pub fn read_list(&self, content: ContentId, len: u64) -> Result<Vec<u8>, SqliteError> {
        read(&self.file(&list(content)), len)
    }

    /// Keeps the list of content that is to be sent.
    ///
    /// # Errors
    /// [`SqliteError`].
    pub fn write_list(&self, content: ContentId, list: &ChunkList) -> Result<(), SqliteError> {
        let path = self.file(&sent_list(content));
        handfast_programs::write_file(&path, &list.encode()).map_err(|error| file::error(&path, &error))
    }

    /// The list of content that is to be sent.
    ///
    /// # Errors
    /// [`SqliteError`].
    pub fn read_sent_list(&self, content: ContentId) -> Result<Vec<u8>, SqliteError> {
        read(&self.file(&sent_list(content)), u64::MAX)
    }

    /// Forgets the list of content that was sent.
    pub fn drop_sent_list(&self, content: ContentId) {
        // It may be gone already.
        let _ = fs::remove_file(self.file(&sent_list(content)));
    }

    /// Gives content that is whole, checked and synced its name.
    ///
    /// # Errors
    /// [`SqliteError`].
    pub fn finish(&self, content: ContentId) -> Result<(), SqliteError> {
        self.finish_part(None, content)?;
        // It may be gone already.
        let _ = fs::remove_file(self.file(&list(content)));
        Ok(())
    }

    /// Forgets what is under way of some content.
    pub fn drop_part(&self, content: ContentId) {
        self.0.drop_part(None, content);
        // It may be gone already.
        let _ = fs::remove_file(self.file(&list(content)));
    }

    /// Removes what belongs to nothing: cut imports, content that was copied in and never noted, lists of content that is
    /// not sent any more, parts of content that nobody fetches. Other files are left alone.
    ///
    /// # Errors
    /// [`SqliteError::File`].
    pub fn sweep(&self, wanted: &Wanted) -> Result<(), SqliteError> {
        let whole = wanted.whole.iter().map(ContentId::to_string);
        let sent = wanted.sent.iter().map(|content| sent_list(*content));
        let fetched = wanted
            .fetched
            .iter()
            .flat_map(|content| [handfast_programs::MediaDir::part_name(None, *content), list(*content)]);
        self.0.sweep(&whole.chain(sent).chain(fetched).collect())
    }

    /// Renames a copy to its final name, and keeps its list.
    ///
    /// # Errors
    /// [`ImportError::Write`].
    pub fn take_in(&self, staged: &Staged) -> Result<Imported, ImportError> {
        self.write_list(staged.list().content_id(), staged.list())?;
        Ok(self.0.take_in(staged)?)
    }

    /// Copies a file in at once.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn import(&self, source: &Path) -> Result<Imported, ImportError> {
        self.take_in(&self.stage(source, &Progress::default())?)
    }

    /// Copies whole content to a path of the user's choice, whole or not at all. Returns its length. It may hang, too.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn export(&self, content: ContentId, out: &Path, progress: &Progress) -> Result<u64, ExportError> {
        let mut input = file::open(&self.path(content), false).map_err(ExportError::Content)?;
        let len = input.metadata().map_err(|error| ExportError::Content(file::error(out, &error)))?.len();
        Ok(Destination::look(out, Some(len))?.put(&mut input, progress)?)
    }
}

/// The first `len` bytes of a file.
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
        // What a killed import leaves, and what is not ours.
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
