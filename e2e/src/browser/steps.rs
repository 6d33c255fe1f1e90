//! Steps that several chapters take: linking, loading the page again, revoking.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::looks::{CHECK_CODE, CODE, LIVE, NUMBER_WANTED};
use super::webdriver::Browser;
use crate::processes::process::Process;
use crate::processes::story::pair::STEP;
use crate::processes::story::world::World;

/// Links the page, which shows a code, to the phone.
///
/// # Errors
/// It does not come so far in time.
pub(super) fn link(world: &World, browser: &Browser) -> Result<()> {
    link_with(world, browser, |number| type_number(browser, number))
}

/// Links the page, where `confirm` is how the user types the number that the phone shows.
///
/// # Errors
/// It does not come so far in time.
pub(super) fn link_with(
    world: &World,
    browser: &Browser,
    confirm: impl FnOnce(&str) -> Result<()>,
) -> Result<()> {
    let (scan, number) = until_number(world, browser)?;
    confirm(&number)?;
    let _ = scan.wait_event(0, "linked", STEP)?;
    browser.wait("the state live", LIVE).map(drop)
}

/// Links the page, which shows a code, until it asks for the number. Returns the phone's scan and the number that it shows.
///
/// # Errors
/// It does not come so far in time.
pub(super) fn until_number(world: &World, browser: &Browser) -> Result<(Process, String)> {
    let _ = browser.wait("a code", CODE)?;
    let picture = world.root.join("code.png");
    browser.picture(&picture)?;
    let picture = picture.to_str().context("a path that is no UTF-8")?;
    let mut scan = world.phone.spawn(&["scan", "--image", picture], None)?;
    let _ = scan.wait_event(0, "check_code_wanted", STEP)?;
    let code = browser.wait("the check code", CHECK_CODE)?;
    scan.say(&json!({"check_code": code}))?;
    let _ = scan.wait_event(0, "approval_wanted", STEP)?;
    scan.say(&json!({"approve": true}))?;
    let shown = scan.wait_event(0, "show_nn", STEP)?;
    let _ = browser.wait("the question for the number", NUMBER_WANTED)?;
    let number = shown["nn"].as_str().context("a number that is no text")?.to_owned();
    Ok((scan, number))
}

/// Types the number on the page's own keys, and links.
pub(super) fn type_number(browser: &Browser, number: &str) -> Result<()> {
    ensure!(
        browser.run("return document.querySelector('button.link')?.disabled")? == true,
        "the button is awake before the number is typed"
    );
    for digit in number.bytes().map(|byte| byte - b'0') {
        let nth = if digit == 0 { 10 } else { digit };
        browser.click(&format!(".keypad button:nth-child({nth})"))?;
    }
    browser.click("button.link")
}

/// The phone revokes the companion that was linked last.
///
/// # Errors
/// There is none.
pub(super) fn revoke_newest(world: &World) -> Result<()> {
    let listed = world.phone.ask(&json!({"verb": "companions"}))?;
    let all = listed["companions"].as_array().context("no companions")?;
    let newest = all.iter().max_by_key(|one| one["linked_ms"].as_u64()).context("no companion")?;
    let companion = newest["companion"].as_str().context("a companion without an id")?.to_owned();
    world.phone.ask(&json!({"verb": "revoke", "companion": companion})).map(drop)
}

/// The chat with the newest message.
pub(super) fn first_chat(world: &World) -> Result<u64> {
    let listed = world.phone.ask(&json!({"verb": "chats"}))?;
    let chats = listed["chats"].as_array().context("no chats at the phone")?;
    let newest = chats.iter().max_by_key(|chat| chat["last_time_ms"].as_u64());
    newest.and_then(|chat| chat["chat"].as_u64()).context("a chat without an id")
}

/// Loads the page again and opens the first chat.
///
/// # Errors
/// It does not come.
pub(super) fn reload(world: &World, browser: &Browser) -> Result<()> {
    browser.go(&world.page())?;
    let _ = browser.wait("the state live", LIVE)?;
    browser.click(".chat-list li:first-child .chat-row")?;
    browser.wait("the chat", "return document.querySelectorAll('article').length > 10").map(drop)
}
