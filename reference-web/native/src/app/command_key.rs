//! The keys of commands.

use handfast::codec::ids::CommandKey;
use rand_core::CryptoRng;

/// Draws the key of a command. Called once, when the user acts.
pub(super) fn draw_key(rng: &mut dyn CryptoRng) -> CommandKey {
    // The phone recognizes a repeated command by its key, so no two commands may share one.
    // req: RES-024
    let mut key = [0; 16];
    rng.fill_bytes(&mut key);
    CommandKey::from_bytes(key)
}
