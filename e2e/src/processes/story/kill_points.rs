//! Each program ends itself at each of its named kill points, and is started again.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::asked::{Asked, Fetch};
use super::world::{By, PHOTO_LEN, World};
use crate::processes::devices::Device;

/// The time in which a program must have come by its kill point.
pub(crate) const DEATH_LIMIT: Duration = Duration::from_secs(40);

/// What brings a program to its kill point.
#[derive(Clone, Copy, Debug)]
enum Trigger {
    /// The companion sends a text.
    Text,
    /// The companion sends a photo.
    Upload,
    /// The companion fetches a photo.
    Fetch,
}

/// Kill points outside pairing; `:4` is the fourth passing.
const POINTS: [(&str, Trigger); 14] = [
    ("relay.attached", Trigger::Text),
    ("relay.forward", Trigger::Text),
    ("relay.forward:9", Trigger::Text),
    ("phone.before_commit", Trigger::Text),
    ("phone.before_commit:4", Trigger::Text),
    ("phone.after_commit", Trigger::Text),
    ("phone.after_commit:4", Trigger::Text),
    ("phone.chunk_synced:3", Trigger::Upload),
    ("phone.upload_done", Trigger::Upload),
    ("web.before_commit", Trigger::Text),
    ("web.before_commit:4", Trigger::Text),
    ("web.after_commit", Trigger::Text),
    ("web.chunk_synced:3", Trigger::Fetch),
    ("web.fetch_done", Trigger::Fetch),
];

/// What was asked for when the program died.
enum Pending {
    Asked(Asked),
    Fetch(Fetch),
}

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    for (index, (point, trigger)) in (0..).zip(POINTS) {
        play_point(world, point, trigger, 1 + index % 20)?;
    }
    Ok(())
}

fn play_point(world: &mut World, point: &str, trigger: Trigger, chat: u64) -> Result<()> {
    world.ensure_running()?;
    let pending = match trigger {
        Trigger::Text => Pending::Asked(world.plan_text(By::Web, chat)?),
        Trigger::Upload => Pending::Asked(world.plan_photo(By::Web, chat, PHOTO_LEN)?),
        Trigger::Fetch => Pending::Fetch(world.plan_fetch(chat, PHOTO_LEN)?),
    };
    device_of(world, point).start_to_die_at(point)?;
    await_death(world, point, &pending)?;
    world.ensure_running()?;
    match &pending {
        Pending::Asked(asked) => {
            world.hand_over(asked)?;
            let row = world.wait_for(By::Phone, asked)?;
            let _ = world.wait_for(By::Web, asked)?;
            if let Some(content) = row["content"].as_str() {
                world.wait_on_phone_disk(content, &asked.sha256)?;
            }
        }
        Pending::Fetch(fetch) => {
            let hash = world.hash_of(&fetch.content)?;
            world.finish_fetch(fetch, &hash)?;
        }
    }
    world.table.ok(format!("killed at {point}"), "what was asked for came to be");
    Ok(())
}

fn device_of<'a>(world: &'a mut World, point: &str) -> &'a mut Device {
    match point.split('.').next() {
        Some("phone") => &mut world.phone,
        Some("web") => &mut world.web,
        _ => &mut world.relay,
    }
}

/// Asks again and again, as a user would, until the program has come by its kill point.
fn await_death(world: &mut World, point: &str, pending: &Pending) -> Result<()> {
    let deadline = std::time::Instant::now() + DEATH_LIMIT;
    let mut accepted = false;
    while device_of(world, point).process()?.is_running() {
        ensure!(std::time::Instant::now() < deadline, "waited {} s for {point}", DEATH_LIMIT.as_secs());
        if !accepted {
            accepted = match pending {
                Pending::Asked(asked) => world.ask_once(asked).is_ok(),
                Pending::Fetch(fetch) => world.ask_fetch(fetch).is_ok(),
            };
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let status = device_of(world, point).process()?.wait_end(point, DEATH_LIMIT)?;
    ensure!(status.signal().is_some(), "at {point} the program ended with {status}, not by a signal");
    Ok(())
}
