//! What only the link of a phone takes.

use handfast::Timestamp;
use handfast::codec::frame::Row as Decoded;
use handfast::codec::ids::CommandKey;
use handfast::codec::limits::VARINT_MAX;
use handfast::handshake::certificate::sign_revoked;
use handfast::handshake::identity::SigningKey;
use handfast::provided_rows::Answer;
use handfast::session::Repeat;
use handfast::session::role::Phone;

use super::{OfRole, PhoneLink, misplaced};
use crate::commit::Journal;
use crate::refusal::refused;
use crate::rows::Row;
use crate::{Input, Output, Refusal, array, collection};

impl OfRole for Phone {
    fn take(
        link: &mut PhoneLink,
        now: Timestamp,
        journal: &mut Journal,
        input: Input,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let endpoint = &mut link.endpoint;
        let commit = match input {
            Input::Answer { key, body } => {
                let key = CommandKey::from_bytes(array(&key, "the key of a command")?);
                endpoint.answer(now, key, &body.into(), Repeat::Answer).map_err(refused)?
            }
            Input::Revoke { account } => {
                let account = SigningKey::from_bytes(array(&account, "the key of an account")?);
                let signature = sign_revoked(&account, endpoint.terms());
                endpoint.revoke(now, signature).map_err(refused)?
            }
            Input::CancelOffer => endpoint.cancel_offer(now).map_err(refused)?,
            Input::Woken => {
                let _ = endpoint.handle_wake(now);
                return Ok(());
            }
            input => return answer(link, now, input),
        };
        out.push(Output::Persist { commit: journal.write(commit) });
        Ok(())
    }
}

/// Tells the machine of the phone's rows.
fn answer(link: &mut PhoneLink, now: Timestamp, input: Input) -> Result<(), Refusal> {
    let endpoint = &mut link.endpoint;
    match input {
        Input::SetLogHead { revision } => endpoint.set_log_head(now, in_range(revision)?),
        Input::SetLogFloor { revision } => endpoint.set_log_floor(now, in_range(revision)?),
        Input::ProvideDelta { collection: name, rows, is_all, budget, newest } => {
            let (name, rows) = (collection(&name)?, decoded(rows)?);
            let answer = Answer { rows: &rows, is_all, budget: size(budget) };
            answer.delta(now, endpoint, &name, in_range(newest)?).map_err(refused)?;
        }
        Input::ProvidePage { collection: name, rows, is_all, budget, revision } => {
            let (name, rows) = (collection(&name)?, decoded(rows)?);
            let answer = Answer { rows: &rows, is_all, budget: size(budget) };
            answer.page(now, endpoint, &name, in_range(revision)?).map_err(refused)?;
        }
        Input::ProvideDigest { collection: name, digest, newest } => {
            let digest = array(&digest, "a digest")?;
            endpoint.provide_digest(now, &collection(&name)?, in_range(newest)?, digest).map_err(refused)?;
        }
        _ => return Err(misplaced("phone")),
    }
    Ok(())
}

fn size(budget: u64) -> usize {
    usize::try_from(budget).unwrap_or(usize::MAX)
}

fn decoded(rows: Vec<Row>) -> Result<Vec<Decoded>, Refusal> {
    let rows = rows.into_iter().map(|row| {
        let _ = in_range(row.revision)?;
        row.decoded()
    });
    rows.collect()
}

/// Refuses a revision that no frame can hold.
fn in_range(revision: u64) -> Result<u64, Refusal> {
    if revision <= VARINT_MAX { Ok(revision) } else { Err(Refusal::argument("a revision is over 2^62 - 1")) }
}
