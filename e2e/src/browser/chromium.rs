//! Chromium and its driver, from Debian's packages.

use std::path::Path;

use anyhow::Result;

use crate::debian;

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
    debian::ensure_installed(&PACKAGES, is_there)
}

fn is_there() -> bool {
    [CHROMIUM, DRIVER].iter().all(|path| Path::new(path).exists())
}
