//! What newcomers may cost before they are clients, and what pings cost.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::SOON;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wiretalk_engine::serve::{
    Admission, Echo, Event, Metrics, Newcomers, Observer, Operation, Options, Server,
};
use wiretalk_net::WebSocket;
use wiretalk_server::guard::{Guard, GuardOptions, Limit, Networks, Rate, TokenFrom, Tokens};

/// Keeps what is told of those who do not get in, or have to leave.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        let line = match event {
            Event::Refused { status, reason, .. } => format!("refused {status} {reason}"),
            Event::Expelled { why, .. } => format!("expelled {} {}", why.code, why.kind),
            Event::KeptOut { reason, times, .. } => format!("kept out {reason}, {times}"),
            _ => return,
        };
        self.0.lock().expect("no test panicked").push(line);
    }
}

/// An echo server.
struct Served {
    url: String,
    operation: Arc<Operation>,
    told: Arc<Told>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Served {
    async fn start(admission: Admission) -> Self {
        Self::with(admission, Newcomers::default()).await
    }

    async fn with(admission: Admission, newcomers: Newcomers) -> Self {
        let operation = Arc::new(Operation {
            metrics: Some(Metrics::new()),
            newcomers,
            admission: Arc::new(admission),
            ..Operation::default()
        });
        let options = Options {
            operation: Arc::clone(&operation),
            ..Options::default()
        };
        let told = Arc::new(Told::default());
        let echo = Echo::new(&options, Arc::clone(&told) as Arc<dyn Observer>, false);
        let server = Server::bind("127.0.0.1:0", None).await.expect("a port");
        let url = format!("ws://{}", server.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(echo.serve(server, async {
            let _ = stopped.await;
        }));
        Self {
            url,
            operation,
            told,
            stop,
            task,
        }
    }

    async fn join(&self) -> WebSocket {
        let joined = timeout(SOON, wiretalk_net::connect(&*self.url)).await;
        joined.expect("in time").expect("a place").0
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.0.lock().expect("no test panicked"))
    }

    async fn end(self) {
        self.stop.send(()).expect("it serves");
        let ended = timeout(SOON, self.task).await;
        ended.expect("in time").expect("no panic");
    }
}

async fn echoed(socket: &mut WebSocket, text: &str) {
    socket.send(text).await.expect("it is taken");
    let back = timeout(SOON, socket.recv()).await.expect("in time");
    assert_eq!(back.transpose().expect("no error"), Some(text.into()));
}

/// Sends so many pings, unless it is over before.
async fn ping(socket: &mut WebSocket, count: usize) {
    for _ in 0..count {
        if socket.ping(b"").await.is_err() {
            return;
        }
    }
}

/// Its close code, once it is closed.
async fn closed(socket: &mut WebSocket) -> u16 {
    let reading = async { while let Some(Ok(_)) = socket.recv().await {} };
    timeout(SOON, reading).await.expect("in time");
    let frame = socket.close_frame().expect("a close frame");
    frame.code.as_u16()
}

fn a_thousand_a_second() -> Limit {
    Limit {
        messages: Rate::new(1000.0, None),
        bytes: None,
    }
}

#[tokio::test]
async fn a_client_that_has_not_proven_itself_may_say_little() {
    let tokens = Tokens::from_places([TokenFrom::Message]).known("s3cret");
    let server = Served::start(Admission {
        guard: Guard::new(GuardOptions {
            tokens: Some(tokens),
            connection: a_thousand_a_second(),
            ..GuardOptions::default()
        }),
        ..Admission::default()
    })
    .await;
    let long = "x".repeat(64 * 1024 + 1);
    let mut nobody = server.join().await;
    nobody.send(&*long).await.expect("it is taken");
    assert_eq!(closed(&mut nobody).await, 1009);
    assert_eq!(server.told(), ["refused 1009 token-missing"]);

    // One that is as long as may be is judged by what it says.
    let mut nobody = server.join().await;
    nobody.send(&long[1..]).await.expect("it is taken");
    assert_eq!(closed(&mut nobody).await, 1008);
    assert_eq!(server.told(), ["refused 1008 token-invalid"]);

    let mut known = server.join().await;
    known.send("s3cret").await.expect("it is taken");
    // What comes right behind the token is a client's already.
    echoed(&mut known, &long).await;

    // Pings count, as those of a client do.
    let mut pings = server.join().await;
    ping(&mut pings, 200).await;
    assert_eq!(closed(&mut pings).await, 1008);
    assert_eq!(server.told(), ["refused 1008 token-missing"]);
    server.end().await;
}

#[tokio::test]
async fn an_echo_counts_pings_as_well() {
    let server = Served::start(Admission {
        guard: Guard::new(GuardOptions {
            connection: a_thousand_a_second(),
            ..GuardOptions::default()
        }),
        ..Admission::default()
    })
    .await;
    let mut few = server.join().await;
    ping(&mut few, 50).await;
    echoed(&mut few, "between pings").await;
    ping(&mut few, 40).await;
    echoed(&mut few, "still here").await;
    assert!(server.told().is_empty());

    let mut many = server.join().await;
    ping(&mut many, 5_000).await;
    assert_eq!(closed(&mut many).await, 1008);
    assert_eq!(server.told(), ["expelled 1008 rate"]);
    echoed(&mut few, "and here").await;
    server.end().await;
}

#[tokio::test]
async fn without_limits_pings_are_free() {
    let server = Served::start(Admission::default()).await;
    let mut socket = server.join().await;
    ping(&mut socket, 5_000).await;
    echoed(&mut socket, "all of them were answered").await;
    assert!(server.told().is_empty());
    server.end().await;
}

/// Connections that say the begin of a request, and no more.
async fn slow(server: &Served, count: usize) -> Vec<TcpStream> {
    let mut slow = Vec::new();
    for _ in 0..count {
        let address = &server.url["ws://".len()..];
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let begun = stream.write_all(b"GET / HTTP/1.1\r\n").await;
        begun.expect("it is taken");
        slow.push(stream);
    }
    slow
}

#[tokio::test]
async fn a_crowd_of_slow_handshakes_makes_others_wait_and_no_more() {
    const MOST: usize = 4;
    let server = Served::with(
        Admission {
            handshake_timeout: Duration::from_millis(300),
            ..Admission::default()
        },
        Newcomers::new(MOST),
    )
    .await;
    let mut before = server.join().await;
    let mut crowd = slow(&server, 3 * MOST).await;
    // It is behind all of them, and has its turn when their time is over.
    let mut late = server.join().await;
    echoed(&mut late, "here").await;
    echoed(&mut before, "still here").await;
    assert!(server.operation.newcomers.count() <= MOST);
    let told = server.told();
    let kept_out = "kept out handshakes-full";
    assert!(
        told.iter().any(|line| line.starts_with(kept_out)),
        "{told:?}"
    );
    for stream in &mut crowd {
        let mut answer = Vec::new();
        let read = timeout(SOON, stream.read_to_end(&mut answer)).await;
        // It ended; with or without a word.
        let _ = read.expect("in time");
    }
    server.end().await;
}

#[tokio::test]
async fn clients_take_no_place_of_newcomers() {
    let server = Served::with(Admission::default(), Newcomers::new(1)).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(server.join().await);
    }
    for client in &mut clients {
        echoed(client, "here").await;
    }
    server.end().await;
}

#[tokio::test]
async fn an_address_has_as_many_handshakes_as_it_may_have_clients() {
    let server = Served::start(Admission {
        guard: Guard::new(GuardOptions {
            most_per_address: Some(2),
            ..GuardOptions::default()
        }),
        ..Admission::default()
    })
    .await;
    let mut crowd = slow(&server, 3).await;
    // The last has no answer: it would take a place meanwhile.
    let mut answer = Vec::new();
    let read = timeout(SOON, crowd[2].read_to_end(&mut answer)).await;
    assert!(
        matches!(read.expect("in time"), Ok(0) | Err(_)),
        "{answer:?}"
    );
    assert_eq!(server.told(), ["kept out address-full, 1"]);
    // Those who are gone make room.
    crowd.clear();
    let joined = async {
        loop {
            if let Ok((socket, _)) = wiretalk_net::connect(&*server.url).await {
                return socket;
            }
            tokio::task::yield_now().await;
        }
    };
    let mut socket = timeout(SOON, joined).await.expect("in time");
    echoed(&mut socket, "here").await;
    server.end().await;
}

#[tokio::test]
async fn a_denied_address_has_its_answer_before_anything_is_read() {
    let server = Served::start(Admission {
        guard: Guard::new(GuardOptions {
            deny: Networks::list(["127.0.0.0/8"]).expect("a network"),
            ..GuardOptions::default()
        }),
        ..Admission::default()
    })
    .await;
    for said in [
        "",
        "\u{0}\u{1}\u{2} no HTTP",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let address = &server.url["ws://".len()..];
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream
            .write_all(said.as_bytes())
            .await
            .expect("it is taken");
        let mut answer = Vec::new();
        let read = timeout(SOON, stream.read_to_end(&mut answer)).await;
        read.expect("in time").expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with("HTTP/1.1 403 Forbidden\r\n"),
            "{said:?}: {answer}"
        );
        assert!(
            answer.ends_with("\r\n\r\nyour address may not connect\n"),
            "{answer}"
        );
        assert_eq!(server.told(), ["refused 403 address"]);
    }
    server.end().await;
}

#[tokio::test]
async fn a_denied_address_behind_a_proxy_is_told_so_whatever_it_asks() {
    let server = Served::start(Admission {
        guard: Guard::new(GuardOptions {
            deny: Networks::list(["192.0.2.0/24"]).expect("a network"),
            trusted_proxies: Networks::list(["127.0.0.1"]).expect("a network"),
            ..GuardOptions::default()
        }),
        ..Admission::default()
    })
    .await;
    for (from, status) in [("192.0.2.7", "403"), ("198.51.100.7", "400")] {
        let address = &server.url["ws://".len()..];
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        // A handshake without a key.
        let request = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {from}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it is taken");
        let mut answer = String::new();
        let read = timeout(SOON, stream.read_to_string(&mut answer)).await;
        read.expect("in time").expect("an answer");
        assert_eq!(answer.get(9..12), Some(status), "{answer}");
    }
    server.end().await;
}
