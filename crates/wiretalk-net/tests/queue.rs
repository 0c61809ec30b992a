//! What came and waits: reads that do not wait, the count of what is queued, streams and sinks, and round trips.

mod common;

use std::{future::poll_fn, pin::Pin};

use bytes::Bytes;
use common::{
    CLOSE, PING, PONG, Server, TEXT, frame, is_pending, masked, ms, pair, quiet, raw_client,
    read_frame, script, soon,
};
use futures_core::Stream;
use futures_sink::Sink;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use wiretalk_net::{
    CloseCode, Config, ErrorKind, Event, Message, MessageKind, State, TryRecvError, WebSocket,
};

/// A server's end of a connection, and the bare stream of its client.
async fn served(config: Config) -> (WebSocket, TcpStream) {
    let mut server = Server::start(config).await;
    let raw = raw_client(server.address).await;
    (server.next().await, raw)
}

/// Waits until so many messages have come.
async fn until_queued(socket: &mut WebSocket, count: usize) {
    soon(async {
        while socket.queued() < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_read_that_does_not_wait_says_how_it_is() {
    let (mut socket, mut raw) = served(quiet()).await;
    assert!(matches!(socket.try_recv(), Err(TryRecvError::Empty)));
    assert!(!socket.has_queued());

    raw.write_all(
        &[
            masked(TEXT, b"one"),
            masked(PING, b"p"),
            masked(TEXT, b"two"),
        ]
        .concat(),
    )
    .await
    .unwrap();
    until_queued(&mut socket, 2).await;
    assert_eq!(socket.queued(), 2, "asking takes nothing");
    assert_eq!(socket.try_recv().unwrap(), "one".into());
    assert_eq!(socket.queued(), 1);
    assert_eq!(socket.try_recv().unwrap(), "two".into());
    assert!(matches!(socket.try_recv(), Err(TryRecvError::Empty)));
    assert_eq!(soon(read_frame(&mut raw)).await, (PONG, b"p".to_vec()));

    raw.write_all(&masked(CLOSE, b"\x03\xe8")).await.unwrap();
    let end = soon(async {
        loop {
            match socket.try_recv() {
                Err(TryRecvError::Empty) => tokio::task::yield_now().await,
                end => return end,
            }
        }
    });
    assert!(matches!(end.await, Err(TryRecvError::Closed)));
    assert_eq!(socket.state(), State::Closed);
}

#[tokio::test]
async fn what_was_counted_comes_in_its_order_by_every_way_to_read() {
    let (mut socket, mut raw) = served(quiet()).await;
    let come = [
        masked(TEXT, b"event"),
        masked(PING, b"p"),
        masked(TEXT, b"recv"),
        masked(TEXT, b"exchange"),
        masked(TEXT, b"stream"),
        masked(TEXT, b"half"),
    ];
    raw.write_all(&come.concat()).await.unwrap();
    until_queued(&mut socket, 5).await;

    let event = soon(socket.next_event()).await.unwrap();
    assert_eq!(event, Some(Event::Text("event".into())));
    let event = soon(socket.next_event()).await.unwrap();
    assert_eq!(event, Some(Event::Ping(Bytes::from_static(b"p"))));
    assert_eq!(soon(socket.recv()).await.unwrap().unwrap(), "recv".into());
    {
        let mut exchange = soon(socket.next_exchange()).await.unwrap().unwrap();
        assert_eq!(exchange.message.as_text(), Some("exchange"));
        exchange.replies.send_back(exchange.message).unwrap();
    }
    let message = soon(poll_fn(|cx| Pin::new(&mut socket).poll_next(cx))).await;
    assert_eq!(message.unwrap().unwrap(), "stream".into());

    let (sender, mut receiver) = socket.split();
    assert_eq!(receiver.queued(), 1);
    assert!(receiver.has_queued());
    assert_eq!(receiver.try_recv().unwrap(), "half".into());
    assert!(matches!(receiver.try_recv(), Err(TryRecvError::Empty)));
    soon(sender.flush()).await.unwrap();
    assert_eq!(soon(read_frame(&mut raw)).await, (PONG, b"p".to_vec()));
    assert_eq!(
        soon(read_frame(&mut raw)).await,
        (TEXT, b"exchange".to_vec())
    );
}

#[tokio::test]
async fn reading_ahead_is_bounded_and_loses_nothing() {
    let (mut socket, mut raw) = served(Config {
        max_received: 1000,
        ..quiet()
    })
    .await;
    let messages: Vec<u8> = (0..100u8)
        .flat_map(|number| masked(TEXT, &[b'a' + number % 26; 40]))
        .collect();
    raw.write_all(&messages).await.unwrap();
    until_queued(&mut socket, 10).await;
    // 104 bytes each with what an event takes beside its payload.
    assert_eq!(socket.queued(), 10);
    for number in 0..100u8 {
        let message = soon(socket.recv()).await.unwrap().unwrap();
        assert_eq!(message.as_bytes(), [b'a' + number % 26; 40], "{number}");
    }
    assert!(is_pending(socket.recv()).await);
}

#[tokio::test]
async fn a_failure_behind_what_was_counted_is_told_once_and_last() {
    let (mut socket, mut raw) = served(quiet()).await;
    raw.write_all(&[masked(TEXT, b"last words"), masked(TEXT, b"\xff")].concat())
        .await
        .unwrap();
    until_queued(&mut socket, 1).await;
    // The close frame is away; only the end of the stream is left.
    assert_eq!(soon(read_frame(&mut raw)).await.0, CLOSE);
    assert_eq!(socket.queued(), 1);
    assert_eq!(socket.try_recv().unwrap(), "last words".into());
    let error = soon(async {
        loop {
            match socket.try_recv() {
                Err(TryRecvError::Empty) => tokio::task::yield_now().await,
                Err(TryRecvError::Failed(error)) => return error,
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    drop(raw);
    assert!(soon(socket.recv()).await.is_none());
    assert!(matches!(socket.try_recv(), Err(TryRecvError::Closed)));
}

#[tokio::test]
async fn a_round_trip_keeps_what_comes_meanwhile() {
    let (address, talking) = script(async |mut stream| {
        common::accept(&mut stream).await;
        let (first, payload) = read_frame(&mut stream).await;
        assert_eq!(first, PING);
        let frames = [
            frame(TEXT, b"meanwhile"),
            frame(PONG, b"of another"),
            frame(PONG, &payload),
            frame(TEXT, b"after"),
        ];
        stream.write_all(&frames.concat()).await.unwrap();
        stream
    })
    .await;
    let mut socket = common::dial(&format!("ws://{address}/"), quiet()).await;
    assert!(soon(socket.round_trip()).await.unwrap() < ms(20_000));
    assert_eq!(socket.try_recv().unwrap(), "meanwhile".into());
    assert_eq!(soon(socket.recv()).await.unwrap().unwrap(), "after".into());
    assert_eq!(socket.latency(), None, "no keepalive ping was answered");
    drop(soon(talking).await.unwrap());
}

#[tokio::test]
async fn both_halves_and_ends_ping_each_other() {
    let (mut client, server) = pair(quiet(), quiet()).await;
    let (_, mut server) = server.split();
    // Each answers the other while it waits.
    let (there, back) =
        soon(async { tokio::join!(client.round_trip(), server.round_trip()) }).await;
    there.unwrap();
    back.unwrap();
}

#[tokio::test]
async fn a_round_trip_ends_with_the_connection_its_deadline_or_too_much_to_keep() {
    let config = || Config {
        ping_timeout: ms(30),
        max_received: 200,
        ..quiet()
    };
    let (mut silent, _raw) = served(config()).await;
    let error = soon(silent.round_trip()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        "the peer did not answer a ping within 30ms"
    );
    assert_eq!(silent.state(), State::Open, "it may still be used");

    let (mut flooded, mut raw) = served(Config {
        ping_timeout: ms(20_000),
        ..config()
    })
    .await;
    raw.write_all(&masked(TEXT, &[b'x'; 100]).repeat(3))
        .await
        .unwrap();
    let error = soon(flooded.round_trip()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooSlow, "{error}");
    for _ in 0..3 {
        soon(flooded.recv()).await.unwrap().unwrap();
    }

    let (mut left, raw) = served(config()).await;
    drop(raw);
    let error = soon(left.round_trip()).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Abnormal | ErrorKind::Reset),
        "{error}"
    );
}

#[tokio::test]
async fn keepalive_measures_the_latency() {
    let (mut client, mut server) = pair(
        Config {
            ping_interval: Some(ms(1)),
            ..Config::default()
        },
        quiet(),
    )
    .await;
    let answered = soon(async {
        while client.latency().is_none() {
            tokio::select! {
                _ = client.recv() => panic!("nothing was sent"),
                _ = server.recv() => panic!("nothing was sent"),
                () = tokio::time::sleep(ms(1)) => {}
            }
        }
    });
    answered.await;
}

#[tokio::test]
async fn a_sink_is_ready_while_there_is_room_and_closes_in_good_order() {
    async fn send<S: Sink<Message, Error = wiretalk_net::Error> + Unpin>(sink: &mut S, text: &str) {
        soon(poll_fn(|cx| Pin::new(&mut *sink).poll_ready(cx)))
            .await
            .unwrap();
        Pin::new(&mut *sink).start_send(text.into()).unwrap();
    }
    let (mut socket, mut raw) = served(quiet()).await;
    send(&mut socket, "one").await;
    assert!(socket.buffered_amount() > 0, "not flushed yet");
    soon(poll_fn(|cx| Pin::new(&mut socket).poll_flush(cx)))
        .await
        .unwrap();
    assert_eq!(soon(read_frame(&mut raw)).await, (TEXT, b"one".to_vec()));

    let (mut sender, mut receiver) = socket.split();
    send(&mut sender, "two").await;
    soon(poll_fn(|cx| Pin::new(&mut sender).poll_close(cx)))
        .await
        .unwrap();
    assert_eq!(soon(read_frame(&mut raw)).await, (TEXT, b"two".to_vec()));
    assert_eq!(soon(read_frame(&mut raw)).await, (CLOSE, vec![3, 0xe8]));
    raw.write_all(&masked(CLOSE, b"\x03\xe8")).await.unwrap();
    let end = soon(poll_fn(|cx| Pin::new(&mut receiver).poll_next(cx))).await;
    assert!(end.is_none(), "{end:?}");
    let error = poll_fn(|cx| Pin::new(&mut sender).poll_ready(cx)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_full_sink_waits() {
    let (mut socket, raw) = served(Config {
        max_queued: 64 * 1024,
        ..quiet()
    })
    .await;
    let piece = Message::from(vec![7; 32 * 1024]);
    let mut sent = 0;
    loop {
        let ready =
            poll_fn(|cx| std::task::Poll::Ready(Pin::new(&mut socket).poll_ready(cx).is_ready()));
        if !ready.await {
            break;
        }
        Pin::new(&mut socket).start_send(piece.clone()).unwrap();
        sent += 1;
        assert!(
            sent < 10_000,
            "the peer does not read, and it is still ready"
        );
    }
    assert!(socket.buffered_amount() <= 96 * 1024 + 64);
    drop(raw);
    let error = soon(poll_fn(|cx| Pin::new(&mut socket).poll_ready(cx))).await;
    assert!(error.is_err(), "the peer is gone");
}

#[tokio::test]
async fn a_close_while_messages_wait_leaves_them_to_be_read() {
    let (mut socket, mut raw) = served(quiet()).await;
    raw.write_all(&[masked(TEXT, b"before"), masked(CLOSE, b"\x03\xe8bye")].concat())
        .await
        .unwrap();
    until_queued(&mut socket, 1).await;
    assert_eq!(soon(read_frame(&mut raw)).await.0, CLOSE);
    let error = soon(socket.send("too late")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(soon(socket.recv()).await.unwrap().unwrap(), "before".into());
    assert_eq!(socket.close_frame().unwrap().code, CloseCode::NORMAL);
    assert!(soon(socket.recv()).await.is_none());
}

#[tokio::test]
async fn between_messages_it_is_idle() {
    let (mut socket, mut raw) = served(quiet()).await;
    assert!(socket.is_idle());

    // A message that waits, and control frames that do.
    raw.write_all(&[masked(PING, b""), masked(TEXT, b"one"), masked(PONG, b"")].concat())
        .await
        .unwrap();
    until_queued(&mut socket, 1).await;
    assert!(!socket.is_idle());
    soon(socket.recv()).await.unwrap().unwrap();
    assert!(!socket.has_queued());
    assert!(socket.is_idle());

    // A message in two fragments, and a frame in two pieces.
    for (begin, end) in [
        (masked(0x01, b"be"), masked(0x80, b"gun")),
        (
            masked(TEXT, b"begun")[..5].to_vec(),
            masked(TEXT, b"begun")[5..].to_vec(),
        ),
    ] {
        raw.write_all(&begin).await.unwrap();
        soon(async {
            while socket.is_idle() {
                assert!(!socket.has_queued());
                tokio::task::yield_now().await;
            }
        })
        .await;
        raw.write_all(&end).await.unwrap();
        assert_eq!(soon(socket.recv()).await.unwrap().unwrap(), "begun".into());
        assert!(socket.is_idle());
    }

    socket
        .send_fragment(MessageKind::Text, b"be", false)
        .await
        .unwrap();
    assert!(!socket.is_idle());
    socket
        .send_fragment(MessageKind::Text, b"gun", true)
        .await
        .unwrap();
    assert!(socket.is_idle());
    socket.feed("fed").await.unwrap();
    assert!(!socket.is_idle());
    socket.flush().await.unwrap();
    assert!(socket.is_idle());
    socket.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(!socket.is_idle());
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json_goes_both_ways_and_says_what_is_wrong_with_it() {
    use std::collections::HashMap;

    let (mut client, mut server) = pair(quiet(), quiet()).await;
    let sent = HashMap::from([("id".to_owned(), 7)]);
    client.send_json(&sent).await.unwrap();
    client.send(&b"[1, 2]"[..]).await.unwrap();
    client.send("{\"id\": \"seven\"}").await.unwrap();
    client.send_json("still here").await.unwrap();
    let got: HashMap<String, u32> = soon(server.recv_json()).await.unwrap().unwrap();
    assert_eq!(got, sent);
    let got: [u8; 2] = soon(server.recv_json()).await.unwrap().unwrap();
    assert_eq!(got, [1, 2]);
    let error = soon(server.recv_json::<HashMap<String, u32>>()).await;
    let error = error.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Json);
    assert_eq!(
        error.to_string(),
        "the message is not the JSON that was expected: invalid type: string \"seven\", expected u32 at line 1 column 14"
    );
    let (sender, mut receiver) = server.split();
    let got: String = soon(receiver.recv_json()).await.unwrap().unwrap();
    assert_eq!(got, "still here");
    let unwritable = HashMap::from([([1, 2], 3)]);
    let error = sender.send_json(&unwritable).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Json, "{error}");
}
