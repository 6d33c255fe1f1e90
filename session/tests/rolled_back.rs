//! A web that is rolled back to a state in which the ratchet lets it return.

use std::time::Duration;

use handfast_codec::role::DeviceRole;
use handfast_session::Event;
use handfast_session::resume::{ResetReason, Verdict};
use handfast_testkit::{Clocked as _, World};

/// The try of a message 1, and the verdict with the next psk.
const COMMITS_OF_A_RETURN: usize = 2;
const MINUTE: Duration = Duration::from_mins(1);

/// The phone ran these commands, each once and in this order, and the web waits for no result.
fn ran(world: &mut World, texts: &[&str]) {
    world.run_until("settled", 5 * MINUTE, |w| {
        w.phone.disk.effects.len() >= texts.len()
            && [&w.web, &w.phone].into_iter().all(|d| d.machine.outbox_len() == (0, 0))
    });
    let bodies: Vec<_> = world.phone.disk.effects.iter().map(|(_, body)| body.as_slice()).collect();
    assert_eq!(bodies, texts.iter().map(|text| text.as_bytes()).collect::<Vec<_>>());
}

#[test]
fn a_command_whose_result_was_forgotten_is_asked_again_and_not_run_again() {
    // req: RES-017
    let mut world = World::live(61);
    let _ = world.send("first");
    // The phone runs it, and nothing of what it says arrives.
    world.filter(|role, _| role == DeviceRole::Web);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.phone.disk.effects.len(), 1);
    world.unfilter();
    world.cut(DeviceRole::Web);
    // The web knows from the resume block that the phone has it, and has no result yet.
    world.web.copy_at = Some(world.web.commits + COMMITS_OF_A_RETURN);
    ran(&mut world, &["first"]);
    let old = *world.web.copy.take().unwrap();
    assert!(old.effects.is_empty());
    world.web.disk = old;
    world.crash(DeviceRole::Web);
    world.run_until_live();
    let reason = Verdict::Reset(ResetReason::WebBack);
    assert!(world.saw(DeviceRole::Web, &Event::Connected { verdict: reason }));
    ran(&mut world, &["first"]);
    assert_eq!(world.web.disk.effects, [(1, b"did first".to_vec())], "it is settled");
    let _ = world.send("second");
    ran(&mut world, &["first", "second"]);
}
