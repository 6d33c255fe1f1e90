//! Content on disk: `DIR/media/<content id>`, and what of it is under way beside it.
//!
//! A file gets its final name only when it is whole, checked and synced. Names come from ids alone, never from a peer or
//! a user.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use handfast::codec::ids::{ContentId, MailboxId};
use handfast::codec::limits::{MEDIA_LEN_MAX, MEDIA_NAME_LEN_MAX};
use handfast::hex::parse_hex;
use handfast::media_type::media_type;
use handfast::session::media::{ChunkList, ContentHasher};
use handfast::sqlite::{SqliteError, file};

use super::jobs::Progress;
use super::user_file::{UserFile, UserFileError};

/// The directory of content in the data directory.
pub const MEDIA_DIR: &str = "media";
/// What the name of content under way ends with.
const PART: &str = ".part";
/// What the name of a copy begins and ends with that has no name of its own yet.
const COPY: (&str, &str) = ("import-", ".tmp");
/// How many of its first bytes say the type of content.
const MEDIA_HEAD_LEN: usize = 16;
/// How much of a file of the user is copied at once, in bytes.
const COPY_LEN: usize = 262_144;

/// How much room a directory's disk has, in bytes; none when that cannot be known.
pub type FreeSpace = fn(&Path) -> Option<u64>;

/// The directory of content.
#[derive(Clone, Debug)]
pub struct MediaDir {
    dir: PathBuf,
    free: FreeSpace,
}

/// A file of this machine that was copied into the directory of content; it is synced and has its final name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Its content id.
    pub content: ContentId,
    /// Its size and chunk hashes.
    pub list: ChunkList,
    /// Its media type, from its first bytes.
    pub media_type: &'static str,
    /// Its file name without any directory, cut to what a descriptor holds.
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
    Write(#[from] SqliteError),
}

/// A copy of a file of the user, in the directory of content and without its name yet. It goes away with this value.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    list: ChunkList,
    media_type: &'static str,
    name: String,
}

impl Staged {
    /// The content's size and chunk hashes.
    #[must_use]
    pub const fn list(&self) -> &ChunkList {
        &self.list
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // It has its name, or it is not wanted any more; what cannot be removed now is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// The room that the file system gives this user.
fn free_space(dir: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(dir).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = dir;
        None
    }
}

impl MediaDir {
    /// Opens the directory of content, and creates it if it is not there (mode 0700).
    ///
    /// # Errors
    ///
    /// [`SqliteError::NotAFile`], also when a symbolic link stands in its place; [`SqliteError::File`].
    pub fn open(data: &Path) -> Result<Self, SqliteError> {
        let dir = data.join(MEDIA_DIR);
        file::require_dir(&dir)?;
        Ok(Self { dir, free: free_space })
    }

    /// The same directory on a disk whose room another function tells.
    #[must_use]
    pub fn with_free_space(self, free: FreeSpace) -> Self {
        Self { free, ..self }
    }

    /// How much room there is on its disk, in bytes; none when that cannot be known.
    #[must_use]
    pub fn free_space(&self) -> Option<u64> {
        (self.free)(&self.dir)
    }

    /// Where a file of this name lies.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where whole content lies.
    #[must_use]
    pub fn path(&self, content: ContentId) -> PathBuf {
        self.file(&content.to_string())
    }

    /// Whether whole content is here.
    #[must_use]
    pub fn has(&self, content: ContentId) -> bool {
        self.path(content).is_file()
    }

    /// The length of whole content that is here.
    #[must_use]
    pub fn len_of(&self, content: ContentId) -> Option<u64> {
        fs::symlink_metadata(self.path(content)).ok().filter(fs::Metadata::is_file).map(|found| found.len())
    }

    /// Opens whole content for reading.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn open_content(&self, content: ContentId) -> Result<File, SqliteError> {
        file::open(&self.path(content), false)
    }

    /// The media type of whole content, from its first bytes: what its sender says of it counts for nothing.
    #[must_use]
    pub fn type_of(&self, content: ContentId) -> &'static str {
        let mut head = [0; MEDIA_HEAD_LEN];
        // What cannot be read has no type.
        let len = self.open_content(content).map_or(0, |mut file| file.read(&mut head).unwrap_or(0));
        media_type(head.get(..len).unwrap_or_default())
    }

    /// Removes whole content.
    pub fn remove(&self, content: ContentId) {
        // It may never have been here.
        let _ = fs::remove_file(self.path(content));
    }

    /// The name of content under way: that of a link, or, with `None`, of the one link that there is.
    #[must_use]
    pub fn part_name(link: Option<MailboxId>, content: ContentId) -> String {
        link.map_or_else(|| format!("{content}{PART}"), |link| format!("{link}-{content}{PART}"))
    }

    fn part(&self, link: Option<MailboxId>, content: ContentId) -> PathBuf {
        self.file(&Self::part_name(link, content))
    }

    /// Begins content anew.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn create_part(&self, link: Option<MailboxId>, content: ContentId) -> Result<File, SqliteError> {
        let path = self.part(link, content);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file::error(&path, &error)),
            Ok(()) | Err(_) => {}
        }
        let file = file::create_new(&path)?;
        file::sync_dir(&self.dir)?;
        Ok(file)
    }

    /// Opens content under way, cut to the `len` bytes that are durable, to be written behind them.
    ///
    /// # Errors
    ///
    /// [`SqliteError`], also when the file is shorter than `len`, or is being written.
    pub fn resume_part(
        &self,
        link: Option<MailboxId>,
        content: ContentId,
        len: u64,
    ) -> Result<File, SqliteError> {
        self.open_cut(&Self::part_name(link, content), len)
    }

    /// Content that has its final name is under way again: the process ended before it was noted.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn take_back(&self, link: Option<MailboxId>, content: ContentId) -> Result<(), SqliteError> {
        let path = self.part(link, content);
        if !path.exists() && self.has(content) {
            fs::rename(self.path(content), &path).map_err(|error| file::error(&path, &error))?;
            file::sync_dir(&self.dir)?;
        }
        Ok(())
    }

    /// Opens a file, or creates it where nothing of it is durable, cut to `len` bytes, at its end, for this process alone:
    /// one that got past the directory's lock must not cut what another one writes.
    ///
    /// # Errors
    ///
    /// [`SqliteError`], also when the file is shorter than `len`, or is being written.
    pub fn open_cut(&self, name: &str, len: u64) -> Result<File, SqliteError> {
        let path = self.file(name);
        let failed = |error: io::Error| file::error(&path, &error);
        file::require_plain_or_absent(&path)?;
        let is_new = len == 0 && !path.exists();
        let mut opened = if is_new { file::create_new(&path)? } else { file::open(&path, true)? };
        opened.try_lock().map_err(|error| failed(error.into()))?;
        let found = opened.metadata().map_err(failed)?.len();
        if found < len {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        opened.set_len(len).map_err(failed)?;
        let _ = opened.seek(SeekFrom::End(0)).map_err(failed)?;
        file::sync_dir(&self.dir)?;
        Ok(opened)
    }

    /// Opens content under way, to be looked through.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn read_part(&self, link: Option<MailboxId>, content: ContentId) -> Result<File, SqliteError> {
        file::open(&self.part(link, content), false)
    }

    /// Gives content that is whole, checked and synced its final name, and makes that durable.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn finish_part(&self, link: Option<MailboxId>, content: ContentId) -> Result<(), SqliteError> {
        self.publish(&self.part(link, content), content)
    }

    /// Forgets content under way.
    pub fn drop_part(&self, link: Option<MailboxId>, content: ContentId) {
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_file(self.part(link, content));
    }

    fn publish(&self, from: &Path, content: ContentId) -> Result<(), SqliteError> {
        let path = self.path(content);
        file::require_plain_or_absent(&path)?;
        fs::rename(from, &path).map_err(|error| file::error(from, &error))?;
        file::sync_dir(&self.dir)
    }

    /// Removes what belongs to nothing, and leaves files alone whose names are not those of content. `keep` has the names
    /// of the files that stay.
    ///
    /// # Errors
    ///
    /// [`SqliteError::File`].
    pub fn sweep(&self, keep: &BTreeSet<String>) -> Result<(), SqliteError> {
        for path in self.files()? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if is_ours(&name) && !keep.contains(name.as_ref()) {
                fs::remove_file(&path).map_err(|error| file::error(&path, &error))?;
            }
        }
        Ok(())
    }

    /// Removes everything.
    ///
    /// # Errors
    ///
    /// [`SqliteError::File`].
    pub fn wipe(&self) -> Result<(), SqliteError> {
        for path in self.files()? {
            fs::remove_file(&path).map_err(|error| file::error(&path, &error))?;
        }
        file::sync_dir(&self.dir)
    }

    fn files(&self) -> Result<Vec<PathBuf>, SqliteError> {
        let listed =
            fs::read_dir(&self.dir).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        listed.map_err(|error: io::Error| file::error(&self.dir, &error))
    }

    /// Writes content that comes in parts, if it is what its id says. Returns whether it was.
    ///
    /// # Errors
    ///
    /// [`SqliteError`], of this directory or of the parts.
    pub fn put_parts(
        &self,
        content: ContentId,
        mut parts: impl Iterator<Item = Result<Vec<u8>, SqliteError>>,
    ) -> Result<bool, SqliteError> {
        let next =
            |buffer: &mut Vec<u8>| parts.next().transpose().map(|part| part.map(|part| *buffer = part));
        let made = self.copy(String::new(), next)?;
        let is_right = made.list.content_id() == content;
        if is_right {
            self.publish(&made.path, content)?;
        }
        Ok(is_right)
    }

    /// Writes small content that the program made itself.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn put(&self, bytes: &[u8]) -> Result<(ContentId, ChunkList), SqliteError> {
        let mut bytes = Some(bytes);
        let next =
            |buffer: &mut Vec<u8>| Ok::<_, SqliteError>(bytes.take().map(|bytes| *buffer = bytes.to_vec()));
        let Imported { content, list, .. } = self.take_in(&self.copy(String::new(), next)?)?;
        Ok((content, list))
    }

    /// Copies a file of the user in, and computes its content id. It may take a while, or hang: never in the core thread.
    ///
    /// # Errors
    ///
    /// [`ImportError`]; nothing is left then.
    pub fn stage(&self, source: &Path, progress: &Progress) -> Result<Staged, ImportError> {
        let mut from = UserFile::open(source, MEDIA_LEN_MAX)?;
        let next = |buffer: &mut Vec<u8>| {
            buffer.resize(COPY_LEN, 0);
            let len = from.read(buffer)?;
            buffer.truncate(len);
            progress.moved();
            Ok::<_, ImportError>((len > 0).then_some(()))
        };
        let staged = self.copy(name(source), next)?;
        from.finish()?;
        Ok(staged)
    }

    /// Renames a copy to its final name.
    ///
    /// # Errors
    ///
    /// [`SqliteError`].
    pub fn take_in(&self, staged: &Staged) -> Result<Imported, SqliteError> {
        let (list, content) = (staged.list.clone(), staged.list.content_id());
        self.publish(&staged.path, content)?;
        Ok(Imported { content, list, media_type: staged.media_type, name: staged.name.clone() })
    }

    /// Copies a file in at once.
    ///
    /// # Errors
    ///
    /// [`ImportError`].
    pub fn import(&self, source: &Path) -> Result<Imported, ImportError> {
        Ok(self.take_in(&self.stage(source, &Progress::default())?)?)
    }

    /// Writes what `next` puts into its buffer, as long as it does, into a file that nobody else knows, and syncs it.
    fn copy<E: From<SqliteError>>(
        &self,
        name: String,
        mut next: impl FnMut(&mut Vec<u8>) -> Result<Option<()>, E>,
    ) -> Result<Staged, E> {
        let mut number = [0; 8];
        getrandom::fill(&mut number).map_err(|_| SqliteError::NoRandomness)?;
        let path = self.file(&format!("{}{:016x}{}", COPY.0, u64::from_be_bytes(number), COPY.1));
        let mut to = file::create_new(&path)?;
        // From here on the copy goes away if anything fails.
        let mut staged =
            Staged { path, list: ContentHasher::new().finish(), media_type: media_type(&[]), name };
        let failed = |error: io::Error| file::error(&staged.path, &error);
        let (mut hasher, mut buffer, mut head) = (ContentHasher::new(), Vec::new(), Vec::new());
        while next(&mut buffer)?.is_some() {
            if head.is_empty() {
                head = buffer.get(..MEDIA_HEAD_LEN).unwrap_or(&buffer).to_vec();
            }
            hasher.update(&buffer);
            to.write_all(&buffer).map_err(failed)?;
        }
        file::sync(&to).map_err(failed)?;
        (staged.list, staged.media_type) = (hasher.finish(), media_type(&head));
        Ok(staged)
    }
}

/// Whether a name is one that this directory gives: of content, of what of it is under way, or of a copy, today or by an
/// earlier release.
fn is_ours(name: &str) -> bool {
    let (stem, kind) = name.split_once('.').unwrap_or((name, ""));
    let is_content = |id: &str| parse_hex::<32>(id).is_some();
    let is_of_link =
        || stem.split_once('-').is_some_and(|(link, id)| parse_hex::<16>(link).is_some() && is_content(id));
    match kind {
        "part" if stem.starts_with(COPY.0) || stem.starts_with("made-") => true,
        "part" => is_content(stem) || is_of_link(),
        "tmp" => stem.starts_with(COPY.0),
        "" | "list" | "sent" => is_content(stem),
        // A list whose writing was cut.
        other => other.starts_with("sent.") && is_content(stem),
    }
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

    const LINK: MailboxId = MailboxId::from_bytes([1; 16]);

    fn content(bytes: &[u8]) -> (ContentId, ChunkList) {
        let mut hasher = ContentHasher::new();
        hasher.update(bytes);
        let list = hasher.finish();
        (list.content_id(), list)
    }

    fn names(data: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(data.join(MEDIA_DIR))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn st08_a_part_is_cut_at_its_durable_end_and_named_when_it_is_whole() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let (id, _) = content(b"0123456789");
        let mut part = media.create_part(Some(LINK), id).unwrap();
        part.write_all(b"01234XXXX").unwrap();
        drop(part);
        let mut part = media.resume_part(Some(LINK), id, 5).unwrap();
        part.write_all(b"56789").unwrap();
        assert!(media.resume_part(Some(LINK), id, 5).is_err(), "it is being written");
        drop(part);
        media.finish_part(Some(LINK), id).unwrap();
        assert_eq!(fs::read(media.path(id)).unwrap(), b"0123456789");
        assert_eq!(names(data.path()), [id.to_string()]);
        // The process ended before the content was noted: the file is taken back.
        media.take_back(Some(LINK), id).unwrap();
        let part = media.resume_part(Some(LINK), id, 5).unwrap();
        assert_eq!(part.metadata().unwrap().len(), 5);
        assert!(!media.path(id).exists());
        drop(part);
        assert!(media.resume_part(Some(LINK), id, 6).is_err(), "shorter than what was durable");
    }

    #[test]
    fn a_new_upload_never_begins_in_an_old_file() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let (id, _) = content(b"new");
        media.create_part(Some(LINK), id).unwrap().write_all(b"old").unwrap();
        assert_eq!(media.create_part(Some(LINK), id).unwrap().metadata().unwrap().len(), 0);
    }

    #[test]
    fn the_sweep_removes_what_belongs_to_nothing_and_touches_no_other_file() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let (kept, _) = media.put(b"kept").unwrap();
        let (orphan, _) = media.put(b"orphan").unwrap();
        let (unnoted, _) = media.put(b"renamed, and the commit was cut").unwrap();
        for content in [unnoted, orphan] {
            drop(media.create_part(Some(LINK), content).unwrap());
        }
        fs::write(data.path().join(MEDIA_DIR).join("note.txt"), b"the user's").unwrap();
        for name in ["import-7.part", "import-ff.tmp", "import.md", "made-x.part"] {
            fs::write(data.path().join(MEDIA_DIR).join(name), b"x").unwrap();
        }
        let part = MediaDir::part_name(Some(LINK), unnoted);
        media.sweep(&[kept.to_string(), unnoted.to_string(), part].into()).unwrap();
        let mut expected = vec![
            kept.to_string(),
            unnoted.to_string(),
            format!("{LINK}-{unnoted}.part"),
            "import.md".to_owned(),
            "note.txt".to_owned(),
        ];
        expected.sort();
        assert_eq!(names(data.path()), expected);
        assert!(!media.path(orphan).exists());
    }

    #[test]
    fn imports_hash_as_the_library_does_and_types_come_from_bytes() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let bytes = [b"\x89PNG\r\n\x1a\n".as_slice(), &vec![7; 150_000]].concat();
        let source = data.path().join("holiday.exe");
        fs::write(&source, &bytes).unwrap();
        let imported = media.import(&source).unwrap();
        let (id, list) = content(&bytes);
        assert_eq!((imported.content, imported.list), (id, list));
        assert_eq!((imported.media_type, imported.name.as_str()), ("image/png", "holiday.exe"));
        assert_eq!(fs::read(media.path(id)).unwrap(), bytes);
        assert!(media.import(&source).is_ok(), "the same again");
        for (path, words) in
            [(data.path().join("none"), "No such file"), (data.path().to_path_buf(), "is a directory")]
        {
            let error = media.import(&path).unwrap_err();
            assert!(matches!(error, ImportError::Source(_)) && error.to_string().contains(words), "{error}");
        }
        // One that is given up leaves nothing.
        drop(media.stage(&source, &Progress::default()).unwrap());
        assert_eq!(names(data.path()), [id.to_string()]);
    }

    #[test]
    fn st10_files_around_2_and_4_gib_are_refused_by_their_length() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let source = data.path().join("sparse");
        for len in [MEDIA_LEN_MAX + 1, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, (1 << 32) + MEDIA_LEN_MAX] {
            File::create(&source).unwrap().set_len(len).unwrap();
            assert!(
                matches!(media.import(&source), Err(ImportError::Source(UserFileError::TooLarge { .. }))),
                "{len}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn st12_a_name_is_never_a_path_and_content_is_never_executable() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        for name in [".bashrc", "app.desktop", "run.sh", "..%2f..%2fx", "CON"] {
            let source = data.path().join(name);
            fs::write(&source, b"#!/bin/sh").unwrap();
            fs::set_permissions(&source, fs::Permissions::from_mode(0o777)).unwrap();
            let imported = media.import(&source).unwrap();
            assert_eq!((imported.name.as_str(), imported.media_type), (name, "application/octet-stream"));
            assert_eq!(names(data.path()), [imported.content.to_string()]);
            let mode = fs::metadata(media.path(imported.content)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_content_is_not_followed() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaDir::open(data.path()).unwrap();
        let (id, _) = content(b"secret");
        let target = data.path().join("target");
        fs::write(&target, b"secret").unwrap();
        std::os::unix::fs::symlink(&target, media.path(id)).unwrap();
        assert!(media.open_content(id).is_err());
        assert!(media.put(b"secret").is_err());
        let link = data.path().join("elsewhere");
        fs::create_dir(&link).unwrap();
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(&link, other.path().join(MEDIA_DIR)).unwrap();
        assert!(MediaDir::open(other.path()).is_err());
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        let long = format!("{}é.png", "x".repeat(MEDIA_NAME_LEN_MAX - 1));
        assert_eq!(name(Path::new(&long)), "x".repeat(MEDIA_NAME_LEN_MAX - 1));
    }
}
