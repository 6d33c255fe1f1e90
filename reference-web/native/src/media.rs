//! Content on disk: `DIR/media/<content id>`, and what of it is under way in `.part` and `.list` files beside it.
//!
//! Names come from content ids alone, never from the phone or the user.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use handfast::codec::ids::ContentId;
use handfast::codec::limits::{MEDIA_CHUNK_LEN, MEDIA_LEN_MAX, MEDIA_NAME_LEN_MAX};
use handfast::session::media::{ChunkList, ContentHasher};
use handfast::sqlite::{SqliteError, file};
use handfast_programs::{Destination, PartCheck, Progress, UserFile, UserFileError, media_type};

/// The directory of content in the data directory.
pub const MEDIA_DIR: &str = "media";
/// How much of content says its type.
const MEDIA_HEAD_LEN: usize = 16;

/// The directory of content.
#[derive(Clone, Debug)]
pub struct MediaDir(PathBuf);

/// A file of this machine that was copied into the directory of content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Its size and chunk hashes.
    pub list: ChunkList,
    /// Its content id.
    pub content: ContentId,
    /// Its media type, from its first bytes.
    pub media_type: &'static str,
    /// Its name, cut to what a descriptor takes.
    pub name: String,
}

/// A file could not be copied into the directory of content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It cannot be read, or is no file.
    #[error(transparent)]
    Source(#[from] UserFileError),
    /// The copy cannot be written.
    #[error("cannot keep a copy in the data directory ({0}); is the disk full?")]
    Write(SqliteError),
}

impl From<SqliteError> for ImportError {
    fn from(error: SqliteError) -> Self {
        Self::Write(error)
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

/// A copy of a file of the user, in the directory of content and without its name yet. It goes away with this value.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    list: ChunkList,
    media_type: &'static str,
    name: String,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // It has its name, or it is not wanted any more; what cannot be removed now is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
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

impl MediaDir {
    /// Opens the directory of content, and creates it if it is not there (mode 0700).
    ///
    /// # Errors
    /// [`SqliteError::NotAFile`], [`SqliteError::File`].
    pub fn open(data: &Path) -> Result<Self, SqliteError> {
        let dir = data.join(MEDIA_DIR);
        file::require_dir(&dir)?;
        Ok(Self(dir))
    }

    /// Where whole content lies.
    #[must_use]
    pub fn path(&self, content: ContentId) -> PathBuf {
        self.0.join(content.to_string())
    }

    fn part(&self, content: ContentId) -> PathBuf {
        self.0.join(format!("{content}.part"))
    }

    fn list(&self, content: ContentId) -> PathBuf {
        self.0.join(format!("{content}.list"))
    }

    /// The list of content that is sent: the same content may be fetched at the same time.
    fn sent_list(&self, content: ContentId) -> PathBuf {
        self.0.join(format!("{content}.sent"))
    }

    /// Whether whole content is here.
    #[must_use]
    pub fn has(&self, content: ContentId) -> bool {
        self.path(content).is_file()
    }

    /// Opens the content of content under way, cut to what is durable, to be written behind that.
    ///
    /// # Errors
    /// [`SqliteError`], also when the file is shorter than what is said to be durable.
    pub fn open_part(&self, content: ContentId, len: u64) -> Result<File, SqliteError> {
        let part = open_cut(&self.part(content), len)?;
        file::sync_dir(&self.0)?;
        Ok(part)
    }

    /// Opens the list of content under way, as [`MediaDir::open_part`] its content.
    ///
    /// # Errors
    /// As [`MediaDir::open_part`].
    pub fn open_list(&self, content: ContentId, len: u64) -> Result<File, SqliteError> {
        let list = open_cut(&self.list(content), len)?;
        file::sync_dir(&self.0)?;
        Ok(list)
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
        let part = file::open(&self.part(content), false).ok()?;
        let end = list.size().saturating_sub(1);
        Some(PartCheck::new(part, list, end - end % MEDIA_CHUNK_LEN))
    }

    /// The first `len` bytes of the list of content under way.
    ///
    /// # Errors
    /// [`SqliteError`].
    pub fn read_list(&self, content: ContentId, len: u64) -> Result<Vec<u8>, SqliteError> {
        read(&self.list(content), len)
    }

    /// Keeps the list of content that is to be sent.
    ///
    /// # Errors
    /// [`SqliteError`].
    pub fn write_list(&self, content: ContentId, list: &ChunkList) -> Result<(), SqliteError> {
        let path = self.sent_list(content);
        handfast_programs::write_file(&path, &list.encode()).map_err(|error| file::error(&path, &error))
    }

    /// The list of content that is to be sent.
    ///
    /// # Errors
    /// [`SqliteError`].
    pub fn read_sent_list(&self, content: ContentId) -> Result<Vec<u8>, SqliteError> {
        read(&self.sent_list(content), u64::MAX)
    }

    /// Forgets the list of content that was sent.
    pub fn drop_sent_list(&self, content: ContentId) {
        // It may be gone already.
        let _ = fs::remove_file(self.sent_list(content));
    }

    /// Gives content that is whole, checked and synced its name.
    ///
    /// # Errors
    /// [`SqliteError`].
    pub fn finish(&self, content: ContentId) -> Result<(), SqliteError> {
        let part = self.part(content);
        fs::rename(&part, self.path(content)).map_err(|error| file::error(&part, &error))?;
        file::sync_dir(&self.0)?;
        // It may be gone already.
        let _ = fs::remove_file(self.list(content));
        Ok(())
    }

    /// Removes whole content.
    pub fn remove(&self, content: ContentId) {
        // It may never have been fetched.
        let _ = fs::remove_file(self.path(content));
    }

    /// Forgets what is under way of some content.
    pub fn drop_part(&self, content: ContentId) {
        // It may be gone already.
        let _ = fs::remove_file(self.part(content));
        let _ = fs::remove_file(self.list(content));
    }

    /// Removes everything.
    ///
    /// # Errors
    /// [`SqliteError::File`].
    pub fn wipe(&self) -> Result<(), SqliteError> {
        let failed = |error: &io::Error| file::error(&self.0, error);
        for entry in fs::read_dir(&self.0).map_err(|e| failed(&e))? {
            let path = entry.map_err(|e| failed(&e))?.path();
            fs::remove_file(&path).map_err(|error| file::error(&path, &error))?;
        }
        file::sync_dir(&self.0)
    }

    /// Removes what belongs to nothing: cut imports, content that was copied in and never noted, lists of content that is
    /// not sent any more, parts of content that nobody fetches. Other files are left alone.
    ///
    /// # Errors
    /// [`SqliteError::File`].
    pub fn sweep(&self, wanted: &Wanted) -> Result<(), SqliteError> {
        for entry in fs::read_dir(&self.0).map_err(|error| file::error(&self.0, &error))? {
            let path = entry.map_err(|error| file::error(&self.0, &error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let (id, kind) = name.split_once('.').unwrap_or((&name, ""));
            let is_cut_import = id.starts_with("import-") && kind == "tmp";
            let is_kept = match handfast_programs::parse_hex(id).map(ContentId::from_bytes) {
                None => !is_cut_import,
                Some(content) => match kind {
                    "" => wanted.whole.contains(&content),
                    "sent" => wanted.sent.contains(&content),
                    "part" | "list" => wanted.fetched.contains(&content),
                    // A list whose writing was cut.
                    other => !other.starts_with("sent."),
                },
            };
            if !is_kept {
                fs::remove_file(&path).map_err(|error| file::error(&path, &error))?;
            }
        }
        Ok(())
    }

    /// The length of whole content that is here.
    #[must_use]
    pub fn len_of(&self, content: ContentId) -> Option<u64> {
        fs::symlink_metadata(self.path(content)).ok().filter(fs::Metadata::is_file).map(|found| found.len())
    }

    /// Copies a file of the user in, and computes its content id. It may take a while, or hang: never in the core thread.
    ///
    /// # Errors
    /// [`ImportError`]; nothing is left then.
    pub fn stage(&self, source: &Path, progress: &Progress) -> Result<Staged, ImportError> {
        let mut input = UserFile::open(source, MEDIA_LEN_MAX)?;
        let (path, mut output) = new_import(&self.0)?;
        // From here on the copy goes away if anything fails.
        let list = ContentHasher::new().finish();
        let mut staged = Staged { path, list, media_type: media_type(&[]), name: name(source) };
        let failed = |error: &io::Error, path: &Path| ImportError::Write(file::error(path, error));
        let (mut hasher, mut buffer, mut head) = (ContentHasher::new(), vec![0; 262_144], Vec::new());
        loop {
            let read = input.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            if head.is_empty() {
                head = bytes.get(..MEDIA_HEAD_LEN).unwrap_or(bytes).to_vec();
            }
            hasher.update(bytes);
            output.write_all(bytes).map_err(|error| failed(&error, &staged.path))?;
            progress.moved();
        }
        input.finish()?;
        file::sync(&output).map_err(|error| failed(&error, &staged.path))?;
        (staged.list, staged.media_type) = (hasher.finish(), media_type(&head));
        Ok(staged)
    }

    /// Renames a copy to its final name, and keeps its list.
    ///
    /// # Errors
    /// [`ImportError::Write`].
    pub fn take_in(&self, staged: &Staged) -> Result<Imported, ImportError> {
        let (list, content) = (staged.list.clone(), staged.list.content_id());
        self.write_list(content, &list)?;
        fs::rename(&staged.path, self.path(content)).map_err(|error| file::error(&staged.path, &error))?;
        file::sync_dir(&self.0)?;
        Ok(Imported { list, content, media_type: staged.media_type, name: staged.name.clone() })
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

/// A new file for a copy, which nobody else knows.
fn new_import(dir: &Path) -> Result<(PathBuf, File), SqliteError> {
    let mut number = [0; 8];
    getrandom::fill(&mut number).map_err(|_| SqliteError::NoRandomness)?;
    let path = dir.join(format!("import-{:016x}.tmp", u64::from_be_bytes(number)));
    let file = file::create_new(&path)?;
    Ok((path, file))
}

/// The first `len` bytes of a file.
fn read(path: &Path, len: u64) -> Result<Vec<u8>, SqliteError> {
    let mut bytes = Vec::new();
    let input = file::open(path, false)?;
    let _ = input.take(len).read_to_end(&mut bytes).map_err(|error| file::error(path, &error))?;
    Ok(bytes)
}

/// A file with a name that nothing else uses.
/// Opens or creates a file, cut to `len` bytes, at its end, for this process alone: one that got past the directory's
/// lock must not cut what another one writes.
fn open_cut(path: &Path, len: u64) -> Result<File, SqliteError> {
    let failed = |error: io::Error| file::error(path, &error);
    file::require_plain_or_absent(path)?;
    let mut opened = if path.exists() { file::open(path, true)? } else { file::create_new(path)? };
    opened.try_lock().map_err(|error| failed(error.into()))?;
    let found = opened.metadata().map_err(failed)?.len();
    if found < len {
        return Err(failed(io::ErrorKind::UnexpectedEof.into()));
    }
    opened.set_len(len).map_err(failed)?;
    let _ = opened.seek(SeekFrom::End(0)).map_err(failed)?;
    Ok(opened)
}

/// The file's name in at most [`MEDIA_NAME_LEN_MAX`] bytes.
fn name(source: &Path) -> String {
    let name = source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let end = name.floor_char_boundary(MEDIA_NAME_LEN_MAX);
    name.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_cannot_be_sent_is_refused_with_a_reason() {
        let (base, media) = dir();
        for (path, words) in
            [(base.path().join("none"), "No such file"), (base.path().to_path_buf(), "a directory")]
        {
            let error = media.import(&path).expect_err("refused");
            assert!(matches!(error, ImportError::Source(_)) && error.to_string().contains(words), "{error}");
        }
        // Around 2 and 4 GiB, in sparse files.
        for len in [MEDIA_LEN_MAX + 1, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, (1 << 32) + MEDIA_LEN_MAX] {
            let large = base.path().join("large");
            File::create(&large).expect("created").set_len(len).expect("sparse");
            assert!(
                matches!(media.import(&large), Err(ImportError::Source(UserFileError::TooLarge { .. }))),
                "{len}"
            );
        }
        assert_eq!(fs::read_dir(base.path().join(MEDIA_DIR)).expect("listed").count(), 0, "nothing is left");
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
        assert_eq!(fs::read(media.part(content)).expect("read"), b"0123456789");
        drop(part);
        let mut part = media.open_part(content, 6).expect("cut");
        part.write_all(b"x").expect("written");
        drop(part);
        assert!(media.open_part(content, 8).is_err(), "shorter than what is said to be durable");
        assert!(media.open_list(content, 4).is_ok() && media.open_list(content, 5).is_err());
        media.finish(content).expect("renamed");
        assert_eq!(fs::read(media.path(content)).expect("read"), b"012345x");
        assert!(!media.part(content).is_file());
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        let long = format!("{}é.png", "x".repeat(MEDIA_NAME_LEN_MAX - 1));
        assert_eq!(name(Path::new(&long)), "x".repeat(MEDIA_NAME_LEN_MAX - 1));
    }
}
