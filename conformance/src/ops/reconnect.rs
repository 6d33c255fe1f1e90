//! A whole reconnect from its keys: one round trip, the confirm, and the phone's first record; or a recovery.

use anyhow::{Result, bail, ensure};
use handfast_codec::RelayName;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::ids::{AttachmentId, MailboxId, PskId};
use handfast_codec::payload::{KkHead, KkMode};
use handfast_codec::record::RecordBuilder;
use handfast_codec::signed;
use handfast_handshake::hazmat;
use handfast_handshake::noise::{HandshakeRole, HandshakeState, Keys, Pattern, Split};
use handfast_handshake::record::Sealer;
use handfast_handshake::secret::{DhSecret, Psk};
use serde_json::{Map, Value, json};

use super::noise::variables;
use super::outcome::{Ending, Outcome};
use crate::fields::{Fields, hex};
use crate::{build, derive};

type Object = Map<String, Value>;

struct Setting {
    mailbox: [u8; 16],
    psk: [u8; 32],
    head: KkHead,
    prologue: Vec<u8>,
}

fn setting(input: &Object) -> Result<Setting> {
    let (mailbox, psk) = (input.array("mailbox")?, input.array("psk")?);
    let mode = match input.text("mode")? {
        "resume" => KkMode::Resume,
        "recover" => KkMode::Recover,
        other => bail!("{other} is no mode"),
    };
    let head = KkHead { mode, psk_id: PskId::from_bytes(derive::psk_id(&psk, &mailbox)) };
    let prologue = signed::link_prologue(
        &MailboxId::from_bytes(mailbox),
        &AttachmentId::from_bytes(input.array("web_id")?),
        &AttachmentId::from_bytes(input.array("phone_id")?),
        &RelayName::parse(input.text("relay")?)?,
        &head,
    );
    Ok(Setting { mailbox, psk, head, prologue })
}

struct Messages {
    message1: Vec<u8>,
    message2: Vec<u8>,
    steps: [Value; 2],
    split: Split,
}

fn messages(input: &Object, setting: &Setting) -> Result<Messages> {
    let pattern = Pattern::from_protocol_name("Noise_KKpsk0_25519_ChaChaPoly_SHA256")?;
    let key = |name: &str| input.array(name).map(DhSecret::from_bytes);
    let party = |role, e: &str, s: &str, rs: &str| -> Result<HandshakeState> {
        let keys = Keys::new(key(e)?).with_s(key(s)?).with_rs(key(rs)?.public());
        let keys = keys.with_psk(Psk::from_bytes(setting.psk));
        Ok(HandshakeState::new(&pattern, role, &setting.prologue, keys)?)
    };
    let web = party(HandshakeRole::Initiator, "web_e", "wd", "ps")?;
    let phone = party(HandshakeRole::Responder, "phone_e", "ps", "wd")?;
    let step = |state: &HandshakeState| variables(&hazmat::intermediates(state));
    let (web, noise1) = web.write_message(&build::kk1(input.object("payload1")?)?.encode())?;
    let message1 = [setting.head.encode().as_slice(), &noise1].concat();
    let (head, rest) = KkHead::split_from(&message1)?;
    ensure!(head == setting.head, "the head is read back");
    let (phone, _) = phone.read_message(rest)?;
    let step1 = step(&phone);
    let (phone, message2) = phone.write_message(&build::kk2(input.object("payload2")?)?.encode())?;
    let (web, _) = web.read_message(&message2)?;
    let step2 = step(&web);
    let split = web.split()?;
    ensure!(split.rs.expose() == phone.split()?.rs.expose(), "both sides have the same rs");
    Ok(Messages { message1, message2, steps: [step1, step2], split })
}

/// Seals a record of these frames, with its DATA header.
fn sealed(sealer: &mut Sealer, frames: &[Frame]) -> Result<String> {
    let mut builder = RecordBuilder::new();
    ensure!(frames.iter().all(|frame| builder.push(frame)), "the frames fit a record");
    let mut record = builder.finish();
    sealer.seal(&mut record)?;
    Ok(hex(record))
}

/// What the phone closes a recovery with: whether the id that the web holds is one of its own.
fn verdict(input: &Object) -> Result<Option<ErrorCode>> {
    if input.text("mode")? != "recover" {
        return Ok(None);
    }
    let held = input.object("payload1")?.text("psk_id_held")?;
    let ids = input.field("phone_ids")?.as_array().cloned().unwrap_or_default();
    let in_step = ids.iter().any(|id| id.as_str() == Some(held));
    Ok(Some(if in_step { ErrorCode::IN_STEP } else { ErrorCode::DIVERGED }))
}

pub(super) fn run(input: &Object) -> Result<Ending> {
    let setting = setting(input)?;
    let Messages { message1, message2, steps: [step1, step2], split } = messages(input, &setting)?;
    let (h, rs) = (split.h, *split.rs.expose());
    let (k_w2p, k_p2w) = (
        hazmat::cipher_key(&split.initiator_to_responder),
        hazmat::cipher_key(&split.responder_to_initiator),
    );
    let mut web = Sealer::new(split.initiator_to_responder);
    let mut phone = Sealer::new(split.responder_to_initiator);
    let verdict = verdict(input)?;
    // The confirm of every mode is here an empty record, which is always allowed.
    let confirm = sealed(&mut web, &[])?;
    let answer = match verdict {
        Some(code) => sealed(&mut phone, &[Frame::Close { code, retry_ms: 0 }])?,
        None => sealed(&mut phone, &[Frame::Ping { id: 1, rev: 0 }])?,
    };
    let x = derive::extract(&setting.psk, &rs);
    let next: [u8; 32] = derive::expand(&x, "resume", &[]);
    let resumes = setting.head.mode == KkMode::Resume;
    let out = json!({
        "psk_id": hex(setting.head.psk_id), "message1": hex(message1), "message2": hex(message2), "h": hex(h),
        "confirm_record": confirm, "answer_record": answer,
        "close": verdict.map(ErrorCode::name),
        "next_psk": resumes.then(|| hex(next)),
        "next_psk_id": resumes.then(|| hex(derive::psk_id(&next, &setting.mailbox))),
        "epoch_w2p": hex(derive::epoch(&h, "w2p")), "epoch_p2w": hex(derive::epoch(&h, "p2w")),
    });
    let debug = json!({
        "prologue": hex(&setting.prologue), "after1": step1, "after2": step2, "k_w2p": hex(k_w2p),
        "k_p2w": hex(k_p2w), "rs": hex(rs), "x": hex(x),
    });
    Ok(Ok(Outcome::of(out).with_debug(debug)))
}
