//! The task that opens one socket, and reads and writes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use handfast_codec::RelayName;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::connect::Connector;
use super::websocket::{
    CLOSE_DEADLINE, SocketError, WRITE_LEN, WebSocket, WsSink, WsStream, frame_of, going_away,
};

/// The most bytes that may wait to be written to one socket. An `Endpoint` seals at most 256 KiB in advance,
/// so a program that calls `transmitted` for what was written never reaches this limit.
pub const QUEUE_LEN_MAX: usize = 1_048_576;
/// The longest time for which the relay may accept no bytes; then the socket is closed.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a socket that is being closed may go on writing what is queued.
pub const FLUSH_DEADLINE: Duration = Duration::from_secs(1);

/// An event of a socket: `Opened` comes at most once and first, `Closed` exactly once and last.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a program must handle each")]
pub enum SocketEvent {
    /// The socket is open: call `handle_opened`.
    Opened,
    /// A relay frame arrived: call `handle_bytes`.
    Message(BytesMut),
    /// Frames of this length together have been handed to the kernel: call `transmitted`.
    Written(usize),
    /// The socket has ended, or could not be opened: call `handle_closed`.
    Closed(SocketError),
}

/// The reason why a frame could not be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameRefused {
    /// The socket has ended. Its event `Closed` will follow.
    #[error("the socket is closed")]
    Closed,
    /// More than [`QUEUE_LEN_MAX`] bytes would wait to be written.
    #[error("too much waits to be written")]
    Full,
}

/// The sending side of a socket's task. Dropping it closes the socket as [`SocketHandle::close`] does.
#[derive(Debug)]
pub struct SocketHandle {
    frames: mpsc::UnboundedSender<Bytes>,
    queued: Arc<AtomicUsize>,
    closing: watch::Sender<bool>,
}

impl SocketHandle {
    /// Queues one relay frame, without waiting.
    ///
    /// # Errors
    /// [`FrameRefused`] when the socket is closed or its queue is full. The frame is lost then, so close the
    /// socket.
    pub fn send(&self, frame: Bytes) -> Result<(), FrameRefused> {
        let len = frame.len();
        let fits = |queued: usize| queued.checked_add(len).filter(|queued| *queued <= QUEUE_LEN_MAX);
        if self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            return Err(FrameRefused::Full);
        }
        self.frames.send(frame).map_err(|_| FrameRefused::Closed)
    }

    /// Returns the number of bytes that wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Closes the socket: what is queued is written first, for at most [`FLUSH_DEADLINE`], and then comes the
    /// closing handshake. The event `Closed` follows.
    pub fn close(&self) {
        let _ = self.closing.send_replace(true);
    }
}

/// Starts a task that opens a WebSocket to `relay`, and runs it until it ends.
///
/// Each event goes through `wrap` into the channel of the program's own loop; `wrap` adds which socket the
/// event is of, because events of a socket that was closed may still come. While the channel is full nothing
/// is read, so that the relay waits. May be called from any thread.
pub fn spawn_socket<E, W>(
    runtime: &Handle,
    relay: RelayName,
    events: mpsc::Sender<E>,
    wrap: W,
) -> SocketHandle
where
    E: Send + 'static,
    W: Fn(SocketEvent) -> E + Send + Sync + 'static,
{
    spawn_socket_with(runtime, Connector::new(), relay, events, wrap)
}

/// Starts a task like [`spawn_socket`], with a connector of the caller: one for all the caller's sockets, or
/// one with other root certificates. If the connector could not be made, its error becomes the socket's
/// `Closed`.
pub fn spawn_socket_with<E, W>(
    runtime: &Handle,
    connector: Result<Connector, SocketError>,
    relay: RelayName,
    events: mpsc::Sender<E>,
    wrap: W,
) -> SocketHandle
where
    E: Send + 'static,
    W: Fn(SocketEvent) -> E + Send + Sync + 'static,
{
    let (frames, outgoing) = mpsc::unbounded_channel();
    let (closing, closed_here) = watch::channel(false);
    let queued = Arc::new(AtomicUsize::new(0));
    let task = Task { events, wrap, queued: Arc::clone(&queued) };
    drop(runtime.spawn(async move {
        let reason = task.run(connector, &relay, outgoing, closed_here).await;
        // A program that dropped its channel does not need the last event.
        let _ = task.emit(SocketEvent::Closed(reason)).await;
    }));
    SocketHandle { frames, queued, closing }
}

struct Task<E, W> {
    events: mpsc::Sender<E>,
    wrap: W,
    queued: Arc<AtomicUsize>,
}

impl<E: Send, W: Fn(SocketEvent) -> E + Send + Sync> Task<E, W> {
    async fn emit(&self, event: SocketEvent) -> Result<(), SocketError> {
        self.events.send((self.wrap)(event)).await.map_err(|_| SocketError::ClosedHere)
    }

    async fn run(
        &self,
        connector: Result<Connector, SocketError>,
        relay: &RelayName,
        outgoing: mpsc::UnboundedReceiver<Bytes>,
        mut closed_here: watch::Receiver<bool>,
    ) -> SocketError {
        let connector = match connector {
            Ok(connector) => connector,
            Err(error) => return error,
        };
        let socket = tokio::select! {
            socket = WebSocket::connect_with(&connector, relay) => socket,
            () = asked_to_close(&mut closed_here) => return SocketError::ClosedHere,
        };
        let (mut sink, mut stream) = match socket {
            Ok(socket) => socket.split(),
            Err(error) => return error,
        };
        if let Err(error) = self.emit(SocketEvent::Opened).await {
            return error;
        }
        let reason = tokio::select! {
            reason = self.read(&mut stream) => reason,
            reason = self.write(&mut sink, outgoing, closed_here.clone()) => reason,
            () = flush_over(&mut closed_here) => SocketError::ClosedHere,
        };
        // Before it closes the socket, a relay often sends the reason; so what has arrived is read first.
        let reason = match reason {
            SocketError::Lost => timeout(CLOSE_DEADLINE, self.read(&mut stream)).await.unwrap_or(reason),
            other => other,
        };
        if matches!(reason, SocketError::ClosedHere | SocketError::Protocol | SocketError::TooLong) {
            close(&mut sink, &mut stream).await;
        }
        reason
    }

    async fn read(&self, stream: &mut WsStream) -> SocketError {
        loop {
            let event = match frame_of(stream.next().await) {
                Ok(Some(frame)) => SocketEvent::Message(frame),
                Ok(None) => continue,
                Err(reason) => return reason,
            };
            if let Err(reason) = self.emit(event).await {
                return reason;
            }
        }
    }

    async fn write(
        &self,
        sink: &mut WsSink,
        mut outgoing: mpsc::UnboundedReceiver<Bytes>,
        mut closed_here: watch::Receiver<bool>,
    ) -> SocketError {
        loop {
            let frame = tokio::select! {
                // A frame that was queued before the close, such as the last one of a pairing, is written.
                biased;
                frame = outgoing.recv() => frame,
                () = asked_to_close(&mut closed_here) => None,
            };
            let Some(frame) = frame else { return SocketError::ClosedHere };
            let len = match timeout(WRITE_DEADLINE, write_waiting(sink, frame, &mut outgoing)).await {
                Ok(Ok(len)) => len,
                Ok(Err(error)) => return error.into(),
                Err(_) => return SocketError::WriteTimeout,
            };
            let _ = self.queued.fetch_sub(len, Ordering::Relaxed);
            // A program that has given the socket up may not read its events any more.
            let emitted = tokio::select! {
                biased;
                emitted = self.emit(SocketEvent::Written(len)) => emitted,
                () = asked_to_close(&mut closed_here) => Ok(()),
            };
            if let Err(reason) = emitted {
                return reason;
            }
        }
    }
}

/// Writes a frame and those that wait behind it, as many as go into one write. Returns their length together.
async fn write_waiting(
    sink: &mut WsSink,
    first: Bytes,
    outgoing: &mut mpsc::UnboundedReceiver<Bytes>,
) -> Result<usize, tokio_tungstenite::tungstenite::Error> {
    let mut len = first.len();
    sink.feed(Message::Binary(first)).await?;
    while len < WRITE_LEN
        && let Ok(frame) = outgoing.try_recv()
    {
        len = len.saturating_add(frame.len());
        sink.feed(Message::Binary(frame)).await?;
    }
    sink.flush().await?;
    Ok(len)
}

/// Waits until the handle asks to close, or is dropped.
async fn asked_to_close(closed_here: &mut watch::Receiver<bool>) {
    // An error means that the handle was dropped.
    let _ = closed_here.wait_for(|closing| *closing).await;
}

/// Waits until the time is over in which a socket that is being closed may write.
async fn flush_over(closed_here: &mut watch::Receiver<bool>) {
    asked_to_close(closed_here).await;
    tokio::time::sleep(FLUSH_DEADLINE).await;
}

async fn close(sink: &mut WsSink, stream: &mut WsStream) {
    // The socket ends here, whether the closing handshake succeeds or not.
    let _ = timeout(CLOSE_DEADLINE, async {
        sink.send(Message::Close(Some(going_away()))).await?;
        while let Some(Ok(_)) = stream.next().await {}
        Ok::<(), tokio_tungstenite::tungstenite::Error>(())
    })
    .await;
}
