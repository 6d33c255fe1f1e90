//! The cases of `spec/models/resume_epoch.py`, rule B, between two real endpoints.

use std::time::Duration;

use handfast_codec::ids::Epoch;
use handfast_codec::{DeviceRole, Timestamp};
use handfast_handshake::link::Start;
use handfast_handshake::secret::Psk;
use handfast_session::resume::Verdict;
use handfast_session::{Event, testing};
use handfast_testkit::{Clocked as _, World, keys};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// How `resume_epoch.py` begins: the web's out and in epoch, the phone's out and in epoch.
const STARTS: [[u8; 4]; 5] = [[1, 2, 2, 1], [9, 2, 2, 1], [1, 9, 2, 1], [8, 9, 2, 1], [1, 2, 7, 6]];
/// Connections beyond the cut ones after which a session must go on.
const CONNECTIONS_MAX: usize = 2;

#[test]
fn a_session_with_any_epochs_resumes_after_two_connections() {
    // req: RES-021, RES-022
    let mut cases = 0;
    for start in STARTS {
        for cuts in 0..8_u8 {
            resume_case(start, cuts);
            cases += 1;
        }
    }
    println!(
        "resume: {cases} cases, each goes on after at most {CONNECTIONS_MAX} connections beyond the cut ones"
    );
}

/// Connections are cut before the confirm where `cuts` has a bit.
fn resume_case(start: [u8; 4], cuts: u8) {
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(cuts));
    let now = Timestamp::from_micros(1);
    let ((phone, phone_start), (web, web_start), _) = keys::link(&mut rng);
    let epochs = |start: &Start, w2p: u8, p2w: u8| Start {
        resume: Psk::from_bytes(*start.resume.expose()),
        epoch_w2p: Epoch::from_bytes([w2p; 16]),
        epoch_p2w: Epoch::from_bytes([p2w; 16]),
    };
    let phone_start = epochs(&phone_start, start[3], start[2]);
    let web_start = epochs(&web_start, start[0], start[1]);
    let (phone, web) = (testing::phone_pairs(&phone, phone_start), testing::web_pairs(&web, web_start, true));
    let mut world = World::of_rows(phone, web, now, rng);
    let mut honest = 0;
    for connection in 0..8 {
        let is_cut = cuts & 1_u8.checked_shl(connection).unwrap_or(0) != 0;
        world.web.events.clear();
        world.phone.events.clear();
        if is_cut {
            // The web has committed its verdict; its confirm is lost.
            world.filter(|role, bytes| role == DeviceRole::Phone || bytes.get(..2) != Some(&[9, 7]));
            world.run_for(Duration::from_secs(9));
            world.unfilter();
        } else {
            world.run_until_live();
            honest += 1;
            let resumed = world.web.events.contains(&Event::Connected { verdict: Verdict::Resume });
            assert_eq!(
                resumed,
                world.phone.events.contains(&Event::Connected { verdict: Verdict::Resume }),
                "one verdict"
            );
            if resumed {
                assert!(honest <= CONNECTIONS_MAX, "{start:?} {cuts:03b}: after {honest} connections");
                return;
            }
        }
        world.cut(DeviceRole::Web);
    }
    panic!("VIOLATION {start:?} {cuts:03b}: the session never goes on");
}
