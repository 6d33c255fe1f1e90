//! From the first visit to a sent text with the keyboard alone: no pointer is used.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::looks::{LIVE, has_text, history};
use super::steps::link_with;
use super::webdriver::Browser;
use crate::processes::patience::until;
use crate::processes::story::world::{LIMIT, World};

/// The keys, as `WebDriver` names them.
pub(super) const TAB: &str = "\u{e004}";
pub(super) const ENTER: &str = "\u{e007}";
const ARROW_DOWN: &str = "\u{e015}";
/// How often Tab is pressed to get from one thing to the next that one wants, at most.
const TABS_MAX: usize = 6;

/// Plays the chapter, for a page that is not linked.
///
/// # Errors
/// Something cannot be reached.
pub(super) fn play(world: &mut World, browser: &Browser) -> Result<()> {
    browser.go(&world.page())?;
    link_with(world, browser, |number| {
        let _ = browser
            .wait("the field for the number", "return document.activeElement?.matches('.digits.typed')")?;
        browser.keys(number)?;
        tab_to(browser, "button.link")?;
        browser.keys(ENTER)
    })?;
    let _ = browser.wait("the chats", "return document.querySelectorAll('.chat-row').length > 1")?;
    tab_to(browser, ".chat-row")?;
    browser.keys(ARROW_DOWN)?;
    let title = browser.run("return document.activeElement.querySelector('.chat-title')?.textContent")?;
    let title = title.as_str().context("the arrow key leads to no chat")?.to_owned();
    browser.keys(ENTER)?;
    // Who opens a chat by a key writes there.
    let _ = browser
        .wait("the field to write in", "return document.activeElement?.matches('.composer textarea')")?;
    ensure!(browser.text(".chat-name h1")? == title, "another chat than {title} is open");
    let listed = world.phone.ask(&json!({"verb": "chats"}))?;
    let chats = listed["chats"].as_array().context("no chats at the phone")?;
    let chat =
        chats.iter().find(|chat| chat["title"] == title.as_str()).and_then(|chat| chat["chat"].as_u64());
    let chat = chat.with_context(|| format!("the phone has no chat {title}"))?;
    let text = "Written by keys alone";
    browser.keys(&format!("{text}{ENTER}"))?;
    until("the text at the phone", LIMIT, || {
        Ok(has_text(&world.phone.ask(&history(chat))?, text).then_some(()))
    })?;
    let focus = browser.run("return document.activeElement.matches('.composer textarea')")?;
    ensure!(focus == true, "the next text needs another way to its field");
    let _ = browser.wait("the state live", LIVE)?;
    world.table.ok("the keyboard alone", "from the first visit to a sent text without the pointer");
    Ok(())
}

/// Presses Tab until what is wanted has the focus, and can be seen to have it.
fn tab_to(browser: &Browser, selector: &str) -> Result<()> {
    let there = format!("return document.querySelector({selector:?}) !== null");
    let _ = browser.wait(selector, &there)?;
    for _ in 0..TABS_MAX {
        browser.keys(TAB)?;
        let shown = browser.run(&format!(
            "const at = document.activeElement; return at.matches({selector:?}) && getComputedStyle(at).outlineStyle"
        ))?;
        if let Some(outline) = shown.as_str() {
            ensure!(outline != "none", "{selector} does not show that it has the focus");
            return Ok(());
        }
    }
    let at = browser.run("return document.activeElement.outerHTML.slice(0, 200)")?;
    anyhow::bail!("after {TABS_MAX} times Tab {selector} has not the focus, but {at}")
}
