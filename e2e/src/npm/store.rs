//! The store in a file under the suite that every store passes.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::installed::Project;
use crate::processes::story::world::World;
use crate::{command, workspace};

/// Plays the suite: its program asks, and a script in Node does what it asks for.
///
/// # Errors
/// A case does not hold, or the suite cannot be built or started.
pub(super) fn play(project: &Project, world: &mut World) -> Result<()> {
    let words = ["build", "--locked", "--package", "handfast", "--features", "store-suite", "--example"];
    command::run(command::cargo(words).arg("store_suite"))?;
    project.add_test("store_suite.js", "store_suite.js")?;
    let program = workspace::target().join("debug/examples/store_suite");
    let folder = world.root.join("store-suite");
    std::fs::create_dir_all(&folder)?;
    let mut script = project.program("node", &["store_suite.js"]);
    let _ = script.arg(&program).arg(&folder).stdin(Stdio::null());
    let told =
        command::output(&mut script).context("a case of the suite does not hold over the store in a file")?;
    let cases: usize = told.trim().parse().context("the suite counts no cases")?;
    ensure!(cases >= CASES_MIN, "only {cases} cases");
    world.table.ok("the suite of every store", format!("{cases} cases over the store in a file"));
    Ok(())
}

/// The cases of the suite, at least.
const CASES_MIN: usize = 12;
