//! A live link behind the shim: an endpoint, its rows in memory, and the smallest application that `SHIMS.md` asks for.
//!
//! Time comes with each request, in milliseconds; randomness is seeded, so that a case runs alike each time.

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::{Bytes, BytesMut};
use handfast_codec::Timestamp;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::{Collection, OpenKind, RowId};
use handfast_codec::ids::{CommandKey, LogId};
use handfast_codec::role::DeviceRole;
use handfast_session::testing::{self, AnyEndpoint};
use handfast_session::{
    Commit, CompanionEndpoint, Event, LinkRows, LinkRowsTxn, Message, Output, Repeat, RowDigest, StreamEvent,
    SyncEvent,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Map, Value, json};

use crate::fields::{Fields, hex};
use crate::link_keys;

/// The phone's log in live cases.
const LOG: LogId = LogId::from_bytes([9; 16]);

/// One link.
pub(super) struct Session {
    endpoint: AnyEndpoint,
    pairs: LinkRows,
    rng: ChaCha20Rng,
    /// What was sent and told since the last answer.
    sent: Vec<String>,
    told: Vec<String>,
}

pub(super) fn now(input: &Map<String, Value>) -> Result<Timestamp> {
    Ok(Timestamp::from_micros(input.u64("now_ms")?.saturating_mul(1_000)))
}

/// What a request has led to: what is sent, what is told, and when to call again.
pub(super) fn answer(sent: &mut Vec<String>, told: &mut Vec<String>, wait: Option<Timestamp>) -> Value {
    let mut out = json!({ "send": std::mem::take(sent), "told": std::mem::take(told) });
    if let Some(at) = wait {
        out["next_ms"] = at.as_micros().div_ceil(1_000).into();
    }
    out
}

impl Session {
    /// Opens the link of a case.
    pub(super) fn new(input: &Map<String, Value>) -> Result<Self> {
        let (link, now) = (input.object("link")?, now(input)?);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (role, pairs) = match input.text("role")? {
            "phone" => {
                let (link, start) = link_keys::phone(link)?;
                (DeviceRole::Phone, testing::phone_pairs(&link, start))
            }
            "web" => {
                let (link, start) = link_keys::web(link)?;
                (DeviceRole::Web, testing::web_pairs(&link, start, true))
            }
            other => bail!("{other} is no role of a link"),
        };
        let endpoint = AnyEndpoint::load(role, &pairs, LOG, now, &mut rng)?;
        Ok(Self { endpoint, pairs, rng, sent: Vec::new(), told: Vec::new() })
    }

    /// Does what a request says, and gives what came of it.
    pub(super) fn step(&mut self, op: &str, input: &Map<String, Value>) -> Result<Value> {
        let now = now(input)?;
        match op {
            "session.new" => {}
            "session.opened" => self.endpoint.handle_opened(now, &mut self.rng),
            "session.closed" => self.endpoint.handle_closed(now, &mut self.rng),
            "session.tick" => self.endpoint.handle_timeout(now, &mut self.rng),
            "session.recv" => {
                let frame = BytesMut::from(input.bytes("frame")?.as_slice());
                let _ = self.endpoint.handle_bytes(now, &mut self.rng, frame);
            }
            "session.app" => self.verb(now, input)?,
            other => bail!("the operation {other} is not known"),
        }
        let wait = self.drain(now)?;
        Ok(answer(&mut self.sent, &mut self.told, wait))
    }

    fn companion(&mut self) -> Result<&mut CompanionEndpoint> {
        match &mut self.endpoint {
            AnyEndpoint::Companion(endpoint) => Ok(endpoint),
            AnyEndpoint::Phone(_) => bail!("only a companion can do that"),
        }
    }

    fn commit(&mut self, now: Timestamp, commit: Commit) -> Result<()> {
        commit
            .apply(&mut LinkRowsTxn::new(&mut self.pairs))
            .map_err(|error| anyhow!("a commit: {error:?}"))?;
        Ok(self.endpoint.committed(now, commit)?)
    }

    fn drain(&mut self, now: Timestamp) -> Result<Option<Timestamp>> {
        loop {
            match self.endpoint.poll_output() {
                Output::Persist(commit) => self.commit(now, commit)?,
                Output::Deliver { message, commit } => {
                    self.commit(now, commit)?;
                    self.deliver(now, message)?;
                }
                Output::Transmit(bytes) => {
                    self.endpoint.transmitted(now, bytes.len());
                    self.sent.push(hex(bytes));
                }
                Output::Event(event) => self.event(now, &event)?,
                Output::Wait(at) => return Ok(at),
                other => bail!("an output that is not known: {other:?}"),
            }
        }
    }

    fn deliver(&mut self, now: Timestamp, message: Message) -> Result<()> {
        match message {
            Message::Command { key, body } => {
                self.told.push(format!("command {} {}", hex(key), hex(&body)));
                let commit = self.endpoint.phone().answer(now, key, &body, Repeat::Answer)?;
                self.commit(now, commit)?;
            }
            Message::Result { key, .. } => self.told.push(format!("result {}", hex(key))),
            Message::Delta { to, .. } => self.told.push(format!("delta {to}")),
            Message::Page { rev, .. } => self.told.push(format!("page {rev}")),
            Message::Opened { id, kind, .. } => {
                self.told.push(format!("opened {id}"));
                if kind == OpenKind::Put
                    && let Ok(commit) = self.endpoint.stream_durable(now, id, 0)
                {
                    self.commit(now, commit)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A phone whose log is empty; content that is written at once.
    fn event(&mut self, now: Timestamp, event: &Event) -> Result<()> {
        match event {
            Event::Sync(SyncEvent::PageWanted { collection, .. }) => {
                self.endpoint.phone().reject_page_cursor(now, collection)?;
            }
            Event::Sync(SyncEvent::DigestWanted { collection }) => {
                let digest: RowDigest = std::iter::empty::<(&RowId, u64)>().collect();
                self.endpoint.provide_digest(now, collection, 0, digest.value())?;
            }
            Event::Stream(StreamEvent::Data { id, offset, bytes }) => {
                let end = offset + u64::try_from(bytes.len())?;
                if let Ok(commit) = self.endpoint.stream_durable(now, *id, end) {
                    self.commit(now, commit)?;
                }
            }
            Event::PutBack { who } => {
                let who = if *who == DeviceRole::Web { "web" } else { "phone" };
                self.told.push(format!("put-back {who}"));
            }
            _ => {}
        }
        self.told.extend(told(event));
        Ok(())
    }

    fn verb(&mut self, now: Timestamp, input: &Map<String, Value>) -> Result<()> {
        let verb = input.text("verb")?;
        let done = match verb {
            "send" => {
                let body = Bytes::from(input.bytes("body")?);
                let key = CommandKey::from_bytes(input.array("key")?);
                self.companion()?.send(now, key, &body).map(Some)
            }
            "subscribe" => {
                let collection = Collection::new(&input.bytes("collection")?).context("a collection")?;
                self.companion()?.subscribe(now, collection).map(|()| None)
            }
            "open" => {
                let kind = if input.text("kind")? == "put" { OpenKind::Put } else { OpenKind::Get };
                let meta = Bytes::from(input.bytes("meta")?);
                self.endpoint.stream_open(now, kind, meta).map(|opened| Some(opened.commit))
            }
            "stop" => {
                let name = input.text("code")?;
                let code = ErrorCode::ALL.iter().find(|code| code.name() == name).context("a code")?;
                self.endpoint.reset_stream(now, input.u64("id")?, *code).map(|()| None)
            }
            other => bail!("the verb {other} is not known"),
        };
        match done {
            Ok(Some(commit)) => self.commit(now, commit),
            Ok(None) => Ok(()),
            Err(refused) => {
                self.told.push(format!("refused {refused:?}"));
                Ok(())
            }
        }
    }
}

/// What the application is told of an event; nothing of what no case looks at.
fn told(event: &Event) -> Option<String> {
    Some(match event {
        Event::Connect => "connect".to_owned(),
        Event::Disconnect => "disconnect".to_owned(),
        Event::Connected { .. } => "connected".to_owned(),
        Event::Failed(code) => format!("failed {}", code.name()),
        Event::Closed(code) => format!("closed {}", code.name()),
        Event::Relay(code) => format!("relay {}", code.name()),
        Event::Replaced => "replaced".to_owned(),
        Event::Contended(_) => "contended".to_owned(),
        Event::Diverged => "diverged".to_owned(),
        Event::Suspended => "suspended".to_owned(),
        Event::Revoked => "revoked".to_owned(),
        Event::Stream(StreamEvent::Ended { id, end }) => match end {
            handfast_session::StreamEnd::Stopped(code) => format!("stopped {id} {}", code.name()),
            _ => format!("ended {id}"),
        },
        Event::Stream(StreamEvent::Fin { id, .. }) => format!("fin {id}"),
        _ => return None,
    })
}
