//! The inputs and outputs of a link.

mod companion;
mod outputs;
mod phone;

use bytes::{Bytes, BytesMut};
use handfast::Timestamp;
use handfast::codec::ids::ContentId;
use handfast::media::ChunkList;
use handfast::rng::SystemRng;
use handfast::session::role::{Companion, Phone, Role};
use handfast::session::{Endpoint, Opened, SendError};
use handfast::transfers::Transfers;

use crate::commit::Journal;
use crate::refusal::refused;
use crate::{Input, Output, Refusal, array};

/// One link: its machine, and the transfers over it.
#[derive(Debug)]
pub(crate) struct Link<R: Role> {
    pub(crate) endpoint: Endpoint<R>,
    transfers: Transfers,
}

/// What a role has of its own.
pub(crate) trait OfRole: Role + Sized {
    /// Passes in an input that only links of this role take.
    fn take(
        link: &mut Link<Self>,
        now: Timestamp,
        journal: &mut Journal,
        input: Input,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal>;
}

impl<R: OfRole> Link<R> {
    pub(crate) fn new(endpoint: Endpoint<R>) -> Self {
        let transfers = Transfers::new(endpoint.streams());
        Self { endpoint, transfers }
    }

    /// Passes an input to the link.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        rng: &mut SystemRng,
        journal: &mut Journal,
        input: Input,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let endpoint = &mut self.endpoint;
        match input {
            Input::Timer => endpoint.handle_timeout(now, rng),
            Input::SocketOpened => endpoint.handle_opened(now, rng),
            Input::SocketClosed => endpoint.handle_closed(now, rng),
            Input::Received { bytes } => {
                // A vector becomes the buffer that the machine reads in place, without another copy.
                let bytes = BytesMut::from(Bytes::from(bytes));
                endpoint.handle_bytes(now, rng, bytes).map_err(refused)?;
            }
            Input::Transmitted { len } => {
                endpoint.transmitted(now, usize::try_from(len).unwrap_or(usize::MAX));
            }
            Input::Probe => endpoint.probe(now),
            Input::Committed { id } => endpoint.committed(now, journal.take(id)?).map_err(refused)?,
            Input::SetEphemeral { slot, body } => {
                endpoint.set_ephemeral(now, slot, body.into()).map_err(refused)?;
            }
            input => return self.take_of_content(now, journal, input, out),
        }
        Ok(())
    }

    /// Passes in an input about content, or about what only one role has.
    fn take_of_content(
        &mut self,
        now: Timestamp,
        journal: &mut Journal,
        input: Input,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let (endpoint, transfers) = (&mut self.endpoint, &mut self.transfers);
        let commit = match input {
            Input::GetContent { content, stored } => {
                let content = ContentId::from_bytes(array(&content, "a content id")?);
                return opened(transfers.get(now, endpoint, content, stored), journal, out);
            }
            Input::PutContent { list } => {
                return opened(transfers.put(now, endpoint, &chunk_list(&list)?), journal, out);
            }
            Input::AcceptContent { stream } => transfers.accept(now, endpoint, stream).map_err(refused)?,
            Input::HaveContent { stream } => transfers.complete(now, endpoint, stream).map_err(refused)?,
            Input::ContentSynced { stream } => transfers.durable(now, endpoint, stream).map_err(refused)?,
            Input::ServeContent { stream, list } => {
                transfers.serve(stream, &chunk_list(&list)?).map_err(refused)?;
                None
            }
            Input::ContinueStream { stream, list } => {
                let _ = transfers.resume(stream, list.as_deref());
                None
            }
            Input::SupplyContent { stream, bytes } => {
                transfers.supply(stream, bytes.into());
                None
            }
            Input::PauseStream { stream, is_paused } => {
                transfers.set_paused(stream, is_paused);
                None
            }
            Input::StopStream { stream, reason } => {
                transfers.stop(stream, reason.into());
                None
            }
            input => return R::take(self, now, journal, input, out),
        };
        out.extend(commit.map(|commit| Output::Persist { commit: journal.write(commit) }));
        Ok(())
    }
}

fn opened(
    opened: Result<Opened, SendError>,
    journal: &mut Journal,
    out: &mut Vec<Output>,
) -> Result<(), Refusal> {
    let opened = opened.map_err(refused)?;
    out.push(Output::StreamOpened { stream: opened.id, commit: journal.write(opened.commit) });
    Ok(())
}

fn chunk_list(list: &[u8]) -> Result<ChunkList, Refusal> {
    ChunkList::decode(list).map_err(refused)
}

/// Returns the refusal of an input of the other kinds of machine.
fn misplaced(is: &str) -> Refusal {
    Refusal::new("WRONG_STATE", format_args!("the input is not for the link of a {is}"))
}

/// The link of a phone.
pub(crate) type PhoneLink = Link<Phone>;
/// The link of a companion.
pub(crate) type CompanionLink = Link<Companion>;
