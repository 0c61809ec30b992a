//! The stand-alone server, over loopback.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Handle,
    sync::mpsc,
    time::timeout,
};
use wiretalk::{
    Blame, CloseCode, Connector, DeflateConfig, Error, ErrorKind, Handshake, Request, WebSocket,
    server::{Client, Origins, Reply, Running, Server},
};

/// How long a test waits for what must happen.
const SOON: Duration = Duration::from_secs(20);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("in time")
}

async fn text(socket: &mut WebSocket) -> String {
    let message = soon(socket.recv())
        .await
        .expect("a message")
        .expect("no error");
    message.as_text().expect("a text").to_owned()
}

/// The messages that still come, and the close code.
async fn end(mut socket: WebSocket) -> (Vec<String>, u16) {
    let mut texts = Vec::new();
    while let Some(Ok(message)) = soon(socket.recv()).await {
        texts.push(message.as_text().expect("a text").to_owned());
    }
    let frame = socket.close_frame();
    (texts, frame.map_or(1006, |frame| frame.code.as_u16()))
}

async fn bind() -> Server {
    Server::bind("127.0.0.1:0").await.expect("a port")
}

async fn connect(running: &Running) -> WebSocket {
    let connected = soon(wiretalk::connect(&running.url())).await;
    connected.expect("a connection").0
}

async fn dial(
    running: &Running,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(WebSocket, Handshake), Error> {
    let mut request = Request::new(format!("{}{path}", running.url()));
    for (name, value) in headers {
        match *name {
            "origin" => request.origin = Some((*value).to_owned()),
            "sec-websocket-protocol" => {
                request.subprotocols = value.split(", ").map(str::to_owned).collect();
            }
            name => request.headers.push((name.to_owned(), (*value).to_owned())),
        }
    }
    soon(Connector::new().connect(&request)).await
}

/// The status and the body of a refusal.
fn refused(result: Result<(WebSocket, Handshake), Error>) -> (u16, String) {
    let error = result.expect_err("a refusal");
    let refusal = error.refusal().expect("a refusal");
    let body = String::from_utf8_lossy(&refusal.body).into_owned();
    (refusal.response.status, body)
}

/// Does what its client says, and answers with the verb and a number.
async fn obey(mut client: Client) -> Result<(), Error> {
    while let Some(message) = client.recv().await {
        let line = message.as_text().unwrap_or_default().to_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        let count = match verb {
            "join" => client.join(rest).map_or(0, |()| client.rooms().len()),
            "leave" => usize::from(client.leave(rest)),
            "be" => {
                client.identify(rest);
                client.user().map_or(0, |user| user.len())
            }
            "ping" => 0,
            "all" => client.clients().broadcast(rest),
            "others" => client.others().send(rest),
            "room" => client.room(first).send(second),
            "room-but-me" => client.room(first).except(&client).send(second),
            "user" => client.clients().user(first).send(second),
            "user-but-me" => client.clients().user(first).except(&client).send(second),
            "me" => client.clients().to(&client).send(rest),
            "me-but-me" => client.clients().to(&client).except(&client).send(rest),
            "publish" => client.clients().publish(first, second).expect("space"),
            "close-others" => client.others().close(CloseCode::new(4001), rest)?,
            "return" => return Ok(()),
            "fail" => return Err(Error::new(ErrorKind::Io, Blame::Us, "a failure")),
            "panic" => panic!("as told"),
            other => panic!("`{other}` is nothing to do"),
        };
        client.send(format!("{verb} {count}")).await?;
    }
    Ok(())
}

async fn tell(socket: &mut WebSocket, line: &str, answer: &str) {
    soon(socket.send(line)).await.expect("sent");
    assert_eq!(text(socket).await, answer, "{line}");
}

#[tokio::test]
async fn what_is_sent_reaches_whom_it_is_for() {
    let running = bind().await.spawn(obey).expect("a runtime");
    let mut ann = connect(&running).await;
    let mut bob = connect(&running).await;
    let mut cid = connect(&running).await;
    soon(running.clients().wait_for(3)).await;
    tell(&mut ann, "join lobby", "join 1").await;
    tell(&mut bob, "join lobby", "join 1").await;
    tell(&mut ann, "be ann", "be 3").await;
    tell(&mut cid, "be ann", "be 3").await;
    let clients = running.clients();
    let ids = clients.ids();
    assert_eq!(clients.rooms().get("lobby"), Some(&2));
    assert_eq!(clients.room("lobby").ids(), ids[..2]);
    assert_eq!(clients.user("ann").ids(), [ids[0], ids[2]]);
    assert_eq!(clients.all().except(ids[1]).ids(), [ids[0], ids[2]]);

    for (line, count, [to_ann, to_bob, to_cid]) in [
        ("all hi", 3, [true, true, true]),
        ("others hi", 2, [false, true, true]),
        ("room lobby hi", 2, [true, true, false]),
        ("room nobody hi", 0, [false, false, false]),
        ("room-but-me lobby hi", 1, [false, true, false]),
        ("user ann hi", 2, [true, false, true]),
        ("user-but-me ann hi", 1, [false, false, true]),
        ("me hi", 1, [true, false, false]),
        ("me-but-me hi", 0, [false, false, false]),
    ] {
        ann.send(line).await.expect("sent");
        if to_ann {
            // What was sent first comes first.
            assert_eq!(text(&mut ann).await, "hi", "{line}");
        }
        let verb = line.split(' ').next().unwrap_or_default();
        assert_eq!(text(&mut ann).await, format!("{verb} {count}"), "{line}");
        for (socket, reached) in [(&mut bob, to_bob), (&mut cid, to_cid)] {
            if reached {
                assert_eq!(text(socket).await, "hi", "{line}");
            }
            tell(socket, "ping", "ping 0").await;
        }
    }

    tell(&mut ann, "leave lobby", "leave 1").await;
    tell(&mut ann, "leave lobby", "leave 0").await;
    assert_eq!(clients.rooms().get("lobby"), Some(&1));
    // Whoever is gone is in no room.
    drop(bob);
    soon(async {
        while clients.len() > 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(clients.rooms().is_empty());

    tell(&mut ann, "close-others be off", "close-others 1").await;
    assert_eq!(end(cid).await, (Vec::new(), 4001));
    drop(ann);
    running.stop().await;
}

#[tokio::test]
async fn the_end_of_a_handler_is_the_end_of_its_client() {
    let (told, mut problems) = mpsc::unbounded_channel();
    let server = bind().await.on_error(move |problem| {
        let _ = told.send(problem.error.to_string());
    });
    let running = server.spawn(obey).expect("a runtime");
    let mut other = connect(&running).await;
    for (line, code, problem) in [
        ("return", 1000, None),
        ("fail", 1011, Some("a failure")),
        ("panic", 1011, Some("the handler panicked: as told")),
    ] {
        let mut socket = connect(&running).await;
        socket.send(line).await.expect("sent");
        assert_eq!(end(socket).await, (Vec::new(), code), "{line}");
        if let Some(problem) = problem {
            assert_eq!(soon(problems.recv()).await.as_deref(), Some(problem));
        }
        tell(&mut other, "ping", "ping 0").await;
    }
    let other = tokio::spawn(end(other));
    running.stop().await;
    assert_eq!(problems.recv().await, None, "nothing else went wrong");
    assert_eq!(other.await.expect("no panic").1, 1001);
}

#[tokio::test]
async fn a_newcomer_gets_the_last_value_of_a_topic_first() {
    let running = bind().await.spawn(obey).expect("a runtime");
    let clients = running.clients().clone();
    assert_eq!(clients.publish("news", "nobody hears"), Ok(0));
    assert_eq!(clients.publish("news", "yesterday"), Ok(0));
    assert_eq!(clients.published("news"), Some("yesterday".into()));
    let mut ann = connect(&running).await;
    ann.send("join news").await.expect("sent");
    assert_eq!(text(&mut ann).await, "yesterday");
    assert_eq!(text(&mut ann).await, "join 1");
    assert_eq!(clients.publish("news", vec![1, 2]), Ok(1));
    let message = soon(ann.recv()).await.expect("a message");
    assert_eq!(message.expect("no error").as_bytes(), [1, 2]);
    clients.forget("news");
    assert_eq!(clients.published("news"), None);
    let mut bob = connect(&running).await;
    tell(&mut bob, "join news", "join 1").await;
    drop((ann, bob));
    running.stop().await;
}

/// A client that reads nothing costs the others nothing, and is closed when too much waits for it.
#[tokio::test]
async fn whoever_reads_too_slowly_is_closed() {
    let server = bind().await.queue_size(256 * 1024);
    let (gone, mut errors) = mpsc::unbounded_channel();
    let running = server
        .spawn(move |mut client: Client| {
            let gone = gone.clone();
            async move {
                while client.recv().await.is_some() {}
                let _ = gone.send((client.id(), client.close_frame().cloned()));
            }
        })
        .expect("a runtime");
    let slow = connect(&running).await;
    soon(running.clients().wait_for(1)).await;
    let slow_id = running.clients().ids()[0];
    let mut quick = connect(&running).await;
    soon(running.clients().wait_for(2)).await;

    let payload = "x".repeat(16 * 1024);
    let mut rounds = 0;
    while running.clients().to(slow_id).send(payload.as_str()) == 1 {
        assert_eq!(running.clients().all().except(slow_id).send("tick"), 1);
        assert_eq!(text(&mut quick).await, "tick");
        rounds += 1;
        assert!(rounds < 10_000, "nothing bounds what waits for a client");
    }
    // It is told so, behind what had been written to it.
    let (before, code) = end(slow).await;
    assert_eq!(code, 1008);
    assert!(before.len() < rounds, "what piled up is let go");
    assert_eq!(soon(errors.recv()).await.map(|(id, _)| id), Some(slow_id));
    drop(quick);
    running.stop().await;
}

#[tokio::test]
async fn a_stop_says_goodbye_and_leaves_no_task() {
    let before = Handle::current().metrics().num_alive_tasks();
    let running = bind().await.spawn(obey).expect("a runtime");
    let url = running.url();
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(connect(&running).await);
    }
    // One that speaks plain HTTP and keeps its connection, and one that says nothing.
    let mut http = TcpStream::connect(running.local_addr())
        .await
        .expect("a connection");
    http.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("sent");
    let mut head = [0; 12];
    soon(http.read_exact(&mut head)).await.expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 426");
    let _silent = TcpStream::connect(running.local_addr())
        .await
        .expect("a connection");

    soon(running.clients().wait_for(5)).await;
    let clients = running.clients().clone();
    let ends: Vec<_> = sockets
        .into_iter()
        .map(|socket| tokio::spawn(end(socket)))
        .collect();
    soon(running.stop()).await;
    for end in ends {
        assert_eq!(end.await.expect("no panic"), (Vec::new(), 1001));
    }
    assert!(clients.is_empty());
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
    let error = wiretalk::connect(&url).await.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Refused);
}

/// Says so when it is dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn a_handler_that_does_not_end_is_dropped_where_it_waits() {
    for stop in [true, false] {
        let (told, mut dropped) = mpsc::unbounded_channel();
        let before = Handle::current().metrics().num_alive_tasks();
        let server = bind().await.stop_timeout(Duration::from_millis(50));
        let running = server
            .spawn(move |client: Client| {
                let guard = Dropped(told.clone());
                async move {
                    std::future::pending::<()>().await;
                    drop((client, guard));
                }
            })
            .expect("a runtime");
        let socket = connect(&running).await;
        soon(running.clients().wait_for(1)).await;
        if stop {
            soon(running.stop()).await;
            assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
        } else {
            drop(running);
        }
        soon(dropped.recv()).await.expect("it was dropped");
        assert_eq!(end(socket).await.1, 1006, "nobody was left to say goodbye");
    }
}

#[tokio::test]
async fn a_server_serves_until_it_is_told() {
    let server = bind().await;
    let url = server.url();
    let clients = server.clients();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve_until(stopped, obey));
    let (socket, _) = soon(wiretalk::connect(&url)).await.expect("a connection");
    soon(clients.wait_for(1)).await;
    stop.send(()).expect("it serves");
    assert_eq!(end(socket).await.1, 1001);
    soon(serving).await.expect("no panic").expect("no error");
    soon(clients.wait_for_none()).await;
}

#[tokio::test]
async fn a_handshake_is_checked_before_it_is_answered() {
    let server = bind()
        .await
        .origins(Origins::list(["https://app.example"]).expect("origins"))
        .subprotocols(["v2", "v1"])
        .check(async |mut handshake| {
            if handshake.path() == "/nowhere" {
                return Err(Reply::text(404, "there is nothing\n"));
            }
            let token = handshake.query("token");
            let token = token
                .as_deref()
                .or(handshake.bearer())
                .or(handshake.cookie("token"));
            match token {
                Some("a b&c") => handshake.user = Some("ann".to_owned()),
                _ => {
                    let reply = Reply::text(401, "who are you?\n");
                    return Err(reply
                        .header("www-authenticate", "Bearer")
                        .expect("a header"));
                }
            }
            if handshake.offered.iter().any(|offered| offered == "v0") {
                handshake.subprotocol = Some("v0".to_owned());
            }
            handshake.extensions.insert(17_u32);
            let cookie = http::HeaderValue::from_static("seen=1");
            handshake.headers.insert(http::header::SET_COOKIE, cookie);
            Ok(handshake)
        })
        .pages(async |request| Reply::text(200, request.uri.path()));
    let running = server
        .spawn(async |mut client: Client| {
            let known = format!(
                "{:?} {:?} {:?} {} {}",
                client.user(),
                client.get::<u32>(),
                client.subprotocol(),
                client.path(),
                client.target(),
            );
            let _ = client.send(known).await;
        })
        .expect("a runtime");

    for (path, headers, status, body) in [
        (
            "/?token=a%20b%26c",
            &[("origin", "https://evil.example")][..],
            403,
            "pages of `https://evil.example` may not connect to this server\n",
        ),
        ("/nowhere", &[], 404, "there is nothing\n"),
        ("/?token=wrong", &[], 401, "who are you?\n"),
        (
            "/?token",
            &[("origin", "https://app.example")],
            401,
            "who are you?\n",
        ),
        (
            "/",
            &[("authorization", "Basic a b&c")],
            401,
            "who are you?\n",
        ),
    ] {
        let answer = refused(dial(&running, path, headers).await);
        assert_eq!(answer, (status, body.to_owned()), "{path} {headers:?}");
    }
    for (path, headers, subprotocol) in [
        (
            "/a?token=a+b%26c",
            &[("origin", "https://app.example")][..],
            None,
        ),
        (
            "/a?x=1&token=a%20b%26c",
            &[("sec-websocket-protocol", "v1, v2")],
            Some("v2"),
        ),
        (
            "/a",
            &[
                ("authorization", "bearer a b&c"),
                ("sec-websocket-protocol", "v9"),
            ],
            None,
        ),
        (
            "/a",
            &[
                ("cookie", "x=y; token=\"a b&c\""),
                ("sec-websocket-protocol", "v1, v0"),
            ],
            Some("v0"),
        ),
    ] {
        let dialed = dial(&running, path, headers).await;
        let (mut socket, handshake) = dialed.expect("let in");
        assert_eq!(
            handshake.response.headers.get("set-cookie"),
            Some(&b"seen=1"[..])
        );
        assert_eq!(
            text(&mut socket).await,
            format!("Some(\"ann\") Some(17) {subprotocol:?} /a {path}")
        );
        assert_eq!(socket.subprotocol(), subprotocol);
    }
    let mut http = TcpStream::connect(running.local_addr())
        .await
        .expect("a connection");
    http.write_all(b"GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = String::new();
    soon(http.read_to_string(&mut answer))
        .await
        .expect("an answer");
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("/page"),
        "{answer}"
    );
    running.stop().await;
}

#[tokio::test]
async fn limits_hold() {
    let server = bind().await.max_clients(2).message_size(100);
    let running = server.spawn(obey).expect("a runtime");
    let mut first = connect(&running).await;
    let second = connect(&running).await;
    let (status, _) = refused(dial(&running, "/", &[]).await);
    assert_eq!(status, 503);
    first.send("x".repeat(101)).await.expect("sent");
    assert_eq!(end(first).await, (Vec::new(), 1009));
    // Its place is free once its connection has ended.
    let mut third = soon(async {
        loop {
            match dial(&running, "/", &[]).await {
                Ok((socket, _)) => break socket,
                Err(error) => assert_eq!(
                    error.refusal().map(|refusal| refusal.response.status),
                    Some(503)
                ),
            }
        }
    })
    .await;
    tell(&mut third, "ping", "ping 0").await;
    drop(second);
    drop(third);
    running.stop().await;
}

#[tokio::test]
async fn a_silent_client_is_dropped() {
    let server = bind().await.idle_timeout(Duration::from_millis(500));
    let running = server.spawn(obey).expect("a runtime");
    let silent = tokio::spawn(end(connect(&running).await));
    // Whoever says something now and then stays.
    let mut lively = connect(&running).await;
    while !silent.is_finished() {
        tell(&mut lively, "ping", "ping 0").await;
    }
    assert_eq!(silent.await.expect("no panic"), (Vec::new(), 1001));
    tell(&mut lively, "ping", "ping 0").await;
    assert_eq!(end(lively).await, (Vec::new(), 1001));
    running.stop().await;

    let server = bind().await.ping_interval(Duration::from_millis(30));
    let running = server.spawn(obey).expect("a runtime");
    // It never answers a ping, as it is never polled.
    let _dead = connect(&running).await;
    soon(running.clients().wait_for(1)).await;
    soon(running.clients().wait_for_none()).await;
    running.stop().await;
}

#[tokio::test]
async fn a_broadcast_is_compressed_where_that_was_agreed() {
    for (agreed, compression) in [(true, Some(DeflateConfig::default())), (false, None)] {
        let server = bind().await.compression(compression);
        let running = server.spawn(obey).expect("a runtime");
        let mut request = Request::new(running.url());
        request.deflate = vec![DeflateConfig::default()];
        let (mut socket, _) = soon(Connector::new().connect(&request))
            .await
            .expect("let in");
        assert_eq!(socket.deflate().is_some(), agreed);
        soon(running.clients().wait_for(1)).await;
        let long = "abc".repeat(10_000);
        assert_eq!(running.clients().broadcast(long.as_str()), 1);
        assert_eq!(text(&mut socket).await, long);
        drop(socket);
        running.stop().await;
    }
}

/// A client that was given to another task lives on there.
#[tokio::test]
async fn a_client_may_outlive_its_handler() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let running = bind()
        .await
        .spawn(move |client: Client| {
            keep.lock().expect("no panic").push(client);
            std::future::ready(())
        })
        .expect("a runtime");
    let mut socket = connect(&running).await;
    let mut client = soon(async {
        loop {
            let client = kept.lock().expect("no panic").pop();
            match client {
                Some(client) => break client,
                None => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    client.send("still here").await.expect("sent");
    assert_eq!(text(&mut socket).await, "still here");
    drop(client);
    assert_eq!(end(socket).await, (Vec::new(), 1000));
    running.stop().await;
}

/// No message is lost by a `recv` that is dropped, neither one that comes nor one that goes.
#[tokio::test]
async fn receiving_is_cancel_safe() {
    let running = bind()
        .await
        .spawn(async |mut client: Client| {
            let mut echoed = 0;
            while echoed < 500 {
                tokio::select! {
                    biased;
                    () = tokio::task::yield_now() => {}
                    message = client.recv() => match message {
                        Some(message) => {
                            client.clients().to(&client).send(message);
                            echoed += 1;
                        }
                        None => return,
                    },
                }
            }
        })
        .expect("a runtime");
    let (sender, mut receiver) = connect(&running).await.split();
    let sending = tokio::spawn(async move {
        for n in 0..500 {
            sender.send(n.to_string()).await.expect("sent");
        }
    });
    for n in 0..500 {
        let message = soon(receiver.recv())
            .await
            .expect("a message")
            .expect("no error");
        assert_eq!(message.as_text(), Some(n.to_string().as_str()));
    }
    assert!(soon(receiver.recv()).await.is_none());
    sending.await.expect("no panic");
    running.stop().await;
}

/// A client that leaves before it is answered is not checked any further.
#[tokio::test]
async fn whoever_leaves_meanwhile_is_not_checked_any_further() {
    let (told, mut dropped) = mpsc::unbounded_channel();
    let (begin, mut begun) = mpsc::unbounded_channel();
    let server = bind().await.max_clients(1).check(move |handshake| {
        let guard = (Dropped(told.clone()), begin.send(()));
        async move {
            if handshake.path() == "/slow" {
                std::future::pending::<()>().await;
            }
            drop(guard);
            Ok(handshake)
        }
    });
    let running = server.spawn(obey).expect("a runtime");
    let mut request = Request::new(format!("{}/slow", running.url()));
    request.subprotocols = vec!["v1".to_owned()];
    let connector = Connector::new();
    tokio::select! {
        _ = connector.connect(&request) => panic!("it is not answered"),
        began = begun.recv() => began.expect("a check"),
    }
    soon(dropped.recv()).await.expect("it was dropped");
    // Its place is free again.
    let (mut socket, _) = dial(&running, "/", &[]).await.expect("let in");
    tell(&mut socket, "ping", "ping 0").await;
    drop(socket);
    running.stop().await;
}

/// Clients that come, join, talk and vanish, all at once, leave nothing of themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_clients_that_come_and_go() {
    const AT_ONCE: usize = 8;
    let server = bind().await.max_clients(AT_ONCE);
    let running = server.spawn(obey).expect("a runtime");
    let tasks = (0..AT_ONCE).map(|task| {
        let url = running.url();
        tokio::spawn(async move {
            for round in 0..20 {
                let mut socket = loop {
                    match wiretalk::connect(&url).await {
                        Ok((socket, _)) => break socket,
                        // The server has not noticed yet that somebody is gone.
                        Err(error) => assert!(error.refusal().is_some(), "{error}"),
                    }
                };
                let room = (task + round) % 3;
                socket.send(format!("join {room}")).await.expect("sent");
                socket.send(format!("room {room} hi")).await.expect("sent");
                while text(&mut socket).await != "hi" {}
                match round % 3 {
                    0 => drop(socket),
                    1 => socket.abort(),
                    _ => socket.close(CloseCode::NORMAL, "").await.expect("closed"),
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        soon(task).await.expect("no panic");
    }
    soon(running.clients().wait_for_none()).await;
    assert!(running.clients().rooms().is_empty());
    let mut sockets = Vec::new();
    while sockets.len() < AT_ONCE {
        // A place is free when the connection is over, a little later than its client is gone.
        if let Ok((socket, _)) = dial(&running, "/", &[]).await {
            sockets.push(socket);
        }
    }
    assert_eq!(refused(dial(&running, "/", &[]).await).0, 503);
    drop(sockets);
    running.stop().await;
}

/// Over HTTP/2 the server is the same: rooms, checks, limits, and a goodbye to everyone.
#[cfg(feature = "http2")]
#[tokio::test]
async fn clients_come_over_http2_too() {
    use wiretalk::Http2;

    let before = Handle::current().metrics().num_alive_tasks();
    let server = bind().await.subprotocols(["v1"]).max_clients(4);
    let running = server.spawn(obey).expect("a runtime");
    let connector = Connector::new().http2(Http2::Only);
    let mut request = Request::new(format!("{}/chat?x=1", running.url()));
    request.subprotocols = vec!["v1".to_owned()];
    request.deflate = vec![DeflateConfig::default()];
    let mut sockets = Vec::new();
    for origin in ["https://evil.example", "own", "own", "own"] {
        let own = running.url().replacen("ws", "http", 1);
        request.origin = Some(if origin == "own" {
            own
        } else {
            origin.to_owned()
        });
        match soon(connector.connect(&request)).await {
            Ok((socket, handshake)) => {
                assert_eq!(handshake.response.status, 200);
                assert_eq!(socket.subprotocol(), Some("v1"));
                assert!(socket.deflate().is_some());
                sockets.push(socket);
            }
            Err(error) => {
                assert_eq!(origin, "https://evil.example", "{error}");
                assert_eq!(refused(Err(error)).0, 403);
            }
        }
    }
    // One of HTTP/1.1 among them.
    sockets.push(connect(&running).await);
    soon(running.clients().wait_for(4)).await;
    assert_eq!(refused(dial(&running, "/", &[]).await).0, 503);
    let refusal = soon(connector.connect(&request)).await;
    assert_eq!(refused(refusal).0, 503);
    for socket in &mut sockets {
        tell(socket, "join lobby", "join 1").await;
    }
    sockets[0].send("room-but-me lobby hi").await.expect("sent");
    assert_eq!(text(&mut sockets[0]).await, "room-but-me 3");
    for socket in &mut sockets[1..] {
        assert_eq!(text(socket).await, "hi");
    }
    let ends: Vec<_> = sockets
        .into_iter()
        .map(|socket| tokio::spawn(end(socket)))
        .collect();
    soon(running.stop()).await;
    for end in ends {
        assert_eq!(soon(end).await.expect("no panic"), (Vec::new(), 1001));
    }
    soon(async {
        while Handle::current().metrics().num_alive_tasks() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
