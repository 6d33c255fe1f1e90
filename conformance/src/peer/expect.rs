//! What the faulty peer expects of the shim: how a connection ends or goes on, what is sent in it, what the user is told.

use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;

use super::driver::{Peer, Step, Stop, wrong};

impl Peer<'_> {
    fn closed_with(&self) -> Option<ErrorCode> {
        self.heard.iter().find_map(|frame| match frame {
            Frame::Close { code, .. } => Some(*code),
            _ => None,
        })
    }

    /// The connection was ended by a CLOSE with this code.
    pub(super) fn ends_with(&mut self, right: ErrorCode) -> Step {
        self.wait(0)?;
        match self.closed_with() {
            Some(found) if found == right => self.is_dead(),
            Some(found) => Err(Stop::Code { right, found }),
            None => wrong(format!("it must end the connection with CLOSE({}), and sends none", right.name())),
        }
    }

    /// The connection is over, and the application was told why; the wire need not say it.
    pub(super) fn dies_of(&mut self, right: ErrorCode) -> Step {
        self.wait(0)?;
        let mut names = self.told.iter().filter_map(|told| told.strip_prefix("failed "));
        let found = names.find_map(|name| ErrorCode::ALL.iter().find(|code| code.name() == name));
        match found {
            Some(found) if *found == right => self.is_dead(),
            Some(found) => Err(Stop::Code { right, found: *found }),
            None => wrong(format!(
                "the application must be told `failed {}`, and is told {:?}",
                right.name(),
                self.told
            )),
        }
    }

    /// Whether the shim answers a PING.
    fn answers(&mut self) -> Result<bool, Stop> {
        if self.sealer.is_none() {
            return Ok(false);
        }
        self.send(&[Frame::Ping { id: 77, rev: 0 }])?;
        self.wait(0)?;
        Ok(self.heard.contains(&Frame::Pong { id: 77 }))
    }

    /// The connection goes on.
    pub(super) fn lives(&mut self) -> Step {
        if let Some(code) = self.closed_with() {
            return wrong(format!("the connection must go on, and was ended with CLOSE({})", code.name()));
        }
        if self.answers()? { Ok(()) } else { wrong("the connection must go on, and a PING is not answered") }
    }

    /// Nothing that arrives in the connection is answered any more.
    pub(super) fn is_dead(&mut self) -> Step {
        if self.answers()? { wrong("the connection must be over, and a PING is answered") } else { Ok(()) }
    }

    /// A frame was sent in the connection.
    pub(super) fn hears(&self, frame: &Frame) -> Step {
        if self.heard.contains(frame) { Ok(()) } else { wrong(format!("{frame:?} must be sent, and is not")) }
    }

    pub(super) fn is_told(&self, what: &str) -> Step {
        if self.told.iter().any(|told| told == what) {
            Ok(())
        } else {
            wrong(format!("the application must be told `{what}`, and is told {:?}", self.told))
        }
    }

    pub(super) fn is_not_told(&self, what: &str) -> Step {
        match self.told.iter().find(|told| told.starts_with(what)) {
            Some(told) => wrong(format!("the application must not be told `{told}`")),
            None => Ok(()),
        }
    }
}
