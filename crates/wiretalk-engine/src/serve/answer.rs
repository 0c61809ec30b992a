//! What a request is answered with, from the guard's judgement to the host's.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http::HeaderValue;
use http::header::{CONNECTION, RETRY_AFTER};
use wiretalk_net::server::{Refusal, RefusalKind, Reply, Request, Upgrade};
use wiretalk_server::guard::{self, Reason};

use super::admission::{self, Entry, Plain};
use super::operation::{DRAINED, Refused};
use super::trace::{Traced, TracedRefusal};
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

/// Where it goes what becomes of a handshake.
struct Fate<'a> {
    lives: &'a Mutex<Lives>,
    traced: Traced,
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
    let fate = Fate {
        lives,
        traced: Traced::begin(host.operation(), &request),
    };
    let admission = &host.operation().admission;
    match admission.admit(&request) {
        Err(refused) if refused.refusal.reason == Reason::TokenUnchecked => {
            Answer::Later(Box::pin(async move {
                let judged = admission.admit_by_new_keys(&request, refused).await;
                judged_so(host, request, upgrade, judged, fate)
                    .given()
                    .await
            }))
        }
        judged => judged_so(host, request, upgrade, judged, fate),
    }
}

/// Answers a handshake of which the guard has judged.
fn judged_so<'a, H: Host>(
    host: &'a Arc<H>,
    mut request: Request,
    upgrade: Upgrade,
    judged: Result<guard::Admitted, guard::Refused>,
    fate: Fate<'a>,
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
            return Answer::Now(refuse(host, &request, (upgrade, reply), close, &why, &fate));
        }
    };
    request.peer_addr = admitted.peer;
    let upgrade = upgrade.peer_addr(admitted.peer);
    let draining = || Refused::new("draining", "the server restarts: come again in a moment");
    if operation.readiness.is_draining() {
        let why = draining();
        return Answer::Now(unavailable(host, &request, upgrade, DRAINED, &why, &fate));
    }
    let traced = fate.traced.clone();
    let entry = move |slot| Entry {
        admitted,
        admission: Arc::clone(&operation.admission),
        slot,
        traced,
    };
    let Some(capacity) = &operation.capacity else {
        return Answer::Now(admit(host, &request, upgrade, entry(None), &fate));
    };
    if let Some(place) = capacity.try_enter() {
        return Answer::Now(admit(host, &request, upgrade, entry(Some(place)), &fate));
    }
    let waiting = async move {
        // The queue has a limit of its own.
        let places = {
            let mut lives = lock(fate.lives);
            (lives.place.take(), lives.newcomer.take())
        };
        drop(places);
        match capacity.enter().await {
            // The place is one that a client left because of that.
            Ok(_) if operation.readiness.is_draining() => {
                unavailable(host, &request, upgrade, DRAINED, &draining(), &fate)
            }
            Ok(place) => admit(host, &request, upgrade, entry(Some(place)), &fate),
            Err(full) => {
                let why = Refused::new("capacity", full.to_string());
                unavailable(host, &request, upgrade, FULL, &why, &fate)
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
    fate: &Fate<'_>,
) -> Reply {
    match host.handshake(request, upgrade, entry) {
        (reply, Err(why)) => refused(host, request, reply, &why, &fate.traced),
        (reply, Ok(opening)) => {
            fate.traced.accepted(request.peer_addr, &reply);
            lock(fate.lives).add(opening, request.version());
            reply
        }
    }
}

/// Tells of a refusal.
fn refused<H: Host>(
    host: &Arc<H>,
    request: &Request,
    reply: Reply,
    why: &Refused,
    traced: &Traced,
) -> Reply {
    tell_refused(host, request, reply.status().as_u16(), why, traced);
    reply
}

fn tell_refused<H: Host>(
    host: &Arc<H>,
    request: &Request,
    status: u16,
    why: &Refused,
    traced: &Traced,
) {
    traced.refused(&TracedRefusal {
        peer: request.peer_addr,
        status,
        reason: why.reason,
        why: &why.why,
    });
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
    let reply = admission::reply_plain(request, plain);
    // Nobody knows yet whether it is a handshake.
    refused(host, request, reply, &why, &Traced::default())
}

/// Refuses a handshake, by this reply or by a close, and tells of it.
fn refuse<H: Host>(
    host: &Arc<H>,
    request: &Request,
    (upgrade, reply): (Upgrade, Reply),
    close: (u16, &'static str),
    why: &Refused,
    fate: &Fate<'_>,
) -> Reply {
    let admission = &host.operation().admission;
    let (reply, status, opening) = admission.refuse(upgrade, reply, close);
    tell_refused(host, request, status, why, &fate.traced);
    match opening {
        Some(opening) => {
            lock(fate.lives).add(opening, request.version());
            reply
        }
        None => {
            lock(fate.lives).newcomer = None;
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
    fate: &Fate<'_>,
) -> Reply {
    let mut reply = Reply::text(503, format!("{why}\n"));
    let value = HeaderValue::from_static(COME_AGAIN_AFTER);
    reply.headers_mut().insert(RETRY_AFTER, value);
    refuse(host, request, (upgrade, reply), close, why, fate)
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
            return refused(host, &request, reply, &why, &Traced::default());
        }
    };
    if *refusal.kind() != RefusalKind::NotUpgrade {
        request.peer_addr = peer;
        let why = Refused::handshake(refusal.to_string());
        let traced = Traced::begin(host.operation(), &request);
        return refused(host, &request, Reply::from(refusal), &why, &traced);
    }
    let may_have_it = admission.admit_answer(&request);
    request.peer_addr = peer;
    let reply = match (host.plain(&request), may_have_it) {
        (Some(reply), Ok(())) => reply,
        (Some(_), Err(refusal)) => {
            let why = Refused::new(refusal.reason.name(), refusal.why);
            let reply = refusal.reason.reply();
            return refused(host, &request, reply, &why, &Traced::default());
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
