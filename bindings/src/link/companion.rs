//! What only the link of a companion takes.

use bytes::Bytes;
use handfast::Timestamp;
use handfast::codec::ids::CommandKey;
use handfast::session::role::Companion;

use super::{CompanionLink, OfRole, misplaced};
use crate::commit::Journal;
use crate::refusal::refused;
use crate::{Input, Output, Refusal, array, collection};

impl OfRole for Companion {
    fn take(
        link: &mut CompanionLink,
        now: Timestamp,
        journal: &mut Journal,
        input: Input,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let endpoint = &mut link.endpoint;
        match input {
            Input::Send { key, body } => {
                let key = CommandKey::from_bytes(array(&key, "the key of a command")?);
                let commit = endpoint.send(now, key, &body.into()).map_err(refused)?;
                out.push(Output::Persist { commit: journal.write(commit) });
            }
            Input::Subscribe { collection: name } => {
                endpoint.subscribe(now, collection(&name)?).map_err(refused)?;
            }
            Input::Unsubscribe { collection: name } => {
                endpoint.unsubscribe(now, collection(&name)?).map_err(refused)?;
            }
            Input::ProvideDigest { collection: name, digest, .. } => {
                let digest = array(&digest, "a digest")?;
                endpoint.provide_digest(now, &collection(&name)?, digest).map_err(refused)?;
            }
            Input::SetWakeHandle { handle } => {
                endpoint.set_wake_handle(now, handle.map(Bytes::from)).map_err(refused)?;
            }
            Input::TakeBackSeat => endpoint.reclaim_seat(now),
            Input::SetHidden { is_hidden } => endpoint.set_hidden(now, is_hidden),
            _ => return Err(misplaced("companion")),
        }
        Ok(())
    }
}
