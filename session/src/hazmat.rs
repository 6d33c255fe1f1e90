//! Links from fixed keys, for vectors, tests and the simulator. Never part of a shipped build.

mod commands;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use handfast_codec::RelayName;
use handfast_codec::ids::{AttachmentId, CompanionId, MailboxId};
use handfast_handshake::HandshakeError;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_handshake::pairing::phone::{self, Offering};
use handfast_handshake::pairing::web::Code;
use handfast_handshake::pairing::{Claims, PairingContext};
use rand_core::CryptoRng;

use crate::commit::{Commit, Op, Value};
use crate::endpoint::{Pairs, active_row, phone_rows, web_rows};
use crate::keys;

pub use self::commands::{PhoneCommands, WebCommands};

fn pairs(ops: Vec<Op>) -> Pairs {
    let mut pairs = Pairs::new();
    let version: Value = zeroize::Zeroizing::new(1_u64.to_be_bytes().to_vec());
    let _ = pairs.insert(keys::VERSION.to_vec(), version);
    for op in ops {
        if let Op::Put { key, value } = op {
            let _ = pairs.insert(key, value);
        }
    }
    pairs
}

/// A fresh link, as the pairing handshake makes it.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "both sides and the account")]
pub struct Linked {
    /// The phone's side.
    pub phone: (PhoneLink, Start),
    /// The web's side.
    pub web: (WebLink, Start),
    /// The account's key.
    pub account: SigningKey,
}

impl Linked {
    /// Pairs in memory: the web shows a code of this relay, the phone's attachment is eight times 1, the web's eight
    /// times 2.
    ///
    /// # Errors
    /// [`HandshakeError`], which an honest run does not give.
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
        let offering = Offering {
            account_name: "Demo".into(),
            companion: CompanionId::from_bytes([3; 16]),
            serial: 1,
            grants: 7,
            idle_days: 14,
        };
        let (offered, message) = state.approve(confirmed, &account, offering, rng)?;
        let (web, _, _) = web.read(&message)?;
        let typed = offered.confirmation.to_string();
        let web = web.read(&offered.cert)?.confirm(&typed).map_err(|_| HandshakeError::OutOfTurn)?;
        let _ = offered.link.verify_accept(&web.0.accept)?;
        Ok(Self { phone: (offered.link, offered.start), web, account })
    }

    /// The stored rows of both sides of the link, ACTIVE: the phone's, the web's.
    #[must_use]
    pub fn rows(self) -> (Pairs, Pairs) {
        (phone_pairs(&self.phone.0, self.phone.1), web_pairs(&self.web.0, self.web.1, true))
    }
}

/// The stored rows of an OFFERED link at the phone.
#[must_use]
pub fn offered_pairs(link: &PhoneLink, start: Start) -> Pairs {
    pairs(phone_rows(link, start))
}

/// The stored rows of an ACTIVE link at the phone.
#[must_use]
pub fn phone_pairs(link: &PhoneLink, start: Start) -> Pairs {
    let mut ops = phone_rows(link, start);
    ops.push(active_row());
    pairs(ops)
}

/// The stored rows of an ACTIVE link at the web; PENDING unless `active`.
#[must_use]
pub fn web_pairs(link: &WebLink, start: Start, active: bool) -> Pairs {
    let mut ops = web_rows(link, start);
    if active {
        ops.push(active_row());
    }
    pairs(ops)
}

/// A commit of a machine that expects the store at version `expects` (0: nothing is stored).
pub fn commit(link: MailboxId, expects: u64, ops: Vec<Op>) -> Commit {
    Commit::new(link, expects, ops)
}
