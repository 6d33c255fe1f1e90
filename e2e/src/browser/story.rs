//! One user's way, with the page as the companion: the phone scans what the browser's window shows.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::looks::{CHECK_CODE, CODE, LIVE, NUMBER_WANTED, has_text, history, shows};
use super::steps::{revoke_newest, type_number};
use super::troubles::{self, Stage};
use super::webdriver::{Browser, ChromeDriver};
use super::{
    adversity, changes, everyday, flood, keyboard, media, no_network, old_messages, scenes, scroll,
    unconfirmed,
};
use crate::processes::build::Programs;
use crate::processes::patience::until;

use crate::processes::story::pair::STEP;
use crate::processes::story::world::{CHATS, LIMIT, World};

/// Plays the scenes, then the story, or only its last chapter; returns whether all that was checked held.
///
/// # Errors
/// Something cannot be started.
pub(super) fn play(programs: &Programs, root: &Path, pictures: &Path, only: &super::Options) -> Result<bool> {
    let mut world = World::new(programs, root)?;
    let driver = ChromeDriver::start(&world.keeper)?;
    let mut stage = Stage::open(&driver, root.join("profile"))?;
    let played = if only.day {
        day(&mut world, &stage.browser, pictures)
    } else if only.old_messages {
        world.relay.start().and_then(|()| old_messages::play(&mut world, stage.driver()))
    } else {
        chapters(&mut world, &mut stage, pictures)
    };
    if let Err(error) = played {
        let _ = stage.browser.picture(&root.join("failed.png"));
        world.table.add(false, "the page", format!("{error:#}; see failed.png in {}", root.display()));
    }
    drop(stage);
    world.end_all();
    println!("\n{}", world.table);
    let (rows, failed) = world.table.counts();
    println!("{} checks ok, {failed} failed", rows - failed);
    Ok(world.table.all_good())
}

fn day(world: &mut World, browser: &Browser, pictures: &Path) -> Result<()> {
    world.relay.start()?;
    linking(world, browser, pictures)?;
    chatting(world, browser, pictures)?;
    everyday::play(world, browser)?;
    no_network::play(world, browser)
}

fn chapters(world: &mut World, stage: &mut Stage<'_>, pictures: &Path) -> Result<()> {
    world.relay.start()?;
    let (page, keeper) = (world.page(), world.keeper.clone());
    scenes::play(&stage.browser, &keeper, &page, pictures, &mut world.table)?;
    linking(world, &stage.browser, pictures)?;
    chatting(world, &stage.browser, pictures)?;
    changes::play(world, &stage.browser)?;
    media::play(world, &stage.browser, pictures)?;
    coming_back(world, &stage.browser)?;
    scroll::play(world, &stage.browser)?;
    everyday::play(world, &stage.browser)?;
    adversity::play(world, &stage.browser)?;
    flood::play(world, &stage.browser)?;
    troubles::play(world, stage)?;
    revoked(world, &stage.browser)?;
    stage.browser.click(".dead-card button.primary")?;
    unconfirmed::play(world, &stage.browser)?;
    keyboard::play(world, &stage.browser)?;
    troubles::copied(world, stage)?;
    no_network::play(world, &stage.browser)?;
    old_messages::play(world, stage.driver())
}

fn linking(world: &mut World, browser: &Browser, pictures: &Path) -> Result<()> {
    world.phone.start()?;
    browser.emulate_viewport(1200, 800, false)?;
    let began = Instant::now();
    browser.go(&world.page())?;
    let _ = browser.wait("a code", CODE)?;
    world
        .table
        .ok("the page shows a code", format!("{} ms after it was asked for", began.elapsed().as_millis()));
    everyday::steady(world, browser)?;
    let picture = pictures.join("first-visit.png");
    browser.picture(&picture)?;
    let mut scan = world
        .phone
        .spawn(&["scan", "--image", picture.to_str().context("a path that is no UTF-8")?], None)?;
    let _ = scan.wait_event(0, "check_code_wanted", STEP)?;
    world.table.ok("the phone reads the code from a picture of the window", picture.display().to_string());
    let code = browser.wait("the check code", CHECK_CODE)?;
    browser.picture(&pictures.join("check-code.png"))?;
    scan.say(&json!({"check_code": code}))?;
    let claims = scan.wait_event(0, "approval_wanted", STEP)?;
    let origin = world.page();
    let seen = claims["origin_seen"].as_str().unwrap_or_default();
    ensure!(origin.starts_with(seen) && !seen.is_empty(), "the relay saw the origin {seen:?} of {origin}");
    world.table.ok("the phone shows who asks", format!("{}, origin {}", claims["label"], claims["origin"]));
    scan.say(&json!({"approve": true}))?;
    let ours = scan.wait_event(0, "show_nn", STEP)?;
    let number = ours["nn"].as_str().context("a number that is no text")?;
    let _ = browser.wait("the question for the number", NUMBER_WANTED)?;
    let shown = browser
        .run("return [...document.querySelectorAll('.digits')].map((one) => one.textContent).join()")?;
    ensure!(shown == "", "the page shows {shown} where the user is to type {number}");
    browser.picture(&pictures.join("number.png"))?;
    type_number(browser, number)?;
    let _ = scan.wait_event(0, "linked", STEP)?;
    world.table.ok("the phone's number is typed into the page, and both are linked", format!("NN {number}"));
    let _ = browser.wait("the state live", LIVE)?;
    let wanted = format!("return document.querySelectorAll('.chat-row').length === {CHATS}");
    let _ = browser.wait("all chats", &wanted)?;
    world.table.ok("the page lists the phone's chats", format!("{CHATS} chats"));
    Ok(())
}

fn chatting(world: &mut World, browser: &Browser, pictures: &Path) -> Result<()> {
    browser.click(".chat-list li:first-child .chat-row")?;
    let title = browser.text(".chat-name h1")?;
    let _ = browser.wait("messages", "return document.querySelectorAll('article').length > 10")?;
    let listed = world.phone.ask(&json!({"verb": "chats"}))?;
    let chats = listed["chats"].as_array().context("no chats at the phone")?;
    let chat =
        chats.iter().find(|chat| chat["title"] == title.as_str()).context("another chat than the phone's")?;
    let chat = chat["chat"].as_u64().context("a chat without an id")?;
    // A text from the page, with what a careless page would take for markup.
    let ours = "From the page: <b>hello</b> & \u{5e9}\u{5dc}\u{5d5}\u{5dd}";
    browser.type_into(".composer textarea", &format!("{ours}\u{e007}"))?;
    until("the page's text at the phone", LIMIT, || {
        Ok(has_text(&world.phone.ask(&history(chat))?, ours).then_some(()))
    })?;
    let echo = format!("echo: {ours}");
    let _ = browser.wait("the contact's answer", &shows(&echo))?;
    world.table.ok("a text from the page", "it is on the phone, and the contact's answer on the page");
    let theirs = "From the phone";
    let _ = world.phone.ask(&json!({"verb": "send", "chat": chat, "text": theirs}))?;
    let _ = browser.wait("the phone's text", &shows(theirs))?;
    let state = "return [...document.querySelectorAll('.message.own .state')].every((one) => !one.className.includes('waiting'))";
    let _ = browser.wait("no text that waits", state)?;
    world.table.ok("a text from the phone", "it is on the page");
    browser.picture(&pictures.join("live.png"))?;
    quiet(browser)
}

/// The page is loaded anew, and the relay and the phone go away and come back: nothing is lost, nothing doubled.
fn coming_back(world: &mut World, browser: &Browser) -> Result<()> {
    browser.go(&world.page())?;
    let _ = browser.wait("the state live", LIVE)?;
    browser.click(".chat-list li:first-child .chat-row")?;
    let count = "return [...document.querySelectorAll('article .text')].filter((one) => one.textContent === 'From the phone').length";
    let _ = browser.wait("the texts of before", &shows("From the phone"))?;
    ensure!(browser.run(count)? == 1, "a text is doubled");
    world
        .table
        .ok("the page is loaded anew", "it is live again with the same link, and shows each text once");
    world.phone.kill();
    let _ = browser.wait(
        "the state without a phone",
        "return document.querySelector('.banner:not(.tone-good)') !== null",
    )?;
    browser.type_into(".composer textarea", "While the phone was away\u{e007}")?;
    let _ = browser.wait("a text that waits", "return document.querySelector('.state-waiting') !== null")?;
    world.phone.start()?;
    let sent = "return document.querySelector('.banner.tone-good') !== null && document.querySelector('.state-waiting') === null";
    let _ = browser.wait("the text that waited, on its way", sent)?;
    let _ = browser.wait("its answer", &shows("echo: While the phone was away"))?;
    ensure!(
        browser.run(&count.replace("From the phone", "While the phone was away"))? == 1,
        "what was written meanwhile is sent more than once"
    );
    world.table.ok("the phone goes away and comes back", "what was written meanwhile went out by itself");
    world.relay.kill();
    let _ = browser.wait(
        "the state without a relay",
        "return document.querySelector('.banner:not(.tone-good)') !== null",
    )?;
    world.relay.start()?;
    let _ = browser.wait("the state live", LIVE)?;
    world.table.ok("the relay is started anew", "the page is live again");
    // What the network lost is said by the browser itself; anything else would be the page's.
    let said = browser.said()?;
    let own: Vec<_> = said.iter().filter(|line| !line.contains("WebSocket connection to")).collect();
    ensure!(own.is_empty(), "the console says {own:?}");
    Ok(())
}

/// The phone revokes the page while it is open: it says so, and nothing of the account is left in the browser.
fn revoked(world: &mut World, browser: &Browser) -> Result<()> {
    revoke_newest(world)?;
    let title = browser.text(".dead-card h1")?;
    ensure!(title.contains("no longer linked"), "the page says {title:?}");
    let rows = browser.wait("the database, emptied", "return new Promise((ok) => { \
        const open = indexedDB.open('handfast'); open.onsuccess = async () => { let all = 0; \
        for (const name of open.result.objectStoreNames) all += await new Promise((count) => { \
        open.result.transaction(name).objectStore(name).count().onsuccess = (event) => count(event.target.result); }); \
        open.result.close(); ok(`${all} rows`); }; })")?;
    ensure!(rows == "0 rows", "of the account there are still {rows}");
    world.table.ok("the phone revokes the page while it is open", "it says so, and its database is empty");
    Ok(())
}

fn quiet(browser: &Browser) -> Result<()> {
    let said = browser.said()?;
    ensure!(said.is_empty(), "the console says {said:?}");
    Ok(())
}
