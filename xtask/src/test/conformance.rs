//! The conformance runner over the shims of this repository: its cases, and its faulty peer against those that can be
//! live.

use std::path::Path;

use anyhow::Result;

use crate::{command, workspace};

/// Runs every case through each shim, then the faulty peer; the reports lie in `target/conformance`.
///
/// # Errors
/// A case fails, is skipped, or is not supported by a shim that should.
pub(crate) fn run(python: &Path) -> Result<()> {
    command::run(&mut command::cargo(["build", "--locked", "--package", "handfast-vectors"]))?;
    let rust = workspace::target().join("debug/handfast-shim");
    let shims = workspace::root().join("vectors/shims");
    let of_role = |role: &str| format!("'{}' --role {role}", rust.display());
    let [phone, web, relay] = ["phone", "web", "relay"].map(of_role);
    let python = format!("'{}' -B '{}'", python.display(), shims.join("shim.py").display());
    let node = format!("node '{}'", shims.join("shim.mjs").display());
    runner("run", &["--complete"], &[&phone, &web, &relay, &python])?;
    // It leaves the state tables to the shim in Python, and says so.
    runner("run", &[], &[&node])?;
    runner("peer", &["--complete"], &[&phone, &web])
}

fn runner(verb: &str, more: &[&str], shims: &[&str]) -> Result<()> {
    let program = workspace::target().join("debug/handfast-vectors");
    let mut runner = command::program(program, [verb, "--level", "strict"]);
    let _ = runner.args(more).arg("--report").arg(workspace::target().join("conformance").join(verb));
    for shim in shims {
        let _ = runner.args(["--shim", shim]);
    }
    command::run(&mut runner)
}
