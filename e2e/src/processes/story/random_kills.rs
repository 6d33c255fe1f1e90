//! Fifty kills at random moments over the three programs, while texts and transfers go on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::asked::{Asked, Fetch};
use super::transfers::progress;
use super::world::{By, CHATS, World};
use crate::processes::random;

const KILLS: u64 = 50;
/// The longest time between a start and the next kill.
const CALM_MAX_MS: u64 = 900;
/// Long enough to go on through several kills.
const LONG: usize = 24 * 1024 * 1024;

/// What goes on while the programs are killed.
struct Load {
    fetch: Fetch,
    /// How far the fetch was seen to be.
    at: u64,
    done: bool,
    /// Set by a kill: the next progress tells where the fetch went on.
    interrupted: bool,
    /// Where fetches were when a program was killed, and where they went on.
    resumed: Vec<(u64, u64)>,
    finished: u32,
    /// Events of the companion's present process that were looked at.
    mark: usize,
}

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    world.ensure_running()?;
    let upload = world.plan_photo(By::Web, 8, LONG)?;
    world.hand_over(&upload)?;
    let fetch = world.plan_fetch(7, LONG)?;
    let mark = world.web.process()?.mark();
    let mut load =
        Load { fetch, at: 0, done: false, interrupted: false, resumed: Vec::new(), finished: 0, mark };
    let mut kills = [0; 3];
    for round in 0..KILLS {
        next_fetch(world, &mut load)?;
        let by = if random::below(3)? == 0 { By::Phone } else { By::Web };
        let text = world.plan_text(by, 1 + random::below(CHATS)?)?;
        world.hand_over(&text)?;
        std::thread::sleep(Duration::from_millis(random::below(CALM_MAX_MS)?));
        load.look(world)?;
        let victim = usize::try_from(random::below(3)?)?;
        kills[victim] += 1;
        kill(world, &mut load, victim);
        world.ensure_running().with_context(|| format!("after kill {}", round + 1))?;
    }
    finish(world, &mut load, &upload)?;
    let [relay, phone, web] = kills;
    let detail = format!("relay {relay}, phone {phone}, companion {web} times; {KILLS} texts meanwhile");
    world.table.ok("50 times kill -9 at random moments", detail);
    check_offsets(world, &load)
}

/// Asks for the fetch, which goes on by itself or anew, or plans another when it is done.
fn next_fetch(world: &mut World, load: &mut Load) -> Result<()> {
    if load.done {
        load.finished += 1;
        load.fetch = world.plan_fetch(7, LONG)?;
        (load.at, load.done, load.interrupted) = (0, false, false);
    }
    // The companion may be starting; then the next round asks.
    let _ = world.ask_fetch(&load.fetch);
    Ok(())
}

fn kill(world: &mut World, load: &mut Load, victim: usize) {
    match victim {
        0 => world.relay.kill(),
        1 => world.phone.kill(),
        _ => {
            world.web.kill();
            load.mark = 0;
        }
    }
    load.interrupted = !load.done && load.at > 0;
}

impl Load {
    /// Reads the companion's events since the last look.
    fn look(&mut self, world: &mut World) -> Result<()> {
        let process = world.web.process()?;
        let events = process.events_since(self.mark);
        self.mark += events.len();
        for event in &events {
            self.note(event);
        }
        Ok(())
    }

    fn note(&mut self, event: &Value) {
        let Some(seen) = progress(event, "get", Some(&self.fetch.content)) else { return };
        if self.interrupted {
            self.resumed.push((self.at, seen.offset));
            self.interrupted = false;
        }
        self.at = seen.offset;
        self.done |= seen.done;
    }
}

/// Lets everything come to its end without further kills.
fn finish(world: &mut World, load: &mut Load, upload: &Asked) -> Result<()> {
    let hash = world.hash_of(&load.fetch.content)?;
    world.finish_fetch(&load.fetch, &hash)?;
    load.look(world)?;
    let row = world.wait_for(By::Phone, upload)?;
    let content = row["content"].as_str().context("a photo without content")?;
    world.wait_on_phone_disk(content, &upload.sha256)?;
    let start = Instant::now();
    world.settle()?;
    world
        .table
        .ok("all texts of the kills arrived", format!("settled {} s after", start.elapsed().as_secs()));
    Ok(())
}

fn check_offsets(world: &mut World, load: &Load) -> Result<()> {
    ensure!(!load.resumed.is_empty(), "no kill met a fetch under way");
    let from_zero = load.resumed.iter().filter(|(_, after)| *after == 0).count();
    ensure!(from_zero == 0, "{from_zero} of {} interrupted fetches began at 0 again", load.resumed.len());
    let worst = load.resumed.iter().map(|(before, after)| before.saturating_sub(*after)).max().unwrap_or(0);
    let detail =
        format!("{} interruptions, none from 0; at most {worst} bytes came again", load.resumed.len());
    world.table.ok("transfers go on at their offset", detail);
    Ok(())
}
