use std::io::Write as _;

use handfast::codec::limits::MEDIA_LEN_MAX;
use handfast::media::{ChunkList, ContentHasher};

use super::copy::ImportError;
use super::*;
use crate::{Progress, UserFileError};

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
fn a_part_is_cut_at_its_durable_end_and_named_when_it_is_whole() {
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
    // The process died before the content was recorded, so that the file becomes incomplete again.
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
    // A copy that is dropped leaves nothing.
    drop(media.stage(&source, &Progress::default()).unwrap());
    assert_eq!(names(data.path()), [id.to_string()]);
}

#[test]
fn files_around_2_and_4_gib_are_refused_by_their_length() {
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
fn a_name_is_never_a_path_and_content_is_never_executable() {
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
