//! Fixed links.

use handfast_codec::ids::{CompanionId, Salt};
use handfast_codec::{DeviceRole, RelayName};
use handfast_session::Pairs;
use rand_chacha::rand_core::CryptoRng;

/// The rows of both sides of a fresh ACTIVE link.
pub fn linked(rng: &mut dyn CryptoRng) -> (Pairs, Pairs) {
    todo_pairing(rng)
}

fn todo_pairing(_rng: &mut dyn CryptoRng) -> (Pairs, Pairs) {
    let _ = (CompanionId::from_bytes([1; 16]), Salt::from_bytes([2; 16]), DeviceRole::Phone, RelayName::parse("localhost"));
    unreachable!()
}
