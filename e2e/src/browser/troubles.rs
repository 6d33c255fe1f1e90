//! What can go wrong around the page: tabs, a killed browser, a copied profile, cleared storage, a browser that lacks
//! something, a damaged engine, a network that is gone.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::looks::{KEYS, LIVE, NOT_LIVE, has_text, history, shows};
use super::steps::{first_chat, link};
use super::webdriver::{Browser, ChromeDriver};
use crate::command;
use crate::processes::patience::until;
use crate::processes::story::world::{LIMIT, World};

/// A script that keeps the database busy for as long as the page is there: whatever else is asked of it waits.
const BUSY: &str = "return new Promise((ok, fail) => { const open = indexedDB.open('handfast'); open.onerror = fail; \
    open.onsuccess = ({ target: { result } }) => { \
    const store = result.transaction([...result.objectStoreNames], 'readwrite').objectStore('handfast'); \
    const again = () => { store.count().onsuccess = again; }; again(); ok(true); }; })";
/// A script that leaves the first question for databases without an answer, as Chromium does when it is asked while it closes them.
const UNANSWERED: &str = "const { databases } = IDBFactory.prototype; let isFirst = true; \
    IDBFactory.prototype.databases = function () { const never = isFirst; isFirst = false; \
    return never ? new Promise(() => {}) : databases.call(this); }";
/// Texts in a burst, besides one of the largest size.
const BURST: usize = 50;
/// The longest text, in bytes.
const TEXT_LEN_MAX: usize = 8192;

/// A browser with its profile, which can be ended and opened again.
pub(super) struct Stage<'a> {
    pub(super) browser: Browser,
    driver: &'a ChromeDriver,
    profile: PathBuf,
}

impl<'a> Stage<'a> {
    /// Opens a browser with this profile.
    ///
    /// # Errors
    /// It does not open.
    pub(super) fn open(driver: &'a ChromeDriver, profile: PathBuf) -> Result<Self> {
        Ok(Self { browser: driver.browser(&profile, 1200, 800)?, driver, profile })
    }

    /// What opens browsers.
    pub(super) const fn driver(&self) -> &'a ChromeDriver {
        self.driver
    }

    /// Opens a browser with the same profile in place of one that has ended.
    fn again(&mut self) -> Result<()> {
        self.browser = self.driver.browser(&self.profile, 1200, 800)?;
        Ok(())
    }
}

/// Plays the chapter. The page is linked before and after it, though not by the same link.
///
/// # Errors
/// Something is not as it should be.
pub(super) fn play(world: &mut World, stage: &mut Stage<'_>) -> Result<()> {
    burst(world, &stage.browser)?;
    offline(world, &stage.browser)?;
    frozen(world, &stage.browser)?;
    five_tabs(world, &stage.browser)?;
    lacking(world, &stage.browser)?;
    wrong_engine(world, &stage.browser)?;
    no_answer(world, &stage.browser)?;
    cleared(world, &stage.browser)?;
    killed(world, stage)
}

/// One text of the largest size and many small ones, at once, come in their order.
fn burst(world: &mut World, browser: &Browser) -> Result<()> {
    let chat = first_chat(world)?;
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": "x".repeat(TEXT_LEN_MAX)}))?;
    for number in 0..BURST {
        let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": format!("burst {number}")}))?;
    }
    let _ = browser.wait("the last of the burst", &shows(&format!("burst {}", BURST - 1)))?;
    let order = browser.run(
        "return [...document.querySelectorAll('article.own .text')].map((one) => one.textContent) \
         .filter((text) => text.startsWith('burst ') || text.startsWith('xxx')).map((text) => (text.length > 1000 ? text.length : text)).join()",
    )?;
    let wanted: Vec<String> =
        std::iter::once(TEXT_LEN_MAX.to_string()).chain((0..BURST).map(|n| format!("burst {n}"))).collect();
    ensure!(order == wanted.join(","), "the burst came as {order}");
    world.table.ok("a burst", format!("one text of {TEXT_LEN_MAX} bytes and {BURST} small ones, in order"));
    Ok(())
}

/// The network is gone: what is sent gets nowhere, though no socket says so. Then it is back.
fn offline(world: &mut World, browser: &Browser) -> Result<()> {
    let relay = world.relay.pid()?.to_string();
    let signal = |name: &str| command::run(&mut command::program("kill", [name, &relay]));
    signal("-STOP")?;
    browser.network(false)?;
    let noticed = browser.wait("the state without a network", NOT_LIVE);
    browser.network(true)?;
    signal("-CONT")?;
    let _ = noticed?;
    let _ = browser.wait("the state live", LIVE)?;
    world.table.ok("the network goes and comes back", "the page notices both");
    Ok(())
}

/// A tab that the browser froze goes on when it is thawed.
fn frozen(world: &mut World, browser: &Browser) -> Result<()> {
    let chat = first_chat(world)?;
    browser.freeze(true)?;
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": "While it was frozen"}))?;
    browser.freeze(false)?;
    let _ = browser.wait("the text of meanwhile", &shows("While it was frozen"))?;
    let _ = browser.wait("the state live", LIVE)?;
    world.table.ok("a tab that was frozen", "what came meanwhile is there");
    Ok(())
}

/// One tab of five is live, whichever the user wants.
fn five_tabs(world: &mut World, browser: &Browser) -> Result<()> {
    let mut tabs = vec![browser.this_tab()?];
    for _ in 1..5 {
        browser.new_tab()?;
        tabs.push(browser.this_tab()?);
        browser.go(&world.page())?;
        let title = browser.text(".dead-card h1")?;
        ensure!(title.contains("another tab"), "one more tab says {title:?}");
    }
    for at in [4, 1, 3, 0] {
        browser.tab(&tabs[at])?;
        browser.click(".dead-card button.primary")?;
        let _ = browser.wait("the state live after the take-over", LIVE)?;
        let mut live = 0;
        for tab in &tabs {
            browser.tab(tab)?;
            live += u32::from(browser.run("return document.querySelector('.dead-card') === null")? == true);
        }
        ensure!(live == 1, "{live} tabs have the link");
    }
    for tab in tabs.iter().skip(1) {
        browser.tab(tab)?;
        browser.close_tab()?;
    }
    browser.tab(&tabs[0])?;
    world.table.ok("five tabs", "one is live at a time, after each take-over");
    Ok(())
}

/// A browser that lacks what the page needs is told so in one sentence, and nothing else is shown.
fn lacking(world: &mut World, browser: &Browser) -> Result<()> {
    let cases = [
        ("Object.defineProperty(window, 'isSecureContext', { value: false })", "https"),
        ("delete window.WebAssembly", "WebAssembly"),
        ("Object.defineProperty(window, 'indexedDB', { value: undefined })", "IndexedDB"),
        ("Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })", "Web Locks"),
    ];
    for (script, word) in cases {
        let loaded = browser.before_load(script)?;
        browser.go(&world.page())?;
        let told = browser.text(".dead-card > p");
        browser.not_before_load(&loaded)?;
        let told = told?;
        ensure!(told.contains(word) && told.ends_with('.'), "without {word} the page says {told:?}");
        let more = browser
            .run("return document.querySelectorAll('#page button, #page svg.code, #page .chats').length")?;
        ensure!(more == 0, "without {word} the page shows more than that");
    }
    browser.go(&world.page())?;
    let _ = browser.wait("the state live", LIVE)?;
    world
        .table
        .ok("a browser that lacks something", "one sentence says what, and there is no half of a page");
    Ok(())
}

/// A relay serves an engine that is damaged, or of another version.
fn wrong_engine(world: &mut World, browser: &Browser) -> Result<()> {
    let keys = browser.run(KEYS)?;
    ensure!(keys.as_u64().is_some_and(|keys| keys > 0), "no secret is wrapped: {keys}");
    for bytes in ["1, 2, 3, 4", "0, 97, 115, 109, 1, 0, 0, 0"] {
        let loaded = browser.before_load(&format!(
            "const fetched = window.fetch; window.fetch = async (...all) => (String(all[0]).includes('.wasm') \
             ? new Response(new Uint8Array([{bytes}]), {{ headers: {{ 'Content-Type': 'application/wasm' }} }}) : fetched(...all))"
        ))?;
        browser.go(&world.page())?;
        let told = browser.text(".dead-card .small");
        browser.not_before_load(&loaded)?;
        let told = told?;
        ensure!(told.contains("engine"), "with a wrong engine the page says {told:?}");
    }
    let _ = browser.said()?;
    browser.click(".dead-card button.primary")?;
    let _ = browser.wait("the state live", LIVE)?;
    let kept = browser.run(KEYS)?;
    ensure!(kept == keys, "of {keys} keys {kept} are left");
    world.table.ok("a damaged engine, or an old one", "the page says so, and keeps its keys");
    Ok(())
}

/// The browser is killed at once after a text is shown as waiting: it is not lost.
fn killed(world: &mut World, stage: &mut Stage<'_>) -> Result<()> {
    let chat = first_chat(world)?;
    world.phone.kill();
    let browser = &stage.browser;
    let _ = browser.wait("the state without a phone", NOT_LIVE)?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait("the chat", "return document.querySelectorAll('article').length > 10")?;
    let text = "Written before the browser was killed";
    browser.type_into(".composer textarea", &format!("{text}\u{e007}"))?;
    let _ = browser.wait("a text that waits", "return document.querySelector('.state-waiting') !== null")?;
    browser.kill()?;
    stage.again()?;
    let browser = &stage.browser;
    browser.go(&world.page())?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait("the text that waits", &shows(text))?;
    world.phone.start()?;
    until("the text at the phone", LIMIT, || {
        Ok(has_text(&world.phone.ask(&history(chat))?, text).then_some(()))
    })?;
    let once = format!(
        "return document.querySelector('.state-waiting') === null && \
         [...document.querySelectorAll('article .text')].filter((one) => one.textContent === {text:?}).length === 1"
    );
    let _ = browser.wait("the text, sent, and once", &once)?;
    world.table.ok("the browser is killed after a commit", "what was shown as waiting goes out, once");
    Ok(())
}

/// The browser's database does not answer: the page says so, and keeps what it had.
fn no_answer(world: &mut World, browser: &Browser) -> Result<()> {
    let chat = first_chat(world)?;
    let keys = browser.run(KEYS)?;
    let _ = browser.run(BUSY)?;
    let text = "While the database was busy";
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": text}))?;
    let told =
        "return /database does not answer/.test(document.querySelector('.dead-card .small')?.textContent)";
    let _ = browser.wait("the word that the database does not answer", told)?;
    browser.click(".dead-card button.primary")?;
    let _ = browser.wait("the state live", LIVE)?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait("the text of meanwhile", &shows(text))?;
    ensure!(browser.run(KEYS)? == keys, "the page has other keys than before");
    world.table.ok("a database that does not answer", "the page says so, and has all when it is loaded anew");
    Ok(())
}

/// The user clears what the browser stores while the page is open.
fn cleared(world: &mut World, browser: &Browser) -> Result<()> {
    let _ = browser.run(UNANSWERED)?;
    browser.clear_storage(world.page().trim_end_matches('/'))?;
    // The browser may be late to say so; what comes cannot be stored any more.
    let chat = first_chat(world)?;
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": "After it was cleared"}))?;
    let title = browser.text(".dead-card h1")?;
    ensure!(
        title.contains("link to your phone is lost"),
        "after its storage was cleared the page says {title:?}"
    );
    browser.click(".dead-card button.primary")?;
    world.table.ok("storage cleared while the page is open", "it says so, and begins as on the first visit");
    link(world, browser)?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait("the chat", "return document.querySelectorAll('article').length > 10")?;
    world.table.ok("linked again", "by the next code, and the chats are there again");
    Ok(())
}

/// A copy of the profile is noticed, by the phone and by both pages. The link is of no use afterwards; a new one is.
///
/// # Errors
/// It is not noticed.
pub(super) fn copied(world: &mut World, stage: &mut Stage<'_>) -> Result<()> {
    stage.browser.close()?;
    let copy = world.root.join("copied profile");
    copy_dir(&stage.profile, &copy)?;
    stage.again()?;
    stage.browser.go(&world.page())?;
    let _ = stage.browser.wait("the state live", LIVE)?;
    let copied = Stage::open(stage.driver, copy)?;
    copied.browser.go(&world.page())?;
    let title = copied.browser.text(".dead-card h1")?;
    ensure!(title.contains("copy"), "the copy says {title:?}");
    // The copy has the seat at the relay; when the original takes it back, it is told too.
    let title = stage.browser.text(".dead-card h1")?;
    ensure!(title.contains("took this place"), "the original says {title:?}");
    stage.browser.click(".dead-card button.primary")?;
    let told = "return /paused|copy/.test(document.querySelector('.dead-card h1')?.textContent)";
    let _ = stage.browser.wait("the original, told of the copy", told)?;
    let listed = world.phone.ask(&json!({"verb": "companions"}))?;
    let suspended = |one: &Value| one["status"] == "suspended";
    ensure!(
        listed["companions"].as_array().is_some_and(|all| all.iter().any(suspended)),
        "the phone knows nothing: {listed}"
    );
    drop(copied);
    world.table.ok("a copied profile", "the phone has paused the link, and both browsers say why");
    stage.browser.click(".dead-card button.primary")?;
    link(world, &stage.browser)?;
    world.table.ok("linked again after that", "by a new code, from where the page says that it is paused");
    Ok(())
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    let status =
        Command::new("cp").arg("--archive").arg(from).arg(to).status().context("cp cannot be started")?;
    ensure!(status.success(), "{} cannot be copied", from.display());
    for lock in ["SingletonLock", "SingletonCookie", "SingletonSocket"] {
        let _ = std::fs::remove_file(to.join(lock));
    }
    Ok(())
}
