//! The phone's last word of a pairing is lost: the companion's user hears that it may be linked, and waits or starts over.

use crate::linked_elsewhere::{burnt, linked, pending};
use crate::world::phone::Phone;
use crate::world::{MINUTE, World};
use handfast::host::Application as _;
use handfast_testkit::Clocked as _;
use reference_web::app::{AppEvent, VerbError};

const DAY_S: u64 = 24 * 3_600;

/// The link is stored and accepted, and the connection is lost before the phone's answer comes.
fn unanswered(seed: u64) -> World {
    let mut world = pending(seed);
    for (tag, socket) in std::mem::take(&mut world.web_sockets) {
        world.relay.handle_closed(world.now, socket);
        world.app.host().handle_closed(world.now, &mut world.rng, tag, "it was lost");
    }
    world.offline = true;
    world.run_for(MINUTE / 60);
    world.offline = false;
    assert!(left(&world).is_empty());
    world
}

/// For how long the user was told that the phone's word is waited for, each time.
fn left(world: &World) -> Vec<u64> {
    let left = |event: &AppEvent| match event {
        AppEvent::Unconfirmed { left_s } => Some(*left_s),
        _ => None,
    };
    world.events.iter().filter_map(left).collect()
}

fn codes(world: &World) -> usize {
    world.events.iter().filter(|event| matches!(event, AppEvent::Code { .. })).count()
}

#[test]
fn its_user_is_told_and_it_goes_on_by_itself() {
    // req: HSK-135, HSK-165
    let mut world = unanswered(41);
    let shown = codes(&world);
    world.run_until("the word", MINUTE, |world| !left(world).is_empty());
    assert!((DAY_S - 60..=DAY_S).contains(&left(&world)[0]), "{:?}", left(&world));
    assert!(!linked(&world));
    world.restart_web();
    world.app.pair(world.now, &mut world.rng).unwrap();
    world.run_until_live();
    assert_eq!(left(&world).len(), 2, "a program that starts says it, too");
    assert_eq!(codes(&world), shown, "no code is shown meanwhile");
    assert_eq!(world.events.iter().filter(|event| matches!(event, AppEvent::Linked { .. })).count(), 1);
    assert!(matches!(world.app.new_code(world.now, &mut world.rng), Err(VerbError::Linked)));
}

#[test]
fn its_user_drops_it_and_links_again() {
    // req: HSK-166
    let mut world = unanswered(42);
    world.run_until("the word", MINUTE, |world| !left(world).is_empty());
    let shown = codes(&world);
    world.app.new_code(world.now, &mut world.rng).unwrap();
    world.settle();
    assert_eq!(codes(&world), shown + 1);
    world.restart_web();
    world.run_for(MINUTE);
    assert_eq!((left(&world).len(), linked(&world)), (1, false), "nothing of it is left");
    world.lose_phone();
    world.phone = Phone::new(&mut world.rng);
    world.events.clear();
    world.pair();
    world.run_until_live();
    assert!(burnt(&world).is_empty(), "{:?}", burnt(&world));
}
