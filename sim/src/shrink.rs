//! A plan that fails is made smaller: whatever can go while it still fails the same way goes.

use crate::plan::Plan;
use crate::run::Runner;

/// Runs that one shrinking may take.
const RUNS_MAX: u32 = 400;

/// The smallest plan found that still breaks the same invariant.
#[must_use]
pub fn shrink(runner: &mut Runner, plan: &Plan, invariant: &str) -> Plan {
    let mut best = plan.clone();
    let mut runs = 0;
    let mut fails = |runner: &mut Runner, plan: &Plan| {
        runs += 1;
        runs <= RUNS_MAX
            && runner.run(plan, false).violations.iter().any(|violation| violation.invariant == invariant)
    };
    loop {
        let mut smaller = false;
        for candidate in candidates(&best) {
            if fails(runner, &candidate) {
                best = candidate;
                smaller = true;
                break;
            }
        }
        if !smaller {
            return best;
        }
    }
}

fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut found = Vec::new();
    for half in [plan.ops.len() / 2, 0] {
        if half < plan.ops.len() {
            found.push(Plan { ops: plan.ops[..half].to_vec(), ..plan.clone() });
            found.push(Plan { ops: plan.ops[half..].to_vec(), ..plan.clone() });
        }
    }
    found.retain(|candidate| candidate.ops.len() < plan.ops.len());
    for at in 0..plan.faults.len() {
        let mut candidate = plan.clone();
        let _ = candidate.faults.remove(at);
        found.push(candidate);
    }
    for at in 0..plan.ops.len() {
        let mut candidate = plan.clone();
        let _ = candidate.ops.remove(at);
        found.push(candidate);
    }
    found
}
