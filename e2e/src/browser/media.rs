//! Media in the page: files each way, seeking, pausing, going on after a reload, and what is never shown.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::looks::{FILES, LIVE, shows};
use super::steps::first_chat;
use super::webdriver::Browser;
use crate::processes::patience::until;
use crate::processes::story::transfers::file_hash;
use crate::processes::story::world::{LIMIT, World};
use crate::processes::{photo, random};

/// A photo that is small enough to be fetched by itself.
const PHOTO_LEN: usize = 1_500_000;
/// A file that takes a while.
const LARGE_LEN: usize = 48_000_000;
/// Seconds of sound, at 8,000 samples of a byte each.
const SECONDS: usize = 400;
const RATE: usize = 8_000;
const WAV_HEAD: usize = 44;

/// Plays the chapter in the first chat.
///
/// # Errors
/// Something does not come, or not as it was sent.
pub(super) fn play(world: &mut World, browser: &Browser, pictures: &Path) -> Result<()> {
    browser.click(".chat-list li:first-child .chat-row")?;
    let chat = first_chat(world)?;
    photos(world, browser, chat, pictures)?;
    seeking(world, browser, chat)?;
    documents(world, browser, chat)?;
    upload(world, browser, chat)?;
    download(world, browser, chat)
}

fn photos(world: &mut World, browser: &Browser, chat: u64, pictures: &Path) -> Result<()> {
    let ours = world.root.join("from the page.png");
    let photo = photo::write(&ours, PHOTO_LEN)?;
    browser.type_into(FILES, path(&ours)?)?;
    let row = message(world, chat, "from the page.png")?;
    ensure!(row["media_type"] == "image/png", "the phone takes the photo for {}", row["media_type"]);
    on_phone(world, &row, &photo.sha256)?;
    let _ = browser.wait("the sent photo", &shows_picture("from the page.png"))?;
    let sent = "return document.querySelector('.transfer progress') === null && document.querySelector('.state-waiting') === null";
    let _ = browser.wait("no transfer that goes on", sent)?;
    world.table.ok("a photo from the page", format!("{} bytes are on the phone's disk", photo.size));
    let theirs = world.root.join("from the phone.png");
    let _ = photo::write(&theirs, PHOTO_LEN)?;
    attach(world, browser, chat, &theirs)?;
    let _ = browser.wait("the phone's photo", &shows_picture("from the phone.png"))?;
    let end = "const list = document.querySelector('.messages'); return list.scrollHeight - list.scrollTop - list.clientHeight < 2";
    let _ = browser.wait("the end of the chat", end)?;
    browser.picture(&pictures.join("photo.png"))?;
    browser.click(&format!("button.picture[aria-label$={:?}]", "from the phone.png"))?;
    let whole = "return document.querySelector('dialog[open] img.viewed')?.naturalWidth === 1024";
    let _ = browser.wait("the whole photo", whole)?;
    browser.click("dialog[open] .sheet-close")?;
    world.table.ok("a photo from the phone", "it shows itself, and opens whole");
    Ok(())
}

/// Sound can be played from its middle, which takes ranges of bytes.
fn seeking(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let sound = world.root.join("sound.wav");
    let bytes = wav();
    std::fs::write(&sound, &bytes)?;
    attach(world, browser, chat, &sound)?;
    browser.click(&act("sound.wav", "fetch"))?;
    let _ = browser.wait("the sound", "return document.querySelector('audio')?.duration > 1")?;
    let played = browser.wait(
        "the middle of the sound",
        &format!(
            "const audio = document.querySelector('audio'); if (audio.currentTime === 0) audio.currentTime = {}; \
             return !audio.seeking && audio.currentTime > 0 && `${{audio.duration}} ${{audio.error}}`",
            SECONDS / 2
        ),
    )?;
    ensure!(played == format!("{SECONDS} null"), "the sound has {played}");
    let _ = browser.wait("all of the sound", &saved("sound.wav"))?;
    let part = browser.run(
        "const response = await fetch(document.querySelector('audio').src, { headers: { Range: 'bytes=1000000-1000099' } }); \
         const part = new Uint8Array(await response.arrayBuffer()); \
         const past = await fetch(document.querySelector('audio').src, { headers: { Range: 'bytes=9000000000-' } }); \
         return [response.status, response.headers.get('content-range'), [...part].join(), past.status];",
    )?;
    let wanted: Vec<String> = bytes[1_000_000..1_000_100].iter().map(u8::to_string).collect();
    let range = format!("bytes 1000000-1000099/{}", bytes.len());
    ensure!(part == json!([206, range, wanted.join(","), 416]), "a range of the sound: {part}");
    // That one was refused is on the console too.
    let _ = browser.said()?;
    world.table.ok("sound", "it plays from its middle, by ranges of bytes");
    Ok(())
}

/// What could run in the page is never anything but a file.
fn documents(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    for name in ["page.html", "picture.svg", "tricky.png"] {
        let evil = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script>{name}</svg>"
        );
        let file = world.root.join(name);
        std::fs::write(&file, &evil)?;
        attach(world, browser, chat, &file)?;
        browser.click(&act(name, "fetch"))?;
        let _ = browser.wait(name, &saved(name))?;
        let told = browser.run(&format!(
            "const link = document.querySelector({:?}); const response = await fetch(link.href); \
             return [...['content-type', 'content-disposition', 'x-content-type-options', 'content-security-policy'] \
             .map((name) => response.headers.get(name)), link.download, await response.text()];",
            save(name)
        ))?;
        let wanted = json!([
            "application/octet-stream",
            format!("attachment; filename*=UTF-8''{name}"),
            "nosniff",
            "default-src 'none'; sandbox",
            name,
            evil
        ]);
        ensure!(told == wanted, "{name} is served as {told}");
    }
    let shown =
        browser.run("return document.querySelectorAll('#page iframe, #page object, #page embed').length")?;
    ensure!(shown == 0, "a document is shown in the page");
    let unknown = browser.run("return (await fetch('/media/0')).status")?;
    ensure!(unknown == 404, "an unknown id is answered {unknown}");
    let _ = browser.said()?;
    world.table.ok("documents", "HTML and SVG, by whatever name, are files to be saved");
    Ok(())
}

/// A large file goes out, is paused, outlives a reload, and goes on.
fn upload(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let (large, hash) = noise(&world.root, "large out.bin")?;
    browser.type_into(FILES, path(&large)?)?;
    let _ = browser.wait("progress of the upload", &moving("large out.bin"))?;
    browser.click(&act("large out.bin", "pause"))?;
    let _ = browser.wait("the pause", &transfer_says("large out.bin", "Paused"))?;
    reload(world, browser)?;
    let _ = browser.wait("the pause, after a reload", &transfer_says("large out.bin", "Paused"))?;
    let listed = world.phone.ask(&json!({"verb": "history", "chat": chat}))?;
    ensure!(find(&listed, "large out.bin").is_none(), "the phone has what was paused");
    browser.click(&act("large out.bin", "resume"))?;
    let _ = browser.wait("progress after the pause", &transfer_says("large out.bin", " of "))?;
    reload(world, browser)?;
    let row = while_moving(browser, "large out.bin", || {
        Ok(find(&world.phone.ask(&json!({"verb": "history", "chat": chat}))?, "large out.bin"))
    })?;
    on_phone(world, &row, &hash)?;
    let _ = browser.wait("the message", "return document.querySelector('.state-waiting') === null")?;
    let once = "return [...document.querySelectorAll('.media-box .file-name')].filter((one) => one.textContent === 'large out.bin').length";
    ensure!(browser.run(once)? == 1, "the upload is doubled");
    world
        .table
        .ok("an upload", "paused, gone on with, and the page loaded anew twice: it is on the phone once");
    Ok(())
}

/// A large file comes in, is cancelled, begun again, outlives a reload, and is what was sent.
fn download(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let (large, hash) = noise(&world.root, "large in.bin")?;
    attach(world, browser, chat, &large)?;
    browser.click(&act("large in.bin", "fetch"))?;
    let _ = browser.wait("progress of the download", &moving("large in.bin"))?;
    browser.click(&act("large in.bin", "cancel"))?;
    browser.click(&act("large in.bin", "fetch"))?;
    let _ = browser.wait("progress of the download", &moving("large in.bin"))?;
    browser.click(&act("large in.bin", "pause"))?;
    let _ = browser.wait("the pause", &transfer_says("large in.bin", "Paused"))?;
    browser.click(&act("large in.bin", "resume"))?;
    let _ = browser.wait("progress after the pause", &transfer_says("large in.bin", " of "))?;
    reload(world, browser)?;
    let is_saved = saved("large in.bin");
    while_moving(browser, "large in.bin", || Ok((browser.run(&is_saved)? == true).then_some(())))?;
    let got = browser.run(&format!(
        "const response = await fetch(document.querySelector({:?}).href); \
         const hash = await crypto.subtle.digest('SHA-256', await response.arrayBuffer()); \
         return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('');",
        save("large in.bin")
    ))?;
    ensure!(got == hash, "the download has the hash {got}, not {hash}");
    reload(world, browser)?;
    let _ = browser.wait("the download, after a reload", &saved("large in.bin"))?;
    world.table.ok(
        "a download",
        "cancelled, begun again, paused, and the page loaded again: it is what was sent, and stays",
    );
    deleted(world, browser, chat)
}

/// A deleted message takes its content with it, and leaves that it was there.
fn deleted(world: &mut World, browser: &Browser, chat: u64) -> Result<()> {
    let row = message(world, chat, "large in.bin")?;
    let content = row["content"].as_str().context("a message without content")?;
    let on_disk = format!(
        "const root = await navigator.storage.getDirectory(); let all = []; \
         for await (const name of (await root.getDirectoryHandle('media')).keys()) all.push(name); return all.includes({content:?})"
    );
    ensure!(browser.run(&on_disk)? == true, "the download is not on the disk");
    let verb = json!({"verb": "delete", "chat": chat, "message": row["id"]});
    let _ = world.phone.ask(&verb)?;
    let _ = browser.wait("no such file", &format!("return {} === null", media_box("large in.bin")))?;
    let _ = browser.wait("no such file on the disk", &on_disk.replace("return all", "return !all"))?;
    let left = "return [...document.querySelectorAll('article.own .deleted')].some((one) => one.textContent === 'You deleted this message.')";
    let _ = browser.wait("the word that a message was deleted", left)?;
    world.table.ok(
        "a deleted message with a file",
        "the file is gone from the disk, and the chat says that there was one",
    );
    Ok(())
}

fn reload(world: &World, browser: &Browser) -> Result<()> {
    browser.go(&world.page())?;
    let _ = browser.wait("the state live", LIVE)?;
    browser.click(".chat-list li:first-child .chat-row")
}

/// The phone sends a file, and its contact answers: from then on the list stays where it is, as whoever clicks needs it.
fn attach(world: &World, browser: &Browser, chat: u64, file: &Path) -> Result<()> {
    let _ = world.phone.ask(&json!({"verb": "attach", "chat": chat, "file": path(file)?}))?;
    let name = file.file_name().context("a file without a name")?.to_string_lossy();
    browser.wait("the contact's answer to a file", &shows(&format!("echo: {name}"))).map(drop)
}

fn path(file: &Path) -> Result<&str> {
    file.to_str().context("a path that is no UTF-8")
}

/// The phone's row of a message with a file of this name.
fn message(world: &World, chat: u64, name: &str) -> Result<Value> {
    until(&format!("{name} at the phone"), LIMIT, || {
        Ok(find(&world.phone.ask(&json!({"verb": "history", "chat": chat}))?, name))
    })
}

/// Waits for what a transfer brings, as long as that goes on: each step of its progress has the time that other things have as a whole.
fn while_moving<T>(browser: &Browser, name: &str, found: impl Fn() -> Result<Option<T>>) -> Result<T> {
    let progress = format!("return {}?.querySelector('progress')?.value ?? null", media_box(name));
    let mut at = -1.0;
    loop {
        let step = until(&format!("{name}, or progress of it"), LIMIT, || {
            if let Some(found) = found()? {
                return Ok(Some(Ok(found)));
            }
            let now = browser.run(&progress)?.as_f64();
            Ok(now.filter(|now| *now > at).map(Err))
        })?;
        match step {
            Ok(found) => return Ok(found),
            Err(now) => at = now,
        }
    }
}

pub(super) fn find(history: &Value, name: &str) -> Option<Value> {
    history["messages"].as_array()?.iter().find(|row| row["media_name"] == name).cloned()
}

fn on_phone(world: &World, row: &Value, sha256: &str) -> Result<()> {
    let content = row["content"].as_str().context("a message without content")?;
    let found = file_hash(&world.phone.dir().join("media").join(content))?;
    ensure!(found.as_deref() == Some(sha256), "the phone's file has the hash {found:?}, not {sha256}");
    Ok(())
}

/// A file of random bytes, and its hash.
fn noise(root: &Path, name: &str) -> Result<(PathBuf, String)> {
    let mut bytes = vec![0; LARGE_LEN];
    random::fill(&mut bytes)?;
    // Nothing that is known by its first bytes.
    bytes[..4].copy_from_slice(b"data");
    let file = root.join(name);
    std::fs::write(&file, &bytes)?;
    Ok((file, random::to_hex(&Sha256::digest(&bytes))))
}

/// A saw-tooth tone.
fn wav() -> Vec<u8> {
    let len = u32::try_from(SECONDS * RATE).unwrap_or(u32::MAX);
    let rate = u32::try_from(RATE).unwrap_or(u32::MAX);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((len + 36).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    // Plain samples of one byte, one channel.
    bytes.extend([1, 0, 1, 0]);
    bytes.extend(rate.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend([1, 0, 8, 0]);
    bytes.extend(b"data");
    bytes.extend(len.to_le_bytes());
    debug_assert_eq!(bytes.len(), WAV_HEAD, "what stands before the samples");
    bytes.extend((0..len).map(|n| u8::try_from(n % 37 * 3).unwrap_or_default()));
    bytes
}

/// The box of a file.
fn media_box(name: &str) -> String {
    format!("document.querySelector({})", json!(format!(".media-box[data-name={name:?}]")))
}

/// Selects a button of a file by its verb.
pub(super) fn act(name: &str, verb: &str) -> String {
    format!(".media-box[data-name={name:?}] button[data-verb={verb:?}]")
}

/// Selects the link by which a file is saved.
fn save(name: &str) -> String {
    format!(".media-box[data-name={name:?}] a[download]")
}

pub(super) fn saved(name: &str) -> String {
    format!("return document.querySelector({}) !== null", json!(save(name)))
}

fn shows_picture(name: &str) -> String {
    format!(
        "const image = document.querySelector('img[alt$={name:?}]'); return image?.complete && image.naturalWidth > 100"
    )
}

fn moving(name: &str) -> String {
    format!("return {}?.querySelector('progress')?.value > 0.02", media_box(name))
}

fn transfer_says(name: &str, word: &str) -> String {
    format!("return {}?.querySelector('.transfer .small')?.textContent.includes({word:?})", media_box(name))
}
