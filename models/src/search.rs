//! One search: run, print, compare with what was expected.

use std::fmt::Debug;
use std::hash::Hash;
use std::thread::available_parallelism;

use stateright::{Checker, Model};

/// Steps taken after which a search gives up: a rule is gone that bounds it.
const STEPS_MAX: usize = 20_000_000;

/// Visits every state that the model can reach. Prints their number, and the way to each property that fails.
///
/// `fails` are the first words of the properties that must fail, since what the model allows is too much for them;
/// `states` is the number of states, where it is known from elsewhere.
///
/// # Panics
///
/// VIOLATION: another property fails, or one does not that must, or an example is not reached, or the number differs.
pub fn search<M>(name: &str, model: M, fails: &[&str], states: Option<usize>)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let threads = available_parallelism().map_or(1, usize::from);
    let checker = model.checker().threads(threads).target_state_count(STEPS_MAX).spawn_bfs().join();
    let visited = checker.unique_state_count();
    let mut wrong = Vec::new();
    for property in checker.model().properties() {
        let way = checker.discovery(property.name);
        let bad = way.is_some() == property.expectation.discovery_is_failure();
        let first = property.name.split(':').next().unwrap_or_default();
        if bad != fails.contains(&first) {
            wrong.push(property.name);
            if let Some(way) = way {
                println!("{name}: {}\n{way}", property.name);
            }
        }
    }
    println!("{name:<45} states {visited:>8}  depth {:>3}  {}", checker.max_depth(), said(&wrong, fails));
    assert!(wrong.is_empty(), "{name}: VIOLATION {}", wrong.join("; "));
    assert!(checker.state_count() < STEPS_MAX, "{name}: VIOLATION LIMIT: the search has no end");
    if let Some(states) = states {
        assert_eq!(visited, states, "{name}: VIOLATION another number of states");
    }
}

fn said(wrong: &[&str], fails: &[&str]) -> String {
    match (wrong, fails) {
        ([], []) => "OK".to_owned(),
        ([], fails) => format!("{}, as it must", fails.join(", ")),
        (wrong, _) => format!("VIOLATION {}", wrong.join("; ")),
    }
}
