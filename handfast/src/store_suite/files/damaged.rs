//! Cases about files that are damaged, missing, or of another version of the program.

extern crate std;

use std::format;
use std::string::String;

use super::disk::{Copy, files_of, log};
use super::{Chance, FileHarness, Files, State, integrity};
use crate::sqlite;
use crate::store_suite::model::{LINK, Model, mixed};
use crate::store_suite::{Write, block_on};

/// Returns the files and content of a store with six commits, all of them in the database file.
fn written<H: FileHarness>() -> (Files, State) {
    let mut harness = block_on(H::new());
    let mut holder = harness.try_open().expect("a new store opens");
    let mut model = Model::default();
    for n in 0..6 {
        let write = Write { commits: &[mixed(LINK, n)], effect: Some(n) };
        assert_eq!(block_on(harness.write(&mut holder, &write)), Ok(()));
        model.take(&write);
    }
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: i64 = H::conn(&mut holder).query_row(sql, [], |row| row.get(0)).expect("it works");
    assert_eq!(busy, 0);
    (files_of(harness.dir()), State::of_model(&model))
}

/// Opens and reads a copy of a store. Returns whether its content is unchanged, or the error text for the
/// user.
fn verdict<H: FileHarness>(files: &Files, state: &State) -> Result<bool, String> {
    let mut copy = Copy::<H>::of(files);
    let mut holder = copy.harness.try_open()?;
    let conn = H::conn(&mut holder);
    let _ = sqlite::links(conn).map_err(|error| format!("{error}"))?;
    let found = integrity(conn);
    if found != "ok" {
        return Err(found);
    }
    Ok(State::of(&mut copy.harness, &mut holder) == *state)
}

/// Checks that a damaged database is refused with a helpful text. Where the damage does not matter, the
/// database must be read as it was.
///
/// # Panics
///
/// If the store does not behave so.
pub fn damaged_files_are_never_taken_for_good_ones<H: FileHarness>(_: &str) {
    let (files, state) = written::<H>();
    assert_eq!(verdict::<H>(&files, &state), Ok(true));
    let good = &files[H::DATABASE];
    let with = |database| {
        let mut damaged = files.clone();
        let _ = damaged.insert(H::DATABASE.into(), database);
        verdict::<H>(&damaged, &state)
    };
    for len in [1, 100, 511, 512, 4_095, 4_096, good.len() / 2, good.len() - 4_096] {
        let text = with(good[..len].to_vec());
        assert!(text.is_err(), "cut at {len} of {}", good.len());
    }
    // Nobody can open a database file without its header.
    let mut headless = good.clone();
    headless[..16].fill(0x5a);
    let text = with(headless).expect_err("no database");
    assert!(text.contains("damaged") && text.contains("restore"), "{text}");
    let mut chance = Chance(4);
    let pages = good.len() / 4_096;
    let mut refused = 0;
    for page in 0..pages {
        let mut damaged = good.clone();
        for byte in &mut damaged[page * 4_096..][..4_096] {
            *byte ^= u8::try_from(1 + chance.below(255)).expect("a byte");
        }
        refused += usize::from(with(damaged).is_err());
    }
    assert!(
        refused + 4 > pages,
        "{refused} of {pages} pages: a page that is garbage is noticed when it is used"
    );
}

/// Checks that a database is refused if it was copied without its log, which contains the newest commits.
///
/// # Panics
///
/// If the store does not behave so.
pub fn a_database_without_its_log_is_refused<H: FileHarness>(_: &str) {
    let (mut files, state) = written::<H>();
    // A database must be refused without its log even if that log was empty, because the database file alone
    // does not show that.
    let log = log::<H>();
    let kept = files.remove(&log).expect("a store keeps its log");
    let text = verdict::<H>(&files, &state).expect_err("not whole");
    assert!(text.contains(&log), "it names the file that is missing: {text}");
    let _ = files.insert(log, kept);
    assert_eq!(verdict::<H>(&files, &state), Ok(true));
    // A log without its database must not be taken for a store either.
    let database = files.remove(H::DATABASE).expect("it was there");
    let mut copy = Copy::<H>::of(&files);
    if let Ok(mut holder) = copy.harness.try_open() {
        assert!(State::of(&mut copy.harness, &mut holder) == State::of_model(&Model::default()));
    }
    let _ = files.insert(H::DATABASE.into(), database);
    assert_eq!(verdict::<H>(&files, &state), Ok(true));
}

/// Checks that a database of a newer program, or of no known version, is refused and left unchanged.
///
/// # Panics
///
/// If the store does not behave so.
pub fn other_versions_of_the_tables_are_left_alone<H: FileHarness>(_: &str) {
    let (files, state) = written::<H>();
    let of = |holder: &mut H::Holder| -> i32 {
        H::conn(holder).pragma_query_value(None, "user_version", |row| row.get(0)).expect("read")
    };
    let current = of(&mut Copy::<H>::of(&files).harness.try_open().expect("it was good"));
    for version in [i32::MIN, -1, 0, current + 1, current + 98, i32::MAX] {
        let mut copy = Copy::<H>::of(&files);
        let mut holder = copy.harness.try_open().expect("it was good");
        H::conn(&mut holder).pragma_update(None, "user_version", version).expect("set");
        drop(holder);
        let text = copy.harness.try_open().err().expect("another version is refused");
        assert_eq!(text.contains("newer"), version > current, "{version}: {text}");
        let conn = sqlite::open(&copy.harness.dir().join(H::DATABASE)).expect("still a database");
        let found: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).expect("read");
        assert_eq!(found, version, "left as it was");
        conn.pragma_update(None, "user_version", current).expect("set");
        drop(conn);
        let mut holder = copy.harness.try_open().expect("good again");
        assert!(State::of(&mut copy.harness, &mut holder) == state, "{version}");
    }
}
