//! Content on disk: `DIR/media/<content id>`, and what of it is under way in `.part` and `.list` files beside it.
//!
//! Names come from content ids alone, never from the phone or the user.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use handfast::codec::ids::ContentId;
use handfast::codec::limits::{MEDIA_CHUNK_LEN, MEDIA_LEN_MAX, MEDIA_NAME_LEN_MAX};
use handfast::program::{PartCheck, media_type};
use handfast::session::media::{ChunkList, ContentHasher};
use handfast::sqlite::{SqliteError, file};

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
    /// It cannot be read.
    #[error("cannot read {} ({reason}): check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// It is no plain file.
    #[error("{} is not a file", .0.display())]
    NotAFile(PathBuf),
    /// It is over 2 GiB.
    #[error("{} is larger than 2 GiB, which is the most that can be sent", .0.display())]
    TooLarge(PathBuf),
    /// The copy cannot be written.
    #[error("cannot keep a copy in the data directory ({0}): is the disk full?")]
    Write(#[from] SqliteError),
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

    /// Whether a part is here.
    #[must_use]
    pub fn has_part(&self, content: ContentId) -> bool {
        self.part(content).is_file()
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
        handfast::program::write_file(&path, &list.encode()).map_err(|error| file::error(&path, &error))
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

    /// Copies a file of this machine in, and computes its content id. It may take a while: call it in a thread of its
    /// own.
    ///
    /// # Errors
    /// [`ImportError`]; nothing is left then.
    pub fn import(&self, source: &Path) -> Result<Imported, ImportError> {
        let unreadable = |reason| ImportError::Read { path: source.to_path_buf(), reason };
        let mut input = File::open(source).map_err(unreadable)?;
        let found = input.metadata().map_err(unreadable)?;
        if !found.is_file() {
            return Err(ImportError::NotAFile(source.to_path_buf()));
        }
        if found.len() > MEDIA_LEN_MAX {
            return Err(ImportError::TooLarge(source.to_path_buf()));
        }
        let temporary = tempfile_in(&self.0)?;
        let copied = copy_in(&mut input, &temporary, source);
        let kept = copied.and_then(|(list, head)| Ok((self.keep(list, &temporary)?, head)));
        if kept.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&temporary.0);
        }
        let (list, head) = kept?;
        let content = list.content_id();
        Ok(Imported { list, content, media_type: media_type(&head), name: name(source) })
    }

    fn keep(&self, list: ChunkList, temporary: &Temporary) -> Result<ChunkList, ImportError> {
        let content = list.content_id();
        self.write_list(content, &list)?;
        fs::rename(&temporary.0, self.path(content)).map_err(|error| file::error(&temporary.0, &error))?;
        file::sync_dir(&self.0)?;
        Ok(list)
    }

    /// Copies whole content to a path of the user's choice, whole or not at all.
    ///
    /// # Errors
    /// [`SqliteError::File`].
    pub fn export(&self, content: ContentId, out: &Path) -> Result<(), SqliteError> {
        let mut input = file::open(&self.path(content), false)?;
        let mut temporary = out.as_os_str().to_os_string();
        temporary.push(format!(".{}.tmp", std::process::id()));
        let temporary = PathBuf::from(temporary);
        let failed = |error: io::Error| file::error(out, &error);
        let mut copy = || -> Result<(), SqliteError> {
            let mut output = file::create_new(&temporary)?;
            let _ = io::copy(&mut input, &mut output).map_err(failed)?;
            file::sync(&output).map_err(failed)?;
            fs::rename(&temporary, out).map_err(failed)
        };
        let copied = copy();
        if copied.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&temporary);
        }
        copied
    }
}

/// The first `len` bytes of a file.
fn read(path: &Path, len: u64) -> Result<Vec<u8>, SqliteError> {
    let mut bytes = Vec::new();
    let input = file::open(path, false)?;
    let _ = input.take(len).read_to_end(&mut bytes).map_err(|error| file::error(path, &error))?;
    Ok(bytes)
}

/// A file with a name that nothing else uses.
struct Temporary(PathBuf, File);

fn tempfile_in(dir: &Path) -> Result<Temporary, SqliteError> {
    let mut number = [0; 8];
    getrandom::fill(&mut number).map_err(|_| SqliteError::NoRandomness)?;
    let path = dir.join(format!("import-{:016x}.tmp", u64::from_be_bytes(number)));
    let file = file::create_new(&path)?;
    Ok(Temporary(path, file))
}

/// Copies and hashes; gives the first bytes too.
fn copy_in(
    input: &mut File,
    temporary: &Temporary,
    source: &Path,
) -> Result<(ChunkList, Vec<u8>), ImportError> {
    let Temporary(path, output) = temporary;
    let mut output = output;
    let mut hasher = ContentHasher::new();
    let mut buffer = vec![0; 262_144];
    let (mut total, mut head) = (0_u64, Vec::new());
    loop {
        let read = input
            .read(&mut buffer)
            .map_err(|reason| ImportError::Read { path: source.to_path_buf(), reason })?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        total = total.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if total > MEDIA_LEN_MAX {
            return Err(ImportError::TooLarge(source.to_path_buf()));
        }
        if head.is_empty() {
            head = bytes.get(..MEDIA_HEAD_LEN).unwrap_or(bytes).to_vec();
        }
        hasher.update(bytes);
        output.write_all(bytes).map_err(|error| file::error(path, &error))?;
    }
    file::sync(output).map_err(|error| file::error(path, &error))?;
    Ok((hasher.finish(), head))
}

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
        media.export(imported.content, &out).expect("exported");
        assert_eq!(fs::read(&out).expect("read"), bytes);
        assert!(media.export(ContentId::from_bytes([0; 32]), &out).is_err());
        let names: Vec<_> = fs::read_dir(base.path().join(MEDIA_DIR)).expect("listed").collect();
        assert_eq!(names.len(), 2, "the content and its list");
        media.wipe().expect("wiped");
        assert!(!media.has(imported.content));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_a_reason() {
        let (base, media) = dir();
        assert!(matches!(media.import(&base.path().join("none")), Err(ImportError::Read { .. })));
        assert!(matches!(media.import(base.path()), Err(ImportError::NotAFile(_))));
        // Around 2 and 4 GiB, in sparse files.
        for len in [MEDIA_LEN_MAX + 1, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, (1 << 32) + MEDIA_LEN_MAX] {
            let large = base.path().join("large");
            File::create(&large).expect("created").set_len(len).expect("sparse");
            assert!(matches!(media.import(&large), Err(ImportError::TooLarge(_))), "{len}");
        }
        assert_eq!(fs::read_dir(base.path().join(MEDIA_DIR)).expect("listed").count(), 0, "nothing is left");
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
        assert!(!media.has_part(content));
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        let long = format!("{}é.png", "x".repeat(MEDIA_NAME_LEN_MAX - 1));
        assert_eq!(name(Path::new(&long)), "x".repeat(MEDIA_NAME_LEN_MAX - 1));
    }
}
