//! The users: they pair, and note what their devices tell them. What they send and fetch is in `acts.rs`.

use handfast::codec::ids::CompanionId;
use handfast::session::LinkState;
use handfast::{DeviceRole, ErrorCode};
use reference_phone::app::{AppEvent as PhoneEvent, ScanStep};
use reference_web::app::AppEvent as WebEvent;
use reference_web::store::Direction;

use crate::disk::Disk;
use crate::faults::{man, offers};
use crate::kind::Kind;
use crate::ledger::WebView;
use crate::node::NodeId;
use crate::world::{SimEvent, World};

/// The phone, by its place.
pub const PHONE: NodeId = NodeId(0);
/// How often users look at screens, in microseconds.
const LOOK_EVERY: u64 = 700_000;

impl World {
    /// The number of the companion that a device is, unless a fault added it.
    #[must_use]
    pub fn web_of(&self, id: NodeId) -> Option<usize> {
        id.0.checked_sub(1).filter(|web| *web < self.plan.webs)
    }

    fn view(&mut self, id: NodeId) -> Option<&mut WebView> {
        let web = self.web_of(id)?;
        self.ledger.webs.get_mut(web)
    }

    /// A companion that is not linked shows codes.
    pub fn show_codes_if_unlinked(&mut self, id: NodeId) {
        if self.web_of(id).is_none() {
            return;
        }
        let time = self.nodes[id.0].clocks(self.now);
        let node = &mut self.nodes[id.0];
        let mut rng = node.rng.clone();
        if let Some(app) = node.web()
            && !app.is_linked()
        {
            // Refused only when it is linked.
            let _ = app.pair(time.mono, rng.crypto());
            node.rng = rng;
            self.at(self.now + LOOK_EVERY, SimEvent::Look);
        }
    }

    /// A user who starts a companion sees whether it is linked, and as what; its disk may have lost that.
    pub fn see_link(&mut self, id: NodeId) {
        let Some(web) = self.web_of(id) else { return };
        let disk = &self.nodes[id.0].disk;
        let (stored, companion) = (disk.companion(false), disk.companion(true));
        let linked = self.nodes[id.0].web().is_some_and(|app| app.is_linked());
        if companion.is_some_and(|companion| man::owns(self, web, companion)) {
            // Its user looks at it soon.
            return;
        }
        let view = &mut self.ledger.webs[web];
        view.stored = stored;
        if linked && companion.is_none() {
            return;
        }
        let old = std::mem::replace(&mut view.companion, companion);
        if old != companion {
            view.approved = companion.is_some();
            if old.is_some() {
                self.link_is_over(web);
            }
        }
    }

    /// What a screen showed is gone with its program.
    pub fn stopped(&mut self, id: NodeId) {
        if id == PHONE {
            self.ledger.phone.states.clear();
            self.scan_over();
        } else if let Some(view) = self.view(id) {
            view.state = None;
            view.shows_code(None);
        }
    }

    fn scan_over(&mut self) {
        let phone = &mut self.ledger.phone;
        phone.scanning = None;
        phone.nn = None;
        phone.wants_digits = false;
        phone.wants_approval = false;
    }

    fn unlinked(&self) -> Option<usize> {
        self.ledger.webs.iter().position(|view| view.companion.is_none() && view.code.is_some())
    }

    /// The users look at their screens, and do what is asked there.
    pub fn look(&mut self) {
        man::looks(self);
        if self.ledger.webs.iter().any(|view| view.companion.is_none()) {
            self.at(self.now + LOOK_EVERY, SimEvent::Look);
        }
        self.ask_for_codes();
        if self.nodes[0].machine.is_none() || self.nodes[0].asleep_until > self.now {
            return;
        }
        match self.ledger.phone.scanning {
            None => {
                if let Some(web) = self.unlinked() {
                    self.scan(web);
                }
            }
            Some(web) => self.answer(web),
        }
    }

    fn scan(&mut self, web: usize) {
        let Some(text) = man::code(self, web) else { return };
        let time = self.nodes[0].clocks(self.now);
        let mut rng = self.nodes[0].rng.clone();
        let Some(app) = self.nodes[0].phone() else { return };
        if app.scan(time, rng.crypto(), &text).is_ok() {
            self.nodes[0].rng = rng;
            self.ledger.phone.scanning = Some(web);
            man::phone_scans(self, web);
            offers::scanned(self);
            let _ = self.run(PHONE);
        }
    }

    fn answer(&mut self, web: usize) {
        let time = self.nodes[0].clocks(self.now);
        if self.ledger.phone.wants_digits
            && let Some(digits) = self.ledger.webs[web].digits.clone()
        {
            self.ledger.phone.wants_digits = false;
            let digits = man::digits(self, web, digits);
            if let Some(app) = self.nodes[0].phone() {
                // Refused when the attempt is over, which is told by an event.
                let _ = app.enter_check_code(time, &digits);
            }
            let _ = self.run(PHONE);
        } else if self.ledger.phone.wants_approval {
            self.ledger.phone.wants_approval = false;
            if let Some((app, rng)) = self.nodes[0].phone_user() {
                let _ = app.approve(time, rng, true);
            }
            self.ledger.webs[web].approved = true;
            let _ = self.run(PHONE);
            offers::approved(self, web);
        } else if let (Some(shown), true) = (self.ledger.phone.nn.clone(), self.ledger.webs[web].wants_number)
        {
            self.ledger.webs[web].wants_number = false;
            man::number(self, web, &shown);
            offers::number_comes(self, web);
            let id = self.web_node(web);
            let time = self.nodes[id.0].clocks(self.now);
            if let Some(app) = self.nodes[id.0].web() {
                let _ = app.enter_number(time.mono, &shown);
            }
            let _ = self.run(id);
        }
    }

    /// The phone tells its user something.
    pub fn phone_event(&mut self, id: NodeId, event: &PhoneEvent) {
        let now = self.now;
        self.trace.line(now, || format!("{} tells {event:?}", self.nodes[id.0].name));
        if id != PHONE {
            return;
        }
        match *event {
            PhoneEvent::LinkState { companion, state } => {
                let old = self.ledger.phone.states.insert(companion, state);
                if state == LinkState::Live {
                    crate::check::offers::linked(self, companion);
                }
                if state == LinkState::Live && self.ledger.revoked.contains(&companion) {
                    self.ledger
                        .violation("revoked-never-resumes", format!("the phone is live with {companion}"));
                }
                if old == Some(LinkState::Live) && state != LinkState::Live {
                    self.ledger.recovers();
                }
            }
            PhoneEvent::Linked { companion } => crate::check::offers::linked(self, companion),
            PhoneEvent::Diverged { companion } => {
                let _ = self.ledger.phone.diverged.insert(companion);
            }
            PhoneEvent::PutBack { companion, who: DeviceRole::Web } => {
                let web = self.ledger.webs.iter().position(|view| view.companion == Some(companion));
                if let Some(web) = web {
                    self.ledger.told_put_back(web, "phone");
                }
            }
            PhoneEvent::RevokedTold { companion } => {
                let _ = self.ledger.phone.told.insert(companion);
            }
            PhoneEvent::LinkError { companion, code, by: "here" } => {
                let web = self.ledger.webs.iter().position(|view| view.companion == Some(companion));
                if let Some(web) = web {
                    crate::check::rules::link_failed(self, web, "the phone", code);
                }
            }
            PhoneEvent::LinkDamaged { link, ref error } => {
                self.ledger.violation("stored-link-opens", format!("{link}: {error:?}"));
            }
            _ => {}
        }
    }

    /// The phone asks whoever scans.
    pub fn scan_step(&mut self, id: NodeId, step: ScanStep) {
        let now = self.now;
        self.trace.line(now, || format!("{} asks {step:?}", self.nodes[id.0].name));
        if id != PHONE {
            return man::phone_tells(self, id, step);
        }
        match step {
            // Whoever has seen no other digits types the same again, and the attempt is over.
            ScanStep::CheckCodeWanted | ScanStep::WrongCode { left: 1.. } => {
                self.ledger.phone.wants_digits = true;
            }
            ScanStep::ApprovalWanted { .. } => {
                self.ledger.phone.wants_approval = true;
                man::phone_asks(self);
            }
            ScanStep::ShowConfirmation(nn) => self.ledger.phone.nn = Some(nn),
            ScanStep::Linked { .. } | ScanStep::Ended { .. } => {
                man::phone_is_done(self);
                self.scan_over();
            }
            _ => {}
        }
    }

    /// A companion tells its user something. Returns whether the user did something about it at once.
    pub fn web_event(&mut self, id: NodeId, event: WebEvent) -> bool {
        let now = self.now;
        self.trace.line(now, || {
            let text: String = format!("{event:?}").chars().take(420).collect();
            format!("{} tells {text}", self.nodes[id.0].name)
        });
        let Some(web) = self.web_of(id) else {
            man::page_tells(self, id, &event);
            crate::faults::device::holder_tells(self, id, &event);
            return false;
        };
        let view = &mut self.ledger.webs[web];
        match event {
            WebEvent::Code { text } => view.shows_code(Some(text)),
            WebEvent::CodeBurnt { asks, .. } => {
                view.shows_code(None);
                view.offers_code = asks;
            }
            WebEvent::CheckCode(digits) => view.digits = Some(digits),
            WebEvent::NumberWanted { .. } => self.number_is_wanted(web),
            WebEvent::Linked { companion, .. } => self.web_is_linked(web, companion),
            WebEvent::Transfer { content, error: Some(ErrorCode::FULL), .. } => {
                crate::faults::quota::refused(self, web, content);
            }
            WebEvent::LinkState(state) => {
                let old = view.state.replace(state);
                if old == Some(LinkState::Live) && state != LinkState::Live {
                    self.ledger.recovers();
                }
            }
            WebEvent::Message { message, is_new: true }
                if view.approved && message.text.starts_with("p-") =>
            {
                let _ = self.ledger.heard.entry(message.text).or_insert(now);
            }
            WebEvent::Result { client_id: Some(client), .. } => {
                let _ = self.ledger.heard.entry(client).or_insert(now);
            }
            WebEvent::Message { .. } | WebEvent::Synced { .. } if !view.approved => {
                self.ledger.violation("nothing-before-approval", format!("companion {web} got a message"));
            }
            WebEvent::Transfer { direction: Direction::Get, content, done: true, .. } => {
                let _ = view.fetched.insert(content);
            }
            WebEvent::LinkError { code: ErrorCode::NOT_ACCEPTED, by: "phone" } => view.not_accepted = true,
            WebEvent::LinkError { code, by: "here" } => {
                crate::check::rules::link_failed(self, web, "the companion", code);
            }
            WebEvent::PutBack { who: DeviceRole::Web } => self.ledger.told_put_back(web, "companion"),
            WebEvent::Diverged => view.diverged = true,
            WebEvent::Suspended => view.suspended = true,
            // A user who hears of it when nobody else is there any more wants the seat back.
            WebEvent::Replaced if self.healed => {
                self.want_seat(id);
                return true;
            }
            WebEvent::Replaced => view.replaced = true,
            WebEvent::Revoked => {
                self.web_is_revoked(id, web);
                return true;
            }
            _ => {}
        }
        false
    }

    fn number_is_wanted(&mut self, web: usize) {
        let view = &mut self.ledger.webs[web];
        view.wants_number = true;
        // A man's phone approves by itself.
        if !view.approved && !man::was_before(self, web) {
            self.ledger.violation("nothing-before-approval", format!("companion {web} asks for the number"));
        }
    }

    fn web_is_linked(&mut self, web: usize, companion: CompanionId) {
        if man::owns(self, web, companion) {
            // Its user looks at it soon.
            return;
        }
        let view = &mut self.ledger.webs[web];
        view.companion = Some(companion);
        // What an earlier link had fetched went with that link, though a crash may have kept the user from hearing.
        view.fetched.clear();
        view.code = None;
        view.digits = None;
        // They are counted for each link.
        let _ = self.ledger.attempts.remove(&web);
    }

    fn web_is_revoked(&mut self, id: NodeId, web: usize) {
        self.link_is_wiped(web);
        let view = &mut self.ledger.webs[web];
        view.companion = None;
        view.approved = false;
        self.link_is_over(web);
        self.show_codes_if_unlinked(id);
    }

    /// A disk of a companion has nothing of its link any more.
    pub fn link_is_wiped(&mut self, web: usize) {
        let view = &mut self.ledger.webs[web];
        view.revoked = true;
        let companion = view.companion.or(view.stored);
        if !companion.is_some_and(|companion| self.ledger.signed.contains(&companion)) {
            self.ledger.violation("no-wipe-without-signature", format!("companion {web} wiped its keys"));
        }
    }

    /// The users of companions that offer another code want to try again.
    fn ask_for_codes(&mut self) {
        for web in (0..self.plan.webs).filter(|web| self.ledger.webs[*web].offers_code).collect::<Vec<_>>() {
            let id = self.web_node(web);
            let time = self.nodes[id.0].clocks(self.now);
            // Refused while its store rests: the user asks again.
            let user = self.nodes[id.0].web_user();
            let asked = user.is_some_and(|(app, rng)| app.new_code(time.mono, rng).is_ok());
            if asked {
                self.ledger.webs[web].offers_code = false;
                let _ = self.run(id);
            }
        }
    }

    /// The user of a companion wants its seat back.
    pub fn want_seat(&mut self, id: NodeId) {
        let time = self.nodes[id.0].clocks(self.now);
        if let Some(app) = self.nodes[id.0].web() {
            app.take_back(time.mono);
        }
    }

    /// Whether the phone may have lost a link that it was about to confirm: it was rolled back, its clock jumped over the
    /// ten minutes that an offer stands, or its user ended it; or it was never the phone's.
    fn phone_may_forget(&self) -> bool {
        let forgets = |kind| {
            matches!(kind, Kind::ClockForward | Kind::OfferCancelled | Kind::OfferLapses | Kind::BetweenCodes)
        };
        self.ledger.phone_lost || self.plan.faults.iter().any(|fault| forgets(fault.kind))
    }

    /// A phone may not know a link that it was about to confirm, or not that it has confirmed it. The users of the
    /// companions that wait for it log out, and link anew.
    pub fn give_up_links(&mut self) {
        for web in 0..self.plan.webs {
            let id = self.web_node(web);
            let refused = std::mem::take(&mut self.ledger.webs[web].not_accepted);
            let waits = refused || self.nodes[id.0].web().is_some_and(|app| app.is_pending());
            if self.phone_may_forget() && waits {
                self.log_out(web);
            }
        }
    }

    /// A companion's user logs out: nothing of a link is left on its disk.
    pub fn log_out(&mut self, web: usize) {
        let id = self.web_node(web);
        self.crash(id, false);
        let empty = Disk::new(&self.base, [0; 32]);
        if let Err(error) = empty.and_then(|empty| self.nodes[id.0].disk.write_over(&empty)) {
            self.ledger.violation("starts-after-crash", format!("companion {web}: {error:#}"));
        }
        self.link_is_over(web);
        self.start(id);
    }

    /// What a companion had sent over a link that is over may never arrive.
    pub fn link_is_over(&mut self, web: usize) {
        let _ = self.ledger.copy_live.remove(&web);
        let _ = self.ledger.untold.remove(&web);
        for sent in &mut self.ledger.sent {
            sent.link_over |= sent.web == Some(web);
        }
        for read in &mut self.ledger.read {
            read.link_over |= read.web == web;
        }
    }

    /// A program has ended by itself. Returns nothing; it starts again later.
    pub fn ended(&mut self, id: NodeId, reason: &str) {
        crate::faults::disk::sprung(self, id);
        let by_swap = reason.contains("changed by");
        // A second holder that loses is not started again.
        self.crash(id, id == PHONE || self.web_of(id).is_some());
        if self.healed && !by_swap {
            let name = self.nodes[id.0].name.clone();
            self.ledger.violation("program-goes-on", format!("{name} ended: {reason}"));
        }
    }

    /// The device that plays a role for a fault.
    #[must_use]
    pub fn side(&self, role: DeviceRole, web: usize) -> NodeId {
        match role {
            DeviceRole::Phone => PHONE,
            DeviceRole::Web => self.web_node(web),
        }
    }
}
