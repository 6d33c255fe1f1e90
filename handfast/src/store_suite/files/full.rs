//! Cases about a full disk and missing permissions.

extern crate std;

use std::process::{Command, Output};
use std::string::String;
use std::{eprintln, fs, vec};

use super::{FileHarness, State, child, numbers, role, role_of};
use crate::store_suite::model::{LINK, Model, mixed, put, version};
use crate::store_suite::{Write, WriteError, block_on};
use handfast_session::testing::commit;

/// The id of a user that owns nothing.
const NOBODY: u32 = 65_534;

/// Checks a database that may not grow: nothing of the failed transaction is stored, the error text says what
/// to do, and the same transaction succeeds once there is space.
///
/// # Panics
///
/// If the store does not behave so.
pub fn a_full_database_takes_nothing_and_goes_on_when_there_is_room<H: FileHarness>(_: &str) {
    let mut harness = block_on(H::new());
    let mut holder = harness.try_open().expect("a new store opens");
    let mut model = Model::default();
    for room in 0..12_u64 {
        let first = Write { commits: &[mixed(LINK, 2 * room)], effect: Some(2 * room) };
        assert_eq!(block_on(harness.write(&mut holder, &first)), Ok(()));
        model.take(&first);
        let conn = H::conn(&mut holder);
        let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0)).expect("read");
        conn.pragma_update(None, "max_page_count", pages + i64::try_from(room).expect("small")).expect("set");
        let key = [&[0x30], room.to_be_bytes().as_slice()].concat();
        let large = [commit(LINK, 2 * room + 1, vec![put(&key, &vec![1; 60_000])])];
        let write = Write { commits: &large, effect: Some(2 * room + 1) };
        let Err(WriteError::Store(text)) = block_on(harness.write(&mut holder, &write)) else {
            panic!("60 kB do not fit into {room} pages");
        };
        assert!(text.contains("disk is full") && text.contains("free some space"), "{text}");
        block_on(harness.recover(&mut holder));
        assert!(State::of(&mut harness, &mut holder) == State::of_model(&model), "nothing is half there");
        H::conn(&mut holder).pragma_update(None, "max_page_count", 1 << 30).expect("set");
        assert_eq!(block_on(harness.write(&mut holder, &write)), Ok(()), "there is room");
        model.take(&write);
    }
    drop(holder);
    let mut holder = harness.try_open().expect("it opens");
    assert!(State::of(&mut harness, &mut holder) == State::of_model(&model));
}

/// Writes until the store refuses, and prints the number of each transaction that it accepted. Returns the
/// error.
pub(super) fn write_and_tell<H: FileHarness>(harness: &mut H, holder: &mut H::Holder) -> String {
    let first = version(&block_on(harness.pairs(holder, LINK)));
    for n in first.. {
        let write = Write { commits: &[mixed(LINK, n)], effect: Some(n) };
        match block_on(harness.write(holder, &write)) {
            Ok(()) => eprintln!("\nacked {n}"),
            Err(error) => return std::format!("{error:?}"),
        }
    }
    unreachable!("a disk is finite")
}

/// Checks a disk to which no more bytes can be written (a limit on file size stands in for a full disk):
/// writing ends with an error text, and what was acknowledged is stored.
///
/// # Panics
///
/// If the store does not behave so.
pub fn a_full_disk_ends_the_writes_and_loses_nothing<H: FileHarness>(test: &str) {
    if let Some(dir) = role() {
        let mut harness = H::at(&dir);
        match harness.try_open() {
            Ok(mut holder) => eprintln!("\nrefused {}", write_and_tell(&mut harness, &mut holder)),
            Err(error) => eprintln!("\nrefused {error}"),
        }
        return;
    }
    let program = std::env::current_exe().expect("a program");
    for blocks in [120, 200, 333, 500] {
        let mut harness = block_on(H::new());
        drop(harness.try_open().expect("a new store opens"));
        // A process that ignores SIGXFSZ gets an error for a write beyond the limit.
        let script = std::format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let inner = child(&program, test, &[role_of(harness.dir())]);
        let mut shell = Command::new("sh");
        let _ = shell.arg("-c").arg(script).arg(inner.get_program()).args(inner.get_args());
        let _ = shell.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let lines = told(shell.output());
        assert!(lines.contains("refused") && lines.contains("disk"), "{blocks}: {lines}");
        let acked = numbers(&lines, "acked ");
        assert!(acked.iter().copied().eq(0..u64::try_from(acked.len()).expect("few")), "{acked:?}");
        let mut holder = harness.try_open().expect("it opens when there is room");
        let found = version(&block_on(harness.pairs(&mut holder, LINK)));
        assert_eq!(
            found,
            acked.last().map_or(0, |last| last + 1),
            "{blocks}: what was acknowledged, and no more"
        );
        let write = Write { commits: &[mixed(LINK, found)], effect: Some(found) };
        assert_eq!(block_on(harness.write(&mut holder, &write)), Ok(()), "it goes on");
    }
}

/// Checks that a directory or database without write permission is refused with a text that says so. Root may
/// write everything, so a child process runs as another user.
///
/// # Panics
///
/// If the store does not behave so.
pub fn what_may_not_be_written_says_so<H: FileHarness>(test: &str) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;

    if let Some(dir) = role() {
        let mut harness = H::at(&dir);
        let answer = match harness.try_open() {
            Ok(mut holder) => {
                let write = Write { commits: &[mixed(LINK, 0)], effect: Some(0) };
                std::format!("{:?}", block_on(harness.write(&mut holder, &write)))
            }
            Err(error) => error,
        };
        eprintln!("\nanswer {answer}");
        return;
    }
    let set = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    for (of_dir, of_files) in [(0o700, 0o600), (0o500, 0o600), (0o700, 0o400), (0o500, 0o400)] {
        let mut harness = block_on(H::new());
        drop(harness.try_open().expect("a new store opens"));
        let dir = harness.dir().to_path_buf();
        let home = tempfile::tempdir().expect("a directory");
        let program = home.path().join("program");
        let _ = fs::copy(std::env::current_exe().expect("a program"), &program).expect("copied");
        let mut command = child(&program, test, &[role_of(&dir)]);
        let is_root = fs::metadata(&dir).expect("there").uid() == 0;
        let mut paths = vec![dir.clone()];
        for entry in fs::read_dir(&dir).expect("listed") {
            paths.push(entry.expect("an entry").path());
        }
        for path in &paths {
            if path.is_file() {
                set(path, of_files);
            }
            if is_root {
                chown(path, Some(NOBODY), None).expect("root may");
            }
        }
        set(&dir, of_dir);
        if is_root {
            set(home.path(), 0o755);
            let _ = command.uid(NOBODY);
        }
        let lines = told(command.output());
        set(&dir, 0o700);
        let answer = lines.lines().find(|line| line.starts_with("answer ")).expect("an answer").to_owned();
        let is_refused = answer.contains("check the permissions") || answer.contains("check the disk");
        // If the directory accepts no new files, the existing files may suffice.
        let may_work = of_files == 0o600 && answer.contains("Ok");
        let may_refuse = (of_dir, of_files) != (0o700, 0o600) && is_refused;
        assert!(may_work || may_refuse, "{of_dir:o} {of_files:o}: {answer}");
    }
}

/// Returns what a child process wrote to standard error.
fn told(output: std::io::Result<Output>) -> String {
    let output = output.expect("it runs");
    let lines = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{lines}");
    lines
}
