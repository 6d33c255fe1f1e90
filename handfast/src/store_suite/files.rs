//! Cases about what can go wrong below a SQLite store: power that fails during a write, damaged files, no
//! space, no permission, other programs, killed processes.
//!
//! The cases use files in temporary directories, and start processes and threads.

extern crate std;

mod damaged;
mod database;
mod disk;
mod foreign;
mod full;
mod killed;
mod small_disk;
mod torn;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::string::String;
use std::vec::Vec;

use handfast_session::LinkRows;
use rusqlite::Connection;

use super::harness::{StoreHarness, block_on};
use super::model::{LINK, Model, OTHER};

pub use damaged::{
    a_database_without_its_log_is_refused, damaged_files_are_never_taken_for_good_ones,
    other_versions_of_the_tables_are_left_alone,
};
pub use database::{DatabaseHarness, DatabaseStore};
pub use foreign::{
    a_foreign_reader_holds_nobody_up, a_foreign_writer_makes_the_store_busy_not_wrong,
    foreign_commits_and_checkpoints_in_a_storm_lose_nothing,
};
pub use full::{
    a_full_database_takes_nothing_and_goes_on_when_there_is_room,
    a_full_disk_ends_the_writes_and_loses_nothing, what_may_not_be_written_says_so,
};
pub use killed::a_killed_process_leaves_whole_transactions;
pub use small_disk::SmallDisk;
pub use torn::{
    a_log_that_is_cut_or_scrambled_opens_to_a_prefix, a_torn_checkpoint_changes_nothing,
    a_torn_commit_is_there_whole_or_not_at_all,
};

/// A store in SQLite whose files are in one directory.
pub trait FileHarness: StoreHarness {
    /// The database's file name in the directory.
    const DATABASE: &'static str;

    /// Returns the store of a directory into which another store's files were copied.
    fn at(dir: &Path) -> Self;

    /// Returns the directory of the store's files.
    fn dir(&self) -> &Path;

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// The error text.
    fn try_open(&mut self) -> Result<Self::Holder, String>;

    /// Returns the SQLite connection of a process that has the store open.
    fn conn(holder: &mut Self::Holder) -> &mut Connection;
}

/// Expands to one test for each case about files, for a store in SQLite.
#[macro_export]
macro_rules! store_file_suite {
    ($harness:ty) => {
        $crate::store_file_suite! { $harness:
            a_torn_commit_is_there_whole_or_not_at_all
            a_torn_checkpoint_changes_nothing
            a_log_that_is_cut_or_scrambled_opens_to_a_prefix
            a_killed_process_leaves_whole_transactions
            a_database_without_its_log_is_refused
            foreign_commits_and_checkpoints_in_a_storm_lose_nothing
            a_foreign_writer_makes_the_store_busy_not_wrong
            a_foreign_reader_holds_nobody_up
            a_full_database_takes_nothing_and_goes_on_when_there_is_room
            a_full_disk_ends_the_writes_and_loses_nothing
            what_may_not_be_written_says_so
            damaged_files_are_never_taken_for_good_ones
            other_versions_of_the_tables_are_left_alone
        }
    };
    ($harness:ty: $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                let name = concat!(module_path!(), "::", stringify!($case));
                $crate::store_suite::files::$case::<$harness>(name);
            }
        )*
    };
}

/// Everything that a store contains.
#[derive(PartialEq)]
struct State {
    pairs: Vec<LinkRows>,
    effects: Vec<u64>,
}

impl State {
    fn of<H: StoreHarness>(harness: &mut H, holder: &mut H::Holder) -> Self {
        let pairs = [LINK, OTHER].map(|link| block_on(harness.pairs(holder, link))).into();
        Self { pairs, effects: block_on(harness.effects(holder)) }
    }

    fn of_model(model: &Model) -> Self {
        let pairs = [LINK, OTHER].map(|link| model.store.link_rows(link)).into();
        Self { pairs, effects: model.effects.clone() }
    }
}

/// Returns the answer of `PRAGMA integrity_check`: `ok`, or what is wrong.
fn integrity(conn: &Connection) -> String {
    conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap_or_else(|error| error.to_string())
}

/// Returns a command that runs one test of this program again as a child process, whose role is in its
/// environment.
fn child(program: &Path, test: &str, role: &[(&str, String)]) -> Command {
    let mut command = Command::new(program);
    // Test names on the command line do not begin with the name of the crate.
    let test = test.split_once("::").map_or(test, |(_, path)| path);
    let _ = command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    let _ = command.envs(role.iter().map(|(name, value)| (*name, value)));
    command
}

/// Returns the directory in which this process works if it is a child process of the suite, or `None`.
fn role() -> Option<PathBuf> {
    std::env::var_os("HANDFAST_SUITE_DIR").map(PathBuf::from)
}

fn role_of(dir: &Path) -> (&'static str, String) {
    ("HANDFAST_SUITE_DIR", dir.to_str().expect("a temporary path is text").to_owned())
}

/// Returns the numbers after `word` in the lines that a child process wrote.
fn numbers(lines: &str, word: &str) -> Vec<u64> {
    lines.lines().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
}

/// A generator with a fixed seed, for tests that must be repeatable.
struct Chance(u64);

impl Chance {
    /// Returns a pseudo-random number below `end`.
    fn below(&mut self, end: usize) -> usize {
        // The multiplier and increment of Knuth's MMIX generator, whose upper bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).map_or(0, |number| number % end.max(1))
    }
}

/// The contents of a store's files, by name. Files that SQLite rebuilds are left out: the log's index and the
/// locks.
type Files = BTreeMap<String, Vec<u8>>;
