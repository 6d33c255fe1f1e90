//! Scenarios: one story each, with a figure at its end.

use std::time::Instant;

use crate::kind::Kind;
use crate::node::NodeId;
use crate::plan::{Act, Fault, Op, Plan};
use crate::run::Runner;
use crate::world::{Happening, World};

/// The names.
pub const NAMES: &[&str] = &["text-during-bulk", "sixteen", "million"];

const SECOND: u64 = 1_000_000;
/// 10 Mbit/s, in bytes a second.
const RATE: u64 = 1_250_000;
/// 50 ms there and back, by way of the relay: each of the two sockets takes a quarter of it.
const LATENCY: u64 = 12_500;
/// The file, in bytes.
const BULK_LEN: usize = 200_000_000;
/// A text may take so long beside it, in microseconds.
const TEXT_MAX: u64 = 300_000;
/// Companions of one phone.
const MANY: usize = 16;
/// The large account.
const LARGE: (u64, u64) = (5_000, 200);
/// Memory may grow by so much, in KiB, from a tenth of the account to all of it.
const GROWTH_MAX_KIB: u64 = 24 * 1_024;

/// A scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Texts beside a large file on a narrow link.
    TextDuringBulk,
    /// Sixteen companions of one phone.
    Sixteen,
    /// A million messages.
    Million,
}

impl Scenario {
    /// The scenario of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::TextDuringBulk, Self::Sixteen, Self::Million]
            .into_iter()
            .zip(NAMES)
            .find_map(|(scenario, known)| (*known == name).then_some(scenario))
    }

    /// Runs it, and prints what came of it. Gives whether it was as promised.
    #[must_use]
    pub fn run(self) -> bool {
        let began = Instant::now();
        let good = match self {
            Self::TextDuringBulk => text_during_bulk(),
            Self::Sixteen => sixteen(),
            Self::Million => million(),
        };
        println!("{} in {} s", if good { "ok" } else { "NOT as promised" }, began.elapsed().as_secs());
        good
    }
}

fn start(world: &mut World) {
    for id in 0..world.nodes.len() {
        world.at(world.now, Happening::Start(NodeId(id)));
    }
}

/// The value below which so many of a hundred lie.
fn percentile(sorted: &[u64], of: usize) -> u64 {
    let at = (sorted.len() * of).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(u64::MAX)
}

fn text_during_bulk() -> bool {
    // The file goes from the phone to its companion; texts go both ways, one of each every half second.
    let get = Op { at: 0, act: Act::Get { web: 0, chat: 1, len: BULK_LEN } };
    let plan = Plan { ops: vec![get], ..Plan::pairing(1, 1) };
    let mut runner = Runner::new();
    let mut world = runner.paired(&plan, false);
    world.link = Some((LATENCY, RATE));
    start(&mut world);
    world.run_to(5 * SECOND);
    world.act(0);
    let begin = world.now;
    let mut sent = Vec::new();
    while world.ledger.webs[0].fetched.is_empty() && world.now < begin + 600 * SECOND {
        let number = world.plan.ops.len();
        let is_phone = number.is_multiple_of(2);
        let act =
            if is_phone { Act::PhoneText { chat: 2 } } else { Act::WebText { web: 0, chat: 3, len: 40 } };
        let name = if is_phone { format!("p-{number:04}") } else { format!("c{number}") };
        world.plan.ops.push(Op { at: world.now, act });
        sent.push((name, world.now));
        world.act(number);
        world.run_to(world.now + SECOND / 4);
    }
    let took = world.now - begin;
    world.run_to(world.now + 5 * SECOND);
    let heard = |prefix: char| {
        let times = sent.iter().filter(|(name, _)| name.starts_with(prefix));
        let mut times: Vec<u64> = times
            .map(|(name, at)| world.ledger.heard.get(name).map_or(u64::MAX, |heard| heard - at))
            .collect();
        times.sort_unstable();
        times
    };
    let mut good = !world.ledger.webs[0].fetched.is_empty();
    println!("a file of {BULK_LEN} bytes at {RATE} bytes a second: {} s", took / SECOND);
    for (what, times) in [
        ("texts of the phone until they stand at the companion", heard('p')),
        ("texts of the companion until it has the phone's answer", heard('c')),
    ] {
        let (half, most, all) = (percentile(&times, 50), percentile(&times, 99), percentile(&times, 100));
        println!(
            "{} {what}: p50 {} ms, p99 {} ms, longest {} ms",
            times.len(),
            half / 1_000,
            most / 1_000,
            all / 1_000
        );
        good &= most < TEXT_MAX;
    }
    println!("text-during-bulk: p99 under {} ms: {good}", TEXT_MAX / 1_000);
    good
}

fn sixteen() -> bool {
    let mut plan = Plan::pairing(16, MANY);
    plan.pairs = false;
    plan.len = 30 * SECOND;
    for number in 0..10 * MANY {
        let at = SECOND + u64::try_from(number).unwrap_or(0) * 150_000;
        let chat = 1 + u64::try_from(number % 3).unwrap_or(0);
        let web = number % MANY;
        let act = match number / MANY % 5 {
            0 => Act::PhoneText { chat },
            1 => Act::Put { web, chat, len: 70_000 },
            _ => Act::WebText { web, chat, len: 60 },
        };
        plan.ops.push(Op { at, act });
    }
    for (number, kind) in
        [Kind::Cut, Kind::CrashWebAfter, Kind::CrashPhoneBefore, Kind::RelayRestart, Kind::Revoke]
            .into_iter()
            .enumerate()
    {
        let at = u64::try_from(4 + 4 * number).unwrap_or(0) * SECOND;
        plan.faults.push(Fault { kind, at, len: SECOND, web: 3 * number, at_phone: false, amount: 3 });
    }
    let outcome = Runner::new().run(&plan, false);
    for violation in &outcome.violations {
        println!("violation: {} scenario sixteen: {}", violation.invariant, violation.detail);
    }
    println!(
        "sixteen: {MANY} companions of one phone, {} acts, {} faults, at rest {} s after the last, violations {}",
        plan.ops.len(),
        plan.faults.len(),
        outcome.rest / SECOND,
        outcome.violations.len()
    );
    outcome.violations.is_empty()
}

/// Memory of this process, in KiB.
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn million() -> bool {
    let (chats, messages) = LARGE;
    let runner = Runner::new();
    let plan = Plan::pairing(7, 1);
    let mut world = runner.large(&plan, chats, messages);
    let all = chats * messages;
    println!("the phone has {all} messages in {chats} chats; {} KiB", memory_kib());
    start(&mut world);
    let mut marks = Vec::new();
    let count = |world: &World| {
        let disk = world.nodes[1].disk.look();
        let count: i64 = disk.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap_or(0);
        u64::try_from(count).unwrap_or(0)
    };
    while world.now < 7_200 * SECOND && world.ledger.violations.is_empty() {
        world.run_to(world.now + SECOND);
        let synced = count(&world);
        let tenth = synced * 10 / all;
        if tenth > u64::try_from(marks.len()).unwrap_or(0) {
            marks.push(memory_kib());
            println!("{synced} messages synced at {} s; {} KiB", world.now / SECOND, memory_kib());
        }
        if synced >= all {
            break;
        }
    }
    let synced = count(&world);
    let growth = marks.last().unwrap_or(&0).saturating_sub(*marks.first().unwrap_or(&0));
    // Every row, by two sums: a comparison row by row would hold a million of them.
    let sum = |world: &World, node: usize| {
        let sql = "SELECT count(*), sum(id * chat), sum(length(text)) FROM messages";
        let disk = world.nodes[node].disk.look();
        disk.query_row(sql, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
        .ok()
    };
    let same = sum(&world, 0) == sum(&world, 1);
    for violation in &world.ledger.violations {
        println!("violation: {} scenario million: {}", violation.invariant, violation.detail);
    }
    println!(
        "million: {synced} messages synced, memory grew by {growth} KiB from a tenth of them to all, rows are the same: {same}"
    );
    synced >= all && same && growth <= GROWTH_MAX_KIB && world.ledger.violations.is_empty()
}
