//! How an attempt ends, and what of it is forgotten then.
//!
//! May touch: nothing outside memory.

use handfast_codec::error::ErrorCode;
use handfast_codec::link::LinkFrame;

use super::{Deferred, Pairing, PairingEvent, Side, phone, web};
use crate::endpoint::wipe_rows;
use crate::output::{Event, Output};

impl Pairing {
    /// This side ends the attempt: says so to the peer, where there are keys to say it with, and forgets an offer. A
    /// web that has stored PENDING says nothing: the phone may have accepted already, and the link mailbox tells. Once
    /// the commit of ACTIVE is given out there is nothing to refuse: a peer that is told so would forget its side.
    pub(super) fn refuse_with(&mut self, code: ErrorCode) {
        if matches!(&self.side, Side::Phone(phone::PhoneState::Offered(_))) {
            self.forget();
        }
        self.give_up(code);
    }

    /// This side gives up for what a relay can do alone: it harmed a record, or kept one back. It says so to the peer, and
    /// forgets nothing that is stored: the web may have stored PENDING, and the link mailbox tells.
    pub(super) fn give_up(&mut self, code: ErrorCode) {
        // req: HSK-046, HSK-017
        if self.is_settled() {
            return;
        }
        // req: ERR-021
        if !matches!(&self.side, Side::Web(web::WebState::Pending { .. })) {
            self.send_link(&LinkFrame::Close { code });
        }
        // req: HSK-087
        self.end(code);
    }

    /// The peer ended the attempt, under the attempt's own keys: what was stored of it is forgotten. A link that is
    /// ACTIVE here is past that.
    pub(super) fn closed_by_peer(&mut self, code: ErrorCode) {
        // req: HSK-088
        if !self.is_settled() {
            self.forget();
            self.end(code);
        }
    }

    /// Forgets what is stored of a link that is not ACTIVE.
    fn forget(&mut self) {
        let stored = match &self.side {
            Side::Phone(phone) => matches!(phone, phone::PhoneState::Offered(_)),
            Side::Web(web) => matches!(web, web::WebState::Pending { .. }),
        };
        if let (true, Some(terms)) = (stored, &self.terms) {
            self.persist(terms.mailbox, alloc::vec![wipe_rows()], Deferred::Nothing);
        }
    }

    /// The attempt is over; its keys are wiped by being dropped. A stored link stays: a lost socket or a relay's word
    /// says nothing of whether the other side has accepted.
    pub(super) fn end(&mut self, code: ErrorCode) {
        // req: HSK-003, HSK-012
        if self.ended {
            return;
        }
        self.ended = true;
        self.side.wipe();
        self.keys = None;
        self.event(PairingEvent::Ended(code));
        self.out.push_back(Output::Event(Event::Disconnect));
    }

    /// The link is ACTIVE and durable.
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
        self.out.push_back(Output::Event(Event::Disconnect));
    }
}

impl Side {
    /// Drops every key of the attempt.
    fn wipe(&mut self) {
        match self {
            Self::Phone(phone) => *phone = phone::PhoneState::Over,
            Self::Web(web) => *web = web::WebState::Over,
        }
    }
}
