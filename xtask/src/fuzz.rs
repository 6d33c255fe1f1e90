//! `cargo xtask fuzz`: runs the fuzz targets with libFuzzer.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{command, packages, workspace};

/// How long to fuzz what.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u32,
    /// One target alone.
    #[arg(long)]
    pub(crate) target: Option<String>,
}

/// Runs the targets one after the other; prints how many inputs each has run.
///
/// # Errors
/// cargo-fuzz cannot be installed, a target does not build, or it finds a failing input.
pub(crate) fn run(options: &Options) -> Result<bool> {
    ensure!(
        command::succeeds(Command::new("c++").arg("--version")),
        "libFuzzer needs a C++ compiler: install one, for example with `apt-get install g++`"
    );
    if !command::succeeds(command::cargo(["fuzz", "--version"]).stdin(Stdio::null())) {
        println!("cargo-fuzz is missing, so it is installed now");
        command::run(&mut command::cargo(["install", "--locked", "--debug", "cargo-fuzz"]))?;
    }
    let mut targets = packages::programs("handfast-fuzz")?;
    if let Some(wanted) = &options.target {
        let all = targets.join(", ");
        targets.retain(|target| target == wanted);
        ensure!(!targets.is_empty(), "there is no target {wanted}; there are {all}");
    }
    let mut table = Vec::new();
    for target in targets {
        println!("\n== fuzz target {target}, {} s", options.seconds);
        let executions = run_target(&target, options.seconds)?;
        table.push((target, executions));
    }
    println!("\ntarget            executions");
    for (target, executions) in table {
        println!("{target:<17} {executions:>10}");
    }
    Ok(true)
}

/// Runs one target and returns how many inputs it has run.
fn run_target(target: &str, seconds: u32) -> Result<u64> {
    let corpus = format!("fuzz/corpus-local/{target}");
    std::fs::create_dir_all(workspace::root().join(&corpus))?;
    let mut fuzz = command::cargo(["fuzz", "run", "--features", "libfuzzer", "-s", "none", target, &corpus]);
    // Committed inputs come after the folder that grows: libFuzzer writes to the first.
    let committed = ["seeds", "regressions"].map(|folder| format!("fuzz/{folder}/{target}"));
    let _ = fuzz.args(committed.iter().filter(|folder| workspace::root().join(folder).is_dir()));
    let _ = fuzz.args(["--", &format!("-max_total_time={seconds}"), "-print_final_stats=1", "-timeout=10"]);
    let _ = fuzz.env("RUSTC_BOOTSTRAP", "1").stdin(Stdio::null()).stderr(Stdio::piped());
    let output = fuzz.spawn().context("cargo fuzz cannot be started")?.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprintln!("{text}");
        bail!("fuzz target {target} ended with {}", output.status);
    }
    executions(&text).with_context(|| format!("fuzz target {target} printed no count:\n{text}"))
}

/// Reads the number of executions from libFuzzer's final statistics.
fn executions(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_from_the_final_statistics() {
        let text = "Done 8 runs\nstat::number_of_executed_units: 123456\nstat::average_exec_per_sec:     9\n";
        assert_eq!(executions(text), Some(123_456));
        assert_eq!(executions("stat::average_exec_per_sec: 9"), None);
    }
}
