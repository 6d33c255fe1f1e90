//! One scene: an old phone and an old companion are linked, and something waits on both; one is updated, then the other.

mod arrival;
mod meeting;
mod start;

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::seen::{self, Held};
use crate::processes::build::Programs;
use crate::processes::devices::Device;
use crate::processes::story::asked::Asked;
use crate::processes::story::world::{By, World};

/// The chats that a scene writes in.
const CHATS: [u64; 4] = [1, 2, 3, 4];

type Step = (&'static str, fn(&mut Play<'_>) -> Result<()>);

/// What happens in each scene, in this order.
const STEPS: [Step; 12] = [
    ("an old phone and an old companion are linked", |play| play.link()),
    ("texts both ways", |play| play.exchange()),
    ("something waits on both sides", |play| play.let_wait()),
    ("the first side is updated", |play| play.update(play.first)),
    ("the two meet, and are told", |play| play.meet_in_vain()),
    ("both go on by themselves", |play| play.go_on_apart()),
    ("the new side says it in words", |play| play.tell_in_words()),
    ("a code of the other release is refused", |play| play.scan_across()),
    ("the second side is updated", |play| play.update(play.second)),
    ("everything that waited arrives", |play| play.everything_arrives()),
    ("started again, the link goes on", |play| play.start_again()),
    ("the databases are compared", |play| play.compare()),
];

/// What differs between the scenes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// Whether the relay is of the older release.
    old_relay: bool,
    /// The side that is updated first.
    first: By,
}

/// A scene that is played.
struct Play<'a> {
    first: By,
    second: By,
    world: World,
    new: &'a Programs,
    /// Everything that was asked for and must be on both sides at the end, once.
    asked: Vec<Asked>,
    /// What phone and companion held when the older release ran on both for the last time.
    held: [Held; 2],
}

impl Scene {
    /// Returns every scene: both relays, and either side first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let orders = [By::Phone, By::Web];
        [true, false].into_iter().flat_map(move |old_relay| orders.map(|first| Self { old_relay, first }))
    }

    /// Returns the name of its folder.
    pub(super) fn name(self) -> String {
        let relay = if self.old_relay { "old" } else { "new" };
        format!("{relay}-relay-{}-first", said(self.first))
    }

    /// Plays it in a folder up to the first step that fails; returns how many checks there were, and how many of them failed.
    ///
    /// # Errors
    /// The folder was used before, or cannot be written.
    pub(super) fn play(self, old: &Programs, new: &Programs, root: &Path) -> Result<(usize, usize)> {
        std::fs::create_dir_all(root).with_context(|| format!("{} cannot be made", root.display()))?;
        let relay = if self.old_relay { &old.relay } else { &new.relay };
        let programs = Programs { relay: relay.clone(), ..old.clone() };
        let second = if self.first == By::Phone { By::Web } else { By::Phone };
        let world = World::new(&programs, root)?;
        let (asked, held) = (Vec::new(), [Held::default(), Held::default()]);
        let mut play = Play { first: self.first, second, world, new, asked, held };
        for (what, step) in STEPS {
            if let Err(error) = step(&mut play) {
                play.world.table.add(false, what, format!("{error:#}"));
                break;
            }
        }
        play.world.end_all();
        Ok(play.world.table.counts())
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relay = if self.old_relay { "old" } else { "new" };
        write!(f, "A relay of the {relay} release; the {} is updated first", said(self.first))
    }
}

/// What a side is called.
fn said(side: By) -> &'static str {
    if side == By::Phone { "phone" } else { "companion" }
}

impl Play<'_> {
    fn device(&mut self, side: By) -> Result<&mut Device> {
        match side {
            By::Phone => Ok(&mut self.world.phone),
            By::Web => Ok(&mut self.world.web),
            By::Other(name) => bail!("{name} is not in the scene"),
        }
    }

    /// Ends the program of a side, as its user does before an update, if it runs.
    fn stop(&mut self, side: By) -> Result<()> {
        self.is_calm(side)?;
        let device = self.device(side)?;
        if device.was_started() { device.end() } else { Ok(()) }
    }

    /// Ends the program of a side as `kill -9` does.
    fn kill(&mut self, side: By) -> Result<()> {
        self.is_calm(side)?;
        self.device(side)?.kill();
        Ok(())
    }

    /// Checks that a side has told of nothing that may be lost or in doubt.
    fn is_calm(&mut self, side: By) -> Result<()> {
        let device = self.device(side)?;
        if !device.was_started() {
            return Ok(());
        }
        let events = device.process()?.events_since(0);
        match seen::alarm(&events) {
            None => Ok(()),
            Some(event) => bail!("the {} tells {event}", said(side)),
        }
    }

    /// The program of today runs on the data of this side from now on.
    fn update(&mut self, side: By) -> Result<()> {
        self.stop(side)?;
        let program = if side == By::Phone { self.new.phone.clone() } else { self.new.web.clone() };
        self.device(side)?.update(&program);
        self.device(side)?.start()
    }

    /// What a side that runs holds.
    fn held_by(&self, side: By) -> Result<Held> {
        let waiting: &[&str] = match side {
            By::Phone => &["/links/0/outbox_messages"],
            _ => &["/commands_open", "/transfers"],
        };
        Held::by(self.world.at(side)?, &CHATS, waiting)
    }

    /// Asks a side for something; it is on its disk then.
    fn ask(&mut self, asked: Asked) -> Result<Asked> {
        self.world.hand_over(&asked)?;
        self.asked.push(asked.clone());
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_order_is_played_over_each_relay() {
        let names: Vec<String> = Scene::all().map(Scene::name).collect();
        let all = [("old", "phone"), ("old", "companion"), ("new", "phone"), ("new", "companion")];
        assert_eq!(names, all.map(|(relay, first)| format!("{relay}-relay-{first}-first")));
    }
}
