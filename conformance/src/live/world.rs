//! A program under test, the runner's relay and the runner's other end, in real time: what a live case of a phone or a
//! web is played in.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use handfast_codec::error::ErrorCode;
use handfast_codec::role::DeviceRole;
use serde_json::{Map, Value, json};

use super::hub::Hub;
use super::other::Other;
use crate::peer::{Step, Stop, ended_as, wrong};
use crate::runner::{Shim, Trouble};

/// A mistake of the runner's own: it cannot come from the program.
fn own<T>(result: anyhow::Result<T>) -> Result<T, Stop> {
    result.or_else(|error| wrong(format!("the runner cannot play this: {error:#}")))
}

/// How often the shim is asked what its program has said.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How long the loop rests when nothing moves.
const REST: Duration = Duration::from_millis(2);

pub(super) struct World<'a> {
    shim: &'a mut Shim,
    /// The role of the program.
    pub(super) role: DeviceRole,
    pub(super) hub: Hub,
    pub(super) other: Other,
    /// What the program has told, and no step has waited for yet.
    told: Vec<String>,
    asked: Instant,
    /// How long something may take that must come.
    patience: Duration,
    /// The texts that were said, each as the runner's end is told of it.
    said: Vec<String>,
}

impl<'a> World<'a> {
    /// A program that was begun anew, and its peer; neither has a link.
    pub(super) fn new(
        shim: &'a mut Shim,
        case: &str,
        role: DeviceRole,
        patience: Duration,
    ) -> Result<Self, Stop> {
        let hub = own(Hub::new())?;
        let other = Other::new(case, !role);
        let (told, said, asked) = (Vec::new(), Vec::new(), Instant::now());
        let mut world = Self { shim, role, hub, other, told, asked, patience, said };
        let name = if role == DeviceRole::Phone { "phone" } else { "web" };
        let relay = world.hub.name.as_str().to_owned();
        let _ = world.ask("live.begin", &json!({ "role": name, "relay": relay }))?;
        Ok(world)
    }

    fn ask(&mut self, op: &str, input: &Value) -> Result<Map<String, Value>, Stop> {
        let answer = self.shim.ask(op, input.as_object().unwrap_or(&Map::new())).map_err(Stop::Shim)?;
        if let Some(what) = answer.get("unsupported") {
            return Err(Stop::Unsupported(what.as_str().unwrap_or(op).to_owned()));
        }
        let Some(out) = answer.get("out").and_then(Value::as_object) else {
            let told = answer.get("error").and_then(Value::as_str).unwrap_or("its answer has no `out`");
            return wrong(format!("{op} fails: {told}"));
        };
        Ok(out.clone())
    }

    /// Asks something of the program's user.
    pub(super) fn user(&mut self, verb: &Value) -> Step {
        self.ask("live.do", verb).map(drop)
    }

    /// Ends the program as a loss of power does.
    pub(super) fn kill(&mut self) -> Step {
        self.ask("live.end", &json!({})).map(drop)
    }

    /// Starts it again, with what it has stored.
    pub(super) fn start_again(&mut self) -> Step {
        self.ask("live.again", &json!({})).map(drop)
    }

    /// Lets things go on until this holds.
    fn until<T>(&mut self, what: &str, mut found: impl FnMut(&mut Self) -> Option<T>) -> Result<T, Stop> {
        let deadline = Instant::now() + self.patience;
        loop {
            let moved = self.hub.poll();
            let moved = own(self.other.pump(&mut self.hub))? || moved;
            if let Some(fault) = self.hub.fault.take() {
                return wrong(fault);
            }
            if self.asked.elapsed() >= ASK_EVERY {
                self.hear()?;
            }
            if let Some(found) = found(self) {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                let (told, seen) = (last(&self.told), last(&self.other.told));
                let ms = self.patience.as_millis();
                return wrong(format!("{what} must come within {ms} ms; told are {told}, seen are {seen}"));
            }
            if !moved {
                std::thread::sleep(REST);
            }
        }
    }

    fn hear(&mut self) -> Step {
        self.asked = Instant::now();
        let out = self.ask("live.told", &json!({}))?;
        let list = out.get("told").and_then(Value::as_array);
        let texts: Option<Vec<String>> =
            list.and_then(|list| list.iter().map(|text| text.as_str().map(str::to_owned)).collect());
        match texts {
            Some(texts) => {
                self.told.extend(texts);
                Ok(())
            }
            None => {
                Err(Stop::Shim(Trouble::Nonsense("its answer to live.told has no list `told`".to_owned())))
            }
        }
    }

    /// Waits until the program tells something that begins so, and gives the rest.
    pub(super) fn told(&mut self, start: &str) -> Result<String, Stop> {
        self.until(&format!("`{start}`"), |world| taken(&mut world.told, start))
    }

    /// Waits until the runner's end is told something that begins so, and gives the rest.
    pub(super) fn seen(&mut self, start: &str) -> Result<String, Stop> {
        self.until(&format!("`{start}` at the runner's end"), |world| taken(&mut world.other.told, start))
    }

    /// The runner's web accepts with a signature of nobody.
    pub(super) fn forge_accept(&mut self) -> Step {
        own(self.other.forge_accept())
    }

    /// The runner's end seals this plaintext and sends it, whatever the rules say of it.
    pub(super) fn inject(&mut self, record: BytesMut) -> Step {
        let sent = own(self.other.inject(record))?;
        if sent { Ok(()) } else { wrong("the connection has ended before all records were sent") }
    }

    /// The program ends the connection with this code.
    pub(super) fn closes_with(&mut self, right: ErrorCode) -> Step {
        let name = self.seen("closed ")?;
        ended_as(&name, right)
    }

    /// Waits for something at the relay.
    pub(super) fn relay(&mut self, what: &str, mut holds: impl FnMut(&Hub) -> bool) -> Step {
        self.until(what, |world| holds(&world.hub).then_some(()))
    }

    /// Lets things go on for so long, in which the program opens no socket.
    pub(super) fn stays_away(&mut self, time: Duration) -> Step {
        let end = Instant::now() + time;
        let came = self.until("the end of a pause", |world| {
            let came = world.hub.has_program();
            (came || Instant::now() >= end).then_some(came)
        })?;
        if came {
            wrong(format!("it must wait for its user, and is back within {} ms", time.as_millis()))
        } else {
            Ok(())
        }
    }

    /// The program has not told this, and none of it is on its way: something later was waited for.
    pub(super) fn is_not_told(&mut self, start: &str) -> Step {
        self.hear()?;
        match self.told.iter().find(|told| told.starts_with(start)) {
            Some(told) => wrong(format!("`{told}` must not be told")),
            None => Ok(()),
        }
    }

    /// The attempt at the program ends with this code.
    pub(super) fn ends_with(&mut self, right: ErrorCode) -> Step {
        let name = self.told("ended ")?;
        ended_as(&name, right)
    }

    /// Shows a code at one side and scans it at the other.
    pub(super) fn scan(&mut self) -> Step {
        match self.role {
            DeviceRole::Phone => {
                let code = own(self.other.show(&mut self.hub))?;
                self.user(&json!({ "verb": "scan", "code": code }))
            }
            DeviceRole::Web => {
                self.user(&json!({ "verb": "show" }))?;
                let code = self.told("code ")?;
                self.rescan(&code)
            }
        }
    }

    /// The runner's phone scans a code that a web has shown.
    pub(super) fn rescan(&mut self, code: &str) -> Step {
        match self.other.scan(&mut self.hub, code) {
            Ok(()) => Ok(()),
            Err(error) => wrong(format!("the code {code} cannot be read: {error:#}")),
        }
    }

    /// The check code, from the screen that shows it.
    pub(super) fn check_code(&mut self) -> Result<String, Stop> {
        match self.role {
            DeviceRole::Phone => {
                let digits = self.seen("check-code ")?;
                let _ = self.told("check-code-wanted")?;
                Ok(digits)
            }
            DeviceRole::Web => {
                let digits = self.told("check-code ")?;
                let _ = self.seen("check-code-wanted")?;
                Ok(digits)
            }
        }
    }

    /// Types it into the phone, whoever plays it.
    pub(super) fn type_code(&mut self, digits: &str) -> Step {
        match self.role {
            DeviceRole::Phone => self.user(&json!({ "verb": "type", "digits": digits })),
            DeviceRole::Web => own(self.other.type_code(digits)),
        }
    }

    /// Types what the other screen shows.
    pub(super) fn enter_code(&mut self) -> Step {
        let digits = self.check_code()?;
        self.type_code(&digits)
    }

    /// The phone's user approves, once asked.
    pub(super) fn approve(&mut self) -> Step {
        match self.role {
            DeviceRole::Phone => {
                let label = self.told("approval-wanted ")?;
                if label != "Runner" {
                    return wrong(format!("the companion calls itself Runner, and {label} is shown"));
                }
                self.user(&json!({ "verb": "approve", "yes": true }))
            }
            DeviceRole::Web => {
                let _ = self.seen("approval-wanted ")?;
                self.approve_now()
            }
        }
    }

    /// The user of the runner's phone approves.
    pub(super) fn approve_now(&mut self) -> Step {
        own(self.other.approve())
    }

    /// The number that the phone shows, once the web asks for it.
    pub(super) fn nn(&mut self) -> Result<String, Stop> {
        match self.role {
            DeviceRole::Phone => {
                let shown = self.told("nn ")?;
                let _ = self.seen("number-wanted")?;
                Ok(shown)
            }
            DeviceRole::Web => {
                let shown = self.seen("nn ")?;
                let _ = self.told("number-wanted")?;
                Ok(shown)
            }
        }
    }

    /// The web's user types this number, or says that the phone shows none.
    pub(super) fn number(&mut self, digits: Option<&str>) -> Step {
        match self.role {
            DeviceRole::Phone => own(self.other.number(digits)),
            DeviceRole::Web => self.user(&json!({ "verb": "number", "digits": digits })),
        }
    }

    /// A whole pairing, up to the first connection.
    pub(super) fn pair(&mut self) -> Step {
        self.scan()?;
        self.finish_pairing()
    }

    /// What follows a code that was scanned.
    pub(super) fn finish_pairing(&mut self) -> Step {
        self.enter_code()?;
        self.approve()?;
        let digits = self.nn()?;
        self.number(Some(&digits))?;
        let _ = self.told("linked")?;
        let _ = self.seen("linked")?;
        self.connects("RESUME")
    }

    /// A connection is made, with this verdict on what was before.
    pub(super) fn connects(&mut self, right: &str) -> Step {
        let verdict = self.seen("connected ")?;
        if verdict == right {
            Ok(())
        } else {
            wrong(format!("the verdict must be {right}, and is {verdict}"))
        }
    }

    /// The runner's web puts content at the phone. Returns what is told of the end.
    pub(super) fn put(&mut self, content: &'static [u8]) -> Result<String, Stop> {
        own(self.other.put(content.into()))?;
        self.seen("put ")
    }

    /// The runner's end says a text, and gives its chat.
    pub(super) fn say(&mut self, chat: u64, text: &str) -> Step {
        own(self.other.say(chat, text))
    }

    /// A text goes each way, and arrives once.
    pub(super) fn chats(&mut self, word: &str) -> Step {
        let (here, there) = (format!("to the program {word}"), format!("from the program {word}"));
        let chat = self.until("the list of chats", |world| world.other.chat())?;
        self.say(chat, &here)?;
        match self.role {
            // The runner's command is answered, and its row comes back.
            DeviceRole::Phone => {
                let _ = self.seen("result ")?;
                let _ = self.seen(&format!("text {chat} {here}"))?;
            }
            DeviceRole::Web => {
                let _ = self.told(&format!("text {chat} {here}"))?;
            }
        }
        self.user(&json!({ "verb": "send", "chat": chat, "text": there }))?;
        let _ = self.seen(&format!("text {chat} {there}"))?;
        self.said.push(format!("text {chat} {there}"));
        match self.other.told.iter().find(|told| self.said.contains(told)) {
            Some(text) => wrong(format!("a text must arrive once, and `{text}` came again")),
            None => Ok(()),
        }
    }
}

fn taken(told: &mut Vec<String>, start: &str) -> Option<String> {
    let at = told.iter().position(|told| told.starts_with(start))?;
    told.remove(at).strip_prefix(start).map(str::to_owned)
}

/// The end of what was told, for a person.
fn last(told: &[String]) -> String {
    let from = told.len().saturating_sub(6);
    format!("{:?}", told.get(from..).unwrap_or_default())
}
