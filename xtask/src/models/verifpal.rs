//! The symbolic models of the handshakes, with Verifpal.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::{command, workspace};

/// The version whose results are pinned.
const VERSION: &str = "1.6.7";

/// Runs each model with one and with two sessions, against the results pinned in `run_all.out`.
///
/// # Errors
/// Verifpal is missing and cannot be installed, or a result is another one.
pub(super) fn run() -> Result<()> {
    let verifpal = install()?;
    let folder = workspace::root().join("spec/models");
    let pinned = std::fs::read_to_string(folder.join("run_all.out"))?;
    println!("\n== spec/models/*.vp, Verifpal {VERSION}");
    let mut count = 0;
    for (model, sessions, code) in pins(&pinned) {
        let start = Instant::now();
        let mut verify = Command::new(&verifpal);
        let _ = verify.args(["verify", &format!("{model}.vp"), "--sessions", sessions, "--result-code"]);
        let output = verify.current_dir(&folder).stdin(Stdio::null()).stderr(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let got = text.trim().lines().last().unwrap_or_default();
        println!("{model:<32} sessions {sessions}  {got:<18} {:>6.1} s", start.elapsed().as_secs_f32());
        ensure!(got == code, "{model} with {sessions} sessions must give {code}");
        count += 1;
    }
    ensure!(count > 0, "run_all.out pins nothing");
    println!("{count} results as pinned");
    Ok(())
}

/// The lines `model sSESSIONS code ok`.
fn pins(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.lines().filter_map(|line| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [model, sessions, code, "ok"] => Some((*model, sessions.strip_prefix('s')?, *code)),
        _ => None,
    })
}

/// The tool, from the path if it is of the right version, else installed into the target folder.
fn install() -> Result<PathBuf> {
    let is_right = |program: &PathBuf| {
        let version = Command::new(program).arg("--version").stderr(Stdio::null()).output();
        version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION))
    };
    let root = workspace::target().join("verifpal");
    let places = [PathBuf::from("verifpal"), root.join("bin/verifpal")];
    if let Some(found) = places.into_iter().find(is_right) {
        return Ok(found);
    }
    let crate_name = format!("verifpal@{VERSION}");
    let mut install = command::cargo(["install", "--ignore-rust-version", "--locked", &crate_name]);
    command::run(install.arg("--root").arg(&root)).context("Verifpal cannot be installed")?;
    Ok(root.join("bin/verifpal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_agreed_are_pins() {
        let text = "kk_1_plain  s2 c0a1   ok\nkk_2 s1 c0 DIFFERS (pinned c1)\nreal 2m33.440s\n";
        assert_eq!(pins(text).collect::<Vec<_>>(), [("kk_1_plain", "2", "c0a1")]);
    }
}
