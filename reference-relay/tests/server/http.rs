//! Everything that is not a WebSocket, and which pages may open one.

use handfast_codec::DeviceRole;
use tokio_tungstenite::tungstenite::Error as WsError;

use reference_relay::server::PageSource;

use crate::client::{Link, start, start_with};

#[tokio::test]
async fn the_plain_routes_answer() {
    let relay = start_with(|config| config.page = PageSource::Embedded);
    let health = relay.get("/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200 ") && health.ends_with("\r\n\r\nok"), "{health}");
    let page = relay.get("/").await;
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("default-src 'none'"), "{page}");
    match page.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()) {
        Some(script) => {
            let script = relay.get(script).await;
            assert!(script.starts_with("HTTP/1.1 200 ") && script.contains("immutable"), "{script}");
        }
        None => assert!(page.contains("cargo xtask wasm"), "{page}"),
    }
    for path in [
        "/nowhere",
        "/index.htm",
        "/../etc/passwd",
        "/%2e%2e/etc/passwd",
        "//",
        "/metrics",
        "/metrics/",
        "/v1/x",
        "/assets/",
        "/assets/x/main.js",
    ] {
        let answer = relay.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    let no_upgrade = relay.get("/v1").await;
    assert!(
        no_upgrade.starts_with("HTTP/1.1 400 ") || no_upgrade.starts_with("HTTP/1.1 426 "),
        "{no_upgrade}"
    );
    relay.stop().await;
}

#[tokio::test]
async fn what_follows_an_odd_head_is_no_second_request() {
    let relay = start();
    let hidden = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let len = hidden.len();
    for head in [
        format!("Content-Length: {len}\r\nTransfer-Encoding: chunked\r\n"),
        format!("Content-Length: {len}\r\nContent-Length: 0\r\n"),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".to_owned(),
        format!("{upgrade}Content-Length: {len}\r\n"),
        format!("{upgrade}Transfer-Encoding: chunked\r\n"),
    ] {
        for body in
            [hidden.to_owned(), format!("ffffffffffffffff1\r\n{hidden}"), format!("0\r\n\r\n{hidden}")]
        {
            let answer =
                relay.raw(format!("GET /v1 HTTP/1.1\r\nHost: x\r\n{head}\r\n{body}").as_bytes()).await;
            assert!(!answer.ends_with("\r\n\r\nok"), "{head}: {answer}");
            assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{head}: {answer}");
        }
    }
    let answer = relay.get("/healthz").await;
    assert!(answer.ends_with("ok"), "it goes on: {answer}");
    relay.stop().await;
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let relay = start();
    let mut client = relay.client().await;
    let _ = client.attach(&Link::new(1), DeviceRole::Phone).await;
    for (name, expected) in [
        ("handfast_relay_sockets", 1),
        ("handfast_relay_mailboxes{kind=\"link\"}", 1),
        ("handfast_relay_mailboxes{kind=\"pairing\"}", 0),
        ("handfast_relay_attached_total", 1),
        ("handfast_relay_frames_total{what=\"received\"}", 1),
    ] {
        assert_eq!(relay.metric(name).await, expected, "{name}");
    }
    assert!(relay.metric("handfast_relay_memory_bytes").await > 100_000);
    assert!(relay.metric("handfast_relay_tasks").await >= 1, "one connection at least");
    assert_eq!(relay.metric("handfast_relay_queued_bytes").await, 0);
    let text = relay.metrics().await;
    assert!(text.contains("# TYPE handfast_relay_errors_total counter"), "{text}");
    assert!(!text.contains("127.0.0.1"), "no address is told");
    relay.stop().await;
}

#[tokio::test]
async fn f11_the_metrics_are_told_at_their_own_address_and_nothing_else_is() {
    let relay = start();
    for path in ["/metrics", "/metrics?x", "/%6detrics", "/metrics/"] {
        let answer = relay.get(path).await;
        assert!(
            answer.starts_with("HTTP/1.1 404 ") && !answer.contains("handfast_relay_"),
            "{path}: {answer}"
        );
    }
    assert!(relay.metrics().await.contains("handfast_relay_sockets 0"));
    for path in ["/", "/v1", "/healthz"] {
        let answer = relay.get_metrics_address(path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    relay.stop().await;
    let silent = start_with(|config| config.metrics = None);
    assert!(silent.get("/metrics").await.starts_with("HTTP/1.1 404 "));
    silent.stop().await;
}

#[tokio::test]
async fn f16_every_answer_forbids_guessing_its_type() {
    let relay = start();
    for path in ["/", "/healthz", "/nowhere", "/v1", "/assets/x/y.js"] {
        let answer = relay.get(path).await;
        assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{path}: {answer}");
        assert!(!answer.contains("strict-transport-security"), "without TLS it would be a lie: {answer}");
    }
    assert!(relay.metrics().await.contains("x-content-type-options: nosniff\r\n"));
    relay.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    // req: RLY-025
    let relay = start_with(|config| config.allow_origins = vec!["https://app.example".to_owned()]);
    let client = relay.client_on(relay.tcp().await, Some("https://app.example")).await;
    assert!(client.is_ok());
    drop(client);
    let own = format!("http://{}", relay.address);
    let refused = relay.client_on(relay.tcp().await, Some(&own)).await;
    assert!(matches!(refused, Err(WsError::Http(response)) if response.status() == 403), "it serves no page");
    for origin in ["null", "https://evil.example", "https://app.example.evil.example", "http://app.example"] {
        match relay.client_on(relay.tcp().await, Some(origin)).await {
            Err(WsError::Http(response)) => assert_eq!(response.status(), 403, "{origin}"),
            other => panic!("{origin}: {:?}", other.err()),
        }
    }
    relay.until("handfast_relay_refused_origins_total", 5).await;
    relay.stop().await;
}

#[tokio::test]
async fn f2_a_relay_serves_a_page_when_it_is_told_to_and_then_alone_lets_its_origin_in() {
    // req: RLY-025
    let folder = std::env::temp_dir().join(format!("handfast-relay-serves-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let index = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">";
    std::fs::write(folder.join("index.html"), index).expect("written");
    std::fs::write(folder.join("handfast.json"), "{\"relay\": \"relay.example\"}").expect("written");
    let relay = start_with(|config| config.page = PageSource::Folder(folder.clone()));
    assert!(relay.get("/").await.ends_with(index));
    assert!(relay.get("/handfast.json").await.ends_with("{\"relay\": \"relay.example\"}"));
    let own = format!("http://{}", relay.address);
    assert!(relay.client_on(relay.tcp().await, Some(&own)).await.is_ok());
    relay.stop().await;
    std::fs::remove_dir_all(&folder).expect("removed");
    let relay = start();
    let page = relay.get("/").await;
    assert!(page.contains("It serves no page") && page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(relay.get("/handfast.json").await.starts_with("HTTP/1.1 404 "));
    assert!(
        relay
            .raw(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 405 ")
    );
    relay.stop().await;
}

#[tokio::test]
async fn the_origin_of_a_page_is_told_to_the_phone() {
    // req: RLY-033
    let relay = start_with(|config| config.allow_origins = vec!["https://app.example".to_owned()]);
    let link = Link::new(1);
    let mut page = relay.client_on(relay.tcp().await, Some("https://app.example")).await.expect("allowed");
    let _ = page.attach(&link, DeviceRole::Web).await;
    let mut phone = relay.client().await;
    let peer = phone.attach(&link, DeviceRole::Phone).await.peer.expect("the page is there");
    assert_eq!(peer.origin.as_deref(), Some("https://app.example"));
    assert_eq!(peer.same_net, Some(true));
    relay.stop().await;
}

#[tokio::test]
async fn two_origins_are_malformed() {
    let relay = start();
    let answer = relay
        .raw(
            b"GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://a.example\r\nOrigin: https://b.example\r\n\
              Connection: close\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    relay.stop().await;
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let relay = start();
    let mut long = b"GET / HTTP/1.1\r\nHost: x\r\nX: ".to_vec();
    long.resize(1_000_000, b'a');
    let answer = relay.raw(&long).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(1_000));
    let answer = relay.raw(many.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let smuggled = b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
                     ffffffffffffffffff\r\n";
    let answer = relay.raw(smuggled).await;
    assert!(answer.matches("HTTP/1.1").count() <= 1, "{answer}");
    relay.stop().await;
}
