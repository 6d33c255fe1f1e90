//! What a page meets on an ordinary day: one scrolls up and sends, looks away and comes back, changes one's mind while the phone is
//! away, goes back.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::keyboard::ENTER;
use super::looks::{LIVE, NOT_LIVE, history, shows};
use super::steps::{first_chat, reload};
use super::webdriver::Browser;
use super::{changes, chosen_files, scroll};
use crate::processes::patience::until;
use crate::processes::story::world::{LIMIT, World};

/// Makes the page hidden when asked, as `adversity.rs` uses it.
const CLAMP: &str = include_str!("clamp.js");
/// A script that returns how far the list is from its end, in pixels.
const TO_END: &str = "const list = document.querySelector('.messages'); return Math.round(list.scrollHeight - list.scrollTop - list.clientHeight)";
/// A script that says whether the list is at its end.
const AT_END: &str = "const list = document.querySelector('.messages'); return list.scrollHeight - list.scrollTop - list.clientHeight < 2";
/// How far up the list is scrolled, in pixels.
const UP: u32 = 3_000;
/// A script that returns what is written and not sent.
const FIELD: &str = "return document.querySelector('.composer textarea')?.value";
/// A script that returns how many parts of icons are not painted, since they were made as elements of another language.
pub(super) const UNPAINTED: &str = "return [...document.querySelectorAll('svg *')].filter((one) => one.namespaceURI !== 'http://www.w3.org/2000/svg').length";
/// Texts that are written within one frame.
const FAST: usize = 25;
/// How much of the window may move by how much of it, as browsers count it; 0.1 passes for good.
const SHIFT_MAX: f64 = 0.02;
/// Plays the chapter. The first chat is open before and after it.
///
/// # Errors
/// Something is not as it should be.
pub(super) fn play(world: &mut World, browser: &Browser) -> Result<()> {
    let chat = first_chat(world)?;
    browser.click(".chat-list li:first-child .chat-row")?;
    scroll::fill(browser, chat, 1_000)?;
    ticks(world, browser, chat)?;
    scrolled_up(world, browser, chat)?;
    looked_away(world, browser, chat)?;
    fast(world, browser, chat)?;
    changed_mind(world, browser, chat)?;
    kept(world, browser)?;
    back(world, browser)?;
    chosen_files::play(world, browser, chat)
}

/// Nothing on the first page moves when the code comes.
///
/// # Errors
/// Something does.
pub(super) fn steady(world: &mut World, browser: &Browser) -> Result<()> {
    let moved = browser.run(
        "return new Promise((ok) => { let moved = 0; \
         new PerformanceObserver((list) => { for (const one of list.getEntries()) moved += one.value; }).observe({ type: 'layout-shift', buffered: true }); \
         setTimeout(() => ok(moved), 300); })",
    )?;
    ensure!(moved.as_f64().is_some_and(|moved| moved < SHIFT_MAX), "the first page moves by {moved}");
    world.table.ok("the first page", format!("nothing moves when the code comes: a layout shift of {moved}"));
    Ok(())
}

fn unread_at_phone(world: &World, chat: u64) -> Result<u64> {
    let listed = world.phone.ask(&json!({"verb": "chats"}))?;
    let chats = listed["chats"].as_array().context("no chats at the phone")?;
    chats
        .iter()
        .find(|one| one["chat"] == chat)
        .and_then(|one| one["unread"].as_u64())
        .context("no such chat")
}

/// What is sent goes from a clock to two ticks; each part of the icons is painted.
fn ticks(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let text = "Is this read?";
    send(world, browser, chat, text)?;
    let state = format!(
        "const own = [...document.querySelectorAll('article.own')].findLast((one) => one.querySelector('.text')?.textContent === {text:?}); \
         return own?.querySelector('.state-read svg[aria-label=Read]')?.querySelectorAll('path').length === 2"
    );
    let _ = browser.wait("the two ticks of a read text", &state)?;
    ensure!(browser.run(UNPAINTED)? == 0, "a part of an icon is not painted");
    world.table.ok("ticks", "a text that is read has two, and each part of the icons is painted");
    Ok(())
}

/// Sends a text from the page and waits until the phone has it, and the page its answer.
fn send(world: &World, browser: &Browser, chat: u64, text: &str) -> Result<()> {
    changes::send_to_phone(world, browser, chat, text)?;
    browser.wait("the contact's answer", &shows(&format!("echo: {text}"))).map(drop)
}

fn scroll_up(browser: &Browser) -> Result<()> {
    let _ = browser.run(&format!("document.querySelector('.messages').scrollTop -= {UP}"))?;
    browser
        .wait("the way back to the newest messages", "return document.querySelector('.to-newest') !== null")
        .map(drop)
}

/// Who has scrolled up has not read what comes, is told how much it is, and gets there by a button, or by sending.
fn scrolled_up(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    until("nothing unread", LIMIT, || Ok((unread_at_phone(world, chat)? == 0).then_some(())))?;
    scroll_up(browser)?;
    for text in ["Below, one", "Below, two"] {
        let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": text}))?;
    }
    let count = "return document.querySelector('.to-newest .unread')?.textContent === '2'";
    let _ = browser.wait("the count of what came below", count)?;
    until("what nobody saw, unread", LIMIT, || Ok((unread_at_phone(world, chat)? == 2).then_some(())))?;
    ensure!(browser.run(TO_END)?.as_u64() > Some(1_000), "the list moved by itself");
    browser.click(".to-newest")?;
    let _ = browser.wait("the end of the chat", AT_END)?;
    until("what was seen, read", LIMIT, || Ok((unread_at_phone(world, chat)? == 0).then_some(())))?;
    let _ = browser.wait("no way down any more", "return document.querySelector('.to-newest') === null")?;
    // Far up, where the newest messages are not loaded any more.
    let (moved, _) = scroll::scroll(browser, 14, scroll::Way::Up)?;
    ensure!(moved == 14, "only {moved} stretches up");
    let text = "Sent from far up";
    browser.type_into(".composer textarea", &format!("{text}{ENTER}"))?;
    let _ = browser.wait("the own text", &shows(text))?;
    let _ = browser.wait("the end of the chat", AT_END)?;
    let _ = browser.wait("its answer", &shows(&format!("echo: {text}")))?;
    world.table.ok(
        "who has scrolled up",
        "what comes is counted and stays unread; the button and an own text lead to the end",
    );
    Ok(())
}

/// What came while nobody looked is read when somebody does, and not before.
fn looked_away(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let clamp = browser.before_load(CLAMP)?;
    reload(world, browser)?;
    browser.not_before_load(&clamp)?;
    until("nothing unread", LIMIT, || Ok((unread_at_phone(world, chat)? == 0).then_some(())))?;
    let _ = browser.run("hide(true)")?;
    let text = "While nobody looked at the chat";
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": text}))?;
    let _ = browser.wait("the answer", &shows(&format!("echo: {text}")))?;
    let _ = browser.wait("the count in the title", "return document.title === '(1) Handfast'")?;
    ensure!(unread_at_phone(world, chat)? == 1, "the phone takes for read what nobody saw");
    let _ = browser.run("hide(false)")?;
    until("what is seen, read", LIMIT, || Ok((unread_at_phone(world, chat)? == 0).then_some(())))?;
    let _ = browser.wait("no count in the title", "return document.title === 'Handfast'")?;
    world.table.ok(
        "a page that is looked at again",
        "what came meanwhile is read then, without a click, and not before",
    );
    Ok(())
}

/// Texts that are written faster than the page draws are not glued to each other.
fn fast(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let _ = browser.run(&format!(
        "const field = document.querySelector('.composer textarea'); \
         for (let at = 0; at < {FAST}; at += 1) {{ field.value += `fast ${{at}}`; field.dispatchEvent(new Event('input')); \
         field.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', cancelable: true, bubbles: true }})); }}"
    ))?;
    let wanted: Vec<String> = (0..FAST).map(|at| format!("fast {at}")).collect();
    let came = until("all fast texts at the phone", LIMIT, || {
        let all = world.phone.ask(&history(chat))?;
        let mut texts: Vec<(u64, String)> = all["messages"]
            .as_array()
            .context("no messages")?
            .iter()
            .filter_map(|one| Some((one["id"].as_u64()?, one["text"].as_str()?.to_owned())))
            .filter(|(_, text)| text.starts_with("fast "))
            .collect();
        texts.sort();
        Ok((texts.len() >= FAST).then(|| texts.into_iter().map(|(_, text)| text).collect::<Vec<_>>()))
    })?;
    ensure!(came == wanted, "the phone has {came:?}");
    let last = format!("echo: fast {}", FAST - 1);
    let _ = browser.wait("the last answer", &shows(&last))?;
    world.table.ok("texts within one frame", format!("{FAST} texts come one by one, in order"));
    Ok(())
}

/// A text that waits for the phone is changed, or not sent at all.
fn changed_mind(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    world.phone.kill();
    let _ = browser.wait("the state without a phone", NOT_LIVE)?;
    for text in ["Never to be sent", "To be chagned", "After it"] {
        browser.type_into(".composer textarea", &format!("{text}{ENTER}"))?;
        let _ = browser.wait("a text that waits", &shows(text))?;
    }
    let listed = "return document.querySelector('.chat-row[aria-current] .chat-last')?.textContent";
    ensure!(
        browser.run(listed)?.as_str().is_some_and(|last| last.ends_with("After it")),
        "the list does not show what waits"
    );
    press(browser, "Never to be sent", "Do not send")?;
    let _ =
        browser.wait("no such text", &format!("return !(() => {{ {} }})()", shows("Never to be sent")))?;
    press(browser, "To be chagned", "Edit")?;
    let _ =
        browser.wait("the text in its field", "return document.activeElement.value === 'To be chagned'")?;
    let _ = browser.run("document.activeElement.select()")?;
    browser.keys(&format!("To be changed{ENTER}"))?;
    let _ = browser.wait("the changed text", &shows("To be changed"))?;
    reload_without_phone(world, browser)?;
    let _ = browser.wait("the changed text, after a reload", &shows("To be changed"))?;
    world.phone.start()?;
    let _ = browser.wait("the last of the texts, sent", &shows("echo: After it"))?;
    let _ = browser.wait("nothing that waits", "return document.querySelector('.state-waiting') === null")?;
    let sent = world.phone.ask(&history(chat))?;
    for (text, times) in
        [("Never to be sent", 0), ("To be chagned", 0), ("To be changed", 1), ("After it", 1)]
    {
        let found = count(&sent, text);
        ensure!(found == times, "{text:?} is on the phone {found} times");
    }
    let order = ["To be changed", "After it"].map(|text| id_of(&sent, text));
    ensure!(order[0] < order[1], "what waited came in another order");
    let _ = browser.said()?;
    world.table.ok(
        "a text that waits for the phone",
        "it can be withdrawn and changed, also after a reload; the rest goes out in order",
    );
    Ok(())
}

fn count(history: &Value, text: &str) -> usize {
    history["messages"].as_array().map_or(0, |all| all.iter().filter(|one| one["text"] == text).count())
}

fn id_of(history: &Value, text: &str) -> Option<u64> {
    history["messages"].as_array()?.iter().find(|one| one["text"] == text)?["id"].as_u64()
}

/// Presses a button of the message with this text, with a mouse.
fn press(browser: &Browser, text: &str, label: &str) -> Result<()> {
    let find = format!(
        "const message = [...document.querySelectorAll('article')].findLast((one) => one.querySelector('.text')?.textContent === {}); ",
        json!(text)
    );
    let _ = browser.wait(
        label,
        &format!(
            "{find} message?.dispatchEvent(new PointerEvent('pointerenter')); return message !== undefined"
        ),
    )?;
    let _ = browser.wait(
        label,
        &format!("{find} const button = message.querySelector('button[aria-label={label:?}]'); button?.click(); return button !== null"),
    )?;
    Ok(())
}

/// An edit in progress outlives that another chat is opened, and an answer that is written outlives a reload.
fn kept(world: &mut World, browser: &Browser) -> Result<()> {
    press(browser, "To be changed", "Edit")?;
    let _ =
        browser.wait("the text in its field", "return document.activeElement.value === 'To be changed'")?;
    browser.keys(", perhaps")?;
    browser.click(".chat-list li:nth-child(2) .chat-row")?;
    let _ = browser.wait("another chat", "return document.querySelector('.in-edit') === null")?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait(
        "the edit in progress",
        &format!("return (() => {{ {FIELD} }})() === 'To be changed, perhaps'"),
    )?;
    browser.click("[aria-label='Stop editing']")?;
    press(browser, "echo: After it", "Reply")?;
    browser.type_into(".composer textarea", "An answer")?;
    let stored = "return new Promise((ok, fail) => { const open = indexedDB.open('handfast'); open.onerror = fail; open.onsuccess = () => { \
        open.result.transaction('drafts').objectStore('drafts').getAll().onsuccess = ({ target }) => { open.result.close(); \
        ok(target.result.some((row) => row.text === 'An answer' && row.reply?.text === 'echo: After it')); }; }; })";
    let _ = browser.wait("the answer in the database", stored)?;
    reload(world, browser)?;
    let _ = browser
        .wait("the answer in its field", &format!("return (() => {{ {FIELD} }})() === 'An answer'"))?;
    let about = browser.text(".composer-about p")?;
    ensure!(about.contains("echo: After it"), "after a reload the answer is to {about:?}");
    browser.type_into(".composer textarea", ENTER)?;
    let quoted = "return [...document.querySelectorAll('article')].some((one) => one.querySelector('.text')?.textContent === 'An answer' \
        && one.querySelector('blockquote')?.textContent.includes('echo: After it'))";
    let _ = browser.wait("the answer with what it answers", quoted)?;
    world
        .table
        .ok("what is under way in the field", "an edit stays over another chat, an answer over a reload");
    Ok(())
}

/// The address names the chat; Back leads to the chat before and to the list; the place in a chat is kept.
fn back(world: &mut World, browser: &Browser) -> Result<()> {
    browser.go(&world.page())?;
    let _ = browser.wait("the chats", "return document.querySelectorAll('.chat-row').length > 1")?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let first = browser.text(".chat-name h1")?;
    let _ = browser.wait("messages", "return document.querySelectorAll('article').length > 20")?;
    let _ = browser.run("document.querySelector('.messages').scrollTop -= 600")?;
    let top = "const list = document.querySelector('.messages'); const top = list.getBoundingClientRect().top; \
        const one = [...list.querySelectorAll('article')].find((message) => message.getBoundingClientRect().bottom > top); \
        return `${one.dataset.name} ${Math.round(one.getBoundingClientRect().top - top)}`";
    let _ = browser.wait("the way down", "return document.querySelector('.to-newest') !== null")?;
    let place = browser.run(top)?;
    browser.click(".chat-list li:nth-child(2) .chat-row")?;
    let _ = browser.wait(
        "another chat",
        &format!("return document.querySelector('.chat-name h1')?.textContent !== {}", json!(first)),
    )?;
    let _ = browser.run("history.back()")?;
    let is_first =
        format!("return document.querySelector('.chat-name h1')?.textContent === {}", json!(first));
    let _ = browser.wait("the chat before", &is_first)?;
    let _ = browser.wait("the place in it", &format!("return (() => {{ {top} }})() === {place}"))?;
    browser.reload()?;
    let _ = browser.wait("the same chat after a reload", &is_first)?;
    let _ = browser.wait("the state live", LIVE)?;
    browser.click("[aria-label^='Linked devices']")?;
    let _ = browser.run("history.back()")?;
    let _ = browser.wait("no sheet", "return document.querySelector('dialog') === null")?;
    let _ = browser.wait("the chat below it", &is_first)?;
    let _ = browser.wait("its address", "return location.hash.startsWith('#chat-')")?;
    let _ = browser.run("history.back()")?;
    let _ = browser.wait("the list", "return document.querySelector('.chat-none') !== null")?;
    browser.click("[aria-label^='Linked devices']")?;
    let _ = browser.run("history.back()")?;
    let _ = browser.wait("no sheet over the list", "return document.querySelector('dialog') === null")?;
    let _ = browser.wait("the list below it", "return document.querySelector('.chat-none') !== null")?;
    let _ = browser.said()?;
    reload(world, browser)?;
    world.table.ok(
        "the way back",
        "Back closes a sheet, leads to the chat before, where one was in it, and to the list",
    );
    Ok(())
}

fn reload_without_phone(world: &World, browser: &Browser) -> Result<()> {
    browser.go(&world.page())?;
    browser.click(".chat-list li:first-child .chat-row")?;
    browser.wait("the chat", "return document.querySelectorAll('article').length > 10").map(drop)
}
