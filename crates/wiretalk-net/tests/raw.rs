//! Breaking the rules on purpose: what leaves, and how the other end takes it.

mod common;

use std::{num::NonZeroUsize, time::Duration};

use common::{
    BINARY, CLOSE, PING, Server, TEXT, accept, code, dial, is_pending, masked, ms, pair, quiet,
    raw_client, read_frame, script, soon,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};
use wiretalk_net::{
    Config, Connector, ErrorKind, Event, Message, Request, State, TlsOptions, WebSocket,
    raw::{Chop, LengthForm, RawAccess, RawFrame, RawFrameError, RawMask},
    server::TlsConfig,
};

/// A connection that a server accepted, and the client's end of its stream.
async fn served(config: Config) -> (WebSocket, TcpStream) {
    let mut server = Server::start(config).await;
    let client = raw_client(server.address).await;
    (server.next().await, client)
}

async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    soon(stream.read_exact(&mut bytes)).await.unwrap();
    bytes
}

fn pieces_of(bytes: usize) -> Chop {
    Chop {
        bytes: NonZeroUsize::new(bytes).unwrap(),
        pause: Duration::ZERO,
    }
}

/// RFC 6455 5.2: any header leaves as it is.
#[tokio::test]
async fn frames_leave_with_the_header_that_was_asked_for() {
    let (mut socket, mut client) = served(quiet()).await;
    let plain = RawFrame::new(0x1, "hi");
    let cases: [(RawFrame, &[u8]); 5] = [
        (plain.clone(), b"\x81\x02hi"),
        (
            RawFrame {
                fin: false,
                rsv: 4,
                mask: RawMask::None,
                length: Some(70_000),
                ..plain.clone()
            },
            b"\x41\x7f\0\0\0\0\0\x01\x11\x70hi",
        ),
        (
            RawFrame {
                opcode: 0xF,
                form: Some(LengthForm::Bits16),
                ..plain.clone()
            },
            b"\x8f\x7e\0\x02hi",
        ),
        (
            RawFrame {
                mask: RawMask::Key([0; 4]),
                ..plain.clone()
            },
            b"\x81\x82\0\0\0\0hi",
        ),
        (RawFrame::new(0x8, [3]), b"\x88\x01\x03"),
    ];
    for (frame, wire) in cases {
        socket.break_rules().send_frame(&frame).await.unwrap();
        assert_eq!(read(&mut client, wire.len()).await, wire, "{frame:?}");
    }
    assert_eq!(socket.state(), State::Open, "as if nothing was sent");

    let error = RawFrame { rsv: 9, ..plain };
    let error = socket.break_rules().send_frame(&error).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        RawFrameError::ReservedBits(9).to_string()
    );
}

/// A client masks raw frames unless told not to.
#[tokio::test]
async fn a_client_breaks_rules_and_is_told() {
    let cases: [(RawFrame, u16); 6] = [
        (
            RawFrame {
                mask: RawMask::None,
                ..RawFrame::new(0x1, "hi")
            },
            1002,
        ),
        (RawFrame::new(0x3, ""), 1002),
        (RawFrame::new(0x1, b"\xff"), 1007),
        (
            RawFrame {
                mask: RawMask::Wrong,
                ..RawFrame::new(0x1, "hello")
            },
            1007,
        ),
        (RawFrame::new(0x0, "more"), 1002),
        (
            RawFrame {
                length: Some(1 << 40),
                ..RawFrame::new(0x2, "")
            },
            1009,
        ),
    ];
    for (frame, expected) in cases {
        let (mut client, mut server) = pair(quiet(), quiet()).await;
        let served = tokio::spawn(async move {
            while server.next_event().await.is_ok_and(|event| event.is_some()) {}
        });
        client.break_rules().send_frame(&frame).await.unwrap();
        let event = soon(client.next_event()).await.unwrap();
        let Some(Event::Close(Some(close))) = event else {
            panic!("{frame:?}: {event:?}")
        };
        assert_eq!(close.code.as_u16(), expected, "{frame:?}: {}", close.reason);
        drop(client);
        soon(served).await.unwrap();
    }
}

#[tokio::test]
async fn raw_frames_and_bytes_keep_their_place_among_messages() {
    let (mut socket, mut client) = served(quiet()).await;
    socket.feed("one").await.unwrap();
    socket.break_rules().feed_bytes(b"\x00raw").await.unwrap();
    socket.feed(vec![7; 40_000]).await.unwrap();
    let ping = RawFrame::new(0x9, "p");
    socket.break_rules().feed_frame(&ping).await.unwrap();
    socket.send("two").await.unwrap();
    socket.break_rules().send_bytes(b"end").await.unwrap();

    assert_eq!(read_frame(&mut client).await, (TEXT, b"one".to_vec()));
    assert_eq!(read(&mut client, 4).await, b"\x00raw");
    assert_eq!(read_frame(&mut client).await, (BINARY, vec![7; 40_000]));
    assert_eq!(read_frame(&mut client).await, (PING, b"p".to_vec()));
    assert_eq!(read_frame(&mut client).await, (TEXT, b"two".to_vec()));
    assert_eq!(read(&mut client, 3).await, b"end");
}

/// After a raw close frame the connection itself is open: the peer's answer is a close frame like any other.
#[tokio::test]
async fn a_raw_close_frame_is_not_the_connections_own() {
    let (mut socket, mut client) = served(quiet()).await;
    let close = RawFrame::new(0x8, [0x0b, 0xb8]);
    socket.break_rules().send_frame(&close).await.unwrap();
    assert_eq!(
        soon(read_frame(&mut client)).await,
        (CLOSE, vec![0x0b, 0xb8])
    );
    assert_eq!(socket.state(), State::Open);
    client
        .write_all(&masked(CLOSE, &[0x0b, 0xb8]))
        .await
        .unwrap();
    assert!(matches!(
        soon(socket.next_event()).await,
        Ok(Some(Event::Close(Some(_))))
    ));
    let (first, payload) = soon(read_frame(&mut client)).await;
    assert_eq!((first, code(&payload)), (CLOSE, 3000));

    // Behind the connection's own close frame, raw frames still leave.
    let (mut socket, mut client) = served(quiet()).await;
    socket.close(None, "").await.unwrap();
    let late = RawFrame::new(0x1, "late");
    socket.break_rules().send_frame(&late).await.unwrap();
    assert_eq!(soon(read_frame(&mut client)).await, (CLOSE, vec![]));
    assert_eq!(
        soon(read_frame(&mut client)).await,
        (TEXT, b"late".to_vec())
    );
}

/// RFC 6455 5.4, and TCP: the peer hears the same, in pieces.
#[tokio::test]
async fn what_is_chopped_arrives_whole() {
    let (mut client, mut server) = pair(quiet(), quiet()).await;
    for chop in [1, 7, 1000] {
        client.break_rules().chop(pieces_of(chop));
        let message = "x".repeat(chop * 50);
        let sending = client.send(message.clone());
        let (sent, received) = tokio::join!(sending, soon(server.recv()));
        sent.unwrap();
        assert_eq!(received.unwrap().unwrap(), Message::from(message));
    }
    client.break_rules().chop(None);
    client
        .send(vec![1; 1_000_000])
        .await
        .unwrap_or_else(|_| panic!("no longer chopped"));
    assert_eq!(
        soon(server.recv()).await.unwrap().unwrap(),
        Message::from(vec![1; 1_000_000])
    );
}

/// Over TLS each piece is a record of its own, and raw frames are encrypted like all others.
#[tokio::test]
async fn rules_are_broken_over_tls_too() {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let tls = TlsConfig::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let mut server = Server::with_tls(quiet(), Some(tls)).await;
    let request = Request::new(format!("wss://localhost:{}/", server.address.port()));
    let connector = Connector::new()
        .tls(TlsOptions::new().insecure(true))
        .config(quiet());
    let (mut client, _) = soon(connector.connect(&request)).await.unwrap();
    let mut server = server.next().await;

    client.break_rules().chop(pieces_of(3));
    let message = "0123456789".repeat(20);
    let (sent, received) = tokio::join!(client.send(message.clone()), soon(server.recv()));
    sent.unwrap();
    assert_eq!(received.unwrap().unwrap(), Message::from(message));

    client
        .break_rules()
        .send_frame(&RawFrame::new(0x3, "reserved"))
        .await
        .unwrap();
    let error = soon(server.next_event()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

/// Each piece leaves by itself, a pause after the one before.
#[tokio::test]
async fn pieces_leave_one_by_one() {
    let (mut socket, mut client) = served(quiet()).await;
    let chop = Chop {
        pause: ms(20),
        ..pieces_of(4)
    };
    socket.break_rules().chop(chop);
    let sending = tokio::spawn(async move {
        socket.send("0123456789").await.unwrap();
        socket
    });
    let start = Instant::now();
    let frame = soon(read_frame(&mut client)).await;
    assert_eq!(frame, (TEXT, b"0123456789".to_vec()));
    assert!(
        start.elapsed() >= ms(40),
        "two pauses lie between three pieces"
    );
    drop(soon(sending).await.unwrap());
}

/// With a keepalive, and pauses longer than it allows a queue to stand still.
#[tokio::test]
async fn a_pause_is_not_taken_for_a_dead_peer() {
    let config = Config {
        ping_interval: Some(ms(10)),
        ping_timeout: ms(30),
        ..Config::default()
    };
    let (mut socket, mut client) = served(config).await;
    let chop = Chop {
        pause: ms(120),
        ..pieces_of(3)
    };
    socket.break_rules().chop(chop);
    let sending = tokio::spawn(async move { socket.send("abcd").await });
    assert_eq!(
        soon(read_frame(&mut client)).await,
        (TEXT, b"abcd".to_vec())
    );
    soon(sending).await.unwrap().unwrap();
}

/// The kernel's buffers fill until the peer cannot write any more; then the stall ends, and all of it comes.
#[tokio::test]
async fn a_stalled_connection_pushes_back_and_then_goes_on() {
    let config = Config {
        ping_interval: Some(ms(20)),
        ping_timeout: ms(20),
        idle_timeout: Some(ms(50)),
        ..Config::default()
    };
    let (address, played) = script(async |mut stream| {
        accept(&mut stream).await;
        let payload = vec![7; 1 << 16];
        let mut frame = vec![BINARY, 127];
        frame.extend_from_slice(&(1u64 << 16).to_be_bytes());
        frame.extend_from_slice(&payload);
        // As much as fits nowhere: the last of it is taken only when the client reads again.
        let mut sent = 0u32;
        let mut is_stuck = false;
        while !is_stuck {
            let write = tokio::time::timeout(ms(200), stream.write_all(&frame));
            match write.await {
                Ok(result) => {
                    result.unwrap();
                    sent += 1;
                }
                Err(_) => is_stuck = true,
            }
        }
        (stream, sent)
    })
    .await;
    let mut socket = dial(&format!("ws://{address}/"), config).await;
    socket.break_rules().stall(Duration::MAX);
    let mut received = 0;
    let (stream, sent) = {
        let receiving = async {
            let event = socket.next_event().await;
            panic!("nothing is read: {event:?}");
        };
        tokio::select! {
            () = receiving => unreachable!(),
            played = soon(played) => played.unwrap(),
        }
    };
    socket.break_rules().resume();
    while received < sent {
        match soon(socket.next_event()).await.unwrap() {
            Some(Event::Binary(payload)) => {
                assert_eq!(payload.len(), 1 << 16);
                received += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    drop(stream);
}

#[tokio::test]
async fn a_stall_ends_by_itself() {
    let (mut client, mut server) = pair(quiet(), quiet()).await;
    let start = Instant::now();
    server.break_rules().stall(ms(60));
    client.send("hello").await.unwrap();
    // It can be sent meanwhile.
    server.send("hi").await.unwrap();
    assert_eq!(
        soon(client.recv()).await.unwrap().unwrap(),
        Message::from("hi")
    );
    assert_eq!(
        soon(server.recv()).await.unwrap().unwrap(),
        Message::from("hello")
    );
    assert!(start.elapsed() >= ms(60));
}

#[tokio::test]
async fn a_half_breaks_rules_for_the_whole() {
    let (socket, mut client) = served(quiet()).await;
    let (mut sender, mut receiver) = socket.split();
    sender
        .break_rules()
        .send_frame(&RawFrame::new(0x7, ""))
        .await
        .unwrap();
    receiver.break_rules().send_bytes(b"bytes").await.unwrap();
    assert_eq!(read(&mut client, 7).await, b"\x87\x00bytes");

    sender.break_rules().stall(Duration::MAX);
    client.write_all(&masked(TEXT, b"late")).await.unwrap();
    // What was written on one side has come on the other.
    sender.send("seen").await.unwrap();
    read_frame(&mut client).await;
    assert!(is_pending(receiver.recv()).await);
    // Whoever waits learns of its end.
    let (message, ()) = tokio::join!(soon(receiver.recv()), async {
        tokio::task::yield_now().await;
        sender.clone().break_rules().resume();
    });
    assert_eq!(message.unwrap().unwrap(), Message::from("late"));

    let mut other = sender.clone();
    other.break_rules().reset();
    let error = soon(client.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(sender.state(), State::Closed);
}
