//! The HTTP routes of the relay.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ORIGIN, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use handfast_codec::limits::{ORIGIN_LEN_MAX, RELAY_FRAME_LEN_MAX};

use super::connection;
use super::listener::Caller;
use super::shared::Shared;

/// HSTS for a year, during which browsers use only TLS for this name.
const HSTS: &str = "max-age=31536000";
/// The answer to a page that may not connect. The page cannot read it, but the page's author can.
const NOT_ALLOWED: &str =
    "this relay lets no pages of this origin connect: its operator can name the origin with --allow-origin\n";

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/v1", get(upgrade))
        .fallback(get(file))
        .layer(middleware::map_response_with_state(Arc::clone(&shared), harden))
        .with_state(shared)
}

/// Returns the routes that are served at the address of the metrics. Only the operator should be able to
/// reach them.
pub(super) fn metrics_router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .layer(middleware::map_response_with_state(Arc::clone(&shared), harden))
        .with_state(shared)
}

/// Adds the security headers that every answer needs, error answers included.
async fn harden(State(shared): State<Arc<Shared>>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let _ = headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if shared.has_tls() {
        let _ = headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    response
}

async fn file(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    shared.page().answer(uri.path(), &headers)
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let kind = (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    ([kind, (CACHE_CONTROL, "no-store")], shared.metrics()).into_response()
}

async fn upgrade(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let source = shared.proxies().source(caller.address, &headers);
    let origin = match origin(&headers) {
        Ok(origin) => origin,
        Err(answer) => return answer.into_response(),
    };
    // req: RLY-025
    if origin.as_deref().is_some_and(|origin| !shared.allows(origin)) {
        return (StatusCode::FORBIDDEN, NOT_ALLOWED).into_response();
    }
    // req: RLY-024
    upgrade
        .read_buffer_size(shared.limits().read_buffer_len)
        .write_buffer_size(connection::WRITE_LEN)
        .max_write_buffer_size(4 * RELAY_FRAME_LEN_MAX)
        .max_message_size(RELAY_FRAME_LEN_MAX)
        .max_frame_size(RELAY_FRAME_LEN_MAX)
        .on_upgrade(move |socket| connection::run(shared, source, origin, socket, caller.permit))
}

/// Returns the Origin header; `None` for a client that is not a browser.
fn origin(headers: &HeaderMap) -> Result<Option<String>, (StatusCode, &'static str)> {
    let mut values = headers.get_all(ORIGIN).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(origin), None) => match origin.to_str() {
            Ok(origin) if origin.len() <= ORIGIN_LEN_MAX => Ok(Some(origin.to_owned())),
            _ => Err((StatusCode::BAD_REQUEST, "the Origin header is malformed\n")),
        },
        (Some(_), Some(_)) => Err((StatusCode::BAD_REQUEST, "there is more than one Origin header\n")),
    }
}
