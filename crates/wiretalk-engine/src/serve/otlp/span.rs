//! The spans of one connection.

use std::net::SocketAddr;

use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, Version};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span};
use wiretalk_net::server::{Reply, Request};

use crate::serve::trace::{Trace, TracedEnd, TracedRefusal};

/// Bytes of a text that a client chose: what waits to be exported is not to be as large as it likes.
const MOST_TEXT: usize = 256;
/// Bytes of `tracestate` that are passed on: as many as every tracer has to (W3C Trace Context 3.3.1.5).
const MOST_STATE: usize = 512;

/// The spans of a connection, until they are ended.
pub(super) struct Connection {
    span: Span,
    /// Until it is answered.
    handshake: Option<Span>,
    ended: bool,
}

impl Connection {
    /// Begins them; `None` if nobody wants this trace.
    pub(super) fn begin(tracer: &SdkTracer, request: &Request) -> Option<Self> {
        let headers = Headers(&request.headers);
        let caller = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
        let connection = SpanBuilder::from_name("websocket").with_kind(SpanKind::Server);
        let mut span = tracer.build_with_context(connection, &caller);
        if !span.is_recording() {
            return None;
        }
        span.set_attributes(of_connection(request));
        let within = Context::new().with_remote_span_context(span.span_context().clone());
        let handshake = SpanBuilder::from_name("handshake").with_kind(SpanKind::Internal);
        let mut handshake = tracer.build_with_context(handshake, &within);
        handshake.set_attributes(of_handshake(request));
        Some(Self {
            span,
            handshake: Some(handshake),
            ended: false,
        })
    }

    fn client(&mut self, peer: SocketAddr) {
        let address = KeyValue::new("client.address", peer.ip().to_string());
        self.span.set_attribute(address);
        if peer.port() != 0 {
            let port = KeyValue::new("client.port", i64::from(peer.port()));
            self.span.set_attribute(port);
        }
    }

    fn end(&mut self) {
        self.span.end();
        self.ended = true;
    }
}

impl Trace for Connection {
    fn accepted(&mut self, peer: SocketAddr, reply: &Reply) {
        // One that was refused is let in to be closed.
        let Some(mut handshake) = self.handshake.take().filter(|_| !self.ended) else {
            return;
        };
        handshake.set_attributes([
            KeyValue::new("wiretalk.handshake.outcome", "accepted"),
            status_code(reply.status().as_u16()),
        ]);
        handshake.end();
        self.client(peer);
        let agreed = [
            ("sec-websocket-protocol", "wiretalk.subprotocol"),
            ("sec-websocket-extensions", "wiretalk.extensions"),
        ];
        for (header, attribute) in agreed {
            if let Some(value) = text(reply.headers(), header) {
                self.span.set_attribute(KeyValue::new(attribute, value));
            }
        }
    }

    fn refused(&mut self, refusal: &TracedRefusal<'_>) {
        if self.ended {
            return;
        }
        let reason = [
            KeyValue::new("wiretalk.refusal.reason", refusal.reason),
            KeyValue::new("error.type", refusal.reason),
        ];
        let code = match refusal.status {
            status @ ..1000 => status_code(status),
            code => KeyValue::new("wiretalk.close.code", i64::from(code)),
        };
        // What is the client's fault is none of the server's: so it is with HTTP too.
        let ours = (500..600).contains(&refusal.status);
        let status = || Status::error(short(refusal.why).to_owned());
        if let Some(mut handshake) = self.handshake.take() {
            let outcome = KeyValue::new("wiretalk.handshake.outcome", "refused");
            handshake.set_attributes(reason.clone());
            handshake.set_attributes([outcome, code.clone()]);
            if ours {
                handshake.set_status(status());
            }
            handshake.end();
        }
        self.client(refusal.peer);
        self.span.set_attributes(reason);
        self.span.set_attribute(code);
        if ours {
            self.span.set_status(status());
        }
        self.end();
    }

    fn left(&mut self, end: &TracedEnd<'_>) {
        if self.ended {
            return;
        }
        let counted =
            |name, count: u64| KeyValue::new(name, i64::try_from(count).unwrap_or(i64::MAX));
        let (received, sent) = (end.traffic.received, end.traffic.sent);
        self.span.set_attributes([
            counted("wiretalk.client.id", end.client.0),
            KeyValue::new("wiretalk.close.code", i64::from(end.code)),
            counted("wiretalk.messages.received", received.messages),
            counted("wiretalk.bytes.received", received.bytes),
            counted("wiretalk.messages.sent", sent.messages),
            counted("wiretalk.bytes.sent", sent.bytes),
        ]);
        if !end.why.is_empty() {
            let why = KeyValue::new("wiretalk.close.reason", short(end.why).to_owned());
            self.span.set_attribute(why);
        }
        if is_failure(end.code) {
            let code = KeyValue::new("error.type", end.code.to_string());
            self.span.set_attribute(code);
            self.span
                .set_status(Status::error(short(end.why).to_owned()));
        }
        self.end();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let outcome = match self.handshake.take() {
            Some(mut handshake) => {
                let outcome = KeyValue::new("wiretalk.handshake.outcome", "abandoned");
                handshake.set_attribute(outcome);
                handshake.end();
                "abandoned"
            }
            None => "cut",
        };
        self.span
            .set_attribute(KeyValue::new("error.type", outcome));
        self.end();
    }
}

/// Whether a close code says that something went wrong (RFC 6455 section 7.4.1): not that somebody goes, that somebody shall
/// come again, or what the application alone understands.
fn is_failure(code: u16) -> bool {
    !matches!(code, 1000 | 1001 | 1005 | 1012 | 1013 | 3000..)
}

fn status_code(status: u16) -> KeyValue {
    KeyValue::new("http.response.status_code", i64::from(status))
}

fn of_connection(request: &Request) -> Vec<KeyValue> {
    let port = |name, address: SocketAddr| KeyValue::new(name, i64::from(address.port()));
    let (peer, local) = (request.peer_addr, request.local_addr);
    let mut attributes = vec![
        KeyValue::new("network.protocol.name", "websocket"),
        KeyValue::new("network.transport", "tcp"),
        KeyValue::new("network.peer.address", peer.ip().to_string()),
        port("network.peer.port", peer),
        KeyValue::new("network.local.address", local.ip().to_string()),
        port("network.local.port", local),
        KeyValue::new("url.scheme", if request.secure { "wss" } else { "ws" }),
        KeyValue::new("url.path", short(request.uri.path()).to_owned()),
    ];
    let named = request.headers.get(HOST);
    let named = named.and_then(|host| host.to_str().ok()?.parse().ok());
    if let Some(authority) = request.uri.authority().cloned().or(named) {
        let host = short(authority.host()).to_owned();
        attributes.push(KeyValue::new("server.address", host));
        if let Some(port) = authority.port_u16() {
            attributes.push(KeyValue::new("server.port", i64::from(port)));
        }
    }
    if let Some(program) = text(&request.headers, USER_AGENT.as_str()) {
        attributes.push(KeyValue::new("user_agent.original", program));
    }
    attributes
}

fn of_handshake(request: &Request) -> [KeyValue; 3] {
    let version = match request.version() {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    [
        KeyValue::new(
            "http.request.method",
            short(request.method.as_str()).to_owned(),
        ),
        KeyValue::new("network.protocol.name", "http"),
        KeyValue::new("network.protocol.version", version),
    ]
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(short(value).to_owned())
}

/// As much of a text as is kept.
fn short(text: &str) -> &str {
    let most = text.len().min(MOST_TEXT);
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// The headers that may name a trace.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?.to_str().ok()?;
        (value.len() <= MOST_STATE).then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
