//! The companion's directory is copied and used elsewhere; both sides are told.

use std::path::Path;

use anyhow::{Result, ensure};

use super::pair::{self, STEP};
use super::world::World;
use crate::processes::devices::Kind;

/// Plays the chapter.
pub(super) fn play(world: &mut World) -> Result<()> {
    world.settle()?;
    world.table.ok("phone and companion agree", "while all programs run");
    world.web.kill();
    let mut thief = world.device(Kind::Web, "copied-companion")?;
    copy_files(world.web.dir(), thief.dir())?;
    pair::start_live(&mut thief)?;
    thief.kill();
    let mark = world.phone.process()?.mark();
    world.web.start()?;
    let _ = world.web.process()?.wait_event(0, "diverged", STEP)?;
    let told = world.phone.process()?.wait_event(mark, "diverged", STEP)?;
    ensure!(told["companion"] == world.companion.as_str(), "the phone is told of another link: {told}");
    world.table.ok("a copied companion directory is noticed", "phone and companion are told DIVERGED");
    Ok(())
}

/// Copies what a thief would: all files, but no sockets.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_files(&entry.path(), &target)?;
        } else if kind.is_file() {
            let _ = std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
