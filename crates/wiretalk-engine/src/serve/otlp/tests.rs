use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::SpanData;
use wiretalk_net::server::{Listener, Reply, ServeOptions, serve_connection};
use wiretalk_net::{Connector, Request as Dial};

use super::*;
use crate::serve::{Echo, Operation, Options, Server};

/// The endpoint that is given, what the two variables say, and what comes of it.
#[test]
fn the_collector_is_found() {
    for (given, traces, all, expected) in [
        (None, None, None, Ok("http://localhost:4318/v1/traces")),
        (
            Some("http://a:1"),
            Some("http://b"),
            Some("http://c"),
            Ok("http://a:1/v1/traces"),
        ),
        (
            Some("https://a/otlp/"),
            None,
            None,
            Ok("https://a/otlp/v1/traces"),
        ),
        (
            Some("http://a/v1/traces"),
            None,
            None,
            Ok("http://a/v1/traces"),
        ),
        (
            None,
            Some("http://b/here"),
            Some("http://c"),
            Ok("http://b/here"),
        ),
        (
            None,
            Some(""),
            Some("http://c/x?key=1"),
            Ok("http://c/x/v1/traces?key=1"),
        ),
        (Some("a:1"), None, None, Err("it begins with http://")),
        (Some("chat.talk"), None, None, Err("this is no URL")),
        (
            Some("http://me:hunter2@a"),
            None,
            None,
            Err("OTEL_EXPORTER_OTLP_HEADERS"),
        ),
        (None, None, Some("grpc://c"), Err("it begins with http://")),
    ] {
        let variable = |name: &str| {
            let value = if name == VARIABLES.0 { traces } else { all };
            value.map(str::to_owned)
        };
        let found = endpoint(given, variable);
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(says)) => {
                let error = error.to_string();
                assert!(error.contains(says), "{given:?}: {error}");
                assert!(!error.contains("hunter2"), "{error}");
            }
            _ => panic!("{given:?}, {traces:?}, {all:?}: {found:?}"),
        }
    }
}

/// Keeps what is exported; does not take it while it is `down`.
#[derive(Clone, Debug, Default)]
struct Kept {
    spans: Arc<Mutex<Vec<SpanData>>>,
    down: Arc<Mutex<bool>>,
}

impl Export for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        if *self.down.lock().unwrap() {
            return Err(OTelSdkError::InternalFailure("it is down".to_owned()));
        }
        self.spans.lock().unwrap().extend(batch);
        Ok(())
    }
}

/// Keeps what is told of traces.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        let told = match event {
            Event::TracesLost { why } => format!("lost: {why}"),
            Event::TracesTaken => "taken".to_owned(),
            _ => return,
        };
        self.0.lock().unwrap().push(told);
    }
}

fn otlp(kept: &Kept) -> (Arc<Otlp>, Arc<Told>) {
    let told = Arc::new(Told::default());
    let watch = Arc::new(Watch::new(Arc::clone(&told) as _));
    let otlp = Otlp::with(kept.clone(), watch, DEFAULT.to_owned());
    (Arc::new(otlp), told)
}

/// Lets a client come to an echo server with these headers, send a message, and close; gives the spans.
async fn visit(headers: &[(&str, &str)]) -> Vec<SpanData> {
    let kept = Kept::default();
    let (otlp, _) = otlp(&kept);
    let operation = Arc::new(Operation {
        tracer: Some(Arc::clone(&otlp) as _),
        ..Operation::default()
    });
    let options = Options {
        operation,
        ..Options::default()
    };
    let told = Arc::new(Told::default());
    let echo = Echo::new(&options, told, false);
    let server = Server::bind("127.0.0.1:0", None).await.unwrap();
    let address = server.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(echo.serve(server, async {
        let _ = stopped.await;
    }));
    let mut dial = Dial::new(format!("ws://{address}/chat?token=hunter2"));
    for (name, value) in headers {
        dial.headers.push(((*name).into(), (*value).into()));
    }
    let (mut socket, _) = Connector::new().connect(&dial).await.unwrap();
    socket.send("hello").await.unwrap();
    socket.recv().await.unwrap().unwrap();
    socket
        .close(wiretalk_net::CloseCode::new(4001), "enough")
        .await
        .unwrap();
    while let Ok(Some(_)) = socket.next_event().await {}
    drop(stop);
    serving.await.unwrap();
    otlp.end(Duration::from_secs(5)).await;
    let spans = kept.spans.lock().unwrap();
    spans.clone()
}

fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    let attributes = span.attributes.iter();
    attributes
        .map(|attribute| (attribute.key.to_string(), attribute.value.to_string()))
        .collect()
}

#[tokio::test]
async fn a_connection_is_a_span_with_its_handshake_in_it() {
    let spans = visit(&[]).await;
    let [handshake, connection] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert_eq!(
        (&*handshake.name, &*connection.name),
        ("handshake", "websocket")
    );
    assert_eq!(connection.span_kind, SpanKind::Server);
    assert_eq!(handshake.parent_span_id, connection.span_context.span_id());
    assert!(!handshake.parent_span_is_remote);
    let (of_handshake, of_connection) = (attributes(handshake), attributes(connection));
    for (name, value) in [
        ("wiretalk.handshake.outcome", "accepted"),
        ("http.response.status_code", "101"),
        ("network.protocol.version", "1.1"),
    ] {
        assert_eq!(of_handshake[name], value, "{of_handshake:?}");
    }
    for (name, value) in [
        ("client.address", "127.0.0.1"),
        ("url.path", "/chat"),
        ("url.scheme", "ws"),
        ("server.address", "127.0.0.1"),
        ("wiretalk.close.code", "4001"),
        ("wiretalk.close.reason", "enough"),
        ("wiretalk.messages.received", "1"),
        ("wiretalk.bytes.received", "5"),
        ("wiretalk.messages.sent", "1"),
        ("wiretalk.bytes.sent", "5"),
    ] {
        assert_eq!(of_connection[name], value, "{of_connection:?}");
    }
    assert_eq!(connection.status, Status::Unset);
    assert!(!format!("{spans:?}").contains("hunter2"));
}

#[tokio::test]
async fn the_trace_of_the_caller_goes_on() {
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let spans = visit(&[("traceparent", caller), ("tracestate", "vendor=1")]).await;
    for span in &spans {
        let context = &span.span_context;
        assert_eq!(
            context.trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(context.trace_state().header(), "vendor=1");
    }
    assert_eq!(spans[1].parent_span_id.to_string(), "b7ad6b7169203331");
    assert!(spans[1].parent_span_is_remote);
}

#[tokio::test]
async fn what_is_no_trace_begins_a_new_one_and_what_is_not_sampled_none() {
    let long = format!("vendor={}", "x".repeat(600));
    let spans = visit(&[("traceparent", "00-0-0-01"), ("tracestate", &long)]).await;
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[1].parent_span_id.to_string(), "0000000000000000");
    assert_eq!(spans[1].span_context.trace_state().header(), "");
    let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    assert_eq!(visit(&[("traceparent", unsampled)]).await, []);
}

/// A span in each of so many traces.
fn make(otlp: &Otlp, count: usize) {
    use opentelemetry::trace::Tracer as _;
    for _ in 0..count {
        drop(otlp.tracer.start("one"));
    }
}

#[tokio::test]
async fn a_dead_collector_is_told_of_once_and_counted() {
    let kept = Kept::default();
    let (otlp, told) = otlp(&kept);
    *kept.down.lock().unwrap() = true;
    for _ in 0..2 {
        make(&otlp, 3);
        // It says that it could not.
        let _ = otlp.provider.force_flush();
    }
    assert_eq!(told.0.lock().unwrap().len(), 1);
    *kept.down.lock().unwrap() = false;
    make(&otlp, 2);
    otlp.end(Duration::from_secs(5)).await;
    let counts = SpanCounts {
        exported: 2,
        failed: 6,
        ..SpanCounts::default()
    };
    assert_eq!(otlp.counts(), counts);
    let told = told.0.lock().unwrap();
    assert!(told[0].contains("it is down"), "{told:?}");
    assert_eq!(told[1], "taken");
    assert!(told[2].contains("6 spans never came"), "{told:?}");
    assert_eq!(told.len(), 3);
}

/// Takes nothing until it may, and holds up its thread meanwhile.
#[derive(Debug)]
struct Stuck(Arc<Mutex<()>>);

impl Export for Stuck {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        drop(self.0.lock().unwrap());
        Ok(())
    }
}

#[tokio::test]
async fn what_waits_has_a_bound() {
    let gate = Arc::new(Mutex::new(()));
    let watch = Arc::new(Watch::new(Arc::new(Told::default())));
    let otlp = Otlp::with(Stuck(Arc::clone(&gate)), watch, DEFAULT.to_owned());
    let closed = gate.lock().unwrap();
    make(&otlp, 10_000);
    let counts = otlp.counts();
    assert_eq!((counts.waiting, counts.dropped), (8192, 10_000 - 8192));
    drop(closed);
    otlp.end(Duration::from_secs(30)).await;
    assert_eq!(otlp.counts().exported, 8192);
}

#[tokio::test]
async fn an_answer_that_is_a_refusal_is_told_with_its_status() {
    let listener = Listener::bind("127.0.0.1:0", None).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok(incoming) = listener.accept().await {
            let refuse = async |_| Reply::text(403, "no");
            tokio::spawn(serve_connection(incoming, ServeOptions::default(), refuse));
        }
    });
    let told = Arc::new(Told::default());
    let otlp = Otlp::start(Some(&url), Arc::clone(&told) as _).unwrap();
    make(&otlp, 1);
    otlp.end(Duration::from_secs(10)).await;
    let told = told.0.lock().unwrap();
    assert!(told[0].contains("403"), "{told:?}");
}
