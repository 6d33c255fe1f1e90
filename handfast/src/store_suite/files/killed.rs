//! Cases about processes that are killed while they write.

extern crate std;

use std::eprintln;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::string::{String, ToString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::vec::Vec;

use super::full::write_and_tell;
use super::{Chance, FileHarness, State, child, integrity, numbers, role, role_of};
use crate::store_suite::Write;
use crate::store_suite::block_on;
use crate::store_suite::model::{LINK, Model, mixed, version};

/// The environment variable with the number of the SQLite instruction at which a child process aborts.
const ABORT_AT: &str = "HANDFAST_SUITE_ABORT_AT";
/// The number of processes that are killed.
const ROUNDS: u64 = 40;

/// Checks that every transaction is stored completely or not at all, and every acknowledged one completely,
/// whether the process aborts at a random database instruction or is killed from outside.
///
/// # Panics
///
/// If the store does not behave so.
pub fn a_killed_process_leaves_whole_transactions<H: FileHarness>(test: &str) {
    if let Some(dir) = role() {
        return write_until_dead::<H>(&dir);
    }
    let mut harness = block_on(H::new());
    let mut chance = Chance(5);
    let mut model = Model::default();
    let mut within = 0;
    for round in 0..ROUNDS {
        let lines = if round % 4 == 3 {
            killed_after(&harness, test, chance.below(6))
        } else {
            let at = 1 + chance.below(1_500);
            let mut process = child(&program(), test, &[role_of(harness.dir()), (ABORT_AT, at.to_string())]);
            let output = process.output().expect("it runs");
            assert!(!output.status.success(), "it was to die");
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let acked = numbers(&lines, "acked ");
        let mut holder = harness.try_open().expect("it opens after a death");
        let found = version(&block_on(harness.pairs(&mut holder, LINK)));
        let least = acked.last().map_or(model.version(LINK), |last| last + 1);
        assert!(found == least || found == least + 1, "round {round}: {found} for {acked:?}");
        within += u64::from(found == least);
        for n in model.version(LINK)..found {
            model.take(&Write { commits: &[mixed(LINK, n)], effect: Some(n) });
        }
        assert!(State::of(&mut harness, &mut holder) == State::of_model(&model), "round {round}");
        assert_eq!(integrity(H::conn(&mut holder)), "ok", "round {round}");
    }
    assert!(model.version(LINK) > 10 && within > 10, "some lived, and some died within a transaction");
}

fn program() -> std::path::PathBuf {
    std::env::current_exe().expect("a program")
}

/// Kills a child process once it has acknowledged `count` transactions. Returns what it wrote.
fn killed_after<H: FileHarness>(harness: &H, test: &str, count: usize) -> String {
    let mut command = child(&program(), test, &[role_of(harness.dir())]);
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut lines = Vec::new();
    let mut output = BufReader::new(process.stderr.take().expect("piped")).lines();
    while lines.iter().filter(|line: &&String| line.starts_with("acked ")).count() <= count {
        lines.push(output.next().expect("it goes on").expect("text"));
    }
    process.kill().expect("it lives");
    let _ = process.wait().expect("it is dead");
    // Lines count too if the process wrote them before it was killed and they were not read yet.
    lines.extend(output.map_while(Result::ok));
    lines.join("\n")
}

/// Runs in the child process: writes until the process is killed.
fn write_until_dead<H: FileHarness>(dir: &std::path::Path) {
    let mut harness = H::at(dir);
    let mut holder = harness.try_open().expect("it opens");
    if let Some(at) = std::env::var(ABORT_AT).ok().and_then(|at| at.parse::<u64>().ok()) {
        let calls = std::sync::Arc::new(AtomicU64::new(0));
        let dies = move || {
            if calls.fetch_add(1, Ordering::Relaxed) + 1 == at {
                std::process::abort();
            }
            false
        };
        let conn = H::conn(&mut holder);
        conn.progress_handler(1, Some(dies.clone())).expect("SQLite takes a progress handler");
        conn.commit_hook(Some(dies)).expect("SQLite takes a commit hook");
    }
    eprintln!("\nrefused {}", write_and_tell(&mut harness, &mut holder));
}
