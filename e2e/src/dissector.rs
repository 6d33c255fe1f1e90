//! `cargo xtask dissector`: the Wireshark dissector of `tools`, tried by tshark on a captured run of the real programs.

mod capture;
mod fragments;
mod looks;
mod spoiled;
mod tshark;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::debian;
use crate::processes::build;
use crate::processes::random;
use crate::processes::story::pair;
use crate::processes::story::world::{By, World};
use capture::Capture;

/// The size of the photo that is sent, in bytes: some streams' worth of frames, and quick to decrypt.
const PHOTO_LEN: usize = 100_000;
/// The chat in which things are sent.
const CHAT: u64 = 1;

/// How to run it.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Keeps capture and key log in this folder, to be opened in Wireshark.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// What happened in the captured run.
pub(crate) struct Story {
    /// Where everything lies.
    root: PathBuf,
    capture: PathBuf,
    keys: PathBuf,
    relay_name: String,
    /// A text from the companion, and one from the phone.
    from_web: String,
    from_phone: String,
    /// A text that the companion sent over its second connection.
    second: String,
    photo_sha256: String,
    /// The token of the PING that was sent in two fragments.
    token: String,
}

/// Returns why a user who is not root cannot run it; `None` if it can run. Installs tshark for root.
///
/// # Errors
/// Root has no tshark in spite of that.
pub fn missing() -> Result<Option<String>> {
    match debian::ensure_installed(&["tshark"], tshark::is_there) {
        Err(error) if debian::is_root() => Err(error),
        Err(error) => Ok(Some(format!("{error:#}"))),
        Ok(()) => Ok(capture::missing()),
    }
}

/// Captures a run of programs that are built for it, and lets tshark show it.
///
/// # Errors
/// Nothing can be captured here, or as [`check`].
pub fn run(options: &Options) -> Result<()> {
    if let Some(reason) = missing()? {
        bail!("{reason}");
    }
    check(false, options.dir.as_deref())
}

/// Captures a run, and lets tshark show it; the programs are those that `cargo xtask test` has `kept`, or built now.
///
/// # Errors
/// A program or tshark cannot be started, or what tshark shows is not what happened.
pub fn check(kept: bool, dir: Option<&Path>) -> Result<()> {
    tshark::check_own_tests()?;
    let programs = if kept { build::kept(true)? } else { build::build(true)? };
    let root = match dir {
        Some(dir) => dir.to_owned(),
        None => std::env::temp_dir().join(format!("handfast-dissector-{}", random::hex(4)?)),
    };
    fs::create_dir_all(&root)?;
    let root = root.canonicalize()?;
    println!("Capture, keys and logs lie in {}", root.display());
    let story = play(&programs, &root)?;
    looks::check(&story)?;
    spoiled::check(&story)?;
    if dir.is_none() {
        fs::remove_dir_all(&root).with_context(|| format!("{} cannot be removed", root.display()))?;
    }
    Ok(())
}

/// Links a companion, sends texts and a photo, and connects again, while all of it is captured.
fn play(programs: &build::Programs, root: &Path) -> Result<Story> {
    let mut world = World::new(programs, root)?;
    let [phone_keys, web_keys] = ["phone.keys", "web.keys"].map(|name| root.join(name));
    world.phone.log_keys(&phone_keys);
    world.web.log_keys(&web_keys);
    let relay_name = world.relay_name().to_owned();
    let file = root.join("run.pcapng");
    let mut capture = Capture::start(&relay_name, &file)?;
    world.relay.start()?;
    world.phone.start()?;
    let _ = pair::link(&world.web, &world.phone)?;
    pair::start_live(&mut world.web)?;
    let from_web = world.text(By::Web, CHAT)?.value;
    let from_phone = world.text(By::Phone, CHAT)?.value;
    let photo = world.plan_photo(By::Web, CHAT, PHOTO_LEN)?;
    world.hand_over(&photo)?;
    let _ = world.wait_for(By::Phone, &photo)?;
    world.web.end()?;
    pair::start_live(&mut world.web)?;
    let second = world.text(By::Web, CHAT)?.value;
    let token = fragments::ping(&relay_name)?;
    capture.end(&relay_name)?;
    world.end_all();
    check_keys(&phone_keys, &web_keys)?;
    Ok(Story {
        root: root.to_owned(),
        capture: file,
        keys: phone_keys,
        relay_name,
        from_web,
        from_phone,
        second,
        photo_sha256: photo.sha256,
        token,
    })
}

/// Both sides log the same keys: those of the pairing and of two connections, one for each direction. The phone has keys
/// first, and alone those of an attempt that the companion gave up.
fn check_keys(phone: &Path, web: &Path) -> Result<()> {
    let read = |path: &Path| -> Result<BTreeSet<String>> {
        let mode = fs::metadata(path)?.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "{} has the mode {mode:o}", path.display());
        Ok(fs::read_to_string(path)?.lines().map(str::to_owned).collect())
    };
    let (phone, web) = (read(phone)?, read(web)?);
    ensure!(web.is_subset(&phone), "the key logs differ:\nphone: {phone:#?}\ncompanion: {web:#?}");
    ensure!(web.len() >= 6, "the key log has {} lines, not two for each of three connections", web.len());
    println!("  phone and companion logged the same {} keys", web.len());
    Ok(())
}
