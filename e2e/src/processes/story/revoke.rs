//! The phone revokes the second computer; the other nine do not notice.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::crowd::shown_by_all;
use super::pair::{STEP, lists};
use super::world::{By, World};
use crate::processes::devices::Device;

/// Plays the chapter; afterwards the companions besides the first are stopped.
pub(super) fn play(world: &mut World) -> Result<()> {
    ensure!(!world.others.is_empty(), "the second computer was not linked");
    let (mut laptop, companion) = world.others.remove(0);
    let marks: Vec<usize> =
        world.others.iter_mut().map(|(device, _)| Ok(device.process()?.mark())).collect::<Result<_>>()?;
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
    nine_go_on(world, &marks)
}

/// The companions that were not revoked still show texts, and nothing happened to their links meanwhile.
fn nine_go_on(world: &mut World, marks: &[usize]) -> Result<()> {
    let rest: Vec<By> = world.companions().map(|(by, _)| by).collect();
    let text = world.plan_text(By::Phone, 11)?;
    shown_by_all(world, &text, &rest)?;
    for ((device, _), mark) in world.others.iter_mut().zip(marks) {
        let events = device.process()?.events_since(*mark);
        let hit = events.iter().find(|event| {
            event["event"] == "revoked" || (event["event"] == "link_state" && event["state"] != "live")
        });
        ensure!(hit.is_none(), "{} was hit by the revocation of another: {hit:?}", device.name());
        device.kill();
    }
    world.table.ok("one revoked, nine go on", format!("a text shows on all {}", rest.len()));
    Ok(())
}

/// Counts the rows of the protocol's key space in a companion's database, read by another program. It must only read:
/// when it closed the database as its last user, it would remove the log.
fn secrets(device: &Device) -> Result<u64> {
    let script = "import sqlite3, sys; \
        print(sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, timeout=10).execute('SELECT count(*) FROM handfast').fetchone()[0])";
    let mut python = Command::new("python3");
    let _ = python.args(["-c", script]).arg(device.dir().join("companion.db")).stdin(Stdio::null());
    let output = python.output().context("Python 3 is needed")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("no count: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Starts the revoked companion again: it must not become live.
fn cannot_come_back(world: &mut World, laptop: &mut Device) -> Result<()> {
    laptop.begin_anew()?;
    let came_back = laptop.wait_live(Duration::from_secs(3)).is_ok();
    ensure!(!came_back, "the revoked companion came back");
    laptop.kill();
    world.table.ok("revoke: the companion cannot come back", "started again, it has no link");
    Ok(())
}
