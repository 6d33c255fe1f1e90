//! What the relay answers over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ORIGIN, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use handfast_codec::limits::{ORIGIN_LEN_MAX, RELAY_FRAME_LEN_MAX};

use super::connection;
use super::listener::Caller;
use super::shared::Shared;

/// What `/` shows to a person.
const PAGE: &str = "<!doctype html>
<html lang=en>
<meta charset=utf-8>
<title>Handfast relay</title>
<h1>This is a Handfast relay</h1>
<p>It passes sealed frames between a phone and its companion, and can read none of them.
<p>Nothing is to be done here: programs connect to <code>/v1</code>.
";

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/healthz", get(async || "ok"))
        .route("/metrics", get(metrics))
        .route("/v1", get(upgrade))
        .with_state(shared)
}

async fn page() -> Response {
    let policy = (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    ([policy, (X_CONTENT_TYPE_OPTIONS, "nosniff")], Html(PAGE)).into_response()
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
