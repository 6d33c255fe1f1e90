//! What lies in the phone's directory.

use std::fs;

use super::*;
use handfast_programs::MediaDir;

/// Whether any file of a directory holds these bytes.
fn is_on_disk(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_on_disk(&path, bytes);
        }
        fs::read(&path).unwrap().windows(bytes.len()).any(|part| part == bytes)
    })
}

#[test]
fn what_was_deleted_is_not_on_the_disk() {
    let Phone { dir, mut store } = phone();
    let (edited, reaction) = ("a needle before an edit", "a needle in a reaction");
    let (text, picture) = ("a needle in a text", b"a needle in a picture".as_slice());
    let media = MediaDir::open(dir.path()).unwrap();
    store.add_chat(1, "Bo", "Bo").unwrap();
    let (content, list) = media.put(picture).unwrap();
    store.put_media(content, &list).unwrap();
    let descriptor = MediaDescriptor {
        content,
        size: list.size(),
        media_type: "image/png".to_owned(),
        name: "a.png".to_owned(),
    };
    let (with_text, _) = add(&mut store, &new(1, text));
    let (changed, _) = add(&mut store, &new(1, edited));
    assert!(
        store.react(1, with_text, "", reaction).unwrap() && store.react(1, changed, "", reaction).unwrap()
    );
    let (with_media, _) = add(&mut store, &NewMessage { media: Some(&descriptor), ..new(1, "") });
    // It was quoted: the answer keeps no copy.
    let (answer, _) = add(&mut store, &NewMessage { reply_to: Some(with_text), ..new(1, "yes") });
    store.commit().unwrap();
    let needles = [text.as_bytes(), edited.as_bytes(), reaction.as_bytes(), picture];
    assert!(needles.iter().all(|needle| is_on_disk(dir.path(), needle)));
    store.edit_message(1, changed, "no more").unwrap();
    assert!(store.react(1, changed, "", "").unwrap());
    assert_eq!(store.delete_message(1, with_text).unwrap(), None);
    let unused = store.delete_message(1, with_media).unwrap().expect("nobody else names it");
    store.commit().unwrap();
    media.remove(unused);
    drop(store);
    // The next start empties the log, in which the old pages are.
    let (store, _) = Store::open(dir.path()).unwrap();
    assert!(!needles.iter().any(|needle| is_on_disk(dir.path(), needle)));
    assert_eq!(store.message(1, answer).unwrap().unwrap().message.text, "yes");
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_any_file_or_directory_is_refused() {
    use std::os::unix::fs::symlink;
    let open = |dir: &Path| {
        let media = MediaDir::open(dir).map_err(StoreError::from);
        media.and_then(|_| Store::open_or_create(dir, "Ada", |_| Ok(())).map(drop))
    };
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    for (name, is_new) in [
        (DATABASE, true),
        (DEVICE_KEY, true),
        ("media", true),
        (DATABASE, false),
        (DEVICE_KEY, false),
        ("media", false),
        ("phone.db-wal", false),
        ("phone.db-shm", false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        if !is_new {
            open(dir.path()).unwrap();
        }
        let planted = dir.path().join(name);
        if planted.is_dir() {
            fs::remove_dir_all(&planted).unwrap();
        } else if planted.exists() {
            fs::remove_file(&planted).unwrap();
        }
        fs::write(&target, b"somebody else's").unwrap();
        symlink(&target, &planted).unwrap();
        let opened = open(dir.path());
        assert!(opened.is_err(), "{name}, new {is_new}");
        assert_eq!(fs::read(&target).unwrap(), b"somebody else's", "{name}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "nothing was made outside");
    }
}
