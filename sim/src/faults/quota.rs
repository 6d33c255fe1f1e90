//! A phone that has nearly as much content without a message as a link may have there, or nearly no room on its disk; and
//! a companion that sends more of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use handfast::codec::ids::ContentId;
use handfast::codec::limits::{
    DISK_RESERVE, MEDIA_LEN_MAX, UPLOAD_KEPT_MS, UPLOADS_COUNT_MAX, UPLOADS_LEN_MAX,
};
use rusqlite::params;

use crate::kind::Kind;
use crate::plan::Fault;
use crate::users::PHONE;
use crate::world::{RESTART_AFTER, SimEvent, World};

/// How long between two uploads, in microseconds.
const AGAIN_AFTER: u64 = 900_000;
/// How many there are.
const UPLOADS: u64 = 5;
/// A chat that no account has: what is sent there is stored, and named by no message.
const NO_CHAT: u64 = 99;
/// Files of these uploads are numbered from here.
const UNPLANNED: usize = 6_000;
/// What is there already is forgotten so long after the fault began, in milliseconds.
const KEPT_MS: u64 = 25_000;

thread_local! {
    /// The room on disks that are bounded, with what lies on them: by the directory of content.
    static ROOM: RefCell<BTreeMap<PathBuf, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// The room that is left on a disk for this directory; none when it is not bounded.
#[must_use]
pub fn room(dir: &Path) -> Option<u64> {
    let room = ROOM.with_borrow(|room| room.get(dir).copied())?;
    Some(room.saturating_sub(used(dir)))
}

fn used(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

fn media_dir(world: &World) -> PathBuf {
    world.nodes[PHONE.0].disk.dir().join(handfast_programs::MEDIA_DIR)
}

/// The phone's user needs room too, and takes it from the reserve.
pub fn phone_imports(world: &World, len: u64) {
    let dir = media_dir(world);
    ROOM.with_borrow_mut(|room| {
        if let Some(room) = room.get_mut(&dir) {
            *room += len;
        }
    });
}

/// Whether uploads have left the phone its reserve.
#[must_use]
pub fn is_reserve_left(world: &World) -> bool {
    room(&media_dir(world)).is_none_or(|left| left >= DISK_RESERVE)
}

/// What companions are sending: how many contents, how many bytes.
fn under_way(world: &World, webs: impl Iterator<Item = usize>) -> (u64, u64) {
    let sql =
        "SELECT count(*), coalesce(sum(size), 0) FROM transfers WHERE direction = 'put' AND state = 'open'";
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let of = |web| {
        let disk = world.nodes[world.web_node(web).0].disk.look();
        disk.query_row(sql, [], |row| Ok((number(row.get(0)?), number(row.get(1)?)))).unwrap_or((0, 0))
    };
    webs.map(of).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// A fault begins.
pub fn begin(world: &mut World, fault: &Fault, number: usize) {
    let has_begun = match fault.kind {
        Kind::DiskReserve => bound(world, fault),
        _ => fill(world, fault, number).unwrap_or(false),
    };
    if has_begun {
        world.ledger.tight = Some(fault.kind);
        world.at(world.now + RESTART_AFTER + AGAIN_AFTER, SimEvent::FaultLater(number));
    }
}

/// The phone's disk has its reserve, and little more.
fn bound(world: &mut World, fault: &Fault) -> bool {
    let (_, coming) = under_way(world, 0..world.plan.webs);
    let dir = media_dir(world);
    let room = used(&dir) + coming + DISK_RESERVE + fault.amount % 60_000;
    let _ = ROOM.with_borrow_mut(|all| all.insert(dir, room));
    true
}

/// The phone has content that came over a companion's link, which nearly fills its quota and is soon a day old. The phone
/// must be off while its rows are written.
fn fill(world: &mut World, fault: &Fault, number: usize) -> rusqlite::Result<bool> {
    let Some(companion) = world.ledger.webs.get(fault.web).and_then(|view| view.companion) else {
        return Ok(false);
    };
    if world.nodes[PHONE.0].machine.is_none() || world.nodes[PHONE.0].asleep_until > world.now {
        return Ok(false);
    }
    world.crash(PHONE, true);
    let (running, coming) = under_way(world, std::iter::once(fault.web));
    let now_ms = world.nodes[PHONE.0].clocks(world.now).wall_ms;
    let since_ms = i64::try_from(now_ms.saturating_sub(UPLOAD_KEPT_MS) + KEPT_MS).unwrap_or(0);
    let conn = world.nodes[PHONE.0].disk.look();
    let link: Vec<u8> = conn.query_row(
        "SELECT link FROM companions WHERE companion = ?1 AND status = 'active'",
        [companion.as_bytes()],
        |row| row.get(0),
    )?;
    let there =
        "SELECT count(*), coalesce(sum(size), 0) FROM claims JOIN media USING(content) WHERE link = ?1";
    let number_of = |n: i64| u64::try_from(n).unwrap_or(0);
    let (count, len) =
        conn.query_row(there, [&link], |row| Ok((number_of(row.get(0)?), number_of(row.get(1)?))))?;
    let draw = fault.amount / 2;
    let (mut left, mut bytes) = (UPLOADS_COUNT_MAX.saturating_sub(count + running + draw % 3), 0);
    if fault.amount.is_multiple_of(2) {
        bytes = UPLOADS_LEN_MAX.saturating_sub(len + coming + draw % 60_000);
        left = left.min(2);
    }
    conn.execute_batch("BEGIN")?;
    for at in 0..left {
        // Many that are empty, or two that are large.
        let size = bytes.min(MEDIA_LEN_MAX);
        bytes -= size;
        let mut content = [0x51; 32];
        content[..8].copy_from_slice(&at.to_be_bytes());
        content[8] = u8::try_from(number).unwrap_or(0);
        let size = i64::try_from(size).unwrap_or(0);
        let _ = conn
            .prepare_cached("INSERT INTO media(content, size, chunks) VALUES(?1, ?2, x'')")?
            .execute(params![content, size])?;
        let _ = conn
            .prepare_cached("INSERT INTO claims(link, content, since_ms) VALUES(?1, ?2, ?3)")?
            .execute(params![link, content, since_ms])?;
    }
    conn.execute_batch("COMMIT")?;
    world.ledger.forgotten_by = world.ledger.forgotten_by.max(world.now + KEPT_MS * 1_000);
    Ok(left > 0)
}

/// The companion sends another file that no message is going to name.
pub fn later(world: &mut World, fault: &Fault, number: usize) {
    let ordinal = world.now.saturating_sub(fault.at + RESTART_AFTER) / AGAIN_AFTER;
    let id = world.web_node(fault.web);
    let len = usize::try_from(20_000 + fault.amount % 25_000).unwrap_or(20_000);
    let file = UNPLANNED + number * 16 + usize::try_from(ordinal).unwrap_or(0);
    if world.nodes[id.0].machine.is_some() && world.nodes[id.0].asleep_until <= world.now {
        let path = world.file(id, len, file);
        if let Some((app, rng)) = world.nodes[id.0].web_user()
            && let Ok(imported) = app.store().media().import(&path)
        {
            // Refused when it is not linked.
            let _ = app.send_media(rng, NO_CHAT, imported, Some(&format!("q{file}")));
            let _ = world.run(id);
        }
    }
    if ordinal < UPLOADS {
        world.at(world.now + AGAIN_AFTER, SimEvent::FaultLater(number));
    }
}

/// A companion is told that there is no room for what it sends.
pub fn refused(world: &mut World, web: usize, content: ContentId) {
    let _ = world.ledger.refused.insert(content);
    match world.ledger.tight {
        Some(kind) => world.ledger.fire(kind),
        None => world.ledger.violation(
            "full-only-when-full",
            format!("companion {web} cannot send {content}, and the phone has all its room"),
        ),
    }
}

/// Disks have room again.
pub fn end(world: &World) {
    let _ = ROOM.with_borrow_mut(|room| room.remove(&media_dir(world)));
}
