use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Bounds, serve};

const SOON: Duration = Duration::from_secs(20);
const ASKED: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

struct Served {
    address: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn served(head: Duration, connections: usize) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let router = Router::new().route("/", get(async || "here"));
    let (stop, stopped) = oneshot::channel();
    let stopped = async {
        let _ = stopped.await;
    };
    let task = tokio::spawn(serve(
        listener,
        router,
        Bounds { head, connections },
        stopped,
    ));
    Served {
        address,
        stop,
        task,
    }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.expect("a place")
    }
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"here") {
        let read = timeout(SOON, stream.read_buf(&mut answer)).await;
        assert_ne!(read.expect("in time").expect("an answer"), 0);
    }
    String::from_utf8(answer).expect("it is ASCII")
}

async fn end(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let ended = timeout(SOON, stream.read_to_end(&mut rest)).await;
    ended.expect("in time").expect("a clean end");
}

#[tokio::test]
async fn a_head_that_takes_too_long_ends_its_connection() {
    let server = served(Duration::from_millis(100), 8).await;
    let mut silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.write_all(&ASKED[..20]).await.expect("it is taken");
    // One that was answered may ask again, and does not.
    let mut kept = server.connect().await;
    kept.write_all(ASKED).await.expect("it is taken");
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200 "));
    for stream in [&mut silent, &mut slow, &mut kept] {
        end(stream).await;
    }
}

#[tokio::test]
async fn who_comes_beyond_the_limit_waits() {
    let server = served(SOON, 2).await;
    let mut first = server.connect().await;
    first.write_all(ASKED).await.expect("it is taken");
    answer(&mut first).await;
    let mut second = server.connect().await;
    second.write_all(ASKED).await.expect("it is taken");
    answer(&mut second).await;
    let mut third = server.connect().await;
    third.write_all(ASKED).await.expect("it is taken");
    // The others are still served meanwhile, and it is not.
    first.write_all(ASKED).await.expect("it is taken");
    answer(&mut first).await;
    let early = third.try_read(&mut [0; 1]);
    assert!(early.is_err(), "{early:?}");
    drop(second);
    answer(&mut third).await;
}

#[tokio::test]
async fn connections_that_wait_do_not_keep_a_server_from_its_end() {
    let server = served(SOON, 8).await;
    let mut kept = server.connect().await;
    kept.write_all(ASKED).await.expect("it is taken");
    answer(&mut kept).await;
    server.stop.send(()).expect("it serves");
    end(&mut kept).await;
    timeout(SOON, server.task)
        .await
        .expect("in time")
        .expect("no panic");
}
