//! The cases of the suite. Each starts with an empty store, and panics when the store breaks a guarantee.

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;

use handfast_session::Op;
use handfast_session::testing::commit;

use super::harness::{Fault, StoreHarness, Write, WriteError};
use super::model::{LINK, OTHER, PLAIN, Pair, SECRET, delete_range, mixed, put, version};

/// If a transaction makes this many calls and none has failed, the suite assumes that the store ignores
/// injected faults.
const CALLS_MAX: u64 = 1_000_000;
/// How many commits whose answer was lost are examined. In some stores only one call can cause that, in
/// others many.
const IN_DOUBT_MAX: u64 = 4;

/// Checks that a new store has no links, rows or effects.
pub async fn a_new_store_holds_nothing<H: StoreHarness>() {
    let mut pair = Pair::<H>::new().await;
    pair.check_reopened("new").await;
    pair.check_reopened("opened again").await;
}

/// Checks that what one transaction wrote, a commit and its effect, is there after a restart of the process.
pub async fn a_commit_and_its_effect_are_there_together_after_a_start<H: StoreHarness>() {
    let mut pair = Pair::<H>::new().await;
    let mut holder = pair.harness.open().await;
    for n in 0..6 {
        pair.write(&mut holder, &[mixed(LINK, n)], n).await;
        pair.check(&mut holder, "written").await;
    }
    drop(holder);
    pair.check_reopened("reopened").await;
    // Commits of several links, or several of one link, may share a transaction.
    let mut holder = pair.harness.open().await;
    pair.write(&mut holder, &[mixed(LINK, 6), mixed(OTHER, 0), mixed(LINK, 7)], 6).await;
    drop(holder);
    pair.check_reopened("several in one").await;
}

/// Checks keys of 1 to 64 bytes, and values from empty to large, with all byte values.
pub async fn whatever_is_written_is_read_again<H: StoreHarness>() {
    let mut pair = Pair::<H>::new().await;
    let mut holder = pair.harness.open().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let ops = vec![
        put(SECRET, &every_byte),
        put(&[0x02], &[]),
        put(&[0x30; 64], &vec![0; 70_000]),
        put(&[0x30; 63], &vec![0xff; 70_000]),
        put(&[0x31, 0], b"NUL"),
        put(&[0x31], b"'; DROP TABLE handfast; --"),
        put(&[0x40, 0xff, 0xff], &every_byte),
    ];
    pair.write(&mut holder, &[commit(LINK, 0, ops)], 0).await;
    pair.check(&mut holder, "written").await;
    let ops = every_byte.iter().filter(|byte| **byte > 1).map(|byte| put(&[*byte], &[*byte])).collect();
    pair.write(&mut holder, &[commit(LINK, 1, ops)], 1).await;
    pair.check(&mut holder, "written over").await;
    drop(holder);
    pair.check_reopened("reopened").await;
}

/// Checks that `DeleteRange` includes its first key and excludes its last, and that keys are compared byte by
/// byte, as unsigned numbers.
pub async fn ranges_are_half_open_and_stay_in_their_link<H: StoreHarness>() {
    let mut pair = Pair::<H>::new().await;
    let mut holder = pair.harness.open().await;
    let keys: [&[u8]; 8] =
        [&[0x20], &[0x20, 0], &[0x20, 0xff], &[0x20, 0xff, 0], &[0x21], &[0x7f], &[0x80], &[0xfe]];
    let all = || keys.iter().map(|key| put(key, key)).collect::<Vec<Op>>();
    pair.write(&mut holder, &[commit(LINK, 0, all()), commit(OTHER, 0, all())], 0).await;
    let ranges: [(&[u8], &[u8]); 5] = [
        (&[0x20], &[0x20]),
        (&[0x21], &[0x20]),
        (&[0x20, 0], &[0x20, 0xff, 0]),
        (&[0x70], &[0x80]),
        (&[0x20], &[0xff]),
    ];
    for (n, (from, to)) in (1..).zip(ranges) {
        pair.write(&mut holder, &[commit(LINK, n, vec![delete_range(from, to)])], n).await;
        pair.check(&mut holder, "a range is gone").await;
    }
    // The operations of a commit take effect in order.
    let ops = vec![
        put(PLAIN, b"1"),
        Op::Delete { key: PLAIN.to_vec() },
        Op::Delete { key: PLAIN.to_vec() },
        put(PLAIN, b"2"),
        delete_range(PLAIN, &[0x12]),
        put(PLAIN, b"3"),
    ];
    pair.write(&mut holder, &[commit(LINK, 6, ops)], 6).await;
    pair.check(&mut holder, "in order").await;
}

/// Checks that a process which dies in the middle of a transaction leaves nothing of it.
pub async fn a_holder_that_dies_within_a_transaction_leaves_nothing_of_it<H: StoreHarness>() {
    let mut pair = Pair::<H>::new().await;
    for n in 0..4 {
        let mut holder = pair.harness.open().await;
        pair.write(&mut holder, &[mixed(LINK, n)], n).await;
        let commits = [mixed(LINK, n + 1), mixed(OTHER, 0)];
        pair.harness.die_within(holder, &Write { commits: &commits, effect: Some(99) }).await;
        pair.check_reopened("after a death").await;
    }
}

/// Checks, for every call within a transaction: if the call fails, nothing of the transaction is stored, and
/// the same transaction can be repeated. If the commit call itself fails, the whole transaction may be
/// stored, since perhaps only the answer was lost.
pub async fn a_call_that_fails_leaves_the_store_as_it_was<H: StoreHarness>() {
    each_call_fails::<H>(Fault::Once).await;
}

/// Checks a store of which all calls fail from some call on, including the rollback: once it works again, it
/// has the content that it had before.
pub async fn a_store_that_fails_from_a_call_on_is_as_it_was_when_it_works_again<H: StoreHarness>() {
    each_call_fails::<H>(Fault::From).await;
}

async fn each_call_fails<H: StoreHarness>(fault: fn(u64) -> Fault) {
    let mut pair = Pair::<H>::new().await;
    let mut holder = pair.harness.open().await;
    pair.write(&mut holder, &[mixed(LINK, 0)], 0).await;
    let mut in_doubt = 0;
    for nth in 1..CALLS_MAX {
        let (at, other) = (pair.model.version(LINK), pair.model.version(OTHER));
        let commits = [mixed(LINK, at), mixed(LINK, at + 1), mixed(OTHER, other)];
        let write = Write { commits: &commits, effect: Some(2 * nth) };
        pair.harness.set_fault(&mut holder, Some(fault(nth)));
        let written = pair.harness.write(&mut holder, &write).await;
        pair.harness.set_fault(&mut holder, None);
        if written.is_err() {
            pair.harness.recover(&mut holder).await;
        }
        let is_there = pair.harness.effects(&mut holder).await.last() == Some(&(2 * nth));
        if is_there {
            pair.model.take(&write);
        }
        assert_ne!(written, Err(WriteError::Conflict), "call {nth}: a failure is no conflict");
        assert!(is_there || written.is_err(), "call {nth}: what was acknowledged is there");
        let least = pair.harness.calls_min();
        assert!(nth > least || !is_there, "call {nth}: three commits take more calls before they are there");
        pair.check(&mut holder, "a call failed").await;
        in_doubt += u64::from(is_there);
        if written.is_ok() || in_doubt == IN_DOUBT_MAX {
            // By now each call before the commit has failed once.
            drop(holder);
            return pair.check_reopened("each call failed once").await;
        }
        if nth % 64 == 1 || is_there {
            // The store accepts further writes, from the same process and after a restart.
            let at = pair.model.version(LINK);
            pair.write(&mut holder, &[mixed(LINK, at), mixed(LINK, at + 1)], 2 * nth + 1).await;
            holder = pair.harness.open().await;
            pair.check(&mut holder, "it goes on").await;
        }
    }
    panic!("faults never end");
}

/// Checks two processes that have one store open (a copied profile, a stolen lock, a frozen tab): the second
/// to write gets a conflict, and never writes.
pub async fn a_swap_is_lost_by_whoever_comes_second_and_the_loser_never_writes<H: StoreHarness>() {
    let mut pair = Pair::<H>::new().await;
    let mut winner = pair.harness.open().await;
    pair.write(&mut winner, &[mixed(LINK, 0)], 0).await;
    let mut loser = pair.harness.open().await;
    pair.write(&mut winner, &[mixed(LINK, 1)], 1).await;
    // The loser's machine expects version 1, and then the versions of the commits that it has returned since.
    for (n, expects) in [1, 2, 3, 1].into_iter().enumerate() {
        if expects == 2 {
            // The version of the loser's second commit would match the store's. But it comes after the first
            // commit, which fails, so it must fail as well.
            pair.conflict(&mut loser, &[mixed(LINK, 1), mixed(LINK, 2)], 90).await;
        } else {
            pair.conflict(&mut loser, &[mixed(LINK, expects)], 91).await;
        }
        pair.check(&mut loser, "the loser wrote nothing").await;
        pair.write(&mut winner, &[mixed(LINK, 2 + n as u64)], 2 + n as u64).await;
    }
    drop((winner, loser));
    pair.check_reopened("the winner's alone").await;
}

/// Checks that a conflict in the last commit of a transaction undoes the transaction's other commits and its
/// effect.
pub async fn a_swap_that_is_lost_undoes_what_stands_before_it_in_the_transaction<H: StoreHarness>() {
    let mut pair = Pair::<H>::new().await;
    let mut holder = pair.harness.open().await;
    pair.write(&mut holder, &[mixed(LINK, 0), mixed(OTHER, 0)], 0).await;
    pair.conflict(&mut holder, &[mixed(LINK, 1), mixed(LINK, 2), mixed(OTHER, 5)], 1).await;
    pair.check(&mut holder, "after the conflict").await;
    pair.check_reopened("after the conflict").await;
    pair.write(&mut holder, &[mixed(LINK, 1), mixed(OTHER, 1)], 1).await;
    pair.check(&mut holder, "and on").await;
}

/// Checks that a store accepts no commit of a machine if it was replaced by an older copy, or has advanced
/// without that machine.
pub async fn a_store_that_is_older_or_newer_than_its_machine_takes_nothing<H: StoreHarness>() {
    let mut pair = Pair::<H>::new().await;
    let mut holder = pair.harness.open().await;
    pair.conflict(&mut holder, &[mixed(LINK, 1)], 0).await;
    for n in 0..3 {
        pair.write(&mut holder, &[mixed(LINK, n)], n).await;
    }
    for expects in [0, 1, 2, 4, 5, u64::MAX - 1, u64::MAX] {
        pair.conflict(&mut holder, &[mixed(LINK, expects)], 9).await;
    }
    pair.check(&mut holder, "nothing was taken").await;
    pair.write(&mut holder, &[mixed(LINK, 3)], 3).await;
}

/// Checks that of a wiped link only its version is left, so that an older machine cannot bring the link back.
pub async fn a_wiped_link_is_gone_and_stays_gone<H: StoreHarness>() {
    let mut pair = Pair::<H>::new().await;
    let mut holder = pair.harness.open().await;
    pair.write(&mut holder, &[mixed(LINK, 0), mixed(OTHER, 0)], 0).await;
    pair.write(&mut holder, &[commit(LINK, 1, vec![delete_range(&[0x01], &[0xff])])], 1).await;
    pair.check(&mut holder, "wiped").await;
    assert_eq!(pair.harness.links(&mut holder).await, [OTHER]);
    assert_eq!(version(&pair.harness.pairs(&mut holder, LINK).await), 2);
    for expects in [0, 1] {
        pair.conflict(&mut holder, &[mixed(LINK, expects)], 9).await;
    }
    drop(holder);
    pair.check_reopened("wiped").await;
}

/// Checks that rows and versions of one link are independent of another link's.
pub async fn links_do_not_see_one_another<H: StoreHarness>() {
    let mut pair = Pair::<H>::new().await;
    let mut holder = pair.harness.open().await;
    for n in 0..5 {
        pair.write(&mut holder, &[mixed(LINK, n)], n).await;
    }
    pair.conflict(&mut holder, &[mixed(OTHER, 5)], 9).await;
    pair.write(&mut holder, &[mixed(OTHER, 0)], 5).await;
    pair.check(&mut holder, "two links").await;
}
