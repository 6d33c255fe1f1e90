//! A phone with more chats than a connection has subscriptions, and messages that are older than their chat's window: the open
//! chat is live, a gap is filled, and what happens to an old message on the phone is seen here.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::looks::{LIVE, has_text, shows};
use super::steps::link;
use super::webdriver::{Browser, ChromeDriver};
use crate::processes::devices::Kind;
use crate::processes::patience::until;
use crate::processes::story::world::{CHATS, LIMIT, World};

/// Puts chats into a phone's database.
const FILL: &str = include_str!("fill.py");
/// Chats of the phone.
const MANY: u64 = 120;
/// Texts that the phone writes while the page is closed.
const MISSED: usize = 250;
/// A page that is none.
const NOWHERE: &str = "about:blank";

/// Plays the chapter, with a phone and a browser of its own.
///
/// # Errors
/// Something is not as it should be.
pub(super) fn play(world: &mut World, driver: &ChromeDriver) -> Result<()> {
    let mut phone = world.device(Kind::Phone, "phone of many chats")?;
    phone.start()?;
    phone.kill();
    let mut fill = Command::new("python3");
    let _ = fill.args(["-c", FILL]).arg(phone.dir().join("phone.db")).arg((MANY - CHATS).to_string());
    ensure!(fill.status().context("python3 cannot be started")?.success(), "the phone could not be filled");
    phone.start()?;
    world.phone.kill();
    std::mem::swap(&mut world.phone, &mut phone);
    let browser = driver.browser(&world.root.join("profile of many chats"), 1200, 800)?;
    let played = chapters(world, &browser);
    if played.is_err() {
        let _ = browser.picture(&world.root.join("old-messages-failed.png"));
    }
    std::mem::swap(&mut world.phone, &mut phone);
    phone.kill();
    world.phone.start()?;
    played
}

fn chapters(world: &mut World, browser: &Browser) -> Result<()> {
    browser.go(&world.page())?;
    link(world, browser)?;
    let all = format!("return document.querySelectorAll('.chat-row').length === {MANY}");
    let _ = browser.wait("all chats", &all)?;
    let chat = seventh(world, browser)?;
    missed(world, browser, chat)?;
    changed_live(world, browser, chat)?;
    changed_while_closed(world, browser, chat)?;
    changed_while_left(world, browser, chat)
}

/// The seventh chat of the list is answered like any other.
fn seventh(world: &mut World, browser: &Browser) -> Result<u64> {
    browser.click(".chat-list li:nth-child(7) .chat-row")?;
    let title = browser.text(".chat-name h1")?;
    let listed = world.phone.ask(&json!({"verb": "chats"}))?;
    let chats = listed["chats"].as_array().context("no chats at the phone")?;
    let chat = chats.iter().find(|chat| chat["title"] == title.as_str()).context("no such chat")?;
    let chat = chat["chat"].as_u64().context("a chat without an id")?;
    browser.type_into(".composer textarea", "hello recent friend\u{e007}")?;
    let _ = browser.wait("the answer", &shows("echo: hello recent friend"))?;
    let sent = "return document.querySelector('.state-waiting') === null \
        && document.querySelector('article.own .state-read') !== null";
    let _ = browser.wait("the text, read", sent)?;
    world.table.ok("120 chats, the seventh answered", "the text is read, and its answer is here");
    Ok(chat)
}

/// More came while the page was closed than a window holds: all of it is there for who scrolls up.
fn missed(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    browser.go(NOWHERE)?;
    for number in 0..MISSED {
        let _ =
            world.phone.ask(&json!({"verb": "send", "chat": chat, "text": format!("missed {number}")}))?;
    }
    open(world, browser, chat)?;
    // What is shown of a chat is told again once its newest messages are here, from these on.
    let _ = browser.wait("the newest answer", &shows(&format!("echo: missed {}", MISSED - 1)))?;
    let seen = scrolled(browser)?;
    let missing: Vec<usize> =
        (0..MISSED).filter(|number| !seen.contains(&format!("missed {number}"))).collect();
    ensure!(missing.is_empty(), "these are missing: {missing:?}");
    let before = ["hello recent friend", "echo: hello recent friend"];
    ensure!(before.iter().all(|text| seen.iter().any(|one| one == text)), "what was there before is missing");
    world.table.ok("250 messages missed", "each is found by scrolling, and what was before");
    Ok(())
}

fn changed_live(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    change(world, chat, 0)?;
    let _ = browser.wait("an old text, edited", &shows("edited 0"))?;
    let _ = browser.wait("an old text, deleted", &gone("missed 1"))?;
    let _ = browser.wait("a reaction to an old text", &liked("missed 2"))?;
    world.table.ok("old messages changed, live", "an edit, a deletion and a reaction beyond the window");
    Ok(())
}

fn changed_while_closed(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    browser.go(NOWHERE)?;
    change(world, chat, 3)?;
    open(world, browser, chat)?;
    ensure_changed(browser, 3)?;
    world.table.ok("old messages changed while the page was closed", "an edit, a deletion and a reaction");
    Ok(())
}

/// So many other chats are opened that this one is left; then it changes, and the phone goes before it is opened again.
fn changed_while_left(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    for row in 1..=MANY {
        let selector = format!(".chat-list li:nth-child({row}) .chat-row");
        browser.click(&selector)?;
    }
    let _ = browser.wait("the last chat", "return document.querySelectorAll('article').length > 2")?;
    change(world, chat, 6)?;
    let text = "after the changes";
    let other = browser.text(".chat-name h1")?;
    let listed = world.phone.ask(&json!({"verb": "chats"}))?;
    let found =
        listed["chats"].as_array().and_then(|all| all.iter().find(|one| one["title"] == other.as_str()));
    let open_chat = found.and_then(|one| one["chat"].as_u64()).context("no such chat")?;
    let _ = world.phone.ask(&json!({"verb": "send", "chat": open_chat, "text": text}))?;
    let _ = browser.wait("a later text", &shows(text))?;
    world.phone.kill();
    let _ = browser.wait(
        "the state without a phone",
        "return document.querySelector('.banner:not(.tone-good)') !== null",
    )?;
    show(browser, chat)?;
    ensure_changed(browser, 6)?;
    world.phone.start()?;
    world.table.ok("old messages changed in a chat that was left", "an edit, a deletion and a reaction");
    Ok(())
}

/// Edits, deletes and reacts to three texts of the phone.
fn change(world: &World, chat: u64, first: usize) -> Result<()> {
    let request = json!({"verb": "history", "chat": chat, "count": 1_000});
    let all = world.phone.ask(&request)?;
    let id = |number: usize| -> Result<u64> {
        let text = format!("missed {number}");
        let found = all["messages"].as_array().and_then(|all| all.iter().find(|one| one["text"] == text));
        found.and_then(|one| one["id"].as_u64()).with_context(|| format!("the phone has no {text:?}"))
    };
    let ask = |verb: &str, number: usize, more: Value| -> Result<Value> {
        let mut request = json!({"verb": verb, "chat": chat, "message": id(number)?});
        if let (Some(to), Some(more)) = (request.as_object_mut(), more.as_object()) {
            to.extend(more.clone());
        }
        world.phone.ask(&request)
    };
    let _ = ask("edit", first, json!({"text": format!("edited {first}")}))?;
    let _ = ask("delete", first + 1, json!({}))?;
    let _ = ask("react", first + 2, json!({"reaction": "👍"}))?;
    until("the edit at the phone", LIMIT, || {
        Ok(has_text(&world.phone.ask(&request)?, &format!("edited {first}")).then_some(()))
    })
}

/// The three that were changed come to be shown as they are now, at the beginning of the chat.
fn ensure_changed(browser: &Browser, first: usize) -> Result<()> {
    let _ = scrolled(browser)?;
    let _ = browser.wait("the edit", &shows(&format!("edited {first}")))?;
    let _ = browser.wait("no text from before the edit", &gone(&format!("missed {first}")))?;
    let _ = browser.wait("no deleted text", &gone(&format!("missed {}", first + 1)))?;
    browser.wait("the reaction", &liked(&format!("missed {}", first + 2))).map(drop)
}

/// Loads the page and opens a chat.
fn open(world: &World, browser: &Browser, chat: u64) -> Result<()> {
    browser.go(&world.page())?;
    let _ = browser.wait("the state live", LIVE)?;
    show(browser, chat)
}

/// Opens a chat, and waits for its messages.
fn show(browser: &Browser, chat: u64) -> Result<()> {
    let title = format!(
        "return new Promise((ok) => {{ const open = indexedDB.open('handfast'); open.onsuccess = () => {{ \
         open.result.transaction('chats').objectStore('chats').get({chat}).onsuccess = ({{ target }}) => {{ \
         open.result.close(); ok(target.result.title); }}; }}; }})"
    );
    let title = browser.run(&title)?;
    let click = format!(
        "const row = [...document.querySelectorAll('.chat-row')].find((one) => one.querySelector('.chat-title').textContent === {title}); \
         row?.click(); return row !== undefined"
    );
    let _ = browser.wait("the chat in the list", &click)?;
    let shown = format!(
        "return document.querySelector('.chat-name h1')?.textContent === {title} && document.querySelectorAll('article').length > 10"
    );
    browser.wait("the chat", &shown).map(drop)
}

/// Scrolls up to the beginning of the chat; returns every text that was seen on the way.
fn scrolled(browser: &Browser) -> Result<Vec<String>> {
    let _ = browser.run("window.seen = new Set(); window.oldest = null")?;
    loop {
        // At the beginning, or where something older has come since the last look.
        let step = browser.wait(
            "older messages, or the beginning of the chat",
            "const list = document.querySelector('.messages'); const all = list.querySelectorAll('article'); \
             for (const one of all) { const text = one.querySelector('.text'); if (text) window.seen.add(text.textContent); } \
             if (list.querySelector('.messages-head').textContent === 'This is the beginning of the chat.') return 'beginning'; \
             list.scrollTop = 0; list.dispatchEvent(new Event('scroll')); \
             const { name } = all[0]?.dataset ?? {}; const isFurther = name !== window.oldest; window.oldest = name; \
             return isFurther && 'further'",
        )?;
        if step == "beginning" {
            break;
        }
    }
    let seen = browser.run("return [...window.seen]")?;
    let seen = seen.as_array().context("no texts")?;
    Ok(seen.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// A script that says whether no message with this text is shown.
fn gone(text: &str) -> String {
    shows(text).replacen("return ", "return !", 1)
}

/// A script that says whether a message has a reaction of the account.
fn liked(text: &str) -> String {
    let text = json!(text);
    format!(
        "return [...document.querySelectorAll('article')].some((one) => one.querySelector('.text')?.textContent === {text} \
         && one.querySelector('.reactions [aria-pressed=\"true\"]') !== null)"
    )
}
