//! A browser that gives the page less: timers once a minute while nobody looks at it, and no room on the disk; and what is
//! written and not sent when the page is loaded anew.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::looks::{FILES, LIVE, has_text, history, shows};
use super::steps::first_chat;
use super::webdriver::Browser;
use crate::processes::patience::until;
use crate::processes::story::world::{LIMIT, World};

/// Makes the page hidden, and its timers rare.
const CLAMP: &str = include_str!("clamp.js");
/// A minute, and what may be late about it.
const MINUTE_LIMIT: Duration = Duration::from_secs(90);
/// How often a text is sent until there is no room. The browser believes for half a minute what it knew of its room.
const FILLING_EVERY: Duration = Duration::from_secs(3);
/// A script that gives the text that is written and not sent.
const WRITTEN: &str = "return document.querySelector('.composer textarea')?.value";
/// A script that says whether the page has no room.
const FULL: &str = "return /no room/i.test(document.querySelector('.banner.tone-off')?.textContent)";

/// Plays the chapter. The first chat is open before and after it.
///
/// # Errors
/// Something is not as it should be.
pub(super) fn play(world: &mut World, browser: &Browser) -> Result<()> {
    drafts(world, browser)?;
    full(world, browser)?;
    hidden(world, browser)
}

fn reload(world: &World, browser: &Browser) -> Result<()> {
    browser.go(&world.page())?;
    let _ = browser.wait("the state live", LIVE)?;
    browser.click(".chat-list li:first-child .chat-row")
}

/// What is written and not sent is still there when the page is loaded anew, and is not when it was sent.
fn drafts(world: &mut World, browser: &Browser) -> Result<()> {
    reload(world, browser)?;
    let text = "Written, and not sent yet";
    browser.type_into(".composer textarea", text)?;
    let kept = |text: &str| {
        format!(
            "return new Promise((ok, fail) => {{ const open = indexedDB.open('handfast'); open.onerror = fail; \
             open.onsuccess = () => {{ open.result.transaction('drafts').objectStore('drafts').getAll().onsuccess = \
             ({{ target }}) => {{ open.result.close(); ok(target.result.map((draft) => draft.text).join() === {text:?}); }}; }}; }})"
        )
    };
    let _ = browser.wait("the text in the database", &kept(text))?;
    browser.go(&world.page())?;
    let listed = format!(
        "return [...document.querySelectorAll('.chat-last')].some((one) => one.textContent === 'Draft: {text}')"
    );
    let _ = browser.wait("the text in the list of chats", &listed)?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait("the text in its field", &format!("{WRITTEN} === {text:?}"))?;
    browser.type_into(".composer textarea", "\u{e007}")?;
    let _ = browser.wait("the text as a message", &shows(text))?;
    let _ = browser.wait("no text in the database", &kept(""))?;
    reload(world, browser)?;
    let _ = browser.wait("the message", &shows(text))?;
    ensure!(browser.run(WRITTEN)? == "", "what was sent is a draft again");
    world.table.ok("what is written and not sent", "it is there again when the page is loaded anew");
    Ok(())
}

/// The browser gives the page no more room: it says so, loses nothing, and goes on by itself.
fn full(world: &mut World, browser: &Browser) -> Result<()> {
    let chat = first_chat(world)?;
    let origin = world.page().trim_end_matches('/').to_owned();
    let file = world.root.join("no room for it.bin");
    std::fs::write(&file, vec![7; 1 << 20])?;
    browser.quota(&origin, Some(1))?;
    let played = without_room(world, browser, chat, &file);
    browser.quota(&origin, None)?;
    played?;
    let _ = browser.wait("the state live", LIVE)?;
    let _ = browser.wait("what came meanwhile", &shows("Last while there was no room"))?;
    let written = "return [...document.querySelectorAll('.message.own .text')].map((one) => one.textContent) \
        .filter((text) => text === 'Sent without room').length";
    ensure!(browser.run(written)? == 0, "a text is shown as sent that nothing keeps");
    let text = browser.run(WRITTEN)?;
    ensure!(text == "Sent without room", "the text that could not be sent is {text}");
    browser.type_into(".composer textarea", "\u{e007}")?;
    until("the text at the phone", LIMIT, || {
        Ok(has_text(&world.phone.ask(&history(chat))?, "Sent without room").then_some(()))
    })?;
    let _ = browser.wait("the text, sent", &format!("return document.querySelector('.state-waiting') === null && ({{ count() {{ {written} }} }}).count() === 1"))?;
    let _ = browser.said()?;
    world.table.ok(
        "no room on the disk",
        "the page says so, loses nothing, and goes on by itself when there is some",
    );
    Ok(())
}

fn without_room(world: &World, browser: &Browser, chat: u64, file: &std::path::Path) -> Result<()> {
    let file = file.display().to_string();
    browser.type_into(FILES, &file)?;
    let told = "return /no room/.test(document.querySelector('.toast')?.textContent)";
    let _ = browser.wait("the word that there is no room for a file", told)?;
    browser.click(".toast button")?;
    let began = Instant::now();
    let mut sent = 0;
    until("the word that there is no room", MINUTE_LIMIT, || {
        if browser.run(FULL)? == true {
            return Ok(Some(()));
        }
        if began.elapsed() >= FILLING_EVERY * sent {
            sent += 1;
            let text = format!("While there was no room {sent}");
            let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": text}))?;
        }
        Ok(None)
    })?;
    let last = "Last while there was no room";
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": last}))?;
    browser.type_into(".composer textarea", "Sent without room\u{e007}")?;
    let _ = browser.wait("the word that the text was not sent", told)?;
    let _ = browser.wait("the text in its field", &format!("{WRITTEN} === 'Sent without room'"))?;
    browser.click(".toast button")
}

/// Nobody looks at the page, so the browser runs its timers once a minute: what comes is taken at once, and the link holds.
fn hidden(world: &mut World, browser: &Browser) -> Result<()> {
    let chat = first_chat(world)?;
    let clamp = browser.before_load(CLAMP)?;
    reload(world, browser)?;
    let _ = browser.run("hide(true)")?;
    let texts = ["While nobody looked", "A minute later"];
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": texts[0]}))?;
    let _ = browser.wait("a text for a page that nobody looks at", &shows(texts[0]))?;
    until("the browser's minute", MINUTE_LIMIT, || {
        Ok((browser.run("return window.minutes > 0")? == true).then_some(()))
    })?;
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": texts[1]}))?;
    until("a text after a minute", MINUTE_LIMIT, || {
        Ok((browser.run(&shows(texts[1]))? == true).then_some(()))
    })?;
    let _ = browser.run("hide(false)")?;
    browser.not_before_load(&clamp)?;
    let _ = browser.wait("the state live", LIVE)?;
    for text in texts {
        let count = format!(
            "return [...document.querySelectorAll('article .text')].filter((one) => one.textContent === {text:?}).length"
        );
        ensure!(browser.run(&count)? == 1, "{text:?} is not shown once");
    }
    reload(world, browser)?;
    world.table.ok(
        "a page that nobody looks at",
        "with timers once a minute it takes what comes, and keeps its link",
    );
    Ok(())
}
