//! The relay as a server: HTTP and WebSockets around [`crate::core::Relay`].
//!
//! The core is under one mutex that is never held across an await: for every input the mutex is locked, the
//! input is handled, and the core's outputs are moved to the queues of their connections. The core limits
//! those queues. Each connection has one task. The task stops reading while the queue of the connection's
//! peer is half full.

mod connection;
mod connections;
mod descriptors;
mod limits;
mod listener;
mod metrics;
mod origin;
mod page;
mod proxy;
mod routes;
mod shared;
mod tls;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use handfast_codec::RelayName;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;

use crate::core::Limits;
pub use limits::ServerLimits;
pub use page::PageSource;
pub use proxy::{Cidr, CidrError, Proxies, ProxyHeader};
use shared::Shared;
use tls::{Certificates, Look};

/// The configuration of a relay.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The address to listen on; port 0 selects any free one.
    pub listen: SocketAddr,
    /// The relay's name; `None` for the address on which it listens.
    pub name: Option<RelayName>,
    /// The files of a certificate; with them the relay speaks `wss`.
    pub tls: Option<TlsFiles>,
    /// The origins whose pages may connect, besides the relay's own origin.
    pub allow_origins: Vec<String>,
    /// The page to serve at `/`.
    pub page: PageSource,
    /// The proxies whose headers may name a client's address.
    pub proxies: Proxies,
    /// The address at which the metrics are served, over plain HTTP; `None` if they are not served.
    pub metrics: Option<SocketAddr>,
    /// The limits of the relay's core.
    pub relay_limits: Limits,
    /// The limits of the HTTP server around the relay.
    pub server_limits: ServerLimits,
}

impl ServerConfig {
    /// Returns the default configuration of a relay on this address.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            name: None,
            tls: None,
            allow_origins: Vec::new(),
            page: PageSource::None,
            proxies: Proxies::default(),
            metrics: None,
            relay_limits: Limits::default(),
            server_limits: ServerLimits::default(),
        }
    }
}

/// The files of a certificate, in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of files")]
pub struct TlsFiles {
    /// The file of the certificate and its chain.
    pub cert: PathBuf,
    /// The file of the certificate's private key.
    pub key: PathBuf,
}

/// The reason why a relay could not start. The message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Another program listens on this address.
    #[error("{0} is in use: stop the program that listens there, or choose another port with --listen")]
    AddressInUse(SocketAddr),
    /// The relay cannot listen on this address.
    #[error("cannot listen on {0} ({1}): choose an address of this machine with --listen")]
    Listen(SocketAddr, io::ErrorKind),
    /// A PEM file could not be used.
    #[error("cannot use {}: {what}", .file.display())]
    Tls {
        /// The path of the file.
        file: PathBuf,
        /// The fault and its remedy, in words.
        what: &'static str,
    },
    /// The folder is not that of a page.
    #[error("cannot serve the page in {} ({what}): make it with cargo xtask page", .folder.display())]
    Page {
        /// The path of the folder.
        folder: PathBuf,
        /// The fault of the folder, in words.
        what: &'static str,
    },
    /// The operating system provides no random bytes.
    #[error("the operating system gives no random bytes: the relay does not run without")]
    NoRandomness,
    /// The address on which the relay listens is not a valid relay name.
    #[error("{0} is not a relay name: give one with --name")]
    Name(SocketAddr),
    /// The relay's name is one that nobody can connect to.
    #[error(
        "nobody can dial {0}: give the name by which phones and pages reach this relay with --name HOST[:PORT]"
    )]
    Undialable(String),
}

/// A relay that listens. It serves clients once [`run`](Server::run) is called.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    metrics: Option<(TcpListener, SocketAddr)>,
    tls: Option<Arc<Certificates>>,
    warnings: Vec<String>,
    shared: Arc<Shared>,
    limits: ServerLimits,
}

impl Server {
    /// Starts to listen on the configured address. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ServerError`] when the relay cannot start.
    pub fn bind(mut config: ServerConfig) -> Result<Self, ServerError> {
        let mut warnings: Vec<_> = descriptors::fit(&mut config).into_iter().collect();
        // A name that nobody can connect to is refused before the relay listens anywhere.
        let given = match &config.name {
            Some(name) => name.as_str().to_owned(),
            None => config.listen.to_string(),
        };
        if !is_dialable(config.name.as_ref().map_or(Some(config.listen.ip()), RelayName::address)) {
            return Err(ServerError::Undialable(given));
        }
        let (listener, address) = listen(config.listen, &config.server_limits)?;
        let name = match config.name.take() {
            Some(name) => name,
            None => RelayName::parse(&address.to_string()).map_err(|_| ServerError::Name(address))?,
        };
        let metrics = config.metrics.map(|at| listen(at, &config.server_limits)).transpose()?;
        let tls = match config.tls.clone() {
            Some(files) => {
                let (certificates, odd) = Certificates::load(files, name.clone())?;
                warnings.extend(odd);
                Some(Arc::new(certificates))
            }
            None => None,
        };
        let limits = config.server_limits.clone();
        let shared = Arc::new(Shared::new(name, config)?);
        Ok(Self { listener, address, metrics, tls, warnings, shared, limits })
    }

    /// Returns warnings for the operator, one line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the address of the metrics, if they are served.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|(_, address)| *address)
    }

    /// Returns the address on which the relay listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the relay's name, as HELLO contains it.
    #[must_use]
    pub fn name(&self) -> &RelayName {
        self.shared.name()
    }

    /// Returns the URL for clients without its path: `ws://..` or `wss://..`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `stop` completes. Then tells all clients, and waits a short while for them to close. The
    /// certificate's files are checked each minute, and whenever `look` is notified. `tell` gets a line about
    /// what has changed.
    pub async fn run(self, stop: impl Future<Output = ()>, look: Arc<Notify>, tell: impl Fn(&str)) {
        let timer = tokio::spawn(Arc::clone(&self.shared).keep_time());
        let tls = self.tls.as_deref();
        let router = routes::router(Arc::clone(&self.shared));
        let numbers = routes::metrics_router(Arc::clone(&self.shared));
        let metrics = async {
            match &self.metrics {
                Some((at, _)) => {
                    match listener::accept(at, None, &self.shared, &self.limits, &numbers).await {}
                }
                None => std::future::pending::<()>().await,
            }
        };
        tokio::select! {
            never = listener::accept(&self.listener, tls, &self.shared, &self.limits, &router) => match never {},
            () = metrics => {}
            () = renew(self.tls.as_ref(), &look, &tell) => {}
            () = stop => {}
        }
        drop((self.listener, self.metrics));
        self.shared.shutdown();
        // Clients that do not close in time are cut off when the process ends.
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

/// Checks the certificate's files again and again, and puts changed ones to use.
async fn renew(tls: Option<&Arc<Certificates>>, look: &Notify, tell: &impl Fn(&str)) {
    loop {
        let _ = tokio::time::timeout(tls::LOOK_EVERY, look.notified()).await;
        let Some(tls) = tls.map(Arc::clone) else { continue };
        // Reading the files may block for long, for example on a network file system.
        match tokio::task::spawn_blocking(move || tls.look()).await {
            Ok(Look::Same) | Err(_) => {}
            Ok(Look::Renewed(odd)) => {
                tell("the new certificate is in use");
                for warning in &odd {
                    tell(warning);
                }
            }
            Ok(Look::Kept(error)) => tell(&format!("{error}; the certificate before stays in use")),
        }
    }
}

/// Returns whether clients can connect to an address. They cannot connect to the unspecified one, which means
/// all addresses of this machine, nor to a multicast or broadcast one. A name that is not an address is left
/// to DNS.
fn is_dialable(address: Option<IpAddr>) -> bool {
    match address.map(|address| address.to_canonical()) {
        None => true,
        Some(IpAddr::V4(v4)) => v4.octets()[0] != 0 && !v4.is_multicast() && !v4.is_broadcast(),
        Some(IpAddr::V6(v6)) => !v6.is_unspecified() && !v6.is_multicast(),
    }
}

fn listen(address: SocketAddr, limits: &ServerLimits) -> Result<(TcpListener, SocketAddr), ServerError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => ServerError::AddressInUse(address),
        kind => ServerError::Listen(address, kind),
    };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    // Without this option, a relay that is started again after a crash could not listen on its port at once.
    socket.set_reuseaddr(true).map_err(failed)?;
    // Accepted connections inherit this size. It is small, so that data wait in the relay's own limited
    // queues.
    socket.set_send_buffer_size(limits.send_buffer_len).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    let listener = socket.listen(limits.backlog).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// The longest time that stopping the relay takes in all.
pub const STOP_MAX: Duration = Duration::from_secs(5);
