//! The searches over ratchet and recovery. Their numbers of states are those of `spec/models/ratchet_ext.py`.

use handfast_models::ratchet::{SCENARIOS, Scenario};
use handfast_models::search;

fn check(scenario: Scenario) {
    search(scenario.name, scenario, scenario.verdict, Some(scenario.states));
}

#[test]
fn the_ratchet_locks_nobody_out_and_raises_no_false_alarm() {
    // req: HSK-023, HSK-024, HSK-025
    SCENARIOS[..5].iter().copied().for_each(check);
}

#[test]
fn no_copy_of_a_store_stays_unseen() {
    // req: HSK-027
    check(SCENARIOS[5]);
}

#[test]
fn a_forged_hint_raises_no_alarm() {
    // req: HSK-041, HSK-042, HSK-043
    check(SCENARIOS[6]);
}
