//! A relay on a free port, and clients that can sign, misbehave and stop reading.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use handfast_codec::ids::{AttachKey, MailboxId, Salt, Signature};
use handfast_codec::relay::{Attach, Attached, DataKind, MailboxProof, RelayFrame};
use handfast_codec::{DeviceRole, ErrorCode, RelayName, signed};
use reference_relay::server::{Server, ServerConfig};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longer than anything here takes, shorter than a person's patience.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A relay that runs until it is stopped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    metrics: Option<SocketAddr>,
    /// Notified, it looks at its certificate.
    pub(crate) look: Arc<Notify>,
    /// What it told its operator.
    pub(crate) told: Arc<Mutex<Vec<String>>>,
    pub(crate) name: RelayName,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

pub(crate) fn start() -> Running {
    start_with(|_| {})
}

pub(crate) fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Running {
    let mut config = ServerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    // The tests leave without a word, and do not wait for one.
    config.server_limits.shutdown_deadline = Duration::from_millis(100);
    config.server_limits.close_deadline = Duration::from_millis(500);
    config.metrics = Some(config.listen);
    change(&mut config);
    let server = Server::bind(config).expect("a free port");
    let (address, name) = (server.address(), server.name().clone());
    let (stop, stopped) = oneshot::channel();
    let metrics = server.metrics_address();
    let (look, told) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Vec::new())));
    let (asked, telling) = (Arc::clone(&look), Arc::clone(&told));
    let tell = move |line: &str| telling.lock().expect("no panic").push(line.to_owned());
    let run = async move {
        let stop = async {
            let _ = stopped.await;
        };
        server.run(stop, asked, tell).await;
    };
    let task = tokio::spawn(run);
    Running { address, metrics, look, told, name, stop: Some(stop), task }
}

impl Running {
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().expect("stopped once").send(());
        timeout(PATIENCE, self.task).await.expect("it stops").expect("it does not panic");
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    pub(crate) async fn client(&self) -> Client {
        self.client_on(self.tcp().await, None).await.expect("an upgrade")
    }

    /// A client whose kernel takes next to nothing that it does not read.
    pub(crate) async fn slow_client(&self) -> Client {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let stream = socket.connect(self.address).await.expect("it listens");
        self.client_on(stream, None).await.expect("an upgrade")
    }

    pub(crate) async fn client_on(&self, stream: TcpStream, origin: Option<&str>) -> Result<Client, WsError> {
        let mut request = format!("ws://{}/v1", self.address).into_client_request().expect("a URL");
        if let Some(origin) = origin {
            let value = HeaderValue::from_str(origin).expect("a header");
            let _ = request.headers_mut().insert("Origin", value);
        }
        let (socket, response) = client_async(request, stream).await?;
        assert_eq!(response.headers().get("Sec-WebSocket-Extensions"), None);
        Ok(Client::new(socket, self.name.clone()))
    }

    /// One HTTP request; the whole answer.
    pub(crate) async fn get(&self, path: &str) -> String {
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await
    }

    /// Bytes on a fresh connection; all that comes back until it ends.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        self.raw_on(self.tcp().await, bytes).await
    }

    async fn raw_on(&self, mut stream: TcpStream, bytes: &[u8]) -> String {
        // It may hang up before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it hangs up");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What is told at the address of the metrics.
    pub(crate) async fn metrics(&self) -> String {
        let stream = TcpStream::connect(self.metrics.expect("asked for")).await.expect("it listens");
        self.raw_on(stream, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await
    }

    /// Another path there.
    pub(crate) async fn get_metrics_address(&self, path: &str) -> String {
        let stream = TcpStream::connect(self.metrics.expect("asked for")).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        self.raw_on(stream, request.as_bytes()).await
    }

    /// One number of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.metrics().await;
        let line =
            text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit(' ').next()).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Waits until a number of `/metrics` is what it should be.
    pub(crate) async fn until(&self, name: &str, expected: u64) {
        let wait = async {
            while self.metric(name).await != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{name} never was {expected}"));
    }
}

/// The two keys of a link, and its mailbox.
pub(crate) struct Link {
    phone: SigningKey,
    web: SigningKey,
    salt: Salt,
    mailbox: MailboxId,
}

impl Link {
    pub(crate) fn new(seed: u8) -> Self {
        let (phone, web) = (SigningKey::from_bytes(&[seed; 32]), SigningKey::from_bytes(&[!seed; 32]));
        let salt = Salt::from_bytes([seed; 16]);
        let hash = Sha256::digest(signed::mailbox_preimage(&public(&phone), &public(&web), &salt));
        let mailbox = MailboxId::from_bytes(hash[..16].try_into().expect("16 bytes"));
        Self { phone, web, salt, mailbox }
    }

    /// The answer to a challenge.
    pub(crate) fn claim(&self, relay: &RelayName, role: DeviceRole, nonce: &[u8; 32]) -> Attach {
        let key = match role {
            DeviceRole::Phone => &self.phone,
            DeviceRole::Web => &self.web,
        };
        let (phone_key, web_key, salt) = (public(&self.phone), public(&self.web), self.salt);
        let proof = MailboxProof::Link { phone_key, web_key, salt };
        let tbs = signed::attach_tbs(relay, proof.kind(), role, &self.mailbox, nonce);
        let signature = Signature::from_bytes(key.sign(&tbs).to_bytes());
        Attach { version: 1, role, mailbox: self.mailbox, proof, signature }
    }
}

fn public(key: &SigningKey) -> AttachKey {
    AttachKey::from_bytes(key.verifying_key().to_bytes())
}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
    name: RelayName,
}

impl Client {
    pub(crate) const fn new(socket: WebSocketStream<TcpStream>, name: RelayName) -> Self {
        Self { socket, name }
    }

    pub(crate) async fn send(&mut self, frame: &RelayFrame) {
        self.send_raw(frame.encode()).await;
    }

    pub(crate) async fn send_raw(&mut self, bytes: Bytes) {
        self.socket.send(Message::Binary(bytes)).await.expect("it is open");
    }

    pub(crate) async fn data(&mut self, body: Bytes) {
        self.send(&RelayFrame::Data { kind: DataKind::RECORD, body }).await;
    }

    pub(crate) async fn next_message(&mut self) -> Option<Result<Message, WsError>> {
        timeout(PATIENCE, self.socket.next()).await.expect("something comes")
    }

    pub(crate) async fn next(&mut self) -> RelayFrame {
        match self.next_message().await {
            Some(Ok(Message::Binary(bytes))) => RelayFrame::decode(bytes).expect("a valid frame"),
            other => panic!("no frame: {other:?}"),
        }
    }

    pub(crate) async fn challenged(&mut self) -> [u8; 32] {
        let RelayFrame::Hello(hello) = self.next().await else { panic!("no HELLO") };
        assert_eq!(hello.name, self.name);
        let RelayFrame::Challenge(nonce) = self.next().await else { panic!("no CHALLENGE") };
        nonce
    }

    pub(crate) async fn attach(&mut self, link: &Link, role: DeviceRole) -> Attached {
        let nonce = self.challenged().await;
        self.send(&RelayFrame::Attach(link.claim(&self.name, role, &nonce))).await;
        match self.next().await {
            RelayFrame::Attached(attached) => attached,
            other => panic!("not attached: {other:?}"),
        }
    }

    /// The error that comes next, and the close code after it.
    pub(crate) async fn refused(&mut self) -> (ErrorCode, u16) {
        let RelayFrame::Error { code, .. } = self.next().await else { panic!("no ERROR") };
        (code, self.closed().await)
    }

    /// The close code that comes next.
    pub(crate) async fn closed(&mut self) -> u16 {
        match self.next_message().await {
            Some(Ok(Message::Close(Some(frame)))) => frame.code.into(),
            other => panic!("not closed: {other:?}"),
        }
    }
}

/// Both seats of a link.
pub(crate) async fn both(relay: &Running, seed: u8) -> (Client, Client) {
    let link = Link::new(seed);
    let (mut phone, mut web) = (relay.client().await, relay.client().await);
    assert_eq!(phone.attach(&link, DeviceRole::Phone).await.peer, None);
    assert!(web.attach(&link, DeviceRole::Web).await.peer.is_some());
    let RelayFrame::Peer(_) = phone.next().await else { panic!("no PEER") };
    (phone, web)
}
