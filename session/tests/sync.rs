//! Snapshots, digests and what ends a subscription, between two real endpoints (spec, delivery, *Sync*).

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::DeviceRole;
use handfast_codec::frame::Collection;
use handfast_codec::limits::{DIGEST_EVERY, SNAPSHOT_TRIES_MAX, SUBSCRIPTIONS_MAX};
use handfast_session::resume::{ResetReason, Verdict};
use handfast_session::{Event, SendError, SyncEvent};
use handfast_testkit::{Clocked as _, World};

const MINUTE: Duration = Duration::from_mins(1);

fn collection(name: &[u8]) -> Collection {
    Collection::new(name).unwrap()
}

fn count(world: &World, is: impl Fn(&Event) -> bool) -> usize {
    world.web.events.iter().filter(|event| is(event)).count()
}

fn in_step(world: &World) -> usize {
    count(world, |event| matches!(event, Event::Sync(SyncEvent::InSync { .. })))
}

fn repairs(world: &World) -> usize {
    count(world, |event| matches!(event, Event::Sync(SyncEvent::OutOfSync { .. })))
}

fn add(world: &mut World, name: &[u8], rows: u64) {
    for n in 0..rows {
        world.phone.add_row(world.now, name, format!("row {n} {}", "x".repeat(100)).as_bytes());
    }
}

/// Two devices that hold the same rows of `a`, and are connected.
fn synced(seed: u64, rows: u64) -> World {
    let mut world = World::linked(seed);
    world.web.app.want_collections = vec![b"a".to_vec()];
    add(&mut world, b"a", rows);
    world.run_until("in step", MINUTE, |w| in_step(w) == 1);
    assert_eq!(world.web.disk.rows, world.phone.disk.rows);
    world
}

/// Deletes a row at the phone, and its marker too.
fn delete_without_trace(world: &mut World, rev: u64) {
    let row = world.phone.disk.rows.remove(&(b"a".to_vec(), rev));
    assert!(row.is_some(), "row {rev} was there");
}

#[test]
fn both_sides_are_found_in_step_after_each_connection() {
    // req: SYN-016, SYN-018
    let mut world = synced(1, 300);
    for round in 2..5 {
        world.crash(DeviceRole::Web);
        add(&mut world, b"a", 10);
        world.run_until("in step again", MINUTE, |w| in_step(w) == 1);
        assert_eq!(world.web.disk.rows, world.phone.disk.rows, "round {round}");
        assert_eq!(repairs(&world), 0);
    }
}

#[test]
fn a_row_that_changed_under_the_companions_feet_is_found_by_the_digest_and_repaired() {
    // req: SYN-015, SYN-032
    for damage in 0..3 {
        let mut world = synced(10 + damage, 300);
        world.crash(DeviceRole::Web);
        let rows = &mut world.web.disk.rows;
        match damage {
            0 => drop(rows.remove(&(b"a".to_vec(), 120))),
            1 => drop(rows.insert((b"a".to_vec(), 9_000), b"invented".to_vec())),
            _ => {
                let row = rows.remove(&(b"a".to_vec(), 7)).unwrap();
                drop(rows.insert((b"a".to_vec(), 9_007), row));
            }
        }
        world.run_until("repaired", MINUTE, |w| in_step(w) == 1);
        assert_eq!(repairs(&world), 1);
        assert_eq!(world.web.disk.rows, world.phone.disk.rows, "damage {damage}");
    }
}

#[test]
fn a_digest_is_due_after_a_thousand_deltas_and_not_before() {
    // req: SYN-016
    let mut world = synced(2, 5);
    for n in 1..=u64::from(DIGEST_EVERY) {
        assert_eq!(in_step(&world), 1, "after {n} deltas");
        add(&mut world, b"a", 1);
        let rows = world.phone.disk.rows.len();
        world.run_until("the row", MINUTE, |w| w.web.disk.rows.len() == rows);
    }
    world.run_until("in step", MINUTE, |w| in_step(w) == 2);
    assert_eq!(repairs(&world), 0);
}

#[test]
fn a_companion_behind_the_log_gets_a_snapshot_in_pages_while_live_rows_go_on() {
    // req: SYN-013, SYN-014, SYN-028
    let mut world = synced(3, 50);
    world.crash(DeviceRole::Web);
    for rev in [3, 17, 44] {
        delete_without_trace(&mut world, rev);
    }
    add(&mut world, b"a", 2_000);
    world.phone.prune(world.now, 51);
    world.phone.app.rows_a_page = 3;
    world.run_until("in step", MINUTE, |w| in_step(w) == 1);
    assert!(world.phone.app.pages_given > 10, "{} pages", world.phone.app.pages_given);
    assert_eq!(repairs(&world), 0, "a snapshot that was asked for by the phone is no repair");
    assert_eq!(world.web.disk.rows, world.phone.disk.rows);
}

#[test]
fn each_page_is_retried_alone_whatever_is_cut() {
    // req: SYN-013, SYN-026, SYN-082
    let mut world = synced(4, 5);
    world.crash(DeviceRole::Web);
    add(&mut world, b"a", 2_000);
    delete_without_trace(&mut world, 2);
    world.phone.prune(world.now, 6);
    let mut cuts = 0;
    for commits in 1_usize.. {
        world.web.crash_after(commits % 2 + 3);
        world.run_until("a stop, or the end", MINUTE, |w| w.web.is_stopped() || in_step(w) > 0);
        if in_step(&world) > 0 {
            break;
        }
        cuts += 1;
        let role = if cuts % 3 == 0 { DeviceRole::Phone } else { DeviceRole::Web };
        world.crash(role);
        if role == DeviceRole::Phone {
            world.crash(DeviceRole::Web);
        }
        assert!(cuts < 200, "it must end");
    }
    assert!(cuts > 5, "{cuts} cuts");
    world.web.crash = None;
    world.run_for(MINUTE);
    assert_eq!(world.web.disk.rows, world.phone.disk.rows);
    // About 16,000 bytes a page, 130 bytes a row: a snapshot begun anew at each cut would have given many more.
    assert!(
        world.phone.app.pages_given < 20 + 2 * cuts,
        "{} pages for {cuts} cuts",
        world.phone.app.pages_given
    );
}

#[test]
fn a_subscription_that_falls_behind_the_log_is_ended_with_a_snapshot() {
    // req: SYN-025
    let mut world = synced(5, 2_000);
    delete_without_trace(&mut world, 500);
    add(&mut world, b"a", 10);
    world.phone.prune(world.now, 2_005);
    world.run_until("in step", MINUTE, |w| in_step(w) == 2);
    assert_eq!(world.web.disk.rows, world.phone.disk.rows);
}

#[test]
fn a_collection_that_never_matches_gets_three_snapshots_and_is_reported() {
    // req: SYN-019
    let mut world = synced(6, 20);
    world.web.app.wrong_digest = true;
    world.crash(DeviceRole::Web);
    let failed = |w: &World| count(w, |event| matches!(event, Event::Sync(SyncEvent::ResyncFailed { .. })));
    world.run_until("given up", MINUTE, |w| failed(w) == 1);
    assert_eq!(repairs(&world), usize::from(SNAPSHOT_TRIES_MAX));
    let pages = world.phone.app.pages_given;
    add(&mut world, b"a", 1);
    world.run_for(10 * MINUTE);
    assert_eq!(world.phone.app.pages_given, pages, "no fourth snapshot");
    assert_eq!(world.web.disk.rows, world.phone.disk.rows, "changes still come");
}

#[test]
fn pages_that_cannot_be_read_are_asked_for_three_times() {
    // req: SYN-019
    let mut world = World::linked(7);
    world.web.app.want_collections = vec![b"a".to_vec()];
    add(&mut world, b"a", 20);
    world.phone.app.refuse_pages = true;
    world.phone.prune(world.now, 5);
    let failed = |w: &World| count(w, |event| matches!(event, Event::Sync(SyncEvent::ResyncFailed { .. })));
    world.run_until("given up", MINUTE, |w| failed(w) == 1);
    assert!(world.web.disk.rows.is_empty());
}

#[test]
fn collections_past_the_limit_are_reached_by_leaving_others() {
    // req: SYN-007, SYN-011
    let mut world = World::live(8);
    let names: Vec<Vec<u8>> = (0..200_u8).map(|n| vec![b'c', n]).collect();
    for name in &names {
        add(&mut world, name, 3);
    }
    for (at, name) in names.iter().enumerate() {
        if at >= SUBSCRIPTIONS_MAX {
            let row = (
                names[at - SUBSCRIPTIONS_MAX].clone(),
                3 * u64::try_from(at - SUBSCRIPTIONS_MAX + 1).unwrap(),
            );
            world.run_until("its rows", MINUTE, |w| w.web.disk.rows.contains_key(&row));
            let refused = world.web.machine.companion().subscribe(world.now, collection(name));
            assert_eq!(refused, Err(SendError::TooMany));
            world
                .web
                .machine
                .companion()
                .unsubscribe(world.now, collection(&names[at - SUBSCRIPTIONS_MAX]))
                .unwrap();
            let left =
                count(&world, |event| matches!(event, Event::Sync(SyncEvent::Unsubscribed { .. }))) + 1;
            world.run_until("left", MINUTE, |w| {
                count(w, |event| matches!(event, Event::Sync(SyncEvent::Unsubscribed { .. }))) == left
            });
        }
        world.web.machine.companion().subscribe(world.now, collection(name)).unwrap();
    }
    world.run_until("all rows", MINUTE, |w| w.web.disk.rows.len() == 600);
    assert_eq!(world.web.disk.rows, world.phone.disk.rows);
}

#[test]
fn a_subscription_left_and_taken_again_at_once_loses_nothing() {
    // req: SYN-011
    let mut world = World::live(9);
    add(&mut world, b"a", 400);
    world.web.machine.companion().subscribe(world.now, collection(b"a")).unwrap();
    for _ in 0..40 {
        world.web.machine.companion().unsubscribe(world.now, collection(b"a")).unwrap();
        world.web.machine.companion().subscribe(world.now, collection(b"a")).unwrap();
        world.run_for(Duration::from_millis(1));
        add(&mut world, b"a", 1);
    }
    world.run_until("all rows", MINUTE, |w| w.web.disk.rows == w.phone.disk.rows);
    assert_eq!(repairs(&world), 0);
    assert!(
        world.web.machine.companion().unsubscribe(world.now, collection(b"b")).is_err(),
        "there is none to leave"
    );
}

#[test]
fn a_cursor_above_the_phones_log_gets_a_snapshot() {
    // req: SYN-025
    let mut world = synced(12, 30);
    world.crash(DeviceRole::Web);
    // The phone's rows were restored, under the same log id, from an older copy.
    world.phone.disk.rows.retain(|(_, rev), _| *rev <= 20);
    world.crash(DeviceRole::Phone);
    world.run_until("in step", MINUTE, |w| in_step(w) == 1);
    assert_eq!(world.web.disk.rows, world.phone.disk.rows);
}

#[test]
fn another_log_is_told_from_its_beginning() {
    // req: RES-023
    let mut world = synced(13, 30);
    world.phone.app.has_other_log = true;
    world.phone.disk.rows.clear();
    for n in 1..=50 {
        let _ = world.phone.disk.rows.insert((b"a".to_vec(), n), format!("other {n}").into_bytes());
    }
    world.web.events.clear();
    world.crash(DeviceRole::Phone);
    world.run_until("in step", MINUTE, |w| in_step(w) == 1);
    assert_eq!(world.web.disk.rows, world.phone.disk.rows);
    assert_eq!(repairs(&world), 0, "no digest was needed to find it");
}

#[test]
fn a_quiet_collection_does_not_fall_behind_the_log() {
    // req: SYN-018
    let mut world = synced(14, 30);
    add(&mut world, b"b", 100);
    world.crash(DeviceRole::Web);
    world.run_until("in step", MINUTE, |w| in_step(w) == 1);
    world.crash(DeviceRole::Web);
    world.phone.prune(world.now, 130);
    world.run_until("in step", MINUTE, |w| in_step(w) == 1);
    assert_eq!(world.phone.app.pages_given, 0, "its cursor moved with the digest, without any change");
}

#[test]
fn rows_that_a_rolled_back_phone_wrote_anew_under_old_revisions_arrive() {
    // req: RES-023
    let mut world = synced(15, 30);
    let before = world.phone.disk.clone();
    add(&mut world, b"a", 3);
    let _ = world.web.send(world.now, &Bytes::from_static(b"done and lost")).unwrap();
    world.run_until("answered", MINUTE, |w| w.web.disk.effects.len() == 1);
    world.run_for(Duration::from_secs(2));
    // The phone's disk forgets all that, and other rows get the same revisions.
    let rows = before.rows.clone();
    world.phone.disk = before;
    world.phone.disk.rows = rows;
    world.web.events.clear();
    for n in 31..=33 {
        let _ = world.phone.disk.rows.insert((b"a".to_vec(), n), b"another".to_vec());
    }
    world.crash(DeviceRole::Phone);
    world.run_until("in step", MINUTE, |w| in_step(w) == 1);
    let lost = Event::Connected { verdict: Verdict::Reset(ResetReason::LackW2p) };
    assert!(world.saw(DeviceRole::Web, &lost), "{:?}", world.web.events);
    assert_eq!(world.web.disk.rows, world.phone.disk.rows);
}

#[test]
fn a_phone_that_lost_rows_alone_is_noticed_by_the_revision_that_the_companion_knows() {
    // req: RES-020, RES-023
    let mut world = synced(16, 30);
    add(&mut world, b"a", 3);
    world.run_until("three more", MINUTE, |w| w.web.disk.rows.len() == 33);
    world.run_for(Duration::from_secs(2));
    // Its disk forgets the last rows; before the companion is back it has written as many others.
    world.phone.disk.rows.retain(|(_, rev), _| *rev <= 30);
    world.crash(DeviceRole::Phone);
    world.web.events.clear();
    for _ in 0..4 {
        world.phone.add_row(world.now, b"a", b"another");
    }
    world.run_until("in step", MINUTE, |w| in_step(w) == 1);
    let back = Event::Connected { verdict: Verdict::Reset(ResetReason::LogBack) };
    assert!(world.saw(DeviceRole::Web, &back), "{:?}", world.web.events);
    assert_eq!(world.web.disk.rows, world.phone.disk.rows);
}

#[test]
fn a_collection_of_which_nothing_is_kept_begins_at_the_newest_revision() {
    // req: MSG-062
    let mut world = World::live(17);
    add(&mut world, b"a", 40);
    world.web.machine.companion().subscribe_from_now(world.now, collection(b"c")).unwrap();
    world.run_until("in step", MINUTE, |w| in_step(w) == 1);
    assert_eq!((world.phone.app.pages_given, world.web.disk.rows.len()), (1, 0));
    add(&mut world, b"c", 3);
    world.run_until("three rows", MINUTE, |w| w.web.disk.rows.len() == 3);
    // The next connection goes on from the cursor.
    world.crash(DeviceRole::Web);
    let live = |w: &mut World| count(w, |event| matches!(event, Event::Connected { .. })) > 0;
    world.run_until("connected", MINUTE, live);
    add(&mut world, b"c", 2);
    world.web.machine.companion().subscribe_from_now(world.now, collection(b"c")).unwrap();
    world.run_until("five rows", MINUTE, |w| w.web.disk.rows.len() == 5);
    assert_eq!(world.phone.app.pages_given, 1);
}
