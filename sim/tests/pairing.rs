//! Faults at each moment of a pairing: it ends linked on both sides.

use handfast_sim::kind::Kind;
use handfast_sim::plan::{Fault, Plan};
use handfast_sim::run::Runner;

fn fault_at_each_moment(kind: Kind, len: u64) {
    let mut runner = Runner::new();
    for tenth in 3..40 {
        let at = tenth * 100_000;
        let fault = Fault { kind, at, len, web: 0, at_phone: tenth % 2 == 0, amount: tenth };
        let plan = Plan { len: 5_000_000, faults: vec![fault], ..Plan::pairing(3, 1) };
        let outcome = runner.run(&plan, false);
        assert_eq!(outcome.violations, [], "{} at {at} us", kind.name());
    }
}

#[test]
fn a_record_that_is_changed() {
    fault_at_each_moment(Kind::RelayCorrupts, 300_000);
}

#[test]
fn a_frame_that_is_lost() {
    fault_at_each_moment(Kind::Drop, 300_000);
}

#[test]
fn a_socket_that_is_cut() {
    fault_at_each_moment(Kind::Cut, 1);
}

#[test]
fn a_disk_of_the_companion_that_is_full() {
    fault_at_each_moment(Kind::DiskFullWeb, 700_000);
}

#[test]
fn a_disk_of_the_phone_that_is_full() {
    fault_at_each_moment(Kind::DiskFullPhone, 700_000);
}

/// The phone confirms the link, the companion does not hear of it, and a second program on its directory does. Seeds 7880
/// and 17861 of the standard mix found it.
#[test]
fn a_second_program_that_has_the_link_confirmed() {
    let mut runner = Runner::new();
    for tenth in 15..35 {
        let fault = |kind, at, len| Fault { kind, at, len, web: 0, at_phone: true, amount: tenth };
        let at = tenth * 100_000;
        let faults =
            vec![fault(Kind::HalfOpen, at, 200_000), fault(Kind::TwoProcesses, at + 1_000_000, 200_000)];
        let plan = Plan { len: 8_000_000, faults, ..Plan::pairing(3, 1) };
        let outcome = runner.run(&plan, false);
        assert_eq!(outcome.violations, [], "half open at {at} us");
    }
}
