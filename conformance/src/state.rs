//! The state tables of the specification, `spec/state/*.toml`: each cell of every table says what comes of it.
//!
//! The tables are the authority. `spec/state.md` is made of them, and the tests of the machines walk every cell.

pub mod stream;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// The files, by their machine's name.
const FILES: &[(&str, &str)] = &[
    ("relay-socket", include_str!("../spec/state/relay-socket.toml")),
    ("pairing-phone", include_str!("../spec/state/pairing-phone.toml")),
    ("pairing-web", include_str!("../spec/state/pairing-web.toml")),
    ("stream-receiver", include_str!("../spec/state/stream-receiver.toml")),
    ("relay-pairing", include_str!("../spec/state/relay-pairing.toml")),
    ("relay-limits", include_str!("../spec/state/relay-limits.toml")),
    ("greeting-web", include_str!("../spec/state/greeting-web.toml")),
    ("ratchet-phone", include_str!("../spec/state/ratchet-phone.toml")),
    ("ratchet-web", include_str!("../spec/state/ratchet-web.toml")),
    ("link-phone", include_str!("../spec/state/link-phone.toml")),
    ("link-web", include_str!("../spec/state/link-web.toml")),
    ("confirm-phone", include_str!("../spec/state/confirm-phone.toml")),
    ("put-phone", include_str!("../spec/state/put-phone.toml")),
    ("session-phone", include_str!("../spec/state/session-phone.toml")),
    ("session-web", include_str!("../spec/state/session-web.toml")),
    ("limits-phone", include_str!("../spec/state/limits-phone.toml")),
    ("limits-web", include_str!("../spec/state/limits-web.toml")),
    ("stream-sender", include_str!("../spec/state/stream-sender.toml")),
];

const HEAD: &str = "# State tables

Made by `handfast-conformance states` from the tables in [state/](state/), which are the authority; a test keeps this page
current, and the tests of the machines walk every cell. A row is an event, a column a state; a cell says the next
state and, behind a slash, what is sent or told. A dot is: nothing changes and nothing is said. A dash is: this cannot
happen there, and the table says why.

A frame stands by its name, with its code in brackets; MESSAGE is a handshake message of a pairing. `told X`: the user or
the application is told X, and nothing leaves by it. MISUSE: the call is not taken. STORED: this side makes a commit, a
change of what it keeps of the link, and that is durable before a frame that stands behind it in the cell leaves (a
LINK_CLOSE alone need not wait). What a commit holds is said below the title of each table that has one.
";

/// One machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The machine's name.
    pub machine: String,
    /// What it is, for a person.
    pub title: String,
    /// The requirement that a cell shows which cites none of its own.
    pub req: String,
    /// What STORED changes in this table; empty where no cell says it.
    #[serde(default)]
    pub stored: String,
    /// The states and what they mean; the first is where it begins.
    pub states: Vec<(String, String)>,
    /// The events and what they mean.
    pub events: Vec<(String, String)>,
    #[serde(rename = "cell")]
    rules: Vec<Rule>,
}

/// One or more cells with the same outcome.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    state: Vec<String>,
    event: Vec<String>,
    #[serde(flatten)]
    cell: Cell,
}

/// What comes of an event in a state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Cell {
    /// The next state; empty: the same one.
    #[serde(default)]
    pub next: String,
    /// What is sent or told, in order.
    #[serde(default)]
    pub says: Vec<String>,
    /// The requirements behind it.
    #[serde(default)]
    pub req: Vec<String>,
    /// Why the event cannot happen in this state; empty: it can.
    #[serde(default)]
    pub never: String,
}

/// Every cell of a table, by state and event.
pub type Cells<'a> = BTreeMap<(&'a str, &'a str), &'a Cell>;

impl Table {
    /// Every cell.
    ///
    /// # Errors
    ///
    /// If a cell is missing or stands twice, or a rule names a state or an event that the table does not have.
    pub fn cells(&self) -> Result<Cells<'_>> {
        let mut cells = Cells::new();
        for rule in &self.rules {
            for state in &rule.state {
                ensure!(self.has_state(state), "{}: no state {state}", self.machine);
                for event in &rule.event {
                    let is_known = self.events.iter().any(|(name, _)| name == event);
                    ensure!(is_known, "{}: no event {event}", self.machine);
                    let old = cells.insert((state.as_str(), event.as_str()), &rule.cell);
                    ensure!(old.is_none(), "{}: {state} x {event} stands twice", self.machine);
                }
            }
            let says_stored = rule.cell.says.iter().any(|word| word == "STORED");
            ensure!(!(says_stored && self.stored.is_empty()), "{}: what is STORED?", self.machine);
            let next = &rule.cell.next;
            ensure!(next.is_empty() || self.has_state(next), "{}: no state {next}", self.machine);
        }
        for (state, _) in &self.states {
            for (event, _) in &self.events {
                let is_there = cells.contains_key(&(state.as_str(), event.as_str()));
                ensure!(is_there, "{}: {state} x {event} is empty", self.machine);
            }
        }
        Ok(cells)
    }

    fn has_state(&self, state: &str) -> bool {
        self.states.iter().any(|(name, _)| name == state)
    }

    /// The requirements that its cells cite.
    pub fn reqs(&self) -> impl Iterator<Item = &str> {
        let cited = self.rules.iter().flat_map(|rule| &rule.cell.req).map(String::as_str);
        cited.chain([self.req.as_str()])
    }

    fn markdown(&self, out: &mut String) -> Result<()> {
        let cells = self.cells()?;
        let _ = writeln!(out, "\n## {} (`{}`)\n", self.title, self.machine);
        if !self.stored.is_empty() {
            let _ = writeln!(out, "STORED: {}.\n", self.stored);
        }
        for (kind, names) in [("state", &self.states), ("event", &self.events)] {
            let _ = writeln!(out, "| {kind} | what |\n|---|---|");
            for (name, what) in names {
                let _ = writeln!(out, "| {name} | {what} |");
            }
            out.push('\n');
        }
        let columns: Vec<&str> = self.states.iter().map(|(name, _)| name.as_str()).collect();
        let _ = writeln!(out, "| | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
        for (event, _) in &self.events {
            let row: Vec<String> = columns
                .iter()
                .filter_map(|state| cells.get(&(state, event.as_str())))
                .map(|c| c.shown())
                .collect();
            let _ = writeln!(out, "| {event} | {} |", row.join(" | "));
        }
        Ok(())
    }
}

impl Cell {
    fn shown(&self) -> String {
        if !self.never.is_empty() {
            return "-".to_owned();
        }
        let next = if self.next.is_empty() { "." } else { &self.next };
        if self.says.is_empty() { next.to_owned() } else { format!("{next} / {}", self.says.join(", ")) }
    }
}

/// Reads every table.
///
/// # Errors
///
/// If one is malformed or has an empty cell.
pub fn tables() -> Result<Vec<Table>> {
    FILES
        .iter()
        .map(|(name, text)| {
            let table: Table = toml::from_str(text).with_context(|| format!("{name}.toml"))?;
            ensure!(table.machine == *name, "{name}.toml is of {}", table.machine);
            let _ = table.cells()?;
            Ok(table)
        })
        .collect()
}

/// Reads the table of one machine.
///
/// # Errors
///
/// As [`tables`], or if there is no such table.
pub fn table(machine: &str) -> Result<Table> {
    tables()?
        .into_iter()
        .find(|table| table.machine == machine)
        .with_context(|| format!("no table {machine}"))
}

/// Writes the page `spec/state.md`.
///
/// # Errors
///
/// As [`tables`].
pub fn page() -> Result<String> {
    let mut out = HEAD.to_owned();
    for table in tables()? {
        table.markdown(&mut out)?;
    }
    Ok(out)
}
