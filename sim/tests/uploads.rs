//! A phone whose power fails, or whose disk is full for a while, at each commit of uploads for which it has no room: they
//! are refused all the same, and nothing takes from the reserve of its disk.

use handfast_sim::kind::Kind;
use handfast_sim::plan::{Fault, Plan};
use handfast_sim::run::Runner;

/// Commits of the phone between the first upload and the last.
const COMMITS: u64 = 24;

fn uploads_and(kind: Kind) {
    let mut runner = Runner::new();
    let mut fired = 0;
    for amount in 0..COMMITS {
        let fault = |kind, at, amount| Fault { kind, at, len: 1_000_000, web: 0, at_phone: true, amount };
        // The room is less than a file, which has 20,000 bytes at least.
        let faults = vec![fault(Kind::DiskReserve, 1_000_000, 60_000), fault(kind, 3_300_000, amount)];
        let plan = Plan { len: 12_000_000, pairs: false, faults, ..Plan::pairing(5, 1) };
        let outcome = runner.run(&plan, false);
        assert_eq!(outcome.violations, [], "{} at commit {amount}", kind.name());
        fired += outcome.fired[Kind::DiskReserve.index()];
    }
    assert!(fired > COMMITS, "the companion was told {fired} times that there is no room");
}

#[test]
fn a_power_failure_before_each_commit() {
    uploads_and(Kind::CrashPhoneBefore);
}

#[test]
fn a_power_failure_behind_each_commit() {
    uploads_and(Kind::CrashPhoneAfter);
}

#[test]
fn a_disk_that_is_full_for_a_second() {
    uploads_and(Kind::DiskFullPhone);
}

/// The phone has no room for a file; the companion's user hears of it through another process on the same directory, or
/// would have, had the companion not crashed behind the commit: the list of transfers says it in either case.
#[test]
fn a_refusal_that_only_the_list_of_transfers_tells() {
    let mut runner = Runner::new();
    for seed in [4014, 4720, 4988, 9081, 9746] {
        let outcome = runner.run(&Plan::standard(seed, &[]), false);
        assert_eq!(outcome.violations, [], "seed {seed}");
    }
}
