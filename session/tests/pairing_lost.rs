//! Pairings that lose something on the way: a commit, a socket, a record.

use std::time::Duration;

use handfast_codec::DeviceRole;
use handfast_codec::error::ErrorCode;
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_session::LinkStatus;
use handfast_testkit::host::Crash;
use handfast_testkit::{Clocked as _, Couple};

const PHONE: DeviceRole = DeviceRole::Phone;
const WEB: DeviceRole = DeviceRole::Web;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn what_depends_on_a_commit_waits_for_it() {
    // req: HSK-080, HSK-081
    // Message 3 and LINK_CERT wait for OFFERED, ACCEPT for PENDING, COMMIT for ACTIVE, Linked for ACTIVE.
    let mut couple = Couple::new(11);
    couple.phone.hold = true;
    couple.web.hold = true;
    couple.type_code();
    let sent = couple.phone.sent;
    couple.say_yes();
    assert_eq!(couple.phone.sent, sent, "message 3 waits");
    couple.release(PHONE);
    couple.phone.hold = true;
    assert_eq!(couple.phone.sent, sent + 2, "message 3 and LINK_CERT");

    let sent = couple.web.sent;
    couple.type_number();
    couple.settle();
    assert_eq!(couple.web.sent, sent, "LINK_ACCEPT waits");
    couple.release(WEB);
    couple.web.hold = true;
    assert_eq!(couple.web.sent, sent + 1);

    let sent = couple.phone.sent;
    couple.settle();
    assert_eq!(couple.phone.sent, sent, "LINK_COMMIT waits");
    assert!(!couple.phone.is_linked());
    couple.release(PHONE);
    assert_eq!(couple.phone.sent, sent + 1);
    assert!(couple.phone.is_linked());

    assert!(!couple.web.is_linked(), "Linked waits");
    couple.release(WEB);
    assert!(couple.web.is_linked());
}

#[test]
fn a_crash_around_every_commit_leaves_a_link_or_none() {
    // req: HSK-018
    let cases = [
        // An offer that was never heard of: no link.
        (PHONE, Crash::Before(1), None),
        (PHONE, Crash::After(1), Some(false)),
        // Nothing was accepted: no link.
        (WEB, Crash::Before(1), Some(false)),
        // The web is PENDING: its confirm carries ACCEPT, and the phone answers COMMIT.
        (WEB, Crash::After(1), Some(true)),
        (PHONE, Crash::Before(2), Some(true)),
        (PHONE, Crash::After(2), Some(true)),
        (WEB, Crash::Before(2), Some(true)),
        (WEB, Crash::After(2), Some(true)),
    ];
    for (n, (role, crash, expected)) in (100..).zip(cases) {
        let mut couple = Couple::new(n);
        couple.device(role).crash = Some(crash);
        couple.confirm();
        couple.run_for(seconds(120));
        assert!(couple.device(role).is_dead(), "{role:?} {crash:?}: the crash came to pass");
        let survivor = couple.device(!role);
        assert!(
            survivor.is_linked() || survivor.ended().is_some(),
            "{role:?} {crash:?}: the other side knows"
        );
        match expected {
            None => assert!(!couple.phone.has_link() && !couple.web.has_link(), "{role:?} {crash:?}"),
            Some(false) => assert!(!couple.web.has_link(), "{role:?} {crash:?}"),
            Some(true) => {
                let world = couple.run_stored();
                assert_eq!(world.phone.machine.status(), LinkStatus::Active, "{role:?} {crash:?}");
                assert_eq!(world.web.machine.status(), LinkStatus::Active, "{role:?} {crash:?}");
            }
        }
    }
}

#[test]
fn a_socket_lost_in_the_middle_ends_the_attempt_and_forgets_no_stored_link() {
    // req: HSK-012, HSK-045, HSK-108
    for (n, cut) in (200..).zip([PHONE, WEB]) {
        // While the user is asked for the code.
        let mut couple = Couple::new(n);
        let _ = couple.scan();
        couple.cut(cut);
        couple.settle();
        assert_eq!(couple.phone.ended(), Some(ErrorCode::PEER_GONE));
        assert_eq!(couple.web.ended(), Some(ErrorCode::PEER_GONE));
        // While ACCEPT is on its way: the relay drops it, then the socket.
        let mut couple = Couple::new(n + 10);
        couple.approve();
        couple.alter(|role, frame| if role == WEB { vec![] } else { vec![frame] });
        couple.type_number();
        couple.settle();
        couple.cut(cut);
        couple.settle();
        assert_eq!(couple.phone.ended(), Some(ErrorCode::PEER_GONE));
        assert_eq!(couple.web.ended(), Some(ErrorCode::PEER_GONE));
        assert!(couple.phone.has_link() && couple.web.has_link());
        let world = couple.run_stored();
        assert_eq!(world.phone.machine.status(), LinkStatus::Active);
    }
}

#[test]
fn a_lost_acceptance_or_commit_is_made_good_in_the_link_mailbox() {
    // req: HSK-006, HSK-018
    for (n, dropper) in (300..).zip([WEB, PHONE]) {
        let mut couple = Couple::new(n);
        couple.approve();
        couple.alter(move |role, frame| {
            let record = matches!(
                RelayFrame::decode(frame.clone()),
                Ok(RelayFrame::Data { kind: DataKind::RECORD, .. })
            );
            if role == dropper && record { vec![] } else { vec![frame] }
        });
        couple.type_number();
        couple.run_for(seconds(10));
        let expected = if dropper == WEB { ErrorCode::TIMEOUT } else { ErrorCode::PEER_GONE };
        assert_eq!(couple.web.ended(), Some(expected));
        let world = couple.run_stored();
        assert_eq!(world.web.machine.status(), LinkStatus::Active);
        assert_eq!(world.phone.machine.status(), LinkStatus::Active);
    }
}

/// A couple whose relay harms `LINK_ACCEPT`, and drops the phone's answer where that is asked.
fn harmed_accept(answer_lost: bool) -> Couple {
    let mut couple = Couple::new(12);
    couple.approve();
    couple.alter(move |role, frame| {
        let mut frame = frame.to_vec();
        let is_data = frame.len() > 100;
        if role == WEB && is_data {
            *frame.last_mut().unwrap() ^= 1;
        }
        if role == PHONE && is_data && answer_lost { vec![] } else { vec![frame.into()] }
    });
    couple.type_number();
    couple.settle();
    couple
}

#[test]
fn a_record_that_does_not_open_ends_the_attempt() {
    // req: CHN-003
    let couple = harmed_accept(false);
    assert_eq!(couple.phone.ended(), Some(ErrorCode::DECRYPT_FAILED));
    assert_eq!(couple.web.ended(), Some(ErrorCode::DECRYPT_FAILED));
    assert!(!couple.web.has_link());
}

#[test]
fn a_phone_keeps_its_offer_when_the_relay_alone_ended_the_attempt() {
    // req: HSK-087
    // The web is PENDING, and proves its LINK_ACCEPT in the link's own mailbox.
    let couple = harmed_accept(true);
    assert_eq!(couple.phone.ended(), Some(ErrorCode::DECRYPT_FAILED));
    assert_eq!(couple.web.ended(), Some(ErrorCode::PEER_GONE));
    assert!(couple.phone.has_link() && couple.web.has_link());
}
