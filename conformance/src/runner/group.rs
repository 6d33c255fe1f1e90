//! Processes that end with all that they started: each shim leads a process group of its own.

use std::io;
use std::process::{Child, Command};

/// Starts a command as the leader of a process group, which ends with the runner, too.
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
    unix::end(child);
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(unix)]
mod unix {
    use std::collections::BTreeSet;
    use std::io;
    use std::process::Child;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use rustix::process::{Pid, Signal, kill_process_group};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    /// The groups that run.
    static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

    pub(super) fn add(child: &Child) {
        let _ = GROUPS.lock().unwrap_or_else(PoisonError::into_inner).insert(child.id());
    }

    pub(super) fn end(child: &Child) {
        if GROUPS.lock().unwrap_or_else(PoisonError::into_inner).remove(&child.id()) {
            kill(child.id());
        }
    }

    fn kill(group: u32) {
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
                let groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
                groups.iter().copied().for_each(kill);
                std::process::exit(128 + signal);
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
    }
}
