//! What a request is answered with, from the guard's judgement to the host's.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http::HeaderValue;
use http::header::{CONNECTION, RETRY_AFTER};
use wiretalk_net::server::{Refusal, RefusalKind, Reply, Request, Upgrade};
use wiretalk_server::guard::{self, Reason};

use super::admission::{self, Entry, Plain};
use super::operation::{DRAINED, Refused};
use super::{Event, Host, Lives, lock, tell};

/// When a client that found no place may come again, in seconds.
const COME_AGAIN_AFTER: &str = "5";
/// What it is told behind an upgrade (1013: try again later).
const FULL: (u16, &str) = (1013, "the server is full: come again in a moment");

/// The page that a browser gets which asks for the server by plain HTTP.
const PAGE: &str = include_str!("page.html");

/// The answer to a request.
pub(super) enum Answer<'a> {
    Now(Reply),
    /// It comes when there is a place. Boxed, for most requests have no use for its memory.
    Later(Pin<Box<dyn Future<Output = Reply> + Send + 'a>>),
}

impl Answer<'_> {
    pub(super) async fn given(self) -> Reply {
        match self {
            Self::Now(reply) => reply,
            Self::Later(reply) => reply.await,
        }
    }
}

/// Answers one request.
pub(super) fn answer<'a, H: Host>(
    host: &'a Arc<H>,
    mut request: Request,
    lives: &'a Mutex<Lives>,
) -> Answer<'a> {
    let upgrade = match request.upgrade() {
        Ok(upgrade) => upgrade,
        Err(refusal) => return Answer::Now(not_upgraded(host, request, refusal)),
    };
    let admission = &host.operation().admission;
    match admission.admit(&request) {
        Err(refused) if refused.refusal.reason == Reason::TokenUnchecked => {
            Answer::Later(Box::pin(async move {
                let judged = admission.admit_by_new_keys(&request, refused).await;
                judged_so(host, request, upgrade, judged, lives)
                    .given()
                    .await
            }))
        }
        judged => judged_so(host, request, upgrade, judged, lives),
    }
}

/// Answers a handshake of which the guard has judged.
fn judged_so<'a, H: Host>(
    host: &'a Arc<H>,
    mut request: Request,
    upgrade: Upgrade,
    judged: Result<guard::Admitted, guard::Refused>,
    lives: &'a Mutex<Lives>,
) -> Answer<'a> {
    let operation = host.operation();
    let admitted = match judged {
        Ok(admitted) => admitted,
        Err(guard::Refused { peer, refusal }) => {
            request.peer_addr = peer;
            let reason = refusal.reason;
            let why = Refused::new(reason.name(), refusal.why);
            let close = (reason.close_code(), reason.told());
            let reply = reason.reply();
            return Answer::Now(refuse(host, &request, (upgrade, reply), close, &why, lives));
        }
    };
    request.peer_addr = admitted.peer;
    let upgrade = upgrade.peer_addr(admitted.peer);
    let draining = || Refused::new("draining", "the server restarts: come again in a moment");
    if operation.readiness.is_draining() {
        let why = draining();
        return Answer::Now(unavailable(host, &request, upgrade, DRAINED, &why, lives));
    }
    let entry = |slot| Entry {
        admitted,
        admission: Arc::clone(&operation.admission),
        slot,
    };
    let Some(capacity) = &operation.capacity else {
        return Answer::Now(admit(host, &request, upgrade, entry(None), lives));
    };
    if let Some(place) = capacity.try_enter() {
        return Answer::Now(admit(host, &request, upgrade, entry(Some(place)), lives));
    }
    let waiting = async move {
        // The queue has a limit of its own.
        let places = {
            let mut lives = lock(lives);
            (lives.place.take(), lives.newcomer.take())
        };
        drop(places);
        match capacity.enter().await {
            // The place is one that a client left because of that.
            Ok(_) if operation.readiness.is_draining() => {
                unavailable(host, &request, upgrade, DRAINED, &draining(), lives)
            }
            Ok(place) => admit(host, &request, upgrade, entry(Some(place)), lives),
            Err(full) => {
                let why = Refused::new("capacity", full.to_string());
                unavailable(host, &request, upgrade, FULL, &why, lives)
            }
        }
    };
    Answer::Later(Box::pin(waiting))
}

/// Lets a client in, if its host wants it.
fn admit<H: Host>(
    host: &Arc<H>,
    request: &Request,
    upgrade: Upgrade,
    entry: Entry,
    lives: &Mutex<Lives>,
) -> Reply {
    match host.handshake(request, upgrade, entry) {
        (reply, Err(why)) => refused(host, request, reply, &why),
        (reply, Ok(opening)) => {
            lock(lives).add(opening, request.version());
            reply
        }
    }
}

/// Tells of a refusal.
fn refused<H: Host>(host: &Arc<H>, request: &Request, reply: Reply, why: &Refused) -> Reply {
    tell_refused(host, request, reply.status().as_u16(), why);
    reply
}

fn tell_refused<H: Host>(host: &Arc<H>, request: &Request, status: u16, why: &Refused) {
    let event = Event::Refused {
        peer: request.peer_addr,
        target: &request.uri.to_string(),
        status,
        reason: why.reason,
        why: &why.why,
    };
    tell(&**host, &event);
}

/// Answers a request that came without TLS where there must be TLS.
pub(super) fn answer_plain<H: Host>(host: &Arc<H>, request: &Request, plain: Plain) -> Reply {
    let why = Refused::new(Reason::Plain.name(), "it came without TLS");
    refused(host, request, admission::reply_plain(request, plain), &why)
}

/// Refuses a handshake, by this reply or by a close, and tells of it.
fn refuse<H: Host>(
    host: &Arc<H>,
    request: &Request,
    (upgrade, reply): (Upgrade, Reply),
    close: (u16, &'static str),
    why: &Refused,
    lives: &Mutex<Lives>,
) -> Reply {
    let admission = &host.operation().admission;
    let (reply, status, opening) = admission.refuse(upgrade, reply, close);
    tell_refused(host, request, status, why);
    match opening {
        Some(opening) => {
            lock(lives).add(opening, request.version());
            reply
        }
        None => {
            lock(lives).newcomer = None;
            last(reply)
        }
    }
}

/// Refuses for now: 503, with the time after which it may be tried again (RFC 9110 section 15.6.4).
fn unavailable<H: Host>(
    host: &Arc<H>,
    request: &Request,
    upgrade: Upgrade,
    close: (u16, &'static str),
    why: &Refused,
    lives: &Mutex<Lives>,
) -> Reply {
    let mut reply = Reply::text(503, format!("{why}\n"));
    let value = HeaderValue::from_static(COME_AGAIN_AFTER);
    reply.headers_mut().insert(RETRY_AFTER, value);
    refuse(host, request, (upgrade, reply), close, why, lives)
}

/// The reply with which a connection ends: whoever is refused has no use for it.
fn last(mut reply: Reply) -> Reply {
    let close = HeaderValue::from_static("close");
    reply.headers_mut().insert(CONNECTION, close);
    reply
}

/// Answers a request that asks for no WebSocket, or asks wrongly.
fn not_upgraded<H: Host>(host: &Arc<H>, mut request: Request, refusal: Refusal) -> Reply {
    let admission = &host.operation().admission;
    let peer = match admission.admit_plain(&request) {
        Ok(peer) => peer,
        Err(guard::Refused { peer, refusal }) => {
            request.peer_addr = peer;
            let why = Refused::new(refusal.reason.name(), refusal.why);
            let reply = last(refusal.reason.reply());
            return refused(host, &request, reply, &why);
        }
    };
    if *refusal.kind() != RefusalKind::NotUpgrade {
        request.peer_addr = peer;
        let why = Refused::handshake(refusal.to_string());
        return refused(host, &request, Reply::from(refusal), &why);
    }
    let may_have_it = admission.admit_answer(&request);
    request.peer_addr = peer;
    let reply = match (host.plain(&request), may_have_it) {
        (Some(reply), Ok(())) => reply,
        (Some(_), Err(refusal)) => {
            let why = Refused::new(refusal.reason.name(), refusal.why);
            return refused(host, &request, refusal.reason.reply(), &why);
        }
        (None, _) => without_talk(&request, refusal.into()),
    };
    let event = Event::Http {
        peer: request.peer_addr,
        method: request.method.as_str(),
        target: &request.uri.to_string(),
        status: reply.status().as_u16(),
    };
    tell(&**host, &event);
    reply
}

/// The answer to a plain request for which the talk has none: the page to a browser, else what the RFC says.
fn without_talk(request: &Request, refusal: Reply) -> Reply {
    let accepts_html = request
        .headers
        .get_all("accept")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"));
    if !accepts_html || !matches!(request.method.as_str(), "GET" | "HEAD") {
        return refusal;
    }
    let page = Reply::html(200, PAGE);
    let headers = [
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        (
            "Content-Security-Policy",
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src ws: wss:; frame-ancestors 'none'",
        ),
    ];
    let page = headers
        .into_iter()
        .try_fold(page, |page, (name, value)| page.header(name, value));
    page.unwrap_or(refusal)
}
