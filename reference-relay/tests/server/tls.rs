//! The relay with a certificate.

use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt;
use handfast_codec::RelayName;
use handfast_codec::relay::RelayFrame;
use reference_relay::server::{Server, ServerConfig, ServerError, TlsFiles};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async;

use crate::client::{PATIENCE, start_with};

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

#[tokio::test]
async fn it_speaks_wss_with_a_certificate() {
    let relay = start_with(|config| {
        config.name = Some(RelayName::parse("relay.test").expect("a valid name"));
        config.tls = Some(TlsFiles { cert: file("relay.test.pem"), key: file("relay.test.key") });
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("root.pem")).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("relay.test").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, relay.tcp().await).await.expect("TLS");
    let (mut socket, _) = client_async("wss://relay.test/v1", stream).await.expect("an upgrade");
    let hello = timeout(PATIENCE, socket.next()).await.expect("in time").expect("open").expect("a message");
    let hello = RelayFrame::decode(hello.into_data()).expect("a frame");
    assert!(matches!(&hello, RelayFrame::Hello(hello) if hello.name.as_str() == "relay.test"), "{hello:?}");

    let plain = relay.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!plain.contains("HTTP/1.1"), "nothing is served without TLS");
    drop(socket);
    relay.stop().await;
}

#[tokio::test]
async fn files_that_are_no_certificate_say_which() {
    for (cert, key, wrong) in [
        ("nothing.pem", "relay.test.key", "nothing.pem"),
        ("README.md", "relay.test.key", "README.md"),
        ("relay.test.pem", "nothing.key", "nothing.key"),
        ("relay.test.pem", "root.pem", "root.pem"),
        ("root.pem", "relay.test.key", "root.pem"),
    ] {
        let mut config = ServerConfig::new(([127, 0, 0, 1], 0).into());
        config.tls = Some(TlsFiles { cert: file(cert), key: file(key) });
        let error = Server::bind(config).expect_err("unusable");
        assert!(matches!(&error, ServerError::Tls { file, .. } if file.ends_with(wrong)), "{error}");
        assert!(!error.to_string().contains('\n'));
    }
}
