//! A relay that forges the first messages of reconnects: each costs a curve or two, so that few are looked at.

use core::convert::Infallible;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use handfast_codec::ids::AttachmentId;
use handfast_codec::limits::MESSAGE1_STARTS_MAX;
use handfast_codec::relay::{DataKind, Peer, PeerInfo, RelayFrame, data_kind};
use handfast_codec::{DeviceRole, Timestamp};
use handfast_handshake::key_schedule::psk_id;
use handfast_session::{Event, LinkState, testing};
use handfast_testkit::{Clocked as _, World, keys};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};

const SECOND: Duration = Duration::from_secs(1);

/// A generator that counts the keys drawn from it: a handshake draws one ephemeral key before it uses any other.
struct Counting {
    rng: ChaCha20Rng,
    keys: u32,
}

impl Counting {
    fn new() -> Self {
        Self { rng: ChaCha20Rng::seed_from_u64(1), keys: 0 }
    }
}

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.rng.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.rng.next_u64())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.keys += u32::from(out.len() == 32);
        self.rng.fill_bytes(out);
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

/// A live world, and a message 1 in mode recover: its psk id never changes, and a relay sees it when a web recovers.
fn live() -> (World, Vec<u8>) {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let now = Timestamp::from_micros(1_000_000);
    let ((phone, phone_start), (web, web_start), _) = keys::link(&mut rng);
    let recovery = psk_id(&phone.recovery, &phone.terms.mailbox);
    let (phone, web) = (testing::phone_pairs(&phone, phone_start), testing::web_pairs(&web, web_start, true));
    let mut world = World::of_rows(phone, web, now, rng);
    let tape = world.tape(DataKind::KK1, DeviceRole::Web, false);
    world.run_until_live();
    world.unfilter();
    let mut message1 = tape.borrow().last().expect("a message 1").clone();
    message1[MODE] = 1;
    message1[PSK_ID].copy_from_slice(recovery.as_bytes());
    (world, message1)
}

/// Message 1 with one byte of its end changed: its psk is known, and it does not verify.
fn forged(message1: &[u8], number: u8) -> BytesMut {
    let mut bytes = BytesMut::from(message1);
    let last = bytes.len() - 1;
    bytes[last] ^= number | 1;
    bytes
}

/// The mode and the psk id of a message 1 stand behind the frame's type, the kind of DATA and the suite.
const MODE: usize = 3;
const PSK_ID: core::ops::Range<usize> = 4..12;

/// Sends a phone so many frames in one instant, and returns how many of them cost a key.
fn flood(world: &mut World, rng: &mut Counting, frames: u32, frame: impl Fn(u8) -> BytesMut) -> u32 {
    let before = rng.keys;
    for number in 0..frames {
        world.phone.receive(world.now, rng, frame(u8::try_from(number % 256).unwrap()));
        let _ = world.phone.drain(world.now);
    }
    rng.keys - before
}

// req: HSK-125
#[test]
fn forged_messages_1_cost_a_phone_one_key_a_second() {
    let (mut world, message1) = live();
    let mut rng = Counting::new();
    // What was answered at the connect counts, too.
    world.run_for(2 * SECOND);
    assert_eq!(flood(&mut world, &mut rng, 2_000, |n| forged(&message1, n)), 1);
    for _ in 0..20 {
        world.now = world.now.plus(SECOND);
        assert_eq!(flood(&mut world, &mut rng, 200, |n| forged(&message1, n)), 1, "a second later");
    }
    assert_eq!(world.phone.state, Some(LinkState::Live));
    assert!(world.phone.socket.is_some());
    world.run_for(2 * SECOND);
    assert_eq!(world.web.state, Some(LinkState::Live));
}

// req: HSK-125
#[test]
fn replayed_messages_1_cost_a_phone_one_key_a_second() {
    let mut world = World::live(4);
    world.run_for(2 * SECOND);
    let tape = world.tape(DataKind::KK1, DeviceRole::Web, true);
    world.cut(DeviceRole::Web);
    world.run_until("a message 1", 60 * SECOND, |_| !tape.borrow().is_empty());
    let message1 = tape.borrow().last().expect("a message 1").clone();
    let mut rng = Counting::new();
    assert_eq!(flood(&mut world, &mut rng, 500, |_| BytesMut::from(&*message1)), 1);
}

#[test]
fn messages_1_of_unknown_keys_cost_no_key_and_push_out_none_that_waits() {
    let (mut world, message1) = live();
    let mut rng = Counting::new();
    world.run_for(2 * SECOND);
    let unknown = |number: u8| {
        let mut bytes = BytesMut::from(&*message1);
        bytes[PSK_ID].fill(number);
        bytes
    };
    assert_eq!(flood(&mut world, &mut rng, 1_000, unknown), 0);
    // One of the link's own is read, the next waits, and a thousand strangers do not take its place.
    assert_eq!(flood(&mut world, &mut rng, 2, |n| forged(&message1, n)), 1);
    assert_eq!(flood(&mut world, &mut rng, 1_000, unknown), 0);
    let before = rng.keys;
    world.now = world.now.plus(SECOND);
    world.phone.timeout(world.now, &mut rng);
    assert_eq!(rng.keys - before, 1, "the one that waits is read");
}

#[test]
fn a_web_that_comes_after_a_flood_is_answered() {
    let (mut world, message1) = live();
    let mut rng = Counting::new();
    let _ = flood(&mut world, &mut rng, 300, |n| forged(&message1, n));
    world.cut(DeviceRole::Web);
    world.run_until_live();
}

// req: HSK-126
#[test]
fn a_relay_that_tells_of_the_phone_without_end_gets_few_messages_1() {
    let (mut world, _) = live();
    world.run_for(2 * SECOND);
    let mut rng = Counting::new();
    let mut messages1 = 0;
    for round in 0..3 {
        let before = rng.keys;
        for number in 0..=255 {
            let id = AttachmentId::from_bytes([round, number, 0, 0, 0, 0, 0, 9]);
            let up = RelayFrame::Peer(Peer::Up(PeerInfo { id, same_net: None, origin: None })).encode();
            world.web.receive(world.now, &mut rng, BytesMut::from(&*up));
            let sent = world.web.drain(world.now);
            messages1 += sent.iter().filter(|bytes| data_kind(bytes) == Some(DataKind::KK1)).count();
        }
        assert_eq!(rng.keys - before, MESSAGE1_STARTS_MAX, "in second {round}");
        world.now = world.now.plus(SECOND);
    }
    assert_eq!(u32::try_from(messages1).unwrap(), 3 * MESSAGE1_STARTS_MAX);
    let closed = |event: &Event| *event == Event::Disconnect;
    assert!(!world.web.events.iter().any(closed), "so many frames are allowed");
    world.cut(DeviceRole::Web);
    world.run_until_live();
}

#[test]
fn a_frame_of_this_shape_is_what_the_range_of_the_psk_id_means() {
    let (_, message1) = live();
    let frame = RelayFrame::decode(Bytes::from(message1)).unwrap();
    assert!(matches!(frame, RelayFrame::Data { kind: DataKind::KK1, body } if body.starts_with(&[1, 1])));
}
