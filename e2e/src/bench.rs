//! `cargo xtask bench`: the programs as they ship, each beside a peer in the same run, in turns; a row of a table for each.

mod cpu;
mod row;
mod transfers;

use std::path::Path;

use anyhow::{Context as _, Result};

pub use row::{Row, Target};

use crate::processes::build;
use crate::processes::random;
use crate::workspace;

/// How often each figure is taken; the median counts.
const TURNS: usize = 5;

/// Takes the figures of whole programs. `peer` is the program of the package `handfast-bench`.
///
/// # Errors
/// A program cannot be built or started, or something does not come at all.
pub fn programs(peer: &Path) -> Result<Vec<Row>> {
    let programs = build::shipped()?;
    let root = workspace::target().join(format!("bench-{}", random::hex(4)?));
    std::fs::create_dir_all(&root).with_context(|| format!("{} cannot be made", root.display()))?;
    let rows = transfers::measure(&programs, peer, &root)?;
    std::fs::remove_dir_all(&root).with_context(|| format!("{} cannot be removed", root.display()))?;
    Ok(rows)
}

/// Returns the middle one of some figures, and no number of none.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_counts_whatever_the_order() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }
}
