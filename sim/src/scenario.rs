//! Scenarios: one story each, with a figure at its end.

use std::time::Instant;

use handfast::codec::limits::{OUTBOX_LEN_MAX, OUTBOX_MESSAGES_MAX, STREAMS_OPEN_MAX};

use crate::check::limits::{AHEAD_MAX, RELAY_QUEUE_MAX};
use crate::check::{delivery, logs, recovery};
use crate::kind::Kind;
use crate::node::NodeId;
use crate::plan::{Act, Fault, Op, Plan};
use crate::run::Runner;
use crate::world::{SimEvent, World};

/// The names.
pub const NAMES: &[&str] = &["text-during-bulk", "sixteen", "million", "limits"];

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
    /// Queues that are driven to their limits.
    Limits,
}

impl Scenario {
    /// The scenario of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::TextDuringBulk, Self::Sixteen, Self::Million, Self::Limits]
            .into_iter()
            .zip(NAMES)
            .find_map(|(scenario, known)| (*known == name).then_some(scenario))
    }

    /// Runs it, and prints what came of it. Returns whether it was as promised.
    #[must_use]
    pub fn run(self) -> bool {
        let began = Instant::now();
        let good = match self {
            Self::TextDuringBulk => text_during_bulk(),
            Self::Sixteen => sixteen(),
            Self::Million => million(),
            Self::Limits => limits(),
        };
        println!("{} in {} s", if good { "ok" } else { "NOT as promised" }, began.elapsed().as_secs());
        good
    }
}

fn start(world: &mut World) {
    for id in 0..world.nodes.len() {
        world.at(world.now, SimEvent::Start(NodeId(id)));
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

/// How often the user of the large account's companion acts, in microseconds.
const TICK: u64 = SECOND / 4;
/// Chats that may wait to be followed while the user opens more.
const WAITING_MAX: usize = 126;

/// A collection is a bounded filter: the list of chats, and the newest 200 of each chat that is followed, of which a
/// connection has 62 at a time. So the first sync brings the list and 62 chats; the user then opens every chat, for
/// which others are left, until all of them are on the disk. Texts go both ways meanwhile.
fn million() -> bool {
    let (chats, messages) = LARGE;
    // It owns the directory of the disks.
    let runner = Runner::new();
    let mut world = runner.large(&Plan::pairing(7, 1), chats, messages);
    let all = chats * messages;
    println!("the phone has {all} messages in {chats} chats; {} KiB", memory_kib());
    let began = Instant::now();
    start(&mut world);
    let (mut opened, mut marks, mut sent) = (0, Vec::new(), Vec::new());
    while world.now < 7_200 * SECOND && world.ledger.violations.is_empty() {
        world.run_to(world.now + TICK);
        let Some((on_disk, waiting)) = progress(&mut world) else { continue };
        if on_disk * 10 / all > u64::try_from(marks.len()).unwrap_or(0) {
            marks.push(memory_kib());
            println!("{on_disk} messages at the companion at {} s; {} KiB", world.now / SECOND, memory_kib());
        }
        if opened == chats && waiting == 0 && on_disk >= all {
            break;
        }
        let now = world.nodes[1].clocks(world.now).mono;
        if let Some(app) = world.nodes[1].web() {
            for _ in waiting..WAITING_MAX.min(waiting + usize::try_from(chats - opened).unwrap_or(0)) {
                opened += 1;
                app.open_chat(now, opened);
            }
        }
        let _ = world.run(world.web_node(0));
        if opened < chats {
            sent.extend(live_text(&mut world, sent.len(), chats));
        }
    }
    world.run_to(world.now + 10 * SECOND);
    let took = world.now / SECOND;
    let on_disk = progress(&mut world).map_or(0, |(on_disk, _)| on_disk);
    let growth = marks.iter().max().unwrap_or(&0).saturating_sub(*marks.first().unwrap_or(&0));
    let same = logs::converge_by_chats(&world, 0).and_then(|()| logs::no_gaps(&world, 0));
    if let Err((invariant, detail)) = &same {
        println!("violation: {invariant} scenario million: {detail}");
    }
    for violation in &world.ledger.violations {
        println!("violation: {} scenario million: {}", violation.invariant, violation.detail);
    }
    let mut times: Vec<u64> = sent
        .iter()
        .map(|(name, at)| world.ledger.heard.get(name).map_or(u64::MAX, |heard| heard - at))
        .collect();
    times.sort_unstable();
    let (half, most, longest) = (percentile(&times, 50), percentile(&times, 99), percentile(&times, 100));
    println!(
        "{} texts both ways meanwhile: p50 {} ms, p99 {} ms, longest {} ms",
        times.len(),
        half / 1_000,
        most / 1_000,
        longest / 1_000
    );
    println!(
        "million: {on_disk} messages of {opened} chats at the companion after {took} s ({} s of this machine), \
         memory grew by {growth} KiB from a tenth of them to all, each chat is the same: {}",
        began.elapsed().as_secs(),
        same.is_ok()
    );
    let heard = longest < u64::MAX && !times.is_empty();
    same.is_ok() && heard && on_disk >= all && growth <= GROWTH_MAX_KIB && world.ledger.violations.is_empty()
}

/// Messages on the companion's disk, and chats that wait to be followed; `None` before its list of chats is whole.
fn progress(world: &mut World) -> Option<(u64, usize)> {
    let status = world.nodes[1].web()?.status().ok()?;
    (status.counts.chats == LARGE.0).then_some((status.counts.messages, status.followed.1))
}

/// The user of one of the two writes into some chat. Returns the text's name, and when it was written.
fn live_text(world: &mut World, number: usize, chats: u64) -> Option<(String, u64)> {
    let chat = u64::try_from(number).ok()? * 7 % chats + 1;
    let at = world.plan.ops.len();
    let is_phone = at.is_multiple_of(2);
    let before = world.ledger.sent.len();
    act(world, if is_phone { Act::PhoneText { chat } } else { Act::WebText { web: 0, chat, len: 40 } });
    let name = if is_phone { format!("p-{at:04}") } else { format!("c{at}") };
    (world.ledger.sent.len() > before).then_some((name, world.now))
}

/// Bytes a second of a device whose socket is narrow.
const NARROW: u64 = 8_000;
/// Texts that a companion whose phone is away tries to send.
const TRIED: usize = 1_100;
/// The length of long ones, in bytes.
const LONG: usize = 8_000;

/// Queues that are driven to their limits: companions write while the phone is off, until they are refused; then all of
/// it leaves at once, and files come down to a companion whose socket is narrow, and go up from it.
fn limits() -> bool {
    let mut runner = Runner::new();
    let mut world = runner.paired(&Plan { pairs: false, ..Plan::pairing(11, 2) }, false);
    start(&mut world);
    world.run_to(5 * SECOND);
    world.crash(crate::users::PHONE, false);
    world.run_to(10 * SECOND);
    let mut taken = [0, 0];
    for (web, chat, len) in [(0, 1, 20), (1, 2, LONG)] {
        for _ in 0..TRIED {
            let before = world.ledger.sent.len();
            act(&mut world, Act::WebText { web, chat, len });
            taken[web] += world.ledger.sent.len() - before;
        }
    }
    world.run_to(20 * SECOND);
    let full = world.peaks;
    let narrow = world.web_node(0);
    let phone_starts = world.now;
    world.at(phone_starts, SimEvent::Start(crate::users::PHONE));
    world.run_to(world.now + 5 * SECOND);
    for conn in world.conns.values_mut().filter(|conn| conn.node == narrow) {
        conn.rate = [NARROW; 2];
    }
    for _ in 0..4 {
        act(&mut world, Act::Get { web: 0, chat: 2, len: 400_000 });
        act(&mut world, Act::Put { web: 0, chat: 2, len: 400_000 });
    }
    world.run_to(world.now + 120 * SECOND);
    let peaks = world.peaks;
    crate::faults::heal(&mut world);
    let mut missing = Err(("recovers", "nothing was looked at".to_owned()));
    for _ in 0..300 {
        world.run_to(world.now + SECOND);
        missing = rest(&mut world);
        if missing.is_ok() {
            break;
        }
    }
    if let Err((invariant, detail)) = missing {
        world.ledger.violation(invariant, detail);
    }
    crate::check::at_end(&mut world);
    let outcome = &world.ledger;
    for violation in &outcome.violations {
        println!("violation: {} scenario limits: {}", violation.invariant, violation.detail);
    }
    println!(
        "texts taken while the phone is away: {} of 20 bytes, {} of {LONG}, {TRIED} tried of each",
        taken[0], taken[1]
    );
    println!(
        "an outbox at most: {} of {OUTBOX_MESSAGES_MAX} messages, {} of {OUTBOX_LEN_MAX} bytes",
        full.outbox_messages, full.outbox_len
    );
    println!("held by the relay for one socket at most: {} of {RELAY_QUEUE_MAX} bytes", peaks.relay_queue);
    println!("sealed ahead of a socket at most: {} of {AHEAD_MAX} bytes", peaks.ahead);
    println!("open streams of a link at most: {} of {STREAMS_OPEN_MAX}", peaks.streams);
    let is_full = taken[0] == OUTBOX_MESSAGES_MAX && taken[1] < TRIED;
    println!(
        "limits: reached where users were refused, held everywhere: {}",
        is_full && outcome.violations.is_empty()
    );
    is_full && outcome.violations.is_empty()
}

/// Whether everything has arrived, in chats that are longer than their windows.
fn rest(world: &mut World) -> Result<(), (&'static str, String)> {
    recovery::everyone_stands_right(world)?;
    delivery::nothing_is_under_way(world)?;
    (0..world.plan.webs).try_for_each(|web| {
        logs::converge_by_chats(world, web)?;
        logs::no_gaps(world, web)
    })
}

/// A user acts now.
fn act(world: &mut World, act: Act) {
    world.plan.ops.push(Op { at: world.now, act });
    world.act(world.plan.ops.len() - 1);
}
