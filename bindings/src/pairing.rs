//! The inputs and outputs of a pairing.

use bytes::BytesMut;
use handfast::Timestamp;
use handfast::codec::ids::CompanionId;
use handfast::handshake::identity::SigningKey;
use handfast::handshake::pairing::phone::GrantedTerms;
use handfast::rng::SystemRng;
use handfast::session::{Pairing, PairingEvent, PairingOutput};

use crate::commit::Journal;
use crate::refusal::refused;
use crate::time::at_ms;
use crate::{Input, Output, Refusal, array};

/// The number of idle days in the terms of a link. Nothing enforces it yet.
const IDLE_DAYS: u16 = 14;

/// Passes an input to a pairing.
pub(crate) fn take(
    pairing: &mut Pairing,
    now: Timestamp,
    rng: &mut SystemRng,
    journal: &mut Journal,
    input: Input,
) -> Result<(), Refusal> {
    match input {
        Input::Timer => pairing.handle_timeout(now),
        Input::SocketOpened => pairing.handle_opened(now),
        Input::SocketClosed => pairing.handle_closed(now),
        Input::Received { bytes } => {
            pairing.handle_bytes(now, rng, BytesMut::from(bytes.as_slice())).map_err(refused)?;
        }
        Input::Transmitted { .. } => {}
        Input::Probe => pairing.probe(now),
        Input::Committed { id } => pairing.committed(now, journal.take(id)?).map_err(refused)?,
        Input::EnterNumber { digits } => pairing.enter_confirmation(now, &digits).map_err(refused)?,
        Input::StopPairing => pairing.stop(now).map_err(refused)?,
        Input::EnterCheckCode { digits } => pairing.enter_check_code(now, &digits).map_err(refused)?,
        Input::Approve { account, account_name, companion, serial, grants } => {
            let account = SigningKey::from_bytes(array(&account, "the key of an account")?);
            let companion = CompanionId::from_bytes(array(&companion, "the id of a companion")?);
            let granted = GrantedTerms { account_name, companion, serial, grants, idle_days: IDLE_DAYS };
            pairing.approve(now, rng, &account, granted).map_err(refused)?;
        }
        Input::Refuse => pairing.refuse(now),
        _ => return Err(Refusal::new("WRONG_STATE", "the input is for a link, and this is a pairing")),
    }
    Ok(())
}

/// Takes all outputs of a pairing.
pub(crate) fn drain(pairing: &mut Pairing, journal: &mut Journal, out: &mut Vec<Output>) {
    loop {
        out.push(match pairing.poll_output() {
            PairingOutput::Persist(commit) => Output::Persist { commit: journal.write(commit) },
            PairingOutput::Transmit(bytes) => Output::Transmit { bytes: bytes.to_vec() },
            PairingOutput::Connect => Output::Connect { url: pairing.relay().url() },
            PairingOutput::Disconnect => Output::Disconnect,
            PairingOutput::Event(event) => said(event),
            PairingOutput::Wait(at) => return out.push(Output::SetTimer { at_ms: at.map(at_ms) }),
            _ => Output::Other,
        });
    }
}

fn said(event: PairingEvent) -> Output {
    match event {
        PairingEvent::CheckCode(digits) => Output::ShowCheckCode { digits },
        PairingEvent::CheckCodeWanted => Output::CheckCodeWanted,
        PairingEvent::WrongCheckCode(tries_left) => Output::WrongCheckCode { tries_left },
        PairingEvent::ApprovalWanted { label, origin, origin_seen, grants, same_net } => {
            Output::ApprovalWanted { label, origin, origin_seen, grants, is_same_network: same_net }
        }
        PairingEvent::ShowConfirmation(digits) => Output::ShowNumber { digits },
        PairingEvent::ConfirmationWanted { account_name, .. } => Output::NumberWanted { account_name },
        PairingEvent::Linked(link) => Output::Linked { link: link.as_bytes().to_vec() },
        PairingEvent::Ended(code) => Output::PairingEnded { code: code.to_string() },
        _ => Output::Other,
    }
}
