//! The faults of the peer, each a case of its own.

mod message1;
mod message2;
mod messages;
mod pairing;
mod put_back;
mod records;
mod relay;
mod streams;
mod sync;

use anyhow::Result;
use bytes::BytesMut;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::role::DeviceRole;

use super::driver::{Peer, Step, Stop, plain_record, record_of};
use crate::runner::Shim;

const PHONE: DeviceRole = DeviceRole::Phone;
const WEB: DeviceRole = DeviceRole::Web;

/// How far things are when the fault is made.
#[derive(Clone, Copy)]
enum Begin {
    /// A code is shown or scanned, and both sit in its mailbox.
    Code,
    /// The link is open, without a socket.
    Opened,
    /// Attached beside the peer.
    Attached,
    /// Connected to the peer.
    Connected,
}

type Body = Box<dyn Fn(&mut Peer<'_>) -> Step>;

/// One rule that the peer breaks, and what the implementation must do about it.
pub(crate) struct Fault {
    /// The role of the implementation.
    pub(crate) role: DeviceRole,
    name: &'static str,
    pub(crate) reqs: Reqs,
    pub(crate) comment: &'static str,
    /// With which CLOSE the connection must end, if it must.
    code: Option<ErrorCode>,
    begin: Begin,
    body: Body,
    /// The plaintexts of the records, if records are all that the peer sends.
    records: Vec<BytesMut>,
}

type Reqs = &'static [&'static str];

/// A case of which only this is said so far: its name, and what the peer does or what the implementation must do.
struct Case {
    /// The role of the implementation.
    role: DeviceRole,
    name: &'static str,
    comment: &'static str,
}

fn phone(name: &'static str, comment: &'static str) -> Case {
    Case { role: PHONE, name, comment }
}

fn web(name: &'static str, comment: &'static str) -> Case {
    Case { role: WEB, name, comment }
}

/// The same fault before a phone and before a web.
fn both(name: &'static str, comment: &'static str, fault: impl Fn(Case) -> Fault) -> [Fault; 2] {
    [phone(name, comment), web(name, comment)].map(fault)
}

impl Case {
    fn begin(self, reqs: Reqs, begin: Begin, body: impl Fn(&mut Peer<'_>) -> Step + 'static) -> Fault {
        let Self { role, name, comment } = self;
        Fault { role, name, reqs, comment, code: None, begin, body: Box::new(body), records: Vec::new() }
    }

    fn opened(self, reqs: Reqs, body: impl Fn(&mut Peer<'_>) -> Step + 'static) -> Fault {
        self.begin(reqs, Begin::Opened, body)
    }

    fn attached(self, reqs: Reqs, body: impl Fn(&mut Peer<'_>) -> Step + 'static) -> Fault {
        self.begin(reqs, Begin::Attached, body)
    }

    fn connected(self, reqs: Reqs, body: impl Fn(&mut Peer<'_>) -> Step + 'static) -> Fault {
        self.begin(reqs, Begin::Connected, body)
    }

    /// Records of these frames.
    fn frames(self, reqs: Reqs, records: Vec<Vec<Frame>>) -> Fault {
        let plain = records.iter().filter_map(|frames| record_of(frames)).collect();
        let send = move |peer: &mut Peer<'_>| records.iter().try_for_each(|frames| peer.send(frames));
        Fault { records: plain, ..self.connected(reqs, send) }
    }

    /// Records of these frames, which must not end the connection.
    fn borne(self, reqs: Reqs, records: Vec<Vec<Frame>>) -> Fault {
        self.frames(reqs, records).also(lives)
    }

    /// A record of these bytes, filled with zeros to a length.
    fn plain(self, reqs: Reqs, (start, len): (&'static [u8], usize)) -> Fault {
        let records = vec![plain_record(start, len)];
        Fault { records, ..self.connected(reqs, move |peer| peer.send_plain(start, len)) }
    }
}

/// The connection goes on.
fn lives(peer: &mut Peer<'_>) -> Step {
    peer.lives()
}

impl Fault {
    fn ending(self, code: ErrorCode) -> Self {
        Self { code: Some(code), ..self }
    }

    /// What the implementation must do after all that was said so far.
    fn then(self, step: impl Fn(&mut Peer<'_>) -> Step + 'static) -> Self {
        Self { records: Vec::new(), ..self.also(step) }
    }

    /// What any peer looks at after what it sent.
    fn also(self, step: impl Fn(&mut Peer<'_>) -> Step + 'static) -> Self {
        let body = self.body;
        let both = move |peer: &mut Peer<'_>| body(peer).and_then(|()| step(peer));
        Self { body: Box::new(both), ..self }
    }

    /// Afterwards the connection must end with this code.
    fn ends_with(self, code: ErrorCode) -> Self {
        self.also(move |peer| peer.ends_with(code)).ending(code)
    }

    /// The plaintexts of the records, if records are all that the peer sends.
    pub(crate) fn records(&self) -> &[BytesMut] {
        &self.records
    }

    pub(crate) fn role(&self) -> &'static str {
        if self.role == PHONE { "phone" } else { "web" }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn id(&self) -> String {
        format!("peer/{}/{}", self.role(), self.name)
    }

    pub(crate) fn code(&self) -> Option<ErrorCode> {
        self.code
    }

    pub(super) fn play(&self, shim: &mut Shim) -> Result<(), Stop> {
        let id = self.id();
        let mut peer = match self.begin {
            Begin::Code => Peer::with_code(shim, &id, self.role)?,
            Begin::Opened => Peer::new(shim, &id, self.role)?,
            Begin::Attached | Begin::Connected => Peer::attached(shim, &id, self.role)?,
        };
        if matches!(self.begin, Begin::Connected) {
            peer.connect(1)?;
        }
        (self.body)(&mut peer)
    }
}

/// All faults.
///
/// # Errors
///
/// None that can happen: what the codec builds is well formed.
pub(crate) fn all() -> Result<Vec<Fault>> {
    let lists = [
        records::all(),
        messages::all(),
        streams::all(),
        sync::all()?,
        message1::all(),
        message2::all(),
        put_back::all(),
        relay::all(),
        pairing::all(),
    ];
    Ok(lists.into_iter().flatten().collect())
}
