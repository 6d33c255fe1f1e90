//! Migration of stores from before commands had keys (spec, delivery, *Commands*): rows of version 1 become
//! rows of version 2, and each old command gets the key that both sides derive from its number.

use alloc::vec::Vec;

use bytes::Bytes;
use handfast_codec::DecodeError;
use handfast_codec::envelope::{CommandEnvelope, ResultEnvelope};
use handfast_codec::ids::{CommandKey, MailboxId};
use handfast_codec::payload::CommandsKnown;
use handfast_codec::role::DeviceRole;
use handfast_codec::varint::take_varint;
use handfast_handshake::key_schedule::old_command_key;

use super::Repeat;
use super::phone::{CommandsRun, Kept};
use crate::commit::Op;
use crate::counters::Counters;
use crate::endpoint::LinkRows;
use crate::error::LoadError;
use crate::keys;

/// Returns whether a stored link has rows of version 1.
pub(crate) fn is_stored(pairs: &LinkRows) -> bool {
    let mut old = pairs.range(alloc::vec![keys::OUTBOX_V1]..alloc::vec![keys::UNSETTLED_V1 + 1]);
    pairs.get(keys::SESSION).is_some_and(|row| Counters::is_version_1(row)) || old.next().is_some()
}

/// Returns the store operations that replace all rows of version 1.
pub(crate) fn take_over(
    role: DeviceRole,
    mailbox: &MailboxId,
    pairs: &LinkRows,
) -> Result<Vec<Op>, LoadError> {
    let key_of = |number| old_command_key(mailbox, number);
    let mut ops = Vec::new();
    let mut run = CommandsRun::default();
    for (key, value) in pairs {
        let number = || keys::number_of(key).ok_or(LoadError::Damaged);
        let value = || Bytes::copy_from_slice(value);
        match key.first() {
            Some(&keys::OUTBOX_V1) => {
                let message = message(role, &value(), key_of)?;
                ops.push(Op::put(keys::numbered(keys::OUTBOX, number()?), message.to_vec()));
            }
            Some(&keys::RESULT_V1) => {
                let (number, ResultEnvelope { key, body }) = old_result(&value(), key_of)?;
                let kept = body.map_or(Kept::Forgotten, |body| Kept::of(&body, Repeat::Answer));
                ops.extend(run.answered(key, number, kept));
            }
            Some(&keys::UNSETTLED_V1) => {
                let key = key_of(number()?);
                ops.push(Op::put(keys::numbered(keys::UNSETTLED, number()?), key.as_bytes().to_vec()));
            }
            _ => {}
        }
    }
    ops.push(Op::DeleteRange { from: alloc::vec![keys::OUTBOX_V1], to: alloc::vec![keys::UNSETTLED_V1 + 1] });
    let counters = pairs.get(keys::SESSION).ok_or(LoadError::Damaged)?;
    if Counters::is_version_1(counters) {
        let mut counters = Counters::decode(counters)?;
        counters.known = known(counters.floor, run.last(), key_of);
        ops.push(counters.put());
    }
    Ok(ops)
}

/// Converts an outbox row. A companion's row contains a command, a phone's row a result.
fn message(role: DeviceRole, old: &Bytes, key_of: impl Fn(u64) -> CommandKey) -> Result<Bytes, LoadError> {
    Ok(match role {
        DeviceRole::Web => old_command(old, key_of)?.encode(),
        DeviceRole::Phone => old_result(old, key_of)?.1.encode(),
    })
}

/// Returns the *commands known* block for an old store, in which only results at or above `floor` are kept.
fn known(floor: u64, last: Option<(u64, CommandKey)>, key_of: impl Fn(u64) -> CommandKey) -> CommandsKnown {
    let settled = floor.saturating_sub(1);
    let (highest, key) = last
        .filter(|(number, _)| *number > settled)
        .or_else(|| (settled > 0).then(|| (settled, key_of(settled))))
        .unwrap_or((0, CommandKey::from_bytes([0; 16])));
    CommandsKnown { highest, key, from: floor.max(1) }
}

/// Decodes a stored command of version 1, which had no key: `number varint | floor varint | body`.
fn old_command(message: &Bytes, key_of: impl Fn(u64) -> CommandKey) -> Result<CommandEnvelope, DecodeError> {
    let (number, rest) = take_varint(message)?;
    let (floor, body) = take_varint(rest)?;
    Ok(CommandEnvelope { number, floor, key: key_of(number), body: message.slice_ref(body) })
}

/// Decodes a stored result of version 1, which begins with the command's number instead of its key. Returns
/// the number, and the result with its key.
fn old_result(
    message: &Bytes,
    key_of: impl Fn(u64) -> CommandKey,
) -> Result<(u64, ResultEnvelope), DecodeError> {
    let (number, rest) = take_varint(message)?;
    let today = [key_of(number).as_bytes().as_slice(), rest].concat();
    Ok((number, ResultEnvelope::decode(&today.into())?))
}
