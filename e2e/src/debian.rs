//! Debian's packages: installed when root, else named with the command that installs them.

use std::fs::File;

use anyhow::{Result, ensure};

use crate::{command, workspace};

/// Installs packages unless what they bring is there already.
///
/// # Errors
/// It is missing and cannot be installed. The message names the command.
pub fn ensure_installed(packages: &[&str], is_there: impl Fn() -> bool) -> Result<()> {
    if is_there() {
        return Ok(());
    }
    if is_root() {
        // Steps that run beside one another install one after the other: `apt-get` fails where another one is at work.
        let turn = File::create(workspace::target().join("apt-get.lock"))?;
        turn.lock()?;
        let install = ["install", "--yes", "--no-install-recommends"].iter().chain(packages);
        let _ = command::run(&mut command::program("apt-get", ["update"]));
        let _ = command::run(command::program("apt-get", install).env("DEBIAN_FRONTEND", "noninteractive"));
    }
    ensure!(
        is_there(),
        "missing here; on Debian: sudo apt-get install --no-install-recommends {}",
        packages.join(" ")
    );
    Ok(())
}

/// Returns whether this user may install packages.
#[must_use]
pub fn is_root() -> bool {
    command::output(&mut command::program("id", ["-u"])).is_ok_and(|id| id.trim() == "0")
}
