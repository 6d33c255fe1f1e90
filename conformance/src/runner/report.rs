//! Reports of a run: `report.json`, `junit.xml`, `report.html`. What shims wrote stands in them as text alone.

mod annotate;
mod escape;
mod html;
mod json;
mod junit;
mod page;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::options::Level;
use super::outcome::Run;
use crate::out;

/// Writes all reports of a run into a folder.
///
/// # Errors
///
/// A file cannot be written.
pub(super) fn write(folder: &Path, run: &Run, level: Level) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    for (name, text) in [
        ("report.json", json::text(run, level)?),
        ("junit.xml", junit::text(run, level)),
        ("report.html", html::text(run, level)?),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("{}", path.display()))?;
    }
    Ok(out::print_line(&folder.join("report.html").display().to_string())?)
}

/// Makes sure, before the cases are asked, that the reports can be written.
///
/// # Errors
///
/// They cannot.
pub(super) fn require_writable(folder: &Path) -> Result<()> {
    let cannot = || format!("--report: no file can be written in {}", folder.display());
    std::fs::create_dir_all(folder).with_context(cannot)?;
    for name in ["report.json", "junit.xml", "report.html"] {
        let path = folder.join(name);
        ensure!(!path.exists() || path.is_file(), "--report: {} is not a file", path.display());
    }
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    let _ = std::fs::File::create_new(&probe).with_context(cannot)?;
    std::fs::remove_file(&probe).with_context(cannot)
}
