//! A relay that lies: it replays, splices, reflects, corrupts, and says what is not so.

use bytes::{BufMut, Bytes, BytesMut};
use handfast::codec::ids::{AttachmentId, MailboxId};
use handfast::codec::relay::{DataKind, Peer, PeerInfo, RelayFrame, data_kind};
use handfast::codec::versions::Versions;
use rand_core::Rng;

use super::target;
use crate::kind::Kind;
use crate::net::Way;
use crate::node::NodeId;
use crate::plan::Fault;
use crate::users::PHONE;
use crate::world::{SimEvent, World};

/// How many frames of the past the relay remembers.
const CAPTURED_MAX: usize = 64;
/// How long an attempt to connect may be repeated, in microseconds.
const LATE_MAX: u64 = 30_000_000;
/// How long between two injections of one fault, in microseconds.
const AGAIN_AFTER: u64 = 1_300_000;

/// A frame that the relay has carried.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The mailbox.
    pub mailbox: Option<MailboxId>,
    /// Who sent it.
    pub from: NodeId,
    /// The frame.
    pub frame: Bytes,
}

/// The socket of a device in the mailbox of a companion's link.
fn socket(world: &World, id: NodeId, web: usize) -> Option<u64> {
    let live = |conn: &&crate::net::Conn| conn.at_node && conn.at_relay && !conn.dead;
    let of_web = world.web_node(web);
    let mailbox = world.conns.values().filter(live).find(|conn| conn.node == of_web)?.mailbox?;
    let found = world.conns.iter().find(|(_, conn)| {
        conn.node == id && conn.mailbox == Some(mailbox) && conn.at_node && conn.at_relay && !conn.dead
    })?;
    Some(*found.0)
}

/// A fault begins.
pub fn begin(world: &mut World, fault: &Fault, number: usize) {
    let id = target(world, fault);
    let until = world.now + fault.len.max(2_000_000);
    match fault.kind {
        Kind::RelayRestart => {
            world.ledger.fire(Kind::RelayRestart);
            world.restart_relay();
        }
        Kind::RelayForgesUnknownKey => {
            // It can only hit a companion that waits for message 2: it is made to reconnect.
            let node = world.web_node(fault.web);
            world.activate(fault, node, until, 3);
            reconnect(world, node, fault.web);
        }
        Kind::RelayReplay if fault.amount.is_multiple_of(3) => {
            // A message 1 that comes behind the next one: it is kept, then given out late.
            world.activate(fault, PHONE, until.max(world.now + LATE_MAX), 2);
            reconnect(world, world.web_node(fault.web), fault.web);
        }
        Kind::RelayCorrupts => {
            let left = u32::try_from(1 + fault.amount % 4).unwrap_or(1);
            world.activate(fault, id, until, left);
        }
        Kind::RelayLiesIds | Kind::VersionMix => {
            world.activate(fault, id, until, 2);
            reconnect(world, id, fault.web);
            world.at(until, SimEvent::FaultLater(number));
        }
        _ => {
            inject(world, fault, id);
            world.at(world.now + AGAIN_AFTER, SimEvent::FaultLater(number));
        }
    }
}

fn reconnect(world: &mut World, id: NodeId, web: usize) {
    if let Some(number) = socket(world, id, web) {
        world.cut(number);
    }
}

/// A fault goes on, or ends.
pub fn later(world: &mut World, fault: &Fault, number: usize) {
    let id = target(world, fault);
    match fault.kind {
        Kind::RelayLiesIds => end_lies(world),
        Kind::RelayLiesPresence => {
            if let Some((socket, frame)) = truth(world, id, fault.web) {
                give(world, socket, frame);
            }
        }
        _ if world.now < fault.at + AGAIN_AFTER * (1 + fault.amount % 4) => {
            inject(world, fault, id);
            world.at(world.now + AGAIN_AFTER, SimEvent::FaultLater(number));
        }
        _ => {}
    }
}

/// What the relay knows of the peer of a device: the end of a lie.
fn truth(world: &World, id: NodeId, web: usize) -> Option<(u64, Bytes)> {
    let number = socket(world, id, web)?;
    let mailbox = world.conns.get(&number)?.mailbox;
    let peer = world
        .conns
        .values()
        .find(|conn| conn.node != id && conn.mailbox == mailbox && conn.at_relay && conn.own.is_some());
    let frame = match peer.and_then(|peer| peer.own) {
        Some(id) => RelayFrame::Peer(Peer::Up(PeerInfo { id, same_net: None, origin: None })),
        None => RelayFrame::Peer(Peer::Down),
    };
    Some((number, frame.encode()))
}

/// The relay lies no more: whoever was lied to is attached anew.
pub fn end_lies(world: &mut World) {
    let mut lied = Vec::new();
    for (number, conn) in &mut world.conns {
        if std::mem::take(&mut conn.lied) {
            lied.push(*number);
        }
    }
    for number in lied {
        world.cut(number);
    }
}

/// A frame arrives that the relay made up.
fn give(world: &mut World, number: u64, frame: Bytes) {
    let latency = world.latency();
    let now = world.now;
    let Some(conn) = world.conns.get_mut(&number) else { return };
    let time = conn.arrival(Way::Down, now, latency, frame.len());
    world.at(time, SimEvent::Arrive(number, Way::Down, frame));
}

fn inject(world: &mut World, fault: &Fault, id: NodeId) {
    let Some(number) = socket(world, id, fault.web) else { return };
    let mailbox = world.conns.get(&number).and_then(|conn| conn.mailbox);
    let mut chosen = |filter: &dyn Fn(&Captured) -> bool| {
        let fitting: Vec<usize> =
            world.captured.iter().enumerate().filter(|(_, c)| filter(c)).map(|(at, _)| at).collect();
        let at = (!fitting.is_empty()).then(|| *world.rng.pick(&fitting))?;
        world.captured.get(at).map(|captured| captured.frame.clone())
    };
    let frame = match fault.kind {
        Kind::RelayReplay => chosen(&|c| c.mailbox == mailbox && c.from != id),
        Kind::RelaySplice => chosen(&|c| c.mailbox != mailbox),
        Kind::RelayReflects => chosen(&|c| c.mailbox == mailbox && c.from == id),
        Kind::RelayLiesPresence => Some(forge_presence(world, fault)),
        Kind::RelayGarbage => Some(garbage(world)),
        Kind::GreaseMix => Some(grease(world)),
        _ => None,
    };
    let Some(frame) = frame else { return };
    if fault.kind == Kind::RelayLiesPresence
        && let Some(conn) = world.conns.get_mut(&number)
    {
        conn.lied = true;
    }
    world.ledger.fire(fault.kind);
    give(world, number, frame);
}

fn forge_presence(world: &mut World, fault: &Fault) -> Bytes {
    let peer = match fault.amount % 3 {
        0 => Peer::Down,
        1 => Peer::Contended(1 + fault.amount % 9),
        _ => Peer::Up(PeerInfo { id: random_id(world), same_net: Some(true), origin: None }),
    };
    RelayFrame::Peer(peer).encode()
}

fn random_id(world: &mut World) -> AttachmentId {
    let mut id = [0; 8];
    world.rng.crypto().fill_bytes(&mut id);
    AttachmentId::from_bytes(id)
}

fn garbage(world: &mut World) -> Bytes {
    let len = usize::try_from(1 + world.rng.below(300)).unwrap_or(1);
    let mut bytes = vec![0; len];
    world.rng.crypto().fill_bytes(&mut bytes);
    bytes.into()
}

/// A frame of an even type that nobody knows.
fn grease(world: &mut World) -> Bytes {
    let mut bytes = BytesMut::from(&garbage(world)[..]);
    if let Some(first) = bytes.first_mut() {
        *first = 0xf0 | (*first & 0x0e);
    }
    bytes.freeze()
}

/// The relay carries a frame to a device: gives what it really sends.
pub fn on_frame(world: &mut World, number: u64, frame: Bytes) -> Vec<Bytes> {
    let now = world.now;
    if world.active.is_empty() || frame.is_empty() {
        return vec![frame];
    }
    let Some(id) = world.conns.get(&number).map(|conn| conn.node) else { return vec![frame] };
    let mut frames = vec![frame];
    for at in 0..world.active.len() {
        let active = &world.active[at];
        if active.node != id || active.until <= now || active.left == 0 {
            continue;
        }
        let kind = active.kind;
        let changed = match (kind, frames.first().cloned().map(RelayFrame::decode)) {
            (Kind::RelayReplay, Some(Ok(RelayFrame::Data { kind: DataKind::KK1, .. }))) => {
                if active.left == 2 {
                    world.active[at].left = 1;
                    frames.clear();
                    break;
                }
                older_attempt(world, number, &mut frames)
            }
            (Kind::RelayCorrupts, Some(Ok(RelayFrame::Data { .. }))) => corrupt(world, &mut frames),
            (Kind::VersionMix, Some(Ok(RelayFrame::Hello(mut hello)))) => {
                let versions = [9, 1, 58 + u8::try_from(now % 3).unwrap_or(0), 200];
                hello.versions = Versions::new(&versions).unwrap_or(Versions::RELAY);
                frames = vec![RelayFrame::Hello(hello).encode()];
                true
            }
            (Kind::RelayLiesIds, Some(Ok(RelayFrame::Attached(mut attached)))) => {
                if world.active[at].amount.is_multiple_of(2) {
                    attached.own = random_id(world);
                } else if let Some(peer) = &mut attached.peer {
                    peer.id = random_id(world);
                } else {
                    continue;
                }
                if let Some(conn) = world.conns.get_mut(&number) {
                    conn.lied = true;
                }
                frames = vec![RelayFrame::Attached(attached).encode()];
                true
            }
            _ => false,
        };
        if changed {
            world.active[at].left -= 1;
            world.ledger.fire(kind);
        }
    }
    frames
}

/// A message 1 that the phone has not got is put behind the one that follows it.
fn older_attempt(world: &World, number: u64, frames: &mut Vec<Bytes>) -> bool {
    let Some(mailbox) = world.conns.get(&number).map(|conn| conn.mailbox) else { return false };
    let older = world.captured.iter().rev().map(|captured| (captured.mailbox, &captured.frame)).find(
        |(of, frame)| *of == mailbox && data_kind(frame) == Some(DataKind::KK1) && !frames.contains(frame),
    );
    let Some((_, older)) = older else { return false };
    frames.push(older.clone());
    true
}

fn corrupt(world: &mut World, frames: &mut [Bytes]) -> bool {
    let Some(frame) = frames.first_mut() else { return false };
    let mut bytes = BytesMut::from(&frame[..]);
    let len = u64::try_from(bytes.len()).unwrap_or(0);
    // The first byte is the frame's type: a relay that changes it sends another frame.
    let at = usize::try_from(1 + world.rng.below(len.saturating_sub(1))).unwrap_or(0);
    let bit = 1_u8 << world.rng.below(8);
    let Some(byte) = bytes.get_mut(at) else { return false };
    *byte ^= bit;
    *frame = bytes.freeze();
    true
}

/// A device's frame reaches the relay: what the relay remembers, and what it answers by itself.
pub fn heard(world: &mut World, number: u64, frame: &Bytes) {
    let Some(conn) = world.conns.get_mut(&number) else { return };
    let id = conn.node;
    let data = [handfast::codec::relay::RECORD_HEADER[0]];
    if !frame.starts_with(&data) {
        if let Ok(RelayFrame::Attach(attach)) = RelayFrame::decode(frame.clone()) {
            conn.mailbox = Some(attach.mailbox);
        }
        return;
    }
    let mailbox = conn.mailbox;
    if world.captured.len() >= CAPTURED_MAX {
        let at = usize::try_from(world.rng.below(64)).unwrap_or(0);
        drop(world.captured.swap_remove(at.min(CAPTURED_MAX - 1)));
    }
    world.captured.push(Captured { mailbox, from: id, frame: frame.clone() });
    let forged = frame.get(1) == Some(&DataKind::KK1.as_u8());
    let now = world.now;
    if forged
        && let Some(active) = world.active.iter_mut().find(|active| {
            active.kind == Kind::RelayForgesUnknownKey
                && active.node == id
                && active.until > now
                && active.left > 0
        })
    {
        active.left -= 1;
        world.ledger.fire(Kind::RelayForgesUnknownKey);
        let mut out = BytesMut::new();
        out.put_slice(&RelayFrame::Data { kind: DataKind::UNKNOWN_KEY, body: Bytes::new() }.encode());
        give(world, number, out.freeze());
    }
}
