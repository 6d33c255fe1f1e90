//! Named kill points, at which a crash test may end the process as if its power had failed.

#[cfg(feature = "failpoints")]
handfast::codec::test_builds_only!("failpoints");

/// Aborts the process here, without any clean-up, if the environment says `HANDFAST_KILL_AT=name` or
/// `HANDFAST_KILL_AT=name:n` (the n-th pass, from 1). Does nothing without the feature `failpoints`.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! kill_point {
    ($name:literal) => {};
}

/// Aborts the process here, without any clean-up, if the environment says `HANDFAST_KILL_AT=name` or
/// `HANDFAST_KILL_AT=name:n` (the n-th pass, from 1). Does nothing without the feature `failpoints`.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! kill_point {
    ($name:literal) => {
        $crate::kill_point_passed($name)
    };
}

/// Counts that the point is passed. Aborts the process if the environment names this point and pass.
#[cfg(feature = "failpoints")]
pub fn passed(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSES: AtomicU64 = AtomicU64::new(0);
    let Ok(wanted) = std::env::var("HANDFAST_KILL_AT") else { return };
    let Some(pass) = pass_of(&wanted, name) else { return };
    if PASSES.fetch_add(1, Ordering::Relaxed).saturating_add(1) == pass {
        std::process::abort();
    }
}

/// If `wanted` names this point, returns at which pass of it the process must die.
#[cfg(any(feature = "failpoints", test))]
fn pass_of(wanted: &str, name: &str) -> Option<u64> {
    match wanted.rsplit_once(':') {
        Some((wanted, pass)) if wanted == name => pass.parse().ok().filter(|pass| *pass > 0),
        None if wanted == name => Some(1),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_and_the_pass_are_read() {
        for (wanted, pass) in
            [("a.b", Some(1)), ("a.b:3", Some(3)), ("a.c", None), ("a.b:0", None), ("a.b:x", None)]
        {
            assert_eq!(pass_of(wanted, "a.b"), pass, "{wanted}");
        }
    }
}
