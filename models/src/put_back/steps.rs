//! What each step does; none where it cannot be made.

use handfast_codec::role::DeviceRole;
use handfast_session::resume::{ResetReason, Verdict};

use super::{Action, Connection, End, Fault, Owed, PutBack, Said, State, derived};

impl State {
    pub(super) fn step(&self, model: &PutBack, action: Action) -> Option<Self> {
        if !self.may(action) {
            return None;
        }
        let mut next = self.clone();
        match action {
            Action::Act => {
                next.acts += 1;
                next.web.act(model, next.acts)?;
            }
            Action::Connect => next.connect(model),
            Action::Confirm => next.confirm(model)?,
            Action::FirstRecord => next.first_record(model)?,
            Action::ToPhone { acked } => next.reach_phone(model, acked)?,
            Action::ToWeb { acked } => next.reach_web(model, acked)?,
            Action::Acks => next.acks()?,
            Action::Cut => {
                next.connection = Connection::Down;
                next.cuts += 1;
            }
            Action::CopyWeb => {
                next.web_copy = Some(Box::new(next.web.clone()));
                next.web_copies += 1;
            }
            Action::PutWebBack => next.put_web_back()?,
            Action::CopyPhone => next.phone_copies.push(next.phone.clone()),
            Action::PutPhoneBack(at) => next.put_phone_back(at)?,
        }
        Some(next)
    }

    /// Whether the connection allows it; a copy is made only of a state that differs from the last one.
    fn may(&self, action: Action) -> bool {
        let down = self.connection == Connection::Down;
        match action {
            Action::Connect => down && !self.is_over(),
            Action::Confirm => matches!(self.connection, Connection::Confirming(_)),
            Action::FirstRecord => matches!(self.connection, Connection::Confirmed(_)),
            Action::ToPhone { .. } => matches!(self.connection, Connection::Confirmed(_) | Connection::Live),
            Action::ToWeb { .. } | Action::Acks => self.connection == Connection::Live,
            Action::Cut => !down,
            Action::CopyWeb => self.web_copy.as_deref() != Some(&self.web),
            Action::CopyPhone => self.phone_copies.last() != Some(&self.phone),
            Action::Act | Action::PutWebBack | Action::PutPhoneBack(_) => true,
        }
    }

    /// Both blocks have been exchanged: the phone has its candidate, the web commits its part of the verdict.
    fn connect(&mut self, model: &PutBack) {
        let rules = model.rules;
        if rules.ratchet {
            if self.phone.candidate == Some(self.web.psk) {
                self.phone.psk = self.web.psk;
            } else if self.phone.psk != self.web.psk {
                self.end = Some(End::Diverged);
                return;
            }
        }
        self.h += 1;
        let known = self.phone.known(model);
        let put_back = self.web.was_put_back(model, known);
        if put_back && rules.forgotten && self.web.may_be_forgotten(known) {
            self.end = Some(End::Forgotten);
            return;
        }
        if rules.ratchet {
            (self.phone.candidate, self.web.psk) = (Some(self.h), self.h);
        }
        if put_back {
            if self.phone.ran & !(self.web.acted | self.web.heard) == 0 {
                self.fault = Some(Fault::FalseAlarm);
            }
            self.web.heard |= self.phone.ran;
            // Its user knows from now on that all is lost that was done in the meantime.
            self.web.lost = u8::MAX >> (7 - self.acts);
        }
        let mut verdict = self.verdict();
        if rules.phone_stored && shows_phone_back(model, verdict) {
            self.phone_owed.at_phone = false;
            self.web.phone_back = true;
        }
        let by_verdict = rules.by_verdict && verdict.put_back() == Some(DeviceRole::Web);
        if by_verdict && self.web_backs == 0 {
            self.fault = Some(Fault::FalseAlarm);
        }
        let web_back = put_back || by_verdict || (rules.told_again && self.web.to_tell);
        self.web.to_tell = web_back;
        if web_back && rules.told && rules.reset {
            verdict = Verdict::Reset(ResetReason::WebBack);
        }
        if put_back && rules.renumber {
            self.web.renumber(model, known.highest);
        }
        let said = Said { verdict, web_back, h: self.h, web_durable: self.web.lanes.durable };
        match verdict {
            Verdict::Resume => self.web.drop_to(self.phone.lanes.durable),
            Verdict::Reset(_) => self.web.reset(model, derived(self.h)),
        }
        self.connection = Connection::Confirming(said);
    }

    /// The confirm opened: the phone commits the verdict over the blocks as they were sent.
    fn confirm(&mut self, model: &PutBack) -> Option<()> {
        let Connection::Confirming(said) = self.connection else { return None };
        if model.rules.ratchet {
            self.phone.psk = self.phone.candidate.take()?;
        }
        match said.verdict {
            Verdict::Resume => self.phone.lanes.drop_to(said.web_durable, |_| false),
            Verdict::Reset(_) => {
                let (w2p, p2w) = derived(said.h);
                self.phone.lanes.reset(p2w, w2p);
            }
        }
        if said.web_back && model.rules.told {
            self.web_owed.at_phone = false;
        }
        if shows_phone_back(model, said.verdict) {
            self.phone_owed.at_phone = false;
        }
        self.connection = Connection::Confirmed(said);
        Some(())
    }

    /// A record of the phone has come, so that the web knows that its confirm was read.
    fn first_record(&mut self, model: &PutBack) -> Option<()> {
        let Connection::Confirmed(said) = self.connection else { return None };
        self.web.to_tell = false;
        if said.web_back {
            self.web_owed.at_web = false;
        }
        if self.web.phone_back || shows_phone_back(model, said.verdict) {
            if self.phone_backs == 0 {
                self.fault = Some(Fault::FalseAlarm);
            }
            self.web.phone_back = false;
            self.phone_owed.at_web = false;
        }
        self.connection = Connection::Live;
        Some(())
    }

    fn reach_phone(&mut self, model: &PutBack, acked: bool) -> Option<()> {
        let command = self.web.lanes.next_for(self.phone.lanes.durable)?;
        self.fault = self.phone.take(model, command).err();
        if acked {
            self.web.drop_to(self.phone.lanes.durable);
        }
        Some(())
    }

    /// The web settles a result, writes that and acknowledges it, in one step.
    fn reach_web(&mut self, model: &PutBack, acked: bool) -> Option<()> {
        let outcome = self.phone.lanes.next_for(self.web.lanes.durable)?;
        self.web.lanes.durable += 1;
        if let Some(key) = self.web.settle(model, outcome)
            && (key != outcome.key || self.phone.ran & (1 << key) == 0)
        {
            self.fault = Some(Fault::Settled);
        }
        if acked {
            self.phone.lanes.drop_to(self.web.lanes.durable, |_| false);
        }
        Some(())
    }

    /// The ACKs that were late come.
    fn acks(&mut self) -> Option<()> {
        let (up, down) = (self.phone.lanes.durable, self.web.lanes.durable);
        let is_due = self.web.lanes.acked < up || self.phone.lanes.acked < down;
        is_due.then_some(())?;
        self.web.drop_to(up);
        self.phone.lanes.drop_to(down, |_| false);
        Some(())
    }

    fn put_web_back(&mut self) -> Option<()> {
        self.web = self.web_copy.as_deref()?.clone();
        self.web_backs += 1;
        self.connection = Connection::Down;
        if self.phone.ran & !(self.web.acted | self.web.lost) != 0 {
            self.web_owed = Owed { at_web: true, at_phone: true };
        }
        Some(())
    }

    fn put_phone_back(&mut self, at: usize) -> Option<()> {
        self.phone = self.phone_copies.get(at)?.clone();
        self.phone_backs += 1;
        self.connection = Connection::Down;
        if self.web.done & !self.phone.ran != 0 {
            self.phone_owed = Owed { at_web: true, at_phone: true };
        }
        if self.phone.ran & !(self.web.acted | self.web.lost) != 0 {
            self.web_owed = Owed { at_web: true, at_phone: true };
        }
        // It does not know any more what the web had lost.
        if self.phone.ran & !self.web.acted == 0 {
            self.web_owed = Owed::default();
        }
        Some(())
    }
}

/// Whether both sides say that the phone was put back.
fn shows_phone_back(model: &PutBack, verdict: Verdict) -> bool {
    let by_lack = verdict == Verdict::Reset(ResetReason::LackW2p);
    verdict.put_back() == Some(DeviceRole::Phone) && (model.rules.lack_is_back || !by_lack)
}
