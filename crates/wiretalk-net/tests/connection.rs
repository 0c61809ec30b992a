//! Messages, control frames and the end of a connection.

mod common;

use std::time::Duration;

use common::{
    BINARY, CLOSE, PING, PONG, Server, TEXT, accept, code, dial, frame, is_pending, masked, ms,
    pair, quiet, raw_client, read_frame, script, soon,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};
use wiretalk_net::{
    Blame, CloseCode, CloseFrame, Config, ErrorKind, Event, Limits, Message, MessageKind, Prepared,
    State, WebSocket,
};

fn text(text: &str) -> Option<Event> {
    Some(Event::Text(text.into()))
}

fn close(code: CloseCode, reason: &str) -> Option<Event> {
    Some(Event::Close(Some(CloseFrame {
        code,
        reason: reason.to_owned(),
    })))
}

/// A server's end of a connection, and the bare stream of its client.
async fn served(config: Config) -> (WebSocket, TcpStream) {
    let mut server = Server::start(config).await;
    let raw = raw_client(server.address).await;
    (server.next().await, raw)
}

#[track_caller]
fn event(socket: &mut WebSocket) -> impl Future<Output = Option<Event>> {
    let next = soon(socket.next_event());
    async { next.await.unwrap_or_else(|error| panic!("{error}")) }
}

async fn error(socket: &mut WebSocket) -> wiretalk_net::Error {
    soon(socket.next_event())
        .await
        .expect_err("the connection must fail")
}

#[tokio::test]
async fn messages_of_every_size_go_both_ways() {
    let (client, mut server) = pair(quiet(), quiet()).await;
    let echo = tokio::spawn(async move {
        while let Some(message) = server.recv().await {
            server.send(message.unwrap()).await.unwrap();
        }
    });
    let (sender, mut receiver) = client.split();
    for size in [0, 1, 125, 126, 65_535, 65_536, 3 << 20] {
        let payload: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        let messages = [Message::from(payload), Message::from("ä".repeat(size / 2))];
        let sending = tokio::spawn({
            let (sender, messages) = (sender.clone(), messages.clone());
            async move {
                for message in messages {
                    sender.send(message).await.unwrap();
                }
            }
        });
        for message in messages {
            let came = soon(receiver.recv()).await.unwrap().unwrap();
            assert!(
                came == message,
                "a message of {size} bytes came back changed"
            );
        }
        sending.await.unwrap();
    }
    sender.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(soon(receiver.recv()).await.is_none());
    soon(echo).await.unwrap();
}

#[tokio::test]
async fn fragments_and_prepared_messages_arrive_as_messages() {
    let (mut client, mut server) = pair(quiet(), quiet()).await;
    client
        .send_fragment(MessageKind::Text, b"gr\xc3", false)
        .await
        .unwrap();
    client.ping(b"between").await.unwrap();
    let error = client.send("not now").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::InvalidInput, Blame::Us)
    );
    client
        .send_fragment(MessageKind::Text, b"\xbcn", true)
        .await
        .unwrap();
    assert_eq!(
        event(&mut server).await,
        Some(Event::Ping("between".into()))
    );
    assert_eq!(event(&mut server).await, text("grün"));

    let prepared = [Prepared::text("one"), Prepared::binary(&[2])];
    for message in &prepared {
        client.send_prepared(message).await.unwrap();
        server.send_prepared(message).await.unwrap();
    }
    for socket in [&mut client, &mut server] {
        assert_eq!(
            soon(socket.recv()).await.unwrap().unwrap(),
            Message::from("one")
        );
        assert_eq!(
            soon(socket.recv()).await.unwrap().unwrap(),
            Message::from(vec![2])
        );
    }
}

#[tokio::test]
async fn what_was_fed_leaves_when_the_connection_is_about_to_wait() {
    let (mut socket, mut raw) = served(quiet()).await;
    for message in ["one", "two", "three"] {
        socket.feed(message).await.unwrap();
    }
    socket
        .feed_prepared(&Prepared::binary(b"four"))
        .await
        .unwrap();
    assert_eq!(socket.buffered_amount(), 5 + 5 + 7 + 6);
    assert!(is_pending(socket.next_event()).await);
    assert_eq!(socket.buffered_amount(), 0);
    for expected in [
        (TEXT, "one"),
        (TEXT, "two"),
        (TEXT, "three"),
        (BINARY, "four"),
    ] {
        let (first, payload) = soon(read_frame(&mut raw)).await;
        assert_eq!(
            (first, payload.as_slice()),
            (expected.0, expected.1.as_bytes())
        );
    }
}

#[tokio::test]
async fn pings_are_answered_while_messages_are_awaited() {
    let (mut socket, mut raw) = served(quiet()).await;
    let receiving = tokio::spawn(async move { socket.recv().await.unwrap().unwrap() });
    raw.write_all(&masked(PING, b"are you there?"))
        .await
        .unwrap();
    assert_eq!(
        soon(read_frame(&mut raw)).await,
        (PONG, b"are you there?".to_vec())
    );
    raw.write_all(&masked(TEXT, b"good")).await.unwrap();
    assert_eq!(soon(receiving).await.unwrap(), Message::from("good"));
}

#[tokio::test]
async fn who_answers_pings_itself_is_left_to_it() {
    let (mut socket, mut raw) = served(Config {
        auto_pong: false,
        ..quiet()
    })
    .await;
    raw.write_all(&masked(PING, b"a")).await.unwrap();
    assert_eq!(event(&mut socket).await, Some(Event::Ping("a".into())));
    assert!(is_pending(socket.next_event()).await);
    socket.pong(b"b").await.unwrap();
    assert_eq!(soon(read_frame(&mut raw)).await, (PONG, b"b".to_vec()));
    let error = socket.pong(&[0; 126]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn the_peer_closes() {
    let (mut socket, mut raw) = served(quiet()).await;
    let mut wire = masked(TEXT, b"last words");
    wire.extend(masked(CLOSE, b"\x03\xe9gone"));
    // What comes behind a close frame is nobody's business.
    wire.extend(masked(TEXT, b"one more thing"));
    raw.write_all(&wire).await.unwrap();
    assert_eq!(event(&mut socket).await, text("last words"));
    assert_eq!(
        event(&mut socket).await,
        close(CloseCode::GOING_AWAY, "gone")
    );
    // The answer leaves even if nobody asks for more.
    let (first, payload) = soon(read_frame(&mut raw)).await;
    assert_eq!((first, code(&payload)), (CLOSE, 1001));
    assert_eq!(socket.state(), State::Closing);
    assert_eq!(event(&mut socket).await, None);
    assert_eq!(socket.state(), State::Closed);
    assert_eq!(event(&mut socket).await, None);
    assert_eq!(
        socket.send("late").await.unwrap_err().kind(),
        ErrorKind::Closed
    );
    socket
        .close(CloseCode::NORMAL, "")
        .await
        .expect("there is nothing left to close");
}

#[tokio::test]
async fn the_server_closes_and_ends_the_stream_first() {
    // If it waited for the client to end the stream, it would wait for long.
    let close_timeout = Duration::from_secs(60);
    let (mut socket, mut raw) = served(Config {
        close_timeout,
        ..quiet()
    })
    .await;
    socket.close(CloseCode::NORMAL, "bye").await.unwrap();
    assert_eq!(socket.state(), State::Closing);
    assert_eq!(
        soon(read_frame(&mut raw)).await,
        (CLOSE, b"\x03\xe8bye".to_vec())
    );
    assert_eq!(
        socket.send("late").await.unwrap_err().kind(),
        ErrorKind::Closed
    );
    // What was on its way still counts.
    raw.write_all(&masked(TEXT, b"crossing")).await.unwrap();
    assert_eq!(event(&mut socket).await, text("crossing"));
    raw.write_all(&masked(CLOSE, b"\x03\xe8")).await.unwrap();
    assert_eq!(event(&mut socket).await, close(CloseCode::NORMAL, ""));
    assert_eq!(event(&mut socket).await, None);
    assert_eq!(
        soon(raw.read(&mut [0; 16])).await.unwrap(),
        0,
        "the server ends the stream"
    );
}

#[tokio::test]
async fn the_client_waits_for_the_server_to_end_the_stream() {
    let (end, ending) = oneshot::channel::<()>();
    let (address, _) = script(async |mut stream| {
        accept(&mut stream).await;
        let (first, payload) = read_frame(&mut stream).await;
        stream.write_all(&frame(first, &payload)).await.unwrap();
        let _ = ending.await;
    })
    .await;
    let mut socket = dial(&format!("ws://{address}/"), quiet()).await;
    socket.close(None, "").await.unwrap();
    assert_eq!(event(&mut socket).await, Some(Event::Close(None)));
    assert!(is_pending(socket.next_event()).await);
    end.send(()).unwrap();
    assert_eq!(event(&mut socket).await, None);
}

#[tokio::test]
async fn the_client_does_not_wait_for_ever_for_the_server_to_end_the_stream() {
    let (address, played) = script(async |mut stream| {
        accept(&mut stream).await;
        let (first, payload) = read_frame(&mut stream).await;
        stream.write_all(&frame(first, &payload)).await.unwrap();
        // Not before the client has.
        let _ = stream.read(&mut [0; 16]).await;
    })
    .await;
    let mut socket = dial(
        &format!("ws://{address}/"),
        Config {
            close_timeout: ms(50),
            ..quiet()
        },
    )
    .await;
    socket.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(event(&mut socket).await, close(CloseCode::NORMAL, ""));
    assert_eq!(event(&mut socket).await, None);
    soon(played).await.unwrap();
}

#[tokio::test]
async fn a_close_frame_that_is_not_answered() {
    let (mut socket, mut raw) = served(Config {
        close_timeout: ms(50),
        ..quiet()
    })
    .await;
    socket.close(CloseCode::NORMAL, "").await.unwrap();
    let error = error(&mut socket).await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Timeout, Blame::Peer)
    );
    assert_eq!(
        error.to_string(),
        "the peer did not answer our close frame within 50ms"
    );
    assert_eq!(event(&mut socket).await, None);
    soon(read_frame(&mut raw)).await;
    assert_eq!(soon(raw.read(&mut [0; 16])).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_keeps_talking_does_not_put_off_the_end() {
    let (mut socket, mut raw) = served(Config {
        close_timeout: ms(50),
        ..quiet()
    })
    .await;
    // So much that there is always something to read.
    let words = masked(TEXT, b"and").repeat(100_000);
    let talking = tokio::spawn(async move { while raw.write_all(&words).await.is_ok() {} });
    socket.close(CloseCode::NORMAL, "").await.unwrap();
    let error = soon(async {
        loop {
            match socket.next_event().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the peer never closed"),
                Err(error) => return error,
            }
        }
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    soon(talking).await.unwrap();
}

#[tokio::test]
async fn who_answers_the_close_itself_is_left_to_it() {
    let (mut socket, mut raw) = served(Config {
        auto_close: false,
        idle_timeout: Some(ms(10)),
        ..Config::default()
    })
    .await;
    raw.write_all(&masked(CLOSE, b"\x03\xe8")).await.unwrap();
    assert_eq!(event(&mut socket).await, close(CloseCode::NORMAL, ""));
    assert_eq!(socket.state(), State::Closing);
    assert!(is_pending(socket.next_event()).await);
    socket.close(CloseCode::new(4000), "my own").await.unwrap();
    assert_eq!(
        soon(read_frame(&mut raw)).await,
        (CLOSE, b"\x0f\xa0my own".to_vec())
    );
    assert_eq!(event(&mut socket).await, None);
}

#[tokio::test]
async fn closes_that_may_not_be_sent() {
    let (mut socket, _raw) = served(quiet()).await;
    let long = "x".repeat(124);
    let cases = [
        (Some(CloseCode::NO_STATUS), ""),
        (Some(CloseCode::new(999)), ""),
        (Some(CloseCode::NORMAL), long.as_str()),
        (None, "a reason"),
    ];
    for (code, reason) in cases {
        let error = socket.close(code, reason).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.blame()),
            (ErrorKind::InvalidInput, Blame::Us),
            "{code:?} {reason}"
        );
    }
    assert_eq!(socket.state(), State::Open);
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_is_told_before_the_error_is() {
    let (mut socket, mut raw) = served(quiet()).await;
    // A frame that is not masked, behind one that is right, and more behind it.
    let mut wire = masked(TEXT, b"fine");
    wire.extend(frame(TEXT, b"bare"));
    wire.extend([0xff; 1000]);
    raw.write_all(&wire).await.unwrap();
    let reading = tokio::spawn(async move {
        let told = read_frame(&mut raw).await;
        let ended = raw.read(&mut [0; 16]).await;
        (told, ended.unwrap())
    });
    assert_eq!(event(&mut socket).await, text("fine"));
    let error = error(&mut socket).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(error.protocol().unwrap().section(), "RFC 6455 5.1");
    let ((first, payload), ended) = soon(reading).await.unwrap();
    assert_eq!((first, code(&payload), ended), (CLOSE, 1002, 0));
}

#[tokio::test]
async fn a_broken_rule_is_told_at_once_and_the_stream_ends_in_good_order_behind_it() {
    let (mut socket, mut raw) = served(quiet()).await;
    raw.write_all(&frame(TEXT, b"bare")).await.unwrap();
    // The peer has not even read the close frame, and does not end the stream.
    let error = error(&mut socket).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(is_pending(socket.next_event()).await);
    let (first, payload) = read_frame(&mut raw).await;
    assert_eq!((first, code(&payload)), (CLOSE, 1002));
    drop(raw);
    assert_eq!(event(&mut socket).await, None);
    let late = socket.send("late").await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn messages_over_the_limit_are_refused() {
    let limits = Limits {
        message_size: 10,
        ..Limits::default()
    };
    let (mut socket, mut raw) = served(Config { limits, ..quiet() }).await;
    raw.write_all(&masked(TEXT, b"0123456789")).await.unwrap();
    raw.write_all(&masked(TEXT, b"0123456789a")).await.unwrap();
    assert_eq!(event(&mut socket).await, text("0123456789"));
    let reading = tokio::spawn(async move { read_frame(&mut raw).await });
    let error = error(&mut socket).await;
    assert_eq!(error.close_code(), Some(CloseCode::TOO_BIG));
    assert_eq!(code(&soon(reading).await.unwrap().1), 1009);
}

#[tokio::test]
async fn an_abort_gives_the_peer_a_reset() {
    let (socket, mut raw) = served(quiet()).await;
    socket.abort();
    let error = soon(raw.read(&mut [0; 16])).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_reset_by_the_peer_is_told() {
    let (mut socket, raw) = served(quiet()).await;
    raw.set_zero_linger().unwrap();
    drop(raw);
    let error = error(&mut socket).await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Reset, Blame::Peer)
    );
    assert_eq!(error.to_string(), "the connection was reset");
}

#[tokio::test]
async fn what_the_peer_said_before_it_went_is_still_received() {
    let (mut socket, mut raw) = served(quiet()).await;
    let mut wire = masked(TEXT, b"last words");
    wire.extend(masked(CLOSE, b"\x03\xe8"));
    raw.write_all(&wire).await.unwrap();
    drop(raw);
    let error = soon(async {
        loop {
            if let Err(error) = socket.send("are you there?").await {
                return error;
            }
        }
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::Reset);
    assert_eq!(event(&mut socket).await, text("last words"));
    assert_eq!(event(&mut socket).await, close(CloseCode::NORMAL, ""));
    assert_eq!(event(&mut socket).await, None);
}

#[tokio::test]
async fn a_receive_that_is_dropped_loses_nothing() {
    let (mut socket, mut raw) = served(quiet()).await;
    const COUNT: usize = 200;
    let sending = tokio::spawn(async move {
        for number in 0..COUNT {
            // Byte by byte, so that receives are dropped in the middle of frames.
            for byte in masked(TEXT, number.to_string().as_bytes()) {
                raw.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
        raw
    });
    let mut dropped = 0;
    for number in 0..COUNT {
        let message = soon(async {
            loop {
                tokio::select! {
                    biased;
                    message = socket.recv() => return message,
                    () = tokio::task::yield_now() => dropped += 1,
                }
            }
        })
        .await;
        assert_eq!(message.unwrap().unwrap(), Message::from(number.to_string()));
    }
    assert!(
        dropped > COUNT,
        "the point of this is to drop some: {dropped}"
    );
    sending.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_answers_pings_stays_and_its_pongs_are_not_shown() {
    let config = Config {
        ping_interval: Some(ms(10)),
        ping_timeout: Duration::from_secs(60),
        ..Config::default()
    };
    let (mut socket, mut raw) = served(config).await;
    let answering = tokio::spawn(async move {
        for _ in 0..3 {
            let (first, payload) = read_frame(&mut raw).await;
            assert_eq!(first, PING);
            raw.write_all(&masked(PONG, &payload)).await.unwrap();
        }
        raw.write_all(&masked(PONG, b"unasked")).await.unwrap();
        raw
    });
    assert_eq!(
        event(&mut socket).await,
        Some(Event::Pong("unasked".into()))
    );
    answering.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_does_not_answer_pings_is_dropped() {
    let config = Config {
        ping_interval: Some(ms(10)),
        ping_timeout: ms(30),
        ..Config::default()
    };
    let (mut socket, mut raw) = served(config).await;
    let error = error(&mut socket).await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::PingTimeout, Blame::Peer)
    );
    assert_eq!(
        error.to_string(),
        "the peer gave no sign of life for 30ms, though it was pinged"
    );
    assert_eq!(soon(read_frame(&mut raw)).await.0, PING);
    let (first, payload) = soon(read_frame(&mut raw)).await;
    assert_eq!((first, code(&payload)), (CLOSE, 1011));
    assert_eq!(soon(raw.read(&mut [0; 16])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_silent_peer_is_dropped() {
    let (mut socket, mut raw) = served(Config {
        idle_timeout: Some(ms(30)),
        ..quiet()
    })
    .await;
    let error = error(&mut socket).await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::IdleTimeout, Blame::Peer)
    );
    assert_eq!(error.to_string(), "nothing came from the peer for 30ms");
    assert_eq!(code(&soon(read_frame(&mut raw)).await.1), 1001);
}

#[tokio::test]
async fn a_message_that_does_not_end_is_given_up_with_1008() {
    // Half a header, half a payload, the first of several fragments.
    for begun in [
        &[0x81][..],
        &[0x81, 0x85, 0, 0, 0, 0, b'h'],
        &[0x01, 0x81, 0, 0, 0, 0, b'h'],
    ] {
        let mut server = Server::start(Config {
            message_timeout: Some(ms(50)),
            ..quiet()
        })
        .await;
        let mut raw = raw_client(server.address).await;
        let mut socket = server.next().await;
        raw.write_all(begun).await.unwrap();
        let error = soon(socket.next_event()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MessageTimeout, "{begun:?}");
        assert_eq!(error.close_code(), Some(CloseCode::POLICY), "{begun:?}");
        let (opcode, payload) = read_frame(&mut raw).await;
        assert_eq!(
            (opcode, &payload[..2]),
            (CLOSE, &[0x03, 0xf0][..]),
            "{begun:?}"
        );
    }
}

#[tokio::test]
async fn time_in_which_nothing_was_read_does_not_count_against_a_message() {
    let mut server = Server::start(Config {
        max_queued: 1,
        message_timeout: Some(ms(150)),
        ..quiet()
    })
    .await;
    let mut raw = raw_client(server.address).await;
    let mut socket = server.next().await;
    // The answers are more than the socket takes, and behind the last message half of another has come.
    let long = "x".repeat(60_000);
    let answers = 400;
    let mut wire = masked_long(TEXT, long.as_bytes());
    wire.extend_from_slice(&[TEXT, 0x82, 0, 0, 0, 0, b'h']);
    raw.write_all(&wire).await.unwrap();
    let echo = async {
        let mut exchange = socket.next_exchange().await.unwrap().unwrap();
        for _ in 0..answers {
            exchange.replies.send_text(&long).unwrap();
        }
        let last = socket.next_exchange().await.unwrap().unwrap();
        assert_eq!(last.message.as_text(), Some("hi"));
    };
    let peer = async {
        // Nothing is read for longer than a message may take.
        tokio::time::sleep(ms(400)).await;
        for _ in 0..answers {
            assert_eq!(read_frame(&mut raw).await.1.len(), long.len());
        }
        raw.write_all(b"i").await.unwrap();
    };
    soon(async { tokio::join!(echo, peer) }).await;
}

/// A masked frame of up to 64 KiB.
fn masked_long(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut wire = vec![first, 0x80 | 126];
    wire.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
    wire.extend_from_slice(&[0; 4]);
    wire.extend_from_slice(payload);
    wire
}

/// RFC 6455 7.1.1: the server ends the stream first, and does not wait for the client to do so.
#[tokio::test]
async fn next_exchange_ends_the_stream_after_either_end_has_closed() {
    for we_close in [true, false] {
        let (mut socket, mut raw) = served(quiet()).await;
        if we_close {
            socket.close(CloseCode::GOING_AWAY, "").await.unwrap();
        }
        let peer = async {
            if we_close {
                assert_eq!(code(&read_frame(&mut raw).await.1), 1001);
            }
            raw.write_all(&masked(CLOSE, b"\x03\xe9")).await.unwrap();
            if !we_close {
                assert_eq!(code(&read_frame(&mut raw).await.1), 1001);
            }
            assert_eq!(raw.read(&mut [0]).await.unwrap(), 0, "the stream goes on");
        };
        let ended = async { assert!(socket.next_exchange().await.unwrap().is_none()) };
        // Well before the close deadline, which would end it in any case.
        let both =
            tokio::time::timeout(Duration::from_secs(3), async { tokio::join!(ended, peer) });
        assert!(both.await.is_ok(), "we_close: {we_close}");
        assert_eq!(socket.close_frame().unwrap().code, CloseCode::GOING_AWAY);
    }
}
