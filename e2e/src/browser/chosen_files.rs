//! Files that are chosen, dropped and pasted: their order, their place, and pictures that nothing should decode.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::looks::{FILES, history, shows};
use super::steps::reload;
use super::webdriver::Browser;
use crate::processes::patience::until;
use crate::processes::photo;
use crate::processes::story::world::{LIMIT, World};

/// Bytes of files that are sent at once: the largest first, so that it is the last to be on the phone.
const FILE_LENS: [usize; 6] = [6_000_000, 10, 1_000_000, 0, 300, 2_000_000];

/// Plays the chapter in a chat that is open.
///
/// # Errors
/// Something is not as it should be.
pub(super) fn play(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    files(world, browser, chat)?;
    picture_stays(world, browser, chat)?;
    unread(world, browser)?;
    dropped(world, browser, chat)?;
    hostile_pictures(world, browser, chat)
}

/// Several files at once arrive in the order in which they were chosen.
fn files(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let mut paths = Vec::new();
    for (at, len) in FILE_LENS.iter().enumerate() {
        let file = world.root.join(format!("in order {at}.bin"));
        std::fs::write(&file, vec![u8::try_from(at)?; *len])?;
        paths.push(file.to_str().context("a path that is no UTF-8")?.to_owned());
    }
    browser.type_into(FILES, &paths.join("\n"))?;
    let wanted: Vec<String> = (0..FILE_LENS.len()).map(|at| format!("in order {at}.bin")).collect();
    let names = || -> Result<Vec<String>> {
        let all = world.phone.ask(&history(chat))?;
        let mut names: Vec<(u64, String)> = all["messages"]
            .as_array()
            .context("no messages")?
            .iter()
            .filter_map(|one| Some((one["id"].as_u64()?, one["media_name"].as_str()?.to_owned())))
            .filter(|(_, name)| name.starts_with("in order "))
            .collect();
        names.sort();
        Ok(names.into_iter().map(|(_, name)| name).collect())
    };
    until("all files at the phone", LIMIT, || Ok((names()?.len() >= FILE_LENS.len()).then_some(())))?;
    let _ = browser.wait("nothing that waits", "return document.querySelector('.state-waiting') === null")?;
    let came = names()?;
    ensure!(came == wanted, "the files came as {came:?}");
    world.table.ok("several files", "they arrive once each, in the order in which they were chosen");
    Ok(())
}

/// A picture has its place from the moment in which it is chosen: nothing jumps while it is read, sent and made a message.
fn picture_stays(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let name = "steady.png";
    let file = world.root.join(name);
    let _ = photo::write(&file, 1_500_000)?;
    let _ = browser.run(&format!(
        "window.heights = new Set(); const look = () => {{ const box = document.querySelector('.media-box[data-name={name:?}]'); \
         if (box) window.heights.add(box.querySelector('.media') ? Math.round(box.querySelector('.media').getBoundingClientRect().height) : 'no picture'); \
         requestAnimationFrame(look); }}; look()"
    ))?;
    browser.type_into(FILES, file.to_str().context("a path that is no UTF-8")?)?;
    until("the photo at the phone", LIMIT, || {
        Ok(super::media::find(&world.phone.ask(&history(chat))?, name))
    })?;
    let shown = format!(
        "return document.querySelector('.media-box[data-name={name:?}] img')?.complete && document.querySelector('.state-waiting') === null"
    );
    let _ = browser.wait("the photo, sent", &shown)?;
    let heights = browser.run("return [...window.heights]")?;
    ensure!(
        heights.as_array().is_some_and(|all| all.len() == 1 && all[0].is_u64()),
        "while it was sent the photo had the heights {heights}"
    );
    world.table.ok("a photo that is sent", format!("its place is {} pixels high all the time", heights[0]));
    Ok(())
}

/// A page that is closed while it reads a file asks before, and says afterwards that the file was not sent.
fn unread(world: &mut World, browser: &Browser) -> Result<()> {
    let _ = browser.run("File.prototype.stream = () => new ReadableStream({ type: 'bytes', pull: () => new Promise(() => {}) })")?;
    let file = world.root.join("never read.bin");
    std::fs::write(&file, vec![1; 4_096])?;
    browser.type_into(FILES, file.to_str().context("a path that is no UTF-8")?)?;
    let reading = "return [...document.querySelectorAll('.transfer .small')].some((one) => one.textContent === 'Reading')";
    let _ = browser.wait("a file that is being read", reading)?;
    let asks = "const event = new Event('beforeunload', { cancelable: true }); dispatchEvent(event); return event.defaultPrevented";
    ensure!(browser.run(asks)? == true, "the page may be closed without a question");
    // The question of a real reload is answered by the driver.
    reload(world, browser)?;
    let told = "return [...document.querySelectorAll('.media-box')].find((one) => one.dataset.name === 'never read.bin')?.textContent.includes('Choose it again')";
    let _ = browser.wait("the word that the file was not sent", told)?;
    browser.click(&super::media::act("never read.bin", "cancel"))?;
    let _ = browser.wait(
        "no such file",
        "return document.querySelector('.media-box[data-name=\"never read.bin\"]') === null",
    )?;
    ensure!(browser.run(asks)? == false, "the page asks without a reason");
    world.table.ok(
        "a page that is closed while it reads a file",
        "it asks before, and says afterwards what was not sent",
    );
    Ok(())
}

/// A file that is dropped anywhere never takes the place of the page; the open chat gets it.
fn dropped(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let file = world.root.join("dropped.svg");
    std::fs::write(&file, "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")?;
    browser.go(&world.page())?;
    let _ = browser.wait("the chats", "return document.querySelectorAll('.chat-row').length > 1")?;
    for selector in [".chat-list", ".chat-none", ".search input"] {
        browser.drop_file(selector, &file)?;
        let told = "return /open the chat first/i.test(document.querySelector('.toast')?.textContent)";
        let _ = browser.wait("the word that no chat is open", told)?;
        browser.click(".toast button")?;
    }
    browser.click(".chat-list li:first-child .chat-row")?;
    let _ = browser.wait("the chat", "return document.querySelectorAll('article').length > 10")?;
    browser.drop_file(".chat-list", &file)?;
    until("the dropped file at the phone", LIMIT, || {
        Ok(super::media::find(&world.phone.ask(&history(chat))?, "dropped.svg"))
    })?;
    let pasted = "const data = new DataTransfer(); data.items.add(new File(['pasted'], 'pasted.txt')); \
        document.querySelector('.chat-list').dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))";
    let _ = browser.run(pasted)?;
    until("the pasted file at the phone", LIMIT, || {
        Ok(super::media::find(&world.phone.ask(&history(chat))?, "pasted.txt"))
    })?;
    ensure!(
        browser.run("return location.href")?.as_str().is_some_and(|at| at.starts_with(&world.page())),
        "the browser left the page"
    );
    world
        .table
        .ok("files that are dropped or pasted anywhere", "the open chat gets them; the browser opens none");
    Ok(())
}

/// Pictures that would fill the memory, or did, stay documents.
fn hostile_pictures(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let before = super::tab::memory(browser)?;
    for at in 0..3 {
        let name = format!("bomb {at}.png");
        let file = world.root.join(&name);
        let len = photo::write_bomb(&file, 16_384, u8::try_from(at)?)?;
        ensure!(len < 100_000, "the bomb has {len} bytes");
        attach(world, browser, chat, &file)?;
        let _ = browser.wait(&name, &super::media::saved(&name))?;
    }
    let shown = "return document.querySelectorAll('.media-box[data-name^=\"bomb\"] :is(img, canvas, button.picture)').length";
    ensure!(browser.run(shown)? == 0, "a picture of 268 million pixels is shown");
    let after = super::tab::memory(browser)?;
    ensure!(after < before + (200 << 20), "the tab has {after} bytes, {before} before");
    let name = "did not live to see it.png";
    let file = world.root.join(name);
    let _ = photo::write(&file, 100_000)?;
    attach(world, browser, chat, &file)?;
    let picture = format!("return document.querySelector('.media-box[data-name={name:?}] img') !== null");
    let _ = browser.wait("an ordinary photo", &picture)?;
    let all = world.phone.ask(&history(chat))?;
    let row = super::media::find(&all, name).context("no such message")?;
    let content = row["content"].as_str().context("a message without content")?;
    // As a page leaves it that dies while it decodes.
    let _ = browser.run(&format!(
        "return new Promise((ok, fail) => {{ const open = indexedDB.open('handfast'); open.onerror = fail; open.onsuccess = () => {{ \
         const txn = open.result.transaction('thumbnails', 'readwrite'); txn.objectStore('thumbnails').put({{ content: {content:?} }}); \
         txn.oncomplete = () => {{ open.result.close(); ok(true); }}; }}; }})"
    ))?;
    reload(world, browser)?;
    let _ = browser.wait(
        "the photo as a document",
        &format!("return document.querySelector('.media-box[data-name={name:?}] .document') !== null"),
    )?;
    let _ = browser.wait("the photo, to be saved", &super::media::saved(name))?;
    ensure!(browser.run(&picture)? == false, "a picture is decoded again of which the page died");
    world
        .table
        .ok("pictures that would fill the memory", "they stay files, as does one of which the page died");
    Ok(())
}

/// The phone sends a file, and its contact answers.
fn attach(world: &World, browser: &Browser, chat: u64, file: &Path) -> Result<()> {
    let path = file.to_str().context("a path that is no UTF-8")?;
    let _ = world.phone.ask(&json!({"verb": "attach", "chat": chat, "file": path}))?;
    let name = file.file_name().context("a file without a name")?.to_string_lossy();
    browser.wait("the contact's answer to a file", &shows(&format!("echo: {name}"))).map(drop)
}
