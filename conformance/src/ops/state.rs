//! A path through a state table of the specification, event by event.

use anyhow::{Context as _, Result, ensure};
use handfast_codec::ErrorCode;
use serde_json::{Map, Value, json};

use super::outcome::{Ending, Outcome};
use crate::fields::Fields;
use crate::state;

/// The code of an error that a word of a table names: `CLOSE(OFFSET)`, `told TIMEOUT`.
pub(crate) fn code_of(word: &str) -> Option<ErrorCode> {
    let in_brackets = word.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    let name = in_brackets.or_else(|| word.strip_prefix("told "))?;
    ErrorCode::ALL.iter().copied().find(|code| code.name() == name)
}

/// Follows the events from the machine's first state. The case is refused if the last event is answered by an error.
pub(super) fn run(input: &Map<String, Value>) -> Result<Ending> {
    let table = state::table(input.text("machine")?)?;
    let cells = table.cells()?;
    let mut at = table.states.first().map(|(name, _)| name.as_str()).context("a table has states")?;
    let mut steps = Vec::new();
    let mut error = None;
    for step in input.field("steps")?.as_array().context("steps is a list")? {
        let event = step.as_object().context("a step is an object")?.text("event")?;
        let cell = cells.get(&(at, event)).with_context(|| format!("no cell {at} x {event}"))?;
        ensure!(cell.never.is_empty(), "{at} x {event} cannot happen");
        if !cell.next.is_empty() {
            at = cell.next.as_str();
        }
        error = cell.says.iter().find_map(|word| code_of(word));
        steps.push(json!({ "next": at, "says": cell.says }));
    }
    Ok(match error {
        Some(code) => Err(code),
        None => Ok(Outcome::of(json!({ "steps": steps }))),
    })
}
