//! Files of content that go wrong below the companion: gone, shortened, or not what they should be.

use std::path::PathBuf;

use crate::world::account::{is_done, large, offset};
use crate::world::{MINUTE, World};
use handfast::ErrorCode;
use handfast::codec::ids::ContentId;
use handfast::session::LinkState;
use handfast_testkit::Clocked as _;
use reference_web::app::AppEvent;
use reference_web::store::Direction;

/// A companion in the middle of fetching 9 MB.
fn fetching(seed: u64) -> (World, ContentId, Vec<u8>, PathBuf) {
    let mut world = World::live(seed);
    let bytes = large();
    let content = world.phone.has(bytes.clone());
    let out = world.get(content);
    world.step_until(|w| offset(w, Direction::Get) > 1_500_000);
    (world, content, bytes, out)
}

fn failures(world: &World) -> Vec<ErrorCode> {
    let error = |event: &AppEvent| match event {
        AppEvent::Transfer { error, .. } => *error,
        _ => None,
    };
    world.events.iter().filter_map(error).collect()
}

#[test]
fn a_file_that_goes_behind_our_back_while_it_is_written_ends_its_transfer_alone() {
    let (mut world, content, bytes, out) = fetching(31);
    std::fs::remove_file(world.dir.join("media").join(format!("{content}.part"))).unwrap();
    world.run_until("the end", 10 * MINUTE, |w| !failures(w).is_empty());
    assert_eq!(failures(&world), [ErrorCode::IO]);
    world.run_for(MINUTE);
    assert_eq!(world.states().last(), Some(&LinkState::Live), "the link goes on");
    // Asked for again it comes, whole.
    world.events.clear();
    world.app.get(content, &out).unwrap();
    world.run_until("fetched", 10 * MINUTE, |w| is_done(w, Direction::Get));
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
}

#[test]
fn a_fetch_whose_files_are_gone_or_short_after_a_start_begins_anew() {
    for (seed, ending, len) in
        [(32, "part", None), (33, "list", None), (34, "part", Some(100)), (35, "list", Some(5))]
    {
        let (mut world, content, bytes, out) = fetching(seed);
        world.stop_web();
        let path = world.dir.join("media").join(format!("{content}.{ending}"));
        match len {
            None => std::fs::remove_file(path).unwrap(),
            Some(len) => std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap(),
        }
        world.events.clear();
        world.restart_web();
        world.run_until("fetched", 10 * MINUTE, |w| is_done(w, Direction::Get));
        assert_eq!(std::fs::read(&out).unwrap(), bytes, "{ending} {len:?}");
        assert_eq!(failures(&world), [], "{ending} {len:?}");
    }
}

#[test]
fn a_transfer_that_fails_by_its_hash_is_not_tried_again() {
    let mut world = World::live(36);
    let mut bytes = vec![7_u8; 200_000];
    let content = world.phone.has(bytes.clone());
    bytes[150_000] ^= 1;
    let reads = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = std::rc::Rc::clone(&reads);
    let give = move |from: u64, max: usize| {
        counted.set(counted.get() + 1);
        let from = usize::try_from(from).unwrap();
        bytes[from..bytes.len().min(from + max)].to_vec()
    };
    world.phone.app.content.get_mut(&content).unwrap().bytes = Box::new(give);
    let out = world.get(content);
    world.run_until("the end", MINUTE, |w| !failures(w).is_empty());
    let read = reads.get();
    world.run_for(10 * MINUTE);
    world.restart_web();
    world.run_for(10 * MINUTE);
    assert_eq!(failures(&world), [ErrorCode::HASH], "once");
    assert_eq!(reads.get(), read, "the phone is not asked again");
    assert!(!out.exists());
}
