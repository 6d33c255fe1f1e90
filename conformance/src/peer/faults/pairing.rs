//! Pairings with a peer that breaks a rule: what a web and a phone must not believe before they are linked.
//!
//! A failed check of a key or a signature ends as `HANDSHAKE_FAILED`: which one it was leaves no device (HSK-005).

mod phone;
mod web;

use handfast_codec::error::ErrorCode;

use super::{Begin, Case, Fault, Reqs};
use crate::peer::driver::{Peer, Step};

impl Case {
    /// An attempt to pair.
    fn attempt(self, reqs: Reqs, body: impl Fn(&mut Peer<'_>) -> Step + 'static) -> Fault {
        self.begin(reqs, Begin::Code, body)
    }
}

impl Fault {
    /// Afterwards the attempt must have ended with this code.
    fn ended_by(self, code: ErrorCode) -> Self {
        self.then(move |peer| peer.is_ended(code)).ending(code)
    }
}

pub(super) fn all() -> Vec<Fault> {
    let mut all = web::all();
    all.extend(phone::all());
    all
}
