//! The keys of a link that live cases are played over, as JSON: one object for each side.

use anyhow::{Context as _, Result};
use handfast_codec::RelayName;
use handfast_codec::ids::{AttachKey, CompanionId, DhPublic, Epoch, Salt, Signature, SigningPublic};
use handfast_codec::role::DeviceRole;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::{PhoneLink, Start, Terms, WebLink, mailbox};
use handfast_handshake::secret::{DhSecret, Psk, SealKey};
use serde_json::{Map, Value, json};

use crate::derive;
use crate::fields::{Fields, hex};
use crate::seed;

/// The relay that every live case names.
pub(crate) const RELAY: &str = "relay.example";

type Object = Map<String, Value>;

/// The link of a case, as one side gets it.
pub(crate) fn of_case(case: &str, role: DeviceRole) -> Object {
    let secret = |name: &str| seed::bytes::<32>(case, "link", name);
    let dh = |name: &str| DhSecret::from_bytes(secret(name));
    let signing = |name: &str| SigningKey::from_bytes(secret(name));
    let mut link = json!({
        "relay": RELAY, "salt": hex(seed::bytes::<16>(case, "link", "salt")),
        "companion": hex(seed::bytes::<16>(case, "link", "companion")), "serial": 1, "grants": 7, "idle_days": 14,
        "account": hex(signing("account").public().as_bytes()), "h": hex(secret("h")),
        "resume_psk": hex(secret("resume psk")), "recovery_psk": hex(secret("recovery psk")),
        "tombstone_seal": hex(secret("tombstone seal")), "goodbye_seal": hex(secret("goodbye seal")),
        "phone_attach": hex(signing("phone attach").attach_key().as_bytes()),
        "web_attach": hex(signing("web attach").attach_key().as_bytes()),
    });
    let (own, peer) = match role {
        DeviceRole::Phone => (("ps", "phone attach"), ("wd", dh("wd"))),
        DeviceRole::Web => (("wd", "web attach"), ("ps", dh("ps"))),
    };
    link["static"] = hex(secret(own.0)).into();
    link["attach"] = hex(secret(own.1)).into();
    link["peer_static"] = hex(peer.1.public().as_bytes()).into();
    match role {
        DeviceRole::Phone => link["web_signing"] = hex(signing("we").public().as_bytes()).into(),
        DeviceRole::Web => link["signing"] = hex(secret("we")).into(),
    }
    link.as_object().cloned().unwrap_or_default()
}

/// The account's key of a case, which no side of the link gets.
pub(crate) fn account(case: &str) -> SigningKey {
    SigningKey::from_bytes(seed::bytes(case, "link", "account"))
}

fn terms(link: &Object) -> Result<Terms> {
    let salt = Salt::from_bytes(link.array("salt")?);
    let (phone, web) = (link.array("phone_attach")?, link.array("web_attach")?);
    Ok(Terms {
        mailbox: mailbox(&AttachKey::from_bytes(phone), &AttachKey::from_bytes(web), &salt),
        salt,
        relay: RelayName::parse(link.text("relay")?)?,
        companion: CompanionId::from_bytes(link.array("companion")?),
        serial: link.u64("serial")?,
        grants: link.u64("grants")?,
        idle_days: u16::try_from(link.u64("idle_days")?).context("idle days")?,
        account: SigningPublic::from_bytes(link.array("account")?),
        account_name: "Alice".to_owned(),
        label: "Firefox on Linux".to_owned(),
        origin: "https://web.example".to_owned(),
        h: link.array("h")?,
        cert_hash: [0; 32],
    })
}

fn start(link: &Object) -> Result<Start> {
    let h = link.array("h")?;
    Ok(Start {
        resume: Psk::from_bytes(link.array("resume_psk")?),
        epoch_w2p: Epoch::from_bytes(derive::epoch(&h, "w2p")),
        epoch_p2w: Epoch::from_bytes(derive::epoch(&h, "p2w")),
    })
}

/// The phone's side of such an object.
///
/// # Errors
///
/// A field is missing or malformed.
pub(crate) fn phone(link: &Object) -> Result<(PhoneLink, Start)> {
    let side = PhoneLink {
        terms: terms(link)?,
        ps: DhSecret::from_bytes(link.array("static")?),
        attach: SigningKey::from_bytes(link.array("attach")?),
        web_key: DhPublic::from_bytes(link.array("peer_static")?),
        web_signing: SigningPublic::from_bytes(link.array("web_signing")?),
        web_attach: AttachKey::from_bytes(link.array("web_attach")?),
        recovery: Psk::from_bytes(link.array("recovery_psk")?),
        tombstone_seal: SealKey::from_bytes(link.array("tombstone_seal")?),
        goodbye_seal: SealKey::from_bytes(link.array("goodbye_seal")?),
    };
    Ok((side, start(link)?))
}

/// The web's side of such an object.
///
/// # Errors
///
/// A field is missing or malformed.
pub(crate) fn web(link: &Object) -> Result<(WebLink, Start)> {
    let side = WebLink {
        terms: terms(link)?,
        wd: DhSecret::from_bytes(link.array("static")?),
        we: SigningKey::from_bytes(link.array("signing")?),
        attach: SigningKey::from_bytes(link.array("attach")?),
        phone_key: DhPublic::from_bytes(link.array("peer_static")?),
        phone_attach: AttachKey::from_bytes(link.array("phone_attach")?),
        accept: Signature::from_bytes([0; 64]),
        recovery: Psk::from_bytes(link.array("recovery_psk")?),
        tombstone_seal: SealKey::from_bytes(link.array("tombstone_seal")?),
        goodbye_seal: SealKey::from_bytes(link.array("goodbye_seal")?),
    };
    Ok((side, start(link)?))
}
