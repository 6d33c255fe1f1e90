//! Processes that end with all that they started: each shim leads a process group of its own, which ends with the runner,
//! in whatever way that ends.

use std::io;
use std::process::{Child, Command};

/// Starts a command as the leader of a process group.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        unix::end_all_on_signals()?;
        let _ = command.process_group(0);
    }
    let child = command.spawn()?;
    #[cfg(unix)]
    unix::add(&child);
    Ok(child)
}

/// Ends a process that [`spawn`] started, and its group.
pub(super) fn end(child: &mut Child) {
    #[cfg(unix)]
    unix::kill(child);
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
    #[cfg(unix)]
    unix::remove(child);
}

/// Starts a process that ends all groups when this one is gone, also by a signal that no process can catch. `keep` makes
/// this program that process.
///
/// # Errors
///
/// It cannot be started.
pub fn start_keeper(keep: &str) -> io::Result<()> {
    #[cfg(unix)]
    unix::start_keeper(keep)?;
    Ok(())
}

/// Is that process: reads the groups from standard input, and when that closes ends those that are left.
///
/// # Errors
///
/// Standard input cannot be read.
pub fn keep() -> io::Result<()> {
    #[cfg(unix)]
    unix::keep(io::stdin().lock())?;
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::collections::BTreeSet;
    use std::io::{self, BufRead, Write as _};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, ChildStdin, Command, Stdio};
    use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

    use rustix::process::{Pid, Signal, kill_process_group};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    /// The groups that run.
    static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
    /// Who ends them after the runner. It reads lines: `+` or `-`, and a group.
    static KEEPER: Mutex<Option<ChildStdin>> = Mutex::new(None);

    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keeper is told first: between the two nothing can be lost but the runner itself.
    pub(super) fn add(child: &Child) {
        tell('+', child.id());
        let _ = lock(&GROUPS).insert(child.id());
    }

    pub(super) fn kill(child: &Child) {
        if lock(&GROUPS).remove(&child.id()) {
            kill_group(child.id());
        }
    }

    pub(super) fn remove(child: &Child) {
        tell('-', child.id());
    }

    fn tell(what: char, group: u32) {
        if let Some(keeper) = lock(&KEEPER).as_mut() {
            // A keeper that is gone cannot be told.
            let _ = keeper.write_all(format!("{what}{group}\n").as_bytes());
        }
    }

    fn kill_group(group: u32) {
        if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
            // Nobody may be left in it.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Groups of their own do not get the signals of the runner's terminal: they are ended before the runner is.
    pub(super) fn end_all_on_signals() -> io::Result<()> {
        static WATCHING: OnceLock<()> = OnceLock::new();
        if WATCHING.set(()).is_err() {
            return Ok(());
        }
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let wait = move || {
            if let Some(signal) = signals.forever().next() {
                lock(&GROUPS).iter().copied().for_each(kill_group);
                std::process::exit(128 + signal);
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
    }

    /// It has a group of its own, so that what ends the runner's does not end it, and none of the runner's pipes.
    pub(super) fn start_keeper(keep: &str) -> io::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        let _ = command.arg(keep).process_group(0).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        *lock(&KEEPER) = child.stdin.take();
        Ok(())
    }

    pub(super) fn keep(input: impl BufRead) -> io::Result<()> {
        for group in left(input)? {
            kill_group(group);
        }
        Ok(())
    }

    /// The groups that were added and not taken away.
    fn left(input: impl BufRead) -> io::Result<BTreeSet<u32>> {
        let mut groups = BTreeSet::new();
        for line in input.lines() {
            let line = line?;
            if let Some(group) = line.strip_prefix('+').and_then(|group| group.parse().ok()) {
                let _ = groups.insert(group);
            } else if let Some(group) = line.strip_prefix('-').and_then(|group| group.parse().ok()) {
                let _ = groups.remove(&group);
            }
        }
        Ok(groups)
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn what_was_taken_away_is_not_ended() {
            let left = super::left(&b"+10\n+11\n-10\n?\n+12\n-9\n"[..]).unwrap();
            assert_eq!(left.into_iter().collect::<Vec<_>>(), [11, 12]);
        }
    }
}
