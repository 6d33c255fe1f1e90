//! Links, made by the pairing handshake in memory.

use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_session::Pairs;
use handfast_session::hazmat::Linked;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{CryptoRng, SeedableRng};

use crate::account::World;
use crate::net::START;
use crate::relay;

fn fresh(rng: &mut dyn CryptoRng) -> Linked {
    Linked::new(relay::name(), rng).unwrap()
}

/// Both sides of a fresh link, and the account's key.
pub fn link(rng: &mut dyn CryptoRng) -> ((PhoneLink, Start), (WebLink, Start), SigningKey) {
    let Linked { phone, web, account } = fresh(rng);
    (phone, web, account)
}

/// The rows of both sides of a fresh ACTIVE link: the phone's, the web's.
pub fn linked(rng: &mut dyn CryptoRng) -> (Pairs, Pairs) {
    fresh(rng).rows()
}

impl World {
    /// A linked pair, both down.
    pub fn linked(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (phone, web) = linked(&mut rng);
        Self::of_rows(phone, web, START, rng)
    }

    /// A linked pair that is live.
    pub fn live(seed: u64) -> Self {
        let mut world = Self::linked(seed);
        world.run_until_live();
        world
    }
}
