//! How a pairing attempt ends, and which rows and keys are deleted then.
//!
//! Nothing here does I/O.

use handfast_codec::error::ErrorCode;
use handfast_codec::link::LinkFrame;

use super::event::PairingOutput;
use super::{Deferred, Pairing, PairingEvent, Side, phone, web};
use crate::endpoint::wipe_rows;

impl Pairing {
    /// Ends the attempt with `code`, and forgets a link that is still OFFERED. The peer is told, if the
    /// attempt has keys. A PENDING companion tells the phone nothing, because the phone may already have
    /// accepted. Once ACTIVE is being stored nothing is refused, because the peer would then delete its side
    /// of the link.
    pub(super) fn refuse_with(&mut self, code: ErrorCode) {
        if matches!(&self.side, Side::Phone(phone::PhoneState::Offered(_))) {
            self.forget();
        }
        self.give_up(code);
    }

    /// Ends the attempt because of something that a relay alone can cause, such as a damaged or withheld
    /// record. The peer is told, but stored rows stay: the companion may have stored PENDING, and a
    /// connection over the link's own mailbox will show whether it has.
    pub(super) fn give_up(&mut self, code: ErrorCode) {
        // A CLOSE would make the companion forget a link that is ACTIVE here. A record that a relay repeats
        // must not cause that.
        // req: HSK-046, HSK-017
        if self.is_settled() {
            return;
        }
        // Without LINK_CLOSE the peer's user would wait for a timeout.
        // req: ERR-021
        if !matches!(&self.side, Side::Web(web::WebState::Pending { .. })) {
            self.send_link(&LinkFrame::Close { code });
        }
        // The rows of the link stay: a relay alone can cause this, and the companion may have accepted.
        // req: HSK-087
        self.end(code);
    }

    /// Ends the attempt because the peer said so, encrypted under the attempt's keys. Deletes the rows of the
    /// link, unless it is already ACTIVE here.
    pub(super) fn closed_by_peer(&mut self, code: ErrorCode) {
        // The companion has accepted nothing, so nobody else will ever use the link.
        // req: HSK-088
        if !self.is_settled() {
            self.forget();
            self.end(code);
        }
    }

    /// Deletes the rows of a link that is not ACTIVE yet.
    fn forget(&mut self) {
        let stored = match &self.side {
            Side::Phone(phone) => matches!(phone, phone::PhoneState::Offered(_)),
            Side::Web(web) => matches!(web, web::WebState::Pending { .. }),
        };
        if let (true, Some(terms)) = (stored, &self.terms) {
            self.persist(terms.mailbox, alloc::vec![wipe_rows()], Deferred::Nothing);
        }
    }

    /// Ends the attempt; dropping its keys wipes them. Stored rows stay, because neither a lost socket nor
    /// the relay's word tells whether the peer has accepted.
    pub(super) fn end(&mut self, code: ErrorCode) {
        // A second attempt with the same code would give an attacker a second guess.
        // req: HSK-003, HSK-012
        if self.ended {
            return;
        }
        self.ended = true;
        self.side.wipe();
        self.keys = None;
        self.event(PairingEvent::Ended(code));
        self.out.push_back(PairingOutput::Disconnect);
    }

    /// Ends the attempt with success: the link is ACTIVE and durable.
    pub(super) fn linked(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.side.wipe();
        self.keys = None;
        if let Some(terms) = &self.terms {
            let mailbox = terms.mailbox;
            self.event(PairingEvent::Linked(mailbox));
        }
        self.out.push_back(PairingOutput::Disconnect);
    }
}

impl Side {
    /// Drops every key of the attempt, which wipes it.
    fn wipe(&mut self) {
        match self {
            Self::Phone(phone) => *phone = phone::PhoneState::Over,
            Self::Web(web) => *web = web::WebState::Over,
        }
    }
}
