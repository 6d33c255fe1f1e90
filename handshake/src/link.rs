//! The stored state of a link on each side, and its row in the store.
//!
//! The layouts of the rows are private to the handfast crates; rows never cross the network.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use handfast_codec::error::DecodeError;
use handfast_codec::ids::{
    AttachKey, CompanionId, DhPublic, Epoch, MailboxId, Salt, Signature, SigningPublic,
};
use handfast_codec::limits::{IDLE_DAYS_MAX, LABEL_LEN_MAX, ORIGIN_LEN_MAX, RELAY_NAME_LEN_MAX};
use handfast_codec::tlv::{TlvReader, TlvWriter};
use handfast_codec::{RelayName, signed};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::error::HandshakeError;
use crate::identity::SigningKey;
use crate::secret::{DhSecret, Psk, SealKey};

/// The terms of a link, which both sides know; none of them is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the terms of the certificate")]
pub struct Terms {
    /// The id of the link's mailbox.
    pub mailbox: MailboxId,
    /// The salt from which the id of the link's mailbox is derived.
    pub salt: Salt,
    /// The name of the link's relay.
    pub relay: RelayName,
    /// The companion's id.
    pub companion: CompanionId,
    /// The companion's serial number on this phone.
    pub serial: u64,
    /// The granted rights, as a bit set (spec, messages).
    pub grants: u64,
    /// The number of idle days after which the link should be suspended. No program in this repository does
    /// that yet.
    pub idle_days: u16,
    /// The account's public key.
    pub account: SigningPublic,
    /// The account's name, 1 to 64 bytes.
    pub account_name: String,
    /// The companion's label, 1 to 64 bytes, as the companion claims it.
    pub label: String,
    /// The page's origin, 0 to 128 bytes, as the page claims it.
    pub origin: String,
    /// The handshake hash of the pairing.
    pub h: [u8; 32],
    /// The hash of the certificate with its signature.
    pub cert_hash: [u8; 32],
}

/// The phone's side of a link.
#[expect(clippy::exhaustive_structs, reason = "built by the pairing, and by vectors")]
pub struct PhoneLink {
    /// The terms of the link, which both sides know.
    pub terms: Terms,
    /// The phone's static key for this link, `Ps`.
    pub ps: DhSecret,
    /// The phone's secret attach key.
    pub attach: SigningKey,
    /// The companion's static key, `Wd`.
    pub web_key: DhPublic,
    /// The companion's signing key, `We`.
    pub web_signing: SigningPublic,
    /// The companion's public attach key.
    pub web_attach: AttachKey,
    /// The psk for mode recover.
    pub recovery: Psk,
    /// The key that would encrypt the phone's tombstone; unused in this version.
    pub tombstone_seal: SealKey,
    /// The key that would decrypt the companion's goodbye; unused in this version.
    pub goodbye_seal: SealKey,
}

/// The companion's side of a link.
#[expect(clippy::exhaustive_structs, reason = "built by the pairing, and by vectors")]
pub struct WebLink {
    /// The terms of the link, which both sides know.
    pub terms: Terms,
    /// The companion's static key, `Wd`.
    pub wd: DhSecret,
    /// The companion's signing key, `We`.
    pub we: SigningKey,
    /// The companion's secret attach key.
    pub attach: SigningKey,
    /// The phone's static key, `Ps`.
    pub phone_key: DhPublic,
    /// The phone's public attach key.
    pub phone_attach: AttachKey,
    /// The companion's signature for `LINK_ACCEPT`.
    pub accept: Signature,
    /// The psk for mode recover.
    pub recovery: Psk,
    /// The key that would decrypt the phone's tombstone; unused in this version.
    pub tombstone_seal: SealKey,
    /// The key that would encrypt the companion's goodbye; unused in this version.
    pub goodbye_seal: SealKey,
}

/// The first psk and epochs of a new link.
#[expect(clippy::exhaustive_structs, reason = "built by the pairing, and by vectors")]
#[derive(Debug)]
pub struct Start {
    /// The first psk of the ratchet.
    pub resume: Psk,
    /// The first epoch of messages from the companion.
    pub epoch_w2p: Epoch,
    /// The first epoch of messages from the phone.
    pub epoch_p2w: Epoch,
}

/// Derives the id of a link's mailbox: the first 16 bytes of `SHA-256("mailbox" || phone key || web key ||
/// salt)`.
#[must_use]
pub fn mailbox(phone: &AttachKey, web: &AttachKey, salt: &Salt) -> MailboxId {
    let hash = Sha256::digest(signed::mailbox_preimage(phone, web, salt));
    let mut id = [0; 16];
    id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    MailboxId::from_bytes(id)
}

/// The TLV types in a phone's row.
const PHONE: [u64; 21] = [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 31, 33, 35, 37, 39, 41, 43, 45];
/// The TLV types in a companion's row.
const WEB: [u64; 22] = [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 31, 33, 35, 37, 39, 41, 43, 45, 47];

impl Terms {
    fn write(&self, w: &mut TlvWriter) {
        let _ = w
            .bytes(1, self.mailbox.as_bytes())
            .bytes(3, self.salt.as_bytes())
            .bytes(5, self.relay.as_str().as_bytes())
            .bytes(7, self.companion.as_bytes())
            .varint(9, self.serial)
            .varint(11, self.grants)
            .u16(13, self.idle_days)
            .bytes(15, self.account.as_bytes())
            .bytes(17, self.account_name.as_bytes())
            .bytes(19, self.label.as_bytes())
            .bytes(21, self.origin.as_bytes())
            .bytes(23, &self.h)
            .bytes(25, &self.cert_hash);
    }

    fn read(r: &mut TlvReader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            mailbox: MailboxId::from_bytes(r.required(1, "mailbox")?.array()?),
            salt: Salt::from_bytes(r.required(3, "salt")?.array()?),
            relay: RelayName::parse(&r.required(5, "relay")?.text(1, RELAY_NAME_LEN_MAX)?)?,
            companion: CompanionId::from_bytes(r.required(7, "companion")?.array()?),
            serial: r.required(9, "serial")?.varint()?,
            grants: r.required(11, "grants")?.varint()?,
            idle_days: r.required(13, "idle days")?.u16()?.clamp(1, IDLE_DAYS_MAX),
            account: SigningPublic::from_bytes(r.required(15, "account")?.array()?),
            account_name: r.required(17, "account name")?.text(1, LABEL_LEN_MAX)?,
            label: r.required(19, "label")?.text(0, LABEL_LEN_MAX)?,
            origin: r.required(21, "origin")?.text(0, ORIGIN_LEN_MAX)?,
            h: r.required(23, "h")?.array()?,
            cert_hash: r.required(25, "certificate hash")?.array()?,
        })
    }
}

/// Reads a field of 32 secret bytes. Wipes the copy that is on the stack.
fn secret<T>(r: &mut TlvReader<'_>, kind: u64, make: impl FnOnce([u8; 32]) -> T) -> Result<T, DecodeError> {
    let mut bytes: [u8; 32] = r.required(kind, "secret")?.array()?;
    let taken = make(bytes);
    bytes.zeroize();
    Ok(taken)
}

impl PhoneLink {
    /// Returns the companion's keys. No other link of this phone may use them.
    #[must_use]
    pub const fn peer_keys(&self) -> [[u8; 32]; 3] {
        [*self.web_key.as_bytes(), *self.web_signing.as_bytes(), *self.web_attach.as_bytes()]
    }

    /// Returns the row to be stored. It contains secrets.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut w = TlvWriter::after(Vec::with_capacity(1_024));
        self.terms.write(&mut w);
        let _ = w
            .bytes(31, self.ps.expose())
            .bytes(33, self.attach.expose())
            .bytes(35, self.web_key.as_bytes())
            .bytes(37, self.web_signing.as_bytes())
            .bytes(39, self.web_attach.as_bytes())
            .bytes(41, self.recovery.expose())
            .bytes(43, self.tombstone_seal.expose())
            .bytes(45, self.goodbye_seal.expose());
        Zeroizing::new(w.finish())
    }

    /// Decodes a stored row of a phone.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if [`PhoneLink::encode`] did not write it.
    pub fn decode(row: &[u8]) -> Result<Self, DecodeError> {
        let mut r = TlvReader::new(row, &PHONE)?;
        Ok(Self {
            terms: Terms::read(&mut r)?,
            ps: secret(&mut r, 31, DhSecret::from_bytes)?,
            attach: secret(&mut r, 33, SigningKey::from_bytes)?,
            web_key: DhPublic::from_bytes(r.required(35, "web key")?.array()?),
            web_signing: SigningPublic::from_bytes(r.required(37, "web signing key")?.array()?),
            web_attach: AttachKey::from_bytes(r.required(39, "web attach key")?.array()?),
            recovery: secret(&mut r, 41, Psk::from_bytes)?,
            tombstone_seal: secret(&mut r, 43, SealKey::from_bytes)?,
            goodbye_seal: secret(&mut r, 45, SealKey::from_bytes)?,
        })
    }
}

impl WebLink {
    /// Returns the phone's keys. No other link of this device may use them. The account's key is not among
    /// them, because one account may be linked twice.
    #[must_use]
    pub const fn peer_keys(&self) -> [[u8; 32]; 2] {
        [*self.phone_key.as_bytes(), *self.phone_attach.as_bytes()]
    }

    /// Returns the row to be stored. It contains secrets.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut w = TlvWriter::after(Vec::with_capacity(1_024));
        self.terms.write(&mut w);
        let _ = w
            .bytes(31, self.wd.expose())
            .bytes(33, self.we.expose())
            .bytes(35, self.attach.expose())
            .bytes(37, self.phone_key.as_bytes())
            .bytes(39, self.phone_attach.as_bytes())
            .bytes(41, self.accept.as_bytes())
            .bytes(43, self.recovery.expose())
            .bytes(45, self.tombstone_seal.expose())
            .bytes(47, self.goodbye_seal.expose());
        Zeroizing::new(w.finish())
    }

    /// Decodes a stored row of a companion.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if [`WebLink::encode`] did not write it.
    pub fn decode(row: &[u8]) -> Result<Self, DecodeError> {
        let mut r = TlvReader::new(row, &WEB)?;
        Ok(Self {
            terms: Terms::read(&mut r)?,
            wd: secret(&mut r, 31, DhSecret::from_bytes)?,
            we: secret(&mut r, 33, SigningKey::from_bytes)?,
            attach: secret(&mut r, 35, SigningKey::from_bytes)?,
            phone_key: DhPublic::from_bytes(r.required(37, "phone key")?.array()?),
            phone_attach: AttachKey::from_bytes(r.required(39, "phone attach key")?.array()?),
            accept: Signature::from_bytes(r.required(41, "accept")?.array()?),
            recovery: secret(&mut r, 43, Psk::from_bytes)?,
            tombstone_seal: secret(&mut r, 45, SealKey::from_bytes)?,
            goodbye_seal: secret(&mut r, 47, SealKey::from_bytes)?,
        })
    }
}

impl fmt::Debug for PhoneLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneLink").field("mailbox", &self.terms.mailbox).finish_non_exhaustive()
    }
}

impl fmt::Debug for WebLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebLink").field("mailbox", &self.terms.mailbox).finish_non_exhaustive()
    }
}

/// Refuses the keys of a link if two of them are equal.
pub(crate) fn require_distinct(keys: &[&[u8; 32]]) -> Result<(), HandshakeError> {
    // req: CRT-003
    let twice =
        keys.iter().enumerate().any(|(at, key)| keys.iter().skip(at.saturating_add(1)).any(|k| k == key));
    if twice { Err(HandshakeError::KeyReused) } else { Ok(()) }
}

/// Refuses keys of which another link uses one.
pub(crate) fn require_unused(keys: &[[u8; 32]], in_use: &[[u8; 32]]) -> Result<(), HandshakeError> {
    // req: CRT-003
    if keys.iter().any(|key| in_use.contains(key)) { Err(HandshakeError::KeyReused) } else { Ok(()) }
}
