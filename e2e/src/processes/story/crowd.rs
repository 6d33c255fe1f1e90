//! Ten companions on one phone: all of them show what any of them, or the phone, sends.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::asked::Asked;
use super::pair::{self, STEP};
use super::world::{By, CHATS, OTHERS, World};
use crate::processes::devices::{Device, Kind};

/// The time in which all must be back after phone and relay were killed: ten handshakes, and retries with jitter.
const BACK_LIMIT: Duration = Duration::from_secs(30);

/// Plays the chapter; afterwards all ten companions run.
pub(super) fn play(world: &mut World) -> Result<()> {
    for name in OTHERS.into_iter().skip(world.others.len()) {
        let (device, companion) = link(world, &world.phone, name)?;
        world.others.push((device, companion));
    }
    let listed = world.phone.ask(&json!({"verb": "companions"}))?;
    let rows = listed["companions"].as_array().context("no list of companions")?;
    let live = rows.iter().filter(|row| row["state"] == "live").count();
    ensure!(live == 1 + OTHERS.len(), "{live} companions are live: {listed}");
    world.table.ok("ten companions are linked and live", "ten processes, one phone process, one relay");

    let everyone: Vec<By> = world.companions().map(|(by, _)| by).collect();
    let text = world.plan_text(By::Web, 9)?;
    shown_by_all(world, &text, &everyone)?;
    let text = world.plan_text(By::Phone, 10)?;
    shown_by_all(world, &text, &everyone)?;
    world.table.ok("a text from one shows on all ten", "from a companion, and from the phone");

    texts_of_all(world, &everyone)?;
    world
        .table
        .ok("a text from each of the ten shows on all ten", "the phone was killed meanwhile, then the relay");
    world.settle()?;
    world.table.ok("ten companions converge", "each agrees with the phone and the ledger, row by row");
    Ok(())
}

/// Plays the chapter: the others were stopped before the programs were killed again and again.
pub(super) fn come_back(world: &mut World) -> Result<()> {
    world.others.iter_mut().try_for_each(|(device, _)| device.start())?;
    for (device, _) in &mut world.others {
        wait_live(device, 0)?;
    }
    world.settle()?;
    let detail = format!("{} companions agree with the ledger; they stay linked", world.others.len());
    world.table.ok("companions that were away catch up", detail);
    world.others.iter_mut().for_each(|(device, _)| device.kill());
    Ok(())
}

/// Links one more companion to a phone, starts it, and waits until it holds all chats.
pub(super) fn link(world: &World, phone: &Device, name: &str) -> Result<(Device, String)> {
    let mut device = world.device(Kind::Web, name)?;
    let companion = pair::link(&device, phone)?;
    ensure!(world.others.iter().all(|(_, other)| *other != companion), "{name} got another's companion id");
    device.start()?;
    let _ = device.process()?.wait_event(0, "synced", STEP)?;
    Ok((device, companion))
}

/// Hands a text over and waits until the phone and all of `everyone` have it.
pub(super) fn shown_by_all(world: &mut World, text: &Asked, everyone: &[By]) -> Result<()> {
    world.hand_over(text)?;
    let _ = world.wait_for(By::Phone, text)?;
    everyone.iter().try_for_each(|by| world.wait_for(*by, text).map(drop))
}

/// Each companion sends a text, while the phone and the relay die and come back.
fn texts_of_all(world: &mut World, everyone: &[By]) -> Result<()> {
    let marks = marks(world)?;
    let mut texts = Vec::new();
    for (index, by) in everyone.iter().enumerate() {
        let chat = 1 + u64::try_from(index)? % CHATS;
        let text = world.plan_text(*by, chat)?;
        world.hand_over(&text)?;
        texts.push(text);
        match index {
            3 => world.phone.kill(),
            6 => world.relay.kill(),
            _ => {}
        }
        world.ensure_running()?;
    }
    for ((device, _), mark) in world.others.iter_mut().zip(marks) {
        wait_live(device, mark)?;
    }
    texts.iter().try_for_each(|text| shown_by_all(world, text, everyone))
}

fn marks(world: &mut World) -> Result<Vec<usize>> {
    world.others.iter_mut().map(|(device, _)| Ok(device.process()?.mark())).collect()
}

/// Waits until a companion says that it is live, in its events from `mark` on.
fn wait_live(device: &mut Device, mark: usize) -> Result<()> {
    device.process()?.wait(mark, "the state live", BACK_LIMIT, |event| is_live(event).then_some(()))
}

/// Whether an event says that its companion is live.
pub(super) fn is_live(event: &Value) -> bool {
    event["event"] == "link_state" && event["state"] == "live"
}
