//! The same seed gives the same run, byte for byte.

use handfast_sim::plan::Plan;
use handfast_sim::run::Runner;

#[test]
fn a_seed_gives_one_run_whichever_ran_before_it() {
    let mut runner = Runner::new();
    // 7 pairs in the run.
    let seeds = [3, 7, 12];
    let first: Vec<_> = seeds.map(|seed| runner.run(&Plan::standard(seed, &[]), false)).into();
    let again: Vec<_> =
        seeds.iter().rev().map(|seed| Runner::new().run(&Plan::standard(*seed, &[]), false)).collect();
    for (one, other) in first.iter().zip(again.iter().rev()) {
        assert_eq!(one.hash, other.hash, "the same bytes at the same times");
        assert_eq!(one.fired, other.fired, "the same faults");
        assert_eq!(one.time, other.time, "the same length");
    }
    assert_ne!(first[0].hash, first[2].hash, "seeds differ");
}

#[test]
fn a_plan_without_faults_comes_to_rest_at_once() {
    let plan = Plan { faults: Vec::new(), ..Plan::standard(1, &[]) };
    let outcome = Runner::new().run(&plan, false);
    assert_eq!(outcome.violations, [], "nothing is broken");
    assert!(outcome.rest <= 2_000_000, "{} us to rest", outcome.rest);
}
