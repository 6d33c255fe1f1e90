//! A companion that brings the keys of another link, to the shipped phone.

use crate::both::Both;
use handfast::ErrorCode;

// req: CRT-003, CRT-013
#[test]
fn a_phone_refuses_the_keys_of_a_companion_that_it_has_or_had() {
    let mut both = Both::linked(1, 1, 1);
    both.replace_web(7);
    both.pair();
    for ended in [false, true] {
        if ended {
            both.revoke_last();
        }
        both.replace_web(7);
        assert_eq!(both.refused_scan(), ErrorCode::HANDSHAKE_FAILED, "revoked: {ended}");
        // The phone remembers it over a restart.
        both.stop_phone();
        both.start_phone();
        both.replace_web(7);
        assert_eq!(both.refused_scan(), ErrorCode::HANDSHAKE_FAILED, "revoked: {ended}");
    }
    // Other keys are as good as ever.
    both.replace_web(8);
    both.pair();
}
