//! What each of them may do next.

use std::collections::BTreeSet;

use handfast_handshake::ratchet::{Decision, PhoneRatchet, Recovery, WebRatchet};

use super::scenarios::Forge;
use super::{Awaits, Key, Msg, Scenario, State, Waits, Web};

/// A try that no honest web reaches here.
const TRY_FORGED: u64 = 99;

impl State {
    fn without(&self, scenario: &Scenario, msg: &Msg) -> BTreeSet<Msg> {
        let mut net = self.net.clone();
        if !scenario.replay {
            let _ = net.remove(msg);
        }
        net
    }

    /// Every state that follows in one step.
    pub(super) fn next(&self, scenario: &Scenario, out: &mut Vec<Self>) {
        self.outside(scenario, out);
        if self.awaits.is_some() {
            out.push(Self { awaits: None, ..self.clone() });
        }
        for at in 0..self.webs.len() {
            self.web_steps(scenario, at, out);
        }
        for msg in &self.net {
            self.delivery(scenario, msg, out);
        }
    }

    /// What a thief, a backup or a forger does.
    fn outside(&self, scenario: &Scenario, out: &mut Vec<Self>) {
        if scenario.copy && self.copied.is_none() {
            let mut next = self.clone();
            let web = &self.webs[0];
            next.copied = Some(web.ratchet.last_try());
            next.webs.push(Web { ratchet: web.ratchet.clone(), waits: None, before: None, confirmed: false });
            out.push(next);
        }
        if scenario.restore {
            match &self.snapshot {
                None => out.push(Self { snapshot: Some(self.phone.clone()), ..self.clone() }),
                Some(snapshot) if !self.restored => {
                    let phone = snapshot.clone();
                    out.push(Self { phone, awaits: None, restored: true, ..self.clone() });
                }
                Some(_) => {}
            }
        }
        let Some(forge) = scenario.forge.filter(|_| !self.forged && self.made < scenario.made_max) else {
            return;
        };
        let try_ = match forge {
            Forge::HighestTry => TRY_FORGED,
            Forge::NextTryOverCandidate if self.phone.candidate().is_some() => self.phone.last_try() + 1,
            Forge::NextTryOverCandidate => return,
        };
        let made = self.made + 1;
        let phone = PhoneRatchet::new(*self.phone.current(), Some(Key::Forged(made)), try_);
        out.push(Self { phone, awaits: None, made, forged: true, ..self.clone() });
    }

    fn with_web(&self, at: usize, change: impl FnOnce(&mut Web)) -> Self {
        let mut next = self.clone();
        change(&mut next.webs[at]);
        next
    }

    fn web_steps(&self, scenario: &Scenario, at: usize, out: &mut Vec<Self>) {
        let web = &self.webs[at];
        let name = u8::try_from(at).unwrap();
        if web.waits.is_some() {
            out.push(self.with_web(at, |web| web.waits = None));
        }
        if let Some((key, try_)) = web.before.filter(|_| scenario.rollback && !self.rolled) {
            let mut next = self.with_web(at, |web| {
                web.ratchet = WebRatchet::new(key, try_);
                (web.waits, web.before) = (None, None);
            });
            next.rolled = true;
            out.push(next);
        }
        let recoveries = self.net.iter().filter(|msg| matches!(msg, Msg::Recover { .. })).count();
        if scenario.hint && recoveries < 2 {
            let (number, key) = (u8::try_from(recoveries).unwrap(), *web.ratchet.key());
            let mut next = self.with_web(at, |web| web.waits = Some(Waits::Recovery { number, key }));
            let _ = next.net.insert(Msg::Recover { web: name, number, key });
            out.push(next);
        }
        if web.ratchet.last_try() < scenario.try_max {
            let mut next = self.clone();
            let before = (*web.ratchet.key(), web.ratchet.last_try());
            let web = &mut next.webs[at];
            let try_ = web.ratchet.next_try().unwrap();
            web.before = scenario.rollback.then_some(before);
            web.waits = Some(Waits::Message2(try_));
            let key = *web.ratchet.key();
            let _ = next.net.insert(Msg::One { web: name, key, try_ });
            out.push(next);
        }
    }

    fn delivery(&self, scenario: &Scenario, msg: &Msg, out: &mut Vec<Self>) {
        match *msg {
            Msg::One { web, key, try_ } => self.message1(scenario, msg, (web, key, try_), out),
            Msg::Two { web, key, try_, next } => {
                let at = usize::from(web);
                let holder = &self.webs[at];
                if holder.waits != Some(Waits::Message2(try_)) || *holder.ratchet.key() != key {
                    return;
                }
                let before = scenario.rollback.then_some((key, holder.ratchet.last_try()));
                let mut stored = self.with_web(at, |web| {
                    web.ratchet.advanced(next);
                    (web.waits, web.before) = (None, before);
                });
                stored.net = self.without(scenario, msg);
                out.push(stored.clone());
                let _ = stored.net.insert(Msg::Three { web, next });
                out.push(stored);
            }
            Msg::Three { web, next } => {
                if self.awaits != Some(Awaits::Confirm(next)) || self.phone.candidate() != Some(&next) {
                    return;
                }
                let mut confirmed = self.clone();
                confirmed.phone.confirmed();
                confirmed.awaits = None;
                confirmed.net = self.without(scenario, msg);
                if let (Some(copied), Key::Made { try_, .. }) = (self.copied, next) {
                    confirmed.webs[usize::from(web)].confirmed |= try_ > copied;
                }
                out.push(confirmed);
            }
            Msg::Recover { web, number, key } => {
                let answers = self.net.iter().filter(|m| matches!(m, Msg::RecoverTwo { .. })).count();
                let answer = u8::try_from(answers).unwrap();
                if answer < 3 {
                    let in_step = self.phone.find(&key).is_some();
                    let mut next = self.clone();
                    next.awaits = Some(Awaits::RecoveryConfirm { web, number, key, answer, in_step });
                    let _ = next.net.insert(Msg::RecoverTwo { web, number, key, answer });
                    out.push(next);
                }
            }
            Msg::RecoverTwo { web, number, key, answer } => {
                let waits = Some(Waits::Recovery { number, key });
                if self.webs.get(usize::from(web)).is_some_and(|web| web.waits == waits) {
                    let mut next = self.clone();
                    let _ = next.net.insert(Msg::RecoverThree { web, number, key, answer });
                    out.push(next);
                }
            }
            Msg::RecoverThree { web, number, key, answer } => {
                let Some(Awaits::RecoveryConfirm { in_step, .. }) = self.awaits.filter(|awaits| {
                    matches!(awaits, Awaits::RecoveryConfirm { web: w, number: n, key: k, answer: a, .. }
                        if (*w, *n, *k, *a) == (web, number, key, answer))
                }) else {
                    return;
                };
                let alarm = self.phone.recovery_verdict(in_step, &key) == Recovery::Diverged;
                out.push(Self { awaits: None, alarm, ..self.clone() });
            }
        }
    }

    fn message1(
        &self,
        scenario: &Scenario,
        msg: &Msg,
        (web, key, try_): (u8, Key, u64),
        out: &mut Vec<Self>,
    ) {
        let decision = self.phone.find(&key).map(|holder| self.phone.decide(holder, try_));
        let answer = match decision {
            Some(Decision::Answer(answer)) => answer,
            Some(Decision::Silence) => {
                if !scenario.replay {
                    out.push(Self { net: self.without(scenario, msg), ..self.clone() });
                }
                return;
            }
            // A confirm comes only from a web that is there, and waits for just this.
            Some(Decision::Quarantine) | None => {
                let holder = &self.webs[usize::from(web)];
                let waits = holder.waits == Some(Waits::Message2(try_)) && *holder.ratchet.key() == key;
                let known = decision.is_some();
                let alarm = known || self.phone.recovery_verdict(false, &key) == Recovery::Diverged;
                if waits && alarm {
                    out.push(Self { alarm: true, ..self.clone() });
                }
                return;
            }
        };
        if self.made >= scenario.made_max {
            return;
        }
        let mut next = self.clone();
        next.made += 1;
        let candidate = Key::Made { web, try_, number: next.made };
        next.phone.answered(&answer, candidate);
        next.awaits = None;
        next.net = self.without(scenario, msg);
        out.push(next.clone());
        next.awaits = Some(Awaits::Confirm(candidate));
        let _ = next.net.insert(Msg::Two { web, key, try_, next: candidate });
        out.push(next);
    }
}
