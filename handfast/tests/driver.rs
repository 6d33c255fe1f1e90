//! The socket task against relays that behave, that do not, and that are not there.
#![cfg(feature = "tokio")]

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use handfast::RelayName;
use handfast::driver::{
    Connector, FrameRefused, LinkSocket, QUEUE_LEN_MAX, SocketError, SocketEvent, SocketHandle, WebSocket,
    spawn_socket, spawn_socket_with,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::{WebSocketStream, accept_async};

const PATIENCE: Duration = Duration::from_secs(20);
const FRAME_LEN_MAX: usize = 16_512;

async fn listen() -> (TcpListener, RelayName) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let name = listener.local_addr().expect("an address").to_string();
    (listener, RelayName::parse(&name).expect("a valid name"))
}

fn spawn(name: &RelayName, room: usize) -> (SocketHandle, mpsc::Receiver<SocketEvent>) {
    let (events, inbox) = mpsc::channel(room);
    (spawn_socket(&Handle::current(), name.clone(), events, |event| event), inbox)
}

async fn next(inbox: &mut mpsc::Receiver<SocketEvent>) -> Option<SocketEvent> {
    timeout(PATIENCE, inbox.recv()).await.expect("something happens")
}

/// A socket and the relay's end of it.
async fn pair() -> (SocketHandle, mpsc::Receiver<SocketEvent>, WebSocketStream<TcpStream>) {
    let (listener, name) = listen().await;
    let (socket, mut inbox) = spawn(&name, 16);
    let (stream, _) = listener.accept().await.expect("a client");
    let relay = accept_async(stream).await.expect("an upgrade");
    assert_eq!(next(&mut inbox).await, Some(SocketEvent::Opened));
    (socket, inbox, relay)
}

/// `Closed` comes with this reason, and nothing after it.
async fn assert_closed(inbox: &mut mpsc::Receiver<SocketEvent>, reason: SocketError) {
    assert_eq!(next(inbox).await, Some(SocketEvent::Closed(reason)));
    assert_eq!(next(inbox).await, None);
}

/// Why the socket ended, whatever came before.
async fn end(inbox: &mut mpsc::Receiver<SocketEvent>) -> SocketError {
    loop {
        if let SocketEvent::Closed(reason) = next(inbox).await.expect("it says why it ends") {
            return reason;
        }
    }
}

#[tokio::test]
async fn frames_go_both_ways_and_what_was_written_is_told() {
    let (socket, mut inbox, mut relay) = pair().await;
    for len in [1, 1_000, FRAME_LEN_MAX] {
        socket.send(vec![1; len].into()).expect("room");
        assert_eq!(next(&mut inbox).await, Some(SocketEvent::Written(len)));
        let got = relay.next().await.expect("open").expect("a message");
        assert_eq!(got, Message::Binary(vec![1; len].into()));
        relay.send(Message::Binary(vec![2; len].into())).await.expect("open");
        assert_eq!(next(&mut inbox).await, Some(SocketEvent::Message(BytesMut::from(&vec![2; len][..]))));
    }
    assert_eq!(socket.queued(), 0);
}

#[tokio::test]
async fn the_upgrade_asks_for_v1_without_origin() {
    // req: RLY-022, RLY-024
    let (listener, name) = listen().await;
    let (_socket, mut inbox) = spawn(&name, 16);
    let (mut stream, _) = listener.accept().await.expect("a client");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a byte"));
    }
    let head = String::from_utf8(head).expect("text").to_lowercase();
    assert!(head.starts_with("get /v1 http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nhost: {name}\r\n")), "{head}");
    assert!(!head.contains("\r\norigin:") && !head.contains("extensions"), "{head}");
    stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await.expect("open");
    assert_closed(&mut inbox, SocketError::NotNow { status: 503, retry_after: None }).await;
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_told_once() {
    let (listener, name) = listen().await;
    drop(listener);
    let (socket, mut inbox) = spawn(&name, 16);
    assert_closed(&mut inbox, SocketError::Connect(std::io::Error::from_raw_os_error(111).into())).await;
    assert_eq!(socket.send(Bytes::from_static(b"x")), Err(FrameRefused::Closed));
}

#[tokio::test]
async fn what_is_no_relay_is_told_apart() {
    for (answer, expected) in [
        (&b"SSH-2.0-OpenSSH_9.9\r\n"[..], SocketError::NotARelay(None)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", SocketError::NotARelay(Some(200))),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\n\r\n", SocketError::NotARelay(Some(301))),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
            SocketError::NotARelay(None)),
        (b"", SocketError::NotARelay(None)),
    ] {
        let (listener, name) = listen().await;
        let (_socket, mut inbox) = spawn(&name, 16);
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut head = [0; 1024];
        let _ = stream.read(&mut head).await.expect("a head");
        stream.write_all(answer).await.expect("open");
        stream.shutdown().await.expect("open");
        assert_closed(&mut inbox, expected).await;
    }
}

/// What a user is told who meets a captive portal, a proxy or an empty web server in the place of a relay.
#[tokio::test]
async fn what_answers_in_the_place_of_a_relay_is_told_in_words() {
    for (status, words) in [
        (200, "does this network want a log-in first?"),
        (302, "does this network want a log-in first?"),
        (511, "does this network want a log-in first?"),
        (407, "something on the way wants a log-in"),
        (403, "is refused"),
        (404, "no relay in it"),
        (502, "cannot reach the relay"),
        (418, "is not a relay"),
    ] {
        let shown = SocketError::NotARelay(Some(status)).to_string();
        assert!(shown.contains(words) && shown.ends_with(&format!("(HTTP status {status})")), "{shown}");
    }
    let shown = [
        SocketError::NotARelay(None),
        SocketError::NotNow { status: 503, retry_after: Some(7) },
        SocketError::NotNow { status: 429, retry_after: None },
        SocketError::Connect(std::io::ErrorKind::ConnectionRefused.into()),
    ];
    let shown = shown.map(|error| error.to_string());
    assert!(shown[1].ends_with("left alone for 7 s") && shown[3].ends_with("is it running?"), "{shown:?}");
    assert!(shown.iter().all(|words| !words.contains("Some") && !words.contains("None")), "{shown:?}");
}

/// A network that hands out the answer byte by byte, and one that hands out too much.
#[tokio::test]
async fn an_upgrade_in_single_bytes_is_an_upgrade() {
    // req: TIM-020, TIM-021
    for more in ["", "X: 1\r\n", "big"] {
        let (listener, name) = listen().await;
        let (_socket, mut inbox) = spawn(&name, 16);
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.set_nodelay(true).expect("set");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a byte"));
        }
        let head = String::from_utf8(head).expect("text");
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n"
        );
        if more == "big" {
            answer = [&answer, "X: ", &"a".repeat(200_000), "\r\n\r\n"].concat();
            // It hangs up in the middle of it.
            let _ = stream.write_all(answer.as_bytes()).await;
            assert_closed(&mut inbox, SocketError::HeadTooLong).await;
            continue;
        }
        answer += more;
        answer += "\r\n";
        for byte in answer.bytes() {
            stream.write_all(&[byte]).await.expect("open");
            tokio::task::yield_now().await;
        }
        assert_eq!(next(&mut inbox).await, Some(SocketEvent::Opened));
        let frame = [0x82, 2, 7, 8];
        stream.write_all(&frame).await.expect("open");
        assert_eq!(next(&mut inbox).await, Some(SocketEvent::Message(BytesMut::from(&[7, 8][..]))));
    }
}

#[tokio::test]
async fn a_relay_that_asks_for_it_is_left_alone_for_as_long() {
    // req: TIM-022
    for (asks, waits) in [("Retry-After: 2\r\n", true), ("", false), ("Retry-After: soon\r\n", false)] {
        let (listener, name) = listen().await;
        let connector = Connector::new().expect("TLS");
        let connect = || {
            let (events, inbox) = mpsc::channel(16);
            let connector = Ok(connector.clone());
            (spawn_socket_with(&Handle::current(), connector, name.clone(), events, |event| event), inbox)
        };
        let (_first, mut inbox) = connect();
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut head = [0; 1024];
        let _ = stream.read(&mut head).await.expect("a head");
        stream.write_all(format!("HTTP/1.1 503 No\r\n{asks}\r\n").as_bytes()).await.expect("open");
        let retry_after = waits.then_some(2);
        assert_closed(&mut inbox, SocketError::NotNow { status: 503, retry_after }).await;
        let start = std::time::Instant::now();
        let (_second, _inbox) = connect();
        let _ = listener.accept().await.expect("a client");
        assert_eq!(start.elapsed() >= Duration::from_millis(1_900), waits, "{asks}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_relay_that_says_nothing_meets_the_deadline() {
    let (listener, name) = listen().await;
    let connector = Connector::new().expect("TLS").with_deadline(Duration::from_millis(200));
    let (events, mut inbox) = mpsc::channel(16);
    let _socket = spawn_socket_with(&Handle::current(), Ok(connector), name, events, |event| event);
    let _silent = listener.accept().await.expect("a client");
    assert_closed(&mut inbox, SocketError::ConnectTimeout).await;
}

#[tokio::test]
async fn a_relay_that_breaks_the_rules_is_left() {
    let (_socket, mut inbox, mut relay) = pair().await;
    relay.send(Message::Binary(vec![0; FRAME_LEN_MAX + 1].into())).await.expect("open");
    assert_closed(&mut inbox, SocketError::TooLong).await;

    let (_socket, mut inbox, mut relay) = pair().await;
    relay.send(Message::Text("hello".into())).await.expect("open");
    // A second text, and then nothing: the task hangs up by itself.
    relay.send(Message::Text("hello".into())).await.expect("open");
    assert_closed(&mut inbox, SocketError::Protocol).await;

    let (_socket, mut inbox, mut relay) = pair().await;
    relay.get_mut().write_all(&[0x83, 0x00]).await.expect("open");
    assert_closed(&mut inbox, SocketError::Protocol).await;
}

#[tokio::test]
async fn the_relays_close_code_is_told() {
    let (_socket, mut inbox, mut relay) = pair().await;
    relay.close(Some(CloseFrame { code: CloseCode::Away, reason: "".into() })).await.expect("open");
    assert_closed(&mut inbox, SocketError::ClosedByRelay(Some(1001))).await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_lost() {
    let (_socket, mut inbox, relay) = pair().await;
    relay.get_ref().set_zero_linger().expect("TCP");
    drop(relay);
    assert_closed(&mut inbox, SocketError::Lost).await;
}

#[tokio::test]
async fn a_last_word_is_heard_even_by_a_socket_that_writes() {
    let (socket, mut inbox, mut relay) = pair().await;
    relay.send(Message::Binary(Bytes::from_static(b"last word"))).await.expect("open");
    relay.close(None).await.expect("open");
    for _ in 0..8 {
        // It may be closed by now.
        let _ = socket.send(vec![0; 1_000].into());
    }
    let mut heard = false;
    while let Some(event) = next(&mut inbox).await {
        heard |= event == SocketEvent::Message(BytesMut::from(&b"last word"[..]));
    }
    assert!(heard);
}

#[tokio::test]
async fn closing_and_dropping_say_goodbye() {
    let (socket, mut inbox, mut relay) = pair().await;
    socket.close();
    let Some(Ok(Message::Close(Some(frame)))) = relay.next().await else { panic!("no close") };
    assert_eq!(frame.code, CloseCode::Normal);
    assert!(relay.next().await.is_none());
    assert_closed(&mut inbox, SocketError::ClosedHere).await;

    let (socket, mut inbox, mut relay) = pair().await;
    drop(socket);
    assert!(matches!(relay.next().await, Some(Ok(Message::Close(_)))));
    assert!(relay.next().await.is_none());
    assert_closed(&mut inbox, SocketError::ClosedHere).await;
}

#[tokio::test]
async fn what_is_queued_at_a_close_is_written_first() {
    let closes: [fn(&SocketHandle); 2] = [SocketHandle::close, |_| ()];
    for close in closes {
        // Nobody reads the events: a program that has given the socket up does not.
        let (socket, mut inbox, mut relay) = pair().await;
        for n in 0..100 {
            socket.send(vec![n; 100].into()).expect("room");
        }
        close(&socket);
        drop(socket);
        for n in 0..100 {
            let got = relay.next().await.expect("open").expect("a message");
            assert_eq!(got, Message::Binary(vec![n; 100].into()));
        }
        assert!(matches!(relay.next().await, Some(Ok(Message::Close(_)))));
        drop(relay);
        assert_eq!(end(&mut inbox).await, SocketError::ClosedHere);
    }
}

#[tokio::test]
async fn a_relay_that_takes_nothing_holds_up_no_close() {
    let (socket, mut inbox, relay) = pair().await;
    while socket.send(vec![7; 16_384].into()).is_ok() {}
    drop(socket);
    assert_eq!(end(&mut inbox).await, SocketError::ClosedHere);
    drop(relay);
}

#[tokio::test]
async fn a_close_during_the_connect_ends_it() {
    let (listener, name) = listen().await;
    let (socket, mut inbox) = spawn(&name, 16);
    let _silent = listener.accept().await.expect("a client");
    socket.close();
    assert_closed(&mut inbox, SocketError::ClosedHere).await;
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let (socket, mut inbox, _relay) = pair().await;
    let frame = Bytes::from(vec![0; 16_384]);
    let mut queued = 0;
    // The relay reads nothing: its kernel and ours fill up, then the queue does.
    let refused = timeout(PATIENCE, async {
        loop {
            match socket.send(frame.clone()) {
                Ok(()) => queued += frame.len(),
                Err(error) => break error,
            }
            tokio::task::yield_now().await;
            while inbox.try_recv().is_ok() {}
        }
    });
    assert_eq!(refused.await.expect("it fills up"), FrameRefused::Full);
    assert!(socket.queued() <= QUEUE_LEN_MAX && queued >= QUEUE_LEN_MAX);
    socket.close();
    while let Some(event) = next(&mut inbox).await {
        if let SocketEvent::Closed(reason) = event {
            assert_eq!(reason, SocketError::ClosedHere);
        }
    }
}

#[tokio::test]
async fn a_program_that_is_slow_loses_nothing() {
    let (listener, name) = listen().await;
    let (_socket, mut inbox) = spawn(&name, 1);
    let (stream, _) = listener.accept().await.expect("a client");
    let relay = tokio::spawn(async move {
        let mut relay = accept_async(stream).await.expect("an upgrade");
        for n in 0..2_000_u32 {
            let mut frame = n.to_be_bytes().to_vec();
            frame.resize(8_000, 0);
            relay.send(Message::Binary(frame.into())).await.expect("open");
        }
        relay
    });
    assert_eq!(next(&mut inbox).await, Some(SocketEvent::Opened));
    for n in 0..2_000_u32 {
        if n % 500 == 0 {
            // Long enough for every buffer on the way to fill.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let Some(SocketEvent::Message(frame)) = next(&mut inbox).await else { panic!("frame {n}") };
        assert_eq!(frame[..4], n.to_be_bytes());
    }
    let _ = timeout(PATIENCE, relay).await.expect("in time").expect("no panic");
}

#[tokio::test]
async fn a_socket_by_hand_sends_and_receives() {
    let (listener, name) = listen().await;
    let relay = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut relay = accept_async(stream).await.expect("an upgrade");
        relay.send(Message::Ping(Bytes::from_static(b"skipped"))).await.expect("open");
        while let Some(Ok(message)) = relay.next().await {
            if message.is_binary() {
                relay.send(message).await.expect("open");
            }
        }
    });
    let mut socket = WebSocket::connect(&name).await.expect("a relay");
    socket.send(Bytes::from_static(b"echo")).await.expect("open");
    assert_eq!(socket.recv().await, Ok(BytesMut::from(&b"echo"[..])));
    socket.close().await;
    timeout(PATIENCE, relay).await.expect("it saw the close").expect("no panic");
}

#[tokio::test]
async fn a_thousand_reconnects_leave_no_task() {
    let (listener, name) = listen().await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for n in 0..1_000 {
        let (socket, mut inbox) = spawn(&name, 16);
        let (stream, _) = listener.accept().await.expect("a client");
        match n % 3 {
            0 => drop(stream),
            1 => drop(accept_async(stream).await.expect("an upgrade")),
            _ => {
                let _relay = accept_async(stream).await.expect("an upgrade");
                drop(socket);
            }
        }
        while next(&mut inbox).await.is_some() {}
    }
    let gone = async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("no task of an old socket lives on");
}

#[tokio::test]
async fn the_socket_of_a_link_tells_nothing_of_one_that_was_given_up() {
    let (listener, name) = listen().await;
    let mut socket = LinkSocket::default();
    let wait = Some(PATIENCE);
    assert_eq!(socket.next(Some(Duration::from_millis(5))).await, None, "nothing is open");
    let accept =
        async || accept_async(listener.accept().await.expect("a client").0).await.expect("an upgrade");
    socket.connect(&name);
    let mut first = accept().await;
    assert_eq!(socket.next(wait).await, Some(SocketEvent::Opened));
    first.send(Message::Binary(vec![1].into())).await.expect("open");
    assert_eq!(socket.next(wait).await, Some(SocketEvent::Message(BytesMut::from(&[1][..]))));
    // What the first one still says, and its end, belong to nobody any more.
    first.send(Message::Binary(vec![2].into())).await.expect("open");
    socket.connect(&name);
    let mut second = accept().await;
    assert_eq!(socket.next(wait).await, Some(SocketEvent::Opened));
    socket.send(Bytes::from_static(&[3]));
    assert_eq!(socket.next(wait).await, Some(SocketEvent::Written(1)));
    assert_eq!(second.next().await.expect("open").expect("a message"), Message::Binary(vec![3].into()));
    drop(second);
    assert!(matches!(socket.next(wait).await, Some(SocketEvent::Closed(_))));
    socket.send(Bytes::from_static(&[4]));
    assert_eq!(socket.next(Some(Duration::from_millis(5))).await, None, "it is closed once");
}
