//! A second program on the companion's directory has the link confirmed that the first one stored: the user of the first
//! is told all the same that it is linked.

use crate::world::{MINUTE, World, open};
use handfast::ErrorCode;
use handfast::session::LinkState;
use handfast_testkit::Clocked as _;
use reference_web::app::AppEvent;
use reference_web::store::DB_FILE;

fn execute(world: &World, sql: &str) {
    let conn = rusqlite::Connection::open(world.dir.join(DB_FILE)).unwrap();
    conn.execute_batch(sql).unwrap();
}

/// Its user typed the number, the link is stored, and `LINK_ACCEPT` is on its way.
pub(crate) fn pending(seed: u64) -> World {
    let mut world = World::new(seed);
    world.pair_until_nn();
    let number = world.number();
    world.app.enter_number(world.now, &number).unwrap();
    world.step();
    assert!(!linked(&world));
    world
}

pub(crate) fn linked(world: &World) -> bool {
    world.events.iter().any(|event| matches!(event, AppEvent::Linked { .. }))
}

/// Another program takes the directory, until it is live; then the first one goes on where it was.
fn another_program_has_it_confirmed(world: &mut World) {
    let sockets = std::mem::take(&mut world.web_sockets);
    let told = std::mem::take(&mut world.events);
    let second = open(&world.dir, world.now, &mut world.rng);
    let first = std::mem::replace(&mut world.app, second);
    world.run_until_live();
    assert!(linked(world), "the user of the second is told");
    world.stop_web();
    world.offline = false;
    world.app = first;
    world.web_sockets = sockets;
    world.events = told;
}

/// How often the user was told that it is linked, from then on and over a restart.
fn told_linked(world: &mut World) -> usize {
    world.run_until_live();
    world.run_for(MINUTE);
    world.restart_web();
    world.run_until_live();
    world.events.iter().filter(|event| matches!(event, AppEvent::Linked { .. })).count()
}

pub(crate) fn burnt(world: &World) -> Vec<ErrorCode> {
    let code = |event: &AppEvent| match event {
        AppEvent::CodeBurnt { code, .. } => Some(*code),
        _ => None,
    };
    world.events.iter().filter_map(code).collect()
}

#[test]
fn while_the_first_waits_for_an_answer_that_was_lost() {
    // req: HSK-135
    let mut world = pending(31);
    another_program_has_it_confirmed(&mut world);
    assert_eq!(told_linked(&mut world), 1);
    assert_eq!(burnt(&world), [], "nobody is told that an attempt failed which linked the companion");
    assert_eq!(world.states().last(), Some(&LinkState::Live));
}

#[test]
fn while_the_store_of_the_first_rests() {
    // req: HSK-135
    let mut world = pending(32);
    execute(
        &world,
        "CREATE TRIGGER broken BEFORE INSERT ON handfast BEGIN SELECT RAISE(FAIL, 'no room'); END",
    );
    world.may_fail = true;
    while world.failures == 0 {
        world.step();
    }
    execute(&world, "DROP TRIGGER broken");
    another_program_has_it_confirmed(&mut world);
    assert_eq!(told_linked(&mut world), 1);
}
