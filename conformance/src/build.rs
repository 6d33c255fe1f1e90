//! Handshake payloads from the JSON that [`crate::describe`] gives of them.

use anyhow::{Context, Result};
use handfast_codec::ids::{AttachKey, CommandKey, DhPublic, Epoch, LogId, PskId, SigningPublic};
use handfast_codec::payload::{CommandsKnown, Kk1, Kk2, ResumeBlock, Xk1, Xk2};
use handfast_codec::qr::Opening;
use handfast_codec::versions::Versions;
use serde_json::{Map, Value};

use crate::fields::Fields;

type Object = Map<String, Value>;

fn versions(input: &Object) -> Result<Versions> {
    Versions::new(&input.bytes("versions")?).context("one to eight versions")
}

fn version(input: &Object) -> Result<u8> {
    Ok(u8::from_be_bytes(input.array("versions")?))
}

pub(crate) fn xk1(input: &Object) -> Result<Xk1> {
    Ok(Xk1 {
        versions: versions(input)?,
        capabilities: input.numbers("capabilities")?,
        limits: input.pairs("limits")?,
    })
}

/// Keys and opening stand beside the terms, since a case gives the secret ones.
pub(crate) fn xk2(
    input: &Object,
    keys: (DhPublic, SigningPublic, AttachKey),
    opening: [u8; 32],
) -> Result<Xk2> {
    Ok(Xk2 {
        version: version(input)?,
        capabilities: input.numbers("capabilities")?,
        limits: input.pairs("limits")?,
        web_key: keys.0,
        signing_key: keys.1,
        attach_key: keys.2,
        label: input.text("label")?.to_owned(),
        origin: input.text("origin")?.to_owned(),
        grants: input.u64("grants")?,
        opening: Opening::from_bytes(opening),
    })
}

pub(crate) fn kk1(input: &Object) -> Result<Kk1> {
    let held = input.contains_key("psk_id_held").then(|| input.array("psk_id_held"));
    Ok(Kk1 {
        versions: versions(input)?,
        capabilities: input.numbers("capabilities")?,
        limits: input.pairs("limits")?,
        try_: input.u64("try")?,
        resume: resume(input)?,
        psk_id_held: held.transpose()?.map(PskId::from_bytes),
        pending: input.flag("pending")?,
    })
}

pub(crate) fn kk2(input: &Object) -> Result<Kk2> {
    Ok(Kk2 {
        version: version(input)?,
        capabilities: input.numbers("capabilities")?,
        limits: input.pairs("limits")?,
        resume: resume(input)?,
        commands: input
            .contains_key("commands")
            .then(|| commands_known(input.object("commands")?))
            .transpose()?,
        quarantine: input.flag("quarantine")?,
    })
}

pub(crate) fn commands_known(known: &Object) -> Result<CommandsKnown> {
    Ok(CommandsKnown {
        highest: known.u64("highest")?,
        key: CommandKey::from_bytes(known.array("key")?),
        from: known.u64("from")?,
    })
}

fn resume(input: &Object) -> Result<Option<ResumeBlock>> {
    input.contains_key("resume").then(|| resume_block(input.object("resume")?)).transpose()
}

pub(crate) fn resume_block(block: &Object) -> Result<ResumeBlock> {
    Ok(ResumeBlock {
        out_epoch: Epoch::from_bytes(block.array("out_epoch")?),
        in_epoch: Epoch::from_bytes(block.array("in_epoch")?),
        next_seq: block.u64("next_seq")?,
        durable: block.u64("durable")?,
        oldest: block.u64("oldest")?,
        log_id: LogId::from_bytes(block.array("log_id")?),
        rev: block.u64("rev")?,
        streams: block.pairs("streams")?,
    })
}
