//! The rules that decide without bytes: ratchet, recovery, resume, versions, distinct keys.

use anyhow::{Context as _, Result, bail};
use handfast_codec::Versions;
use handfast_codec::error::ErrorCode;
use handfast_codec::payload::{KkHead, KkMode};
use handfast_codec::role::DeviceRole;
use handfast_handshake::hazmat;
use handfast_handshake::ratchet::{Decision, PhoneRatchet, Recovery, Slot, WebRatchet};
use handfast_session::resume::{ResetReason, Verdict, verdict};
use serde_json::{Map, Value, json};

use super::outcome::{Ending, Outcome};
use crate::build;
use crate::describe::object;
use crate::fields::{Fields, hex, unhex};

type Object = Map<String, Value>;

/// A key that is known by its id alone.
#[derive(Clone, PartialEq)]
struct Id(String);

impl Slot for Id {
    type Id = String;

    fn id(&self) -> String {
        self.0.clone()
    }
}

/// A phone's two slots, step by step. The case is refused if its last step shows a second holder.
pub(super) fn ratchet_phone(input: &Object) -> Result<Ending> {
    let id = |name: &str| input.text(name).map(|text| Id(text.to_owned()));
    let candidate = input.contains_key("candidate").then(|| id("candidate")).transpose()?;
    let mut ratchet = PhoneRatchet::new(id("current")?, candidate, input.u64("last_try")?);
    let (mut steps, mut error, mut was_in_step) = (Vec::new(), None, false);
    for step in input.field("steps")?.as_array().context("steps is a list")? {
        let step = step.as_object().context("a step is an object")?;
        error = None;
        let answer = if step.contains_key("message1") {
            message1(&mut ratchet, step.object("message1")?)?
        } else if step.contains_key("recover") {
            was_in_step = ratchet.find(&step.object("recover")?.text("held")?.to_owned()).is_some();
            "ANSWER"
        } else if step.contains_key("recover_confirm") {
            let held = step.object("recover_confirm")?.text("held")?.to_owned();
            match ratchet.recovery_verdict(was_in_step, &held) {
                Recovery::InSync => "IN_STEP",
                Recovery::Diverged => {
                    error = Some(ErrorCode::DIVERGED);
                    "DIVERGED"
                }
            }
        } else if step.contains_key("confirm") {
            ratchet.confirmed();
            "CONFIRMED"
        } else {
            bail!("a step is message1, confirm, recover or recover_confirm")
        };
        let candidate = ratchet.candidate().map(Slot::id);
        steps.push(Value::Object(object(json!({
            "answer": answer, "current": ratchet.current().id(), "candidate": candidate,
            "last_try": ratchet.last_try().to_string(),
        }))));
    }
    Ok(match error {
        Some(code) => Err(code),
        None => Ok(Outcome::of(json!({ "steps": steps }))),
    })
}

fn message1(ratchet: &mut PhoneRatchet<Id>, message: &Object) -> Result<&'static str> {
    let Some(holder) = ratchet.find(&message.text("id")?.to_owned()) else { return Ok("UNKNOWN_KEY") };
    Ok(match ratchet.decide(holder, message.u64("try")?) {
        Decision::Silence => "SILENCE",
        Decision::Quarantine => "QUARANTINE",
        Decision::Answer(answer) => {
            ratchet.answered(&answer, Id(message.text("next")?.to_owned()));
            "ANSWER"
        }
    })
}

/// The try of a web's next message 1.
pub(super) fn ratchet_web(input: &Object) -> Result<Ending> {
    let mut ratchet = WebRatchet::new((), input.u64("last_try")?);
    Ok(match ratchet.next_try() {
        Ok(next) => Ok(Outcome::of(json!({ "try": next.to_string() }))),
        Err(error) => Err(error.code()),
    })
}

/// What both sides make of the two resume blocks.
pub(super) fn resume(input: &Object) -> Result<Ending> {
    let block = |name: &str| build::resume_block(input.object(name)?);
    let given = match verdict(&block("web")?, &block("phone")?) {
        Verdict::Resume => return Ok(Ok(Outcome::of(json!({ "verdict": "RESUME" })))),
        Verdict::Reset(reason) => reason,
    };
    let reason = match given {
        ResetReason::EpochW2p => "EPOCH_W2P",
        ResetReason::EpochP2w => "EPOCH_P2W",
        ResetReason::LackW2p => "LACK_W2P",
        ResetReason::FutureW2p => "FUTURE_W2P",
        ResetReason::LackP2w => "LACK_P2W",
        ResetReason::FutureP2w => "FUTURE_P2W",
        ResetReason::LogBack => "LOG_BACK",
        other => bail!("{other:?} has no name yet"),
    };
    let put_back = Verdict::Reset(given).put_back().map(|who| match who {
        DeviceRole::Phone => "phone",
        DeviceRole::Web => "web",
    });
    Ok(Ok(Outcome::of(json!({ "verdict": "RESET", "reason": reason, "put_back": put_back }))))
}

fn versions(input: &Object, name: &str) -> Result<Versions> {
    Versions::new(&input.bytes(name)?).context("one to eight versions")
}

/// The version that a responder chooses.
pub(super) fn version_choose(input: &Object) -> Result<Ending> {
    let chosen = versions(input, "own")?.highest_common(&versions(input, "offered")?);
    Ok(chosen.map(|version| Outcome::of(json!({ "version": version }))).ok_or(ErrorCode::NO_COMMON_VERSION))
}

/// What an initiator makes of the version in a reply.
pub(super) fn version_reply(input: &Object) -> Result<Ending> {
    let [version] = input.array("version")?;
    let is_offered = versions(input, "offered")?.contains(&version);
    Ok(is_offered.then(|| Outcome::of(json!({ "version": version }))).ok_or(ErrorCode::NO_COMMON_VERSION))
}

/// The clear head of a reconnect's first message.
pub(super) fn kk_head(input: &Object) -> Result<Ending> {
    Ok(match KkHead::split_from(&input.bytes("message")?) {
        Ok((head, rest)) => {
            let mode = if head.mode == KkMode::Resume { "resume" } else { "recover" };
            Ok(Outcome::of(json!({ "mode": mode, "psk_id": hex(head.psk_id), "noise": hex(rest) })))
        }
        Err(error) => Err(error.code()),
    })
}

/// Whether the keys of a link differ from one another and from those of other links.
pub(super) fn keys_distinct(input: &Object) -> Result<Ending> {
    let keys = |name: &str| -> Result<Vec<[u8; 32]>> {
        let list = input.field(name)?.as_array().with_context(|| format!("{name} is a list"))?;
        let key = |text: &Value| unhex(text.as_str().context("hex")?)?.try_into().ok().context("32 bytes");
        list.iter().map(key).collect()
    };
    Ok(match hazmat::refuse_reused(&keys("keys")?, &keys("in_use")?) {
        Ok(()) => Ok(Outcome::of(json!({ "distinct": true }))),
        Err(error) => Err(error.local_code()),
    })
}
