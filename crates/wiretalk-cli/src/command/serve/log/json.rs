//! The log as lines of JSON, for programs: `time`, `level`, `event`, and what belongs to the event.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use wiretalk_engine::record::without_query_values;
use wiretalk_engine::report::describe_mismatch;
use wiretalk_engine::serve::{ClientId, Event, HubEvent, Recipient};
use wiretalk_talk::{Source, Span};

use super::{came, goes};

/// A line about an event.
pub(super) fn line(event: &Event<'_>) -> String {
    let (level, name, fields) = told(event);
    write(level, name, fields)
}

/// A line of words.
pub(super) fn words(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    write("info", "note", json!({"message": text.trim_start()}))
}

fn write(level: &str, event: &str, fields: Value) -> String {
    let time = format!("{:.3}", jiff::Timestamp::now());
    let mut line = Map::new();
    line.insert("time".to_owned(), time.into());
    line.insert("level".to_owned(), level.into());
    line.insert("event".to_owned(), event.into());
    if let Value::Object(fields) = fields {
        line.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
    Value::Object(line).to_string()
}

fn told(event: &Event<'_>) -> (&'static str, &'static str, Value) {
    match event {
        Event::Connected {
            client,
            peer,
            target,
            subprotocol,
            extensions,
            clients,
        } => {
            let fields = json!({
                "client": client.0, "address": address(peer), "path": path(target), "subprotocol": subprotocol,
                "extensions": extensions, "clients": clients,
            });
            ("info", "connected", fields)
        }
        Event::Left {
            client,
            peer,
            target,
            code,
            why,
            after,
            traffic,
            clients,
        } => {
            let fields = json!({
                "client": client.0, "address": address(peer), "path": path(target), "code": code, "reason": why,
                "seconds": after.as_secs_f64(), "messages_received": traffic.received.messages,
                "bytes_received": traffic.received.bytes, "messages_sent": traffic.sent.messages,
                "bytes_sent": traffic.sent.bytes, "clients": clients,
            });
            ("info", "left", fields)
        }
        Event::Refused {
            peer,
            target,
            status,
            reason,
            why,
        } => {
            let fields = json!({
                "address": address(peer), "path": (!target.is_empty()).then(|| path(target)), "status": status,
                "reason": reason, "why": why,
            });
            ("warn", "refused", fields)
        }
        Event::KeptOut {
            peer,
            reason,
            why,
            times,
        } => {
            let fields = json!({
                "address": address(peer), "reason": reason, "why": why, "times": times,
            });
            ("warn", "kept_out", fields)
        }
        Event::Http {
            peer,
            method,
            target,
            status,
        } => {
            let fields = json!({
                "address": address(peer), "method": method, "path": path(target), "status": status,
            });
            ("info", "http", fields)
        }
        Event::Received { client, what } => (
            "debug",
            "received",
            json!({"client": client.0, "what": came(what)}),
        ),
        Event::Sent { to, what, .. } => {
            let (to, clients) = match to {
                Recipient::One(client) => (json!({"client": client.0}), 1),
                Recipient::All(count) => (json!("all"), *count),
                Recipient::Others(client, count) => (json!({"all_but": client.0}), *count),
                Recipient::Room(room, count) => (json!({"room": room}), *count),
                Recipient::User(user, count) => (json!({"user": user}), *count),
            };
            let fields = json!({"to": to, "receivers": clients, "what": goes(what)});
            ("debug", "sent", fields)
        }
        Event::JoinedRoom { client, room } => {
            ("debug", "joined", json!({"client": client.0, "room": room}))
        }
        Event::LeftRoom { client, room } => (
            "debug",
            "left_room",
            json!({"client": client.0, "room": room}),
        ),
        Event::Identified { client, user } => (
            "debug",
            "identified",
            json!({"client": client.0, "user": user}),
        ),
        Event::Kept { room, value } => {
            ("debug", "kept", json!({"room": room, "what": goes(value)}))
        }
        Event::Unmatched {
            client,
            source,
            nearest,
        } => {
            let nearest = nearest.map(|(span, why)| {
                let why = describe_mismatch(why);
                json!({"line": place(source, span), "why": why})
            });
            let fields = json!({"client": client.0, "nearest": nearest});
            ("warn", "unmatched", fields)
        }
        Event::Problem {
            source,
            span,
            client,
            what,
        } => {
            let client = client.map(|client: ClientId| client.0);
            let fields = json!({"client": client, "line": place(source, *span), "what": what});
            ("error", "problem", fields)
        }
        Event::TooSlow { client } => ("warn", "too_slow", json!({"client": client.0})),
        Event::Expelled { client, why } => (
            "warn",
            "expelled",
            json!({"client": client.0, "code": why.code, "reason": why.kind, "why": why.reason}),
        ),
        Event::NoKeys { why } => ("error", "no_keys", json!({"why": why})),
        Event::ConnectionFailed { peer, why } => (
            "warn",
            "failed",
            json!({"address": address(peer), "why": why}),
        ),
        Event::Backplane { path, what } => match what {
            HubEvent::Up => ("info", "backplane_up", json!({"path": path})),
            HubEvent::Ready => ("info", "backplane_ready", json!({"path": path})),
            HubEvent::Down { why } => {
                ("error", "backplane_down", json!({"path": path, "why": why}))
            }
            HubEvent::Lost { count } => ("error", "lost", json!({"path": path, "count": count})),
            // What a later version of the hub may tell.
            other => (
                "info",
                "backplane",
                json!({"path": path, "what": format!("{other:?}")}),
            ),
        },
        Event::TracesLost { why } => ("error", "no_traces", json!({"why": why})),
        Event::TracesTaken => ("info", "traces", json!({})),
        Event::AcceptFailed { why } => ("error", "cannot_accept", json!({"why": why})),
    }
}

fn address(peer: &SocketAddr) -> String {
    peer.to_string()
}

/// Without the values of the query: they may be secrets.
fn path(target: &str) -> String {
    without_query_values(target)
}

fn place(source: &Source, span: Span) -> String {
    let line = source.position(span.start).0;
    format!("{}:{line}", source.name())
}
