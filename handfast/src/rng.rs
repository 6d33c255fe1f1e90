//! The generator that programs hand to the machines.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

/// The operating system gives no random bytes: a program refuses to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
#[non_exhaustive]
pub struct NoRandomness;

/// A `ChaCha20` generator seeded by the operating system. It cannot fail any more, as the machines require.
///
/// # Errors
/// [`NoRandomness`] when the operating system gives no seed.
///
/// # Security
/// One generator is for one process: do not keep it over a fork, and do not store it.
pub fn os_rng() -> Result<ChaCha20Rng, NoRandomness> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(|_| NoRandomness)?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

#[cfg(test)]
mod tests {
    use rand_core::Rng;

    use super::*;

    #[test]
    fn two_generators_differ() {
        let (mut one, mut two) = (os_rng().expect("a seed"), os_rng().expect("a seed"));
        assert_ne!(one.next_u64(), two.next_u64());
    }
}
