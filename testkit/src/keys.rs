//! Links, made by the pairing handshake in memory.

use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_session::LinkRows;
use handfast_session::testing::{self, Linked};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{CryptoRng, SeedableRng};

use crate::account::World;
use crate::net::START;
use crate::relay;

/// Both sides of a fresh link, and the account's key.
pub fn link(rng: &mut dyn CryptoRng) -> ((PhoneLink, Start), (WebLink, Start), SigningKey) {
    let Linked { phone, web, account } = Linked::new(relay::name(), rng).unwrap();
    (phone, web, account)
}

/// The rows of both sides of a fresh ACTIVE link: the phone's, the web's.
pub fn linked(rng: &mut dyn CryptoRng) -> (LinkRows, LinkRows) {
    Linked::new(relay::name(), rng).unwrap().rows()
}

/// The rows of a phone's side; the link is OFFERED unless `active`.
pub fn phone_rows((link, start): (PhoneLink, Start), active: bool) -> LinkRows {
    if active { testing::phone_pairs(&link, start) } else { testing::offered_pairs(&link, start) }
}

/// The rows of a web's side; the link is PENDING unless `active`.
pub fn web_rows((link, start): (WebLink, Start), active: bool) -> LinkRows {
    testing::web_pairs(&link, start, active)
}

impl World {
    /// A linked pair, both down.
    pub fn linked(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (phone, web) = linked(&mut rng);
        Self::of_rows(phone, web, START, rng)
    }

    /// A pair whose link is OFFERED at the phone and PENDING at the web, unless it is active there; both down.
    pub fn half_linked(seed: u64, phone_active: bool, web_active: bool) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (phone, web, _) = link(&mut rng);
        Self::of_rows(phone_rows(phone, phone_active), web_rows(web, web_active), START, rng)
    }

    /// A linked pair that is live.
    pub fn live(seed: u64) -> Self {
        let mut world = Self::linked(seed);
        world.run_until_live();
        world
    }
}
