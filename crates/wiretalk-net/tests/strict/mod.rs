//! The strictness cases of wiretalk-proto, played over TCP by a peer that knows no WebSocket library.

// Each role takes what it needs of this.
#![allow(dead_code)]

#[path = "../../../wiretalk-proto/tests/strict/cases/mod.rs"]
mod cases;

use std::future::Future;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wiretalk_net::WebSocket;

pub(crate) use self::cases::deflate::{Agreement, Exchange, agreements, kinds};
use self::cases::{Case, Cut, Said, deflate::Peer, read_frame, write};
use crate::common::soon;

/// Plays the cases of a chapter whose number in the suite begins with one of these, each over a stream of its own after
/// the handshake. `server` tells which end is under test.
pub(crate) async fn conforms<F: Future<Output = TcpStream>>(
    server: bool,
    chapter: u32,
    numbers: &[&str],
    connect: impl Fn() -> F,
) {
    let mut count = 0;
    let chosen = |case: &Case| numbers.iter().any(|number| case.suite.starts_with(number));
    for case in cases::chapter(chapter).filter(chosen) {
        let stream = connect().await;
        stream.set_nodelay(true).unwrap();
        soon(play(&case, server, stream)).await;
        count += 1;
    }
    assert!(count > 0, "there is no such case");
}

/// Plays exchanges of compressed messages, each over a stream of its own. `connect` does the handshake that the
/// agreement wants, and gives the element of `Sec-WebSocket-Extensions` that was answered, too.
pub(crate) async fn exchanges_conform<F: Future<Output = (TcpStream, String)>>(
    server: bool,
    exchanges: Vec<Exchange>,
    connect: impl Fn(Agreement) -> F,
) {
    for exchange in exchanges {
        let (stream, answer) = connect(exchange.agreement).await;
        soon(exchange_messages(&exchange, server, stream, &answer)).await;
    }
}

async fn exchange_messages(exchange: &Exchange, server: bool, stream: TcpStream, answer: &str) {
    let what = format!(
        "suite {}, RFC 7692: {} ({answer})",
        exchange.suite, exchange.name
    );
    let (mut from, mut to) = stream.into_split();
    let mut peer = Peer::new(server, answer);
    let mut input = Vec::new();
    for (index, message) in exchange.messages().into_iter().enumerate() {
        let mut wire = Vec::new();
        for piece in peer.frames(exchange, &message) {
            write(&piece, server, &mut wire);
        }
        to.write_all(&wire).await.unwrap();
        let echo = loop {
            if let Some(echo) = peer.read(exchange, &mut input) {
                break echo;
            }
            let read = from.read_buf(&mut input).await;
            assert!(matches!(read, Ok(read) if read > 0), "{what}: {read:?}");
        };
        assert!(echo == message, "{what}: message {index}");
    }
    assert!(
        exchange.name.contains("compressed already")
            || exchange.name.contains("messages of 16 ")
            || exchange.name.contains("messages of 64 ")
            || peer.compressed > 0,
        "{what}: nothing was compressed"
    );
}

/// Echoes every message until the connection has ended.
pub(crate) async fn echo(mut socket: WebSocket) {
    while let Some(message) = socket.recv().await {
        if let Ok(message) = message {
            // How the connection failed is what comes next.
            let _ = socket.send(message).await;
        }
    }
}

/// Echoes every message where it lies.
pub(crate) async fn echo_on_the_spot(mut socket: WebSocket) {
    loop {
        match socket.next_exchange().await {
            Ok(Some(mut exchange)) => {
                let _ = exchange.replies.send_back(exchange.message);
            }
            Ok(None) => break,
            // It is told once; then comes the end.
            Err(_) => {}
        }
    }
}

async fn play(case: &Case, server: bool, stream: TcpStream) {
    let what = format!(
        "suite {:?}, RFC 6455 {}: {}",
        case.suite, case.section, case.name
    );
    let (mut from, mut to) = stream.into_split();
    let mut input = Vec::new();
    for turn in &case.turns {
        let chunks = chunks(case, &turn.send, server);
        let sending = async {
            for chunk in &chunks {
                // Whoever has failed the connection need not take the rest.
                let _ = to.write_all(chunk).await;
            }
        };
        let answering = async {
            for expected in &turn.answers {
                let said = next(&mut from, &mut input, server).await;
                assert_eq!(said.as_ref(), Some(expected), "{what}");
            }
        };
        tokio::join!(sending, answering);
    }
    let _ = to.shutdown().await;
    let behind = next(&mut from, &mut input, server).await;
    assert_eq!(
        (behind, &input[..]),
        (None, &b""[..]),
        "{what}: an answer behind the end"
    );
}

/// What is written at once.
fn chunks(case: &Case, pieces: &[cases::Piece], server: bool) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for piece in pieces {
        let mut frame = Vec::new();
        write(piece, server, &mut frame);
        frames.push(frame);
    }
    match case.cut {
        Cut::Whole => vec![frames.concat()],
        Cut::Frames => frames,
        Cut::Bytes(count) => frames.concat().chunks(count).map(<[u8]>::to_vec).collect(),
    }
}

/// The next answer; `None` at the end of the stream.
async fn next(
    from: &mut (impl AsyncReadExt + Unpin),
    input: &mut Vec<u8>,
    server: bool,
) -> Option<Said> {
    loop {
        if let Some(said) = read_frame(input, server) {
            return Some(said);
        }
        if !matches!(from.read_buf(input).await, Ok(read) if read > 0) {
            return None;
        }
    }
}
