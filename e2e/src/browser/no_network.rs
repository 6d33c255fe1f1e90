//! A page whose relay cannot be reached, and what a user is told who logs out.

use anyhow::{Result, ensure};

use super::steps::{link, reload};
use super::webdriver::Browser;
use crate::processes::story::world::World;

/// The page without a network: it shows what it has, says so, and links nobody. After log-out it says what to do on the phone.
///
/// # Errors
/// Something is not as it should be.
pub(super) fn play(world: &mut World, browser: &Browser) -> Result<()> {
    let kept =
        "return caches.open('shell').then((cache) => cache.match('/')).then((found) => found !== undefined)";
    let _ = browser.wait("the page, kept", kept)?;
    reload(world, browser)?;
    world.relay.kill();
    browser.go(&world.page())?;
    let _ = browser
        .wait("the chats without a relay", "return document.querySelectorAll('.chat-row').length > 1")?;
    ensure!(
        browser.run("return document.documentElement.dataset.kept !== undefined")? == true,
        "the page does not know that it was kept"
    );
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait("messages", "return document.querySelectorAll('article').length > 10")?;
    browser.network(false)?;
    let offline =
        "return document.querySelector('.banner strong').textContent === 'This computer is offline'";
    let told = browser.wait("the word that the computer is offline", offline);
    browser.network(true)?;
    let _ = told?;
    log_out(browser)?;
    let title = browser.text(".dead-card h1")?;
    ensure!(title.contains("no network"), "a page that was kept says {title:?}");
    ensure!(
        browser.run("return document.querySelector('svg.code') === null")? == true,
        "a page that was kept shows a code"
    );
    world.relay.start()?;
    browser.click(".dead-card button.primary")?;
    link(world, browser)?;
    log_out(browser)?;
    let _ = browser.wait("a code", "return document.querySelector('svg.code') !== null")?;
    let note = browser.text(".note[role=status]")?;
    ensure!(
        note.contains("linked devices") && note.contains("remove"),
        "after log-out the page says {note:?}"
    );
    let _ = browser.said()?;
    world.table.ok(
        "a page without a network",
        "it opens, says so, and links nobody; after log-out it says what is to be done on the phone",
    );
    Ok(())
}

fn log_out(browser: &Browser) -> Result<()> {
    browser.click("[aria-label^='Linked devices']")?;
    browser.click("dialog[open] button.danger")?;
    let _ = browser.wait(
        "the question",
        "return document.querySelector('dialog[open] h1')?.textContent.startsWith('Log out')",
    )?;
    browser.click("dialog[open] button.danger")
}
