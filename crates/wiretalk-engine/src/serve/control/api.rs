//! What the control API does with each request.

use std::str::FromStr;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wiretalk_net::CloseCode;
use wiretalk_talk::player::Outgoing;

use super::Controlled;
use crate::record::without_query_values;
use crate::serve::journal::{Direction, Filter, Shown, Since};
use crate::serve::{Audience, ClientId};

/// Entries on a page of the journal, if nothing else is said.
const PAGE: usize = 1000;
/// The most entries on a page.
const MOST_ENTRIES: usize = 10_000;
/// About so many bytes are on a page.
const PAGE_BYTES: usize = 16 * 1024 * 1024;

/// Why a request is not done: a status, and `{"error": …}`.
#[derive(Debug)]
pub(in crate::serve) struct Error {
    status: StatusCode,
    what: String,
}

impl Error {
    pub(in crate::serve) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self {
            status,
            what: what.into(),
        }
    }

    pub(super) fn bad(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.what}))).into_response()
    }
}

impl From<JsonRejection> for Error {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Error {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Error {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

/// A body of JSON.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(Error))]
pub(super) struct Body<T>(pub(super) T);

/// A query.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(Error))]
pub(in crate::serve) struct Asked<T>(pub(in crate::serve) T);

/// A part of the path.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(Error))]
pub(super) struct Named<T>(T);

/// Nothing is there.
pub(super) async fn not_found() -> Error {
    let what = "there is /talks, /clients, /clients/ID/close, /send, /journal and /verify";
    Error::new(StatusCode::NOT_FOUND, what)
}

/// Something is there, but not for this method.
pub(super) async fn not_allowed() -> Error {
    let what = "this path does not take this method";
    Error::new(StatusCode::METHOD_NOT_ALLOWED, what)
}

/// `GET /talks`
pub(super) async fn talks(State(controlled): State<Controlled>) -> Json<Value> {
    let redactor = controlled.journal.redactor();
    let talks = controlled.talks.iter().map(|(url, mock)| {
        json!({
            "path": mock.path(),
            "url": url,
            "file": redactor.text(&mock.name()),
            "clients": mock.client_count(),
        })
    });
    Json(json!({"talks": talks.collect::<Vec<_>>()}))
}

#[derive(Serialize)]
struct Client {
    id: u64,
    talk: String,
    peer: String,
    target: String,
    since: String,
    subprotocol: Option<String>,
    user: Option<String>,
    rooms: Vec<String>,
}

/// `GET /clients`
pub(super) async fn clients(State(controlled): State<Controlled>) -> Json<Value> {
    let redactor = controlled.journal.redactor();
    let hidden = |text: &str| redactor.text(text).into_owned();
    let mut clients = Vec::new();
    for (_, mock) in &controlled.talks {
        clients.extend(mock.clients().into_iter().map(|client| Client {
            id: client.id.0,
            talk: mock.path().to_owned(),
            peer: client.peer.to_string(),
            target: hidden(&without_query_values(&client.target)),
            since: format!("{:.3}", client.since),
            subprotocol: client.subprotocol.as_deref().map(hidden),
            user: client.user.as_deref().map(hidden),
            rooms: client.rooms.iter().map(|room| hidden(room)).collect(),
        }));
    }
    clients.sort_by_key(|client| client.id);
    Json(json!({"clients": clients}))
}

/// A number of a client, as in a path.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(super) struct Id(u64);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Close {
    code: Option<u16>,
    #[serde(default)]
    reason: String,
}

/// `POST /clients/ID/close`
pub(super) async fn close(
    State(controlled): State<Controlled>,
    Named(Id(id)): Named<Id>,
    Body(Close { code, reason }): Body<Close>,
) -> Result<Json<Value>, Error> {
    if let Some(code) = code
        && !CloseCode::new(code).may_be_sent()
    {
        let what = format!("{code} is no close code that may be sent (RFC 6455 section 7.4)");
        return Err(Error::bad(what));
    }
    if code.is_none() && !reason.is_empty() {
        return Err(Error::bad("a reason needs a code"));
    }
    if reason.len() > 123 {
        let what = "a reason has 123 bytes at the most (RFC 6455 section 5.5)";
        return Err(Error::bad(what));
    }
    let frame = Outgoing::Close { code, reason };
    send_to(&controlled, None, Audience::One(ClientId(id)), &frame)
        .map(|_| Json(json!({"closed": id})))
}

/// To whom, and what: one of each.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Send {
    client: Option<u64>,
    room: Option<String>,
    user: Option<String>,
    #[serde(default)]
    all: bool,
    talk: Option<String>,
    text: Option<String>,
    base64: Option<String>,
}

/// `POST /send`
pub(super) async fn send(
    State(controlled): State<Controlled>,
    Body(send): Body<Send>,
) -> Result<Json<Value>, Error> {
    let to = match (send.client, &send.room, &send.user, send.all) {
        (Some(id), None, None, false) => Audience::One(ClientId(id)),
        (None, Some(room), None, false) => Audience::Room(room),
        (None, None, Some(user), false) => Audience::User(user),
        (None, None, None, true) => Audience::All,
        _ => {
            let what = r#"say to whom: one of `"client": ID`, `"room": NAME`, `"user": NAME` and `"all": true`"#;
            return Err(Error::bad(what));
        }
    };
    let frame = match (send.text, send.base64) {
        (Some(text), None) => Outgoing::Text(text),
        (None, Some(encoded)) => match STANDARD.decode(encoded) {
            Ok(bytes) => Outgoing::Binary(bytes),
            Err(error) => return Err(Error::bad(format!("`base64` is none: {error}"))),
        },
        _ => return Err(Error::bad("say what: one of `text` and `base64`")),
    };
    let receivers = send_to(&controlled, send.talk.as_deref(), to, &frame)?;
    Ok(Json(json!({"receivers": receivers})))
}

/// Sends something in the talk at this path, or in each.
fn send_to(
    controlled: &Controlled,
    talk: Option<&str>,
    to: Audience<'_>,
    frame: &Outgoing,
) -> Result<usize, Error> {
    let mut receivers = 0;
    let mut found = false;
    for (_, mock) in &controlled.talks {
        if talk.is_none_or(|talk| talk == mock.path()) {
            found = true;
            receivers += mock.send_from_outside(to, frame);
        }
    }
    if !found {
        let what = format!("no talk is at `{}`", talk.unwrap_or_default());
        return Err(Error::new(StatusCode::NOT_FOUND, what));
    }
    if let (Audience::One(id), 0) = (to, receivers) {
        let what = format!("no client {} is connected", id.0);
        return Err(Error::new(StatusCode::NOT_FOUND, what));
    }
    Ok(receivers)
}

/// What of the journal is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    client: Option<u64>,
    talk: Option<String>,
    direction: Option<String>,
    kind: Option<String>,
    since: Option<String>,
    limit: Option<usize>,
}

/// A page of the journal.
#[derive(Serialize)]
struct Told<'a> {
    entries: Vec<Shown<'a>>,
    next: Option<u64>,
    dropped: u64,
}

/// `GET /journal`
pub(super) async fn journal(
    State(controlled): State<Controlled>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Error> {
    let filter = Filter {
        client: wanted.client.map(ClientId),
        talk: wanted.talk,
        direction: wanted.direction.as_deref().map(direction).transpose()?,
        kind: wanted.kind,
        since: wanted.since.as_deref().map(since).transpose()?,
    };
    let limit = wanted.limit.unwrap_or(PAGE).min(MOST_ENTRIES);
    let page = controlled.journal.read(&filter, limit, PAGE_BYTES);
    let redactor = controlled.journal.redactor();
    let entries: Vec<_> = page
        .entries
        .iter()
        .map(|entry| entry.shown(&redactor))
        .collect();
    let told = Told {
        entries,
        next: page.next,
        dropped: page.dropped,
    };
    Ok(Json(told).into_response())
}

fn direction(text: &str) -> Result<Direction, Error> {
    match text {
        "received" => Ok(Direction::Received),
        "sent" => Ok(Direction::Sent),
        _ => Err(Error::bad("a direction is `received` or `sent`")),
    }
}

fn since(text: &str) -> Result<Since, Error> {
    let number = text.parse().map(Since::Number).ok();
    let time = || Timestamp::from_str(text).map(Since::Time).ok();
    number.or_else(time).ok_or_else(|| {
        let what = "`since` is the number of an entry, or a time such as 2026-01-02T03:04:05.678Z";
        Error::bad(what)
    })
}

/// `DELETE /journal`
pub(super) async fn clear(State(controlled): State<Controlled>) -> StatusCode {
    controlled.journal.clear();
    StatusCode::NO_CONTENT
}
