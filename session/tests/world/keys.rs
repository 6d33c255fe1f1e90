//! Links, made by the pairing handshake in memory.

use handfast_codec::RelayName;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_session::Pairs;
use handfast_session::hazmat::Linked;
use rand_chacha::rand_core::CryptoRng;

fn fresh(rng: &mut dyn CryptoRng) -> Linked {
    Linked::new(RelayName::parse("127.0.0.1:8787").unwrap(), rng).unwrap()
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
