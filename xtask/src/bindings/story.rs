//! The stories of `bindings/tests/story.py`.

use std::path::Path;

use anyhow::Result;

use crate::{command, workspace};

/// Plays a story between a phone and a companion, each a command line.
///
/// # Errors
/// The story fails, and says where.
pub(super) fn play(relay: &Path, story: &[&str], phone: &str, companion: &str) -> Result<()> {
    let script = workspace::root().join("bindings/tests/story.py");
    let mut python = command::program("python3", ["-B"]);
    let (name, more) = story.split_first().unwrap_or((&"list", &[]));
    let _ = python.arg(script).arg(relay).args([name, phone, companion]).args(more);
    command::run(&mut python)
}
