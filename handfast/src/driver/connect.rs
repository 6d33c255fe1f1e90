//! From a relay's name to an open stream: name look-up, TCP, TLS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io};

use handfast_codec::RelayName;
use handfast_codec::limits::RETRY_AFTER_MAX;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::{self, CertificatesError, TlsFailure};
use super::{CONNECT_DEADLINE, SocketError};

/// The size of the kernel's send buffer, in bytes. It is small, so that a text does not wait behind parts of
/// a video that this process has already written.
const SEND_BUFFER_LEN: u32 = 64 * 1024;
/// The longest time to try one address, if there are several.
const ADDRESS_DEADLINE: Duration = Duration::from_secs(4);

/// Opens connections to relays: `ws` to loopback names, `wss` to all others. The relay's certificate must
/// lead to one of the connector's root certificates.
#[derive(Clone)]
pub struct Connector {
    tls: Arc<ClientConfig>,
    deadline: Duration,
    /// The relays that asked clients to stay away, each with the time until which it asked for that.
    held: Arc<Mutex<BTreeMap<RelayName, Instant>>>,
}

impl Connector {
    /// Creates a connector that trusts the public certificate authorities of Mozilla's list.
    ///
    /// # Errors
    /// [`SocketError::Tls`] when the crypto provider offers no usable version of TLS.
    pub fn new() -> Result<Self, SocketError> {
        Self::with_roots(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    /// Creates a connector that trusts Mozilla's list and also the authorities in a PEM file, such as a
    /// home's or company's own.
    ///
    /// # Errors
    /// [`CertificatesError`] when the file has no certificate, or one that cannot be used.
    pub fn with_more_roots(pem: &[u8]) -> Result<Self, CertificatesError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        tls::add_roots(&mut roots, pem)?;
        Self::with_roots(roots).map_err(|_| CertificatesError::Unusable)
    }

    /// Creates a connector that trusts only these certificate authorities.
    ///
    /// # Errors
    /// [`SocketError::Tls`] when the crypto provider offers no usable version of TLS.
    pub fn with_roots(roots: RootCertStore) -> Result<Self, SocketError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| SocketError::Tls(TlsFailure::Other))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(tls), deadline: CONNECT_DEADLINE, held: Arc::default() })
    }

    /// Replaces the deadline for opening a socket, which is [`CONNECT_DEADLINE`] otherwise.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub(super) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Notes that the relay asked clients to stay away for `seconds`, of which 300 s at most are observed.
    pub(super) fn hold(&self, relay: &RelayName, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds.min(RETRY_AFTER_MAX));
        let _ = self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(relay.clone(), until);
    }

    /// Waits until the relay accepts connections again.
    pub(super) async fn until_allowed(&self, relay: &RelayName) {
        let until = self.held.lock().unwrap_or_else(PoisonError::into_inner).get(relay).copied();
        // req: TIM-022
        if let Some(until) = until.filter(|until| *until > Instant::now()) {
            sleep_until(until).await;
        }
    }

    /// Opens a stream to the relay. The caller must enforce the deadline.
    pub(super) async fn open(&self, relay: &RelayName) -> Result<RelayStream, SocketError> {
        let plain = relay.is_loopback();
        let stream = open_tcp(relay, plain).await?;
        if plain {
            return Ok(RelayStream::Plain(stream));
        }
        self.seal(relay, stream).await
    }

    pub(super) async fn seal(
        &self,
        relay: &RelayName,
        stream: TcpStream,
    ) -> Result<RelayStream, SocketError> {
        let name = ServerName::try_from(bare_host(relay).to_owned()).map_err(|_| SocketError::Resolve)?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
        tls.map(|stream| RelayStream::Tls(Box::new(stream)))
            .map_err(|error| SocketError::Tls(TlsFailure::from(&error)))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

/// Returns the relay's host, without the brackets of an IPv6 address.
fn bare_host(relay: &RelayName) -> &str {
    relay.host().trim_start_matches('[').trim_end_matches(']')
}

async fn open_tcp(relay: &RelayName, plain: bool) -> Result<TcpStream, SocketError> {
    let port = relay.port().unwrap_or(if plain { 80 } else { 443 });
    let mut failure = SocketError::Resolve;
    for address in lookup_host((bare_host(relay), port)).await.map_err(|_| SocketError::Resolve)? {
        // Without TLS, nothing may leave this machine, whatever address `localhost` resolves to.
        if plain && !address.ip().is_loopback() {
            continue;
        }
        match timeout(ADDRESS_DEADLINE, open_address(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = SocketError::Connect(error.into()),
            Err(_) => failure = SocketError::Connect(io::ErrorKind::TimedOut.into()),
        }
    }
    Err(failure)
}

async fn open_address(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_send_buffer_size(SEND_BUFFER_LEN)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A stream to a relay, plain or over TLS.
#[derive(Debug)]
pub(super) enum RelayStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for RelayStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for RelayStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_relay_may_ask_for_300_seconds_at_most() {
        // req: TIM-022
        let (connector, name) =
            (Connector::new().expect("TLS"), RelayName::parse("relay.test").expect("a name"));
        for (asked, held) in [(1, 1), (300, 300), (301, 300), (u64::MAX, 300)] {
            connector.hold(&name, asked);
            let until = *connector.held.lock().expect("no panic").get(&name).expect("held");
            let left = until.saturating_duration_since(Instant::now());
            let held = Duration::from_secs(held);
            assert!(left <= held && left + Duration::from_secs(1) > held, "{asked}: {left:?}");
        }
        let other = RelayName::parse("other.test").expect("a name");
        timeout(Duration::from_secs(5), connector.until_allowed(&other)).await.expect("others are not held");
    }
}
