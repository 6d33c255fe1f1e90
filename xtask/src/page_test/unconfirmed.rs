//! The phone's last word of a pairing is lost: the page says so, starts over when its user wants to, and goes on by itself when the
//! phone comes back.

use anyhow::Result;

use super::story::{CODE, LIVE, type_number, until_number};
use super::webdriver::Browser;
use crate::demo::story::world::World;

const UNCONFIRMED: &str = "return document.querySelector('.linking h1')?.textContent === 'Not confirmed yet'";
/// A script that says whether the browser keeps a link that is not confirmed.
const PENDING: &str = "return new Promise((ok, fail) => { const open = indexedDB.open('handfast'); open.onerror = fail; \
    open.onsuccess = () => { open.result.transaction('links').objectStore('links').getAll().onsuccess = ({ target }) => { \
    open.result.close(); ok(target.result.some((row) => row.state === 'pending')); }; }; })";

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
    let _ = browser.wait("the same of the page that is loaded anew", UNCONFIRMED)?;
    world.phone.start()?;
    // req: HSK-135
    let _ = browser.wait("the state live", LIVE)?;
    world.table.ok("the phone's last word is lost, and the phone comes back", "the page is linked by itself");
    super::story::revoke_newest(world)?;
    browser.click(".dead-card button.primary")?;
    let _ = browser.said()?;
    Ok(())
}

/// The page has stored the link and the phone has offered it; the phone's process ends before it reads the page's answer.
fn lose_last_word(world: &mut World, browser: &Browser) -> Result<()> {
    let (scan, number) = until_number(world, browser)?;
    world.phone.process()?.pause()?;
    type_number(browser, &number)?;
    let _ = browser.wait("the link, stored and not confirmed", PENDING)?;
    world.phone.kill();
    drop(scan);
    // req: HSK-165
    browser.wait("that the link is not confirmed", UNCONFIRMED).map(drop)
}
