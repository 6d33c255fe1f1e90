//! A photo each way.

use anyhow::{Context as _, Result, ensure};

use super::transfers::file_hash;
use super::world::{By, PHOTO_LEN, World};

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    let mark = world.web.process()?.mark();
    let asked = world.plan_photo(By::Web, 2, PHOTO_LEN)?;
    world.hand_over(&asked)?;
    let row = world.wait_for(By::Phone, &asked)?;
    let content = row["content"].as_str().context("a photo without content")?;
    world.wait_on_phone_disk(content, &asked.sha256)?;
    let _ = world.wait_done(mark, "put", None)?;
    world.table.ok(
        "a photo from the companion",
        format!("5 MB, on the phone's disk, SHA-256 {}..", &asked.sha256[..16]),
    );

    let fetch = world.plan_fetch(3, PHOTO_LEN)?;
    let hash = world.hash_of(&fetch.content)?;
    let mark = world.web.process()?.mark();
    world.ask_fetch(&fetch)?;
    let _ = world.wait_done(mark, "get", Some(&fetch.content))?;
    ensure!(file_hash(&fetch.out)?.as_ref() == Some(&hash), "the fetched file has another hash");
    world.wait_on_phone_disk(&fetch.content, &hash)?;
    world
        .table
        .ok("a photo from the phone", format!("5 MB, fetched by the companion, SHA-256 {}..", &hash[..16]));
    Ok(())
}
