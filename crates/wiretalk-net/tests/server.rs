//! HTTP and WebSocket on one port.

mod common;

use std::{net::SocketAddr, time::Duration};

use common::{
    PONG, Server, TEXT, header, masked, ms, quiet, raw_client, read_frame, read_head, soon,
    upgrade_request,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};
use wiretalk_net::{
    Blame, Error, ErrorKind, Event, Message, Request, connect,
    server::{self, AcceptOptions, Listener, RefusalKind, Reply, ServeOptions, serve_connection},
};

/// Serves with this handler; gives how each connection ended.
async fn serve<H>(
    options: ServeOptions,
    handler: H,
) -> (SocketAddr, mpsc::UnboundedReceiver<Result<(), Error>>)
where
    H: Fn(server::Request) -> Reply + Clone + Send + Sync + 'static,
{
    let listener = Listener::bind("127.0.0.1:0", None).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, ended) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(incoming) = listener.accept().await {
            let (options, handler, tell) = (options.clone(), handler.clone(), tell.clone());
            tokio::spawn(async move {
                let handler = |request| std::future::ready(handler(request));
                let _ = tell.send(serve_connection(incoming, options, handler).await);
            });
        }
    });
    (address, ended)
}

/// A page for plain requests, an echo for WebSockets that show the token, 401 for the others.
fn site(mut request: server::Request) -> Reply {
    let upgrade = match request.upgrade() {
        Ok(upgrade) => upgrade,
        Err(refusal) if *refusal.kind() == RefusalKind::NotUpgrade => {
            return Reply::html(200, format!("<p>{} {}</p>", request.method, request.uri));
        }
        Err(refusal) => return refusal.into(),
    };
    if request
        .headers
        .get("authorization")
        .is_none_or(|token| token != "Bearer secret")
    {
        return Reply::text(401, "who are you?")
            .header("WWW-Authenticate", "Bearer")
            .unwrap();
    }
    let subprotocol = upgrade
        .subprotocols()
        .find(|name| *name == "echo")
        .map(str::to_owned);
    let mut options = AcceptOptions {
        subprotocol,
        config: quiet().into(),
        ..AcceptOptions::default()
    };
    options.headers.insert("x-mood", "good".parse().unwrap());
    let (reply, socket) = upgrade.accept(options).unwrap();
    tokio::spawn(async move {
        let mut socket = socket.await.unwrap();
        while let Some(message) = socket.recv().await {
            socket.send(message.unwrap()).await.unwrap();
        }
    });
    reply
}

/// What the server answers to these bytes, until it ends the stream or, if told, after so many bytes of body.
async fn answer(address: SocketAddr, request: &[u8], body: Option<usize>) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let head = soon(read_head(&mut stream)).await;
    let mut rest = Vec::new();
    match body {
        Some(length) => {
            rest.resize(length, 0);
            soon(stream.read_exact(&mut rest)).await.unwrap();
        }
        None => {
            let _ = soon(stream.read_to_end(&mut rest)).await;
        }
    }
    (head, String::from_utf8(rest).unwrap())
}

#[tokio::test]
async fn http_and_websocket_share_a_port() {
    let (address, _) = serve(ServeOptions::default(), site).await;
    let request = b"GET /a?b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let (head, body) = answer(address, request, None).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(
        header(&head, "content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(body, "<p>GET /a?b</p>");

    let request = Request {
        headers: vec![("Authorization".into(), "Bearer secret".into())],
        subprotocols: vec!["chat".into(), "echo".into()],
        ..Request::new(format!("http://{address}/"))
    };
    let (mut socket, response) = soon(connect(request)).await.unwrap();
    assert_eq!(socket.subprotocol(), Some("echo"));
    assert_eq!(response.response.headers.get("X-Mood"), Some(&b"good"[..]));
    socket.send("hello").await.unwrap();
    assert_eq!(
        soon(socket.recv()).await.unwrap().unwrap(),
        Message::from("hello")
    );
}

#[tokio::test]
async fn one_connection_is_used_for_a_page_and_then_a_websocket() {
    let (address, _) = serve(ServeOptions::default(), site).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let head = soon(read_head(&mut stream)).await;
    let mut body = vec![0; header(&head, "content-length").unwrap().parse().unwrap()];
    soon(stream.read_exact(&mut body)).await.unwrap();
    stream
        .write_all(&upgrade_request("Authorization: Bearer secret\r\n"))
        .await
        .unwrap();
    assert!(
        soon(read_head(&mut stream))
            .await
            .starts_with("HTTP/1.1 101 ")
    );
    stream.write_all(&masked(TEXT, b"hello")).await.unwrap();
    assert_eq!(
        soon(read_frame(&mut stream)).await,
        (TEXT, b"hello".to_vec())
    );
}

#[tokio::test]
async fn a_handler_refuses_as_it_likes() {
    let (address, _) = serve(ServeOptions::default(), site).await;
    let error = soon(connect(format!("ws://{address}/"))).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Handshake, Blame::Peer)
    );
    assert_eq!(
        error.to_string(),
        "the server answered 401 Unauthorized instead of 101 Switching Protocols"
    );
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.response.status, 401);
    assert_eq!(
        refusal.response.headers.get("WWW-Authenticate"),
        Some(&b"Bearer"[..])
    );
    assert_eq!(
        (&refusal.body[..], refusal.truncated),
        (&b"who are you?"[..], false)
    );
}

#[tokio::test]
async fn handshakes_that_are_not_right_are_refused() {
    let (address, _) = serve(ServeOptions::default(), site).await;
    let right = String::from_utf8(upgrade_request("")).unwrap();
    // What is changed in the request, the status, and a header of the answer.
    let cases = [
        (
            "Version: 13",
            "Version: 8",
            426,
            ("Sec-WebSocket-Version", "13"),
        ),
        ("GET", "POST", 405, ("Allow", "GET")),
        (
            "Key: dGhl",
            "Key: dG",
            400,
            ("content-type", "text/plain; charset=utf-8"),
        ),
        (
            "Connection: Upgrade",
            "Connection: close",
            400,
            ("connection", "close"),
        ),
    ];
    for (from, to, status, (name, value)) in cases {
        let request = right.replace(from, to);
        assert_ne!(request, right);
        let (head, _) = answer(address, request.as_bytes(), Some(0)).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{to}: {head}"
        );
        assert_eq!(header(&head, name), Some(value), "{to}: {head}");
    }
}

#[tokio::test]
async fn bytes_behind_the_request_are_not_lost() {
    let mut server = Server::start(quiet()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut wire = upgrade_request("");
    wire.extend(masked(TEXT, b"eager"));
    wire.extend(masked(common::PING, b"?"));
    wire.extend_from_slice(&masked(TEXT, b"cut")[..4]);
    stream.write_all(&wire).await.unwrap();
    read_head(&mut stream).await;
    let mut socket = server.next().await;
    assert_eq!(
        soon(socket.next_event()).await.unwrap(),
        Some(Event::Text("eager".into()))
    );
    assert_eq!(
        soon(socket.next_event()).await.unwrap(),
        Some(Event::Ping("?".into()))
    );
    let receiving = tokio::spawn(async move { socket.next_event().await });
    assert_eq!(soon(read_frame(&mut stream)).await, (PONG, b"?".to_vec()));
    stream.write_all(&masked(TEXT, b"cut")[4..]).await.unwrap();
    assert_eq!(
        soon(receiving).await.unwrap().unwrap(),
        Some(Event::Text("cut".into()))
    );
}

#[tokio::test]
async fn addresses_and_subprotocol_are_known() {
    let mut server = Server::start(quiet()).await;
    let raw = raw_client(server.address).await;
    let socket = server.next().await;
    assert_eq!(socket.peer_addr(), raw.local_addr().ok());
    assert_eq!(socket.local_addr(), Some(server.address));
    assert_eq!(socket.subprotocol(), None);
}

#[tokio::test]
async fn a_client_that_does_not_send_its_request() {
    let options = ServeOptions {
        handshake_timeout: ms(50),
        ..ServeOptions::default()
    };
    let (address, mut ended) = serve(options, site).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: loc")
        .await
        .unwrap();
    let error = soon(ended.recv()).await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Timeout, Blame::Peer)
    );
    let mut rest = Vec::new();
    let _ = soon(stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn a_client_that_keeps_its_connection_is_no_error() {
    let options = ServeOptions {
        handshake_timeout: ms(50),
        ..ServeOptions::default()
    };
    let (address, mut ended) = serve(options, site).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    read_head(&mut stream).await;
    soon(ended.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_may_take_all_the_time_there_is_and_its_secrets_are_not_shown() {
    let options = ServeOptions {
        handshake_timeout: Duration::MAX,
        ..ServeOptions::default()
    };
    let show = |request: server::Request| Reply::text(200, format!("{request:?}"));
    let (address, _ended) = serve(options, show).await;
    let request = b"GET /page HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret\r\nCookie: a=s3cret\r\n\
        Cookie: b=s3cret\r\nProxy-Authorization: Basic s3cret\r\nConnection: close\r\n\r\n";
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut shown = String::new();
    soon(stream.read_to_string(&mut shown)).await.unwrap();
    assert!(
        shown.contains("/page") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_head_that_is_too_large() {
    let options = ServeOptions {
        head_size: 1024,
        ..ServeOptions::default()
    };
    let (address, mut ended) = serve(options, site).await;
    let long = format!("X: {}\r\n", "x".repeat(2000));
    let (head, _) = answer(address, &upgrade_request(&long), None).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    let error = soon(ended.recv()).await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Handshake, Blame::Peer)
    );
}

#[tokio::test]
async fn what_is_not_http() {
    let (address, mut ended) = serve(ServeOptions::default(), site).await;
    let (head, _) = answer(
        address,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on\r\n\r\n",
        None,
    )
    .await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let error = soon(ended.recv()).await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Handshake, Blame::Peer)
    );
}

#[tokio::test]
async fn a_client_that_comes_and_goes_is_no_error() {
    let (address, mut ended) = serve(ServeOptions::default(), site).await;
    drop(TcpStream::connect(address).await.unwrap());
    soon(ended.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_cannot_be_accepted_is_told() {
    let (told, mut results) = mpsc::unbounded_channel();
    let (address, _) = serve(ServeOptions::default(), move |mut request| {
        let options = match request.uri.path() {
            "/subprotocol" => AcceptOptions {
                subprotocol: Some("none".to_owned()),
                ..AcceptOptions::default()
            },
            _ => {
                let mut options = AcceptOptions::default();
                options.headers.insert("upgrade", "h2c".parse().unwrap());
                options
            }
        };
        let upgrade = request.upgrade().unwrap();
        assert_eq!(
            *request.upgrade().unwrap_err().kind(),
            RefusalKind::NotUpgrade,
            "it was taken already"
        );
        let result = upgrade.accept(options).map(|_| ());
        told.send(result.unwrap_err()).unwrap();
        Reply::new(500)
    })
    .await;
    for path in ["subprotocol", "header"] {
        soon(connect(format!("ws://{address}/{path}")))
            .await
            .unwrap_err();
        let error = soon(results.recv()).await.unwrap();
        assert_eq!(
            (error.kind(), error.blame()),
            (ErrorKind::InvalidInput, Blame::Us),
            "{path}: {error}"
        );
    }
}

#[tokio::test]
async fn an_upgrade_whose_reply_is_not_given_fails() {
    let (told, mut results) = mpsc::unbounded_channel();
    let (address, _) = serve(ServeOptions::default(), move |mut request| {
        let (_, socket) = request
            .upgrade()
            .unwrap()
            .accept(AcceptOptions::default())
            .unwrap();
        let told = told.clone();
        tokio::spawn(async move { told.send(socket.await.map(|_| ())) });
        Reply::text(503, "on second thoughts")
    })
    .await;
    let error = soon(connect(format!("ws://{address}/"))).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().response.status, 503);
    let error = soon(results.recv()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Handshake);
}

#[tokio::test]
async fn a_port_in_use() {
    let first = Listener::bind("127.0.0.1:0", None).await.unwrap();
    let address = first.local_addr().unwrap();
    let error = Listener::bind(address, None).await.unwrap_err();
    assert_eq!((error.kind(), error.blame()), (ErrorKind::Io, Blame::Us));
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {address}: the address is in use already")
    );
}
