//! How a server is run: its numbers, its readiness, its capacity, and how it drains.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{SOON, setup, talk};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use wiretalk_engine::serve::admin::{Admin, AdminError};
use wiretalk_engine::serve::{
    Admission, Capacity, Echo, Event, Metrics, Mock, Observer, Operation, Options, Performance,
    Place, Server, Shared, Stop,
};
use wiretalk_net::{CloseCode, ErrorKind, WebSocket};
use wiretalk_server::guard::{Guard, GuardOptions, Limit, Rate, Tokens};

const CHAT: &str = "\
on open
  join lobby
on >any
  <echo
";

/// Keeps the reasons of refusals.
#[derive(Default)]
struct Reasons(Mutex<Vec<(u16, &'static str)>>);

impl Observer for Reasons {
    fn event(&self, event: &Event<'_>) {
        if let Event::Refused { status, reason, .. } = event {
            let mut reasons = self.0.lock().expect("no test panicked");
            reasons.push((*status, reason));
        }
    }
}

struct Running {
    url: String,
    admin: String,
    operation: Arc<Operation>,
    reasons: Arc<Reasons>,
    stop: Option<oneshot::Sender<Stop>>,
    serving: JoinHandle<()>,
    telling: JoinHandle<()>,
}

/// What is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Talk,
    Echo,
}

const BOTH: [What; 2] = [What::Talk, What::Echo];

impl Running {
    async fn start(what: What, capacity: Option<Capacity>) -> Self {
        let operation = Arc::new(Operation {
            metrics: Some(Metrics::new()),
            capacity,
            ..Operation::default()
        });
        let options = Options {
            operation: Arc::clone(&operation),
            ..Options::default()
        };
        let reasons = Arc::new(Reasons::default());
        let server = Server::bind("127.0.0.1:0", None).await.expect("a port");
        let url = format!("ws://{}", server.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel();
        let stopped = async { stopped.await.unwrap_or(Stop::Now) };
        let observer = Arc::clone(&reasons) as Arc<dyn Observer>;
        let serving = match what {
            What::Echo => {
                let echo = Echo::new(&options, observer, false);
                tokio::spawn(echo.serve(server, stopped))
            }
            What::Talk => {
                let performance = Performance {
                    plan: talk(CHAT),
                    test: None,
                    setup: setup(),
                    place: Place::default(),
                };
                let shared = Shared::new(options, observer);
                let mock = Mock::new(&shared, performance).expect("a mock");
                tokio::spawn(mock.serve(server, stopped))
            }
        };
        let admin = Admin::bind("127.0.0.1:0", None).await.expect("a port");
        let url_of_admin = admin.url();
        let telling = tokio::spawn(admin.serve(Arc::clone(&operation), std::future::pending()));
        Self {
            url,
            admin: url_of_admin,
            operation,
            reasons,
            stop: Some(stop),
            serving,
            telling,
        }
    }

    async fn join(&self) -> WebSocket {
        let (socket, _) = wiretalk_net::connect(&*self.url).await.expect("a place");
        socket
    }

    async fn get(&self, path: &str) -> (u16, String, String) {
        get(&self.admin, path, &["Host: localhost"]).await
    }

    /// The numbers of `/metrics`.
    async fn numbers(&self) -> BTreeMap<String, f64> {
        let (status, head, page) = self.get("/metrics").await;
        assert_eq!(status, 200);
        assert!(head.contains("application/openmetrics-text"), "{head}");
        assert!(page.ends_with("# EOF\n"), "{page}");
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').expect("a name and a value");
                (name.to_owned(), value.parse().expect("a number"))
            })
            .collect()
    }

    /// Waits until a number is as it should be: a connection's end is seen by its client first.
    async fn until(&self, name: &str, value: f64) {
        let looking = async {
            while self.numbers().await.get(name) != Some(&value) {
                tokio::task::yield_now().await;
            }
        };
        if timeout(SOON, looking).await.is_err() {
            panic!("{name} is not {value}: {:#?}", self.numbers().await);
        }
    }

    fn refusals(&self) -> Vec<(u16, &'static str)> {
        std::mem::take(&mut self.reasons.0.lock().expect("no test panicked"))
    }

    fn stop(&mut self, stop: Stop) {
        let sent = self.stop.take().expect("it runs").send(stop);
        sent.expect("it listens");
    }

    async fn end(self) {
        drop(self.stop);
        timeout(SOON, self.serving)
            .await
            .expect("an end in time")
            .expect("no panic");
        self.telling.abort();
    }
}

const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Asks on a connection that stays, and gives the head of the answer, with some of its body.
async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is taken");
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = timeout(SOON, stream.read_buf(&mut answer)).await;
        assert_ne!(read.expect("in time").expect("an answer"), 0);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(url: &str, path: &str, headers: &[&str]) -> (u16, String, String) {
    let authority = url.strip_prefix("http://").expect("http");
    let mut stream = TcpStream::connect(authority).await.expect("a connection");
    let mut request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(&format!("{header}\r\n"));
    }
    request.push_str("\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is taken");
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer))
        .await
        .expect("an answer in time")
        .expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    let status = head[9..12].parse().expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

fn body_of(body: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(body)
}

async fn echoed(socket: &mut WebSocket, text: &str) {
    socket.send(text).await.expect("it is taken");
    let back = timeout(SOON, socket.recv()).await.expect("in time");
    assert_eq!(back.transpose().expect("no error"), Some(text.into()));
}

#[tokio::test]
async fn the_numbers_are_those_of_what_happened() {
    for what in BOTH {
        let server = Running::start(what, None).await;
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(server.join().await);
        }
        for client in &mut clients {
            echoed(client, "hello").await;
        }
        let (_, head, _) = get(&server.url.replace("ws:", "http:"), "/", &["Host: x"]).await;
        assert!(head.contains("426"), "{head}");
        let bad = ["Host: x", "Upgrade: websocket", "Connection: upgrade"];
        get(&server.url.replace("ws:", "http:"), "/", &bad).await;

        server.until("wiretalk_connections_active", 3.0).await;
        clients
            .pop()
            .expect("one")
            .close(CloseCode::new(4001), "enough")
            .await
            .expect("it is taken");
        server.until("wiretalk_connections_active", 2.0).await;
        let numbers = server.numbers().await;
        let expected = [
            ("wiretalk_connections_total", 3.0),
            ("wiretalk_messages_total{direction=\"received\"}", 3.0),
            ("wiretalk_messages_total{direction=\"sent\"}", 3.0),
            ("wiretalk_message_bytes_total{direction=\"received\"}", 15.0),
            ("wiretalk_message_bytes_total{direction=\"sent\"}", 15.0),
            ("wiretalk_connections_closed_total{code=\"4001\"}", 1.0),
            ("wiretalk_connection_duration_seconds_count", 1.0),
            (
                "wiretalk_handshakes_refused_total{reason=\"handshake\"}",
                1.0,
            ),
            ("wiretalk_http_requests_total", 1.0),
            ("wiretalk_rooms", f64::from(u8::from(what == What::Talk))),
            ("wiretalk_ready", 1.0),
            ("wiretalk_draining", 0.0),
        ];
        for (name, value) in expected {
            assert_eq!(
                numbers.get(name),
                Some(&value),
                "{what:?} {name}: {numbers:#?}"
            );
        }
        for name in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
            "wiretalk_build_info{version=\"0.1.0\"}",
        ] {
            assert!(numbers[name] > 0.0, "{name}");
        }
        assert!(numbers.contains_key("process_cpu_seconds_total"));
        assert_eq!(server.refusals(), [(426, "handshake")]);
        // The first delivery is measured, and maybe others.
        let measured = numbers["wiretalk_delivery_duration_seconds_count"];
        assert_eq!(measured > 0.0, what == What::Talk, "{measured}");
        let last = "wiretalk_delivery_duration_seconds_bucket{le=\"+Inf\"}";
        assert_eq!(numbers[last], measured);
        drop(clients);
        server.until("wiretalk_connections_active", 0.0).await;
        server.until("wiretalk_rooms", 0.0).await;
        server.end().await;
    }
}

#[tokio::test]
async fn the_clients_are_listed() {
    for what in BOTH {
        let server = Running::start(what, None).await;
        let url = format!("{}/some/path?token=secret", server.url);
        let (mut one, _) = wiretalk_net::connect(url).await.expect("a place");
        echoed(&mut one, "hello").await;
        let mut two = server.join().await;
        echoed(&mut two, "a").await;
        let (status, head, body) = server.get("/admin/clients").await;
        assert_eq!(status, 200, "{head}");
        assert!(!body.contains("secret"), "{body}");
        let told: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(told["count"], 2);
        let clients = told["clients"].as_array().expect("a list");
        assert_eq!(clients.len(), 2);
        let passed = serde_json::json!({"messages": 1, "bytes": 5});
        assert_eq!(
            (&clients[0]["received"], &clients[0]["sent"]),
            (&passed, &passed)
        );
        assert_eq!(clients[0]["path"], "/some/path?token=…");
        let address = clients[0]["address"].as_str().expect("a text");
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        let (_, _, body) = server.get("/admin/clients?after=1&limit=5").await;
        let told: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(told["clients"].as_array().map(Vec::len), Some(1));
        assert_eq!(told["clients"][0]["id"], 2);
        let (status, _, body) = server.get("/admin/clients?limit=x").await;
        assert_eq!(status, 400, "{body}");
        server.end().await;
    }
}

#[tokio::test]
async fn who_may_ask() {
    let operation = Arc::new(Operation::default());
    let token = "a-token-of-some-length";
    let open = Admin::bind("127.0.0.1:0", None).await.expect("a port");
    let closed = Admin::bind("0.0.0.0:0", Some(token.to_owned()))
        .await
        .expect("a port");
    assert!(!format!("{closed:?}").contains(token), "{closed:?}");
    let of_closed = closed.url().replace("0.0.0.0", "127.0.0.1");
    let urls = [open.url(), of_closed];
    let mut tasks = JoinSet::new();
    for admin in [open, closed] {
        tasks.spawn(admin.serve(Arc::clone(&operation), std::future::pending()));
    }
    let bearer = format!("Authorization: Bearer {token}");
    let wrong = "Authorization: Bearer a-token-of-some-lengtH";
    let local = "Host: 127.0.0.1:9090";
    let far = "Host: example.com";
    let origin = "Origin: http://127.0.0.1";
    for path in ["/metrics", "/admin/clients"] {
        for (at, headers, status) in [
            (0, &[local][..], 200),
            (0, &[far], 403),
            (0, &[local, origin], 403),
            (1, &[far, &bearer], 200),
            (1, &[local], 401),
            (1, &[local, wrong], 401),
            (1, &[local, &bearer, origin], 403),
        ] {
            let (got, ..) = get(&urls[at], path, headers).await;
            assert_eq!(got, status, "{path} {at} {headers:?}");
        }
    }
    // Whoever balances load brings no token.
    for url in &urls {
        for (path, status) in [("/health", 200), ("/ready", 200), ("/", 404), ("/x", 404)] {
            let (got, ..) = get(url, path, &[far]).await;
            assert_eq!(got, status, "{path}");
        }
    }
    let needs = Admin::bind("0.0.0.0:0", None).await.expect_err("no token");
    assert!(matches!(needs, AdminError::NeedsToken(_)), "{needs}");
    let short = Admin::bind("127.0.0.1:0", Some("short".to_owned())).await;
    assert!(matches!(short, Err(AdminError::Token)));
}

#[tokio::test]
async fn it_is_ready_when_nothing_holds_it_up() {
    let server = Running::start(What::Talk, None).await;
    let readiness = &server.operation.readiness;
    readiness.hold_up("the backplane");
    let (status, _, body) = server.get("/ready").await;
    assert_eq!(status, 503);
    assert!(body.contains("not ready yet: the backplane"), "{body}");
    assert_eq!(server.numbers().await["wiretalk_ready"], 0.0);
    let (status, ..) = server.get("/health").await;
    assert_eq!(status, 200);
    readiness.release("the backplane");
    let (status, ..) = server.get("/ready").await;
    assert_eq!(status, 200);
    server.end().await;
}

#[tokio::test]
async fn a_full_server_refuses_for_now() {
    for what in BOTH {
        let server = Running::start(what, Some(Capacity::new(2))).await;
        let one = server.join().await;
        let mut two = server.join().await;
        let full = wiretalk_net::connect(&*server.url).await.expect_err("full");
        let refusal = full.refusal().expect("a refusal");
        assert_eq!(refusal.response.status, 503);
        let again = refusal.response.headers.get("retry-after");
        assert_eq!(again, Some(&b"5"[..]), "{refusal:?}");
        assert!(
            body_of(&refusal.body).contains("all 2 places are taken"),
            "{refusal:?}"
        );
        assert_eq!(server.refusals(), [(503, "capacity")]);
        let numbers = server.numbers().await;
        assert_eq!(numbers["wiretalk_connections_limit"], 2.0);
        let refused = "wiretalk_handshakes_refused_total{reason=\"capacity\"}";
        assert_eq!(numbers[refused], 1.0);
        drop(one);
        server.until("wiretalk_connections_active", 1.0).await;
        // The place is free a moment later than the client is told gone.
        let mut three = loop {
            match wiretalk_net::connect(&*server.url).await {
                Ok((socket, _)) => break socket,
                Err(error) => assert!(error.refusal().is_some(), "{error}"),
            }
        };
        echoed(&mut two, "two").await;
        echoed(&mut three, "three").await;
        server.end().await;
    }
}

#[tokio::test]
async fn newcomers_wait_for_a_place_in_the_order_of_their_coming() {
    for what in BOTH {
        let capacity = Capacity::new(1).with_queue(3, SOON);
        let server = Running::start(what, Some(capacity)).await;
        let mut inside = server.join().await;
        let mut waiting = Vec::new();
        for number in 1..=3 {
            let url = server.url.clone();
            waiting.push(tokio::spawn(async move {
                wiretalk_net::connect(url).await.map(|(socket, _)| socket)
            }));
            server
                .until("wiretalk_connections_waiting", f64::from(number))
                .await;
        }
        let full = wiretalk_net::connect(&*server.url).await.expect_err("full");
        let refusal = full.refusal().expect("a refusal");
        assert_eq!(refusal.response.status, 503);
        assert!(
            body_of(&refusal.body).contains("3 wait for a place already"),
            "{refusal:?}"
        );
        // One that gives up leaves the queue.
        waiting.remove(1).abort();
        server.until("wiretalk_connections_waiting", 2.0).await;
        for (left, next) in [1.0, 0.0].into_iter().zip(waiting) {
            echoed(&mut inside, "here").await;
            assert!(!next.is_finished());
            drop(inside);
            let next = timeout(SOON, next)
                .await
                .expect("in time")
                .expect("no panic");
            inside = next.expect("a place");
            server.until("wiretalk_connections_waiting", left).await;
        }
        echoed(&mut inside, "here").await;
        server.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_are_drained_step_by_step() {
    const CLIENTS: usize = 1000;
    const WITHIN: Duration = Duration::from_secs(2);
    for what in BOTH {
        let mut server = Running::start(what, None).await;
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let mut socket = server.join().await;
            clients.spawn(async move {
                assert_eq!(socket.recv().await.map(|got| got.is_ok()), None);
                let frame = socket.close_frame().expect("a close frame");
                (Instant::now(), frame.code.as_u16(), frame.reason.clone())
            });
        }
        server
            .until("wiretalk_connections_active", CLIENTS as f64)
            .await;
        let mut early = TcpStream::connect(&server.url[5..])
            .await
            .expect("a connection");
        let answer = ask(&mut early, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        let began = Instant::now();
        server.stop(Stop::Drain(WITHIN));
        let draining = async {
            while !server.operation.readiness.is_draining() {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, draining).await.expect("it drains");
        let (status, _, body) = server.get("/ready").await;
        assert_eq!(status, 503);
        assert!(body.contains("draining"), "{body}");
        let refused = wiretalk_net::connect(&*server.url)
            .await
            .expect_err("no more");
        assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
        // A connection that was there before is told.
        let answer = ask(&mut early, HANDSHAKE).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.to_lowercase().contains("retry-after: 5"), "{answer}");
        assert_eq!(server.refusals(), [(503, "draining")]);

        let mut ends = Vec::new();
        while let Some(end) = clients.join_next().await {
            let (when, code, reason) = end.expect("no panic");
            assert_eq!(
                (code, &*reason),
                (1012, "the server restarts: connect again")
            );
            ends.push(when - began);
        }
        ends.sort_unstable();
        assert_eq!(ends.len(), CLIENTS);
        // Spread: so many go no sooner than their share of the time is over, give or take a tenth.
        for (gone, end) in ends.iter().enumerate() {
            let share = WITHIN.mul_f64(gone as f64 / CLIENTS as f64);
            let soonest = share.saturating_sub(WITHIN / 10);
            assert!(*end >= soonest, "{what:?}: {gone} were gone after {end:?}");
        }
        server.until("wiretalk_connections_active", 0.0).await;
        let numbers = server.numbers().await;
        let code = "wiretalk_connections_closed_total{code=\"1012\"}";
        assert_eq!(numbers[code], CLIENTS as f64);
        assert_eq!(numbers["wiretalk_rooms"], 0.0);
        server.end().await;
    }
}

#[tokio::test]
async fn who_waits_for_a_place_gets_none_that_a_drain_has_made_free() {
    for what in BOTH {
        let capacity = Capacity::new(1).with_queue(1, SOON);
        let mut server = Running::start(what, Some(capacity)).await;
        let mut inside = server.join().await;
        let url = server.url.clone();
        let waiting = tokio::spawn(async move { wiretalk_net::connect(&*url).await.map(drop) });
        server.until("wiretalk_connections_waiting", 1.0).await;
        server.stop(Stop::Drain(Duration::from_millis(100)));
        assert_eq!(inside.recv().await.map(|got| got.is_ok()), None);
        let refused = timeout(SOON, waiting).await.expect("in time");
        let refused = refused.expect("no panic").expect_err("no place");
        let refusal = refused.refusal().expect("an answer");
        assert_eq!(refusal.response.status, 503);
        assert_eq!(server.refusals(), [(503, "draining")]);
        server.end().await;
    }
}

#[tokio::test]
async fn what_a_talk_answers_to_plain_requests_needs_the_token_as_well() {
    let guard = Guard::new(GuardOptions {
        tokens: Some(Tokens::default().known("s3cret")),
        connection: Limit {
            messages: Rate::new(1.0, None),
            bytes: None,
        },
        ..GuardOptions::default()
    });
    let admission = Admission {
        guard,
        ..Admission::default()
    };
    let options = Options {
        operation: Arc::new(Operation {
            metrics: Some(Metrics::new()),
            admission: Arc::new(admission),
            ..Operation::default()
        }),
        ..Options::default()
    };
    let server = common::serve(
        &talk("on GET /rooms\n  HTTP 200\n    | secret\non > {{_}}\n  <echo\n"),
        options,
    )
    .await;
    let url = server.url.replacen("ws://", "http://", 1);
    let url = url.trim_end_matches('/');
    let host = "Host: localhost";
    let (status, head, body) = get(url, "/rooms", &[host]).await;
    assert_eq!(status, 401, "{body}");
    assert!(!body.contains("secret"), "{body}");
    assert!(
        head.to_lowercase().contains("www-authenticate: bearer"),
        "{head}"
    );
    let (status, _, body) = get(url, "/rooms", &[host, "Authorization: Bearer s3cret"]).await;
    assert_eq!((status, body.contains("secret")), (200, true), "{body}");
    // What everybody may know stays open.
    let (status, _, _) = get(url, "/other", &[host]).await;
    assert_eq!(status, 426);
    server.stop().await;
}
