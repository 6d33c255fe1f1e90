//! Pairing is cut at each of its kill points, each time between a fresh phone and a fresh companion.

use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::kill_points::DEATH_LIMIT;
use super::pair::{self, STEP};
use super::world::World;
use crate::processes::devices::{Device, Kind};
use crate::processes::patience::until;
use crate::processes::process::Process;

const POINTS: [&str; 4] =
    ["phone.pairing_offered", "phone.pairing_active", "web.pairing_pending", "web.pairing_linked"];

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    for point in POINTS {
        let mut phone = world.device(Kind::Phone, &format!("phone-{point}"))?;
        let mut web = world.device(Kind::Web, &format!("companion-{point}"))?;
        let scan = cut(&mut phone, &web, point)?;
        phone.ensure_running()?;
        let how = come_together(&mut phone, &mut web, point)?;
        // Its user who leaves the scan says no to a page that has not accepted yet.
        drop(scan);
        world.table.ok(format!("pairing cut at {point}"), how);
    }
    Ok(())
}

/// Pairs until one of the two ends itself. Returns the phone's scan.
fn cut(phone: &mut Device, web: &Device, point: &str) -> Result<Process> {
    let at_phone = point.starts_with("phone.");
    if at_phone {
        phone.start_to_die_at(point)?;
        phone.wait_ready()?;
    } else {
        phone.start()?;
    }
    let mut page = pair::show_code(web, (!at_phone).then_some(point))?;
    let mut scan = pair::scan(phone, &page)?;
    let _ = pair::up_to_approval(&mut page, &mut scan)?;
    scan.say(&json!({"approve": true}))?;
    // The phone may end itself before the page can ask about NN.
    if point != "phone.pairing_offered" {
        let _ = page.process.wait_event(page.mark, "number_wanted", STEP)?;
        let shown = scan.wait_event(0, "show_nn", STEP)?;
        page.process.say(&json!({"number": shown["nn"]}))?;
    }
    let status = if at_phone {
        phone.process()?.wait_end(point, DEATH_LIMIT)?
    } else {
        page.process.wait_end(point, DEATH_LIMIT)?
    };
    ensure!(status.signal().is_some(), "at {point} the program ended with {status}, not by a signal");
    Ok(scan)
}

/// Starts both again. Before the page has said yes a new code is needed; after that, both are linked by themselves.
fn come_together(phone: &mut Device, web: &mut Device, point: &str) -> Result<String> {
    if point == "phone.pairing_offered" {
        let companion = pair::link(web, phone)?;
        web.start()?;
        wait_live(phone, web, &companion)?;
        return Ok("nobody is linked; a new code links".to_owned());
    }
    web.start()?;
    let companion = until("the companion's id", STEP, || {
        let status = web.ask(&json!({"verb": "status"}))?;
        Ok(status["companion"].as_str().map(str::to_owned))
    })
    .context("the companion lost the link it had confirmed")?;
    wait_live(phone, web, &companion)?;
    Ok("both are linked after a start".to_owned())
}

/// Waits until the companion is live and the phone lists it.
fn wait_live(phone: &Device, web: &mut Device, companion: &str) -> Result<()> {
    web.wait_live(DEATH_LIMIT)?;
    let listed = phone.ask(&json!({"verb": "companions"}))?;
    ensure!(pair::lists(&listed, companion), "the phone does not list {companion}: {listed}");
    Ok(())
}
