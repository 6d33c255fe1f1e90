//! Reports of a run: `report.json`, `junit.xml`, `report.html`. What shims wrote stands in them as text alone.

mod annotate;
mod escape;
mod html;
mod json;
mod junit;
mod page;

use std::path::Path;

use anyhow::{Context as _, Result};

use super::run::{Level, Run};

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
    println!("{}", folder.join("report.html").display());
    Ok(())
}
