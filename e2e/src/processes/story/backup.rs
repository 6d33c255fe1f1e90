//! The phone is backed up while it runs, and restored elsewhere: all is there, and no link is.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::crowd::link;
use super::world::World;
use crate::processes::comparison::Report;
use crate::processes::devices::{Device, Kind};
use crate::processes::patience::until;

/// The time to write or to read the whole phone.
const COPY_LIMIT: Duration = Duration::from_mins(1);
/// The time in which a new companion must hold what the restored phone holds.
const AGREE_LIMIT: Duration = Duration::from_secs(20);

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    world.settle()?;
    let file = world.root.join("phone.backup");
    let path = file.to_str().context("a path that is no UTF-8")?;
    let made = copy(&world.phone, &["backup", path])?;
    world.table.ok(
        "the running phone is backed up",
        format!("{} messages, {} media", made["messages"], made["media"]),
    );

    let mut phone = world.device(Kind::Phone, "restored-phone")?;
    let restored = copy(&phone, &["restore", path])?;
    ensure!(restored["messages"] == made["messages"], "{} messages are restored", restored["messages"]);
    phone.start()?;
    let listed = phone.ask(&json!({"verb": "companions"}))?;
    let rows = listed["companions"].as_array().context("no list of companions")?;
    let gone = |row: &&Value| row["status"] == "lost" || row["status"] == "revoked";
    ensure!(!rows.is_empty() && rows.iter().all(|row| gone(&row)), "a link was restored: {listed}");

    let (mut web, _) = link(world, &phone, "companion-of-restored")?;
    until("the new companion to agree with the restored phone", AGREE_LIMIT, || {
        let companions = [("companion-of-restored", web.dir())];
        let report = Report::make(world.ledger.path(), phone.dir(), companions, true)?;
        match report.first_fault()? {
            None => Ok(Some(())),
            Some(fault) => bail!("{fault}"),
        }
    })?;
    web.kill();
    phone.kill();
    let detail = "all of the ledger is there, no link is; a new companion agrees";
    world.table.ok("a phone restored from the backup goes on", detail);
    Ok(())
}

/// Runs the phone's program once to its good end; returns what it said.
fn copy(phone: &Device, words: &[&str]) -> Result<Value> {
    let mut process = phone.spawn(words, None)?;
    let status = process.wait_end("it has copied the phone", COPY_LIMIT)?;
    ensure!(status.success(), "`{}` ended with {status}", words.join(" "));
    process.wait(0, "what it copied", COPY_LIMIT, |said| said["messages"].is_u64().then(|| said.clone()))
}
