//! A client that reconnects, over loopback, most of it at virtual time: what is waited for costs none.

mod peer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use peer::{Peer, ms, soon};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};
use wiretalk::{
    CloseCode, Connector, Error, ErrorKind, Message, Proxy, State, WebSocket,
    client::{Backoff, BoxError, Cause, Event, GaveUp, Reconnecting, Retry, SendError, Unsent},
};
use wiretalk_net::server::Reply;

/// Nobody listens here, and nobody can without rights that tests do not have.
const NOBODY: &str = "ws://127.0.0.1:1/";

const TWO_SECONDS: Duration = Duration::from_secs(2);

async fn next(client: &mut Reconnecting) -> Event {
    soon(client.next_event()).await.expect("an event")
}

/// An event in a few words.
fn word(event: &Event) -> String {
    match event {
        Event::Connecting { attempt } => format!("connecting {attempt}"),
        Event::Open(_) => "open".to_owned(),
        Event::Message(message) => format!("message {}", message.as_text().unwrap_or("?")),
        Event::Ended(Cause::Dial(error)) => format!("dial {:?}", error.kind()),
        Event::Ended(Cause::Hook(error)) => format!("hook {error}"),
        Event::Ended(Cause::Lost(error)) => format!("lost {:?}", error.kind()),
        Event::Ended(Cause::Closed(frame)) => {
            format!("closed {} {}", frame.code.as_u16(), frame.reason)
        }
        Event::Waiting { attempt, delay } => format!("waiting {delay:?} for {attempt}"),
        Event::Dropped { messages, bytes } => format!("dropped {messages} of {bytes} bytes"),
        Event::GaveUp(GaveUp { attempts, .. }) => format!("gave up after {attempts}"),
        other => format!("{other:?}"),
    }
}

/// The events that come until one of them begins with these words, which is the last.
async fn until(client: &mut Reconnecting, last: &str) -> Vec<String> {
    let mut words = Vec::new();
    loop {
        words.push(word(&next(client).await));
        if words.last().unwrap().starts_with(last) {
            return words;
        }
        assert!(words.len() < 100, "{last} does not come: {words:?}");
    }
}

/// The events up to the end.
async fn all(client: &mut Reconnecting) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(event) = soon(client.next_event()).await {
        words.push(word(&event));
        assert!(words.len() < 100, "it goes on and on: {words:?}");
    }
    words
}

#[tokio::test(start_paused = true)]
async fn five_attempts_two_seconds_apart() {
    let mut client = Reconnecting::builder(NOBODY)
        .backoff(Backoff::fixed(TWO_SECONDS))
        .attempts(5)
        .build();
    let begin = Instant::now();
    let mut attempts = Vec::new();
    while let Some(event) = soon(client.next_event()).await {
        if let Event::Connecting { attempt } = event {
            attempts.push((attempt, begin.elapsed().as_secs()));
        }
    }
    assert_eq!(attempts, [(1, 0), (2, 2), (3, 4), (4, 6), (5, 8)]);
    assert_eq!(
        begin.elapsed().as_secs(),
        8,
        "after the last it does not wait"
    );
    assert_eq!(client.state(), State::Closed);
    assert!(client.next_event().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn each_step_is_told() {
    let peer = Peer::listen().await;
    let url = peer.url();
    let mut client = Reconnecting::builder(&*url)
        .backoff(Backoff::fixed(TWO_SECONDS))
        .attempts(2)
        .build();
    assert_eq!(client.state(), State::Connecting);
    let (mut server, words) = tokio::join!(peer.accept(), until(&mut client, "open"));
    assert_eq!(words, ["connecting 1", "open"]);
    assert_eq!(client.state(), State::Open);
    server.send("hello").await.unwrap();
    assert_eq!(word(&next(&mut client).await), "message hello");

    drop(peer);
    server.close(CloseCode::GOING_AWAY, "bye").await.unwrap();
    let (_, words) = tokio::join!(server.recv(), until(&mut client, "closed"));
    assert_eq!(words, ["closed 1001 bye"]);
    assert_eq!(
        all(&mut client).await,
        [
            "waiting 2s for 1",
            "connecting 1",
            "dial Refused",
            "waiting 2s for 2",
            "connecting 2",
            "dial Refused",
            "gave up after 2"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn counts_anew_after_each_success() {
    let peer = Peer::listen().await;
    let url = peer.url();
    drop(peer);
    let mut client = Reconnecting::builder(&*url)
        .backoff(Backoff::fixed(TWO_SECONDS))
        .attempts(3)
        .build();
    for _ in 0..3 {
        let words = until(&mut client, "waiting 2s for 3").await;
        assert_eq!(words[0], "connecting 1");
        let peer = Peer::again(&url).await;
        let (server, words) = tokio::join!(peer.accept(), until(&mut client, "open"));
        assert_eq!(words, ["connecting 3", "open"]);
        drop(server);
        drop(peer);
        let words = until(&mut client, "waiting").await;
        assert_eq!(words, ["lost Abnormal", "waiting 2s for 1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_last_is_no_success() {
    let peer = Peer::listen().await;
    let backoff = Backoff::exponential()
        .jitter(false)
        .settled_after(Duration::from_secs(10));
    let mut client = Reconnecting::builder(peer.url()).backoff(backoff).build();
    for (attempt, wait, lasts) in [
        (1, "500ms", 0),
        (2, "1s", 9),
        (3, "2s", 0),
        (4, "500ms", 10),
        (1, "1s", 0),
    ] {
        let (server, words) = tokio::join!(peer.accept(), until(&mut client, "open"));
        assert_eq!(words, [format!("connecting {attempt}"), "open".to_owned()]);
        sleep(Duration::from_secs(lasts)).await;
        drop(server);
        let words = until(&mut client, "waiting").await;
        assert!(
            words[1].starts_with(&format!("waiting {wait} ")),
            "{words:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn delays_are_kept_to_the_drawn_time() {
    let mut client = Reconnecting::builder(NOBODY).attempts(8).build();
    let mut due = None;
    while let Some(event) = soon(client.next_event()).await {
        match event {
            Event::Waiting { delay, attempt } => {
                assert!(delay <= Backoff::exponential().ceiling(attempt - 2));
                due = Some(Instant::now() + delay);
            }
            Event::Connecting { .. } => {
                // The clock of timers counts whole milliseconds.
                let late = due.map_or(Duration::ZERO, |due| Instant::now() - due);
                assert!(late <= ms(2), "{late:?}");
            }
            _ => {}
        }
    }
    assert!(due.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_deliberate_close_is_for_good() {
    let peer = Peer::listen().await;
    let mut client = Reconnecting::builder(peer.url()).build();
    let (mut server, _) = tokio::join!(peer.accept(), until(&mut client, "open"));
    server.send("last words").await.unwrap();
    client.close(CloseCode::NORMAL, "done").await.unwrap();
    assert_eq!(client.state(), State::Closing);
    assert!(matches!(
        client.send("more").await,
        Err(SendError::Closed(_))
    ));
    let served = async {
        assert!(server.recv().await.is_none());
        server.close_frame().cloned().unwrap()
    };
    let (frame, words) = tokio::join!(soon(served), all(&mut client));
    assert_eq!((frame.code, &*frame.reason), (CloseCode::NORMAL, "done"));
    assert_eq!(words, ["message last words", "closed 1000 "]);
    assert_eq!(client.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_a_wait_and_an_attempt() {
    let mut client = Reconnecting::builder(NOBODY).build();
    until(&mut client, "dial").await;
    client.close(None, "").await.unwrap();
    assert_eq!(client.state(), State::Closed);
    assert_eq!(all(&mut client).await, [""; 0]);

    let mut client = Reconnecting::builder(NOBODY)
        .dial(async || std::future::pending().await)
        .build();
    assert_eq!(word(&next(&mut client).await), "connecting 1");
    assert!(futures_pending(&mut client).await);
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(all(&mut client).await, [""; 0]);
}

#[tokio::test]
async fn a_close_that_cannot_be_is_no_close() {
    let peer = Peer::listen().await;
    let mut client = Reconnecting::builder(peer.url()).build();
    let (mut server, _) = tokio::join!(peer.accept(), until(&mut client, "open"));
    let error = client.close(CloseCode::ABNORMAL, "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(client.state(), State::Open);
    client.send("still here").await.unwrap();
    let message = soon(server.recv()).await.unwrap().unwrap();
    assert_eq!(message, "still here".into());
}

/// Whether the client has nothing to tell now.
async fn futures_pending(client: &mut Reconnecting) -> bool {
    let mut event = std::pin::pin!(client.next_event());
    std::future::poll_fn(|cx| Poll::Ready(event.as_mut().poll(cx).is_pending())).await
}

#[tokio::test(start_paused = true)]
async fn what_does_not_get_better_is_not_tried_again() {
    for url in ["ws://127.0.0.1:1:1/", "ftp://127.0.0.1/"] {
        let mut client = Reconnecting::builder(url).build();
        let words = all(&mut client).await;
        assert_eq!(
            words,
            ["connecting 1", "dial InvalidInput", "gave up after 1"]
        );
    }
    for status in [200, 302, 400, 401, 403, 404, 426, 501] {
        let peer = Peer::listen().await;
        let mut client = Reconnecting::builder(peer.url()).build();
        let (_, words) = tokio::join!(peer.refuse(Reply::new(status)), all(&mut client));
        assert_eq!(
            words,
            ["connecting 1", "dial Handshake", "gave up after 1"],
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_may_be_of_a_moment() {
    for (answer, last) in [
        ("407 Proxy Authentication Required", "gave up after 1"),
        ("403 Forbidden", "gave up after 1"),
        ("502 Bad Gateway", "waiting 2s for 2"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let connector = Connector::new().proxies(proxy.parse::<Proxy>().unwrap());
        let mut client = Reconnecting::builder("ws://example.test/")
            .connector(connector)
            .backoff(Backoff::fixed(TWO_SECONDS))
            .build();
        let answered = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let (_, words) = tokio::join!(soon(answered), until(&mut client, &last[..4]));
        assert_eq!(words, ["connecting 1", "dial Proxy", last], "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_says_when_to_come_back() {
    let backoff = Backoff::fixed(ms(100));
    for (reply, wait) in [
        (Reply::new(503), "100ms"),
        (Reply::new(503).header("Retry-After", "7").unwrap(), "7.1s"),
        (Reply::new(429).header("Retry-After", "1").unwrap(), "1.1s"),
        (Reply::new(500).header("Retry-After", "?").unwrap(), "100ms"),
    ] {
        let peer = Peer::listen().await;
        let builder = Reconnecting::builder(peer.url()).backoff(backoff.clone());
        let mut client = builder.build();
        let (_, words) = tokio::join!(peer.refuse(reply), until(&mut client, "waiting"));
        assert_eq!(words[2], format!("waiting {wait} for 2"));
        let begin = Instant::now();
        let (_, words) = tokio::join!(peer.accept(), until(&mut client, "open"));
        assert_eq!(words, ["connecting 2", "open"]);
        let waited = format!("{:?}", ms(begin.elapsed().as_millis().try_into().unwrap()));
        assert!(waited.starts_with(wait.trim_end_matches('s')), "{waited}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_decides() {
    let peer = Peer::listen().await;
    let mut client = Reconnecting::builder(peer.url())
        .backoff(Backoff::fixed(Duration::ZERO))
        .retry(|cause| match cause.close_frame() {
            Some(frame) if frame.code.as_u16() == 4000 => Retry::After(ms(1500)),
            Some(_) => Retry::No,
            None => cause.retry(),
        })
        .build();
    for (code, then) in [(4000, "waiting 1.5s for 1"), (4001, "gave up after 0")] {
        let (mut server, _) = tokio::join!(peer.accept(), until(&mut client, "open"));
        server.close(CloseCode::new(code), "").await.unwrap();
        let (_, words) = tokio::join!(server.recv(), until(&mut client, &then[..4]));
        assert_eq!(words, [format!("closed {code} "), then.to_owned()]);
    }
    assert!(client.next_event().await.is_none());
}

#[tokio::test]
async fn once_tells_of_a_single_connection() {
    let peer = Peer::listen().await;
    let mut client = Reconnecting::builder(peer.url()).once().build();
    let server = async {
        let mut server = peer.accept().await;
        server.send("one").await.unwrap();
        server.close(CloseCode::NORMAL, "").await.unwrap();
        server.recv().await;
    };
    let (_, words) = tokio::join!(soon(server), all(&mut client));
    assert_eq!(
        words,
        [
            "connecting 1",
            "open",
            "message one",
            "closed 1000 ",
            "gave up after 1"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_hook_logs_in_each_time() {
    let peer = Peer::listen().await;
    let tries = Arc::new(AtomicU32::new(0));
    let mut client = Reconnecting::builder(peer.url())
        .backoff(Backoff::fixed(TWO_SECONDS))
        .attempts(3)
        .on_open(async move |socket: &mut WebSocket| {
            let number = tries.fetch_add(1, Ordering::Relaxed);
            socket.send(format!("login {number}")).await?;
            match socket.recv().await.transpose()? {
                Some(Message::Text(text)) if &*text == "welcome" => Ok(()),
                _ => Err("the login was refused".into()),
            }
        })
        .build();
    for (number, answer, expected) in [
        (
            0,
            "no",
            &[
                "connecting 1",
                "hook the login was refused",
                "waiting 2s for 2",
            ][..],
        ),
        (1, "welcome", &["connecting 2", "open", "message you are 1"]),
        (
            2,
            "welcome",
            &[
                "lost Abnormal",
                "waiting 2s for 1",
                "connecting 1",
                "open",
                "message you are 2",
            ],
        ),
    ] {
        let server = async {
            let mut server = peer.accept().await;
            let login = server.recv().await.unwrap().unwrap();
            assert_eq!(login, format!("login {number}").into());
            server.send(answer).await.unwrap();
            server.send(format!("you are {number}")).await.unwrap();
        };
        let last = expected.last().unwrap();
        let (_, words) = tokio::join!(soon(server), until(&mut client, last));
        assert_eq!(words, expected);
    }
}

#[tokio::test]
async fn a_hook_is_not_begun_anew_when_the_call_is_cancelled() {
    async fn login(socket: &mut WebSocket) -> Result<(), BoxError> {
        socket.send("login").await?;
        socket.recv().await.transpose()?;
        Ok(())
    }
    let peer = Peer::listen().await;
    let mut client = Reconnecting::builder(peer.url()).on_open(login).build();
    next(&mut client).await;
    let mut server = tokio::select! {
        server = peer.accept() => server,
        _ = client.next_event() => panic!("the server has not answered"),
    };
    // Each of these calls is dropped while the hook waits.
    for _ in 0..3 {
        tokio::select! {
            biased;
            _ = client.next_event() => panic!("the server has not answered"),
            () = tokio::task::yield_now() => {}
        }
    }
    tokio::select! {
        login = soon(server.recv()) => assert_eq!(login.unwrap().unwrap(), "login".into()),
        _ = client.next_event() => panic!("the server has not answered"),
    }
    server.send("welcome").await.unwrap();
    server.send("first").await.unwrap();
    assert_eq!(
        until(&mut client, "message").await,
        ["open", "message first"]
    );
    client.send("second").await.unwrap();
    let message = soon(server.recv()).await.unwrap().unwrap();
    assert_eq!(message, "second".into(), "one login, not four");
}

#[tokio::test(start_paused = true)]
async fn a_wait_goes_on_when_the_call_is_cancelled() {
    let mut client = Reconnecting::builder(NOBODY)
        .backoff(Backoff::fixed(TWO_SECONDS))
        .build();
    until(&mut client, "waiting").await;
    let begin = Instant::now();
    for _ in 0..3 {
        tokio::select! {
            _ = client.next_event() => panic!("it waits for two seconds"),
            () = sleep(ms(600)) => {}
        }
    }
    assert_eq!(word(&next(&mut client).await), "connecting 2");
    assert_eq!(begin.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn impatience() {
    let mut client = Reconnecting::builder(NOBODY)
        .backoff(Backoff::fixed(TWO_SECONDS))
        .build();
    until(&mut client, "waiting").await;
    let begin = Instant::now();
    client.retry_now();
    assert_eq!(word(&next(&mut client).await), "connecting 2");
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn without_a_connection_messages_are_refused() {
    let mut client = Reconnecting::builder(NOBODY).build();
    let error = client.send("now").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no connection at the moment");
    assert_eq!(error.into_message(), Some("now".into()));
    assert_eq!(client.unsent(), 0);
}

#[tokio::test]
async fn kept_messages_are_sent_behind_the_hook() {
    let peer = Peer::listen().await;
    let mut client = Reconnecting::builder(peer.url())
        .unsent(Unsent::Keep(10))
        .on_open(async |socket: &mut WebSocket| Ok(socket.send("login").await?))
        .build();
    for text in ["one", "two", "3"] {
        client.send(text).await.unwrap();
    }
    let error = client.send("four").await.unwrap_err();
    assert!(matches!(&error, SendError::Full(message) if message.as_text() == Some("four")));
    assert_eq!((client.unsent(), client.unsent_bytes()), (3, 7));
    let served = async {
        let mut server = peer.accept().await;
        let mut texts = Vec::new();
        while texts.len() < 4 {
            texts.push(server.recv().await.unwrap().unwrap());
        }
        server.send("thanks").await.unwrap();
        (server, texts)
    };
    let ((mut server, texts), _) = tokio::join!(soon(served), until(&mut client, "message"));
    assert_eq!(texts, ["login", "one", "two", "3"].map(Message::from));
    assert_eq!((client.unsent(), client.unsent_bytes()), (0, 0));
    client.send("five").await.unwrap();
    assert_eq!(client.unsent(), 0, "it is with the kernel");
    let message = soon(server.recv()).await.unwrap().unwrap();
    assert_eq!(message, "five".into());
}

#[tokio::test]
async fn the_oldest_are_dropped_by_choice_and_that_is_told() {
    let peer = Peer::listen().await;
    let mut client = Reconnecting::builder(peer.url())
        .unsent(Unsent::KeepNewest(8))
        .build();
    for number in 0..5 {
        client.send(format!("no {number}")).await.unwrap();
    }
    assert_eq!((client.unsent(), client.unsent_bytes()), (2, 8));
    let served = async {
        let mut server = peer.accept().await;
        let texts = [server.recv().await, server.recv().await];
        server.close(CloseCode::NORMAL, "").await.unwrap();
        server.recv().await;
        texts.map(|text| text.unwrap().unwrap())
    };
    let (texts, words) = tokio::join!(soon(served), until(&mut client, "closed"));
    assert_eq!(texts, ["no 3", "no 4"].map(Message::from));
    assert_eq!(
        words,
        [
            "dropped 3 of 12 bytes",
            "connecting 1",
            "open",
            "closed 1000 "
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_the_end_can_be_taken() {
    let mut client = Reconnecting::builder(NOBODY)
        .unsent(Unsent::Keep(100))
        .attempts(1)
        .build();
    client.send("one").await.unwrap();
    client.send("two").await.unwrap();
    all(&mut client).await;
    assert!(matches!(
        client.send("three").await,
        Err(SendError::Closed(_))
    ));
    assert_eq!(client.take_unsent(), ["one", "two"].map(Message::from));
    assert_eq!(client.unsent_bytes(), 0);
}

#[tokio::test]
async fn more_is_kept_than_a_connection_takes_at_once() {
    const COUNT: usize = 60;
    let peer = Peer::listen().await;
    // Far more than the queue of a connection and the buffers of the kernel hold.
    let mut client = Reconnecting::builder(peer.url())
        .unsent(Unsent::Keep(100 << 20))
        .build();
    let large = Message::from(vec![7; 256 * 1024]);
    for _ in 0..COUNT {
        client.send(large.clone()).await.unwrap();
    }
    let served = async {
        let mut server = peer.accept().await;
        // Each waits until the other has taken what was sent, unless both receive meanwhile.
        server.send(vec![8; 4 << 20]).await.unwrap();
        for _ in 0..COUNT {
            assert_eq!(server.recv().await.unwrap().unwrap(), large);
        }
        server.send("all").await.unwrap();
    };
    let (_, words) = tokio::join!(soon(served), until(&mut client, "message all"));
    assert_eq!(words, ["connecting 1", "open", "message ?", "message all"]);
    assert_eq!(client.unsent(), 0);
}

#[tokio::test]
async fn what_a_lost_connection_did_not_take_goes_over_the_next() {
    let peer = Peer::listen().await;
    let mut client = Reconnecting::builder(peer.url())
        .backoff(Backoff::fixed(Duration::ZERO))
        .unsent(Unsent::Keep(100 << 20))
        .build();
    let (server, _) = tokio::join!(peer.accept(), until(&mut client, "open"));
    // The server reads nothing, so this cannot be written as a whole.
    let large = Message::from(vec![7; 32 << 20]);
    let turns = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = client.send(large.clone()) => panic!("nobody takes it"),
        () = turns => {}
    }
    client
        .close(CloseCode::ABNORMAL, "")
        .await
        .expect_err("no such code may be sent");
    assert_eq!(client.unsent(), 1);
    server.abort();
    let served = async {
        let mut server = peer.accept().await;
        let message = server.recv().await.unwrap().unwrap();
        server.send("thanks").await.unwrap();
        message
    };
    let (message, words) = tokio::join!(soon(served), until(&mut client, "message"));
    assert_eq!(message, large);
    assert!(words[0].starts_with("lost "), "{words:?}");
    assert_eq!(client.unsent(), 0);
}

#[tokio::test(start_paused = true)]
async fn messages_alone() {
    let peer = Peer::listen().await;
    let mut client = Reconnecting::builder(peer.url())
        .backoff(Backoff::fixed(TWO_SECONDS))
        .attempts(2)
        .build();
    for number in 0..2 {
        let served = async {
            let mut server = peer.accept().await;
            server.send(format!("{number}")).await.unwrap();
        };
        let (_, message) = tokio::join!(served, soon(client.recv()));
        assert_eq!(message.unwrap().unwrap(), format!("{number}").into());
    }
    drop(peer);
    let gave_up = soon(client.recv()).await.unwrap().unwrap_err();
    assert_eq!(gave_up.attempts, 2);
    assert!(matches!(gave_up.cause, Cause::Dial(error) if error.kind() == ErrorKind::Refused));
    assert!(client.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_function_dials() {
    let peer = Peer::listen().await;
    let url = peer.url();
    let calls = Arc::new(AtomicU32::new(0));
    let mut client = Reconnecting::builder("")
        .backoff(Backoff::fixed(TWO_SECONDS))
        .dial({
            let calls = Arc::clone(&calls);
            move || {
                let call = calls.fetch_add(1, Ordering::Relaxed);
                let url = if call < 2 {
                    NOBODY.to_owned()
                } else {
                    url.clone()
                };
                async move { wiretalk::connect(url).await }
            }
        })
        .build();
    let (_, words) = tokio::join!(peer.accept(), until(&mut client, "open"));
    assert_eq!(words.len(), 8, "{words:?}");
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn dropping_it_ends_whatever_is_under_way() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    for stage in ["the hook", "open", "waiting"] {
        let peer = Peer::listen().await;
        let mut client = Reconnecting::builder(peer.url())
            .on_open(async |socket: &mut WebSocket| {
                socket.recv().await.transpose()?;
                Ok(())
            })
            .build();
        next(&mut client).await;
        let mut server = tokio::select! {
            server = peer.accept() => server,
            _ = client.next_event() => panic!("the hook waits"),
        };
        if stage != "the hook" {
            server.send("come in").await.unwrap();
            until(&mut client, "open").await;
        }
        if stage == "waiting" {
            server.abort();
            until(&mut client, "waiting").await;
            drop(client);
            continue;
        }
        drop(client);
        let end = soon(server.recv()).await.unwrap().unwrap_err();
        // It is a reset if something had come that the client had not read.
        assert!(
            matches!(end.kind(), ErrorKind::Abnormal | ErrorKind::Reset),
            "{stage}: {end}"
        );
    }
    // Only those of the servers, which end by themselves.
    soon(async {
        while metrics.num_alive_tasks() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn it_can_be_moved_between_threads() {
    let peer = Peer::listen().await;
    let mut client = Reconnecting::builder(peer.url())
        .once()
        .on_open(async |socket: &mut WebSocket| Ok(socket.send("hello").await?))
        .build();
    let task = tokio::spawn(async move {
        let mut words = all(&mut client).await;
        words.truncate(2);
        words
    });
    let mut server = peer.accept().await;
    assert_eq!(soon(server.recv()).await.unwrap().unwrap(), "hello".into());
    drop(server);
    assert_eq!(task.await.unwrap(), ["connecting 1", "open"]);
}

/// An error is as it is told.
#[tokio::test(start_paused = true)]
async fn how_it_gave_up() {
    let mut client = Reconnecting::builder(NOBODY).attempts(1).build();
    let gave_up = soon(client.recv()).await.unwrap().unwrap_err();
    assert_eq!(
        gave_up.to_string(),
        "gave up after 1 attempt: 127.0.0.1:1 refused the connection"
    );
    let error: Option<&Error> = gave_up.cause.error();
    assert!(error.is_some());
}
