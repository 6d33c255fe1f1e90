//! The page's database in Chromium under the suite that every store passes: each line of the suite's program is asked of the
//! browser.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::scenes::Files;
use super::webdriver::Browser;
use crate::demo::keeper::Keeper;
use crate::demo::table::Table;
use crate::{command, workspace};

/// The cases of the suite, at least.
const CASES_MIN: usize = 12;

/// Plays the suite.
///
/// # Errors
/// A case does not hold, or the suite cannot be built or started.
pub(super) fn play(browser: &Browser, files: &Files, keeper: &Keeper, table: &mut Table) -> Result<()> {
    let words = ["build", "--locked", "--package", "handfast", "--features", "store-suite", "--example"];
    command::run(command::cargo(words).arg("store_suite"))?;
    browser.go(&format!("{}/tests/page/store.html", files.address()))?;
    let _ = browser.wait("the store of the suite", "return window.suite !== undefined")?;
    let program = workspace::target().join("debug/examples/store_suite");
    let mut command = command::program(program, [""; 0]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the suite cannot be started")?;
    let played = keeper.hold(child.id()).and_then(|()| answer(browser, &mut child));
    let ended = child.wait().context("the suite does not end")?;
    let passed = played?;
    ensure!(ended.success(), "a case of the suite does not hold, after {}", passed.join(", "));
    ensure!(passed.len() >= CASES_MIN, "only {} cases", passed.len());
    let said = browser.said()?;
    ensure!(said.is_empty(), "of the suite the console says {said:?}");
    table.ok("the suite of every store", format!("{} cases over IndexedDB", passed.len()));
    Ok(())
}

/// Answers the suite until it ends; gives the cases that held.
fn answer(browser: &Browser, suite: &mut Child) -> Result<Vec<String>> {
    let mut to = suite.stdin.take().context("the suite has no input")?;
    let from = BufReader::new(suite.stdout.take().context("the suite has no output")?);
    let mut passed = Vec::new();
    for line in from.lines() {
        let request: Value = serde_json::from_str(&line?).context("the suite asks no JSON")?;
        let told = if request["do"] == "passed" {
            passed.extend(request["case"].as_str().map(str::to_owned));
            Value::Object(serde_json::Map::new())
        } else {
            browser.run(&format!("return suite({request})"))?
        };
        writeln!(to, "{told}").context("the suite takes no answer")?;
    }
    Ok(passed)
}
