//! A relay that floods the page: what it sends is of no use and has no end.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::looks::{KEYS, LIVE, NOT_LIVE, shows};
use super::script::Script;
use super::steps::first_chat;
use super::tab;
use super::webdriver::Browser;
use crate::processes::keeper::Keeper;
use crate::processes::patience::until;
use crate::processes::story::world::{LIMIT, World};

/// The relay.
const RELAY: &str = include_str!("flood.py");
/// Its floods, by their names.
const FLOODS: [&str; 5] = ["noise", "texts", "greetings", "relay-pings", "websocket-pings"];
/// The time in which each must be over.
const FLOODS_LIMIT: Duration = Duration::from_mins(2);
/// How much more memory the tab may take meanwhile, in bytes.
const MEMORY_MAX: u64 = 64 << 20;

/// The flooding relay, and what it says as it comes.
fn flooder(keeper: &Keeper, address: &str) -> Result<(Script, Receiver<String>)> {
    let mut script = Script::start(keeper, RELAY, &[address])?;
    let (sender, said) = channel();
    let mut lines = script.lines()?;
    // It ends when the process does, or nobody listens.
    let _ = std::thread::spawn(move || {
        while let Some(Ok(line)) = lines.next() {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok((script, said))
}

/// Plays the chapter. The page is live before and after it.
///
/// # Errors
/// Something is not as it should be.
pub(super) fn play(world: &mut World, browser: &Browser) -> Result<()> {
    let keys = browser.run(KEYS)?;
    let base = tab::memory(browser)?;
    world.relay.kill();
    let page = world.page();
    let address = page.trim_start_matches("http://").trim_end_matches('/');
    let (script, over) = flooder(&world.keeper, address)?;
    let (mut seen, mut peak, mut longest) = (BTreeSet::new(), base, Duration::ZERO);
    until("each flood to be over", FLOODS_LIMIT, || {
        let asked = Instant::now();
        ensure!(browser.run(NOT_LIVE)? == true, "the page says that it is connected");
        longest = longest.max(asked.elapsed());
        peak = peak.max(tab::memory(browser)?);
        for line in over.try_iter() {
            let _ = seen.insert(line.split(' ').next().unwrap_or_default().to_owned());
            // As when the network is back: the page tries again at once.
            let _ = browser.run("dispatchEvent(new Event('online'))")?;
        }
        Ok(FLOODS.iter().all(|name| seen.contains(*name)).then_some(()))
    })
    .with_context(|| format!("it has had {seen:?}"))?;
    drop(script);
    let more = peak.saturating_sub(base);
    ensure!(more <= MEMORY_MAX, "the tab took {more} bytes more");
    world.relay.start()?;
    until("the state live", LIMIT, || {
        // After so many failures it would wait for up to a minute.
        let _ = browser.run("dispatchEvent(new Event('online'))")?;
        Ok((browser.run(LIVE)? == true).then_some(()))
    })?;
    ensure!(browser.run(KEYS)? == keys, "the page has other keys than before");
    let chat = first_chat(world)?;
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": "After the floods"}))?;
    let _ = browser.wait("the text of afterwards", &shows("After the floods"))?;
    let said = browser.said()?;
    let own: Vec<_> = said.iter().filter(|line| !line.contains("WebSocket connection to")).collect();
    ensure!(own.is_empty(), "the console says {own:?}");
    let figures = format!("{} MiB more, an answer after {} ms at most", more >> 20, longest.as_millis());
    world.table.ok(
        "a relay that floods",
        format!("five floods, and the page and its keys are as before: {figures}"),
    );
    Ok(())
}
