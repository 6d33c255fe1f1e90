//! The story that `--headless` plays: one user's way through all of it, with every loss on the way.

pub(crate) mod asked;
mod backup;
pub(crate) mod chat;
mod copied;
mod crowd;
mod kill_points;
pub(crate) mod logs;
pub(crate) mod pair;
mod pairing_kills;
mod photos;
mod random_kills;
mod refusals;
mod relay_loss;
mod revoke;
mod settle;
mod sync;
pub(crate) mod transfers;
pub(crate) mod world;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::build::Programs;
use super::comparison::Report;
use world::World;

/// The whole story must be over in this time.
const STORY_LIMIT: Duration = Duration::from_mins(5);

type Chapter = (&'static str, fn(&mut World) -> Result<()>);

const CHAPTERS: [Chapter; 15] = [
    ("A computer is paired: the phone reads the code from a picture", pair::play),
    ("The companion holds 20 chats with 2,000 messages", sync::play),
    ("Texts both ways, and the contact answers", chat::play),
    ("A photo of 5 MB each way", photos::play),
    ("A wrong check code three times; a second phone with the same code", refusals::play),
    ("Ten companions on one phone", crowd::play),
    ("The phone revokes the second computer, while nine go on", revoke::play),
    ("The relay dies in the middle of a transfer", relay_loss::play),
    ("Each program dies at each of its named kill points", kill_points::play),
    ("Pairing is cut at its kill points", pairing_kills::play),
    ("Fifty kills at random moments, with texts and a transfer going on", random_kills::play),
    ("Eight companions that were away for all of it come back", crowd::come_back),
    ("The phone is backed up, and restored elsewhere", backup::play),
    ("What the programs logged is searched for what nobody else may know", logs::play),
    ("Phone and companion settle; the companion's directory is copied", copied::play),
];

/// Plays the chapters in order up to the first that fails, ends all processes, and compares.
///
/// # Errors
/// The first programs cannot be started.
pub(crate) fn play(programs: &Programs, root: &Path) -> Result<bool> {
    let mut world = World::new(programs, root)?;
    for (title, chapter) in CHAPTERS {
        println!("\n== {title}");
        if let Err(error) = chapter(&mut world) {
            world.table.add(false, title, format!("{error:#}"));
            break;
        }
    }
    println!("\n== All processes are ended, and another program compares");
    world.end_all();
    let report = {
        let companions = world.companions().map(|(by, device)| (by.word(), device.dir()));
        Report::make(world.ledger.path(), world.phone.dir(), companions, false)
    };
    if let Err(error) = report.and_then(|report| report.tell(&mut world.table)) {
        world.table.add(false, "comparison", format!("{error:#}"));
    }
    let elapsed = world.table.elapsed();
    world.table.add(elapsed < STORY_LIMIT, "time", format!("{} s of at most 300 s", elapsed.as_secs()));
    println!("\n{}", world.table);
    let (rows, failed) = world.table.counts();
    println!("{} checks ok, {failed} failed", rows - failed);
    Ok(world.table.all_good())
}
