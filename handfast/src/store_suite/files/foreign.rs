//! Cases about other programs that use the same database.

extern crate std;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::{FileHarness, State, integrity};
use crate::store_suite::model::{LINK, Model, mixed};
use crate::store_suite::{Write, WriteError, block_on};

/// Returns another program's connection to the database.
fn foreign<H: FileHarness>(harness: &H) -> Connection {
    let conn = Connection::open(harness.dir().join(H::DATABASE)).expect("anybody can open it");
    conn.busy_timeout(Duration::from_secs(5)).expect("set");
    conn
}

/// Checks that nothing fails or is lost while another program commits and checkpoints all the time.
///
/// # Panics
///
/// If the store does not behave so.
pub fn foreign_commits_and_checkpoints_in_a_storm_lose_nothing<H: FileHarness>(_: &str) {
    let mut harness = block_on(H::new());
    let mut holder = harness.try_open().expect("a new store opens");
    let other = foreign(&harness);
    other.execute_batch("CREATE TABLE foreign_rows(n INTEGER)").expect("created");
    let ends = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ends);
    let thread = std::thread::spawn(move || {
        let mut commits = 0_i64;
        while !end.load(Ordering::Relaxed) {
            other
                .execute_batch("BEGIN IMMEDIATE; INSERT INTO foreign_rows VALUES(1); COMMIT")
                .expect("its turn");
            let mode = ["PASSIVE", "RESTART", "TRUNCATE", "FULL"][usize::try_from(commits % 4).unwrap_or(0)];
            // The test does not depend on whether this checkpoint succeeds.
            let _ = other.execute_batch(&std::format!("PRAGMA wal_checkpoint({mode})"));
            commits += 1;
        }
        commits
    });
    let mut model = Model::default();
    for n in 0..150 {
        let write = Write { commits: &[mixed(LINK, n)], effect: Some(n) };
        assert_eq!(block_on(harness.write(&mut holder, &write)), Ok(()), "write {n}");
        model.take(&write);
    }
    ends.store(true, Ordering::Relaxed);
    let commits = thread.join().expect("no commit of its own failed");
    assert!(commits > 0);
    assert!(State::of(&mut harness, &mut holder) == State::of_model(&model));
    assert_eq!(integrity(H::conn(&mut holder)), "ok");
    let count: i64 = H::conn(&mut holder)
        .query_row("SELECT count(*) FROM foreign_rows", [], |row| row.get(0))
        .expect("read");
    assert_eq!(count, commits);
}

/// Checks that a store waits for its deadline while another program writes, and then reports that the
/// database is busy.
///
/// # Panics
///
/// If the store does not behave so.
pub fn a_foreign_writer_makes_the_store_busy_not_wrong<H: FileHarness>(_: &str) {
    let mut harness = block_on(H::new());
    let mut holder = harness.try_open().expect("a new store opens");
    H::conn(&mut holder).busy_timeout(Duration::from_millis(20)).expect("set");
    let other = foreign(&harness);
    let write = Write { commits: &[mixed(LINK, 0)], effect: Some(0) };
    for _ in 0..2 {
        other.execute_batch("BEGIN IMMEDIATE").expect("free");
        let Err(WriteError::Store(text)) = block_on(harness.write(&mut holder, &write)) else {
            panic!("the database is held");
        };
        assert!(text.contains("another program") && text.contains("try again"), "{text}");
        block_on(harness.recover(&mut holder));
        assert!(State::of(&mut harness, &mut holder) == State::of_model(&Model::default()));
        other.execute_batch("COMMIT").expect("its own");
    }
    assert_eq!(block_on(harness.write(&mut holder, &write)), Ok(()));
}

/// Checks that another program which reads keeps its snapshot, and blocks nobody.
///
/// # Panics
///
/// If the store does not behave so.
pub fn a_foreign_reader_holds_nobody_up<H: FileHarness>(_: &str) {
    let mut harness = block_on(H::new());
    let mut holder = harness.try_open().expect("a new store opens");
    let other = foreign(&harness);
    let rows = || {
        let sql = "SELECT count(*) FROM handfast";
        other.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("read")
    };
    other.execute_batch("BEGIN").expect("free");
    assert_eq!(rows(), 0);
    let mut model = Model::default();
    for n in 0..20 {
        let write = Write { commits: &[mixed(LINK, n)], effect: Some(n) };
        assert_eq!(block_on(harness.write(&mut holder, &write)), Ok(()));
        model.take(&write);
    }
    let passive = "PRAGMA wal_checkpoint(PASSIVE)";
    let _: i64 = H::conn(&mut holder).query_row(passive, [], |row| row.get(0)).expect("no error");
    assert_eq!(rows(), 0, "what it saw first");
    other.execute_batch("COMMIT").expect("its own");
    assert!(rows() > 0);
    assert!(State::of(&mut harness, &mut holder) == State::of_model(&model));
}
