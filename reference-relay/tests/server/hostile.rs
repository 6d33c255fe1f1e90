//! What hostile clients can do, and what it costs the others: nothing.

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use handfast_codec::relay::{Peer, RelayFrame};
use handfast_codec::{DeviceRole, ErrorCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, Link, PATIENCE, Running, both, start, start_with};

#[tokio::test]
async fn a_message_past_the_maximum_is_refused_before_it_is_read() {
    let relay = start();
    let mut client = relay.client().await;
    let _ = client.challenged().await;
    client.send_raw(vec![0; 16_512].into()).await;
    client.send(&RelayFrame::Ping([1; 8])).await;
    assert_eq!(client.next().await, RelayFrame::Pong([1; 8]), "the maximum of an ignored type is taken");
    client.send_raw(vec![0; 16_513].into()).await;
    assert_eq!(client.refused().await, (ErrorCode::FIELD_LENGTH, 1009));
    relay.stop().await;
}

#[tokio::test]
async fn fragments_count_together() {
    let relay = start();
    let mut stream = upgraded(&relay).await;
    // A binary message that is never finished, in masked pieces of 100 bytes.
    for n in 0..1_000 {
        let mut piece = vec![if n == 0 { 0x02 } else { 0x00 }, 0x80 + 100, 0, 0, 0, 0];
        piece.extend([0; 100]);
        if stream.write_all(&piece).await.is_err() {
            break;
        }
    }
    let answer = until_end(&mut stream).await;
    let close = answer.windows(4).any(|bytes| bytes == [0x88, 0x02, 0x03, 0xf1]);
    assert!(close, "closed with 1009");
    relay.until("handfast_relay_sockets", 0).await;
    relay.stop().await;
}

/// Empty pieces finish no message, so they are no sign of life: the deadline of the socket stands, and meanwhile the
/// others are served.
#[tokio::test]
async fn endless_empty_fragments_cost_the_others_nothing_and_end_at_the_deadline() {
    let relay = start_with(|config| {
        config.relay_limits.attach_timeout = Duration::from_secs(1);
        // The other asks as fast as it is answered.
        config.relay_limits.control_frames_max = 1_000_000;
    });
    let mut other = relay.client().await;
    let _ = other.attach(&Link::new(1), DeviceRole::Phone).await;
    let before = relay.metric("handfast_relay_memory_bytes").await;
    let mut stream = upgraded(&relay).await;
    let flood = tokio::spawn(async move {
        // The beginning of a binary message, then continuations without a byte, and never the last one.
        let (begin, empty) = ([0x02, 0x80, 0, 0, 0, 0], [0x00, 0x80, 0, 0, 0, 0]);
        let pieces = empty.repeat(1_000);
        let mut sent = 0_u64;
        let mut open = stream.write_all(&begin).await.is_ok();
        while open {
            open = stream.write_all(&pieces).await.is_ok();
            sent += 1_000;
        }
        sent
    });
    while !flood.is_finished() {
        other.send(&RelayFrame::Ping([1; 8])).await;
        assert_eq!(other.next().await, RelayFrame::Pong([1; 8]), "the others are served");
    }
    let sent = flood.await.expect("it ends");
    assert!(sent > 10_000, "{sent} pieces are no flood");
    let after = relay.metric("handfast_relay_memory_bytes").await;
    assert!(after < before + 16 * 1_048_576, "memory grew from {before} to {after}");
    relay.until("handfast_relay_sockets", 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn text_is_closed_with_1003() {
    // req: RLY-023
    let relay = start();
    let mut client = relay.client().await;
    let _ = client.challenged().await;
    client.socket.send(Message::Text("hello".into())).await.expect("it is open");
    assert_eq!(client.closed().await, 1003);
    relay.until("handfast_relay_sockets", 0).await;
    relay.stop().await;
}

#[tokio::test]
async fn garbage_ends_its_own_socket_only() {
    let relay = start();
    let (mut phone, mut web) = both(&relay, 1).await;
    for (bytes, code) in [
        (&[][..], ErrorCode::TRUNCATED),
        (&[255], ErrorCode::UNKNOWN_CRITICAL),
        (&[9, 7, 1], ErrorCode::NOT_ATTACHED),
        (&[5, 1, 0xff], ErrorCode::TRUNCATED),
    ] {
        let mut client = relay.client().await;
        let _ = client.challenged().await;
        client.send_raw(Bytes::copy_from_slice(bytes)).await;
        assert_eq!(client.refused().await, (code, 1008));
    }
    phone.data(Bytes::from_static(b"still here")).await;
    assert!(matches!(web.next().await, RelayFrame::Data { .. }));
    relay.stop().await;
}

/// A raw stream that has been upgraded.
async fn upgraded(relay: &Running) -> TcpStream {
    let mut stream = relay.tcp().await;
    let head = "GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("it listens");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(timeout(PATIENCE, stream.read_u8()).await.expect("it answers").expect("a byte"));
    }
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 101 ") && !answer.contains("permessage"), "{answer}");
    stream
}

async fn until_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it hangs up");
    rest
}

#[tokio::test]
async fn broken_framing_ends_the_connection_at_once() {
    let relay = start();
    for (what, bytes, code) in [
        ("unmasked", &[0x82, 0x01, 0x00][..], 1002),
        (
            "declares 2^63 - 1",
            &[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
            1009,
        ),
        (
            "declares 2^64 - 1",
            &[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
            1009,
        ),
        ("compressed", &[0xc2, 0x81, 0, 0, 0, 0, 0], 1002),
        ("reserved opcode", &[0x83, 0x80, 0, 0, 0, 0], 1002),
        ("fragmented ping", &[0x09, 0x80, 0, 0, 0, 0], 1002),
        ("nothing to continue", &[0x80, 0x80, 0, 0, 0, 0], 1002),
        ("text that is not UTF-8", &[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe], 1007),
        ("half a close code", &[0x88, 0x81, 0, 0, 0, 0, 3], 1002),
        ("close code 1005", &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed], 1002),
    ] {
        let mut stream = upgraded(&relay).await;
        stream.write_all(bytes).await.expect("it is open");
        let answer = until_end(&mut stream).await;
        let closed = |bytes: &[u8]| bytes[0] == 0x88 && bytes[2..] == u16::to_be_bytes(code);
        assert!(answer.windows(4).any(closed), "{what}: {answer:02x?}");
    }
    relay.until("handfast_relay_connections", 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_of_its_own_answers_is_closed_at_the_cap() {
    let relay = start();
    let mut client = relay.slow_client().await;
    let _ = client.attach(&Link::new(1), DeviceRole::Phone).await;
    let ping = RelayFrame::Ping([7; 8]).encode();
    let flood = async { while client.socket.send(Message::Binary(ping.clone())).await.is_ok() {} };
    timeout(PATIENCE, flood).await.expect("the relay hangs up");
    assert_eq!(relay.metric("handfast_relay_errors_total{code=\"LIMIT\"}").await, 1);
    relay.until("handfast_relay_connections", 1).await;
    relay.stop().await;
}

/// What costs the relay an answer is bounded, whatever layer it belongs to.
#[tokio::test]
async fn a_flood_of_pings_ends_its_socket_and_an_honest_one_is_answered() {
    // req: RLY-071
    let relay = start();
    let mut other = relay.client().await;
    let _ = other.attach(&Link::new(1), DeviceRole::Phone).await;
    let floods: [(&str, Message); 4] = [
        ("WebSocket pings", Message::Ping(Bytes::from_static(b"x"))),
        ("WebSocket pongs", Message::Pong(Bytes::from_static(b"x"))),
        ("PING frames", Message::Binary(RelayFrame::Ping([7; 8]).encode())),
        ("ignored frames", Message::Binary(Bytes::from_static(&[58]))),
    ];
    for (n, (name, message)) in floods.iter().enumerate() {
        for attaches in [false, true] {
            let mut client = relay.client().await;
            if attaches {
                let _ = client.attach(&Link::new(20 + u8::try_from(n).expect("few")), DeviceRole::Web).await;
            }
            let flood = async {
                let mut sent = 0_u64;
                while client.socket.send(message.clone()).await.is_ok() {
                    sent += 1;
                }
                sent
            };
            let sent = timeout(PATIENCE, flood).await.unwrap_or_else(|_| panic!("{name} go on"));
            assert!(sent >= 60, "{name}: {sent}");
            other.send(&RelayFrame::Ping([1; 8])).await;
            assert_eq!(other.next().await, RelayFrame::Pong([1; 8]), "the other is served beside {name}");
        }
    }
    assert_eq!(relay.metric("handfast_relay_errors_total{code=\"LIMIT\"}").await, 8);
    relay.stop().await;
}

/// A socket that was refused is not verified for, however many claims it still sends.
#[tokio::test]
async fn f15_claims_behind_a_refused_one_cost_nothing() {
    let relay = start();
    let mut client = relay.client().await;
    let nonce = client.challenged().await;
    let mut claim = Link::new(1).claim(&relay.name, DeviceRole::Phone, &nonce);
    claim.mailbox = handfast_codec::ids::MailboxId::from_bytes([9; 16]);
    let frame = RelayFrame::Attach(claim).encode();
    for _ in 0..1_000 {
        if client.socket.feed(Message::Binary(frame.clone())).await.is_err() {
            break;
        }
    }
    let _ = client.socket.flush().await;
    assert_eq!(client.refused().await, (ErrorCode::BAD_ATTACH, 1008));
    assert_eq!(relay.metric("handfast_relay_errors_total{code=\"BAD_ATTACH\"}").await, 1);
    assert_eq!(
        relay.metric("handfast_relay_frames_total{what=\"received\"}").await,
        1,
        "the rest was not looked at"
    );
    relay.stop().await;
}

/// Sends frames of 1,024 bytes, and takes them.
async fn pass(phone: &mut Client, web: &mut Client, count: u64) {
    for _ in 0..count {
        phone.data(vec![7; 1_022].into()).await;
    }
    for _ in 0..count {
        assert!(matches!(web.next().await, RelayFrame::Data { .. }), "nothing is lost");
    }
}

#[tokio::test]
async fn a_network_past_its_bytes_is_slowed_down_and_not_cut_off() {
    // req: RLY-072
    // A frame of 1,024 bytes a second.
    let per_hour = std::num::NonZeroU64::new(3_600 * 1_024);
    let relay = start_with(|config| config.relay_limits.bytes_per_hour = per_hour);
    let (mut phone, mut web) = both(&relay, 1).await;
    let started = Instant::now();
    for _ in 0..36 {
        pass(&mut phone, &mut web, 100).await;
    }
    // What time has paid for meanwhile goes at once, what is more waits for its second.
    let paid = started.elapsed().as_secs() + 1;
    pass(&mut phone, &mut web, paid + 3).await;
    assert!(started.elapsed() >= Duration::from_secs(paid + 2), "a frame a second");
    relay.stop().await;
}

#[tokio::test]
async fn a_receiver_that_never_reads_is_dropped_at_the_write_deadline() {
    let relay = start_with(|config| config.server_limits.write_deadline = Duration::from_millis(300));
    let link = Link::new(1);
    let (mut phone, mut web) = (relay.client().await, relay.slow_client().await);
    let _ = phone.attach(&link, DeviceRole::Phone).await;
    let _ = web.attach(&link, DeviceRole::Web).await;
    let _ = phone.next().await;
    let flood = async {
        for _ in 0..2_000 {
            phone.data(vec![0; 16_000].into()).await;
        }
        phone.next().await
    };
    let told = timeout(PATIENCE, flood).await.expect("the sender is freed");
    assert_eq!(told, RelayFrame::Peer(Peer::Down));
    drop(web);
    relay.stop().await;
}

#[tokio::test]
async fn a_close_that_is_never_answered_frees_the_connection() {
    let relay = start_with(|config| {
        config.relay_limits.attach_timeout = Duration::from_millis(100);
        config.server_limits.close_deadline = Duration::from_millis(200);
    });
    let streams = [upgraded(&relay).await, upgraded(&relay).await];
    relay.until("handfast_relay_errors_total{code=\"ATTACH_TIMEOUT\"}", 2).await;
    relay.until("handfast_relay_connections", 1).await;
    drop(streams);
    relay.stop().await;
}

#[tokio::test]
async fn clients_that_vanish_at_any_moment_leave_nothing() {
    let relay = start();
    for round in 0..200_u32 {
        if round % 4 == 0 {
            let stream = relay.tcp().await;
            let _ = stream.set_zero_linger();
            continue;
        }
        let mut stream = upgraded(&relay).await;
        let mut some = vec![0; usize::try_from(round % 90).expect("small")];
        if round % 2 == 0 {
            let _ = stream.read(&mut some).await;
        }
        let _ = stream
            .write_all(&[0x82, 0x8a, 0, 0, 0, 0, 5][..usize::try_from(round % 7).expect("small")])
            .await;
        let _ = stream.set_zero_linger();
    }
    relay.until("handfast_relay_connections", 1).await;
    relay.until("handfast_relay_sockets", 0).await;
    let (_phone, _web) = both(&relay, 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn slow_upgrades_end_at_their_deadline_and_hold_nobody_up() {
    let relay = start_with(|config| config.server_limits.upgrade_deadline = Duration::from_millis(600));
    let mut slow = Vec::new();
    for _ in 0..50 {
        slow.push(relay.tcp().await);
    }
    let start = Instant::now();
    let head = b"GET /v1 HTTP/1.1\r\nHost: x\r\nX-Padding: aaaaaaaaaaaaaaaaaaaaaaaa";
    for byte in head {
        for stream in &mut slow {
            // From the deadline on they are gone.
            let _ = stream.write_all(&[*byte]).await;
        }
        if start.elapsed() > Duration::from_millis(300) {
            break;
        }
    }
    let mut honest = relay.client().await;
    let _ = honest.challenged().await;
    for stream in &mut slow {
        let _ = until_end(stream).await;
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    relay.stop().await;
}

#[tokio::test]
async fn an_honest_upgrade_in_tiny_pieces_gets_in() {
    let relay = start();
    let mut stream = relay.tcp().await;
    stream.set_nodelay(true).expect("TCP");
    let head = "GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                X-Long-Way: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
    for byte in head.bytes() {
        stream.write_all(&[byte]).await.expect("it listens");
        tokio::task::yield_now().await;
    }
    let mut answer = [0; 12];
    let _ = timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("it answers").expect("bytes");
    assert_eq!(&answer, b"HTTP/1.1 101");
    drop(stream);
    relay.stop().await;
}

#[tokio::test]
async fn the_caps_of_connections_and_of_addresses_hold() {
    let relay = start_with(|config| {
        config.server_limits.connections_per_address_max = 3;
        config.relay_limits.sockets_per_address_max = 2;
    });
    let (first, second) = (relay.client().await, relay.client().await);
    let mut third = relay.client().await;
    assert_eq!(third.refused().await, (ErrorCode::ADDRESS_CAP, 1013));
    let mut fourth = relay.tcp().await;
    assert!(until_end(&mut fourth).await.is_empty(), "hung up on without a word");
    drop((first, second, third));
    relay.until("handfast_relay_turned_away_total", 1).await;
    relay.stop().await;
}
