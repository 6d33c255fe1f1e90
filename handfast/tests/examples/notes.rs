//! `examples/notes` as its users run it: both sides as processes over a real relay, killed at any moment.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use handfast::codec::frame::RowId;

use crate::side::{PATIENCE, Side, relay};

/// The notes in a directory: the text of each, by its number.
fn notes(dir: &Path) -> BTreeMap<u64, String> {
    let conn = rusqlite::Connection::open(dir.join("handfast.db")).expect("a database");
    // A side may be dead just now, and its log must stay beside the database.
    let keep_log = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    let _ = conn.set_db_config(keep_log, true).expect("a setting");
    // The keys of rows are: 2, the length of the collection's name, the name, the row's id. Before a row's text
    // are two numbers and a content id.
    let mut query = conn
        .prepare("SELECT substr(key, 8), substr(value, 49) FROM handfast_tether WHERE substr(key, 1, 7) = ?1")
        .expect("a table");
    let note = |row: &rusqlite::Row<'_>| {
        let (id, text): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let id = RowId::new(id.into()).and_then(|id| id.number()).expect("a number");
        Ok((id, String::from_utf8(text).expect("a text")))
    };
    let notes = query.query_map([b"\x02\x05notes"], note).expect("rows");
    notes.collect::<Result<_, _>>().expect("notes")
}

/// Waits until both sides have stored so many notes.
fn wait_for_notes(sides: [(&Path, &Side); 2], count: usize) {
    let end = Instant::now() + PATIENCE;
    while sides.iter().any(|(dir, _)| notes(dir).len() < count) {
        if Instant::now() > end {
            let said = sides.map(|(dir, side)| (notes(dir), side.lines.try_iter().collect::<Vec<_>>()));
            panic!(
                "{count} notes were sent; here are those that arrived, and what the sides said: {said:#?}"
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn both_sides_pair_sync_send_transfer_and_survive_being_killed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let text = |name: &str| path(name).to_str().expect("a text").to_owned();
    let mut companion = Side::start(&["notes", "companion", &text("companion"), &relay()]);
    let mut phone = Side::start(&["notes", "phone", &text("phone")]);
    phone.say(&format!("scan {}", companion.hear("code ")));
    let digits = companion.hear("digits ");
    let _ = phone.hear("type: code");
    phone.say(&format!("code {digits}"));
    let _ = phone.hear("link notes?");
    phone.say("yes");
    let number = phone.hear("number ");
    let _ = companion.hear("link to Notes?");
    companion.say(&format!("number {number}"));
    let _ = (phone.hear("linked"), companion.hear("linked"));

    phone.say("add from the phone");
    let _ = companion.hear("note 1: from the phone");
    let mut sent = vec!["from the phone".to_owned()];
    for round in 0..6 {
        let note = format!("from the companion, {round}");
        companion.say(&format!("add {note}"));
        // From here on it must arrive, whatever happens, and once.
        let _ = companion.hear("sent");
        sent.push(note);
        match round % 3 {
            0 => companion.crash(),
            1 => phone.crash(),
            _ => {}
        }
    }

    wait_for_notes([(&path("phone"), &phone), (&path("companion"), &companion)], sent.len());

    let file = path("file");
    let bytes: Vec<u8> =
        (0..3_000_000_u32).flat_map(|at| [at.to_be_bytes()[2] ^ at.to_be_bytes()[3]]).collect();
    std::fs::write(&file, &bytes).expect("written");
    phone.say(&format!("attach {}", text("file")));
    sent.push(text("file"));
    let note = companion.hear(&format!("note {}: ", sent.len()));
    assert_eq!(note, text("file"));
    companion.say(&format!("get {} {}", sent.len(), text("copy")));
    companion.crash();
    companion.say(&format!("get {} {}", sent.len(), text("copy")));
    phone.crash();
    let ended = companion.hear("file ");
    assert!(ended.contains("3000000 bytes"), "{ended}");
    assert_eq!(std::fs::read(path("copy")).expect("it is there"), bytes);

    phone.quit("quit");
    companion.quit("quit");
    let (here, there) = (notes(&path("phone")), notes(&path("companion")));
    assert_eq!(here, there);
    let mut texts: Vec<String> = here.into_values().collect();
    texts.sort_unstable();
    sent.sort_unstable();
    assert_eq!(texts, sent, "each once");
}
