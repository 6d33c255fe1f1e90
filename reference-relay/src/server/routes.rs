//! What the relay answers over HTTP.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use handfast_codec::limits::{ORIGIN_LEN_MAX, RELAY_FRAME_LEN_MAX};

use super::connection;
use super::listener::Caller;
use super::page::page;
use super::shared::Shared;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/assets/{*path}", get(asset))
        .route("/healthz", get(async || "ok"))
        .route("/metrics", get(metrics))
        .route("/v1", get(upgrade))
        .with_state(shared)
}

async fn index(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    page().index(shared.name(), &headers)
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    page().asset(&path, &headers)
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
    let origin = match origin(&headers) {
        Ok(origin) => origin,
        Err(answer) => return answer.into_response(),
    };
    // req: RLY-025
    if origin.as_deref().is_some_and(|origin| !shared.allows(origin)) {
        return (StatusCode::FORBIDDEN, "this relay does not serve pages of this origin\n").into_response();
    }
    // req: RLY-024
    upgrade
        .read_buffer_size(shared.limits().read_buffer_len)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * RELAY_FRAME_LEN_MAX)
        .max_message_size(RELAY_FRAME_LEN_MAX)
        .max_frame_size(RELAY_FRAME_LEN_MAX)
        .on_upgrade(move |socket| connection::run(shared, caller.address, origin, socket, caller.permit))
}

/// The one Origin of a page; `None` for a client that is no browser.
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
