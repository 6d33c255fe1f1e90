//! Chromium and its driver, from Debian's packages.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command;

const CHROMIUM: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";
/// The browser, its driver, and a font with what people react with, for the pictures.
const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "fonts-noto-color-emoji"];

/// The path of the driver.
pub(super) const fn driver() -> &'static str {
    DRIVER
}

/// Installs the browser if it is missing.
///
/// # Errors
/// It is missing and cannot be installed. The message names the command.
pub(super) fn ensure() -> Result<()> {
    if is_there() {
        return Ok(());
    }
    let install = ["install", "--yes", "--no-install-recommends"].into_iter().chain(PACKAGES);
    if command::output(&mut command::program("id", ["-u"])).is_ok_and(|id| id.trim() == "0") {
        let _ = command::run(&mut command::program("apt-get", ["update"]));
        let _ = command::run(command::program("apt-get", install).env("DEBIAN_FRONTEND", "noninteractive"));
    }
    if !is_there() {
        bail!("there is no Chromium: `sudo apt-get install --no-install-recommends {}`", PACKAGES.join(" "));
    }
    Ok(())
}

fn is_there() -> bool {
    [CHROMIUM, DRIVER].iter().all(|path| Path::new(path).exists())
}
