//! The screens that are hard to reach by hand, from written events in the real views: pictures, and a look at what must
//! hold on all of them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::axe::Axe;
use super::served::Files;
use super::store;
use super::webdriver::Browser;
use crate::processes::keeper::Keeper;
use crate::processes::table::Table;

/// Width and height of a wide and of the narrowest window.
const WIDE: (u32, u32) = (1200, 800);
const NARROW: (u32, u32) = (320, 700);

/// The scenes that become pictures: name, size, dark.
const PICTURES: [(&str, (u32, u32), bool); 12] = [
    ("chat", WIDE, false),
    ("changed", WIDE, false),
    ("changing", NARROW, true),
    ("devices", NARROW, false),
    ("states", WIDE, false),
    ("transfer", WIDE, true),
    ("chats", NARROW, false),
    ("states", NARROW, true),
    ("taken-over", WIDE, false),
    ("suspended", WIDE, false),
    ("revoked", WIDE, false),
    ("contended", WIDE, false),
];

/// What is wrong with the page as it is laid out now: something reaches out of the window, a control has no name, or
/// text has too little contrast.
const FAULTS: &str = include_str!("faults.js");

/// Scrolls to the newest message, in the size that the window has now.
const AT_END: &str = "await new Promise(requestAnimationFrame); const list = document.querySelector('.messages'); \
    if (list) list.scrollTop = list.scrollHeight";

/// Shows every scene, wide and narrow, light and dark, looks for faults, and takes the pictures; then hostile texts. All
/// of it under the policy with which the relay serves its page at `page`.
///
/// # Errors
/// A scene does not come, or has a fault.
pub(super) fn play(
    browser: &Browser,
    keeper: &Keeper,
    page: &str,
    pictures: &Path,
    table: &mut Table,
) -> Result<()> {
    browser.go(page)?;
    let policy = browser.run("return (await fetch('/')).headers.get('content-security-policy')")?;
    let files = Files::serve(keeper, policy.as_str().context("the relay serves the page without a policy")?)?;
    layouts(browser, &files, pictures, table)?;
    ticks(browser, &files, table)?;
    hostile(browser, &files, table)?;
    stretches(browser, &files, table)?;
    store::play(browser, &files, keeper, table)?;
    store::take_over(browser, &files, table)
}

/// Texts that are sent, delivered and read look different, in the same place.
fn ticks(browser: &Browser, files: &Files, table: &mut Table) -> Result<()> {
    browser.emulate_viewport(WIDE.0, WIDE.1, false)?;
    browser.go(&format!("{}/tests/page/scenes.html?scene=ticks", files.address()))?;
    let _ = browser.wait("the ticks", "return document.documentElement.dataset.shown === 'ticks'")?;
    let states = browser.run(
        "window.marks = [...document.querySelectorAll('article .state')].slice(-3).map((one) => one.cloneNode(true)); \
         return window.marks.map((one) => one.title).join()",
    )?;
    ensure!(states == "Read,Delivered,Sent", "the last texts of the scene are {states}");
    let mut pictures = BTreeSet::new();
    for at in 0..3 {
        let show = format!(
            "[...document.querySelectorAll('article .state')].at(-1).replaceWith(window.marks[{at}].cloneNode(true))"
        );
        let _ = browser.run(&show)?;
        let _ = pictures.insert(browser.still()?);
    }
    ensure!(pictures.len() == 3, "of sent, delivered and read only {} look different", pictures.len());
    table.ok("ticks, by their pixels", "sent, delivered and read look different");
    Ok(())
}

/// Stretches of a chat, read while rows of it arrive.
fn stretches(browser: &Browser, files: &Files, table: &mut Table) -> Result<()> {
    browser.go(&format!("{}/tests/page/stretches.html", files.address()))?;
    let found = browser.wait("the stretches", "return document.documentElement.dataset.found")?;
    ensure!(found == "[]", "of stretches that are read while rows arrive: {found}");
    table.ok(
        "stretches of a chat, read while rows arrive",
        "each is of one moment, and told before what arrives",
    );
    Ok(())
}

/// 500 texts in seven places stay texts.
fn hostile(browser: &Browser, files: &Files, table: &mut Table) -> Result<()> {
    browser.emulate_viewport(WIDE.0, WIDE.1, false)?;
    browser.go(&format!("{}/tests/page/hostile.html", files.address()))?;
    let found = browser.wait("the hostile texts", "return document.documentElement.dataset.found")?;
    let found: serde_json::Value = serde_json::from_str(found.as_str().unwrap_or_default())?;
    let wanted = serde_json::json!({"texts": 500, "shown": 3500, "faults": []});
    ensure!(found == wanted, "of the hostile texts: {found}");
    let said = browser.said()?;
    ensure!(said.is_empty(), "of the hostile texts the console says {said:?}");
    table.ok(
        "500 hostile texts in seven places",
        "each is shown as it is; no policy was violated, no dialog opened",
    );
    Ok(())
}

/// A page that is drawn after each event looks like one that is drawn at once: nothing that was there before shines through, and what
/// was added to it is painted.
fn step_by_step(browser: &Browser, files: &Files, name: &str) -> Result<()> {
    let mut pictures = Vec::new();
    for how in ["", "&steps"] {
        browser.go(&format!("{}/tests/page/scenes.html?scene={name}{how}", files.address()))?;
        let is_shown = format!("return document.documentElement.dataset.shown === {name:?}");
        let _ = browser.wait(name, &is_shown)?;
        pictures.push(browser.still()?);
        let unpainted = browser.run(super::everyday::UNPAINTED)?;
        ensure!(unpainted == 0, "in {name} {unpainted} parts of icons are not painted");
    }
    ensure!(pictures.first() == pictures.last(), "{name} looks different when it is drawn step by step");
    Ok(())
}

fn layouts(browser: &Browser, files: &Files, pictures: &Path, table: &mut Table) -> Result<()> {
    browser.go(&format!("{}/tests/page/names.html", files.address()))?;
    let names = browser.wait("the names of the scenes", "return document.documentElement.dataset.names")?;
    let names: Vec<String> = names.as_str().unwrap_or_default().split(' ').map(str::to_owned).collect();
    ensure!(names.len() > 20, "only {} scenes", names.len());
    let axe = Axe::fetch()?;
    let mut shown = 0;
    for name in &names {
        // A scene is loaded once, and takes each size and scheme as a window does that is moved.
        browser.go(&format!("{}/tests/page/scenes.html?scene={name}", files.address()))?;
        let _ = browser.wait(name, &format!("return document.documentElement.dataset.shown === {name:?}"))?;
        for (size, dark) in [(NARROW, true), (NARROW, false), (WIDE, true), (WIDE, false)] {
            browser.emulate_viewport(size.0, size.1, dark)?;
            let _ = browser.run(AT_END)?;
            let faults = browser.run(FAULTS)?;
            let none = faults.as_array().is_some_and(Vec::is_empty);
            ensure!(none, "{name} at {} pixels{}: {faults}", size.0, if dark { ", dark" } else { "" });
            if PICTURES.contains(&(name.as_str(), size, dark)) {
                let tail = format!(
                    "{}{}",
                    if size == NARROW { "-narrow" } else { "" },
                    if dark { "-dark" } else { "" }
                );
                browser.picture(&pictures.join(format!("{name}{tail}.png")))?;
            }
            shown += 1;
        }
        let said = browser.said()?;
        ensure!(said.is_empty(), "{name}: the console says {said:?}");
        axe.look(browser, name)?;
        // What the policy of the page refuses to axe is no matter of the page.
        let _ = browser.said()?;
        step_by_step(browser, files, name)?;
        let _ = browser.said()?;
    }
    table.ok(
        "every screen, wide and narrow, light and dark",
        format!("{shown} layouts: nothing reaches out, every control has a name, contrast is at least 4.5; axe finds nothing serious"),
    );
    Ok(())
}
