//! Real TLS handshakes, with certificates that are wrong in each way.

use std::net::SocketAddr;
use std::sync::Arc;

use handfast_codec::RelayName;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::driver::SocketError;
use crate::driver::connect::{Connector, RelayStream};

const ROOT: &[u8] = include_bytes!("../../../tests/data/root.pem");
const OWN_ROOT: &[u8] = include_bytes!("../../../tests/data/root.own.pem");
const PUBLIC_STYLE: &[u8] = include_bytes!("../../../tests/data/relay.test.pem");
const OWN: &[u8] = include_bytes!("../../../tests/data/relay.test.own.pem");
const EXPIRED: &[u8] = include_bytes!("../../../tests/data/relay.test.expired.pem");
const FUTURE: &[u8] = include_bytes!("../../../tests/data/relay.test.future.pem");
const SELF_SIGNED: &[u8] = include_bytes!("../../../tests/data/relay.test.selfsigned.pem");
const KEY: &[u8] = include_bytes!("../../../tests/data/relay.test.key");

/// Starts a TLS server with a certificate for `relay.test`, which ignores what clients send.
async fn tls_server(chain: &[u8]) -> SocketAddr {
    let chain = CertificateDer::pem_slice_iter(chain).map(|cert| cert.expect("a certificate")).collect();
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(acceptor.accept(stream).await);
        }
    }));
    address
}

fn trusting(pem: &[u8]) -> Connector {
    Connector::with_more_roots(pem).expect("roots")
}

async fn seal(connector: &Connector, name: &str, address: SocketAddr) -> Result<(), SocketError> {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let name = RelayName::parse(name).expect("a valid name");
    connector.seal(&name, stream).await.map(|stream| assert!(matches!(stream, RelayStream::Tls(_))))
}

#[tokio::test]
async fn each_failure_of_a_certificate_is_named() {
    let public = Connector::new().expect("TLS");
    for (chain, connector, name, expected) in [
        (PUBLIC_STYLE, &trusting(ROOT), "relay.test", None),
        (PUBLIC_STYLE, &trusting(ROOT), "relay.test:8443", None),
        (PUBLIC_STYLE, &trusting(ROOT), "other.test", Some(TlsFailure::WrongName)),
        (PUBLIC_STYLE, &trusting(ROOT), "127.0.0.1", Some(TlsFailure::WrongName)),
        (PUBLIC_STYLE, &public, "relay.test", Some(TlsFailure::UnknownIssuer)),
        (OWN, &trusting(OWN_ROOT), "relay.test", None),
        (OWN, &trusting(&[ROOT, OWN_ROOT].concat()), "relay.test", None),
        (OWN, &trusting(ROOT), "relay.test", Some(TlsFailure::UnknownIssuer)),
        (EXPIRED, &trusting(OWN_ROOT), "relay.test", Some(TlsFailure::Expired)),
        (FUTURE, &trusting(OWN_ROOT), "relay.test", Some(TlsFailure::NotYetValid)),
        (SELF_SIGNED, &public, "relay.test", Some(TlsFailure::Certificate)),
        (SELF_SIGNED, &trusting(SELF_SIGNED), "relay.test", Some(TlsFailure::Certificate)),
    ] {
        let address = tls_server(chain).await;
        let sealed = seal(connector, name, address).await;
        assert_eq!(sealed.err(), expected.map(SocketError::Tls), "{name}");
    }
}

#[tokio::test]
async fn what_speaks_no_tls_is_told_from_a_bad_certificate() {
    for (answer, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], TlsFailure::NoTls),
        (b"SSH-2.0-OpenSSH_9.9\r\n", TlsFailure::NoTls),
        (b"", TlsFailure::HungUp),
        // A fatal alert: handshake_failure.
        (b"\x15\x03\x03\x00\x02\x02\x28", TlsFailure::Refused),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut hello = [0; 4_096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut hello).await.expect("a hello");
            stream.write_all(answer).await.expect("written");
        });
        let sealed = seal(&trusting(ROOT), "relay.test", address).await;
        assert_eq!(sealed.err(), Some(SocketError::Tls(expected)), "{answer:?}");
        server.await.expect("it ends");
    }
}

#[test]
fn a_file_of_authorities_must_hold_some() {
    let damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (pem, expected) in [
        (&b""[..], CertificatesError::None),
        (b"hello", CertificatesError::None),
        (KEY, CertificatesError::None),
        (&damaged[..], CertificatesError::Unusable),
        (&[OWN_ROOT, damaged].concat(), CertificatesError::Unusable),
    ] {
        assert_eq!(Connector::with_more_roots(pem).err(), Some(expected));
    }
    for failure in [TlsFailure::UnknownIssuer, TlsFailure::NoTls, TlsFailure::WrongName] {
        let shown = SocketError::Tls(failure).to_string();
        assert!(shown.starts_with("no secure connection to the relay: "), "{shown}");
    }
}
