//! A store that cannot be written, under the companion's App: whoever asked is told, nothing is sent or acknowledged
//! that is not durable, and it goes on when there is room again. A trigger that another program puts into the database
//! makes writes fail.

use std::time::Duration;

use crate::world::account::{chat, message};
use crate::world::{MINUTE, World, foreign, keys};
use handfast::session::LinkState;
use handfast::sqlite::Reserve;
use handfast::store_suite::files::SmallDisk;
use handfast_messages::{CollectionName, Command};
use handfast_testkit::Clocked as _;
use reference_web::app::{AppEvent, SettleError, VerbError};
use reference_web::store::{DB_FILE, StoreError};

/// Another program's hand in the database.
fn execute(world: &World, sql: &str) {
    let conn = rusqlite::Connection::open(world.dir.join(DB_FILE)).unwrap();
    conn.execute_batch(sql).unwrap();
}

fn break_table(world: &mut World, table: &str, how: &str) {
    let sql = "CREATE TRIGGER broken BEFORE INSERT ON {} BEGIN SELECT RAISE({}, 'no room'); END";
    execute(world, &sql.replacen("{}", table, 1).replacen("{}", how, 1));
    world.may_fail = true;
}

fn mend(world: &World) {
    execute(world, "DROP TRIGGER broken");
}

fn texts_at_phone(world: &World) -> Vec<&str> {
    world
        .phone
        .app
        .commands
        .iter()
        .filter_map(|(_, command)| match command {
            Command::SendText { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

fn send(world: &mut World, text: &str) -> Result<(), VerbError> {
    world.app.send_text(world.now, &mut keys(), 1, text, None, Some(text)).map(drop)
}

/// Runs until the store works and the link is live again.
fn heal(world: &mut World) {
    mend(world);
    // The longest rest, and the longest pause between two attempts to connect.
    world.run_for(3 * MINUTE);
    assert_eq!(world.states().last(), Some(&LinkState::Live));
}

#[test]
fn a_command_that_cannot_be_stored_is_not_sent_and_goes_when_it_is_asked_for_again() {
    for (table, how) in
        [("handfast", "FAIL"), ("handfast", "ROLLBACK"), ("commands", "FAIL"), ("commands", "ROLLBACK")]
    {
        let mut world = World::live(21);
        send(&mut world, "before").unwrap();
        world.run_until("the first", MINUTE, |w| texts_at_phone(w) == ["before"]);
        break_table(&mut world, table, how);
        // The verb or the round fails; neither leaves half of it.
        let asked = send(&mut world, "lost");
        assert!(asked.is_ok() == (table == "handfast"), "{table} {how}: {asked:?}");
        world.settle();
        assert!(world.failures > 0, "{table} {how}: the round is not stored");
        let told = world.events.iter().any(|event| matches!(event, AppEvent::StoreFailed { .. }));
        assert!(told, "{table} {how}: the user is told");
        let again = send(&mut world, "lost");
        assert!(matches!(again, Err(VerbError::Resting)), "{table} {how}: {again:?}");
        world.run_for(Duration::from_secs(90));
        assert_eq!(texts_at_phone(&world), ["before"], "{table} {how}");
        heal(&mut world);
        world.run_for(MINUTE);
        assert_eq!(texts_at_phone(&world), ["before"], "{table} {how}: nothing was left half stored");
        send(&mut world, "lost").unwrap();
        world.run_until("the second", MINUTE, |w| texts_at_phone(w) == ["before", "lost"]);
    }
}

/// The log grows while another program reads it, to the last byte of the disk. When the reader is gone the companion needs
/// nobody to make room: what it held back is enough to empty the log.
#[test]
fn a_disk_that_a_log_has_filled_heals_when_its_reader_is_gone() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let mut world = World::new_in(28, tempfile::tempdir_in(disk.path()).unwrap());
    world.pair();
    world.run_until_live();
    world.may_fail = true;
    let reserve = Reserve::beside(&world.dir.join(DB_FILE));
    assert!(reserve.is_held());
    let reader = foreign(&world.dir.join(DB_FILE));
    reader.execute_batch("BEGIN; SELECT count(*) FROM commands;").unwrap();
    let mut sent = 0;
    while world.failures == 0 {
        assert!(sent < 20_000, "a disk of 16 MiB is finite");
        if send(&mut world, &format!("{sent:02000}")).is_ok() {
            sent += 1;
        }
        world.run_for(Duration::from_secs(1));
    }
    let told = world.events.iter().any(
        |event| matches!(event, AppEvent::StoreFailed { reason, .. } if reason.contains("the disk is full")),
    );
    assert!(told);
    world.run_for(3 * MINUTE);
    assert!(reserve.is_held(), "while it is read nothing helps");
    drop(reader);
    world.run_for(3 * MINUTE);
    assert_eq!(world.states().last(), Some(&LinkState::Live));
    let failures = world.failures;
    send(&mut world, "after").unwrap();
    world.run_until("the text", MINUTE, |w| texts_at_phone(w).contains(&"after"));
    assert_eq!((world.failures, reserve.is_held()), (failures, true));
}

#[test]
fn rows_that_cannot_be_stored_are_not_acknowledged_and_come_again() {
    for (table, how) in [("messages", "FAIL"), ("messages", "ROLLBACK"), ("handfast", "FAIL")] {
        let mut world = World::live(22);
        break_table(&mut world, table, how);
        for id in 1..=3 {
            world.phone.add(world.now, CollectionName::Chats, &chat(1, id));
            world.phone.add(world.now, CollectionName::Messages(1), &message(1, id, &format!("news {id}")));
        }
        world.run_for(Duration::from_secs(30));
        assert!(world.failures > 0, "{table} {how}");
        assert_eq!(world.app.store().counts().unwrap().messages, 0, "{table} {how}");
        heal(&mut world);
        world.run_until("all rows", 5 * MINUTE, |w| w.app.store().counts().unwrap().messages == 3);
    }
}

#[test]
fn who_lost_the_swap_stops_and_sends_nothing() {
    let mut world = World::live(23);
    execute(&world, "UPDATE handfast SET value = x'00000000000fffff' WHERE key = x'00'");
    send(&mut world, "never").unwrap();
    let ended = world.app.settle(world.now, &mut world.rng);
    assert!(matches!(ended, Err(SettleError::Store(StoreError::Conflict { .. }))), "{ended:?}");
    // It stays so: a second call does not write either.
    let rows = world.app.store().counts().unwrap();
    world.offline = true;
    world.run_for(MINUTE);
    assert!(texts_at_phone(&world).is_empty());
    assert_eq!(world.app.store().counts().unwrap(), rows);
}

#[test]
fn a_link_that_another_program_deleted_meanwhile_is_told_as_revoked() {
    let mut world = World::live(27);
    break_table(&mut world, "handfast", "FAIL");
    send(&mut world, "lost").unwrap();
    world.settle();
    assert!(world.failures > 0);
    execute(&world, "DELETE FROM links; DELETE FROM handfast");
    mend(&world);
    world.run_for(3 * MINUTE);
    assert!(world.events.iter().any(|event| matches!(event, AppEvent::Revoked)));
    assert!(!world.app.is_linked());
}
