//! One WebSocket, from its upgrade to its end. A single task reads it, writes it and watches the time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use handfast_codec::ErrorCode;
use handfast_codec::error::Area;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::error::CapacityError;

use super::connections::Permit;
use super::shared::{NextRead, Outgoing, Shared, Signals};
use crate::core::{Checked, SocketId, Source};

/// While a socket's network has used up its hourly bytes, the socket is checked again after this time at the
/// latest.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Frames that wait for a socket are handed to the kernel together, up to this many bytes.
pub(super) const WRITE_LEN: usize = 32 * 1024;

/// Close codes of RFC 6455, section 7.4.1, and of its registry.
mod close {
    pub(super) const NORMAL: u16 = 1000;
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const PROTOCOL: u16 = 1002;
    pub(super) const UNSUPPORTED: u16 = 1003;
    pub(super) const NOT_UTF8: u16 = 1007;
    pub(super) const POLICY: u16 = 1008;
    pub(super) const TOO_BIG: u16 = 1009;
    pub(super) const TRY_AGAIN_LATER: u16 = 1013;
}

/// The way in which a connection ends.
#[derive(Debug)]
enum End {
    /// The relay starts the closing handshake with this code.
    Close(u16),
    /// The client has begun the closing handshake. The relay's answer must still be sent.
    Answer,
    /// The connection is dropped at once, because the client is gone or does not read.
    Drop,
}

/// Runs one connection. While the permit exists, the connection counts among all connections.
pub(super) async fn run(
    shared: Arc<Shared>,
    source: Source,
    origin: Option<String>,
    socket: WebSocket,
    permit: Arc<Permit>,
) {
    let (mut sink, mut stream) = socket.split();
    // Without random bytes there is no challenge, so the client is dropped.
    let Ok(mut seat) = shared.open(source, origin.as_deref()) else {
        return;
    };
    // Logs name sockets only by number, never by address, mailbox or origin.
    tracing::debug!(socket = ?seat.socket, "open");
    let limits = shared.limits();
    let signals = Arc::clone(&seat.signals);
    let end = tokio::select! {
        end = read(&shared, seat.socket, &seat.nonce, &signals, &mut stream) => end,
        end = write(&shared, seat.socket, &mut seat.queue, &mut sink, limits.write_deadline) => end,
        end = overdue(&signals, limits.close_deadline) => end,
    };
    tracing::debug!(socket = ?seat.socket, ?end, "closed");
    drop(seat);
    let last = async {
        match end {
            End::Close(code) => finish(&mut sink, &mut stream, code).await,
            End::Answer => sink.flush().await,
            End::Drop => Ok(()),
        }
    };
    // The connection ends here, whether the closing handshake succeeds or not.
    let _ = timeout(limits.close_deadline, last).await;
    drop(permit);
}

async fn read(
    shared: &Shared,
    socket: SocketId,
    nonce: &[u8; 32],
    signals: &Signals,
    stream: &mut SplitStream<WebSocket>,
) -> End {
    loop {
        match shared.next_read(socket) {
            NextRead::Now => {}
            NextRead::WhenReady => {
                signals.ready.notified().await;
                continue;
            }
            NextRead::After(pause) => {
                sleep(pause.min(PAUSE_MAX)).await;
                continue;
            }
        }
        let message = stream.next().await;
        if signals.is_closed.load(Ordering::Relaxed) {
            // The writing half tells the client and ends the connection. What still arrives is not read.
            return std::future::pending().await;
        }
        match message {
            // The signature is verified here, before the lock that all connections need is taken.
            Some(Ok(Message::Binary(bytes))) => {
                shared.frame(socket, Checked::new(shared.name(), nonce, bytes));
            }
            // req: RLY-071
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => shared.websocket_ping(socket),
            // req: RLY-023
            Some(Ok(Message::Text(_))) => return End::Close(close::UNSUPPORTED),
            Some(Ok(Message::Close(_))) => return End::Answer,
            None => return End::Drop,
            Some(Err(error)) => match error.into_inner().downcast_ref::<WsError>() {
                // req: RLY-003
                Some(WsError::Capacity(CapacityError::MessageTooLong { .. })) => {
                    shared.violation(socket, ErrorCode::FIELD_LENGTH);
                    // The writing half tells the client and ends the connection.
                    return std::future::pending().await;
                }
                Some(WsError::Protocol(_)) => return End::Close(close::PROTOCOL),
                Some(WsError::Utf8(_)) => return End::Close(close::NOT_UTF8),
                _ => return End::Drop,
            },
        }
    }
}

async fn write(
    shared: &Shared,
    socket: SocketId,
    queue: &mut mpsc::UnboundedReceiver<Outgoing>,
    sink: &mut SplitSink<WebSocket, Message>,
    deadline: Duration,
) -> End {
    while let Some(outgoing) = queue.recv().await {
        let batch = timeout(deadline, write_waiting(outgoing, queue, sink)).await;
        let Ok(Ok(Written { frames, len, close })) = batch else { return End::Drop };
        shared.transmitted(socket, frames, len);
        if let Some(code) = close {
            return End::Close(close_code(code));
        }
    }
    End::Drop
}

/// What was handed to the kernel at once.
struct Written {
    /// How many frames, and their bytes.
    frames: usize,
    len: usize,
    /// The code with which the connection ends behind them, if it does.
    close: Option<ErrorCode>,
}

/// Writes a frame and those that wait behind it, as many as go into one write.
async fn write_waiting(
    first: Outgoing,
    queue: &mut mpsc::UnboundedReceiver<Outgoing>,
    sink: &mut SplitSink<WebSocket, Message>,
) -> Result<Written, axum::Error> {
    let mut written = Written { frames: 0, len: 0, close: None };
    let mut next = Some(first);
    while let Some(outgoing) = next {
        match outgoing {
            Outgoing::Frame(frame) => {
                written.frames = written.frames.saturating_add(1);
                written.len = written.len.saturating_add(frame.len());
                sink.feed(Message::Binary(frame)).await?;
            }
            Outgoing::Close(code) => {
                written.close = Some(code);
                break;
            }
        }
        next = if written.len < WRITE_LEN { queue.try_recv().ok() } else { None };
    }
    sink.flush().await?;
    Ok(written)
}

/// Returns when a connection that the core has closed must be dropped, because its client does not read what
/// is still queued.
async fn overdue(signals: &Signals, deadline: Duration) -> End {
    signals.closing.notified().await;
    sleep(deadline).await;
    End::Drop
}

/// Sends the close frame, and waits for the client's close frame.
async fn finish(
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    code: u16,
) -> Result<(), axum::Error> {
    sink.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await?;
    while let Some(Ok(_)) = stream.next().await {}
    Ok(())
}

/// Returns the WebSocket close code for an error code. It is for people and tools; clients read the ERROR
/// frame.
fn close_code(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::SHUTDOWN => close::GOING_AWAY,
        ErrorCode::FIELD_LENGTH => close::TOO_BIG,
        ErrorCode::LIMIT | ErrorCode::ADDRESS_CAP => close::TRY_AGAIN_LATER,
        ErrorCode::BAD_ATTACH | ErrorCode::NOT_ATTACHED | ErrorCode::CODE_TAKEN => close::POLICY,
        code if code.area() == Area::Framing => close::POLICY,
        _ => close::NORMAL,
    }
}
