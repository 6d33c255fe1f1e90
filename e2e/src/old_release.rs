//! `cargo xtask old-release`: devices of an older release against devices of today, with the real programs and their databases.
//!
//! Each scene links an old phone and an old companion, lets something wait on both sides, and updates one side after the other.

mod programs;
mod scene;
mod seen;

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::processes::build::Programs;
use crate::processes::random;
use scene::Scene;

/// Which older release.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// The commit whose programs are built; they are kept below the target folder.
    #[arg(long, default_value = "8b64ab1", value_name = "HASH")]
    commit: String,
    /// A folder that has the older handfast-relay, handfast-phone and handfast-web already.
    #[arg(long, value_name = "DIR", conflicts_with = "commit")]
    bin_dir: Option<PathBuf>,
}

/// Plays each scene; returns whether everything that was checked held.
///
/// # Errors
/// The programs of a release cannot be had, or a folder for data cannot be made.
pub fn run(options: &Options) -> Result<bool> {
    let old = match &options.bin_dir {
        Some(dir) => Programs::in_folder(dir, &[])?,
        None => programs::of_commit(&options.commit)?,
    };
    let new = programs::of_today()?;
    let root = std::env::temp_dir().join(format!("handfast-old-release-{}", random::hex(4)?));
    std::fs::create_dir_all(&root).with_context(|| format!("{} cannot be made", root.display()))?;
    let root = root.canonicalize()?;
    println!("Data and logs lie in {}", root.display());
    let (mut checks, mut failed) = (0, 0);
    for scene in Scene::all() {
        println!("\n== {scene}");
        let (of_scene, failed_here) = scene.play(&old, &new, &root.join(scene.name()))?;
        (checks, failed) = (checks + of_scene, failed + failed_here);
    }
    println!("\n{} checks ok, {failed} failed", checks - failed);
    if failed == 0 {
        std::fs::remove_dir_all(&root).with_context(|| format!("{} cannot be removed", root.display()))?;
    } else {
        println!("Data and logs stay in {}", root.display());
    }
    Ok(failed == 0)
}
