//! A socket to the relay under test, with deadlines.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use handfast_codec::error::ErrorCode;
use handfast_codec::ids::{MailboxId, Salt};
use handfast_codec::relay::{Attach, Attached, Hello, MailboxKind, MailboxProof, RelayFrame};
use handfast_codec::role::DeviceRole;
use handfast_codec::signed;
use handfast_handshake::identity::SigningKey;
use handfast_handshake::link::mailbox;
use tungstenite::protocol::WebSocket;
use tungstenite::{Error, Message};

use crate::seed;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long silence is waited for.
const SILENCE: Duration = Duration::from_millis(500);

/// Why a check ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The relay did something else than the specification says.
    Wrong(String),
    /// It refused, with another code.
    Code { right: ErrorCode, found: ErrorCode },
}

pub(super) type Step = Result<(), Stop>;

pub(super) fn wrong<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(what.into()))
}

/// A relay under test.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// `HOST:PORT`.
    address: String,
}

/// What came from the relay.
#[derive(Debug)]
pub(super) enum Got {
    Frame(RelayFrame),
    /// The socket was closed, with this WebSocket code if there was one.
    Closed(Option<u16>),
    Nothing,
}

impl Target {
    /// Reads `ws://HOST:PORT`.
    ///
    /// # Errors
    ///
    /// It is something else.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let address = url
            .strip_prefix("ws://")
            .context("--relay is ws://HOST:PORT; for wss, listen without TLS on loopback")?;
        let address = address.trim_end_matches('/');
        ensure!(address.contains(':') && !address.contains('/'), "--relay is ws://HOST:PORT, without a path");
        Ok(Self { address: address.to_owned() })
    }

    /// The HELLO of a new socket.
    pub(super) fn greeting(&self) -> Result<Hello, Stop> {
        Ok(self.open()?.hello)
    }

    /// A new socket that was greeted and challenged.
    pub(super) fn open(&self) -> Result<Socket, Stop> {
        let told = |error: &dyn std::fmt::Display| Stop::Wrong(format!("{}: {error}", self.address));
        let stream = TcpStream::connect(&self.address).map_err(|error| told(&error))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| told(&error))?;
        let url = format!("ws://{}/v1", self.address);
        let (ws, _) = tungstenite::client(url, stream).map_err(|error| told(&error))?;
        let mut socket = Socket { ws, hello: unset(), nonce: [0; 32], waiting: Vec::new() };
        match socket.next(PATIENCE)? {
            Got::Frame(RelayFrame::Hello(hello)) => socket.hello = hello,
            other => return wrong(format!("the first frame must be HELLO, and is {other:?}")),
        }
        match socket.next(PATIENCE)? {
            Got::Frame(RelayFrame::Challenge(nonce)) => socket.nonce = nonce,
            other => return wrong(format!("the second frame must be CHALLENGE, and is {other:?}")),
        }
        Ok(socket)
    }

    /// A new socket in a seat.
    pub(super) fn attached(&self, seat: &Seat) -> Result<(Socket, Attached), Stop> {
        let mut socket = self.open()?;
        let attach = seat.attach(&socket);
        socket.send(&RelayFrame::Attach(attach))?;
        let attached = socket.attached()?;
        Ok((socket, attached))
    }
}

/// Stands until the real one has come.
fn unset() -> Hello {
    Hello {
        versions: handfast_codec::Versions::RELAY,
        name: handfast_codec::RelayName::parse("localhost").unwrap_or_else(|_| unreachable!("a name")),
        boot: handfast_codec::ids::BootId::from_bytes([0; 16]),
        frame_len_max: 0,
        ping_interval_ms: 0,
    }
}

/// One seat of a mailbox, with the keys that prove it.
pub(super) struct Seat {
    pub(super) kind: MailboxKind,
    pub(super) role: DeviceRole,
    pub(super) mailbox: MailboxId,
    pub(super) proof: MailboxProof,
    pub(super) key: SigningKey,
}

impl Seat {
    /// Both seats of a link mailbox of this check's own: the phone's, the web's.
    pub(super) fn link(check: &str) -> (Self, Self) {
        let key = |role: &str| SigningKey::from_bytes(seed::bytes(check, role, "attach"));
        let salt = Salt::from_bytes(fresh(check));
        let (phone, web) = (key("phone"), key("web"));
        let (phone_key, web_key) = (phone.attach_key(), web.attach_key());
        let mailbox = mailbox(&phone_key, &web_key, &salt);
        let seat = |role, key| Self {
            kind: MailboxKind::Link,
            role,
            mailbox,
            proof: MailboxProof::Link { phone_key, web_key, salt },
            key,
        };
        (seat(DeviceRole::Phone, phone), seat(DeviceRole::Web, web))
    }

    /// A seat of a pairing mailbox of this check's own, under the named key.
    pub(super) fn pairing(check: &str, role: DeviceRole, name: &str, mailbox: MailboxId) -> Self {
        let key = SigningKey::from_bytes(seed::bytes(check, name, "attach"));
        let proof = MailboxProof::Pairing { key: key.attach_key() };
        Self { kind: MailboxKind::Pairing, role, mailbox, proof, key }
    }

    /// A claim to the seat, for this socket.
    pub(super) fn attach(&self, socket: &Socket) -> Attach {
        let tbs = signed::attach_tbs(&socket.hello.name, self.kind, self.role, &self.mailbox, &socket.nonce);
        Attach {
            version: 1,
            role: self.role,
            mailbox: self.mailbox,
            proof: self.proof.clone(),
            signature: self.key.sign(&tbs),
        }
    }
}

/// Bytes that no earlier run has used at the same relay: mailboxes outlive a check.
pub(super) fn fresh(check: &str) -> [u8; 16] {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    seed::bytes(check, "fresh", &format!("{now} {}", std::process::id()))
}

/// A socket to the relay.
pub(super) struct Socket {
    ws: WebSocket<TcpStream>,
    pub(super) hello: Hello,
    pub(super) nonce: [u8; 32],
    /// Frames that came while another one was awaited.
    waiting: Vec<RelayFrame>,
}

impl Socket {
    pub(super) fn send(&mut self, frame: &RelayFrame) -> Step {
        self.send_message(Message::Binary(frame.encode()))
    }

    pub(super) fn send_bytes(&mut self, bytes: Vec<u8>) -> Step {
        self.send_message(Message::Binary(bytes.into()))
    }

    pub(super) fn send_message(&mut self, message: Message) -> Step {
        self.ws.send(message).map_err(|error| Stop::Wrong(format!("the socket takes nothing: {error}")))
    }

    /// The next frame, waiting so long. PINGs of the relay are answered.
    pub(super) fn next(&mut self, patience: Duration) -> Result<Got, Stop> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Got::Nothing);
            }
            let set = self.ws.get_ref().set_read_timeout(Some(left));
            set.map_err(|error| Stop::Wrong(format!("the socket takes no deadline: {error}")))?;
            let bytes = match self.ws.read() {
                Ok(Message::Binary(bytes)) => bytes,
                Ok(Message::Close(close)) => return Ok(Got::Closed(close.map(|close| close.code.into()))),
                Ok(Message::Text(_)) => return wrong("a relay sends binary messages alone, and sends text"),
                Ok(_) => continue,
                Err(Error::Io(error))
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    return Ok(Got::Nothing);
                }
                Err(_) => return Ok(Got::Closed(None)),
            };
            match RelayFrame::decode(Bytes::from(bytes.to_vec())) {
                Ok(RelayFrame::Ping(token)) => self.send(&RelayFrame::Pong(token))?,
                Ok(frame) => return Ok(Got::Frame(frame)),
                Err(error) => return wrong(format!("a frame came that is refused with {}", error.code())),
            }
        }
    }

    /// Waits for the first frame for which `wanted` gives something; others are kept.
    pub(super) fn await_frame<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&RelayFrame) -> Option<T>,
    ) -> Result<T, Stop> {
        if let Some(at) = self.waiting.iter().position(|frame| wanted(frame).is_some())
            && let Some(found) = wanted(&self.waiting.remove(at))
        {
            return Ok(found);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now()))? {
                Got::Frame(frame) => match wanted(&frame) {
                    Some(found) => return Ok(found),
                    None => self.waiting.push(frame),
                },
                other => return wrong(format!("{what} must come: {other:?}, after {:?}", self.waiting)),
            }
        }
    }

    /// No ERROR comes: the relay says nothing, or closes the socket.
    pub(super) fn is_not_told_of_an_error(&mut self) -> Step {
        loop {
            match self.next(SILENCE)? {
                Got::Frame(RelayFrame::Error { code, .. }) => {
                    return wrong(format!("no ERROR may come, and ERROR({code}) does"));
                }
                Got::Frame(_) => {}
                Got::Closed(_) | Got::Nothing => return Ok(()),
            }
        }
    }

    pub(super) fn attached(&mut self) -> Result<Attached, Stop> {
        self.await_frame("ATTACHED", |frame| match frame {
            RelayFrame::Attached(attached) => Some(attached.clone()),
            _ => None,
        })
    }

    /// ERROR with this code comes, and the socket is closed.
    pub(super) fn is_refused(&mut self, right: ErrorCode) -> Step {
        self.is_refused_within(right, PATIENCE)
    }

    pub(super) fn is_refused_within(&mut self, right: ErrorCode, patience: Duration) -> Step {
        let deadline = Instant::now() + patience;
        let mut told = false;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now()))? {
                Got::Frame(RelayFrame::Error { code, .. }) if code == right => told = true,
                Got::Frame(RelayFrame::Error { code, .. }) => return Err(Stop::Code { right, found: code }),
                Got::Frame(_) => {}
                Got::Closed(_) if told => return Ok(()),
                Got::Closed(_) => {
                    return wrong(format!("ERROR({}) must come before the socket is closed", right.name()));
                }
                Got::Nothing if told => {
                    return wrong(format!("the socket must be closed after ERROR({})", right.name()));
                }
                Got::Nothing => return wrong(format!("ERROR({}) must come, and nothing does", right.name())),
            }
        }
    }

    /// The socket is closed with this WebSocket code.
    pub(super) fn is_closed_with(&mut self, right: u16) -> Step {
        loop {
            match self.next(PATIENCE)? {
                Got::Closed(Some(code)) if code == right => return Ok(()),
                Got::Closed(code) => {
                    return wrong(format!("it must be closed with {right}, and is with {code:?}"));
                }
                Got::Nothing => return wrong(format!("it must be closed with {right}, and is not")),
                Got::Frame(_) => {}
            }
        }
    }

    /// The relay still answers this socket.
    pub(super) fn lives(&mut self) -> Step {
        self.send(&RelayFrame::Ping([7; 8]))?;
        self.await_frame("PONG with the token of a PING", |frame| {
            (*frame == RelayFrame::Pong([7; 8])).then_some(())
        })
    }

    /// Nothing of this kind comes.
    pub(super) fn hears_nothing(&mut self, what: &str, is: impl Fn(&RelayFrame) -> bool) -> Step {
        match self.next(SILENCE)? {
            Got::Frame(frame) if is(&frame) => wrong(format!("{what} must not come, and does")),
            Got::Closed(_) => wrong("the socket must stay open, and is closed"),
            Got::Frame(_) | Got::Nothing => Ok(()),
        }
    }
}
