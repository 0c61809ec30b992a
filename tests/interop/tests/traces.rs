//! Traces of connections (`wiretalk serve --otlp`), as OpenTelemetry's own classes read them: the collector is aiohttp and
//! `opentelemetry-proto`, the names of attributes are checked against `opentelemetry-semantic-conventions`, and the trace of a
//! caller is named by `opentelemetry-api`.

use serde_json::Value;
use wiretalk_interop::{Finished, Process, Program, Server, Signal, Stream};

const NODE: &str = "tests/interop/talks/node.talk";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

fn wiretalk(arguments: &[&str]) -> Program {
    let variables = [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SERVICE_NAME",
        "OTEL_TRACES_SAMPLER",
    ];
    let program = Program::wiretalk().args(["serve", "--listen", "127.0.0.1:0"]);
    variables
        .into_iter()
        .fold(program.args(arguments), Program::without_env)
}

fn join(url: &str, arguments: &[&str]) -> Process {
    let client = Program::peer("client.py").arg(url).args(arguments);
    let mut client = client.start();
    client.expect("open");
    client
}

/// The next span that comes to the collector.
fn span(collector: &mut Server) -> Value {
    let span = collector.process.expect("span ");
    serde_json::from_str(&span).unwrap_or_else(|error| panic!("{error}: {span}"))
}

/// Compares attributes of a span; `null` is none.
fn has(span: &Value, expected: &[(&str, Value)]) {
    for (name, value) in expected {
        assert_eq!(span["attributes"][name], *value, "{name} of {span:#}");
    }
    assert_eq!(span["unknown"], Value::Array(Vec::new()), "{span:#}");
}

#[test]
fn a_connection_is_a_span_in_the_trace_of_its_caller() {
    let mut collector = Server::peer("collector.py", &[]);
    let otlp = format!("--otlp={}", collector.origin);
    let server = wiretalk(&[NODE, "--set", "name=a", &otlp]).env(
        "OTEL_RESOURCE_ATTRIBUTES",
        "deployment.environment.name=test",
    );
    let mut server = Server::start(server);
    let caller: Finished = Program::peer("caller.py")
        .args([TRACE, CALLER, "vendor=1"])
        .finish("")
        .with_code(0);
    let headers = caller.out();
    let headers: Vec<&str> = headers
        .lines()
        .flat_map(|line| ["--header", line])
        .collect();
    let mut client = join(&format!("{}/?token=hunter2", server.url()), &headers);
    client.expect("recv: node a");
    client.say("hello");
    client.expect("recv: hello");
    client.say("/close 4001 enough");
    client.expect("closed ");
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.exit_code(), 0);

    let handshake = span(&mut collector);
    let connection = span(&mut collector);
    assert_eq!(handshake["name"], "handshake");
    assert_eq!(handshake["parent"], connection["id"]);
    has(
        &handshake,
        &[
            ("wiretalk.handshake.outcome", "accepted".into()),
            ("http.request.method", "GET".into()),
            ("http.response.status_code", 101.into()),
            ("network.protocol.version", "1.1".into()),
        ],
    );
    assert_eq!(connection["name"], "websocket");
    assert_eq!(connection["kind"], "SPAN_KIND_SERVER");
    assert_eq!(connection["trace"], TRACE);
    assert_eq!(connection["parent"], CALLER);
    assert_eq!(connection["status"], "STATUS_CODE_UNSET");
    assert!(connection["took"].as_u64() > handshake["took"].as_u64());
    let port: u16 = server.port().parse().expect("a port");
    has(
        &connection,
        &[
            ("client.address", "127.0.0.1".into()),
            ("server.port", port.into()),
            ("url.path", "/".into()),
            ("url.query", Value::Null),
            ("wiretalk.close.code", 4001.into()),
            ("wiretalk.close.reason", "enough".into()),
            ("wiretalk.messages.received", 1.into()),
            ("wiretalk.bytes.received", 5.into()),
            ("wiretalk.messages.sent", 2.into()),
            ("wiretalk.bytes.sent", 11.into()),
        ],
    );
    let resource = &connection["resource"];
    assert_eq!(resource["service.name"], "wiretalk");
    assert_eq!(resource["deployment.environment.name"], "test");
    let told = collector.process.output(Stream::Out);
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn a_refusal_is_a_span_with_its_reason() {
    let mut collector = Server::peer("collector.py", &[]);
    // The flag without a value: the environment says where the collector is.
    let server = wiretalk(&["--echo", "--otlp", "--origin", "https://chat.example"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.origin)
        .env("OTEL_SERVICE_NAME", "gate")
        .env("OTEL_BSP_SCHEDULE_DELAY", "50");
    let server = Server::start(server);
    let mut client = Program::peer("client.py")
        .args([&server.url(), "--origin", "https://evil.example"])
        .start();
    let failed = client.expect_on(Stream::Err, "failed ");
    assert!(failed.contains("403"), "{failed}");
    // While the server runs.
    let handshake = span(&mut collector);
    let connection = span(&mut collector);
    for span in [&handshake, &connection] {
        has(
            span,
            &[
                ("wiretalk.refusal.reason", "origin".into()),
                ("error.type", "origin".into()),
                ("http.response.status_code", 403.into()),
            ],
        );
        assert_eq!(span["resource"]["service.name"], "gate");
    }
    has(
        &handshake,
        &[("wiretalk.handshake.outcome", "refused".into())],
    );
    assert_eq!(connection["parent"], "");
}

#[test]
fn an_overloaded_collector_is_asked_again() {
    let mut collector = Server::peer("collector.py", &["--refuse", "1"]);
    let server = wiretalk(&["--echo"])
        .arg(format!("--otlp={}", collector.origin))
        .env("OTEL_BSP_SCHEDULE_DELAY", "50");
    let mut server = Server::start(server);
    drop(join(&server.url(), &[]));
    collector.process.expect("refused 503");
    has(&span(&mut collector), &[]);
    has(&span(&mut collector), &[]);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.exit_code(), 0);
    let log = server.process.output(Stream::Out);
    assert!(!log.contains("no traces"), "{log}");
}

#[test]
fn a_dead_collector_is_told_of_once_and_holds_nobody_up() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let server = wiretalk(&["--echo", "--admin=0"])
        .arg(format!("--otlp=http://{address}"))
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
        .env("OTEL_BSP_SCHEDULE_DELAY", "50");
    let mut server = Server::start(server);
    let admin = server.process.expect("admin at ");
    for visit in 0..3 {
        let mut client = join(&server.url(), &[]);
        client.say("hello");
        client.expect("recv: hello");
        client.end_input();
        client.expect("closed ");
        if visit == 0 {
            server.process.expect("no traces");
        }
    }
    let page = Program::curl().arg(format!("{admin}/metrics")).finish("");
    let page = page.with_code(0).out();
    assert!(
        page.contains("wiretalk_spans_total{outcome=\"failed\"}"),
        "{page}"
    );
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.exit_code(), 0);
    let log = server.process.output(Stream::Out);
    // Once while it runs, and once at the end.
    assert_eq!(log.matches("no traces").count(), 2, "{log}");
    assert!(log.contains("6 spans never came to the collector"), "{log}");
}

#[test]
fn a_collector_that_cannot_be_is_refused_at_the_start() {
    for (url, says) in [
        ("grpc://127.0.0.1:4317", "it begins with http://"),
        ("http://me:hunter2@127.0.0.1", "OTEL_EXPORTER_OTLP_HEADERS"),
    ] {
        let refused = wiretalk(&["--echo", &format!("--otlp={url}")]).finish("");
        let refused = refused.with_code(2);
        assert!(refused.err().contains(says), "{}", refused.err());
        assert!(!refused.err().contains("hunter2"), "{}", refused.err());
    }
}
