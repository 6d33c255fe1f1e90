//! The walk over a table of `spec/state`.

use handfast_conformance::state::table;

/// Visits `least` cells or more of a table: `run` takes a state and an event, and returns what was said and the state
/// after it.
pub(crate) fn walk(machine: &str, least: usize, run: impl Fn(&str, &str) -> (Vec<String>, &'static str)) {
    let table = table(machine).expect("a total table");
    let (mut walked, mut wrong) = (0, Vec::new());
    for ((state, event), cell) in table.cells().expect("a total table") {
        if !cell.never.is_empty() {
            continue;
        }
        let (says, after) = run(state, event);
        let next = if cell.next.is_empty() { state } else { &cell.next };
        if says != cell.says || after != next {
            wrong
                .push(format!("{state} x {event}: {says:?}, then {after}, not {:?}, then {next}", cell.says));
        }
        walked += 1;
    }
    println!("{machine}: {walked} cells");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(walked >= least, "{walked}");
}
