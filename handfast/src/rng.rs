//! The random generator that programs pass to the machines.

use core::convert::Infallible;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

const KEY_LEN: usize = 32;

/// The error that the operating system provides no random bytes. A program must stop then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
#[non_exhaustive]
pub struct NoRandomness;

/// A random generator that cannot be run backwards, and does not repeat itself after a fork.
///
/// The generator keeps one key. Each draw mixes fresh bytes of the operating system into the key, computes
/// the output of `ChaCha20` under the key, replaces the key by the first part of the output (*fast key
/// erasure*), and returns the part after that. A draw cannot fail, as the machines require.
///
/// # Security
/// Whoever reads the generator's memory later (from a core dump, swap, or a snapshot of the machine) learns
/// nothing of what it returned before. Two copies of a generator, made by a fork or by resuming a snapshot
/// twice, return different bytes as long as the operating system provides random bytes. If the operating
/// system fails later, a draw uses the key alone.
pub struct SystemRng {
    key: Zeroizing<[u8; KEY_LEN]>,
}

impl core::fmt::Debug for SystemRng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SystemRng").finish_non_exhaustive()
    }
}

impl SystemRng {
    /// Draws bytes. The key is replaced before the bytes are returned.
    fn draw(&mut self, fresh: &[u8; KEY_LEN], out: &mut [u8]) {
        // req: HSK-121
        for (key, fresh) in self.key.iter_mut().zip(fresh) {
            *key ^= fresh;
        }
        // Each key is used for one draw only, so the nonce may be constant.
        let mut stream = ChaCha20::new(&(*self.key).into(), &[0; 12].into());
        // req: HSK-120
        self.key.fill(0);
        stream.apply_keystream(self.key.as_mut());
        out.fill(0);
        stream.apply_keystream(out);
    }
}

impl TryRng for SystemRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let mut fresh = Zeroizing::new([0; KEY_LEN]);
        // If the operating system fails, the draw uses the key alone.
        let _ = getrandom::fill(fresh.as_mut());
        self.draw(&fresh, out);
        Ok(())
    }
}

impl TryCryptoRng for SystemRng {}

/// Creates a generator seeded by the operating system.
///
/// # Errors
/// [`NoRandomness`] when the operating system provides no seed.
pub fn os_rng() -> Result<SystemRng, NoRandomness> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    getrandom::fill(key.as_mut()).map_err(|_| NoRandomness)?;
    Ok(SystemRng { key })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;

    /// Attacks a generator as somebody who has its state would. Runs each key in the state by either
    /// construction, and looks for bytes that were drawn earlier.
    fn is_recovered(state: &[u8], drawn: &[u8; 32]) -> bool {
        state.windows(KEY_LEN).any(|key| {
            let key: [u8; KEY_LEN] = key.try_into().expect("a window of that length");
            let mut stream = [0; 4096];
            ChaCha20::new(&key.into(), &[0; 12].into()).apply_keystream(&mut stream);
            stream.windows(drawn.len()).any(|bytes| bytes == drawn)
        })
    }

    fn drawn(rng: &mut dyn rand_core::CryptoRng) -> [u8; 32] {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        bytes
    }

    #[test]
    fn two_generators_differ() {
        let (mut one, mut two) = (os_rng().expect("a seed"), os_rng().expect("a seed"));
        assert_ne!(one.next_u64(), two.next_u64());
    }

    // req: HSK-120
    #[test]
    fn a_later_state_recovers_nothing_that_was_drawn_before() {
        let mut rng = os_rng().expect("a seed");
        for draws_between in [0, 1, 7, 100] {
            let ephemeral = drawn(&mut rng);
            for _ in 0..draws_between {
                let _ = rng.next_u64();
            }
            assert!(!is_recovered(rng.key.as_ref(), &ephemeral), "{draws_between} draws later");
        }
        // A later state must not reveal earlier bytes even when the operating system provides none.
        let mut bytes = [0; 32];
        rng.draw(&[0; KEY_LEN], &mut bytes);
        assert!(!is_recovered(rng.key.as_ref(), &bytes));
    }

    #[test]
    fn the_same_search_recovers_an_ephemeral_of_a_seed_that_is_kept() {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("a seed");
        let mut rng = ChaCha20Rng::from_seed(seed);
        let ephemeral = drawn(&mut rng);
        for _ in 0..100 {
            let _ = rng.next_u64();
        }
        assert!(is_recovered(&rng.get_seed(), &ephemeral));
    }

    // req: HSK-121
    #[test]
    fn a_state_that_goes_on_twice_draws_different_bytes() {
        let original = os_rng().expect("a seed");
        let mut copies = [0, 1, 2].map(|_| SystemRng { key: original.key.clone() });
        let draws = copies.each_mut().map(|rng| drawn(rng));
        assert!(draws[0] != draws[1] && draws[1] != draws[2] && draws[0] != draws[2]);
        assert!(copies[0].key != copies[1].key, "and they never meet again");
    }

    #[test]
    fn one_state_and_the_same_fresh_bytes_draw_the_same() {
        let original = os_rng().expect("a seed");
        let mut copies = [0, 1].map(|_| SystemRng { key: original.key.clone() });
        let draws = copies.each_mut().map(|rng| {
            let mut bytes = [0; 32];
            rng.draw(&[7; KEY_LEN], &mut bytes);
            bytes
        });
        assert_eq!(draws[0], draws[1], "so it is the system's bytes that part two copies");
    }
}
