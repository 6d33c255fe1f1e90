//! One run: a plan from its start to the state in which everything has come to rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use handfast::DeviceRole;

use crate::check;
use crate::disk::Disk;
use crate::kind::Kind;
use crate::ledger::Violation;
use crate::node::{Node, NodeId};
use crate::plan::Plan;
use crate::rng::SimRng;
use crate::world::{SimEvent, World};

/// Once faults have stopped, everything is right after so long, in microseconds: two full back-offs of a minute, a
/// silence that is noticed after two minutes in a hidden tab, and a minute for what is to be sent again.
pub const REST_MAX: u64 = 300_000_000;
/// How often it is looked at, in microseconds.
const LOOK_EVERY: u64 = 1_000_000;
/// How long a user waits for a phone that does not confirm a link: half a minute.
const PATIENCE: u64 = 30_000_000;
/// The name of the invariant that a session outlives its connections.
const SESSION_GOES_ON: &str = "session-goes-on";
/// The seed of the pairing that snapshots come from.
const SNAPSHOT_SEED: u64 = 0x5eed_0f5e_ed00;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The invariants that were broken.
    pub violations: Vec<Violation>,
    /// How long it was, in the world's microseconds.
    pub time: u64,
    /// How long it took everything to come to rest once faults had stopped.
    pub rest: u64,
    /// How often each kind fired.
    pub fired: Vec<u64>,
    /// The kinds after which a device had to recover.
    pub recovered: Vec<Kind>,
    /// A hash of everything that was sent.
    pub hash: u64,
}

/// Runs plans one after the other; keeps the snapshots.
#[derive(Debug)]
pub struct Runner {
    base: PathBuf,
    snapshots: BTreeMap<usize, World>,
}

fn base() -> PathBuf {
    let shared = Path::new("/dev/shm");
    let parent = if shared.is_dir() { shared.to_path_buf() } else { std::env::temp_dir() };
    let thread: String =
        format!("{:?}", std::thread::current().id()).chars().filter(char::is_ascii_digit).collect();
    parent.join(format!("handfast-sim-{}-{thread}", std::process::id()))
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

impl Runner {
    /// A runner of this thread.
    #[must_use]
    pub fn new() -> Self {
        Self { base: base(), snapshots: BTreeMap::new() }
    }

    /// Runs a plan; a panic is a violation.
    pub fn run(&mut self, plan: &Plan, verbose: bool) -> Outcome {
        let run = std::panic::AssertUnwindSafe(|| self.run_to_rest(plan, verbose));
        std::panic::catch_unwind(run).unwrap_or_else(|_| Outcome {
            violations: vec![Violation { invariant: "no-panic", detail: "see the message above".to_owned() }],
            time: 0,
            rest: 0,
            fired: vec![0; Kind::COUNT],
            recovered: Vec::new(),
            hash: 0,
        })
    }

    /// Runs a plan to its end.
    ///
    /// # Panics
    ///
    /// When the simulator itself is wrong: it cannot write, or the programs cannot pair without any fault.
    fn run_to_rest(&mut self, plan: &Plan, verbose: bool) -> Outcome {
        handfast::witness::forget();
        let mut world = if plan.pairs { self.fresh(plan, verbose) } else { self.paired(plan, verbose) };
        for id in 0..world.nodes.len() {
            // Not all in one moment.
            let at = world.rng.below(300_000);
            world.at(at, SimEvent::Start(NodeId(id)));
        }
        for (number, op) in plan.ops.iter().enumerate() {
            world.at(op.at, SimEvent::Act(number));
        }
        for (number, fault) in plan.faults.iter().enumerate() {
            world.at(fault.at, SimEvent::Fault(number));
        }
        let whole = !plan.pairs && plan.faults.iter().all(|fault| fault.kind.loses_nothing());
        let before = whole.then(|| check::recovery::epochs(&world));
        world.run_to(plan.len);
        let mut outcome = finish(&mut world);
        if before.is_some_and(|before| check::recovery::epochs(&world) != before) {
            let detail = "a session began anew, and neither side had lost anything".to_owned();
            outcome.violations.push(Violation { invariant: SESSION_GOES_ON, detail });
        }
        outcome
    }

    /// A phone with a new account, companions with empty disks.
    pub(crate) fn fresh(&self, plan: &Plan, verbose: bool) -> World {
        let mut world = World::new(plan.clone(), &self.base, verbose);
        for id in 0..=plan.webs {
            let disk = Disk::new(&self.base, [u8::try_from(id + 1).unwrap_or(0); 32]);
            world.nodes.push(node(plan, id, disk.expect("a disk")));
        }
        world.nodes[0].create_account(crate::upstream::CHATS, 10).expect("an account");
        world
    }

    /// A phone with a large account and one companion, with databases in files.
    pub(crate) fn large(&self, plan: &Plan, chats: u64, messages: u64) -> World {
        let mut world = World::new(plan.clone(), &self.base, false);
        for id in 0..=plan.webs {
            let disk = Disk::on_file(&self.base, [u8::try_from(id + 1).unwrap_or(0); 32]);
            world.nodes.push(node(plan, id, disk.expect("a disk")));
        }
        world.nodes[0].create_account(chats, messages).expect("an account");
        world
    }

    /// Everyone is linked already.
    pub(crate) fn paired(&mut self, plan: &Plan, verbose: bool) -> World {
        if !self.snapshots.contains_key(&plan.webs) {
            let snapshot = self.snapshot(plan.webs);
            let _ = self.snapshots.insert(plan.webs, snapshot);
        }
        let snapshot = &self.snapshots[&plan.webs];
        let mut world = World::new(plan.clone(), &self.base, verbose);
        for (id, from) in snapshot.nodes.iter().enumerate() {
            let disk = from.disk.copy(&self.base).expect("a copy of a snapshot");
            world.nodes.push(node(plan, id, disk));
        }
        for (view, from) in world.ledger.webs.iter_mut().zip(&snapshot.ledger.webs) {
            view.companion = from.companion;
            view.approved = true;
        }
        world
    }

    /// Pairs so many companions, and lets them come to rest.
    fn snapshot(&self, webs: usize) -> World {
        let plan = Plan::pairing(SNAPSHOT_SEED, webs);
        let mut world = self.fresh(&plan, false);
        for id in 0..world.nodes.len() {
            world.at(0, SimEvent::Start(NodeId(id)));
        }
        let outcome = finish(&mut world);
        assert!(outcome.violations.is_empty(), "pairing without faults: {:?}", outcome.violations);
        for node in &mut world.nodes {
            node.kill();
        }
        world
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.snapshots.clear();
        // What cannot be removed is in the temporary directory.
        let _ = std::fs::remove_dir_all(&self.base);
    }
}

fn node(plan: &Plan, id: usize, disk: Disk) -> Node {
    let rng = SimRng::new(plan.seed, 10 + u64::try_from(id).unwrap_or(0));
    match id.checked_sub(1) {
        None => Node::new(DeviceRole::Phone, "phone".to_owned(), disk, rng),
        Some(web) => Node::new(DeviceRole::Web, format!("web{web}"), disk, rng),
    }
}

/// A session that is at rest goes on over a lost connection: its epochs stay (`session-goes-on`).
fn goes_on(world: &mut World) -> Option<(&'static str, String)> {
    let before = check::recovery::epochs(world);
    let numbers: Vec<u64> = world.conns.keys().copied().collect();
    for number in numbers {
        world.cut(number);
    }
    let end = world.now + REST_MAX;
    loop {
        world.run_to(world.now + LOOK_EVERY);
        match check::at_rest(world) {
            Ok(()) => break,
            Err(missing) if world.now >= end => return Some(missing),
            Err(_) => {}
        }
    }
    let after = check::recovery::epochs(world);
    (before != after).then(|| (SESSION_GOES_ON, "a session at rest began anew".to_owned()))
}

/// Ends all faults, waits for rest, and checks.
pub(crate) fn finish(world: &mut World) -> Outcome {
    crate::faults::heal(world);
    let healed = world.now;
    let end = healed + REST_MAX;
    let mut missing = None;
    while world.now < end && world.ledger.violations.is_empty() {
        world.run_to(world.now + LOOK_EVERY);
        if world.now - healed >= PATIENCE {
            world.give_up_links();
        }
        missing = check::at_rest(world).err();
        if missing.is_none() {
            break;
        }
    }
    let rest = world.now - healed;
    if missing.is_none() && world.ledger.violations.is_empty() && world.plan.seed % 4 == 1 {
        missing = goes_on(world);
    }
    if let Some((invariant, detail)) = missing {
        world
            .ledger
            .violation(invariant, format!("{detail}, {} s after faults stopped", REST_MAX / 1_000_000));
    }
    check::at_end(world);
    Outcome {
        violations: std::mem::take(&mut world.ledger.violations),
        time: world.now,
        rest,
        fired: world.ledger.fired.clone(),
        recovered: world.ledger.needed_recovery.iter().copied().collect(),
        hash: world.trace.hash(),
    }
}
