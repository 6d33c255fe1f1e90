//! The relay is killed in the middle of a transfer, in both directions, and started again.

use anyhow::{Result, ensure};

use super::world::{By, World};

/// Long enough that the relay can be killed in the middle.
const LONG: usize = 24 * 1024 * 1024;

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    let fetch = world.plan_fetch(4, LONG)?;
    let hash = world.hash_of(&fetch.content)?;
    let mark = world.web.process()?.mark();
    world.ask_fetch(&fetch)?;
    let content = fetch.content.clone();
    let before = world.wait_under_way(mark, "get", Some(&content))?;
    let after = lose_relay(world, "get", Some(&content), before)?;
    world.finish_fetch(&fetch, &hash)?;
    world.table.ok("relay killed while the companion fetches", format!("went on at {after} of {LONG}"));

    let mark = world.web.process()?.mark();
    let asked = world.plan_photo(By::Web, 5, LONG)?;
    world.hand_over(&asked)?;
    let before = world.wait_under_way(mark, "put", None)?;
    let after = lose_relay(world, "put", None, before)?;
    let row = world.wait_for(By::Phone, &asked)?;
    world.wait_on_phone_disk(row["content"].as_str().unwrap_or_default(), &asked.sha256)?;
    world.table.ok("relay killed while the phone receives", format!("went on at {after} of {LONG}"));

    let text = world.text(By::Web, 6)?;
    world.table.ok("a text after the relay came back", text.value);
    Ok(())
}

/// Kills the relay, starts it again, waits for the end; returns where the transfer went on.
fn lose_relay(world: &mut World, direction: &str, content: Option<&str>, before: u64) -> Result<u64> {
    world.relay.kill();
    let mark = world.web.process()?.mark();
    world.relay.start()?;
    let after = world.wait_done(mark, direction, content)?;
    ensure!(after >= before, "the {direction} was at {before} and went on at {after}");
    Ok(after)
}
