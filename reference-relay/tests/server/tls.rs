//! The relay with a certificate.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use futures_util::StreamExt;
use handfast_codec::RelayName;
use handfast_codec::relay::RelayFrame;
use reference_relay::server::{Server, ServerConfig, ServerError, TlsFiles};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async;

use crate::client::{PATIENCE, Running, start_with};

fn file(name: &str) -> PathBuf {
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
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, relay.tcp().await).await.expect("TLS");
    let (mut socket, _) = client_async("wss://relay.test/v1", stream).await.expect("an upgrade");
    let hello = timeout(PATIENCE, socket.next()).await.expect("in time").expect("open").expect("a message");
    let hello = RelayFrame::decode(hello.into_data()).expect("a frame");
    assert!(matches!(&hello, RelayFrame::Hello(hello) if hello.name.as_str() == "relay.test"), "{hello:?}");

    let name = ServerName::try_from("relay.test").expect("a name");
    let mut stream = connector.connect(name, relay.tcp().await).await.expect("TLS");
    stream.write_all(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("open");
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it hangs up");
    assert!(read.is_ok(), "{read:?}");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");

    let plain = relay.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!plain.contains("HTTP/1.1"), "nothing is served without TLS");
    drop(socket);
    relay.stop().await;
}

/// A folder of its own with a certificate, as an operator has it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("handfast-relay-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn files(&self) -> TlsFiles {
        TlsFiles { cert: self.0.join("cert.pem"), key: self.0.join("key.pem") }
    }

    fn put(&self, cert: &[u8], key: &[u8]) {
        std::fs::write(self.files().cert, cert).expect("written");
        std::fs::write(self.files().key, key).expect("written");
    }

    /// Makes a pair for this name.
    fn make(&self, subject: &str) -> (Vec<u8>, Vec<u8>) {
        let (cert, key) = (self.0.join("made.pem"), self.0.join("made.key"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "9",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&cert)
            .args(["-subj", &format!("/CN={subject}"), "-addext", &format!("subjectAltName=DNS:{subject}")])
            .output()
            .expect("openssl is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (std::fs::read(cert).expect("a certificate"), std::fs::read(key).expect("a key"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies in a folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The certificate that a connection is shown.
async fn shown(relay: &Running) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    config.dangerous().set_certificate_verifier(Arc::new(Anybody(provider)));
    let name = ServerName::try_from("relay.test").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, relay.tcp().await).await.expect("TLS");
    stream.get_ref().1.peer_certificates().expect("shown")[0].to_vec()
}

/// Looks at what it is shown, and trusts it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Asks for a look at the files, and waits for what is said of it.
async fn look(relay: &Running, says: &str) {
    relay.look.notify_one();
    let wait = async {
        while !relay.told.lock().expect("no panic").iter().any(|line| line.contains(says)) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{says}: {:?}", relay.told.lock()));
    relay.told.lock().expect("no panic").clear();
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_bad_one_is_not() {
    let folder = Folder::new("renewed");
    let (old, new, other) = (folder.make("relay.test"), folder.make("relay.test"), folder.make("other.test"));
    folder.put(&old.0, &old.1);
    let relay = start_with(|config| {
        config.name = Some(RelayName::parse("relay.test").expect("a valid name"));
        config.tls = Some(folder.files());
    });
    let first = shown(&relay).await;
    let bad: [(&str, &[u8], &[u8]); 4] = [
        ("do not belong together", &new.0, &old.1),
        ("give a readable PEM file", b"-----BEGIN CERTIFICATE-----\n!", &old.1),
        ("it holds no certificate", b"", &old.1),
        ("give a readable PEM file with a private key", &old.0, b""),
    ];
    for (says, cert, key) in bad {
        folder.put(cert, key);
        look(&relay, says).await;
        assert_eq!(shown(&relay).await, first, "the pair before stays: {says}");
    }
    std::fs::remove_file(folder.files().key).expect("removed");
    look(&relay, "with --tls-key; the certificate before stays in use").await;
    assert_eq!(shown(&relay).await, first, "the pair before stays");
    folder.put(&new.0, &new.1);
    look(&relay, "the new certificate is in use").await;
    let second = shown(&relay).await;
    assert_ne!(second, first, "renewed without a restart");
    folder.put(&other.0, &other.1);
    look(&relay, "not for relay.test").await;
    assert_ne!(shown(&relay).await, second, "used all the same");
    relay.stop().await;
}

#[tokio::test]
async fn what_clients_will_refuse_of_a_certificate_is_said_at_the_start() {
    let folder = Folder::new("odd");
    let pair = folder.make("relay.test");
    folder.put(&pair.0, &pair.1);
    for (name, says) in [
        ("relay.test", ""),
        ("relay.test:8443", ""),
        ("relay.example", "not for relay.example"),
        ("sub.relay.test", "not for sub.relay.test"),
        ("127.0.0.1:1", "not for 127.0.0.1"),
        ("[::1]:1", "not for ::1"),
    ] {
        let mut config = ServerConfig::new(([127, 0, 0, 1], 0).into());
        config.name = Some(RelayName::parse(name).expect("a valid name"));
        config.tls = Some(folder.files());
        let server = Server::bind(config).expect("it starts");
        let said = server.warnings().join(" ");
        assert!(
            if says.is_empty() { !said.contains("certificate") } else { said.contains(says) },
            "{name}: {said}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_certificates_place_is_refused_and_not_waited_for() {
    let folder = Folder::new("pipe");
    let pair = folder.make("relay.test");
    for pipe in [folder.files().cert, folder.files().key] {
        folder.put(&pair.0, &pair.1);
        std::fs::remove_file(&pipe).expect("removed");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
        let mut config = ServerConfig::new(([127, 0, 0, 1], 0).into());
        config.tls = Some(folder.files());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let refused = runtime.block_on(async { Server::bind(config).expect_err("no file") });
        assert!(refused.to_string().contains("readable PEM file"), "{refused}");
        std::fs::remove_file(&pipe).expect("removed");
    }
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
