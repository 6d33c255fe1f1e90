//! A long chat, scrolled: how far it goes, and how long the page takes for a step.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::steps::first_chat;
use super::webdriver::Browser;
use crate::processes::story::world::World;

/// Messages of the chat in the story, and the steps to each side, of 25 messages each. The page holds 300 at once, so that
/// after the way up there are 300 and more below.
const MESSAGES: u32 = 5_000;
const UP: usize = 24;
const DOWN: usize = 8;

/// Steps that are asked of the browser at once, and how long each may take, in milliseconds: it answers in half a minute, or
/// not at all.
const STEPS_AT_ONCE: usize = 5;
const STEP_MAX: u32 = 5_000;

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// Scrolls far beyond what the page holds at once, up and down again.
///
/// # Errors
/// A step leads nowhere.
pub(super) fn play(world: &mut World, browser: &Browser) -> Result<()> {
    fill(browser, first_chat(world)?, MESSAGES)?;
    for (way, steps) in [(Way::Up, UP), (Way::Down, DOWN)] {
        let (moved, _) = scroll(browser, steps, way)?;
        ensure!(moved == steps, "of {steps} steps {way:?} {moved} led on");
    }
    world.table.ok("a long chat", format!("{UP} stretches up and {DOWN} down, in a window of 300 messages"));
    Ok(())
}

/// Puts messages in front of those of a chat, into the page's database, and opens the chat.
///
/// # Errors
/// They cannot be stored.
pub(super) fn fill(browser: &Browser, chat: u64, count: u32) -> Result<()> {
    let filled = browser.run(&format!(
        "return new Promise((ok, fail) => {{ const open = indexedDB.open('handfast'); open.onsuccess = () => {{ \
         const txn = open.result.transaction('messages', 'readwrite'); const store = txn.objectStore('messages'); \
         store.openCursor(IDBKeyRange.bound([{chat}, 0], [{chat}, Infinity])).onsuccess = ({{ target }}) => {{ \
         const first = target.result.value; for (let at = 0; at < {count}; at += 1) \
         store.put({{ ...first, id: first.id - (at + 1) / ({count} + 1), text: `message ${{at}} of a long chat`, \
         time_ms: first.time_ms - at * 60000 }}); }}; \
         txn.oncomplete = () => {{ open.result.close(); ok({count}); }}; txn.onabort = () => fail(txn.error); }}; }});"
    ))?;
    ensure!(filled == json!(count), "{filled} messages are stored");
    browser.click(".chat-list li:first-child .chat-row")?;
    browser.wait("the chat", "return document.querySelectorAll('article').length > 20").map(drop)
}

/// Scrolls to an end of what is loaded, so often; gives how often that led on, and the longest task meanwhile in
/// milliseconds, of those of 50 and more.
///
/// # Errors
/// There is no chat.
pub(super) fn scroll(browser: &Browser, steps: usize, way: Way) -> Result<(usize, f64)> {
    let (mut all, mut longest) = (0, 0.0_f64);
    for done in (0..steps).step_by(STEPS_AT_ONCE) {
        let (moved, task) = scroll_on(browser, STEPS_AT_ONCE.min(steps - done), way)?;
        all += moved;
        longest = longest.max(task);
    }
    Ok((all, longest))
}

fn scroll_on(browser: &Browser, steps: usize, way: Way) -> Result<(usize, f64)> {
    let (edge, end) = match way {
        Way::Up => ("0", "0"),
        Way::Down => ("list.scrollHeight", "all.length - 1"),
    };
    let told = browser.run(&format!(
        "const list = document.querySelector('.messages'); const tasks = []; let moved = 0; \
         const observer = new PerformanceObserver((more) => tasks.push(...more.getEntries().map((one) => one.duration))); \
         observer.observe({{ type: 'longtask' }}); \
         const last = () => {{ const all = list.querySelectorAll('article'); return all[{end}]?.textContent; }}; \
         for (let step = 0; step < {steps}; step += 1) {{ const before = last(); list.scrollTop = {edge}; \
         const latest = performance.now() + {STEP_MAX}; \
         while (last() === before && performance.now() < latest) await new Promise(requestAnimationFrame); \
         moved += last() === before ? 0 : 1; }} \
         await new Promise((ok) => setTimeout(ok, 200)); return [moved, Math.max(0, ...tasks)];"
    ))?;
    let moved = told[0].as_u64().and_then(|moved| usize::try_from(moved).ok()).context("no count")?;
    Ok((moved, told[1].as_f64().context("no time")?))
}
