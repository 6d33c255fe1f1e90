//! The conformance runner over the shims of this repository, with none of their cases left out; its faulty peer against
//! those that can be live.

use std::path::Path;

use anyhow::Result;

use crate::{command, workspace};

/// Runs every case through each shim, then the faulty peer; the reports lie in `target/conformance`.
///
/// # Errors
/// A case fails, is skipped or not supported.
pub(crate) fn run(python: &Path) -> Result<()> {
    command::run(&mut command::cargo(["build", "--locked", "--package", "handfast-vectors"]))?;
    let programs = workspace::target().join("debug");
    let rust = programs.join("handfast-shim");
    let oracle = workspace::root().join("vectors/shims/shim.py");
    let shims = [
        format!("'{}' --role phone", rust.display()),
        format!("'{}' --role web", rust.display()),
        format!("'{}' --role relay", rust.display()),
        format!("'{}' -B '{}'", python.display(), oracle.display()),
    ];
    let mut runner =
        command::program(programs.join("handfast-vectors"), ["run", "--level", "strict", "--complete"]);
    let _ = runner.arg("--report").arg(workspace::target().join("conformance"));
    for shim in shims {
        let _ = runner.args(["--shim", &shim]);
    }
    command::run(&mut runner)
}
