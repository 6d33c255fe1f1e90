//! The faulty peer's side of a live case: what it sends to the shim, hears from it, and expects.

use bytes::{Bytes, BytesMut};
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_codec::ids::{AttachmentId, BootId, PskId};
use handfast_codec::link::LinkFrame;
use handfast_codec::record::{RecordBuilder, decode_link_record, decode_record};
use handfast_codec::relay::{Attached, DataKind, Hello, PeerInfo, RECORD_HEADER, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_codec::{RelayName, Versions};
use handfast_handshake::link::{PhoneLink, Start, WebLink};
use handfast_handshake::record::{Opener, Sealer};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Map, Value, json};

use super::code::Code;
use crate::fields::{Fields, hex, unhex};
use crate::link_keys;
use crate::runner::{Shim, Trouble};

/// What has come of the code that a case is not about at the moment.
pub(super) struct OtherCode {
    which: u8,
    code: Option<Code>,
    next_ms: Option<u64>,
    asked: Vec<RelayFrame>,
    told: Vec<String>,
}

/// Why a case ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The shim did not answer.
    Shim(Trouble),
    /// The implementation did something else than the specification says.
    Wrong(String),
    /// It refused, with another code.
    Code { right: ErrorCode, found: ErrorCode },
    /// The shim cannot play this.
    Unsupported(String),
}

pub(crate) type Step = Result<(), Stop>;

/// How often the shim may ask to be called again within one wait.
const TICKS_MAX: usize = 10_000;
pub(super) const PHONE_ID: [u8; 8] = [1; 8];
pub(super) const WEB_ID: [u8; 8] = [2; 8];

/// A record of these frames behind its DATA header, not sealed; `None` if they do not fit.
pub(crate) fn record_of(frames: &[Frame]) -> Option<BytesMut> {
    let mut record = RecordBuilder::new();
    frames.iter().all(|frame| record.push(frame)).then(|| record.finish())
}

/// A record of these bytes, filled with zeros to `len`, behind its DATA header, not sealed.
pub(super) fn plain_record(start: &[u8], len: usize) -> BytesMut {
    let mut record = BytesMut::from(&RECORD_HEADER[..]);
    record.extend_from_slice(start);
    record.resize(len + RECORD_HEADER.len(), 0);
    record
}

/// The peer's own side of the link.
pub(super) enum Side {
    Phone(Box<PhoneLink>),
    Web(Box<WebLink>),
}

pub(super) struct Peer<'a> {
    shim: &'a mut Shim,
    /// The role of the shim.
    pub(super) role: DeviceRole,
    pub(super) case: String,
    pub(super) side: Side,
    pub(super) start: Start,
    pub(super) rng: ChaCha20Rng,
    now_ms: u64,
    next_ms: Option<u64>,
    /// The psk after the first connection, and its id.
    pub(super) next: Option<([u8; 32], PskId)>,
    pub(super) sealer: Option<Sealer>,
    pub(super) opener: Option<Opener>,
    /// The last record that the shim sent, as it was sent.
    pub(super) last_record: Option<Bytes>,
    /// Frames in records of the connection, in order.
    pub(super) heard: Vec<Frame>,
    /// While a link is made, its records hold these instead; in order.
    pub(super) is_pairing: bool,
    pub(super) heard_of_link: Vec<LinkFrame>,
    pub(super) code: Option<Code>,
    /// Which of the codes of one page all this is about.
    which: u8,
    /// What else was sent to the relay.
    pub(super) asked: Vec<RelayFrame>,
    /// What the application was told.
    pub(super) told: Vec<String>,
}

pub(crate) fn wrong<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(what.into()))
}

/// An attempt that ended with the code of this name must have ended with this one.
pub(crate) fn ended_as(name: &str, right: ErrorCode) -> Step {
    match ErrorCode::ALL.iter().find(|code| code.name() == name) {
        Some(code) if *code == right => Ok(()),
        Some(found) => Err(Stop::Code { right, found: *found }),
        None => wrong(format!("`ended {name}` names no error of the specification")),
    }
}

/// A mistake of the runner's own: it cannot come from the shim.
pub(super) fn own<T, E: std::fmt::Debug>(result: Result<T, E>) -> Result<T, Stop> {
    result.or_else(|error| wrong(format!("the runner cannot play this: {error:?}")))
}

impl<'a> Peer<'a> {
    /// A peer that has opened nothing yet.
    pub(super) fn blank(shim: &'a mut Shim, case: &str, role: DeviceRole) -> Result<Self, Stop> {
        let other = if role == DeviceRole::Phone { DeviceRole::Web } else { DeviceRole::Phone };
        let keys = link_keys::of_case(case, other);
        let (side, start) = match other {
            DeviceRole::Phone => {
                own(link_keys::phone(&keys)).map(|(link, start)| (Side::Phone(Box::new(link)), start))?
            }
            DeviceRole::Web => {
                own(link_keys::web(&keys)).map(|(link, start)| (Side::Web(Box::new(link)), start))?
            }
        };
        Ok(Self {
            shim,
            role,
            case: case.to_owned(),
            side,
            start,
            rng: ChaCha20Rng::seed_from_u64(77),
            now_ms: 1_000,
            next_ms: None,
            next: None,
            sealer: None,
            opener: None,
            last_record: None,
            heard: Vec::new(),
            is_pairing: false,
            heard_of_link: Vec::new(),
            code: None,
            which: 0,
            asked: Vec::new(),
            told: Vec::new(),
        })
    }

    /// Opens the link of this case at the shim, which has not attached yet.
    pub(super) fn new(shim: &'a mut Shim, case: &str, role: DeviceRole) -> Result<Self, Stop> {
        let mut peer = Self::blank(shim, case, role)?;
        peer.open_link()?;
        Ok(peer)
    }

    fn open_link(&mut self) -> Step {
        let name = if self.role == DeviceRole::Phone { "phone" } else { "web" };
        let link = link_keys::of_case(&self.case, self.role);
        self.ask("session.new", json!({ "role": name, "link": link }))?;
        self.wait(0)?;
        if self.told.iter().any(|told| told == "connect") {
            return Ok(());
        }
        wrong("a link that is opened asks for a socket: `connect` is not told")
    }

    /// Attached to a relay that shows the peer.
    pub(super) fn attached(shim: &'a mut Shim, case: &str, role: DeviceRole) -> Result<Self, Stop> {
        let mut peer = Self::new(shim, case, role)?;
        peer.attach()?;
        Ok(peer)
    }

    pub(super) fn attach(&mut self) -> Step {
        self.open_socket()?;
        self.relay(&hello(link_keys::RELAY, Versions::RELAY))?;
        self.relay(&RelayFrame::Challenge([5; 32]))?;
        if !self.asked.iter().any(|frame| matches!(frame, RelayFrame::Attach(_))) {
            return wrong("no ATTACH follows the relay's CHALLENGE");
        }
        let frame = self.attachment();
        self.relay(&frame)
    }

    /// A page shows another code beside the first, which is put aside.
    pub(super) fn put_aside(&mut self) -> OtherCode {
        let mut other =
            OtherCode { which: 1, code: None, next_ms: None, asked: Vec::new(), told: Vec::new() };
        self.turn_to(&mut other);
        other
    }

    /// Goes on with the other code.
    pub(super) fn turn_to(&mut self, other: &mut OtherCode) {
        std::mem::swap(&mut self.which, &mut other.which);
        std::mem::swap(&mut self.code, &mut other.code);
        std::mem::swap(&mut self.next_ms, &mut other.next_ms);
        std::mem::swap(&mut self.asked, &mut other.asked);
        std::mem::swap(&mut self.told, &mut other.told);
    }

    /// Begins anew with the same link at its start, up to a live connection.
    pub(super) fn again(&mut self) -> Step {
        (self.next_ms, self.next, self.sealer, self.opener, self.last_record) =
            (None, None, None, None, None);
        self.heard.clear();
        self.asked.clear();
        self.told.clear();
        self.open_link()?;
        self.attach()?;
        self.connect(1)
    }

    /// What the relay says once the shim has attached.
    pub(super) fn attachment(&self) -> RelayFrame {
        let (own, other) =
            if self.role == DeviceRole::Phone { (PHONE_ID, WEB_ID) } else { (WEB_ID, PHONE_ID) };
        let peer = PeerInfo { id: AttachmentId::from_bytes(other), same_net: Some(true), origin: None };
        RelayFrame::Attached(Attached {
            own: AttachmentId::from_bytes(own),
            peer: Some(peer),
            phone_sticky: None,
            web_sticky: None,
        })
    }

    pub(super) fn open_socket(&mut self) -> Step {
        self.ask("session.opened", json!({}))
    }

    pub(super) fn close_socket(&mut self) -> Step {
        self.ask("session.closed", json!({}))
    }

    /// Asks something of the shim's application.
    pub(super) fn app(&mut self, verb: Value) -> Step {
        self.ask("session.app", verb)
    }

    pub(super) fn ask(&mut self, op: &str, mut input: Value) -> Step {
        input["now_ms"] = self.now_ms.into();
        if self.which > 0 {
            input["which"] = self.which.into();
        }
        let answer = self.shim.ask(op, input.as_object().unwrap_or(&Map::new())).map_err(Stop::Shim)?;
        if let Some(what) = answer.get("unsupported") {
            return Err(Stop::Unsupported(what.as_str().unwrap_or(op).to_owned()));
        }
        let malformed =
            |what: &str| Stop::Shim(Trouble::Nonsense(format!("its answer to {op} has no {what}")));
        let Some(out) = answer.get("out").and_then(Value::as_object) else { return Err(malformed("`out`")) };
        let texts = |name: &str| -> Option<Vec<String>> {
            out.get(name)?.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let sent = texts("send").ok_or_else(|| malformed("list `send`"))?;
        self.told.extend(texts("told").ok_or_else(|| malformed("list `told`"))?);
        self.next_ms = out.u64("next_ms").ok();
        for frame in sent {
            let frame = unhex(&frame).map_err(|_| malformed("hex in `send`"))?;
            self.hear(Bytes::from(frame))?;
        }
        Ok(())
    }

    /// Takes a frame that the shim sends to the relay.
    fn hear(&mut self, frame: Bytes) -> Step {
        if let (Some(record), Some(opener)) = (frame.strip_prefix(&RECORD_HEADER[..]), &mut self.opener) {
            self.last_record = Some(frame.clone());
            let Ok(plaintext) = opener.open(BytesMut::from(record)) else {
                return wrong("a record was sent that does not open under the keys of the connection");
            };
            let plaintext = plaintext.freeze();
            let read = if self.is_pairing {
                decode_link_record(plaintext).map(|frames| self.heard_of_link.extend(frames))
            } else {
                decode_record(plaintext).map(|frames| self.heard.extend(frames))
            };
            if let Err(error) = read {
                return wrong(format!("a record was sent that is refused with {}", error.code()));
            }
        } else {
            match RelayFrame::decode(frame) {
                Ok(frame) => self.asked.push(frame),
                Err(error) => {
                    return wrong(format!("a frame was sent that is refused with {}", error.code()));
                }
            }
        }
        Ok(())
    }

    /// Hands the shim one WebSocket message.
    pub(super) fn give(&mut self, frame: &[u8]) -> Step {
        self.ask("session.recv", json!({ "frame": hex(frame) }))
    }

    pub(super) fn relay(&mut self, frame: &RelayFrame) -> Step {
        self.give(&frame.encode())
    }

    pub(super) fn data(&mut self, kind: DataKind, body: &[u8]) -> Step {
        self.relay(&RelayFrame::Data { kind, body: Bytes::copy_from_slice(body) })
    }

    /// Lets time pass, calling the shim when it asked for it.
    pub(super) fn wait(&mut self, ms: u64) -> Step {
        let end = self.now_ms + ms;
        for _ in 0..TICKS_MAX {
            match self.next_ms {
                Some(at) if at <= end => {
                    self.now_ms = self.now_ms.max(at);
                    self.ask("session.tick", json!({}))?;
                }
                _ => {
                    self.now_ms = end;
                    return Ok(());
                }
            }
        }
        wrong("it asks to be called again without end")
    }

    /// A record of these frames, sealed under the connection's next number.
    pub(super) fn record(&mut self, frames: &[Frame]) -> Result<BytesMut, Stop> {
        match record_of(frames) {
            Some(record) => self.sealed(record),
            None => wrong("the runner's frames do not fit a record"),
        }
    }

    /// Seals a plaintext that stands behind its DATA header.
    pub(super) fn sealed(&mut self, mut record: BytesMut) -> Result<BytesMut, Stop> {
        match &mut self.sealer {
            Some(sealer) => own(sealer.seal(&mut record))?,
            None => return wrong("there is no connection to seal for"),
        }
        Ok(record)
    }

    /// Sends a record of these frames.
    pub(super) fn send(&mut self, frames: &[Frame]) -> Step {
        let record = self.record(frames)?;
        self.give(&record)
    }

    /// Sends these bytes as a record's plaintext, filled with zeros to `len`.
    pub(super) fn send_plain(&mut self, start: &[u8], len: usize) -> Step {
        let record = self.sealed(plain_record(start, len))?;
        self.give(&record)
    }

    /// The body of the last message of this kind that the shim sent.
    pub(super) fn last(&self, wanted: DataKind) -> Option<Bytes> {
        self.asked.iter().rev().find_map(|frame| match frame {
            RelayFrame::Data { kind, body } if *kind == wanted => Some(body.clone()),
            _ => None,
        })
    }

    pub(super) fn count(&self, wanted: DataKind) -> usize {
        let is = |frame: &&RelayFrame| matches!(frame, RelayFrame::Data { kind, .. } if *kind == wanted);
        self.asked.iter().filter(is).count()
    }
}

/// The relay's greeting.
pub(crate) fn hello(name: &str, versions: Versions) -> RelayFrame {
    let name = RelayName::parse(name).unwrap_or_else(|_| unreachable!("a name of the runner's own"));
    RelayFrame::Hello(Hello {
        versions,
        name,
        boot: BootId::from_bytes([0; 16]),
        frame_len_max: 16_512,
        ping_interval_ms: 25_000,
    })
}
