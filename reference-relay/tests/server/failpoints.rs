//! The kill points, each at its named pass.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use futures_util::SinkExt;
use handfast_codec::relay::{DataKind, RelayFrame};
use handfast_codec::{DeviceRole, RelayName};
use reference_relay::failpoint::VARIABLE;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, Link};

const SIGABRT: i32 = 6;

fn armed(point: &str) -> (Child, RelayName) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handfast-relay"));
    let _ = command.args(["--listen", "127.0.0.1:0"]).env(VARIABLE, point);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program is built");
    let mut line = String::new();
    let _ = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let name = line.split(' ').nth(4).expect("a name");
    (child, RelayName::parse(name).expect("a relay name"))
}

async fn client(relay: &RelayName) -> Client {
    let stream = TcpStream::connect(relay.as_str()).await.expect("it listens");
    let (socket, _) =
        tokio_tungstenite::client_async(format!("ws://{relay}/v1"), stream).await.expect("an upgrade");
    Client::new(socket, relay.clone())
}

fn aborted(mut child: Child) {
    assert_eq!(child.wait().expect("it ends").signal(), Some(SIGABRT));
}

#[tokio::test]
async fn it_dies_at_the_named_pass_of_attached() {
    let (mut child, relay) = armed("relay.attached:2");
    let link = Link::new(1);
    let mut phone = client(&relay).await;
    let _ = phone.attach(&link, DeviceRole::Phone).await;
    assert_eq!(child.try_wait().expect("it runs"), None);
    let mut web = client(&relay).await;
    let nonce = web.challenged().await;
    let claim = RelayFrame::Attach(link.claim(&relay, DeviceRole::Web, &nonce));
    // It may be dead before the write is over.
    let _ = web.socket.send(Message::Binary(claim.encode())).await;
    aborted(child);
}

#[tokio::test]
async fn it_dies_at_the_named_pass_of_forward() {
    let (mut child, relay) = armed("relay.forward:3");
    let link = Link::new(1);
    let (mut phone, mut web) = (client(&relay).await, client(&relay).await);
    let _ = (phone.attach(&link, DeviceRole::Phone).await, web.attach(&link, DeviceRole::Web).await);
    let frame = RelayFrame::Data { kind: DataKind::RECORD, body: Bytes::from_static(b"x") };
    for _ in 0..2 {
        phone.send(&frame).await;
        assert_eq!(web.next().await, frame);
    }
    assert_eq!(child.try_wait().expect("it runs"), None);
    // It may be dead before the write is over.
    let _ = phone.socket.send(Message::Binary(frame.encode())).await;
    aborted(child);
}
