//! A peer that holds real keys and sends any inner record.

use bytes::{Bytes, BytesMut};
use handfast::ErrorCode;
use handfast::codec::frame::{Collection, Frame, OpenKind};
use handfast::codec::ids::Signature;
use handfast::codec::record::RecordBuilder;
use handfast::codec::varint::put_varint;
use rand_core::Rng;

use crate::kind::Kind;
use crate::net::LATENCY;
use crate::node::{Machine, NodeId};
use crate::plan::Fault;
use crate::users::PHONE;
use crate::world::{SimEvent, World};

/// How long between two evil records, in microseconds.
const AGAIN_AFTER: u64 = 700_000;
/// Texts that no plan has are numbered from here.
const UNPLANNED: usize = 5_000;

/// An evil record leaves, and another follows while the fault lasts.
pub fn begin(world: &mut World, fault: &Fault, number: usize) {
    let record = evil_record(world, fault);
    let id = sender(world, fault);
    if inject(world, fault, record) {
        let _ = world.ledger.evil.insert(fault.web);
        world.ledger.fire(fault.kind);
        let _ = world.run(id);
    }
    if world.now < fault.at + AGAIN_AFTER * (2 + fault.amount % 8) {
        world.at(world.now + AGAIN_AFTER, SimEvent::FaultLater(number));
    }
}

/// The side that is evil.
fn sender(world: &World, fault: &Fault) -> NodeId {
    if fault.kind == Kind::EvilPhone { PHONE } else { world.web_node(fault.web) }
}

/// Puts a record of its own into what the evil side sends. Returns whether there was a connection.
fn inject(world: &mut World, fault: &Fault, record: BytesMut) -> bool {
    let companion = world.ledger.webs.get(fault.web).and_then(|view| view.companion);
    let id = sender(world, fault);
    match &mut world.nodes[id.0].machine {
        Some(Machine::Phone(app)) => companion.is_some_and(|companion| app.inject(companion, record)),
        Some(Machine::Web(app)) => app.inject(record),
        None => false,
    }
}

/// A phone acknowledges what it never got, while a text is on its way to it and its socket is about to be lost.
pub fn future_ack(world: &mut World, fault: &Fault, number: usize) {
    let companion = world.ledger.webs.get(fault.web).and_then(|view| view.companion);
    let mut record = RecordBuilder::new();
    let durable = *world.rng.pick(&[1 << 10, 1 << 32, (1 << 62) - 1]);
    let _ = record.push(&Frame::Ack { durable, cursors: Vec::new() });
    let sent = match &mut world.nodes[PHONE.0].machine {
        Some(Machine::Phone(app)) => {
            companion.is_some_and(|companion| app.inject(companion, record.finish()))
        }
        _ => false,
    };
    if !sent {
        return;
    }
    let _ = world.ledger.liars.insert(fault.web);
    world.ledger.fire(fault.kind);
    let _ = world.run(PHONE);
    world.web_text(fault.web, 1 + fault.amount % crate::upstream::CHATS, 20, UNPLANNED + number);
    world.at(world.now + LATENCY.1, SimEvent::FaultLater(number));
}

fn evil_record(world: &mut World, _: &Fault) -> BytesMut {
    let mut record = RecordBuilder::new();
    for _ in 0..=world.rng.below(3) {
        let frame = evil_frame(world);
        // The builder of records takes none that the codec itself would refuse.
        if frame.is_within_limits() {
            let _ = record.push(&frame);
        }
    }
    let mut bytes = record.finish();
    if world.rng.percent(15) {
        // Bytes that are no frames at all, behind the two of the header.
        let (_, body) = bytes.split_at_mut(2);
        let len = usize::try_from(world.rng.below(64)).unwrap_or(0);
        if let Some(part) = body.get_mut(..len) {
            world.rng.crypto().fill_bytes(part);
        }
    }
    bytes
}

/// A number that an implementation may not have thought of.
fn number(world: &mut World) -> u64 {
    let small = world.rng.below(40);
    *world.rng.pick(&[0, 1, small, small, 65_535, 1 << 20, 1 << 32, (1 << 62) - 2, (1 << 62) - 1])
}

fn body(world: &mut World) -> Bytes {
    let len = *world.rng.pick(&[0, 1, 30, 1_000, 15_000]);
    let mut bytes = vec![0; len];
    world.rng.crypto().fill_bytes(&mut bytes);
    bytes.into()
}

fn random_command(world: &mut World) -> Bytes {
    let bytes = body(world);
    if bytes.is_empty() { Bytes::from_static(b"x") } else { bytes }
}

fn evil_frame(world: &mut World) -> Frame {
    let (one, two) = (number(world), number(world));
    let small = |number: u64| u8::try_from(number & 31).unwrap_or(0);
    match world.rng.below(14) {
        0 => Frame::Ping { id: one, rev: two },
        1 => Frame::Pong { id: one },
        2 => Frame::Msg { seq: one, part: small(two), last: small(world.rng.number()), body: body(world) },
        3 => Frame::Ack { durable: one, cursors: Vec::new() },
        4 => {
            let kind = if two.is_multiple_of(2) { OpenKind::Get } else { OpenKind::Put };
            let meta = random_command(world).slice(..1);
            Frame::Open { id: one, kind, meta }
        }
        5 => Frame::Data { id: one, offset: two, body: random_command(world) },
        6 => Frame::Credit { id: one, offset: two },
        7 => Frame::Durable { id: one, offset: two },
        8 => Frame::Stop { id: one, code: ErrorCode::CANCELLED },
        9 => Frame::Fin { id: one, hash: [3; 32] },
        10 => Frame::ConnCredit { offset: one },
        11 => Frame::Revoked { signature: Signature::from_bytes([small(one); 64]) },
        12 => {
            let mut name = Vec::new();
            put_varint(&mut name, one);
            let collection = Collection::new(&name).expect("a short name");
            Frame::Since { collection, cursor: two }
        }
        _ => Frame::Now { slot: one, body: Bytes::from_static(b"x") },
    }
}

#[cfg(test)]
mod tests {
    use handfast::session::LinkState;

    use super::*;
    use crate::plan::Plan;
    use crate::run::Runner;

    const SECOND: u64 = 1_000_000;
    /// Longer than the reconnect delay, and than the rate limit of message 1.
    const BACK: u64 = 120 * SECOND;

    /// Values that a slot does not have.
    const BAD: &[(u64, &[u8], ErrorCode)] = &[
        (1, &[2], ErrorCode::FIELD_VALUE),
        (1, &[], ErrorCode::TRUNCATED),
        (1, &[0, 0], ErrorCode::TRAILING_BYTES),
        (3, &[101, 0], ErrorCode::FIELD_VALUE),
        (3, &[100], ErrorCode::TRUNCATED),
        (5, &[0x40], ErrorCode::TRUNCATED),
        (5, &[0x40, 1], ErrorCode::VARINT_NOT_MINIMAL),
        (7, &[4, 4], ErrorCode::DUPLICATE_FIELD),
        (7, &[4, 3], ErrorCode::FIELD_ORDER),
    ];

    /// A linked phone and companion of which one sends a value of a slot under the real keys: what the other refused.
    fn heard(from: Kind, slot: u64, body: &'static [u8]) -> Vec<(usize, &'static str, ErrorCode)> {
        // It owns the directory of the disks.
        let mut runner = Runner::new();
        let mut world = runner.paired(&Plan { pairs: false, ..Plan::pairing(4, 1) }, false);
        for id in 0..world.nodes.len() {
            world.at(0, SimEvent::Start(NodeId(id)));
        }
        world.run_to(10 * SECOND);
        assert_eq!(world.ledger.webs[0].state, Some(LinkState::Live));
        let before = world.ledger.failed.len();
        let fault = Fault { kind: from, at: world.now, len: 1, web: 0, at_phone: true, amount: 0 };
        let mut record = RecordBuilder::new();
        assert!(record.push(&Frame::Now { slot, body: Bytes::from_static(body) }));
        let id = sender(&world, &fault);
        assert!(inject(&mut world, &fault, record.finish()));
        let _ = world.run(id);
        world.run_to(world.now + BACK);
        assert_eq!(world.ledger.webs[0].state, Some(LinkState::Live), "the link goes on");
        world.ledger.failed.split_off(before)
    }

    // req: MSG-044
    #[test]
    fn a_value_that_a_slot_does_not_have_ends_the_connection_at_either_end() {
        for (from, end) in [(Kind::EvilWeb, "the phone"), (Kind::EvilPhone, "the companion")] {
            for (slot, body, code) in BAD {
                assert_eq!(heard(from, *slot, body), [(0, end, *code)], "slot {slot}: {body:?}");
            }
        }
    }

    // req: MSG-111, MSG-090
    #[test]
    fn a_value_that_nobody_waits_for_ends_nothing() {
        for from in [Kind::EvilWeb, Kind::EvilPhone] {
            for (slot, body) in [(1, &[1][..]), (3, &[50, 0]), (5, &[1]), (7, &[1, 2]), (58, &[2, 0])] {
                assert_eq!(heard(from, slot, body), [], "slot {slot}: {body:?}");
            }
        }
    }
}
