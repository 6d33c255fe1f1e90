//! A relay behind a proxy: whose word counts, and for what.

use handfast_codec::relay::RelayFrame;
use handfast_codec::{DeviceRole, ErrorCode};
use reference_relay::server::ServerConfig;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::client::{Client, Link, Running, start_with};

/// A client as a proxy on this machine passes it on.
async fn forwarded(relay: &Running, header: Option<&str>) -> Client {
    let mut request = format!("ws://{}/v1", relay.address).into_client_request().expect("a URL");
    if let Some(value) = header {
        let _ =
            request.headers_mut().insert("X-Forwarded-For", HeaderValue::from_str(value).expect("a header"));
    }
    let (socket, _) = client_async(request, relay.tcp().await).await.expect("an upgrade");
    Client::new(socket, relay.name.clone())
}

fn trusting(config: &mut ServerConfig) {
    config.proxies.trusted = vec!["127.0.0.0/8".parse().expect("a block")];
}

/// What the relay says of the network of a phone and a page, each with its header.
async fn said(relay: &Running, seed: u8, phone: Option<&str>, web: Option<&str>) -> Option<bool> {
    let link = Link::new(seed);
    let mut phone = forwarded(relay, phone).await;
    let _ = phone.attach(&link, DeviceRole::Phone).await;
    let mut web = forwarded(relay, web).await;
    web.attach(&link, DeviceRole::Web).await.peer.expect("the phone is there").same_net
}

#[tokio::test]
async fn the_real_addresses_are_compared_or_nothing_is_said() {
    // req: RLY-066, RLY-067, RLY-068
    let relay = start_with(trusting);
    let cases = [
        (Some("192.0.2.1"), Some("192.0.2.1"), Some(true)),
        (Some("192.0.2.1"), Some("192.0.2.2"), Some(false)),
        (Some("192.0.2.1, 192.0.2.9"), Some("192.0.2.9"), Some(true)),
        (Some("192.0.2.9, 192.0.2.1"), Some("192.0.2.9"), Some(false)),
        (Some("2001:db8::1"), Some("2001:db8::2"), Some(true)),
        (Some("192.0.2.1, 127.0.0.2"), Some("192.0.2.1"), Some(true)),
        (None, Some("192.0.2.1"), None),
        (None, None, None),
        (Some("unknown"), Some("192.0.2.1"), None),
        (Some("127.0.0.1"), Some("127.0.0.1"), None),
    ];
    for (seed, (phone, web, expected)) in (1..).zip(cases) {
        assert_eq!(said(&relay, seed, phone, web).await, expected, "{phone:?} {web:?}");
    }
    relay.stop().await;
}

#[tokio::test]
async fn without_the_option_a_header_is_worth_nothing() {
    // req: RLY-067
    let relay = start_with(|config| {
        config.proxies.trusted = vec!["192.0.2.0/24".parse().expect("a block")];
        config.relay_limits.sockets_per_address_max = 2;
    });
    assert_eq!(said(&relay, 1, Some("192.0.2.1"), Some("198.51.100.1")).await, Some(true));
    let _held = (forwarded(&relay, None).await, forwarded(&relay, Some("192.0.2.7")).await);
    let mut third = forwarded(&relay, Some("192.0.2.8")).await;
    assert_eq!(third.refused().await, (ErrorCode::ADDRESS_CAP, 1013), "they are one address");
    relay.stop().await;
}

#[tokio::test]
async fn behind_a_proxy_each_real_address_has_its_cap() {
    // req: RLY-021, RLY-067, RLY-068
    let relay = start_with(|config| {
        trusting(config);
        config.relay_limits.sockets_per_address_max = 2;
        config.server_limits.connections_per_address_max = 4;
    });
    let mut held = Vec::new();
    for address in ["192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1", "2001:db8:0:1::1"] {
        for spoofed in ["", "192.0.2.77, "] {
            let mut client = forwarded(&relay, Some(&format!("{spoofed}{address}"))).await;
            let _ = client.challenged().await;
            held.push(client);
        }
        let mut third = forwarded(&relay, Some(address)).await;
        assert_eq!(third.refused().await, (ErrorCode::ADDRESS_CAP, 1013), "{address}");
    }
    for _ in 0..2 {
        let mut unknown = forwarded(&relay, None).await;
        assert!(matches!(unknown.next().await, RelayFrame::Hello(_)));
        held.push(unknown);
    }
    let mut unknown = forwarded(&relay, Some("unknown")).await;
    assert_eq!(
        unknown.refused().await.0,
        ErrorCode::ADDRESS_CAP,
        "who has no address shares the proxy's cap"
    );
    relay.stop().await;
}
