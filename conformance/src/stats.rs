//! What the cases cover, in figures.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::Value;

use crate::case::{Case, VectorFile, Verdict};
use crate::state;

/// The figures of a set of cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "figures that are printed and tested")]
pub struct Stats {
    /// Cases that differ in operation or input.
    pub distinct: usize,
    /// Cases in all.
    pub total: usize,
    /// Those that are to be refused.
    pub invalid: usize,
    /// The mutator that made the most cases, and how many.
    pub largest_mutator: (String, usize),
    /// Operations, with their cases and how many of these are refused.
    pub kinds: BTreeMap<String, (usize, usize)>,
    /// Cells of the state tables that a case ends in.
    pub cells_covered: usize,
    /// Cells whose event can happen.
    pub cells: usize,
    /// Cells whose event cannot happen, by their table's word.
    pub cells_never: usize,
}

fn cell(case: &Case) -> Option<(String, String, String)> {
    let text = |name: &str| case.input.get(name).and_then(Value::as_str).map(str::to_owned);
    let last = case.input.get("steps").and_then(Value::as_array)?.last()?;
    let event = last.get("event").and_then(Value::as_str)?;
    (case.op == "state").then_some((text("machine")?, text("state")?, event.to_owned()))
}

impl Stats {
    /// Counts.
    ///
    /// # Errors
    ///
    /// If a state table is malformed.
    pub fn of(files: &[VectorFile]) -> Result<Self> {
        let cases = || files.iter().flat_map(|file| &file.cases);
        let mut stats = Self { total: cases().count(), ..Self::default() };
        let inputs: BTreeSet<String> =
            cases().map(|case| format!("{} {}", case.op, Value::Object(case.input.clone()))).collect();
        stats.distinct = inputs.len();
        let mut mutators = BTreeMap::<&str, usize>::new();
        for case in cases() {
            let is_invalid = usize::from(case.result == Verdict::Invalid);
            stats.invalid += is_invalid;
            let kind = stats.kinds.entry(case.op.clone()).or_default();
            *kind = (kind.0 + 1, kind.1 + is_invalid);
            if let Some(mutator) = &case.mutator {
                *mutators.entry(mutator).or_default() += 1;
            }
        }
        if let Some((name, count)) = mutators.into_iter().max_by_key(|(_, count)| *count) {
            stats.largest_mutator = (name.to_owned(), count);
        }
        let covered: BTreeSet<_> = cases().filter_map(cell).collect();
        for table in state::tables()? {
            for ((state, event), cell) in table.cells()? {
                if !cell.never.is_empty() {
                    stats.cells_never += 1;
                    continue;
                }
                stats.cells += 1;
                let name = (table.machine.clone(), state.to_owned(), event.to_owned());
                stats.cells_covered += usize::from(covered.contains(&name));
            }
        }
        Ok(stats)
    }

    /// Prints them, for people.
    #[must_use]
    pub fn page(&self) -> String {
        let share = |part: usize| format!("{:.1} %", 100.0 * ratio(part, self.total));
        let (name, count) = &self.largest_mutator;
        let mut out = format!(
            "{} distinct cases of {}\n{} negative, {}\n{count} by the largest mutator ({name}), {}\n",
            self.distinct,
            self.total,
            self.invalid,
            share(self.invalid),
            share(*count),
        );
        let _ = writeln!(
            out,
            "{} of {} state cells; {} more cannot happen, and their tables say why",
            self.cells_covered, self.cells, self.cells_never
        );
        for (kind, (cases, invalid)) in &self.kinds {
            let _ = writeln!(out, "{cases:>6} {kind}, {invalid} of them negative");
        }
        out
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    let float = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    float(part) / float(whole.max(1))
}
