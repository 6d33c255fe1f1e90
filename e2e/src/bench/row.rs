//! A row of the table: what was measured, beside what, and what it should be.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a ratio of ours to the peer's should be.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "there is no third way to compare")]
pub enum Target {
    /// This much or more, for what is good when it is high.
    AtLeast(f64),
    /// This much or less, for what is good when it is low.
    AtMost(f64),
}

/// A figure of ours beside that of a peer in the same run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The peer, with what it leaves out.
    pub against: String,
    /// The unit of both figures.
    pub unit: String,
    /// The median of our figures.
    pub ours: f64,
    /// The median of the peer's.
    pub peer: f64,
    /// What `ours / peer` should be, if anything was decided.
    pub target: Option<Target>,
    /// What else is to be known about the figure, such as the processor's time.
    pub note: String,
}

impl Row {
    /// Returns our figure as a part of the peer's.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.ours / self.peer
    }

    /// Returns whether the ratio is as it should be; true without a target.
    #[must_use]
    pub fn is_met(&self) -> bool {
        match self.target {
            Some(Target::AtLeast(least)) => self.ratio() >= least,
            Some(Target::AtMost(most)) => self.ratio() <= most,
            None => true,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {least:.2}"),
            Self::AtMost(most) => write!(f, "at most {most:.2}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_from_its_side() {
        let row = |ours, target| Row {
            what: String::new(),
            against: String::new(),
            unit: String::new(),
            ours,
            peer: 2.0,
            target,
            note: String::new(),
        };
        assert!(row(1.0, Some(Target::AtLeast(0.5))).is_met());
        assert!(!row(0.9, Some(Target::AtLeast(0.5))).is_met());
        assert!(row(1.0, Some(Target::AtMost(0.5))).is_met());
        assert!(!row(1.1, Some(Target::AtMost(0.5))).is_met());
        assert!(row(9.0, None).is_met());
    }
}
