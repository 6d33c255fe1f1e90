//! A WebSocket that the caller reads and writes itself, for tests and small programs. [`super::spawn_socket`]
//! runs one in a task.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use handfast_codec::RelayName;
use handfast_codec::limits::RELAY_FRAME_LEN_MAX;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error as WsError, Message, error::CapacityError};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::connect::{Connector, RelayStream};
use super::head::{HeadFirst, HeadTooLong};
use super::tls::TlsFailure;
use crate::SystemError;

/// The longest time to reach a relay: name look-up, TCP, TLS and upgrade together.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// The longest wait for the relay's side of a closing handshake.
pub(super) const CLOSE_DEADLINE: Duration = Duration::from_secs(2);
/// Frames that wait are handed to the kernel together, up to this many bytes.
pub(super) const WRITE_LEN: usize = 32 * 1024;
/// The number of bytes to read from the kernel at once.
const READ_BUFFER_LEN: usize = 32 * 1024;

/// The reason why a socket could not be opened, or has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The relay's name has no address, or it is `localhost` and has no loopback address.
    #[error("the relay's name has no usable address")]
    Resolve,
    /// TCP failed.
    #[error("the relay cannot be reached ({0}){hint}", hint = connect_hint(.0))]
    Connect(SystemError),
    /// TLS failed.
    #[error("no secure connection to the relay: {0}")]
    Tls(TlsFailure),
    /// What answers is not a relay: it does not speak WebSocket, or it refused with this HTTP status.
    #[error("{}", not_a_relay(*.0))]
    NotARelay(Option<u16>),
    /// The head of the HTTP answer is longer than that of any relay.
    #[error("what answers there is not a relay: its answer is too long; check the relay's name")]
    HeadTooLong,
    /// The relay, or a proxy in front of it, accepts no clients now (HTTP status 429 or 503).
    #[error("{}", not_now(*status, *retry_after))]
    NotNow {
        /// The HTTP status, 429 or 503.
        status: u16,
        /// For how many seconds the relay or proxy asks clients to stay away.
        retry_after: Option<u64>,
    },
    /// The deadline for opening the socket passed.
    #[error("the relay did not answer in time")]
    ConnectTimeout,
    /// A message was longer than a relay frame may be.
    #[error("the relay sent a message that is too long")]
    TooLong,
    /// The relay broke the rules of the WebSocket protocol, or sent a text message.
    #[error("the relay broke the rules of its protocol")]
    Protocol,
    /// The TCP connection was lost.
    #[error("the connection to the relay is lost")]
    Lost,
    /// The relay accepted no bytes for too long.
    #[error("the relay takes nothing any more")]
    WriteTimeout,
    /// The relay closed the socket, with this WebSocket close code if it sent one.
    #[error("the relay closed the connection")]
    ClosedByRelay(Option<u16>),
    /// This side closed the socket.
    #[error("the connection was closed here")]
    ClosedHere,
}

impl From<WsError> for SocketError {
    fn from(error: WsError) -> Self {
        match error {
            WsError::Capacity(CapacityError::MessageTooLong { .. }) => Self::TooLong,
            WsError::Protocol(
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )
            | WsError::Io(_)
            | WsError::ConnectionClosed
            | WsError::AlreadyClosed => Self::Lost,
            WsError::Http(response) => {
                let status = response.status().as_u16();
                if !matches!(status, 429 | 503) {
                    return Self::NotARelay(Some(status));
                }
                let asked = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                Self::NotNow { status, retry_after: asked.and_then(|value| value.trim().parse().ok()) }
            }
            _ => Self::Protocol,
        }
    }
}

fn connect_hint(error: &SystemError) -> &'static str {
    if error.kind() == io::ErrorKind::ConnectionRefused { "; is it running?" } else { "" }
}

/// Returns what a user can do when something other than a relay answers.
fn not_a_relay(status: Option<u16>) -> String {
    let Some(status) = status else {
        return "what answers there is not a relay: it does not speak WebSocket; check the relay's name"
            .to_owned();
    };
    let what = match status {
        200..=399 | 511 => {
            "a web page answers in the relay's place; does this network want a log-in first? Open a browser and look"
        }
        401 | 407 => "something on the way wants a log-in; ask who runs this network",
        403 => "the way to the relay is refused; check the relay's name, and ask who runs it or this network",
        404 | 405 | 410 | 426 => "a web server answers, with no relay in it; check the relay's name",
        500..=599 => "a server answers that cannot reach the relay",
        _ => "what answers there is not a relay; check the relay's name",
    };
    format!("{what} (HTTP status {status})")
}

fn not_now(status: u16, retry_after: Option<u64>) -> String {
    let asked = retry_after.map(|seconds| format!("; it asks to be left alone for {seconds} s"));
    format!("the relay takes nobody now (HTTP status {status}){}", asked.unwrap_or_default())
}

/// An open WebSocket to a relay, on which each binary message is one relay frame.
#[derive(Debug)]
pub struct WebSocket(WebSocketStream<HeadFirst<RelayStream>>);

impl WebSocket {
    /// Opens a WebSocket: `ws` to a loopback name, `wss` to any other.
    ///
    /// # Errors
    /// [`SocketError`] when it cannot be opened within [`CONNECT_DEADLINE`].
    pub async fn connect(relay: &RelayName) -> Result<Self, SocketError> {
        Self::connect_with(&Connector::new()?, relay).await
    }

    /// Opens a WebSocket with this connector.
    ///
    /// # Errors
    /// [`SocketError`] when it cannot be opened within the connector's deadline. If the relay asked clients
    /// to stay away, the deadline starts when it accepts them again.
    pub async fn connect_with(connector: &Connector, relay: &RelayName) -> Result<Self, SocketError> {
        connector.until_allowed(relay).await;
        // req: TIM-021
        let opened = timeout(connector.deadline(), Self::open(connector, relay)).await;
        let opened = opened.unwrap_or(Err(SocketError::ConnectTimeout));
        if let Err(SocketError::NotNow { retry_after: Some(seconds), .. }) = &opened {
            connector.hold(relay, *seconds);
        }
        opened
    }

    async fn open(connector: &Connector, relay: &RelayName) -> Result<Self, SocketError> {
        let stream = HeadFirst::new(connector.open(relay).await?);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_LEN)
            .write_buffer_size(WRITE_LEN)
            .max_write_buffer_size(4 * RELAY_FRAME_LEN_MAX)
            .max_message_size(Some(RELAY_FRAME_LEN_MAX))
            .max_frame_size(Some(RELAY_FRAME_LEN_MAX));
        match client_async_with_config(relay.url(), stream, Some(config)).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(WsError::Io(error)) => Err(match error.get_ref() {
                Some(inner) if inner.is::<HeadTooLong>() => SocketError::HeadTooLong,
                _ => SocketError::Lost,
            }),
            Err(error) => Err(match SocketError::from(error) {
                SocketError::Protocol | SocketError::TooLong => SocketError::NotARelay(None),
                other => other,
            }),
        }
    }

    /// Sends one relay frame.
    ///
    /// # Errors
    /// [`SocketError`] when the connection was lost.
    pub async fn send(&mut self, frame: Bytes) -> Result<(), SocketError> {
        Ok(self.0.send(Message::Binary(frame)).await?)
    }

    /// Waits for one relay frame.
    ///
    /// # Errors
    /// [`SocketError`] when the socket has ended, or the relay broke a rule.
    pub async fn recv(&mut self) -> Result<BytesMut, SocketError> {
        loop {
            if let Some(frame) = frame_of(self.0.next().await)? {
                return Ok(frame);
            }
        }
    }

    /// Closes the socket with a closing handshake of at most two seconds.
    pub async fn close(mut self) {
        // The socket ends here, whether the closing handshake succeeds or not.
        let _ = timeout(CLOSE_DEADLINE, async {
            self.0.close(Some(going_away())).await?;
            while let Some(Ok(_)) = self.0.next().await {}
            Ok::<(), WsError>(())
        })
        .await;
    }

    pub(super) fn split(self) -> (WsSink, WsStream) {
        self.0.split()
    }
}

pub(super) type WsSink = SplitSink<WebSocketStream<HeadFirst<RelayStream>>, Message>;
pub(super) type WsStream = SplitStream<WebSocketStream<HeadFirst<RelayStream>>>;

pub(super) fn going_away() -> CloseFrame {
    CloseFrame { code: CloseCode::Normal, reason: "".into() }
}

/// Returns the relay frame in a WebSocket message; `None` for a control message such as Ping.
pub(super) fn frame_of(next: Option<Result<Message, WsError>>) -> Result<Option<BytesMut>, SocketError> {
    match next {
        Some(Ok(Message::Binary(bytes))) => {
            // The socket shares its buffer, so the bytes are copied here, but only once: the record is then
            // decrypted in place.
            Ok(Some(bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]))))
        }
        Some(Ok(Message::Text(_))) => Err(SocketError::Protocol),
        Some(Ok(Message::Close(frame))) => {
            Err(SocketError::ClosedByRelay(frame.map(|frame| frame.code.into())))
        }
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Err(error)) => Err(error.into()),
        None => Err(SocketError::Lost),
    }
}
