//! Links, made by the pairing handshake in memory.

use handfast_codec::RelayName;
use handfast_codec::ids::{AttachmentId, CompanionId};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_handshake::pairing::phone::Offering;
use handfast_handshake::pairing::web::Code;
use handfast_handshake::pairing::{Claims, PairingContext, phone};
use handfast_session::{Pairs, hazmat};
use rand_chacha::rand_core::CryptoRng;

/// Both sides of a fresh link, and the account's key.
pub fn link(rng: &mut dyn CryptoRng) -> ((PhoneLink, Start), (WebLink, Start), SigningKey) {
    let relay = RelayName::parse("127.0.0.1:8787").unwrap();
    let code = Code::generate(relay.clone(), rng).unwrap();
    let (phone, web) = (AttachmentId::from_bytes([1; 8]), AttachmentId::from_bytes([2; 8]));
    let context = PairingContext { relay, phone, web };
    let claims = Claims { label: "test".into(), origin: String::new(), grants: 7 };
    let (state, message) = phone::start(code.offer(), &context, rng).unwrap();
    let (web, message) = code.read_message1(&context, &claims, &message, rng).unwrap();
    let mut state = state.read(&message).unwrap();
    let confirmed = state.check(&web.check_code().to_string()).unwrap();
    let account = SigningKey::generate(rng);
    let offering = Offering {
        account_name: "Demo".into(),
        companion: CompanionId::from_bytes([3; 16]),
        serial: 1,
        grants: 7,
        idle_days: 14,
    };
    let (offered, message) = state.approve(confirmed, &account, offering, rng).unwrap();
    let (web, _, _) = web.read(&message).unwrap();
    let (link, start) = web.read(&offered.cert).unwrap().confirm();
    let _ = offered.link.verify_accept(&link.accept).unwrap();
    ((offered.link, offered.start), (link, start), account)
}

/// The rows of both sides of a fresh ACTIVE link: the phone's, the web's.
pub fn linked(rng: &mut dyn CryptoRng) -> (Pairs, Pairs) {
    let ((phone, phone_start), (web, web_start), _) = link(rng);
    (hazmat::phone_pairs(&phone, phone_start), hazmat::web_pairs(&web, web_start, true))
}
