//! What the admin endpoint answers to each request.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};
use wiretalk_server::Count;

use crate::record::without_query_values;
use crate::serve::control::api::{Asked, Error};
use crate::serve::metrics::encode;
use crate::serve::{ClientId, Operation};

/// Clients on a page, if nothing else is said.
const PAGE: usize = 1000;
/// The most clients on a page.
const MOST_CLIENTS: usize = 100_000;

/// Nothing is there.
pub(super) async fn not_found() -> Error {
    let what = "there is /metrics, /health, /ready and /admin/clients";
    Error::new(StatusCode::NOT_FOUND, what)
}

/// Something is there, but not for this method.
pub(super) async fn not_allowed() -> Error {
    let what = "this path takes GET and HEAD only";
    Error::new(StatusCode::METHOD_NOT_ALLOWED, what)
}

/// `GET /metrics`
pub(super) async fn metrics(State(operation): State<Arc<Operation>>) -> Result<Response, Error> {
    let page = encode::page(&operation).map_err(|_| {
        let what = "the metrics cannot be written";
        Error::new(StatusCode::INTERNAL_SERVER_ERROR, what)
    })?;
    Ok(([(CONTENT_TYPE, encode::CONTENT_TYPE)], page).into_response())
}

/// `GET /health`
pub(super) async fn health() -> Response {
    told(StatusCode::OK, json!({"status": "running"}))
}

/// `GET /ready`
pub(super) async fn ready(State(operation): State<Arc<Operation>>) -> Response {
    match operation.readiness.check() {
        Ok(()) => told(StatusCode::OK, json!({"status": "ready"})),
        Err(why) => told(
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"status": "not ready", "why": why}),
        ),
    }
}

fn told(status: StatusCode, what: Value) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(what)).into_response()
}

/// Which page of clients is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    after: Option<u64>,
    limit: Option<usize>,
}

/// `GET /admin/clients`
pub(super) async fn clients(
    State(operation): State<Arc<Operation>>,
    Asked(which): Asked<Which>,
) -> Json<Value> {
    let Some(metrics) = &operation.metrics else {
        return Json(json!({"count": 0, "clients": []}));
    };
    let most = which.limit.unwrap_or(PAGE).min(MOST_CLIENTS);
    let count = |count: Count| json!({"messages": count.messages, "bytes": count.bytes});
    let clients = metrics
        .clients(which.after.map(ClientId), most)
        .into_iter()
        .map(|(seat, user)| {
            let traffic = seat.meter.traffic();
            json!({
                "id": seat.client.0,
                "address": seat.peer.to_string(),
                "path": without_query_values(&seat.target),
                "user": user.as_deref(),
                "since": format!("{:.3}", seat.since),
                "received": count(traffic.received),
                "sent": count(traffic.sent),
            })
        });
    Json(json!({"count": metrics.client_count(), "clients": clients.collect::<Vec<_>>()}))
}
