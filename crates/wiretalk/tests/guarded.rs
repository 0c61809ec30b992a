//! Who is let in to a server, what a client may cost, and how both are told.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::timeout};
use wiretalk::{
    Error, Request, WebSocket,
    server::{
        Client, Origins, Reply, Running, Server,
        guard::{
            Claims, ForwardedBy, Jwt, Keys, Limit, Networks, Rate, Reason, Refusal, Schema,
            TokenFrom, Tokens,
        },
    },
};

/// How long a test waits for what must happen.
const SOON: Duration = Duration::from_secs(20);
const SECRET: &[u8] = b"a secret of thirty-two bytes or more";
/// HS256 with that: `{"sub":"ann","role":"admin","aud":"chat","exp":4102444800}`, which is the year 2100.
const ANN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4iLCJyb2xlIjoiYWRtaW4iLCJhdWQiOiJjaGF0IiwiZXhwIjo0MTAyNDQ0ODAwfQ.hX3nuewlHJ7cuiUh-yogrDNdtxMqdyS-EM1F8oQzxS0";
/// The same, but over: `{"sub":"ann","aud":"chat","exp":1000000000}`.
const OVER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4iLCJhdWQiOiJjaGF0IiwiZXhwIjoxMDAwMDAwMDAwfQ.8Y6QQqtNnulSeGypzTYQHJ8LpW9dP9iPE2z1Rch8NJ0";

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("in time")
}

async fn bind() -> Server {
    Server::bind("127.0.0.1:0").await.expect("a port")
}

/// Says who the client is, and then sends back what it sends.
async fn echo(mut client: Client) -> Result<(), Error> {
    let user = client.user().unwrap_or_else(|| "nobody".into());
    let role = client.get::<Claims>().map(|claims| claims["role"].clone());
    client
        .send(format!("{user} {}", role.unwrap_or_default()))
        .await?;
    while let Some(message) = client.recv().await {
        client.send(message).await?;
    }
    Ok(())
}

async fn dial(running: &Running, path: &str, headers: &[(&str, &str)]) -> Result<WebSocket, Error> {
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
    soon(wiretalk::connect(request))
        .await
        .map(|(socket, _)| socket)
}

async fn text(socket: &mut WebSocket) -> String {
    let message = soon(socket.recv()).await.expect("a message");
    message
        .expect("no error")
        .as_text()
        .expect("a text")
        .to_owned()
}

/// The code and the reason with which it is closed, without another message.
async fn closed(socket: &mut WebSocket) -> (u16, String) {
    assert!(soon(socket.recv()).await.is_none());
    let frame = socket.close_frame().expect("a close frame");
    (frame.code.as_u16(), frame.reason.to_string())
}

fn tokens(places: impl IntoIterator<Item = TokenFrom>) -> Tokens {
    let keys = Keys::secret(SECRET).expect("it is long enough");
    Tokens::from_places(places)
        .jwt(Jwt::new(keys).audience("chat"))
        .known("swordfish")
}

fn networks(list: &[&str]) -> Networks {
    Networks::list(list).expect("networks")
}

fn messages(per_second: f64, burst: f64) -> Limit {
    Limit {
        messages: Rate::new(per_second, Some(burst)),
        ..Limit::default()
    }
}

/// A guarded server, and what it is told of refusals.
async fn guarded(by_close: bool) -> (Running, mpsc::UnboundedReceiver<(Reason, String)>) {
    let (tell, told) = mpsc::unbounded_channel();
    let mut server = bind()
        .await
        .origins(Origins::list(["https://app.example"]).expect("origins"))
        .tokens(tokens([
            TokenFrom::Header,
            TokenFrom::Query("token".into()),
            TokenFrom::Subprotocol,
        ]))
        .trust_proxies(networks(&["127.0.0.1"]), ForwardedBy::default())
        .allow(networks(&["127.0.0.1", "192.0.2.0/24"]))
        .deny(networks(&["192.0.2.13"]))
        .max_per_address(1)
        .check(async |handshake| match handshake.query("banned") {
            Some(_) => Err(Reply::text(403, "not you\n")),
            None => Ok(handshake),
        })
        .on_error(move |problem| {
            if let Some(refusal) = problem.error.downcast_ref::<Refusal>() {
                let from = problem.peer_addr.expect("it is known").ip().to_string();
                let _ = tell.send((refusal.reason, from));
            }
        });
    if by_close {
        server = server.refuse_by_close();
    }
    (server.spawn(echo).expect("a runtime"), told)
}

#[tokio::test]
async fn each_refusal_has_its_status_its_code_and_is_told() {
    let bearer = format!("Bearer {ANN}");
    let over = format!("Bearer {OVER}");
    let ann = ("authorization", &*bearer);
    type Row<'a> = (
        &'a [(&'a str, &'a str)],
        u16,
        (u16, &'a str),
        Reason,
        &'a str,
    );
    let table: &[Row<'_>] = &[
        (
            &[ann, ("x-forwarded-for", "198.51.100.1")],
            403,
            (1008, "your address may not connect"),
            Reason::Address,
            "198.51.100.1",
        ),
        (
            &[ann, ("x-forwarded-for", "192.0.2.13")],
            403,
            (1008, "your address may not connect"),
            Reason::Address,
            "192.0.2.13",
        ),
        (
            &[ann, ("origin", "https://evil.example")],
            403,
            (1008, "pages of this origin may not connect"),
            Reason::Origin,
            "127.0.0.1",
        ),
        (
            &[("x-forwarded-for", "192.0.2.1")],
            401,
            (1008, "a token is needed"),
            Reason::TokenMissing,
            "192.0.2.1",
        ),
        (
            &[("authorization", "Bearer sardine")],
            401,
            (1008, "the token is not accepted"),
            Reason::TokenInvalid,
            "127.0.0.1",
        ),
        (
            &[("authorization", &over)],
            401,
            (1008, "the token has expired"),
            Reason::TokenExpired,
            "127.0.0.1",
        ),
        (
            &[ann],
            429,
            (1013, "your address has too many connections"),
            Reason::AddressFull,
            "127.0.0.1",
        ),
    ];
    for by_close in [false, true] {
        let (running, mut told) = guarded(by_close).await;
        let mut first = dial(&running, "/", &[ann]).await.expect("it is let in");
        assert_eq!(text(&mut first).await, "ann \"admin\"");
        for (headers, status, close, reason, from) in table {
            let dialed = dial(&running, "/", headers).await;
            if by_close {
                let mut socket = dialed.expect("an upgrade");
                assert_eq!(closed(&mut socket).await, (close.0, close.1.to_owned()));
            } else {
                let error = dialed.expect_err("a refusal");
                let refusal = error.refusal().expect("a refusal");
                assert_eq!(refusal.response.status, *status, "{reason:?}");
            }
            let heard = soon(told.recv()).await.expect("it is told");
            assert_eq!(heard, (*reason, (*from).to_owned()));
        }
        // From another address there is a place, with each kind of token, unless the program's own check refuses.
        let other = ("x-forwarded-for", "192.0.2.7");
        let banned = dial(&running, "/?token=swordfish&banned", &[other]).await;
        if by_close {
            let mut socket = banned.expect("an upgrade");
            let refused = (1008, "refused with 403".to_owned());
            assert_eq!(closed(&mut socket).await, refused);
        } else {
            let error = banned.expect_err("a refusal");
            assert_eq!(error.refusal().expect("one").response.status, 403);
        }
        let mut query = dial(&running, "/?token=swordfish", &[other])
            .await
            .expect("it is let in");
        assert_eq!(text(&mut query).await, "nobody null");
        let offered = format!("bearer, {ANN}");
        let headers = [
            ("sec-websocket-protocol", &*offered),
            ("x-forwarded-for", "192.0.2.8"),
        ];
        let mut page = dial(&running, "/", &headers).await.expect("it is let in");
        assert_eq!(page.subprotocol(), Some("bearer"));
        assert_eq!(text(&mut page).await, "ann \"admin\"");
        drop((first, query, page));
        soon(running.stop()).await;
    }
}

#[tokio::test]
async fn a_place_of_an_address_is_given_back() {
    let running = bind()
        .await
        .max_per_address(1)
        .spawn(echo)
        .expect("a runtime");
    for _ in 0..3 {
        let mut socket = dial(&running, "/", &[]).await.expect("it is let in");
        text(&mut socket).await;
        assert!(dial(&running, "/", &[]).await.is_err());
        soon(socket.close(None, "")).await.expect("closed");
        assert!(soon(socket.recv()).await.is_none());
        soon(running.clients().wait_for_none()).await;
    }
}

#[tokio::test]
async fn a_token_may_come_in_the_first_message() {
    let running = bind()
        .await
        .tokens(tokens([TokenFrom::Message]))
        .spawn(echo)
        .expect("a runtime");
    let mut ann = dial(&running, "/", &[]).await.expect("an upgrade");
    // Nobody knows of it yet, and it hears of nobody.
    assert_eq!(running.clients().broadcast("not for you"), 0);
    let token = format!(r#"{{"token":"{ANN}"}}"#);
    soon(ann.send(token)).await.expect("sent");
    assert_eq!(text(&mut ann).await, "ann \"admin\"");
    soon(ann.send("hello")).await.expect("sent");
    assert_eq!(text(&mut ann).await, "hello");
    assert_eq!(running.clients().user("ann").send("to ann"), 1);
    assert_eq!(text(&mut ann).await, "to ann");

    let mut wrong = dial(&running, "/", &[]).await.expect("an upgrade");
    soon(wrong.send("sardine")).await.expect("sent");
    let refused = (1008, "the token is not accepted".to_owned());
    assert_eq!(closed(&mut wrong).await, refused);

    let mut silent = dial(&running, "/", &[]).await.expect("an upgrade");
    let stopped = tokio::spawn(running.stop());
    assert_eq!(closed(&mut silent).await.0, 1001);
    assert_eq!(closed(&mut ann).await.0, 1001);
    soon(stopped).await.expect("it stops");
}

#[tokio::test]
async fn who_sends_too_much_or_the_wrong_thing_is_closed() {
    let schema = Schema::parse(br#"{"type":"object","required":["text"]}"#).expect("a schema");
    let fine = r#"{"text":"hello"}"#;
    type Made = fn(Server) -> Server;
    let table: [(Made, &str); 3] = [
        (
            |server| server.rate(messages(0.001, 3.0)),
            "too many messages at once",
        ),
        (
            |server| server.user_rate(messages(0.001, 3.0)),
            "too many messages of this user at once",
        ),
        (
            |server| server.address_rate(messages(0.001, 3.0)),
            "too many messages from this address at once",
        ),
    ];
    let path = format!("/?token={ANN}");
    for (made, why) in table {
        let server = bind()
            .await
            .tokens(tokens([TokenFrom::Query("token".into())]));
        let running = made(server).spawn(echo).expect("a runtime");
        let mut socket = dial(&running, &path, &[]).await.expect("it is let in");
        text(&mut socket).await;
        for _ in 0..3 {
            soon(socket.send(fine)).await.expect("sent");
            assert_eq!(text(&mut socket).await, fine);
        }
        soon(socket.send(fine)).await.expect("sent");
        assert_eq!(closed(&mut socket).await, (1008, why.to_owned()));
    }
    let running = bind().await.schema(schema).spawn(echo).expect("a runtime");
    let mut socket = dial(&running, "/", &[]).await.expect("it is let in");
    text(&mut socket).await;
    soon(socket.send(fine)).await.expect("sent");
    assert_eq!(text(&mut socket).await, fine);
    soon(socket.send("{}")).await.expect("sent");
    assert_eq!(closed(&mut socket).await.0, 1008);
}

#[tokio::test]
async fn denied_addresses_get_no_pages_either() {
    let pages = Arc::new(|_| async { Reply::text(200, "well\n") });
    for (denied, status) in [("127.0.0.1", "403"), ("192.0.2.1", "200")] {
        let pages = Arc::clone(&pages);
        let running = bind()
            .await
            .deny(networks(&[denied]))
            .pages(move |request| pages(request))
            .spawn(echo)
            .expect("a runtime");
        let answer = plain(&running).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
}

/// The answer to a plain request.
async fn plain(running: &Running) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(running.local_addr())
        .await
        .expect("a connection");
    let request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer))
        .await
        .expect("an answer");
    answer
}
