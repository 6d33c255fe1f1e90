//! A report of the conformance runner in Chromium, without a network: a planted fault, and the page that explains it.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::webdriver::ChromeDriver;
use crate::processes::keeper::Keeper;
use crate::processes::random;
use crate::{command, workspace};

/// What the page of a failure must say to somebody who has not seen the code.
const SAID: [&str; 8] = [
    "What the specification asks",
    "MUST",
    "Right",
    "Answered",
    "Bytes, as RelayMessage of spec/wire.tls",
    "here the grammar refuses it",
    "Once more",
    "handfast-conformance run --shim",
];

/// Makes a report of a shim that answers wrongly, opens it, follows a failure, and takes a picture of its page.
///
/// # Errors
/// The report cannot be made or opened, or does not say what it should.
pub(super) fn look() -> Result<()> {
    command::run(&mut command::cargo(["build", "--locked", "--package", "handfast-conformance"]))?;
    let programs = workspace::target().join("debug");
    let folder = std::env::temp_dir().join(format!("handfast-report-{}", random::hex(4)?));
    let right = format!("'{}' --role phone", programs.join("handfast-shim").display());
    let wrong = workspace::root().join("conformance/tests/shims/wrong.py");
    let wrong = format!("python3 -B '{}' {right}", wrong.display());
    let words = ["run", "--level", "strict", "--case", "*frames-relay/*", "--shim", &wrong, "--shim", &right];
    let mut runner = command::program(programs.join("handfast-conformance"), words);
    ensure!(!command::succeeds(runner.arg("--report").arg(&folder)), "a shim that answers wrongly passes");

    let keeper = Keeper::start()?;
    let driver = ChromeDriver::start(&keeper)?;
    let browser = driver.browser(&folder.join("profile"), 1200, 900)?;
    browser.network(false)?;
    browser.go(&format!("file://{}", folder.join("report.html").display()))?;
    let refused = "return [...document.querySelectorAll('article')] \
        .find((page) => page.textContent.includes('here the grammar refuses it'))?.id";
    let refused = browser.run(refused)?;
    let anchor = refused.as_str().context("no failure of bytes that are refused has a page")?;
    browser.click(&format!("td.FAIL a[href='#{anchor}']"))?;
    let page = browser.text(&format!("#{anchor}"))?;
    for part in SAID {
        ensure!(page.contains(part), "the page of a failure does not say `{part}`");
    }
    let fits = "return document.documentElement.scrollWidth <= window.innerWidth";
    ensure!(browser.run(fits)? == Value::Bool(true), "the report is wider than its window");
    let said = browser.said()?;
    ensure!(said.is_empty(), "the browser complains: {}", said.join("; "));
    let picture = workspace::target().join("conformance/report.png");
    std::fs::create_dir_all(workspace::target().join("conformance"))?;
    browser.picture(&picture)?;
    println!("{}", picture.display());
    browser.close()?;
    std::fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))
}
