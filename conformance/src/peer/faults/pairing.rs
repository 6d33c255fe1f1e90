//! Pairings with a peer that breaks a rule: what a web and a phone must not believe before they are linked.
//!
//! A failed check of a key or a signature ends as `HANDSHAKE_FAILED`: which one it was leaves no device (HSK-005).

mod phone;
mod web;

use handfast_codec::error::ErrorCode;
use handfast_codec::role::DeviceRole;

use super::{Begin, Fault};
use crate::peer::driver::{Peer, Step};

type Reqs = &'static [&'static str];

/// An attempt that must end with this code, or in which nothing must end.
fn attempt(
    role: DeviceRole,
    name: &'static str,
    reqs: Reqs,
    comment: &'static str,
    code: Option<ErrorCode>,
    body: impl Fn(&mut Peer<'_>) -> Step + 'static,
) -> Fault {
    let fault = Fault::new(role, name, reqs, comment, Begin::Code, move |peer| {
        body(peer)?;
        code.map_or(Ok(()), |code| peer.is_ended(code))
    });
    Fault { code, ..fault }
}

pub(super) fn all() -> Vec<Fault> {
    let mut all = web::all();
    all.extend(phone::all());
    all
}
