//! Rows that were stored before commands had keys become rows of today: what was not settled is, and once (spec,
//! delivery, RES-035).

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::role::DeviceRole;
use handfast_session::{LinkRows, Value};
use handfast_testkit::account::Device;
use handfast_testkit::{Clocked as _, World};

const MINUTE: Duration = Duration::from_mins(1);
const SESSION: &[u8] = &[0x11];
/// Prefixes of rows, before and today.
const OLD: [u8; 3] = [0x20, 0x21, 0x22];
const OUTBOX: u8 = 0x24;
const COMMAND: u8 = 0x25;
const UNSETTLED: u8 = 0x26;
const SETTLED: u8 = 0x27;

/// The number that a test's key stands for; the last eight bytes of it.
fn number(key: &[u8]) -> u8 {
    key[15]
}

/// The rows as version 1 had them: no keys, results by number.
fn as_version_1(pairs: &LinkRows, role: DeviceRole) -> LinkRows {
    let mut old = LinkRows::new();
    let mut put = |key: Vec<u8>, value: Vec<u8>| drop(old.insert(key, Value::new(value)));
    for (key, value) in pairs {
        match key[0] {
            OUTBOX if role == DeviceRole::Web => {
                put([&[OLD[0]], &key[1..]].concat(), [&value[..2], &value[18..]].concat());
            }
            OUTBOX => put([&[OLD[0]], &key[1..]].concat(), [&[number(value)], &value[16..]].concat()),
            // Its number, then whether it is a result, then the body.
            COMMAND => put([&[OLD[1]], &value[..8]].concat(), [&[value[7]], &value[8..]].concat()),
            UNSETTLED => put([&[OLD[2]], &key[1..]].concat(), Vec::new()),
            SETTLED => {}
            _ if key == SESSION => put(key.clone(), [&[1], &value[1..105]].concat()),
            _ => put(key.clone(), value.to_vec()),
        }
    }
    old
}

fn downgrade(device: &mut Device) {
    device.disk.pairs = as_version_1(&device.disk.pairs, device.role);
}

fn is_of_today(device: &Device) -> bool {
    device.disk.pairs.keys().all(|key| !OLD.contains(&key[0])) && device.disk.pairs[SESSION][0] == 2
}

#[test]
fn a_link_of_version_1_goes_on_and_settles_each_command_once() {
    // req: RES-035
    for cut_at in 0..8 {
        let mut world = World::live(81);
        let mut left = cut_at;
        for n in 0..4_u8 {
            let _ = world.web.send(world.now, &Bytes::from(vec![b'a' + n])).unwrap().unwrap();
        }
        // Some are settled, some run and not told, some not sent.
        world.filter(move |_, _| {
            left -= i32::from(left > 0);
            left > 0
        });
        world.run_for(Duration::from_secs(1));
        for role in [DeviceRole::Web, DeviceRole::Phone] {
            downgrade(world.device(role));
            world.crash(role);
        }
        world.unfilter();
        let _ = world.web.send(world.now, &Bytes::from_static(b"new")).unwrap().unwrap();
        world.run_until("settled", 5 * MINUTE, |w| {
            [&w.web, &w.phone].into_iter().all(|device| device.machine.outbox_len() == (0, 0))
        });
        let ran: Vec<_> = world.phone.disk.effects.iter().map(|(_, body)| body.as_slice()).collect();
        assert_eq!(ran, [b"a".as_slice(), b"b", b"c", b"d", b"new"], "cut at {cut_at}");
        assert_eq!(world.web.disk.effects.len(), 5, "cut at {cut_at}");
        assert!(is_of_today(&world.web) && is_of_today(&world.phone));
    }
}

#[test]
fn a_take_over_that_is_cut_short_is_made_again() {
    // req: RES-035
    let mut world = World::linked(82);
    let _ = world.web.send(world.now, &Bytes::from_static(b"a")).unwrap().unwrap();
    downgrade(&mut world.web);
    world.crash(DeviceRole::Web);
    // What the application sends first is stored before the rows are taken over, and then the process ends.
    let _ = world.web.send(world.now, &Bytes::from_static(b"b")).unwrap().unwrap();
    assert!(!is_of_today(&world.web));
    world.crash(DeviceRole::Web);
    world.run_until("settled", 5 * MINUTE, |w| w.web.disk.effects.len() == 2);
    let ran: Vec<_> = world.phone.disk.effects.iter().map(|(_, body)| body.as_slice()).collect();
    assert_eq!(ran, [b"a".as_slice(), b"b"]);
    assert!(is_of_today(&world.web));
}
