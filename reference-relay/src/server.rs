//! The relay on a network: HTTP and WebSockets around [`crate::core::Relay`].
//!
//! The core lives under one mutex that is never held over an await: every input locks it, is handled, and its outputs
//! are moved into the queues of the connections they belong to. The core bounds those queues; each connection has one
//! task, whose reading waits while its peer's queue is half full.

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
    /// The page that is served at `/`.
    pub page: PageSource,
    /// Proxies before the relay whose word on a client's address counts.
    pub proxies: Proxies,
    /// Where the metrics are told, over plain HTTP; nowhere if there is none.
    pub metrics: Option<SocketAddr>,
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
            page: PageSource::None,
            proxies: Proxies::default(),
            metrics: None,
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
    /// The folder holds no page.
    #[error("cannot serve the page in {} ({what}): make it with cargo xtask page", .folder.display())]
    Page {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes: the relay does not run without")]
    NoRandomness,
    /// The address listened on is no relay name.
    #[error("{0} is not a relay name: give one with --name")]
    Name(SocketAddr),
    /// Nobody can open a connection to the name.
    #[error(
        "nobody can dial {0}: give the name by which phones and pages reach this relay with --name HOST[:PORT]"
    )]
    Undialable(String),
}

/// A relay that listens, and serves once it is [run](Server::run).
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
    /// Listens on the configured address. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ServerError`] when the relay cannot start.
    pub fn bind(mut config: ServerConfig) -> Result<Self, ServerError> {
        let mut warnings: Vec<_> = descriptors::fit(&mut config).into_iter().collect();
        // What nobody can dial is refused before anything is listened on.
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

    /// What its operator should know before it serves, one line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Where the metrics are told.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|(_, address)| *address)
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

    /// Serves until `stop` is done, then tells every client, and waits for them a short while. The files of the
    /// certificate are looked at each minute, and when `look` is notified; `tell` gets a line on what came of it.
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

/// Looks at the files of the certificate, without end.
async fn renew(tls: Option<&Arc<Certificates>>, look: &Notify, tell: &impl Fn(&str)) {
    loop {
        let _ = tokio::time::timeout(tls::LOOK_EVERY, look.notified()).await;
        let Some(tls) = tls.map(Arc::clone) else { continue };
        // Files may lie where reading takes its time.
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

/// Whether somebody can open a connection to an address: not to the unspecified one, which stands for all of this
/// machine's, and not to many at once. A name without an address is left to whoever looks it up.
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
    // A relay that was killed may take its port again at once.
    socket.set_reuseaddr(true).map_err(failed)?;
    // Inherited by every connection: what waits should wait in the relay's own bounded queue.
    socket.set_send_buffer_size(limits.send_buffer_len).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    let listener = socket.listen(limits.backlog).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// How long the whole of a stop may take, for those who wait for it.
pub const STOP_MAX: Duration = Duration::from_secs(5);
