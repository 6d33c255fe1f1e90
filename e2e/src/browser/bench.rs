//! `cargo xtask bench page`: how large the page is and how fast, in Chromium, with what each figure is against.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::looks::{FILES, LIVE};
use super::steps::{first_chat, link};
use super::webdriver::{Browser, ChromeDriver};
use super::{media, prepare, scroll, tab};
use crate::processes::patience::until;
use crate::processes::random;
use crate::processes::story::world::World;
use crate::slim::slim;
use crate::{engine, workspace};

/// The most that the page may weigh without its engine, each file as the relay packs it and compressed, in bytes.
const PAGE_MAX: usize = 60 * 1024;
/// The time to a code, and from the connection to the first chats, in milliseconds.
const SHOWN_MAX: f64 = 1_000.0;
/// The longest task while a long chat is scrolled, in milliseconds.
const TASK_MAX: f64 = 100.0;
/// Messages of the long chat, and how often it is scrolled to what is loaded, up and then down, in each of some rounds. The
/// best round counts: what other programs take of the processor meanwhile is not the page's.
const LONG: u32 = 100_000;
const UP: usize = 60;
const DOWN: usize = 20;
const ROUNDS: usize = 3;
/// A large file, and how much more memory the tab may take for it, in bytes.
const LARGE: usize = 200 * 1024 * 1024;
const MEMORY_MAX: u64 = 64 << 20;
/// How long it may take.
const LARGE_LIMIT: Duration = Duration::from_mins(10);
/// Texts that are received for one figure, and the most that each may cost, in milliseconds.
const TEXTS: u32 = 300;
const TEXT_MAX: f64 = 1.0;

/// Notes in the page when its parts first appear.
const WATCH: &str = "window.seen = {}; const parts = { code: 'svg.code', live: '.banner.tone-good', chats: '.chat-row' }; \
    new MutationObserver(() => { for (const [name, selector] of Object.entries(parts)) \
    if (!(name in window.seen) && document.querySelector(selector)) window.seen[name] = performance.now(); }) \
    .observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ['class'] });";

/// Prints the figures.
///
/// # Errors
/// Something cannot be built or started, or does not come at all.
pub fn run(engine: fn() -> Result<bool>) -> Result<bool> {
    let (programs, root) = prepare(engine, false)?;
    let mut all = sizes()?;
    let mut world = World::new(&programs, &root)?;
    world.relay.start()?;
    world.phone.start()?;
    let driver = ChromeDriver::start(&world.keeper)?;
    let browser = driver.browser(&root.join("profile"), 1200, 800)?;
    all &= first_visit(&world, &browser)?;
    all &= texts(&world, &browser)?;
    all &= long_chat(&world, &browser)?;
    all &= large_file(&world, &browser, &root)?;
    drop(browser);
    world.end_all();
    std::fs::remove_dir_all(&root).with_context(|| format!("{} cannot be removed", root.display()))?;
    println!(
        "\n{}",
        if all { "All figures are within their limits." } else { "Not all figures are within their limits." }
    );
    Ok(true)
}

/// Prints a figure beside its limit; gives whether it is within.
fn figure(what: &str, value: f64, limit: f64, unit: &str) -> bool {
    let good = value <= limit;
    println!(
        "{} {what}: {value:.1} {unit}, against {limit:.0} {unit}",
        if good { "  ok  " } else { " OVER " }
    );
    good
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files")]
fn kilobytes(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}

fn sizes() -> Result<bool> {
    let folder = workspace::root().join("reference-web/page");
    let (mut page, mut engine, mut raw) = (0, 0, 0);
    for path in files(&folder)? {
        let bytes = std::fs::read(&path)?;
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("wasm") => (engine, raw) = (engine::compressed_len(&bytes)?, bytes.len()),
            Some("js" | "css") => page += engine::compressed_len(slim(str::from_utf8(&bytes)?).as_bytes())?,
            Some("svg" | "html") => page += engine::compressed_len(&bytes)?,
            _ => {}
        }
    }
    println!("       the engine is {raw} bytes");
    let engine = figure("the engine, gzip -9", kilobytes(engine), kilobytes(engine::COMPRESSED_MAX), "KiB");
    Ok(figure("the page without it, gzip -9", kilobytes(page), kilobytes(PAGE_MAX), "KiB") && engine)
}

fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { all.extend(files(&path)?) } else { all.push(path) }
    }
    Ok(all)
}

fn first_visit(world: &World, browser: &Browser) -> Result<bool> {
    let _ = browser.before_load(WATCH)?;
    browser.go(&world.page())?;
    let code = browser.wait("a code", "return window.seen?.code")?;
    link(world, browser)?;
    let chats = browser.wait("the chats", "return window.seen.chats")?;
    let live = browser.run("return window.seen.live")?;
    let number = |value: &Value| value.as_f64().context("a time that is no number");
    let shown = figure("a code on the screen after a cold load", number(&code)?, SHOWN_MAX, "ms");
    let after = number(&chats)? - number(&live)?;
    Ok(figure("the first chats after the connection", after.max(0.0), SHOWN_MAX, "ms") && shown)
}

/// What the page's own code takes for a text that comes, all of it: record, transaction, row, list of chats.
fn texts(world: &World, browser: &Browser) -> Result<bool> {
    let chat = first_chat(world)?;
    // The first texts find code that no compiler has improved yet.
    let receive = |round: &str| -> Result<f64> {
        let before = tab::script_ms(browser)?;
        for number in 0..TEXTS {
            let text = format!("{round} {number}");
            let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": text}))?;
        }
        let last = format!("echo: {round} {}", TEXTS - 1);
        let shown = format!(
            "return [...document.querySelectorAll('.chat-last')].some((one) => one.textContent === {last:?})"
        );
        let _ = browser.wait("the last text", &shown)?;
        // Each is answered by its contact, so twice as many are received.
        Ok((tab::script_ms(browser)? - before) / f64::from(2 * TEXTS))
    };
    let _ = receive("warm")?;
    Ok(figure("the page's code for a received text", receive("text")?, TEXT_MAX, "ms"))
}

fn long_chat(world: &World, browser: &Browser) -> Result<bool> {
    scroll::fill(browser, first_chat(world)?, LONG)?;
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let (up, above) = scroll::scroll(browser, UP, scroll::Way::Up)?;
        let (down, below) = scroll::scroll(browser, DOWN, scroll::Way::Down)?;
        anyhow::ensure!(up + down > UP, "the chat did not scroll: {up} up, {down} down");
        let longest = above.max(below);
        println!(
            "       {} stretches of 25 messages in {} ms, the longest task {longest:.0} ms",
            up + down,
            start.elapsed().as_millis()
        );
        best = best.min(longest);
    }
    let what = "the longest task while 100,000 messages are scrolled (below 50 ms it is 0)";
    Ok(figure(what, best, TASK_MAX, "ms"))
}

fn large_file(world: &World, browser: &Browser, root: &Path) -> Result<bool> {
    browser.go(&world.page())?;
    let _ = browser.wait("the state live", LIVE)?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait("the chat", "return document.querySelectorAll('article').length > 20")?;
    let chat = first_chat(world)?;
    let mut all = true;
    for (name, is_up) in [("up.bin", true), ("down.bin", false)] {
        let mut bytes = vec![0; LARGE];
        random::fill(&mut bytes)?;
        bytes[..4].copy_from_slice(b"data");
        let file = root.join(name);
        std::fs::write(&file, &bytes)?;
        drop(bytes);
        let path = file.to_str().context("a path that is no UTF-8")?;
        if !is_up {
            let _ = world.phone.ask(&json!({"verb": "attach", "chat": chat, "file": path}))?;
            let _ = browser.wait(
                name,
                &format!("return document.querySelector({:?}) !== null", media::act(name, "fetch")),
            )?;
        }
        let base = tab::memory(browser)?;
        let start = Instant::now();
        if is_up {
            browser.type_into(FILES, path)?;
        } else {
            browser.click(&media::act(name, "fetch"))?;
        }
        let mut peak = base;
        until(name, LARGE_LIMIT, || {
            peak = peak.max(tab::memory(browser)?);
            let is_over = if is_up {
                media::find(&world.phone.ask(&json!({"verb": "history", "chat": chat}))?, name).is_some()
            } else {
                browser.run(&media::saved(name))? == true
            };
            Ok(is_over.then_some(()))
        })?;
        let seconds = start.elapsed().as_secs_f64();
        let more = usize::try_from(peak.saturating_sub(base))?;
        let way = if is_up { "up" } else { "down" };
        println!(
            "       200 MiB {way} in {seconds:.1} s, {:.1} MiB a second",
            kilobytes(LARGE) / 1024.0 / seconds
        );
        let what = format!("memory of the tab above its base while 200 MiB go {way}");
        all &=
            figure(&what, kilobytes(more) / 1024.0, kilobytes(usize::try_from(MEMORY_MAX)?) / 1024.0, "MiB");
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_and_style_of_the_page_can_be_slimmed() {
        for folder in ["reference-web/page", "handfast/js"] {
            for path in files(&workspace::root().join(folder)).unwrap() {
                let is_text = path.extension().is_some_and(|ending| ending == "js" || ending == "css");
                let is_served = !["/tests/", "/examples/", "/node/"]
                    .iter()
                    .any(|part| path.to_string_lossy().contains(part));
                if is_text && is_served && !path.ends_with("pkg/handfast.js") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    assert!(slim(&text).len() < text.len(), "{} stays as it is", path.display());
                }
            }
        }
    }
}
