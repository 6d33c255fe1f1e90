//! A live pairing behind the shim: the machine of each code, its rows in memory, and its user as requests.

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::BytesMut;
use handfast_codec::ids::CompanionId;
use handfast_codec::qr::QrOffer;
use handfast_codec::{RelayName, Timestamp};
use handfast_handshake::identity::SigningKey;
use handfast_handshake::pairing::Claims;
use handfast_handshake::pairing::phone::GrantedTerms;
use handfast_session::pairing::{KeysInUse, ShownCodes};
use handfast_session::{LinkRows, LinkRowsTxn, Pairing, PairingEvent, PairingOutput};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Map, Value};

use super::session::{answer, now};
use crate::fields::{Fields, hex};

/// The codes that one page shows at a time, or the one that a phone has scanned.
pub(super) struct Codes {
    shown: ShownCodes,
    attempts: Vec<Attempt>,
}

impl Codes {
    /// The first code.
    pub(super) fn new(input: &Map<String, Value>) -> Result<Self> {
        let shown = ShownCodes::default();
        Ok(Self { attempts: vec![Attempt::new(input, &shown, 0)?], shown })
    }

    /// Another code of the same page.
    pub(super) fn add(&mut self, input: &Map<String, Value>) -> Result<()> {
        self.attempts.push(Attempt::new(input, &self.shown, self.attempts.len())?);
        Ok(())
    }

    /// Does what a request says of one of them.
    pub(super) fn step(&mut self, op: &str, input: &Map<String, Value>) -> Result<Value> {
        let which = if input.contains_key("which") { usize::try_from(input.u64("which")?)? } else { 0 };
        self.attempts.get_mut(which).context("a code that is shown")?.step(op, input)
    }
}

/// One code, shown or scanned.
struct Attempt {
    pairing: Pairing,
    pairs: LinkRows,
    rng: ChaCha20Rng,
    /// What was sent and told since the last answer.
    sent: Vec<String>,
    told: Vec<String>,
}

impl Attempt {
    /// Shows a code at a web, or scans the one that is given at a phone.
    fn new(input: &Map<String, Value>, shown: &ShownCodes, which: usize) -> Result<Self> {
        let (relay, now) = (RelayName::parse(input.text("relay")?)?, now(input)?);
        let mut rng = ChaCha20Rng::seed_from_u64(1 + u64::try_from(which)?);
        let mut told = Vec::new();
        let pairing = match input.text("role")? {
            "phone" => {
                Pairing::phone(QrOffer::decode(input.text("code")?)?, relay, KeysInUse::none(), now, &mut rng)
            }
            "web" => {
                let claims = Claims { label: "Shim".to_owned(), origin: String::new(), grants: 7 };
                let pairing = Pairing::web(relay, claims, shown, KeysInUse::none(), now, &mut rng)?;
                let text = pairing.offer_text().context("a new code has a text")?;
                told.push(format!("code {}", text.as_str()));
                pairing
            }
            other => bail!("{other} is no role of a pairing"),
        };
        Ok(Self { pairing, pairs: LinkRows::new(), rng, sent: Vec::new(), told })
    }

    /// Does what a request says, and gives what came of it.
    fn step(&mut self, op: &str, input: &Map<String, Value>) -> Result<Value> {
        let now = now(input)?;
        match op {
            // The machine asks for its socket when its time has come, which is at once.
            "session.pair" | "session.tick" => self.pairing.handle_timeout(now),
            "session.opened" => self.pairing.handle_opened(now),
            "session.closed" => self.pairing.handle_closed(now),
            "session.recv" => {
                let frame = BytesMut::from(input.bytes("frame")?.as_slice());
                let _ = self.pairing.handle_bytes(now, &mut self.rng, frame);
            }
            "session.app" => self.verb(now, input)?,
            other => bail!("the operation {other} is not known"),
        }
        let wait = self.drain(now)?;
        Ok(answer(&mut self.sent, &mut self.told, wait))
    }

    fn verb(&mut self, now: Timestamp, input: &Map<String, Value>) -> Result<()> {
        let done = match input.text("verb")? {
            "type" => self.pairing.enter_check_code(now, input.text("digits")?),
            "approve" if input.flag("yes")? => {
                let granted = GrantedTerms {
                    account_name: "Shim".to_owned(),
                    companion: CompanionId::from_bytes([3; 16]),
                    serial: 1,
                    grants: 7,
                    idle_days: 14,
                };
                self.pairing.approve(now, &mut self.rng, &SigningKey::from_bytes([4; 32]), granted)
            }
            "approve" => {
                self.pairing.refuse(now);
                Ok(())
            }
            "number" => match input.get("digits").and_then(Value::as_str) {
                Some(digits) => self.pairing.enter_confirmation(now, digits),
                None => self.pairing.stop(now),
            },
            other => bail!("the verb {other} is not known"),
        };
        if let Err(refused) = done {
            self.told.push(format!("refused {refused:?}"));
        }
        Ok(())
    }

    fn drain(&mut self, now: Timestamp) -> Result<Option<Timestamp>> {
        loop {
            match self.pairing.poll_output() {
                PairingOutput::Persist(commit) => {
                    let applied = commit.apply(&mut LinkRowsTxn::new(&mut self.pairs));
                    applied.map_err(|error| anyhow!("a commit: {error:?}"))?;
                    self.pairing.committed(now, commit)?;
                }
                PairingOutput::Transmit(bytes) => self.sent.push(hex(bytes)),
                PairingOutput::Connect => self.told.push("connect".to_owned()),
                PairingOutput::Disconnect => self.told.push("disconnect".to_owned()),
                PairingOutput::Event(event) => self.told.extend(told(event)),
                PairingOutput::Wait(at) => return Ok(at),
                other => bail!("an output that is not known: {other:?}"),
            }
        }
    }
}

/// What the user is told of an event of a pairing.
pub(crate) fn told(event: PairingEvent) -> Option<String> {
    Some(match event {
        PairingEvent::CheckCode(digits) => format!("check-code {digits}"),
        PairingEvent::CheckCodeWanted => "check-code-wanted".to_owned(),
        PairingEvent::WrongCheckCode(left) => format!("wrong-code {left}"),
        PairingEvent::ApprovalWanted { label, .. } => format!("approval-wanted {label}"),
        PairingEvent::ShowConfirmation(nn) => format!("nn {nn}"),
        PairingEvent::ConfirmationWanted { .. } => "number-wanted".to_owned(),
        PairingEvent::Linked(_) => "linked".to_owned(),
        PairingEvent::Ended(code) => format!("ended {}", code.name()),
        _ => return None,
    })
}
