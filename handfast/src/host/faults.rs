//! Faults at the commits of a host, for [`crate::testing`]. Never part of a shipped build.

use handfast_session::role::Role;

use super::Host;

/// The largest number of passes that one round may make.
pub(crate) const PASSES_MAX: u32 = 10_000;

/// What becomes of the next transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitFault {
    KillBefore,
    KillAfter,
    Fail,
}

/// Why the process has ended in the middle of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Killed,
    NoProgress,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) next: Option<CommitFault>,
    /// Whether a call of the application may have written something.
    pub(crate) was_called: bool,
    pub(crate) death: Option<Death>,
    /// The number of durable transactions of this round, and of its passes.
    pub(crate) commits: u32,
    pub(crate) passes: u32,
}

impl<R: Role, L, A, E> Host<R, L, A, E> {
    /// Decides whether the open transaction is lost.
    pub(super) fn fails_before_commit(&mut self) -> bool {
        let mut ports =
            self.links.values().map(|link| &link.port).chain(self.attempts.values().map(|at| &at.port));
        let has_writes = self.faults.was_called || ports.any(|port| !port.applied.is_empty());
        let faults = &mut self.faults;
        faults.passes = faults.passes.saturating_add(1);
        if faults.passes > PASSES_MAX {
            faults.death = Some(Death::NoProgress);
        } else if has_writes && matches!(faults.next, Some(CommitFault::KillBefore | CommitFault::Fail)) {
            faults.death = (faults.next.take() == Some(CommitFault::KillBefore)).then_some(Death::Killed);
            return true;
        }
        faults.death.is_some()
    }

    /// Notes whether a transaction became durable, and decides whether the process is killed then.
    pub(super) fn fails_after_commit(&mut self, is_stored: bool) -> bool {
        let faults = &mut self.faults;
        faults.was_called = false;
        faults.commits = faults.commits.saturating_add(is_stored.into());
        let is_killed = is_stored && faults.next == Some(CommitFault::KillAfter);
        if is_killed {
            (faults.next, faults.death) = (None, Some(Death::Killed));
        }
        is_killed
    }
}
