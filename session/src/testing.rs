//! Links made without two devices, from fixed keys, for vectors, tests and the simulator. Never part of a
//! shipped build.

mod commands;
mod endpoint;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use handfast_codec::RelayName;
use handfast_codec::ids::{AttachmentId, CompanionId, MailboxId};
use handfast_handshake::HandshakeError;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_handshake::pairing::phone::{self, GrantedTerms};
use handfast_handshake::pairing::web::Code;
use handfast_handshake::pairing::{Claims, PairingContext};
use rand_core::CryptoRng;

use crate::commit::{Commit, Op, Value};
use crate::endpoint::{LinkRows, active_row, phone_rows, web_rows};
use crate::keys;

pub use self::commands::{PhoneCommands, WebCommands};
pub use self::endpoint::{AnyEndpoint, AnyRole};

fn pairs(ops: Vec<Op>) -> LinkRows {
    let mut pairs = LinkRows::new();
    let version: Value = zeroize::Zeroizing::new(1_u64.to_be_bytes().to_vec());
    let _ = pairs.insert(keys::VERSION.to_vec(), version);
    for op in ops {
        if let Op::Put { key, value } = op {
            let _ = pairs.insert(key, value);
        }
    }
    pairs
}

/// Both sides of a fresh link, as the pairing handshake makes them.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "both sides and the account")]
pub struct Linked {
    /// The phone's side, and the secrets that its session starts from.
    pub phone: (PhoneLink, Start),
    /// The companion's side, and the secrets that its session starts from.
    pub web: (WebLink, Start),
    /// The account's signing key.
    pub account: SigningKey,
}

impl Linked {
    /// Runs a whole pairing in memory over this relay name. The phone's attachment id is eight bytes 1, the
    /// companion's eight bytes 2.
    ///
    /// # Errors
    /// [`HandshakeError`], which an honest run does not return.
    pub fn new(relay: RelayName, rng: &mut dyn CryptoRng) -> Result<Self, HandshakeError> {
        let code = Code::generate(relay.clone(), rng)?;
        let (phone, web) = (AttachmentId::from_bytes([1; 8]), AttachmentId::from_bytes([2; 8]));
        let context = PairingContext { relay, phone, web };
        let claims = Claims { label: "test".into(), origin: String::new(), grants: 7 };
        let (state, message) = phone::start(code.offer(), &context, rng)?;
        let (web, message) = code.read_message1(&context, &claims, &message, rng)?;
        let mut state = state.read(&message)?;
        let typed = web.check_code().to_string();
        let confirmed = state.check(&typed).map_err(|_| HandshakeError::OutOfTurn)?;
        let account = SigningKey::generate(rng);
        let granted = GrantedTerms {
            account_name: "Demo".into(),
            companion: CompanionId::from_bytes([3; 16]),
            serial: 1,
            grants: 7,
            idle_days: 14,
        };
        let (offered, message) = state.approve(confirmed, &account, granted, rng)?;
        let (web, _, _) = web.read(&message)?;
        let typed = offered.confirmation.to_string();
        let web = web.read(&offered.cert)?.confirm(&typed).map_err(|_| HandshakeError::OutOfTurn)?;
        let _ = offered.link.verify_accept(&web.0.accept)?;
        Ok(Self { phone: (offered.link, offered.start), web, account })
    }

    /// Returns the stored rows of both sides of the ACTIVE link: first the phone's, then the companion's.
    #[must_use]
    pub fn rows(self) -> (LinkRows, LinkRows) {
        (phone_pairs(&self.phone.0, self.phone.1), web_pairs(&self.web.0, self.web.1, true))
    }
}

/// Returns the stored rows of an OFFERED link on a phone.
#[must_use]
pub fn offered_pairs(link: &PhoneLink, start: Start) -> LinkRows {
    pairs(phone_rows(link, start))
}

/// Returns the stored rows of an ACTIVE link on a phone.
#[must_use]
pub fn phone_pairs(link: &PhoneLink, start: Start) -> LinkRows {
    let mut ops = phone_rows(link, start);
    ops.push(active_row());
    pairs(ops)
}

/// Returns the stored rows of a link on a companion: ACTIVE if `active`, else PENDING.
#[must_use]
pub fn web_pairs(link: &WebLink, start: Start, active: bool) -> LinkRows {
    let mut ops = web_rows(link, start);
    if active {
        ops.push(active_row());
    }
    pairs(ops)
}

/// Creates a commit that expects the store at version `expects`, where 0 means an empty store.
pub fn commit(link: MailboxId, expects: u64, ops: Vec<Op>) -> Commit {
    Commit::new(link, expects, ops)
}
