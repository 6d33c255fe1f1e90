//! Cases about power that fails during a write.

extern crate std;

use std::vec::Vec;

use super::disk::{Copy, files_of, log, tear, tear_log};
use super::{Chance, FileHarness, Files, State, integrity};
use crate::store_suite::model::{LINK, Model, OTHER, mixed};
use crate::store_suite::{Write, block_on};

/// The number of random power failures that are tried for each write.
const TRIALS: usize = 24;

/// A store, and a model of what it should contain.
struct Written<H: FileHarness> {
    harness: H,
    holder: H::Holder,
    model: Model,
}

impl<H: FileHarness> Written<H> {
    fn new() -> Self {
        let mut harness = block_on(H::new());
        let holder = harness.try_open().expect("a new store opens");
        Self { harness, holder, model: Model::default() }
    }

    /// Writes transaction `n` to the store and to the model.
    fn write(&mut self, n: u64) {
        let commits = [mixed(LINK, n), mixed(OTHER, n)];
        let write = Write { commits: &commits, effect: Some(n) };
        assert_eq!(block_on(self.harness.write(&mut self.holder, &write)), Ok(()));
        self.model.take(&write);
    }

    fn files(&self) -> Files {
        files_of(self.harness.dir())
    }

    fn checkpoint(&mut self, mode: &str) {
        let sql = std::format!("PRAGMA wal_checkpoint({mode})");
        let busy: i64 = H::conn(&mut self.holder).query_row(&sql, [], |row| row.get(0)).expect("it works");
        assert_eq!(busy, 0, "nobody else is there");
    }
}

/// Opens a copy of a store, and checks that the copy is sound and accepts writes. Returns its content.
fn opened<H: FileHarness>(files: &Files, when: &str) -> State {
    let mut copy = Copy::<H>::of(files);
    let mut holder = copy.harness.try_open().unwrap_or_else(|error| panic!("{when}: {error}"));
    let state = State::of(&mut copy.harness, &mut holder);
    assert_eq!(integrity(H::conn(&mut holder)), "ok", "{when}");
    let version = u64::try_from(state.effects.len()).expect("a few");
    let write = Write { commits: &[mixed(LINK, version)], effect: Some(version) };
    assert_eq!(block_on(copy.harness.write(&mut holder, &write)), Ok(()), "{when}: it goes on");
    state
}

/// Checks a commit of which only some sectors were written, in any order: it must be complete or absent, and
/// all earlier commits complete. This also holds when the log restarts over an older log.
///
/// # Panics
///
/// If the store does not behave so.
pub fn a_torn_commit_is_there_whole_or_not_at_all<H: FileHarness>(_: &str) {
    let mut written = Written::<H>::new();
    let mut chance = Chance(1);
    let mut whole = 0;
    for n in 0..8 {
        if n == 3 || n == 6 {
            written.checkpoint("RESTART");
        }
        let (before, old) = (written.files(), State::of_model(&written.model));
        written.write(n);
        let (after, new) = (written.files(), State::of_model(&written.model));
        assert!(before[H::DATABASE] == after[H::DATABASE], "a commit writes to the log alone");
        for trial in 0..TRIALS {
            let mut torn = before.clone();
            let log = log::<H>();
            let tail = tear_log(&mut chance, before.get(&log).map_or(&[], Vec::as_slice), &after[&log]);
            let _ = torn.insert(log, tail);
            let state = opened::<H>(&torn, &std::format!("commit {n}, trial {trial}"));
            assert!(state == old || state == new, "commit {n}, trial {trial}: half of it is there");
            whole += usize::from(state == new);
        }
        assert!(opened::<H>(&after, "whole") == new, "what was synced is there");
    }
    assert!(whole > 0 && whole < 8 * TRIALS, "some tears hurt and some do not");
}

/// Checks that a checkpoint of which only a part was written loses nothing, because the log stays until the
/// checkpoint is complete.
///
/// # Panics
///
/// If the store does not behave so.
pub fn a_torn_checkpoint_changes_nothing<H: FileHarness>(_: &str) {
    let mut written = Written::<H>::new();
    let mut chance = Chance(2);
    for n in 0..4 {
        written.write(2 * n);
        written.write(2 * n + 1);
        let before = written.files();
        written.checkpoint("PASSIVE");
        let after = written.files();
        assert!(before[H::DATABASE] != after[H::DATABASE] && before[&log::<H>()] == after[&log::<H>()]);
        for trial in 0..TRIALS {
            let mut torn = before.clone();
            let tail = tear(&mut chance, &before[H::DATABASE], &after[H::DATABASE]);
            let _ = torn.insert(H::DATABASE.into(), tail);
            let state = opened::<H>(&torn, &std::format!("checkpoint {n}, trial {trial}"));
            assert!(state == State::of_model(&written.model), "checkpoint {n}, trial {trial}");
        }
    }
}

/// Checks a log that was damaged after it was synced: the store opens to the commits before the damage, never
/// to a mixture.
///
/// # Panics
///
/// If the store does not behave so.
pub fn a_log_that_is_cut_or_scrambled_opens_to_a_prefix<H: FileHarness>(_: &str) {
    let mut written = Written::<H>::new();
    let mut states = std::vec![State::of_model(&written.model)];
    for n in 0..6 {
        written.write(n);
        states.push(State::of_model(&written.model));
    }
    let files = written.files();
    let bytes = &files[&log::<H>()];
    let mut chance = Chance(3);
    let mut found = std::collections::BTreeSet::new();
    for trial in 0..6 * TRIALS {
        let mut damaged = bytes.clone();
        let at = chance.below(bytes.len());
        if trial % 2 == 0 {
            damaged.truncate(at);
        } else {
            for byte in damaged[at..].iter_mut().take(1 + chance.below(600)) {
                *byte ^= u8::try_from(1 + chance.below(255)).expect("a byte");
            }
        }
        let mut copy = files.clone();
        let _ = copy.insert(log::<H>(), damaged);
        let state = opened::<H>(&copy, &std::format!("damage at {at}, trial {trial}"));
        let prefix = states.iter().position(|one| *one == state);
        let _ = found.insert(prefix.unwrap_or_else(|| panic!("damage at {at}: a mixture of commits")));
    }
    assert!(found.len() > 3, "the damage reached several commits");
}
