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
    pub(crate) reqs: &'static [&'static str],
    pub(crate) comment: &'static str,
    /// With which CLOSE the connection must end, if it must.
    code: Option<ErrorCode>,
    begin: Begin,
    body: Body,
    /// The plaintexts of the records, if records are all that the peer sends.
    records: Vec<BytesMut>,
}

impl Fault {
    fn new(
        role: DeviceRole,
        name: &'static str,
        reqs: &'static [&'static str],
        comment: &'static str,
        begin: Begin,
        body: impl Fn(&mut Peer<'_>) -> Step + 'static,
    ) -> Self {
        Self { role, name, reqs, comment, code: None, begin, body: Box::new(body), records: Vec::new() }
    }

    /// Records of these frames, after which the connection must end with the code.
    fn frames(
        role: DeviceRole,
        name: &'static str,
        reqs: &'static [&'static str],
        comment: &'static str,
        records: Vec<Vec<Frame>>,
        code: ErrorCode,
    ) -> Self {
        let plain = records.iter().filter_map(|frames| record_of(frames)).collect();
        let body = move |peer: &mut Peer<'_>| {
            records.iter().try_for_each(|frames| peer.send(frames))?;
            peer.ends_with(code)
        };
        Self {
            code: Some(code),
            records: plain,
            ..Self::new(role, name, reqs, comment, Begin::Connected, body)
        }
    }

    /// Records of these frames, which must not end the connection.
    fn borne(
        role: DeviceRole,
        name: &'static str,
        reqs: &'static [&'static str],
        comment: &'static str,
        records: Vec<Vec<Frame>>,
    ) -> Self {
        let plain = records.iter().filter_map(|frames| record_of(frames)).collect();
        let body = move |peer: &mut Peer<'_>| {
            records.iter().try_for_each(|frames| peer.send(frames))?;
            peer.lives()
        };
        Self { records: plain, ..Self::new(role, name, reqs, comment, Begin::Connected, body) }
    }

    /// A record of these bytes, filled with zeros to a length, after which the connection must end with the code.
    fn plain(
        role: DeviceRole,
        name: &'static str,
        reqs: &'static [&'static str],
        comment: &'static str,
        (start, len): (&'static [u8], usize),
        code: ErrorCode,
    ) -> Self {
        let body = move |peer: &mut Peer<'_>| {
            peer.send_plain(start, len)?;
            peer.ends_with(code)
        };
        let records = vec![plain_record(start, len)];
        Self { code: Some(code), records, ..Self::new(role, name, reqs, comment, Begin::Connected, body) }
    }

    fn ending(self, code: ErrorCode) -> Self {
        Self { code: Some(code), ..self }
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

    /// The plaintexts of the records, if records are all that the peer sends.
    pub(crate) fn records(&self) -> &[BytesMut] {
        &self.records
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
    let mut all = records::all();
    all.extend(messages::all());
    all.extend(streams::all());
    all.extend(sync::all()?);
    all.extend(message1::all());
    all.extend(message2::all());
    all.extend(put_back::all());
    all.extend(relay::all());
    all.extend(pairing::all());
    Ok(all)
}
