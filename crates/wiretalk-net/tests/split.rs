//! A connection in two halves, and peers that do not read.

mod common;

use std::{
    io::{Read, Write},
    pin::pin,
    time::Duration,
};

use common::{
    CLOSE, PING, PONG, Server, TEXT, dial, is_pending, masked, ms, pair, quiet, raw_client,
    read_frame, soon,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wiretalk_net::{
    CloseCode, Config, ErrorKind, Event, Message, Prepared, Receiver, Sender, State,
};

/// A server's end of a connection in halves, and the bare stream of its client.
async fn served(config: Config) -> (Sender, Receiver, TcpStream) {
    let mut server = Server::start(config).await;
    let raw = raw_client(server.address).await;
    let (sender, receiver) = server.next().await.split();
    (sender, receiver, raw)
}

/// Sends until the kernel and the queue take no more, not even a byte; says how many messages that took.
fn fill(sender: &Sender) -> usize {
    let mut sent = 0;
    for payload in [&[7; 16 * 1024][..], &[]] {
        let message = Prepared::binary(payload);
        loop {
            match sender.try_send_prepared(&message) {
                Ok(()) => sent += 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TooSlow, "{error}");
                    break;
                }
            }
        }
    }
    sent
}

const QUEUE: usize = 256 * 1024;

fn small_queue() -> Config {
    Config {
        max_queued: QUEUE,
        ..quiet()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_send_while_one_receives() {
    const SENDERS: usize = 4;
    const EACH: usize = 250;
    let (client, server) = pair(quiet(), quiet()).await;
    let (sender, mut receiver) = client.split();
    // Each end sends from many tasks and receives in one, all at once.
    let (echo, mut echoed) = server.split();
    let server = tokio::spawn(async move {
        while let Some(message) = echoed.recv().await {
            echo.send(message.unwrap()).await.unwrap();
        }
    });
    let tasks: Vec<_> = (0..SENDERS)
        .map(|task| {
            let sender = sender.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    sender
                        .send(format!("{task} {number} {}", "x".repeat(number * 10)))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; SENDERS];
    for _ in 0..SENDERS * EACH {
        let message = soon(receiver.recv()).await.unwrap().unwrap();
        let mut words = message.as_text().unwrap().split(' ');
        let mut number = || words.next().unwrap().parse::<usize>().unwrap();
        let (task, number) = (number(), number());
        assert_eq!(
            number, next[task],
            "the messages of one task keep their order"
        );
        next[task] += 1;
    }
    for task in tasks {
        task.await.unwrap();
    }
    sender.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(soon(receiver.recv()).await.is_none());
    soon(server).await.unwrap();
}

#[tokio::test]
async fn a_slow_reader_makes_senders_wait_in_bounded_memory() {
    let (sender, mut receiver, mut raw) = served(small_queue()).await;
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let sent = fill(&sender);
    assert!(
        sender.buffered_amount() <= QUEUE,
        "{} bytes wait",
        sender.buffered_amount()
    );

    let mut send = pin!(sender.send("waited"));
    assert!(is_pending(send.as_mut()).await);
    // A send that is given up before there was room leaves nothing behind.
    assert!(is_pending(sender.send("given up")).await);
    assert!(
        sender.buffered_amount() <= QUEUE,
        "{} bytes wait",
        sender.buffered_amount()
    );

    let reading = tokio::spawn(async move {
        for _ in 0..sent {
            let payload = read_frame(&mut raw).await.1;
            assert!(payload.is_empty() || payload.len() == 16 * 1024);
        }
        let last = read_frame(&mut raw).await;
        raw.write_all(&masked(TEXT, b"done")).await.unwrap();
        last
    });
    soon(send).await.unwrap();
    assert_eq!(soon(reading).await.unwrap(), (TEXT, b"waited".to_vec()));
    assert_eq!(
        soon(receiving).await.unwrap().unwrap().unwrap(),
        Message::from("done")
    );
}

#[tokio::test]
async fn a_message_larger_than_the_queue_goes_alone() {
    let (sender, _receiver, mut raw) = served(Config {
        max_queued: 10,
        ..quiet()
    })
    .await;
    let reading = tokio::spawn(async move {
        (
            read_frame(&mut raw).await.1.len(),
            read_frame(&mut raw).await.1.len(),
        )
    });
    soon(sender.send(vec![0; 1 << 20])).await.unwrap();
    soon(sender.send(vec![0; 11])).await.unwrap();
    assert_eq!(soon(reading).await.unwrap(), (1 << 20, 11));
}

#[tokio::test]
async fn what_try_send_leaves_behind_is_written_by_the_receiver() {
    let (sender, mut receiver, mut raw) = served(small_queue()).await;
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let sent = fill(&sender);
    // Nobody sends any more; only the receiver is polled.
    drop(sender);
    for _ in 0..sent {
        soon(read_frame(&mut raw)).await;
    }
    raw.write_all(&masked(TEXT, b"all there")).await.unwrap();
    assert_eq!(
        soon(receiving).await.unwrap().unwrap().unwrap(),
        Message::from("all there")
    );
}

#[tokio::test]
async fn the_receiver_alone_keeps_answering() {
    let (sender, mut receiver, mut raw) = served(quiet()).await;
    drop(sender);
    let receiving =
        tokio::spawn(async move { (receiver.recv().await, receiver.recv().await.is_none()) });
    raw.write_all(&masked(PING, b"?")).await.unwrap();
    assert_eq!(soon(read_frame(&mut raw)).await, (PONG, b"?".to_vec()));
    raw.write_all(&masked(TEXT, b"hello")).await.unwrap();
    raw.write_all(&masked(CLOSE, b"")).await.unwrap();
    assert_eq!(soon(read_frame(&mut raw)).await, (CLOSE, Vec::new()));
    let (message, ended) = soon(receiving).await.unwrap();
    assert_eq!(message.unwrap().unwrap(), Message::from("hello"));
    assert!(ended);
    assert_eq!(soon(raw.read(&mut [0; 16])).await.unwrap(), 0);
}

#[tokio::test]
async fn the_sender_alone_keeps_sending() {
    let (sender, receiver, mut raw) = served(quiet()).await;
    drop(receiver);
    soon(sender.send("hello")).await.unwrap();
    soon(sender.close(CloseCode::NORMAL, "")).await.unwrap();
    drop(sender);
    assert_eq!(soon(read_frame(&mut raw)).await, (TEXT, b"hello".to_vec()));
    assert_eq!(
        soon(read_frame(&mut raw)).await,
        (CLOSE, b"\x03\xe8".to_vec())
    );
    assert_eq!(soon(raw.read(&mut [0; 16])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_receiver_that_waits_learns_of_the_close_deadline() {
    let (sender, mut receiver, _raw) = served(Config {
        close_timeout: ms(50),
        ..quiet()
    })
    .await;
    let receiving = tokio::spawn(async move { receiver.next_event().await });
    // It waits without any clock when the close begins.
    tokio::task::yield_now().await;
    sender.close(CloseCode::NORMAL, "").await.unwrap();
    let error = soon(receiving).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(sender.state(), State::Closed);
}

#[tokio::test]
async fn a_close_frame_that_the_peer_does_not_take() {
    let config = Config {
        close_timeout: ms(50),
        ..small_queue()
    };
    let (sender, mut receiver, _raw) = served(config).await;
    fill(&sender);
    let error = soon(sender.close(CloseCode::NORMAL, "")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        soon(receiver.next_event()).await.unwrap_err().kind(),
        ErrorKind::Timeout
    );
    assert_eq!(
        soon(sender.send("x")).await.unwrap_err().kind(),
        ErrorKind::Timeout
    );
}

#[tokio::test]
async fn an_abort_ends_all_halves() {
    let (sender, mut receiver, mut raw) = served(small_queue()).await;
    fill(&sender);
    let sending = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send("waits").await }
    });
    let receiving = tokio::spawn(async move { receiver.next_event().await });
    tokio::task::yield_now().await;
    sender.abort();
    assert_eq!(
        soon(sending).await.unwrap().unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert_eq!(soon(receiving).await.unwrap().unwrap(), None);
    let mut buffer = vec![0; 1 << 16];
    let error = soon(async {
        loop {
            match raw.read(&mut buffer).await {
                Ok(0) => panic!("the stream was ended in good order"),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    })
    .await;
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// Settings under which a peer that is frozen is noticed soon.
fn watchful() -> Config {
    Config {
        ping_interval: Some(ms(20)),
        ping_timeout: ms(50),
        max_queued: QUEUE,
        ..Config::default()
    }
}

#[tokio::test]
async fn a_frozen_peer_is_dropped_though_the_queue_is_stuck() {
    let (sender, mut receiver, _raw) = served(watchful()).await;
    fill(&sender);
    let sending = tokio::spawn(async move { sender.send("stuck").await });
    let error = soon(receiver.next_event()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PingTimeout);
    assert_eq!(
        soon(sending).await.unwrap().unwrap_err().kind(),
        ErrorKind::PingTimeout
    );
}

#[tokio::test]
async fn a_frozen_peer_is_dropped_though_nobody_receives() {
    let mut server = Server::start(watchful()).await;
    let _raw = raw_client(server.address).await;
    let mut socket = server.next().await;
    let error = soon(async {
        loop {
            if let Err(error) = socket.send(vec![0; 1 << 20]).await {
                return error;
            }
        }
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::PingTimeout);
    assert_eq!(
        soon(socket.next_event()).await.unwrap_err().kind(),
        ErrorKind::PingTimeout
    );
}

#[tokio::test]
async fn who_was_busy_for_long_still_finds_the_answer_to_its_close_frame() {
    const CLOSE_TIMEOUT: Duration = ms(30);
    let mut server = Server::start(Config {
        close_timeout: CLOSE_TIMEOUT,
        ..quiet()
    })
    .await;
    let raw = raw_client(server.address).await.into_std().unwrap();
    let mut socket = server.next().await;
    // The peer runs in a thread of its own, so that it can go on while this one is busy.
    let peer = std::thread::spawn(move || {
        let mut raw = raw;
        raw.set_nonblocking(false).unwrap();
        raw.read_exact(&mut [0; 4]).unwrap();
        raw.write_all(&masked(CLOSE, b"\x03\xe8")).unwrap();
        raw
    });
    let begun = std::time::Instant::now();
    socket.close(CloseCode::NORMAL, "").await.unwrap();
    // Blocks the runtime, which therefore cannot see that the answer has come.
    let _raw = peer.join().unwrap();
    while begun.elapsed() <= CLOSE_TIMEOUT * 2 {
        std::thread::yield_now();
    }
    let event = soon(socket.next_event()).await.unwrap();
    assert!(matches!(event, Some(Event::Close(Some(_)))), "{event:?}");
    assert_eq!(soon(socket.next_event()).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_fed_waits_for_a_flush_and_never_beyond_the_bound() {
    let mut server = Server::start(Config {
        max_queued: 100,
        ..quiet()
    })
    .await;
    let mut client = dial(&server.url(), quiet()).await;
    let (sender, _receiver) = server.next().await.split();

    let framed = Prepared::text("one");
    sender.try_feed_prepared(&framed).unwrap();
    sender.try_feed("two").unwrap();
    assert_eq!(sender.buffered_amount(), 2 * framed.wire().len());
    let refused = sender.try_feed("x".repeat(100)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooSlow);

    sender.try_flush().unwrap();
    assert_eq!(sender.buffered_amount(), 0);
    for expected in ["one", "two"] {
        let came = soon(client.recv()).await.unwrap().unwrap();
        assert_eq!(came, Message::from(expected));
    }
}

#[tokio::test]
async fn a_batch_comes_in_order_behind_what_was_queued_and_is_not_lost_in_a_full_socket() {
    let mut server = Server::start(Config {
        max_queued: 64 << 20,
        ..quiet()
    })
    .await;
    let mut client = dial(&server.url(), quiet()).await;
    let (sender, mut receiver) = server.next().await.split();
    // Written from where it lies, until the socket takes no more; then queued.
    let long = Prepared::binary(&vec![7; 1 << 20]);
    let short = Prepared::text("short");
    for _ in 0..20 {
        sender.try_send_prepared(&long).unwrap();
        sender
            .try_send_batch(&[short.clone(), long.clone()])
            .unwrap();
        sender.try_send_batch(&[]).unwrap();
    }
    assert!(sender.buffered_amount() > 0, "the socket took it all");
    let reading = async {
        for _ in 0..20 {
            for expected in [&long, &short, &long] {
                let came = soon(client.recv()).await.unwrap().unwrap();
                assert_eq!(came.into_bytes(), expected.payload());
            }
        }
        client.close(None, "").await.unwrap();
        while client.next_event().await.unwrap().is_some() {}
    };
    let writing = async { while receiver.next_event().await.unwrap().is_some() {} };
    tokio::join!(reading, writing);
}

#[tokio::test]
async fn a_batch_that_finds_no_room_leaves_what_it_queued() {
    let mut server = Server::start(Config {
        max_queued: 1 << 20,
        ..quiet()
    })
    .await;
    let mut client = dial(&server.url(), quiet()).await;
    let (sender, _receiver) = server.next().await.split();
    let message = Prepared::binary(&vec![7; 400 << 10]);
    let batch = vec![message.clone(); 40];
    // The socket and the queue together hold less than that.
    let error = sender.try_send_batch(&batch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooSlow);
    let came = soon(client.recv()).await.unwrap().unwrap();
    assert_eq!(came.into_bytes(), message.payload());
}

#[tokio::test]
async fn a_pong_that_had_no_room_leaves_when_there_is_some() {
    let (sender, mut receiver, mut raw) = served(Config {
        max_queued: 1,
        ..quiet()
    })
    .await;
    // Waits while the ping is looked at, and is written before the pong.
    sender.feed("xx").await.unwrap();
    raw.write_all(&masked(PING, b"?")).await.unwrap();
    let reading = async {
        assert_eq!(read_frame(&mut raw).await, (TEXT, b"xx".to_vec()));
        assert_eq!(read_frame(&mut raw).await, (PONG, b"?".to_vec()));
    };
    let polling = async { while let Ok(Some(_)) = receiver.next_event().await {} };
    tokio::select! {
        () = soon(reading) => {}
        () = polling => panic!("the connection ended"),
    }
}
