//! The relay on a network: HTTP and WebSockets around [`crate::core::Relay`].
//!
//! The core lives under one mutex that is never held over an await: every input locks it, is handled, and its outputs
//! are moved into the queues of the connections they belong to. The core bounds those queues; each connection has one
//! task, whose reading waits while its peer's queue is half full.

mod connection;
mod connections;
mod limits;
mod listener;
mod metrics;
mod origin;
mod page;
mod routes;
mod shared;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use handfast_codec::RelayName;
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

use crate::core::Limits;
pub use limits::ServerLimits;
use origin::OriginPolicy;
use shared::Shared;

/// How a relay is run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The relay's own name; the address it listens on if there is none.
    pub name: Option<RelayName>,
    /// A certificate chain and its key: then it speaks `wss`.
    pub tls: Option<TlsFiles>,
    /// Origins, besides its own, whose pages may connect.
    pub allow_origins: Vec<String>,
    /// The limits of the relay's core.
    pub relay_limits: Limits,
    /// The limits of the server around it.
    pub server_limits: ServerLimits,
}

impl ServerConfig {
    /// A relay on this address, with all else as it comes.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            name: None,
            tls: None,
            allow_origins: Vec::new(),
            relay_limits: Limits::default(),
            server_limits: ServerLimits::default(),
        }
    }
}

/// Two PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of files")]
pub struct TlsFiles {
    /// The certificate, and what leads to its root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a relay could not start. The message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The port is taken.
    #[error("{0} is in use: stop the program that listens there, or choose another port with --listen")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {0} ({1}): choose an address of this machine with --listen")]
    Listen(SocketAddr, io::ErrorKind),
    /// A PEM file could not be used.
    #[error("cannot use {}: {what}", .file.display())]
    Tls {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what to do.
        what: &'static str,
    },
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes: the relay does not run without")]
    NoRandomness,
    /// The address listened on is no relay name.
    #[error("{0} is not a relay name: give one with --name")]
    Name(SocketAddr),
}

/// A relay that listens, and serves once it is [run](Server::run).
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    limits: ServerLimits,
}

impl Server {
    /// Listens on the configured address. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ServerError`] when the relay cannot start.
    pub fn bind(config: ServerConfig) -> Result<Self, ServerError> {
        let tls = config.tls.as_ref().map(acceptor).transpose()?;
        let listener = listen(config.listen, &config.server_limits)?;
        let address =
            listener.local_addr().map_err(|error| ServerError::Listen(config.listen, error.kind()))?;
        let name = match config.name {
            Some(name) => name,
            None => RelayName::parse(&address.to_string()).map_err(|_| ServerError::Name(address))?,
        };
        let origins = OriginPolicy::new(&name, config.allow_origins);
        let shared = Shared::new(name, config.relay_limits, config.server_limits.clone(), origins)?;
        Ok(Self { listener, address, tls, shared: Arc::new(shared), limits: config.server_limits })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name it says to clients.
    #[must_use]
    pub fn name(&self) -> &RelayName {
        self.shared.name()
    }

    /// What a client opens: `ws://..` or `wss://..`, without the path.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `stop` is done, then tells every client, and waits for them a short while.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let timer = tokio::spawn(Arc::clone(&self.shared).keep_time());
        tokio::select! {
            never = listener::accept(&self.listener, self.tls.as_ref(), &self.shared, &self.limits) => match never {},
            () = stop => {}
        }
        drop(self.listener);
        self.shared.shutdown();
        // Who does not leave in time is cut off when the process ends.
        let _ =
            tokio::time::timeout(self.limits.shutdown_deadline, self.shared.connections().none_left()).await;
        timer.abort();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

fn listen(address: SocketAddr, limits: &ServerLimits) -> Result<TcpListener, ServerError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => ServerError::AddressInUse(address),
        kind => ServerError::Listen(address, kind),
    };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    // A relay that was killed may take its port again at once.
    socket.set_reuseaddr(true).map_err(failed)?;
    // Inherited by every connection: what waits should wait in the relay's own bounded queue.
    socket.set_send_buffer_size(limits.send_buffer_len).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    socket.listen(limits.backlog).map_err(failed)
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServerError> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let bad = |file: &Path, what| ServerError::Tls { file: file.to_owned(), what };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(|_| bad(&files.cert, "give a readable PEM file with --tls-cert"))?;
    if chain.is_empty() {
        return Err(bad(&files.cert, "it holds no certificate: give a PEM file with --tls-cert"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|_| bad(&files.key, "give a readable PEM file with a private key with --tls-key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| bad(&files.cert, "this build offers no TLS"))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|_| {
            bad(&files.cert, "certificate and key do not belong together, or are of an unknown kind")
        })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// How long the whole of a stop may take, for those who wait for it.
pub const STOP_MAX: Duration = Duration::from_secs(5);
