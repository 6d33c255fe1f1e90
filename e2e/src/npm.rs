//! The npm package as its users have it: installed from its packed file into Node, into a project of Vite and TypeScript, and
//! in a browser, with the real phone over the real relay.

mod installed;
mod node;
mod react;
mod scan;
mod store;

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::browser;
use crate::processes::story::world::World;
use crate::processes::{build, random};
use installed::Project;

/// The name of the packed file, which the examples name in their `package.json`.
pub const TARBALL: &str = "handfast-companion.tgz";

/// Installs the package and plays all trials, that in a browser only if it is asked for; returns whether all that was checked
/// held.
///
/// # Errors
/// Something cannot be installed, built or started.
pub fn run(tarball: &Path, kept: bool, in_browser: bool) -> Result<bool> {
    let programs = if kept { build::kept(false)? } else { build::build(false)? };
    if in_browser {
        browser::ensure()?;
    }
    let root = std::env::temp_dir().join(format!("handfast-npm-{}", random::hex(4)?));
    std::fs::create_dir_all(&root)?;
    println!("Data and logs lie in {}", root.display());
    let mut world = World::new(&programs, &root)?;
    if let Err(error) = play(&mut world, tarball, in_browser) {
        world.table.add(false, "the npm package", format!("{error:#}"));
    }
    world.end_all();
    println!("\n{}", world.table);
    let (rows, failed) = world.table.counts();
    println!("{} checks ok, {failed} failed", rows - failed);
    if world.table.all_good() {
        std::fs::remove_dir_all(&root).with_context(|| format!("{} cannot be removed", root.display()))?;
    }
    Ok(world.table.all_good())
}

fn play(world: &mut World, tarball: &Path, in_browser: bool) -> Result<()> {
    let node = Project::install("node", tarball)?;
    node::installed(&node, &mut world.table)?;
    store::play(&node, world)?;
    world.relay.tell_relay(&[]);
    world.relay.start()?;
    world.phone.start()?;
    node::play(world, &node)?;
    let react = Project::install("react", tarball)?;
    react::builds(&react, &mut world.table)?;
    if in_browser {
        react::play(world, &react)?;
    }
    Ok(())
}
