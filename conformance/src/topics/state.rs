//! Every cell of every state table: the shortest way to the state, then the event.

mod session;

use std::collections::BTreeMap;

use anyhow::Result;
use handfast_codec::frame::OpenKind;
use serde_json::{Value, json};

use self::session::Act;
use crate::case::Case;
use crate::ops::code_of;
use crate::state::{Cells, Table, stream, tables};

/// The events as steps; where an event fixes the bytes that come, they stand beside it.
fn steps(machine: &str, events: &[&str]) -> Vec<Value> {
    let (mut arrived, mut next) = (0, 1);
    let mut out = Vec::new();
    for event in events {
        let mut step = json!({ "event": event });
        let stream =
            |kind| stream::frames(kind, event, arrived, [7; 32]).map(|frames| Act::Recv(vec![frames]));
        let act = match machine {
            "stream-receiver" => stream(OpenKind::Put),
            "stream-sender" => stream(OpenKind::Get),
            "put-phone" => session::put_at_phone(event, 2 * out.len() as u64),
            "session-phone" => Some(session::at_phone(event, next)),
            "session-web" => Some(session::at_web(event)),
            "limits-phone" => Some(session::limit_at_phone(event)),
            "limits-web" => Some(session::limit_at_web(event)),
            _ => None,
        };
        if let Some(act) = act {
            act.into_step(&mut step);
        }
        arrived += if *event == "DATA" { 100 } else { 0 };
        next += u64::from(["COMMAND", "PART_SECOND"].contains(event));
        out.push(step);
    }
    out
}

/// For each state the shortest list of events that leads there, the earlier event first.
fn ways<'a>(table: &'a Table, cells: &Cells<'a>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut ways = BTreeMap::new();
    let mut queue: Vec<(&str, Vec<&str>)> =
        table.states.first().map(|(name, _)| (name.as_str(), vec![])).into_iter().collect();
    let mut next = 0;
    while let Some((state, way)) = queue.get(next).cloned() {
        next += 1;
        if ways.contains_key(state) {
            continue;
        }
        for (event, _) in &table.events {
            let Some(cell) = cells.get(&(state, event.as_str())) else { continue };
            if cell.never.is_empty() && !cell.next.is_empty() {
                queue.push((cell.next.as_str(), [&way[..], &[event.as_str()]].concat()));
            }
        }
        let _ = ways.insert(state, way);
    }
    ways
}

/// The cells whose event is answered by an error, or the others.
fn cases(refused: bool) -> Result<Vec<Case>> {
    let mut out = Vec::new();
    for table in tables()? {
        let cells = table.cells()?;
        let ways = ways(&table, &cells);
        for (state, _) in &table.states {
            let Some(way) = ways.get(state.as_str()) else { continue };
            for (event, meaning) in &table.events {
                let Some(cell) = cells.get(&(state.as_str(), event.as_str())) else { continue };
                let code = cell.says.iter().find_map(|word| code_of(word));
                if !cell.never.is_empty() || code.is_some() != refused {
                    continue;
                }
                let steps = steps(&table.machine, &[&way[..], &[event.as_str()]].concat());
                let input = json!({ "machine": table.machine, "state": state, "steps": steps });
                let fallback = [table.req.as_str()];
                let cited: Vec<&str> = cell.req.iter().map(String::as_str).take(3).collect();
                let reqs = if cited.is_empty() { &fallback[..] } else { &cited[..] };
                let prefix = if refused { "refuse-state" } else { "state" };
                let id = format!("{prefix}/{}/{state}/{event}", table.machine).to_lowercase();
                out.push(match code {
                    Some(code) => Case::invalid(&id, reqs, meaning, "state", input, code)?,
                    None => Case::valid(&id, reqs, meaning, "state", input)?,
                });
            }
        }
    }
    Ok(out)
}

pub(super) fn valid() -> Result<Vec<Case>> {
    cases(false)
}

pub(super) fn invalid() -> Result<Vec<Case>> {
    cases(true)
}
