//! What can go wrong below a database on a disk, for every store in SQLite: power that fails in the middle of a write,
//! damaged files, no room, no permission, foreign programs, killed processes.
//!
//! May touch: files in temporary directories, and processes and threads of its own.

extern crate std;

mod damaged;
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

use handfast_session::Pairs;
use rusqlite::Connection;

use super::harness::{StoreHarness, block_on};
use super::model::{LINK, Model, OTHER};

pub use damaged::{
    damaged_files_are_never_taken_for_good_ones, other_versions_of_the_tables_are_left_alone,
    st05_a_database_without_its_log_is_refused,
};
pub use foreign::{
    a_foreign_reader_holds_nobody_up, a_foreign_writer_makes_the_store_busy_not_wrong,
    st01_foreign_commits_and_checkpoints_in_a_storm_lose_nothing,
};
pub use full::{
    a_full_database_takes_nothing_and_goes_on_when_there_is_room,
    a_full_disk_ends_the_writes_and_loses_nothing, what_may_not_be_written_says_so,
};
pub use killed::st04_a_killed_process_leaves_whole_transactions;
pub use small_disk::SmallDisk;
pub use torn::{
    st04_a_log_that_is_cut_or_scrambled_opens_to_a_prefix, st04_a_torn_checkpoint_changes_nothing,
    st04_a_torn_commit_is_there_whole_or_not_at_all,
};

/// A store in SQLite, with its files in one directory.
pub trait FileHarness: StoreHarness {
    /// The database's name in the directory.
    const DATABASE: &'static str;

    /// The store of a directory, which holds a copy of another's files.
    fn at(dir: &Path) -> Self;

    /// The directory.
    fn dir(&self) -> &Path;

    /// Opens the store, or gives what a user is told.
    ///
    /// # Errors
    ///
    /// The text.
    fn try_open(&mut self) -> Result<Self::Holder, String>;

    /// The connection of a holder.
    fn conn(holder: &mut Self::Holder) -> &mut Connection;
}

/// Makes one test of each case about files, for a store in SQLite.
#[macro_export]
macro_rules! store_file_suite {
    ($harness:ty) => {
        $crate::store_file_suite! { $harness:
            st04_a_torn_commit_is_there_whole_or_not_at_all
            st04_a_torn_checkpoint_changes_nothing
            st04_a_log_that_is_cut_or_scrambled_opens_to_a_prefix
            st04_a_killed_process_leaves_whole_transactions
            st05_a_database_without_its_log_is_refused
            st01_foreign_commits_and_checkpoints_in_a_storm_lose_nothing
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

/// All that a store holds.
#[derive(PartialEq)]
struct State {
    pairs: Vec<Pairs>,
    effects: Vec<u64>,
}

impl State {
    fn of<H: StoreHarness>(harness: &mut H, holder: &mut H::Holder) -> Self {
        let pairs = [LINK, OTHER].map(|link| block_on(harness.pairs(holder, link))).into();
        Self { pairs, effects: block_on(harness.effects(holder)) }
    }

    fn of_model(model: &Model) -> Self {
        let pairs = [LINK, OTHER].map(|link| model.store.pairs(link)).into();
        Self { pairs, effects: model.effects.clone() }
    }
}

/// The answer of `PRAGMA integrity_check`, `ok` or what is wrong.
fn integrity(conn: &Connection) -> String {
    conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap_or_else(|error| error.to_string())
}

/// A command that runs one test of this program again, as a child whose role the environment says.
fn child(program: &Path, test: &str, role: &[(&str, String)]) -> Command {
    let mut command = Command::new(program);
    // The path of a test does not begin with the name of its crate.
    let test = test.split_once("::").map_or(test, |(_, path)| path);
    let _ = command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    let _ = command.envs(role.iter().map(|(name, value)| (*name, value)));
    command
}

/// The directory in which this process is a child, if it is one.
fn role() -> Option<PathBuf> {
    std::env::var_os("HANDFAST_SUITE_DIR").map(PathBuf::from)
}

fn role_of(dir: &Path) -> (&'static str, String) {
    ("HANDFAST_SUITE_DIR", dir.to_str().expect("a temporary path is text").to_owned())
}

/// The numbers behind `word` in lines that a child wrote.
fn numbers(lines: &str, word: &str) -> Vec<u64> {
    lines.lines().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
}

/// Chance from a fixed seed, for tests that must replay.
struct Chance(u64);

impl Chance {
    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        // Numbers of Knuth's MMIX; the upper bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).map_or(0, |number| number % end.max(1))
    }
}

/// The files of a store, without what is rebuilt: the index of the log, and locks.
type Files = BTreeMap<String, Vec<u8>>;
