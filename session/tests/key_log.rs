//! The key log: lines by which a captured connection can be read.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use handfast_codec::DeviceRole;
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_handshake::hazmat::cipher_state;
use handfast_handshake::record::Opener;
use handfast_session::testing::AnyEndpoint;
use handfast_testkit::{Clocked as _, World};

/// The clear head of a message 1 of a reconnect, and an ephemeral key, in bytes.
const HEAD_LEN: usize = 10;
const EPHEMERAL_LEN: usize = 32;

/// What devices sent to the relay.
type Seen = Rc<RefCell<Vec<(DeviceRole, DataKind, Vec<u8>)>>>;

fn lines(machine: &mut AnyEndpoint) -> Vec<String> {
    let next = || match machine {
        AnyEndpoint::Phone(phone) => phone.poll_key_log(),
        AnyEndpoint::Companion(companion) => companion.poll_key_log(),
    };
    std::iter::from_fn(next).map(|line| line.to_string()).collect()
}

fn watched(world: &mut World) -> Seen {
    let seen = Seen::default();
    let kept = Rc::clone(&seen);
    world.filter(move |role, frame| {
        if let Ok(RelayFrame::Data { kind, body }) = RelayFrame::decode(frame.to_vec().into()) {
            kept.borrow_mut().push((role, kind, body.to_vec()));
        }
        true
    });
    seen
}

fn last_of(seen: &Seen, role: DeviceRole, kind: DataKind) -> Vec<u8> {
    let seen = seen.borrow();
    let found = seen.iter().rev().find(|(from, of, _)| (*from, *of) == (role, kind));
    found.expect("it was sent").2.clone()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex(text: &str) -> [u8; 32] {
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex")).collect();
    bytes.try_into().expect("32 bytes")
}

#[test]
fn both_sides_log_the_keys_of_each_connection_under_what_crosses_the_wire() {
    let mut world = World::live(901);
    let mut earlier = lines(&mut world.web.machine);
    assert_eq!(earlier.len(), 2, "a line for each direction");
    for _ in 0..3 {
        let seen = watched(&mut world);
        world.cut(DeviceRole::Web);
        world.run_until("records each way", Duration::from_mins(5), |world| {
            let has = |from| first_record(&seen, from).is_some();
            world.is_live() && has(DeviceRole::Web) && has(DeviceRole::Phone)
        });
        let logged = lines(&mut world.web.machine);
        assert_eq!(logged.len(), 2);
        assert!(logged.iter().all(|line| !earlier.contains(line)), "each connection has keys of its own");
        let mut phone = lines(&mut world.phone.machine);
        let mut latest = phone.split_off(phone.len() - 2);
        let mut sorted = logged.clone();
        latest.sort();
        sorted.sort();
        assert_eq!(latest, sorted, "both sides have the same keys");

        let message_1 = last_of(&seen, DeviceRole::Web, DataKind::KK1);
        let message_2 = last_of(&seen, DeviceRole::Phone, DataKind::KK2);
        let id = hex(&message_1[HEAD_LEN..HEAD_LEN + EPHEMERAL_LEN]) + &hex(&message_2[..EPHEMERAL_LEN]);
        for (label, from) in
            [("HANDFAST_INITIATOR_KEY", DeviceRole::Web), ("HANDFAST_RESPONDER_KEY", DeviceRole::Phone)]
        {
            let line = logged.iter().find_map(|line| line.strip_prefix(&format!("{label} {id} ")));
            let key = unhex(line.expect("a line for this direction"));
            let mut opener = Opener::new(cipher_state(key, 0));
            let record = first_record(&seen, from).expect("a record");
            let plain = opener.open(BytesMut::from(&*record));
            assert!(plain.is_ok(), "the key of the {from:?} opens its first record");
        }
        earlier.extend(logged);
    }
}

/// The first record of a device after the latest handshake.
fn first_record(seen: &Seen, from: DeviceRole) -> Option<Vec<u8>> {
    let seen = seen.borrow();
    let handshake = seen.iter().rposition(|(_, kind, _)| *kind == DataKind::KK2)?;
    let mut later = seen.iter().skip(handshake);
    later.find(|(of, kind, _)| (*of, *kind) == (from, DataKind::RECORD)).map(|(_, _, body)| body.clone())
}
