//! The way from an accepted connection to HTTP: limits, TLS, and one deadline for all of that.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::connections::Permit;
use super::limits::ServerLimits;
use super::shared::Shared;
use super::tls::Certificates;

/// The client of a connection, as the handlers of all routes receive it.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) address: IpAddr,
    pub(super) permit: Arc<Permit>,
}

/// Accepts connections forever.
pub(super) async fn accept(
    listener: &TcpListener,
    tls: Option<&Certificates>,
    shared: &Arc<Shared>,
    limits: &ServerLimits,
    router: &Router,
) -> Infallible {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "cannot accept a connection");
                sleep(limits.accept_pause).await;
                continue;
            }
        };
        let address = peer.ip().to_canonical();
        let (max, max_of_address) = (limits.connections_max, limits.connections_per_address_max);
        let counted = (!shared.proxies().trusts(address)).then_some(address);
        let Some(permit) = shared.connections().enter(counted, max, max_of_address) else {
            let _ = shared.turned_away.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let caller = Caller { address, permit: Arc::new(permit) };
        drop(tokio::spawn(serve(
            stream,
            tls.map(Certificates::acceptor),
            router.clone(),
            caller,
            limits.clone(),
        )));
    }
}

/// Serves one connection until it is answered or upgraded. An upgraded connection continues as a WebSocket in
/// a task of its own.
async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    caller: Caller,
    limits: ServerLimits,
) {
    // A connection without this option is slower, but works.
    let _ = stream.set_nodelay(true);
    let deadline = limits.upgrade_deadline;
    let served = timeout(deadline, async move {
        match tls {
            None => http(stream, router, caller, &limits).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => http(stream, router, caller, &limits).await,
                Err(error) => tracing::debug!(kind = ?error.kind(), "no TLS"),
            },
        }
    });
    if served.await.is_err() {
        tracing::debug!("a connection did not finish its request in time");
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    caller: Caller,
    limits: &ServerLimits,
) {
    let service = TowerToHyperService::new(router.layer(Extension(caller)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.upgrade_deadline)
        .max_headers(limits.headers_max)
        .max_buf_size(limits.head_len_max)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(parse = error.is_parse(), timeout = error.is_timeout(), "a request failed");
    }
}
