//! Pairing, step by step, as the two users do it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::world::World;
use crate::processes::devices::Device;
use crate::processes::process::Process;

/// The time for one step of pairing.
pub(crate) const STEP: Duration = Duration::from_secs(15);

/// A companion that shows a code.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) process: Process,
    pub(crate) picture: PathBuf,
    /// Where in the events the shown code stands.
    pub(crate) mark: usize,
}

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    world.relay.start()?;
    world.phone.start()?;
    println!("  relay is process {}, phone is process {}", world.relay.pid()?, world.phone.pid()?);
    let mut page = show_code(&world.web, None)?;
    println!(
        "  companion is process {}, its code is drawn to {}",
        page.process.pid(),
        page.picture.display()
    );
    let mut scan = scan(&world.phone, &page)?;
    let claims = up_to_approval(&mut page, &mut scan)?;
    world.table.ok("the phone reads the code from the picture", "the check code is asked for and taken");
    let claimed = |name: &str| claims[name].as_str().is_some_and(|text| !text.is_empty());
    ensure!(
        claimed("label") && matches!(claims["same_net"], Value::Bool(_) | Value::Null),
        "the phone shows no label or hint: {claims}"
    );
    let shown =
        format!("label {}, origin {}, same net {}", claims["label"], claims["origin"], claims["same_net"]);
    world.table.ok("the phone shows who asks", shown);
    let (nn, companion) = up_to_linked(&mut page, &mut scan)?;
    world.table.ok("the number of the phone is typed into the companion", format!("NN {nn}"));
    world.companion = companion;
    world.web.start()?;
    println!("  companion runs as process {}", world.web.pid()?);
    both_list(world)
}

/// Links a companion to a phone, as both users do it. Returns the companion's id.
pub(crate) fn link(web: &Device, phone: &Device) -> Result<String> {
    let mut page = show_code(web, None)?;
    let mut scan = scan(phone, &page)?;
    let _ = up_to_approval(&mut page, &mut scan)?;
    up_to_linked(&mut page, &mut scan).map(|(_, companion)| companion)
}

/// Starts a companion that is linked, and waits until it has a connection.
pub(crate) fn start_live(web: &mut Device) -> Result<()> {
    web.start()?;
    web.wait_live(STEP)
}

/// Starts `pair` at a companion and waits until the code is drawn.
pub(crate) fn show_code(web: &Device, kill_at: Option<&str>) -> Result<Page> {
    let picture = web.dir().with_extension("code.png");
    let words = picture.to_str().context("a path that is no UTF-8")?;
    let process = web.spawn(&["pair", "--qr-png", words], kill_at)?;
    let _ = process.wait_event(0, "code", STEP)?;
    Ok(Page { process, picture, mark: 0 })
}

/// Lets a phone read the picture.
pub(crate) fn scan(phone: &Device, page: &Page) -> Result<Process> {
    let picture = page.picture.to_str().context("a path that is no UTF-8")?;
    phone.spawn(&["scan", "--image", picture], None)
}

/// Types the right check code; returns what the phone shows when it asks for approval.
pub(crate) fn up_to_approval(page: &mut Page, scan: &mut Process) -> Result<Value> {
    let _ = scan.wait_event(0, "check_code_wanted", STEP)?;
    let shown = page.process.wait_event(page.mark, "check_code", STEP)?;
    let code = shown["code"].as_str().context("a check code without digits")?;
    ensure!(code.len() == 4 && code.bytes().all(|digit| digit.is_ascii_digit()), "the check code is {code}");
    scan.say(&json!({"check_code": code}))?;
    scan.wait_event(0, "approval_wanted", STEP)
}

/// Approves at the phone and types its number into the page; returns NN and the companion's id.
pub(crate) fn up_to_linked(page: &mut Page, scan: &mut Process) -> Result<(String, String)> {
    let nn = up_to_nn(page, scan)?;
    page.process.say(&json!({"number": nn}))?;
    let linked = scan.wait_event(0, "linked", STEP)?;
    let _ = page.process.wait_event(page.mark, "linked", STEP)?;
    let status = page.process.wait_end("`pair` ends when it is linked", STEP)?;
    ensure!(status.success(), "`pair` ended with {status}");
    let status = scan.wait_end("`scan` ends when it is linked", STEP)?;
    ensure!(status.success(), "`scan` ended with {status}");
    let companion = linked["companion"].as_str().context("a link without the companion's id")?;
    Ok((nn, companion.to_owned()))
}

/// Approves at the phone; returns the number that it shows, once the page asks for it.
pub(crate) fn up_to_nn(page: &mut Page, scan: &mut Process) -> Result<String> {
    scan.say(&json!({"approve": true}))?;
    let ours = scan.wait_event(0, "show_nn", STEP)?;
    let asks = page.process.wait_event(page.mark, "number_wanted", STEP)?;
    let nn = ours["nn"].as_str().context("NN is no text")?;
    ensure!(asks.get("nn").is_none(), "the companion is told the number that its user is to type: {asks}");
    Ok(nn.to_owned())
}

fn both_list(world: &mut World) -> Result<()> {
    let listed = world.phone.ask(&json!({"verb": "companions"}))?;
    ensure!(lists(&listed, &world.companion), "the phone does not list the link: {listed}");
    world.web.wait_live(STEP)?;
    let status = world.web.ask(&json!({"verb": "status"}))?;
    ensure!(status.to_string().contains(&world.companion), "the companion does not list the link: {status}");
    world.table.ok("both list the link", format!("companion {}", world.companion));
    Ok(())
}

/// Returns whether the answer of `companions` names a companion.
pub(crate) fn lists(answer: &Value, companion: &str) -> bool {
    !companion.is_empty() && answer.to_string().contains(companion)
}
