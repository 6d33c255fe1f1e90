//! What is done to messages that are there, by keys alone: reactions, edits and deletions by the page and on the phone, and the
//! contact's reaction; who is there, and which devices are linked.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::keyboard::{ENTER, TAB};
use super::looks::{LIVE, NOT_LIVE, has_text, history, script_over, shows};
use super::steps::first_chat;
use super::webdriver::Browser;
use crate::processes::patience::until;
use crate::processes::story::world::{LIMIT, World};

/// A script that says whether something of the page waits for the phone.
const WAITS: &str = "return document.querySelector('.state-waiting') !== null";
const ESCAPE: &str = "\u{e00c}";
/// A text that the contact reacts to, and what with.
const LIKED: &str = "Well done, moth!";
const LIKE: &str = "👍";
/// How often a contact gets a text until it is seen that it is there: less than it stays.
const TEXT_EVERY: Duration = Duration::from_secs(2);

/// Plays the chapter. The first chat is open before and after it.
///
/// # Errors
/// Something does not come, or not as it was asked for.
pub(super) fn play(world: &mut World, browser: &Browser) -> Result<()> {
    let chat = first_chat(world)?;
    reactions(world, browser, chat)?;
    edits(world, browser, chat)?;
    away(world, browser, chat)?;
    taken_back(world, browser, chat)?;
    deletions(world, browser, chat)?;
    from_phone(world, browser, chat)?;
    meanwhile(world, browser, chat)?;
    refusals(world, browser, chat)?;
    presence(world, browser, chat)?;
    devices(world, browser)
}

/// Both sides react, and the page takes its reaction back.
fn reactions(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    send(world, browser, chat, LIKED)?;
    let theirs = reacted(LIKED, LIKE, false);
    let _ = browser.wait("the contact's reaction", &theirs)?;
    let echo = format!("echo: {LIKED}");
    let _ = browser.wait("the contact's answer", &shows(&echo))?;
    press(browser, &echo, "React")?;
    browser.keys(TAB)?;
    browser.keys(ENTER)?;
    let _ = browser.wait("the page's reaction", &reacted(&echo, LIKE, true))?;
    on_phone(world, chat, "the page's reaction", |all| ours(all, &echo) == Some(LIKE))?;
    settled(browser)?;
    let focus = browser.run("return document.activeElement.getAttribute('aria-label')")?;
    ensure!(focus == "React", "after a reaction the focus is at {focus}");
    press(browser, &echo, &format!("{LIKE} from you"))?;
    on_phone(world, chat, "no reaction of the page", |all| ours(all, &echo).is_none())?;
    let _ = browser.wait("no reaction", &not(&reacted(&echo, LIKE, true)))?;
    settled(browser)?;
    world.table.ok("reactions", "the contact's is on the page; the page's is on the phone, and taken back");
    Ok(())
}

/// The page gives a text of its own another one; Escape leaves it as it was, and what was written besides stays.
fn edits(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let (before, after) = ("A tpyo", "A typo");
    send(world, browser, chat, before)?;
    browser.type_into(".composer textarea", "Written besides")?;
    press(browser, before, "Edit")?;
    browser.keys(" that nobody sees")?;
    browser.keys(ESCAPE)?;
    let field = "return document.querySelector('.in-edit') === null && document.activeElement.matches('.composer textarea') && document.activeElement.value";
    ensure!(browser.wait("no edit", field)? == "Written besides", "an edit that was left changed the draft");
    edit(browser, before, after)?;
    on_phone(world, chat, "the edited text", |all| {
        message_of(all, after).is_some_and(|one| one["edited"] == true) && message_of(all, before).is_none()
    })?;
    let _ = browser.wait("the edited text", &edited(after))?;
    settled(browser)?;
    ensure!(
        browser.run("return document.querySelector('.composer textarea').value")? == "Written besides",
        "an edit changed the draft"
    );
    let _ = browser.run("document.querySelector('.composer textarea').select()")?;
    browser.keys("\u{e003}")?;
    world.table.ok("an edit", "it is on the phone; what was written besides stays, and Escape leaves it all");
    Ok(())
}

/// An edit while the phone is away is shown, survives that the page is loaded anew, and goes out by itself.
fn away(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let after = "A typo, while the phone was away";
    world.phone.kill();
    let _ = browser.wait("the state without a phone", NOT_LIVE)?;
    edit(browser, "A typo", after)?;
    let _ = browser.wait("the edit", &edited(after))?;
    let _ = browser.wait("the word that it waits", WAITS)?;
    browser.go(&world.page())?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait("the edit in a page that is loaded anew", &edited(after))?;
    let _ = browser.wait("the word that it waits", WAITS)?;
    world.phone.start()?;
    on_phone(world, chat, "the edit that waited", |all| message_of(all, after).is_some())?;
    let _ = browser.wait("the state live", LIVE)?;
    let _ = browser.wait("the edited text", &edited(after))?;
    settled(browser)?;
    // The network was gone for a while, which the browser says.
    let _ = browser.said()?;
    world.table.ok(
        "an edit while the phone is away",
        "it is shown, also after the page is loaded anew, and goes out by itself",
    );
    Ok(())
}

/// An edit and a deletion that wait for the phone are taken back, one of them after a reload of the page: nothing of them leaves.
fn taken_back(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let (text, never) = ("A typo, while the phone was away", "Nobody is to see this");
    let gone = "return document.querySelector('.gone') !== null";
    world.phone.kill();
    let _ = browser.wait("the state without a phone", NOT_LIVE)?;
    edit(browser, text, never)?;
    let _ = browser.wait("the edit", &edited(never))?;
    press(browser, never, "Keep the old text")?;
    let _ = browser.wait("the old text", &shows(text))?;
    settled(browser)?;
    press(browser, text, "Delete")?;
    let _ = browser
        .wait("the question", "return document.querySelector('dialog[open] button.danger') !== null")?;
    let _ = browser.run("document.querySelector('dialog[open] button.danger').focus()")?;
    browser.keys(ENTER)?;
    let _ = browser.wait("the deletion", gone)?;
    browser.go(&world.page())?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait("the deletion in a page that is reloaded", gone)?;
    browser.click(".held button")?;
    let _ = browser.wait("the text", &shows(text))?;
    settled(browser)?;
    let none = script_over(
        "commands",
        "readonly",
        "return all.every(({ kind }) => kind !== 'edit' && kind !== 'delete')",
    );
    let _ = browser.wait("no command of either", &none)?;
    world.phone.start()?;
    let _ = browser.wait("the state live", LIVE)?;
    send(world, browser, chat, "After what was taken back")?;
    on_phone(world, chat, "the text as it was", |all| {
        message_of(all, text).is_some() && message_of(all, never).is_none()
    })?;
    // The network was gone for a while, which the browser says.
    let _ = browser.said()?;
    world.table.ok(
        "an edit and a deletion that wait for the phone",
        "they are taken back, also after the page is reloaded; nothing of them leaves",
    );
    Ok(())
}

fn deletions(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let text = "Nobody was to read this";
    send(world, browser, chat, text)?;
    press(browser, text, "Delete")?;
    let _ = browser
        .wait("the question", "return document.querySelector('dialog[open] button.danger') !== null")?;
    let _ = browser.run("document.querySelector('dialog[open] button.danger').focus()")?;
    browser.keys(ENTER)?;
    let _ = browser.wait("no such text", &not(&shows(text)))?;
    on_phone(world, chat, "no such text", |all| message_of(all, text).is_none())?;
    let _ =
        browser.wait("nothing that is being deleted", "return document.querySelector('.gone') === null")?;
    let focus = browser.run("return document.activeElement.closest('.messages') !== null")?;
    ensure!(focus == true, "the focus is lost with a message");
    world.table.ok("a deletion", "the text is gone from the page and from the phone");
    Ok(())
}

/// What is done on the phone is shown on the page.
fn from_phone(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let (before, after) = ("From the phone", "From the phone, edited");
    let message = id(world, chat, before)?;
    let ask = |mut verb: Value| {
        verb["chat"] = json!(chat);
        verb["message"] = json!(message);
        world.phone.ask(&verb).map(drop)
    };
    ask(json!({"verb": "edit", "text": after}))?;
    let _ = browser.wait("the phone's edit", &edited(after))?;
    ask(json!({"verb": "react", "reaction": LIKE}))?;
    let _ = browser.wait("the phone's reaction", &reacted(after, LIKE, true))?;
    ask(json!({"verb": "delete"}))?;
    let _ = browser.wait("the phone's deletion", &not(&shows(after)))?;
    let text = "From the phone";
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": text}))?;
    let _ = browser.wait("the phone's next text", &shows(text))?;
    world.table.ok("edit, reaction and deletion on the phone", "they are on the page");
    Ok(())
}

/// The page edits a text that is deleted on the phone while the two cannot talk: it is gone, and nothing is left of the edit.
fn meanwhile(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let (before, after) = ("Deleted meanwhile", "Edited in vain");
    send(world, browser, chat, before)?;
    let message = id(world, chat, before)?;
    world.relay.kill();
    let _ = browser.wait("the state without a relay", NOT_LIVE)?;
    edit(browser, before, after)?;
    let _ = browser.wait("the edit", &edited(after))?;
    let _ = world.phone.ask(&json!({"verb": "delete", "chat": chat, "message": message}))?;
    world.relay.start()?;
    let _ = browser.wait("the state live", LIVE)?;
    let _ = browser.wait("no such text", &not(&shows(after)))?;
    let none = script_over("commands", "readonly", "return all.every((one) => one.kind !== 'edit')");
    let _ = browser.wait("no command of it", &none)?;
    settled(browser)?;
    let _ = browser.said()?;
    world
        .table
        .ok("an edit of what was deleted on the phone meanwhile", "the text is gone, and the edit with it");
    Ok(())
}

/// What a phone refused, as the page keeps it: the user tries again, or leaves it.
fn refusals(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let (text, wanted) = ("Refused at first", "Taken at last");
    send(world, browser, chat, text)?;
    let message = id(world, chat, text)?;
    let rows = json!([
        {"key": "01".repeat(16), "time_ms": 1, "kind": "edit", "chat": chat, "message": message, "text": wanted, "was": text,
            "state": "failed", "code": "REFUSED"},
        {"key": "02".repeat(16), "time_ms": 2, "kind": "delete", "chat": chat, "message": message, "state": "failed", "code": "REFUSED"},
    ]);
    let _ = browser.run(&script_over(
        "commands",
        "readwrite",
        &format!("for (const row of {rows}) store.put(row); return true"),
    ))?;
    browser.go(&world.page())?;
    let _ = browser.wait("the state live", LIVE)?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let said = "return document.querySelector('.problem p')?.textContent";
    ensure!(
        browser.wait("a refusal", said)? == "This was not deleted. Your phone does not allow it.",
        "another refusal is said"
    );
    press(browser, text, "Dismiss")?;
    let _ = browser.wait("the other refusal", &format!("{said}.startsWith('This was not edited')"))?;
    press(browser, text, "Try again")?;
    on_phone(world, chat, "what was refused", |all| message_of(all, wanted).is_some())?;
    let _ = browser.wait("the edited text", &edited(wanted))?;
    settled(browser)?;
    let left = browser.run(&script_over(
        "commands",
        "readonly",
        "return all.filter((one) => one.state === 'failed').length",
    ))?;
    ensure!(left == 0, "{left} refusals are left");
    world.table.ok("what the phone refused", "it is said in words, and tried again or left");
    Ok(())
}

/// Contacts that are there have a dot, and a word for who does not see it. They are there for some seconds after a text.
fn presence(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let dot = "return document.querySelector('.chat-row .there')?.getAttribute('aria-label') ?? null";
    let began = Instant::now();
    let mut sent = 0;
    let label = until("a contact that is there", LIMIT, || {
        let label = browser.run(dot)?;
        if label.is_null() && began.elapsed() >= TEXT_EVERY * sent {
            sent += 1;
            let text = format!("Are you there? {sent}");
            let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": text}))?;
        }
        Ok((!label.is_null()).then_some(label))
    })?;
    ensure!(label == "Online", "the dot has the name {label}");
    world.table.ok("presence", "contacts that are there are shown so");
    Ok(())
}

/// The page lists what the phone lists, and knows itself among it.
fn devices(world: &mut World, browser: &Browser) -> Result<()> {
    let listed = world.phone.ask(&json!({"verb": "companions"}))?;
    let mut wanted: Vec<&str> = listed["companions"]
        .as_array()
        .context("no companions")?
        .iter()
        .filter_map(|one| one["label"].as_str())
        .collect();
    wanted.sort_unstable();
    browser.click("[aria-label^='Linked devices']")?;
    let shown = "return [...document.querySelectorAll('.device bdi')].map((one) => one.textContent).sort().join('\\n')";
    let shown = browser.wait("the linked devices", shown)?;
    ensure!(shown == wanted.join("\n"), "the page lists {shown}, the phone {wanted:?}");
    let own = browser.text(".device[aria-current] .small")?;
    ensure!(own.starts_with("this browser"), "of itself the page says {own:?}");
    browser.keys(ESCAPE)?;
    let _ = browser.wait("no sheet", "return document.querySelector('dialog') === null")?;
    let focus = browser.run("return document.activeElement.getAttribute('aria-label')")?;
    ensure!(
        focus.as_str().is_some_and(|at| at.starts_with("Linked devices")),
        "after the sheet the focus is at {focus}"
    );
    world
        .table
        .ok("linked devices", format!("the page lists {} as the phone does, and knows itself", wanted.len()));
    Ok(())
}

/// Sends a text from the page, and waits until nothing of it is under way any more.
fn send(world: &World, browser: &Browser, chat: u64, text: &str) -> Result<()> {
    send_to_phone(world, browser, chat, text)?;
    settled(browser)
}

/// Sends a text from the page, and waits until the phone has it.
///
/// # Errors
/// The phone does not have it in time.
pub(super) fn send_to_phone(world: &World, browser: &Browser, chat: u64, text: &str) -> Result<()> {
    browser.type_into(".composer textarea", &format!("{text}{ENTER}"))?;
    until("the page's text at the phone", LIMIT, || {
        Ok(has_text(&world.phone.ask(&history(chat))?, text).then_some(()))
    })
}

/// Gives a text another one, as a user does.
fn edit(browser: &Browser, before: &str, after: &str) -> Result<()> {
    press(browser, before, "Edit")?;
    let field = format!(
        "const field = document.activeElement; \
         return document.querySelector('.in-edit') !== null && field.matches('.composer textarea') && field.value === {}",
        json!(before)
    );
    let _ = browser.wait("the field with the text", &field)?;
    let _ = browser.run("document.activeElement.select()")?;
    browser.keys(&format!("{after}{ENTER}"))
}

/// Presses a button of the message with this text, where "Actions" may have to be pressed first.
fn press(browser: &Browser, text: &str, label: &str) -> Result<()> {
    let what = format!("{label} of {text}");
    let (text, label) = (json!(text), json!(label));
    let focus = format!(
        "const message = [...document.querySelectorAll('article')].find((one) => one.querySelector('.text')?.textContent === {text}); \
         const buttons = [...message?.querySelectorAll('button, summary') ?? []]; const name = (one) => one.getAttribute('aria-label') ?? one.textContent; \
         const button = buttons.find((one) => name(one) === {label}) ?? buttons.find((one) => name(one) === 'Actions'); button?.focus(); \
         return button && document.activeElement === button && button.checkVisibility({{ opacityProperty: true }}) && name(button)"
    );
    if browser.wait(&what, &focus)? == "Actions" {
        browser.keys(ENTER)?;
        let _ = browser.wait(&what, &format!("return (() => {{ {focus} }})() === {label}"))?;
    }
    browser.keys(ENTER)
}

/// Nothing of the page waits for the phone.
fn settled(browser: &Browser) -> Result<()> {
    browser
        .wait(
            "nothing that waits",
            "return document.querySelector('.state-waiting, .waits, .problem') === null",
        )
        .map(drop)
}

/// A script that says whether the message with this text has this reaction.
fn reacted(text: &str, reaction: &str, own: bool) -> String {
    let (text, reaction) = (json!(text), json!(reaction));
    format!(
        "return [...document.querySelectorAll('article')].some((one) => one.querySelector('.text')?.textContent === {text} \
         && [...one.querySelectorAll(`.reactions [aria-pressed=\"{own}\"] .reaction`)].some((node) => node.textContent === {reaction}))"
    )
}

/// A script that says whether this text is shown as edited.
fn edited(text: &str) -> String {
    let text = json!(text);
    format!(
        "return [...document.querySelectorAll('article')].some((one) => one.querySelector('.text')?.textContent === {text} \
         && one.querySelector('footer').textContent.startsWith('edited'))"
    )
}

/// A script that says the opposite.
fn not(script: &str) -> String {
    format!("return !(() => {{ {script} }})()")
}

/// The id of the newest message with this text.
fn id(world: &World, chat: u64, text: &str) -> Result<u64> {
    let history = world.phone.ask(&history(chat))?;
    let all = history["messages"].as_array().context("no messages at the phone")?;
    let ids = all.iter().filter(|one| one["text"] == text).filter_map(|one| one["id"].as_u64());
    ids.max().with_context(|| format!("the phone has no {text:?}"))
}

fn message_of<'a>(history: &'a Value, text: &str) -> Option<&'a Value> {
    history["messages"].as_array()?.iter().find(|one| one["text"] == text)
}

/// The account's own reaction to a text.
fn ours<'a>(history: &'a Value, text: &str) -> Option<&'a str> {
    let all = message_of(history, text)?["reactions"].as_array()?;
    all.iter().find(|one| one["author"] == "")?["reaction"].as_str()
}

fn on_phone(world: &World, chat: u64, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<()> {
    until(&format!("{what} on the phone"), LIMIT, || {
        Ok(is_so(&world.phone.ask(&history(chat))?).then_some(()))
    })
}
