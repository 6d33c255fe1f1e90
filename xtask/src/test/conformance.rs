//! The conformance runner over this repository: its cases and its faulty peer against the shims, its live cases against
//! the programs.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result};

use crate::{command, workspace};
use handfast_e2e::processes::build;

/// Runs every case through each shim, then the faulty peer; the reports lie in `target/conformance`.
///
/// # Errors
/// A case fails, is skipped, or is not supported by a shim that should.
pub(crate) fn shims(python: &Path) -> Result<()> {
    command::run(&mut command::cargo(["build", "--locked", "--package", "handfast-conformance"]))?;
    let rust = workspace::target().join("debug/handfast-shim");
    let shims = workspace::root().join("conformance/shims");
    let of_role = |role: &str| format!("'{}' --role {role}", rust.display());
    let [phone, web, relay] = ["phone", "web", "relay"].map(of_role);
    let oracle = format!("'{}' -B '{}'", python.display(), shims.join("shim.py").display());
    let node = format!("node '{}'", shims.join("shim.mjs").display());
    runner("cases", "run", &["--complete"], &[&phone, &web, &relay, &oracle, &node])?;
    runner("peer", "peer", &["--complete"], &[&phone, &web])
}

/// Runs the live cases: phone and companion as processes with the runner as their peer and relay, then the relay.
///
/// # Errors
/// A case fails, is skipped, or is not supported by a program that should.
pub(crate) fn live(python: &Path) -> Result<()> {
    command::run(&mut command::cargo(["build", "--locked", "--package", "handfast-conformance"]))?;
    let programs = build::kept(false)?;
    let live = workspace::root().join("conformance/shims/live.py");
    let [phone, web] = [("phone", &programs.phone), ("web", &programs.web)].map(|(role, program)| {
        format!("'{}' -B '{}' {role} '{}'", python.display(), live.display(), program.display())
    });
    // They wait more than they work.
    runner("live", "live", &["--complete", "--jobs", "6"], &[&phone, &web])?;
    live_relay(&programs.relay)
}

/// The live cases against the relay of this repository, over loopback.
fn live_relay(relay: &Path) -> Result<()> {
    let mut relay = command::program(relay, ["--listen", "127.0.0.1:0"]);
    let mut relay =
        relay.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("the relay cannot be started")?;
    let done = address(&mut relay).and_then(|url| {
        let words = ["live", "--level", "strict", "--relay", &url];
        command::run(&mut command::program(workspace::target().join("debug/handfast-conformance"), words))
    });
    let _ = relay.kill();
    let _ = relay.wait();
    done
}

/// Where a relay listens that says `listening on URL ..`.
fn address(relay: &mut Child) -> Result<String> {
    let output = relay.stdout.take().context("the relay has no output")?;
    let mut line = String::new();
    let _ = BufReader::new(output).read_line(&mut line)?;
    let url = line.split_whitespace().find(|word| word.starts_with("ws://"));
    url.map(str::to_owned).with_context(|| format!("the relay says no address: {line}"))
}

fn runner(folder: &str, verb: &str, more: &[&str], shims: &[&str]) -> Result<()> {
    let program = workspace::target().join("debug/handfast-conformance");
    let mut runner = command::program(program, [verb, "--level", "strict"]);
    let _ = runner.args(more).arg("--report").arg(workspace::target().join("conformance").join(folder));
    for shim in shims {
        let _ = runner.args(["--shim", shim]);
    }
    command::run(&mut runner)
}
