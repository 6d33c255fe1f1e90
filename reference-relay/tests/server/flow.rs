//! What two honest clients see.

use std::time::Duration;

use bytes::Bytes;
use handfast_codec::relay::{DataKind, Peer, RelayFrame};
use handfast_codec::{DeviceRole, ErrorCode};
use tokio::time::{Instant, timeout};

use crate::client::{Link, PATIENCE, both, start, start_with};

#[tokio::test]
async fn two_seats_exchange_frames_unchanged() {
    let relay = start();
    let (mut phone, mut web) = both(&relay, 1).await;
    for len in [0, 1, 1_000, 16_510] {
        let body = Bytes::from(vec![0xab; len]);
        phone.data(body.clone()).await;
        assert_eq!(web.next().await, RelayFrame::Data { kind: DataKind::RECORD, body: body.clone() });
        web.data(body.clone()).await;
        assert_eq!(phone.next().await, RelayFrame::Data { kind: DataKind::RECORD, body });
    }
    drop(web);
    assert_eq!(phone.next().await, RelayFrame::Peer(Peer::Down));
    relay.stop().await;
}

#[tokio::test]
async fn a_second_attach_replaces_the_first() {
    let relay = start();
    let link = Link::new(1);
    let (mut first, mut second) = (relay.client().await, relay.client().await);
    let _ = first.attach(&link, DeviceRole::Web).await;
    let _ = second.attach(&link, DeviceRole::Web).await;
    assert_eq!(first.next().await, RelayFrame::Error { code: ErrorCode::REPLACED, retry_ms: 0 });
    let RelayFrame::Ping(token) = first.next().await else { panic!("no PING") };
    first.send(&RelayFrame::Pong(token)).await;
    assert_eq!(first.closed().await, 1000);
    relay.until("handfast_relay_sockets", 1).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_fast_sender_waits_for_a_slow_receiver_and_nothing_is_lost() {
    const FRAMES: u32 = 600;
    let relay = start();
    let link = Link::new(1);
    let mut phone = relay.client().await;
    let mut web = relay.slow_client().await;
    let _ = phone.attach(&link, DeviceRole::Phone).await;
    let _ = web.attach(&link, DeviceRole::Web).await;
    let _ = phone.next().await;
    let sender = tokio::spawn(async move {
        for n in 0..FRAMES {
            let mut body = vec![0; 16_000];
            body[..4].copy_from_slice(&n.to_be_bytes());
            phone.data(body.into()).await;
        }
        phone
    });
    // Nobody reads until the sender is stopped by the relay: it is not done, and the relay stands still.
    let mut before = 0;
    timeout(PATIENCE, async {
        loop {
            let forwarded = relay.metric("handfast_relay_frames_total{what=\"forwarded\"}").await;
            if forwarded == before && forwarded > 8 {
                break;
            }
            before = forwarded;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("the relay stops reading");
    assert!(!sender.is_finished(), "the sender waits");
    for n in 0..FRAMES {
        let RelayFrame::Data { body, .. } = web.next().await else { panic!("frame {n}") };
        assert_eq!(body[..4], n.to_be_bytes());
    }
    let _phone = timeout(PATIENCE, sender).await.expect("the sender goes on").expect("no panic");
    assert_eq!(relay.metric("handfast_relay_sockets").await, 2);
    relay.stop().await;
}

#[tokio::test]
async fn pings_go_out_and_silent_sockets_are_closed() {
    let relay = start_with(|config| {
        config.relay_limits.attach_timeout = Duration::from_millis(200);
        config.relay_limits.ping_interval = Duration::from_millis(100);
        config.relay_limits.idle_timeout = Duration::from_millis(400);
    });
    let mut never_attached = relay.client().await;
    let _ = never_attached.challenged().await;
    assert_eq!(never_attached.refused().await, (ErrorCode::ATTACH_TIMEOUT, 1000));

    let mut silent = relay.client().await;
    let _ = silent.attach(&Link::new(1), DeviceRole::Phone).await;
    let start = Instant::now();
    let mut pings = 0;
    let code = loop {
        match silent.next().await {
            RelayFrame::Ping(_) => pings += 1,
            RelayFrame::Error { code, .. } => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((code, silent.closed().await), (ErrorCode::IDLE, 1000));
    assert!(pings >= 2 && start.elapsed() >= Duration::from_millis(350), "{pings} {:?}", start.elapsed());
    relay.stop().await;
}

#[tokio::test]
async fn a_stop_tells_every_client_why() {
    let relay = start_with(|config| config.server_limits.shutdown_deadline = PATIENCE);
    let (mut phone, mut web) = both(&relay, 1).await;
    let start = Instant::now();
    let stopping = tokio::spawn(relay.stop());
    assert_eq!(phone.refused().await, (ErrorCode::SHUTDOWN, 1001));
    assert_eq!(web.refused().await, (ErrorCode::SHUTDOWN, 1001));
    // Reading on answers the close.
    assert!(phone.next_message().await.is_none() && web.next_message().await.is_none());
    stopping.await.expect("no panic");
    assert!(start.elapsed() < Duration::from_secs(3), "nobody is waited for who has left");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_who_does_not_leave() {
    let relay = start_with(|config| config.server_limits.shutdown_deadline = Duration::from_millis(300));
    let (_phone, _web) = both(&relay, 1).await;
    let start = Instant::now();
    relay.stop().await;
    assert!(start.elapsed() < Duration::from_secs(2));
}
