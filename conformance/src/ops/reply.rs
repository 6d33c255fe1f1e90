//! The fields of a reconnect's message 2, as a web takes them.

use anyhow::{Context as _, Result};
use handfast_codec::ids::{AttachmentId, Epoch, LogId, PskId};
use handfast_codec::payload::{Kk1, KkHead, KkMode, ResumeBlock};
use handfast_codec::role::DeviceRole;
use handfast_codec::signed;
use handfast_codec::versions::Versions;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern};
use handfast_handshake::reconnect::{LinkContext, web};
use handfast_handshake::secret::{DhSecret, Psk};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Map, Value, json};

use super::outcome::{Ending, Outcome};
use crate::fields::Fields;
use crate::link_keys;

/// The block of a web that has sent nothing.
fn block() -> ResumeBlock {
    let epoch = || Epoch::from_bytes([1; 16]);
    let (out_epoch, in_epoch, log_id) = (epoch(), epoch(), LogId::from_bytes([0; 16]));
    ResumeBlock { out_epoch, in_epoch, next_seq: 1, durable: 0, oldest: 1, log_id, rev: 0, streams: vec![] }
}

/// What the web's machine says to a message 2 with this payload, from a phone over the same Noise core.
pub(super) fn read(input: &Map<String, Value>) -> Result<Ending> {
    let resumes = input.text("mode")? == "resume";
    let (link, start) = link_keys::web(&link_keys::of_case("reply", DeviceRole::Web))?;
    let (phone, _) = link_keys::phone(&link_keys::of_case("reply", DeviceRole::Phone))?;
    let (at_web, at_phone) = (AttachmentId::from_bytes([2; 8]), AttachmentId::from_bytes([1; 8]));
    let context =
        LinkContext { mailbox: link.terms.mailbox, web: at_web, phone: at_phone, relay: &link.terms.relay };
    let payload = Kk1 {
        versions: Versions::new(&input.bytes("offered")?).context("one to eight versions")?,
        capabilities: vec![],
        limits: vec![],
        try_: u64::from(resumes),
        resume: resumes.then(block),
        psk_id_held: (!resumes).then_some(PskId::from_bytes([7; 8])),
        pending: false,
    };
    let (mode, psk) =
        if resumes { (KkMode::Resume, &start.resume) } else { (KkMode::Recover, &link.recovery) };
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (state, body) = web::start(&context, &link, mode, psk, &payload, &mut rng)?;
    let (head, message) = KkHead::split_from(&body)?;
    let keys = Keys::new(DhSecret::from_bytes([0x35; 32]))
        .with_s(DhSecret::from_bytes(*phone.ps.expose()))
        .with_rs(phone.web_key)
        .with_psk(Psk::from_bytes(*psk.expose()));
    let prologue = signed::link_prologue(&context.mailbox, &at_web, &at_phone, context.relay, &head);
    let pattern = Pattern::from_protocol_name("Noise_KKpsk0_25519_ChaChaPoly_SHA256")?;
    let responder = HandshakeState::new(&pattern, HandshakeRole::Responder, &prologue, keys)?;
    let (responder, _) = responder.read_message(message)?;
    let (_, message2) = responder.write_message(&input.bytes("payload")?)?;
    Ok(match state.read(&message2) {
        Ok((reply, _)) => Ok(Outcome::of(json!({ "version": reply.version }))),
        Err(error) => Err(error.code()),
    })
}
