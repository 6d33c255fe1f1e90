//! A large file each way between phone and native companion, beside the same bytes through a bare forwarder.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::row::{Row, Target};
use super::{TURNS, cpu, median};
use crate::processes::build::Programs;
use crate::processes::keeper::Keeper;
use crate::processes::patience::until;
use crate::processes::process::Process;
use crate::processes::random;
use crate::processes::story::pair;
use crate::processes::story::world::World;

/// How large the file is, in bytes, and the messages of the forwarder, which are as long as the records that carry DATA.
const FILE_LEN: usize = 512 << 20;
const MESSAGE_LEN: usize = 16_384;
/// The time in which a file must have come.
const LIMIT: Duration = Duration::from_mins(5);
/// The chat in which it is sent.
const CHAT: u64 = 1;

/// The part of the forwarder's rate that a transfer should reach.
const TARGET: Target = Target::AtLeast(0.5);
const AGAINST: &str = "bare tokio-tungstenite forwarder: no crypto, no disk, batched writes";

/// Measures both ways.
pub(super) fn measure(programs: &Programs, peer: &Path, root: &Path) -> Result<Vec<Row>> {
    let mut world = linked(programs, root)?;
    let (mut down, mut up, mut bare, mut disk) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS {
        bare.push(forwarded(peer, &world.keeper, root)?);
        disk.push(stored(root)?);
        down.push(sent_by_phone(&mut world, &file(root, &format!("down-{turn}"))?)?);
        up.push(sent_by_companion(&mut world, &file(root, &format!("up-{turn}"))?)?);
    }
    world.end_all();
    let (bare, disk) = (rate(median(bare)), rate(median(disk)));
    let row = |what: &str, taken: &[Taken]| {
        let of = |one: fn(&Taken) -> f64| median(taken.iter().map(one).collect());
        Row {
            what: format!("{} MiB {what}, native, until they are on its disk", FILE_LEN >> 20),
            against: AGAINST.to_owned(),
            unit: "MB/s".to_owned(),
            ours: rate(of(|taken| taken.seconds)),
            peer: bare,
            target: Some(TARGET),
            note: format!(
                "{:.1} s of processor time in the relay, {:.1} in the phone, {:.1} in the companion; writing and syncing as much alone: {disk:.0} MB/s",
                of(|taken| taken.processor[0]),
                of(|taken| taken.processor[1]),
                of(|taken| taken.processor[2]),
            ),
        }
    };
    Ok(vec![row("from phone to companion", &down), row("from companion to phone", &up)])
}

/// Starts the programs without a log, and links phone and companion.
fn linked(programs: &Programs, root: &Path) -> Result<World> {
    let mut world = World::new(programs, root)?;
    for device in [&mut world.relay, &mut world.phone, &mut world.web] {
        device.log("warn");
    }
    world.relay.start()?;
    world.phone.start()?;
    let _ = pair::link(&world.web, &world.phone)?;
    pair::start_live(&mut world.web)?;
    Ok(world)
}

/// The id of the content of this name, once the companion has the message.
fn content(world: &World, name: &str) -> Result<Option<String>> {
    let answer = world.web.ask(&json!({"verb": "history", "chat": CHAT, "count": 50}))?;
    let rows = answer["messages"].as_array().context("history without messages")?;
    let row = rows.iter().find(|row| row["media_name"] == name);
    Ok(row.and_then(|row| row["content"].as_str()).map(str::to_owned))
}

/// How long a transfer took, and the processor time of relay, phone and companion, in seconds.
struct Taken {
    seconds: f64,
    processor: [f64; 3],
}

#[expect(clippy::cast_precision_loss, reason = "the size of a file")]
fn rate(seconds: f64) -> f64 {
    FILE_LEN as f64 / 1e6 / seconds
}

/// A file that no program has seen yet: each of its chunks differs from those of the others.
fn file(root: &Path, name: &str) -> Result<PathBuf> {
    let path = root.join(name);
    let mut out = BufWriter::new(File::create(&path)?);
    let block = random::hex(8192)?.into_bytes();
    for number in 0..FILE_LEN / block.len() {
        let mark = format!("{number:016}");
        out.write_all(mark.as_bytes())?;
        out.write_all(block.get(mark.len()..).unwrap_or_default())?;
    }
    out.into_inner()?.sync_all()?;
    Ok(path)
}

/// The companion asks for a file of the phone, until the stream has brought all of it.
fn sent_by_phone(world: &mut World, path: &Path) -> Result<Taken> {
    let name = path.file_name().and_then(|name| name.to_str()).context("a file without a name")?;
    let _ = world.phone.ask(&json!({"verb": "attach", "chat": CHAT, "file": path}))?;
    let content = until("the companion to see the file", LIMIT, || content(world, name))?;
    let out = path.with_extension("out");
    let get = json!({"verb": "get", "content": content, "out": out});
    let taken = timed(world, "get", &get, |event| event["offset"] == event["size"])?;
    until("the file to lie where its user wants it", LIMIT, || {
        let is_there = std::fs::metadata(&out).is_ok_and(|found| found.len() == FILE_LEN as u64);
        Ok(is_there.then_some(()))
    })?;
    std::fs::remove_file(out)?;
    std::fs::remove_file(path)?;
    Ok(taken)
}

/// The companion sends a file, until the phone has all of it on its disk.
fn sent_by_companion(world: &mut World, path: &Path) -> Result<Taken> {
    let put = json!({"verb": "attach", "chat": CHAT, "file": path});
    let taken = timed(world, "put", &put, |event| event["done"] == true)?;
    std::fs::remove_file(path)?;
    Ok(taken)
}

/// Asks, and measures from the answer, before which files are copied in, until the companion says that the stream of this
/// direction is over, after which they are copied out.
fn timed(world: &mut World, direction: &str, ask: &Value, is_over: fn(&Value) -> bool) -> Result<Taken> {
    let pids = [world.relay.pid()?, world.phone.pid()?, world.web.pid()?];
    let processor = || -> Result<[f64; 3]> {
        Ok([cpu::seconds(pids[0])?, cpu::seconds(pids[1])?, cpu::seconds(pids[2])?])
    };
    let mark = world.web.process()?.mark();
    let _ = world.web.ask(ask)?;
    let (before, start) = (processor()?, Instant::now());
    let is_done = |event: &Value| {
        (event["event"] == "transfer" && event["direction"] == direction && is_over(event)).then_some(())
    };
    world.web.process()?.wait(mark, &format!("a {direction} to be done"), LIMIT, is_done)?;
    let (seconds, after) = (start.elapsed().as_secs_f64(), processor()?);
    Ok(Taken { seconds, processor: std::array::from_fn(|at| after[at] - before[at]) })
}

/// How long it takes to write as many bytes into a file and to sync it, in blocks as they come over a stream.
fn stored(root: &Path) -> Result<f64> {
    let (path, block) = (root.join("stored"), random::hex(MESSAGE_LEN / 2)?.into_bytes());
    let (mut out, start) = (File::create(&path)?, Instant::now());
    for _ in 0..FILE_LEN / block.len() {
        out.write_all(&block)?;
    }
    out.sync_all()?;
    let seconds = start.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(seconds)
}

/// The same bytes from one program to another through a bare forwarder. Returns the seconds.
fn forwarded(peer: &Path, keeper: &Keeper, root: &Path) -> Result<f64> {
    let log = root.join("peer.log");
    let start = |words: &[&str]| Process::start("peer", Command::new(peer).args(words), keeper, &log);
    let forwarder = start(&["forward", "--batches"])?;
    let listening = forwarder.wait_event(0, "listening", LIMIT)?;
    let address = listening["address"].as_str().context("a forwarder without an address")?;
    let (bytes, len) = (FILE_LEN.to_string(), MESSAGE_LEN.to_string());
    let _sender = start(&["send", address, "--bytes", &bytes, "--len", &len])?;
    let receiver = start(&["receive", address, "--bytes", &bytes])?;
    let end = receiver.wait_event(0, "received", LIMIT)?;
    end["seconds"].as_f64().context("a time that is no number")
}
