//! A power failure at each commit of each side, in the middle of what companions do.

use handfast_sim::kind::Kind;
use handfast_sim::plan::{Act, Fault, Op, Plan};
use handfast_sim::run::Runner;

/// Two files on their way to the phone, one from it, and texts; a crash at the n-th commit after the first second.
fn plan(kind: Kind, commit: u64) -> Plan {
    let fault = Fault { kind, at: 1_000_000, len: 1, web: 0, at_phone: false, amount: commit };
    let acts = [
        Act::Put { web: 0, chat: 1, len: 70_000 },
        Act::Put { web: 0, chat: 2, len: 70_000 },
        // In one record, so that FIN is in another.
        Act::Put { web: 0, chat: 3, len: 14_589 },
        Act::WebText { web: 0, chat: 1, len: 100 },
        Act::Get { web: 0, chat: 3, len: 70_000 },
        Act::PhoneText { chat: 2 },
    ];
    let ops = acts.into_iter().map(|act| Op { at: 1_000_000, act }).collect();
    Plan { seed: 5, webs: 1, pairs: false, len: 8_000_000, faults: vec![fault], ops }
}

fn crash_at_each(kind: Kind) {
    let mut runner = Runner::new();
    for commit in 0..12 {
        let outcome = runner.run(&plan(kind, commit), false);
        assert_eq!(outcome.violations, [], "{} at commit {commit}", kind.name());
        assert_eq!(outcome.fired[kind.index()], 1, "{} at commit {commit} fired", kind.name());
    }
}

#[test]
fn nothing_is_lost_before_a_commit_of_the_companion() {
    crash_at_each(Kind::CrashWebBefore);
}

#[test]
fn nothing_is_lost_after_a_commit_of_the_companion() {
    crash_at_each(Kind::CrashWebAfter);
}

#[test]
fn nothing_is_lost_before_a_commit_of_the_phone() {
    crash_at_each(Kind::CrashPhoneBefore);
}

#[test]
fn nothing_is_lost_after_a_commit_of_the_phone() {
    crash_at_each(Kind::CrashPhoneAfter);
}
