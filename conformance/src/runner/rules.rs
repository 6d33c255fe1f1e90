//! What counts as a failure of an implementation.

use super::finding::{Class, Finding};
use super::options::{Asking, Level};
use super::outcome::Run;

/// What counts as a failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) level: Level,
    /// Whether what is left out fails, too.
    pub(super) complete: bool,
}

impl Rules {
    pub(super) fn of(asking: &Asking) -> Self {
        Self { level: asking.level, complete: asking.complete }
    }

    /// Whether a case ended as none should, expected or not.
    pub(super) fn is_wrong(self, class: Class) -> bool {
        let left_out = matches!(class, Class::Unsupported | Class::Skipped);
        class.is_failure(self.level.is_strict()) || (self.complete && left_out)
    }

    /// Whether a case fails the run.
    pub(super) fn fails(self, finding: &Finding) -> bool {
        self.is_wrong(finding.class) && finding.expected.is_none()
    }

    /// Whether every shim began, no case fails, and what was expected to fail does.
    pub(super) fn is_good(self, run: &Run) -> bool {
        let is_fine = |finding: &Finding| !self.fails(finding);
        run.stale.is_empty()
            && run.columns.iter().all(|column| column.hello.is_ok() && column.findings.values().all(is_fine))
    }
}
