//! What a tab uses: memory as the system sees it, time as the browser counts it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::browser::webdriver::Browser;

/// The memory of the browser's largest process for pages, in bytes.
///
/// # Errors
/// There is none.
pub(super) fn memory(browser: &Browser) -> Result<u64> {
    let mut parents = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u64>().ok()) else { continue };
        if let Some(parent) = field(pid, "PPid:") {
            let _ = parents.insert(pid, parent);
        }
    }
    let is_ours = |mut pid: u64| {
        while let Some(parent) = parents.get(&pid) {
            if *parent == browser.pid() {
                return true;
            }
            pid = *parent;
        }
        false
    };
    let pages = parents.keys().filter(|pid| is_renderer(**pid) && is_ours(**pid));
    let largest = pages.filter_map(|pid| field(*pid, "VmRSS:")).max();
    largest.map(|kilobytes| kilobytes * 1024).context("the browser has no process for a page")
}

fn is_renderer(pid: u64) -> bool {
    // Chromium writes its words over each other, so they are not apart.
    std::fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| String::from_utf8_lossy(&line).contains("--type=renderer"))
}

/// A number in a process's status.
fn field(pid: u64, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The time that scripts and the engine of the page have taken so far, in milliseconds.
///
/// # Errors
/// The browser does not count.
pub(super) fn script_ms(browser: &Browser) -> Result<f64> {
    let metrics = browser.metrics()?;
    let all = metrics["metrics"].as_array().context("no metrics")?;
    let script = all.iter().find(|one| one["name"] == "ScriptDuration");
    Ok(script.and_then(|one| one["value"].as_f64()).context("no time of scripts")? * 1000.0)
}
