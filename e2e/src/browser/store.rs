//! The page's database in Chromium under the suite that every store passes: each line of the suite's program is asked of the
//! browser.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::served::Files;
use super::webdriver::Browser;
use crate::processes::keeper::Keeper;
use crate::processes::table::Table;
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

/// What the page of a version without keys stored is taken over: commands and what they made by the keys of their numbers,
/// what has not left by new ones.
///
/// # Errors
/// Something is not taken over.
pub(super) fn take_over(browser: &Browser, files: &Files, table: &mut Table) -> Result<()> {
    // req: RES-035
    browser.go(&format!("{}/tests/page/upgrade.html", files.address()))?;
    let _ = browser.wait("the database of an older page", "return window.upgraded !== undefined")?;
    let told = browser.run("return window.upgraded()")?;
    let rows = |store: &str, field: &str| -> Vec<Value> {
        let rows = told["first"][store].as_array().into_iter().flatten();
        rows.map(|row| row[field].clone()).collect()
    };
    ensure!(rows("commands", "key") == ["0202:7", "0202:8"], "commands by {:?}", rows("commands", "key"));
    let made = [json!("0202:6"), Value::Null, Value::Null];
    ensure!(rows("messages", "command") == made, "messages by {:?}", rows("messages", "command"));
    ensure!(rows("ofChat", "text") == ["waits"], "the index of commands has {}", told["first"]["ofChat"]);
    for (store, acts) in [("transfers", 1), ("outgoing", 1)] {
        let keys = rows(store, "key");
        let drawn = keys.iter().filter_map(Value::as_str).filter(|key| key.len() == 32).count();
        ensure!(drawn == acts, "of what has not left in {store} the keys are {keys:?}");
    }
    ensure!(told["isSame"] == true, "opened once more, the database is another");
    ensure!(told["fresh"]["commands"] == json!([]), "a new database has commands");
    table.ok("the database of an older page", "its commands and messages have the keys of their numbers");
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
