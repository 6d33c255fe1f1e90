//! The phone revokes the second computer.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::pair::{STEP, lists};
use super::world::World;
use crate::demo::devices::Device;

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    let (mut laptop, companion) = world.laptop.take().context("the second computer was not linked")?;
    let before = secrets(&laptop)?;
    ensure!(before > 0, "the linked computer holds no keys");
    let answer = world.phone.ask(&json!({"verb": "revoke", "companion": companion}))?;
    let _ = laptop.process()?.wait_event(0, "revoked", STEP)?;
    world.table.ok("revoke: the companion is told", format!("the phone says {answer}"));
    laptop.kill();
    let after = secrets(&laptop)?;
    ensure!(after == 0, "{after} of {before} rows with keys are still there");
    world
        .table
        .ok("revoke: the companion's keys are gone", format!("{before} rows of the link before, 0 after"));
    cannot_come_back(world, &mut laptop)?;
    let listed = world.phone.ask(&json!({"verb": "companions"}))?;
    ensure!(lists(&listed, &world.companion), "the first computer is not listed any more: {listed}");
    Ok(())
}

/// Counts the rows of the protocol's key space in a companion's database, read by another program.
fn secrets(device: &Device) -> Result<u64> {
    let script = "import sqlite3, sys; \
        print(sqlite3.connect(sys.argv[1], timeout=10).execute('SELECT count(*) FROM handfast').fetchone()[0])";
    let mut python = Command::new("python3");
    let _ = python.args(["-c", script]).arg(device.dir().join("companion.db")).stdin(Stdio::null());
    let output = python.output().context("Python 3 is needed")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("no count: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Starts the revoked companion again: it must not become live.
fn cannot_come_back(world: &mut World, laptop: &mut Device) -> Result<()> {
    laptop.begin_anew()?;
    let live = |event: &Value| (event["event"] == "link_state" && event["state"] == "live").then_some(());
    let came_back = laptop.process()?.wait(0, "nothing", Duration::from_secs(3), live).is_ok();
    ensure!(!came_back, "the revoked companion came back");
    laptop.kill();
    world.table.ok("revoke: the companion cannot come back", "started again, it has no link");
    Ok(())
}
