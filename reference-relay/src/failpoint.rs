//! Named points at which the relay kills itself, for tests of the worst moments. Compiled only with the
//! feature `failpoints`.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

handfast_codec::test_builds_only!("failpoints");

/// The environment variable that names the point: `HANDFAST_KILL_AT=name`, or `name:n` to die when the point
/// is passed for the n-th time.
pub const VARIABLE: &str = "HANDFAST_KILL_AT";

/// The point at which to die, and the number of passes until then.
static ARMED: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
    let value = std::env::var(VARIABLE).ok()?;
    let (name, passes) = value.split_once(':').unwrap_or((&value, "1"));
    let passes = passes.parse().ok().filter(|passes| *passes > 0)?;
    Some((name.to_owned(), AtomicU64::new(passes)))
});

/// Passes the point `name`, and aborts the process if [`VARIABLE`] names this pass.
pub fn hit(name: &str) {
    if let Some((armed, passes)) = &*ARMED
        && armed == name
        && passes.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}
