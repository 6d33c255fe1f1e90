//! Rows of a phone's link are none of a companion's, and the other way round.

use handfast_session::{CompanionEndpoint, LinkRows, LoadError, PhoneEndpoint, Value};
use handfast_testkit::host::LOG;
use handfast_testkit::keys;
use handfast_testkit::net::START;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// The key of the row with the link's keys and terms.
const LINK: &[u8] = &[0x01];

fn as_phone(rows: &LinkRows) -> Option<LoadError> {
    PhoneEndpoint::load(rows, LOG, START, &mut ChaCha20Rng::seed_from_u64(1)).err()
}

fn as_companion(rows: &LinkRows) -> Option<LoadError> {
    CompanionEndpoint::load(rows, START, &mut ChaCha20Rng::seed_from_u64(1)).err()
}

#[test]
fn a_link_is_loaded_in_its_own_role_alone() {
    let (mut phone, mut web) = keys::linked(&mut ChaCha20Rng::seed_from_u64(2));
    assert_eq!((as_phone(&phone), as_companion(&web)), (None, None));
    assert_eq!(as_phone(&web), Some(LoadError::OtherRole));
    assert_eq!(as_companion(&phone), Some(LoadError::OtherRole));
    for rows in [&mut phone, &mut web] {
        let _ = rows.insert(LINK.to_vec(), Value::new(vec![0xff; 3]));
    }
    assert_eq!((as_phone(&phone), as_companion(&web)), (Some(LoadError::Damaged), Some(LoadError::Damaged)));
}
