//! Reports of a run: `report.json`, `junit.xml`, `report.html`. What shims wrote stands in them as text alone.

mod escape;
mod html;
mod json;
mod junit;
mod page;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::outcome::Run;
use super::rules::Rules;
use crate::out;

pub(super) use self::html::text as html;
pub(super) use self::json::SCHEMA;

/// The report for programs, which can be read again.
pub(super) const JSON: &str = "report.json";

/// Writes all reports of a run into a folder.
///
/// # Errors
///
/// A file cannot be written.
pub(super) fn write(folder: &Path, run: &Run, rules: Rules) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    for (name, text) in [
        (JSON, json::text(run, rules)?),
        ("junit.xml", junit::text(run, rules)?),
        ("report.html", html::text(run, rules)?),
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
    for name in [JSON, "junit.xml", "report.html"] {
        let path = folder.join(name);
        ensure!(!path.exists() || path.is_file(), "--report: {} is not a file", path.display());
    }
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    let _ = std::fs::File::create_new(&probe).with_context(cannot)?;
    std::fs::remove_file(&probe).with_context(cannot)
}
