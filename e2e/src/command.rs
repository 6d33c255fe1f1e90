//! Running other programs to their end.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::workspace;

/// The variable that allows features for tests in a build without debug assertions.
pub const TEST_BUILD: &str = "HANDFAST_TEST_BUILD";

/// Returns a command that runs Cargo in the workspace with the given arguments.
pub fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    let _ = command.current_dir(workspace::root()).args(arguments);
    command
}

/// Returns a command that runs `program` in the workspace with the given arguments.
pub fn program<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(program);
    let _ = command.current_dir(workspace::root()).args(arguments);
    command
}

/// Returns the same command under `timeout`, which ends it after so many seconds with exit code 124.
#[must_use]
pub fn timed(command: &Command, seconds_max: &str) -> Command {
    let mut timed = Command::new("timeout");
    let _ = timed.args(["-k", "30", seconds_max]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        let _ = timed.current_dir(folder);
    }
    for (key, value) in command.get_envs() {
        let _ = timed.env(key, value.unwrap_or_default());
    }
    timed
}

/// Runs a command with the terminal's input and output.
///
/// # Errors
/// It cannot be started, or it ends with another exit code than 0.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    ensure!(status.success(), "`{}` ended with {status}", shown(command));
    Ok(())
}

/// Runs a command with the terminal's output, and calls `each` with every line that it writes to standard output.
///
/// # Errors
/// It cannot be started, or it ends with another exit code than 0.
pub fn run_lines(command: &mut Command, mut each: impl FnMut(&str)) -> Result<()> {
    println!("$ {}", shown(command));
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let output = child.stdout.take().context("a piped output is there")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        each(&line);
    }
    let status = child.wait()?;
    ensure!(status.success(), "`{}` ended with {status}", shown(command));
    Ok(())
}

/// Runs a command and returns what it wrote to standard output.
///
/// # Errors
/// It cannot be started, ends with another exit code than 0, or writes something else than UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("`{}` ended with {}", shown(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` wrote no UTF-8", shown(command)))
}

/// Returns whether a command can be started and ends with exit code 0; its output is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn cannot_start(command: &Command) -> String {
    format!("`{}` cannot be started: is it installed?", shown(command))
}

/// Returns the command as one would type it.
fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}
