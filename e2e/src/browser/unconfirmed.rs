//! The phone's last word of a pairing is lost: the page says so, starts over when its user wants to, and goes on by itself when the
//! phone comes back.

use anyhow::Result;

use super::looks::{CODE, LIVE, script_over};
use super::steps::{revoke_newest, type_number, until_number};
use super::webdriver::Browser;
use crate::processes::story::world::World;

const UNCONFIRMED: &str = "return document.querySelector('.linking h1')?.textContent === 'Not confirmed yet'";
/// Plays the chapter, for a page that shows a code, and leaves it showing one.
///
/// # Errors
/// The page says something else, or does not go on.
pub(super) fn play(world: &mut World, browser: &Browser) -> Result<()> {
    lose_last_word(world, browser)?;
    browser.click("button.new-code")?;
    let _ = browser.wait("another code", CODE)?;
    world.phone.start()?;
    world.table.ok("the phone's last word is lost, and the user starts over", "the page shows another code");
    lose_last_word(world, browser)?;
    browser.go(&world.page())?;
    let _ = browser.wait("the same of the page that is reloaded", UNCONFIRMED)?;
    world.phone.start()?;
    // req: HSK-135
    let _ = browser.wait("the state live", LIVE)?;
    world.table.ok("the phone's last word is lost, and the phone comes back", "the page is linked by itself");
    revoke_newest(world)?;
    browser.click(".dead-card button.primary")?;
    let _ = browser.said()?;
    Ok(())
}

/// The page has stored the link and the phone has offered it; the phone's process ends before it reads the page's answer.
fn lose_last_word(world: &mut World, browser: &Browser) -> Result<()> {
    let (scan, number) = until_number(world, browser)?;
    world.phone.process()?.pause()?;
    type_number(browser, &number)?;
    let pending = script_over("links", "readonly", "return all.some(({ state }) => state === 'pending')");
    let _ = browser.wait("the link, stored and not confirmed", &pending)?;
    world.phone.kill();
    drop(scan);
    // req: HSK-165
    browser.wait("that the link is not confirmed", UNCONFIRMED).map(drop)
}
