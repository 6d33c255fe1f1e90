//! A check code that is typed wrong three times, and a second phone that scans the same code.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::pair::{self, STEP};
use super::world::{OTHERS, World};
use crate::processes::devices::Kind;

/// Plays the chapter; afterwards the second computer is linked and runs.
pub(super) fn play(world: &mut World) -> Result<()> {
    let mut laptop = world.device(Kind::Web, OTHERS[0])?;
    let mut page = pair::show_code(&laptop, None)?;
    let mut scan = pair::scan(&world.phone, &page)?;
    let _ = scan.wait_event(0, "check_code_wanted", STEP)?;
    second_phone(world, &page)?;

    let shown = page.process.wait_event(0, "check_code", STEP)?;
    let right: u32 = shown["code"].as_str().context("no check code")?.parse()?;
    for left in [2, 1, 0] {
        let mark = scan.mark();
        scan.say(&json!({"check_code": format!("{:04}", (right + 1 + left) % 10_000)}))?;
        let wrong = scan.wait_event(mark, "wrong_code", STEP)?;
        ensure!(wrong["left"] == left, "after a wrong code {left} tries should be left: {wrong}");
    }
    let ended = scan.wait_event(0, "ended", STEP)?;
    let status = scan.wait_end("`scan` ends after the third wrong code", STEP)?;
    ensure!(!status.success(), "`scan` ended with success after three wrong codes");
    let burnt = page.process.wait_event(0, "code_burnt", STEP)?;
    world.table.ok(
        "three wrong check codes burn the code",
        format!("phone told {}, page told {}", ended["code"], burnt["code"]),
    );

    ensure!(burnt["asks"] == true, "a new code is shown before its user asks: {burnt}");
    page.process.say(&json!({"new_code": true}))?;
    page.mark = position_of(&page.process.events_since(0), "code_burnt")?;
    let _ = page.process.wait_event(page.mark, "code", STEP)?;
    let mut scan = pair::scan(&world.phone, &page)?;
    let _ = pair::up_to_approval(&mut page, &mut scan)?;
    let (_, companion) = pair::up_to_linked(&mut page, &mut scan)?;
    ensure!(companion != world.companion, "two computers have one companion id");
    laptop.start()?;
    let _ = laptop.process()?.wait_event(0, "synced", STEP)?;
    world.table.ok("a new code of the same page works", format!("companion {companion}"));
    world.others.push((laptop, companion));
    Ok(())
}

/// Another phone scans the code that the first one is using.
fn second_phone(world: &mut World, page: &pair::Page) -> Result<()> {
    let mut other = world.device(Kind::Phone, "second-phone")?;
    other.start()?;
    let mut scan = pair::scan(&other, page)?;
    let ended = scan.wait_event(0, "ended", STEP)?;
    ensure!(ended["code"] == "CODE_TAKEN", "the second phone is told {ended}");
    let message = ended["message"].as_str().filter(|text| !text.is_empty()).context("it is not told why")?;
    let status = scan.wait_end("`scan` ends when it is refused", STEP)?;
    ensure!(!status.success(), "the refused `scan` ended with success");
    world.table.ok("a second phone with the same code is refused", format!("CODE_TAKEN: {message}"));
    Ok(())
}

fn position_of(events: &[serde_json::Value], name: &str) -> Result<usize> {
    let found = events.iter().position(|event| event["event"] == name);
    found.with_context(|| format!("no event `{name}`"))
}
