//! The keys that identify commands.

use handfast::codec::ids::CommandKey;
use rand_core::CryptoRng;

/// Draws the key of a new command. Call it once, when the user acts.
pub(super) fn draw_key(rng: &mut dyn CryptoRng) -> CommandKey {
    // By its key the phone recognizes a command that is repeated, so no two commands may have the same key.
    // req: RES-024
    let mut key = [0; 16];
    rng.fill_bytes(&mut key);
    CommandKey::from_bytes(key)
}
