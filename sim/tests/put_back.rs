//! A user who has read what the phone lost: the phone is put back while it is off, and its companion hears of that later.

use handfast_sim::kind::Kind;
use handfast_sim::plan::{Act, Fault, Op, Plan};
use handfast_sim::run::Runner;

const CHAT: u64 = 2;

/// The phone goes back to 13 s at 28 s, and is off until 29 s. A text of 15 s, and the contact's answer, are lost then,
/// and a text of 48 s gets their ids. At 28.6 s the user reads them at the companion. This is what was left of seed 6003,
/// in which the checker took the texts of 48 s for what was read.
fn plan(before: &[u64]) -> Plan {
    let amount = 14_760_725_966_415_325_421;
    let kind = Kind::RolledBackPhone;
    let fault = Fault { kind, at: 12_928_787, len: 15_000_000, web: 0, at_phone: true, amount };
    let text = |at: u64| Op { at, act: Act::PhoneText { chat: CHAT } };
    let mut ops: Vec<_> = before.iter().copied().map(text).collect();
    ops.extend([
        text(15_159_004),
        Op { at: 28_648_616, act: Act::Read { web: 2, chat: CHAT } },
        text(47_716_826),
    ]);
    Plan { seed: 6003, webs: 3, pairs: true, len: 60_000_000, faults: vec![fault], ops }
}

fn holds(plan: &Plan) {
    let outcome = Runner::new().run(plan, false);
    assert_eq!(outcome.violations, []);
    assert_eq!(outcome.fired[Kind::RolledBackPhone.index()], 1, "the phone was put back");
}

#[test]
fn what_the_phone_writes_later_is_not_read_by_that() {
    holds(&plan(&[]));
}

#[test]
fn what_the_phone_still_has_is_read_by_that() {
    holds(&plan(&[11_000_000]));
}
