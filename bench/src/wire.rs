//! The peer of the transfers: WebSocket messages from one program to another through a bare forwarder, without crypto and
//! without a disk. Each part is a process of its own, as relay, phone and companion are.

use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, accept_async_with_config, connect_async_with_config,
};

/// As many bytes are read from the kernel at once, and gathered for it, as relay and devices do at most.
const BUFFER_LEN: usize = 32 * 1024;

fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(BUFFER_LEN).write_buffer_size(BUFFER_LEN)
}

/// Joins sockets in pairs, in the order in which they come, until it is ended. Prints the address when it listens.
/// With `batches` it writes once for all messages that have come, otherwise once a message.
pub fn forward(batches: bool) -> Result<()> {
    Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        say(&json!({"event": "listening", "address": listener.local_addr()?.to_string()}))?;
        loop {
            let (one, other) = (accept(&listener).await?, accept(&listener).await?);
            let ((one_sink, one_stream), (other_sink, other_stream)) = (one.split(), other.split());
            drop(tokio::spawn(carry(one_stream, other_sink, batches)));
            drop(tokio::spawn(carry(other_stream, one_sink, batches)));
        }
    })
}

async fn accept(listener: &TcpListener) -> Result<WebSocketStream<TcpStream>> {
    let (socket, _) = listener.accept().await?;
    socket.set_nodelay(true)?;
    Ok(accept_async_with_config(socket, Some(config())).await?)
}

/// Carries messages one way until a socket ends.
async fn carry(
    mut from: SplitStream<WebSocketStream<TcpStream>>,
    mut to: SplitSink<WebSocketStream<TcpStream>, Message>,
    batches: bool,
) -> Result<()> {
    while let Some(message) = from.next().await {
        to.feed(message?).await?;
        while batches && let Some(Some(message)) = from.next().now_or_never() {
            to.feed(message?).await?;
        }
        to.flush().await?;
    }
    Ok(())
}

async fn connect(address: &str) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>> {
    let (socket, _) = connect_async_with_config(format!("ws://{address}/"), Some(config()), true).await?;
    Ok(socket)
}

/// Waits for a message of the receiver, then sends so many bytes in messages of this length.
pub fn send(address: &str, bytes: usize, len: usize) -> Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut socket = connect(address).await?;
        let _ = socket.next().await.context("nobody asked")??;
        let message = Bytes::from(vec![7; len]);
        for at in (0..bytes).step_by(len) {
            socket.feed(Message::Binary(message.slice(..len.min(bytes - at)))).await?;
        }
        socket.flush().await?;
        // The socket stays until the receiver has read everything.
        let _ = socket.next().await;
        Ok(())
    })
}

/// Asks the sender, and prints how long it took from then on until all bytes were here.
pub fn receive(address: &str, bytes: usize) -> Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut socket = connect(address).await?;
        let start = Instant::now();
        socket.send(Message::Binary(Bytes::from_static(b"go"))).await?;
        let mut came = 0;
        while came < bytes {
            came += socket.next().await.context("the sender ended early")??.len();
        }
        ensure!(came == bytes, "{came} bytes came, and {bytes} were asked for");
        say(&json!({"event": "received", "seconds": start.elapsed().as_secs_f64()}))?;
        Ok(socket.close(None).await?)
    })
}

fn say(line: &serde_json::Value) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
