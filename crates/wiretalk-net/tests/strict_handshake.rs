//! Handshakes byte by byte over TCP: what the server makes of a client's request with hyper in front of it, and what
//! the client makes of a server's response.

mod common;

use common::{
    Server, TEXT, accept, frame, header, masked, quiet, raw_client, read_frame, read_head, script,
    soon, switching, upgrade_request,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};
use wiretalk_net::{
    Blame, ErrorKind, Message, Request, connect,
    server::{AcceptOptions, Listener, RefusalKind, Reply, ServeOptions, serve_connection},
};

/// A server that echoes, answers refusals as the RFC wants it, and plain HTTP with 204 and the path.
async fn echo_server() -> std::net::SocketAddr {
    let listener = Listener::bind("127.0.0.1:0", None).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok(incoming) = listener.accept().await {
            let options = ServeOptions::default();
            tokio::spawn(serve_connection(incoming, options, async |mut request| {
                let upgrade = match request.upgrade() {
                    Ok(upgrade) => upgrade,
                    Err(refusal) if *refusal.kind() == RefusalKind::NotUpgrade => {
                        let path = request.uri.path().to_owned();
                        return Reply::new(204).header("X-Path", path).unwrap();
                    }
                    Err(refusal) => return refusal.into(),
                };
                let options = AcceptOptions {
                    config: quiet().into(),
                    ..AcceptOptions::default()
                };
                let (reply, socket) = upgrade.accept(options).unwrap();
                tokio::spawn(async move {
                    let mut socket = socket.await.unwrap();
                    while let Some(Ok(message)) = socket.recv().await {
                        let _ = socket.send(message).await;
                    }
                });
                reply
            }));
        }
    });
    address
}

/// The right request, with something in it replaced.
fn request(from: &str, to: &str) -> String {
    let right = String::from_utf8(upgrade_request("")).unwrap();
    let changed = right.replacen(from, to, 1);
    assert!(
        changed != right || from == to,
        "`{from}` is not in the request"
    );
    changed
}

/// The head that a request is answered with.
async fn answer(address: std::net::SocketAddr, request: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may answer and leave before all of it is written.
    let _ = stream.write_all(request.as_bytes()).await;
    let head = soon(read_head(&mut stream)).await;
    (stream, head)
}

/// A frame behind the handshake is echoed: the server has counted the bytes of the request as the client did.
async fn echoes(stream: &mut TcpStream, what: &str) {
    stream.write_all(&masked(TEXT, b"hello")).await.unwrap();
    assert_eq!(
        soon(read_frame(stream)).await,
        (TEXT, b"hello".to_vec()),
        "{what}"
    );
}

/// RFC 6455 4.2.1, RFC 9110 5.6.1, 7.6.1, 7.8: names, tokens and schemes in any case, lists, and space around values.
#[tokio::test]
async fn a_server_takes_requests_that_look_different_and_are_right() {
    let address = echo_server().await;
    let cases = [
        ("as it is written", "GET", "GET"),
        (
            "Connection as a list",
            "Connection: Upgrade",
            "Connection: keep-alive, Upgrade",
        ),
        (
            "Connection in two lines",
            "Connection: Upgrade",
            "Connection: keep-alive\r\nConnection: Upgrade",
        ),
        (
            "Connection with empty elements",
            "Connection: Upgrade",
            "Connection: ,, upgrade ,",
        ),
        (
            "Connection in capitals",
            "Connection: Upgrade",
            "CONNECTION: UPGRADE",
        ),
        (
            "Upgrade in mixed case",
            "Upgrade: websocket",
            "uPgRaDe: WebSocket",
        ),
        (
            "Upgrade as a list",
            "Upgrade: websocket",
            "Upgrade: h2c, websocket",
        ),
        (
            "names in small letters",
            "Sec-WebSocket-Key",
            "sec-websocket-key",
        ),
        ("no space behind a colon", "Version: 13", "Version:13"),
        (
            "space and tabs around a value",
            "Version: 13",
            "Version: \t 13 \t ",
        ),
        (
            "an absolute target",
            "GET /chat",
            "GET http://localhost/chat",
        ),
        ("a port in Host", "Host: localhost", "Host: localhost:80"),
        (
            "an IPv6 address in Host",
            "Host: localhost",
            "Host: [::1]:80",
        ),
        (
            "a body of no bytes",
            "Upgrade:",
            "Content-Length: 0\r\nUpgrade:",
        ),
        ("a query", "/chat", "/chat?a=b&c=%20d"),
        ("empty lines in front (RFC 9112 2.2)", "GET", "\r\n\r\nGET"),
    ];
    for (name, from, to) in cases {
        let (mut stream, head) = answer(address, &request(from, to)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{name}: {head}");
        assert_eq!(
            header(&head, "Sec-WebSocket-Accept"),
            Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "{name}"
        );
        echoes(&mut stream, name).await;
    }
}

/// RFC 6455 4.2.1, 4.2.2, 4.4, and the HTTP under it (RFC 9110, 9112). What is changed in the right request, and the
/// status that answers it.
#[tokio::test]
async fn a_server_refuses_requests_that_are_not_right() {
    let address = echo_server().await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let cases = [
        // RFC 6455 4.2.1 step 1: GET and HTTP/1.1.
        ("POST", "GET", "POST", 405),
        ("HEAD", "GET", "HEAD", 405),
        ("a method in small letters", "GET", "get", 405),
        ("HTTP/1.0", "HTTP/1.1", "HTTP/1.0", 505),
        ("HTTP/2 in text", "HTTP/1.1", "HTTP/2.0", 400),
        ("no version of HTTP", " HTTP/1.1", "", 400),
        // Step 2: RFC 9112 3.2.
        ("no Host", "Host: localhost\r\n", "", 400),
        (
            "two Hosts",
            "Host: localhost",
            "Host: localhost\r\nHost: localhost",
            400,
        ),
        ("an empty Host", "Host: localhost", "Host:", 400),
        (
            "a Host with space",
            "Host: localhost",
            "Host: local host",
            400,
        ),
        (
            "a Host with a user",
            "Host: localhost",
            "Host: user@localhost",
            400,
        ),
        // Steps 3 and 4.
        ("no Upgrade", "Upgrade: websocket\r\n", "", 426),
        (
            "an Upgrade to something else",
            "Upgrade: websocket",
            "Upgrade: h2c",
            426,
        ),
        (
            "an Upgrade that only begins so",
            "Upgrade: websocket",
            "Upgrade: websockets",
            426,
        ),
        ("no Connection", "Connection: Upgrade\r\n", "", 400),
        (
            "a Connection without Upgrade",
            "Connection: Upgrade",
            "Connection: keep-alive",
            400,
        ),
        (
            "a Connection that only begins so",
            "Connection: Upgrade",
            "Connection: Upgrades",
            400,
        ),
        // Step 5.
        ("no key", key, "", 400),
        ("two keys", key, &key.repeat(2), 400),
        ("an empty key", " dGhlIHNhbXBsZSBub25jZQ==", "", 400),
        (
            "a key of 15 bytes",
            "dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25j",
            400,
        ),
        (
            "a key of 17 bytes",
            "dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25jZSE=",
            400,
        ),
        (
            "a key without padding",
            "dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25jZQ",
            400,
        ),
        (
            "a key that is not base64",
            "dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25j*Q==",
            400,
        ),
        (
            "a key in base64url",
            "dGhlIHNhbXBsZSBub25jZQ==",
            "-_-_-_-_-_-_-_-_-_-_-w==",
            400,
        ),
        // Step 6 and section 4.4.
        ("version 8", "Version: 13", "Version: 8", 426),
        ("version 12", "Version: 13", "Version: 12", 426),
        ("version 14", "Version: 13", "Version: 14", 426),
        ("versions as a list", "Version: 13", "Version: 13, 8", 426),
        ("no version", "Sec-WebSocket-Version: 13\r\n", "", 426),
        (
            "two versions",
            "Version: 13",
            "Version: 13\r\nSec-WebSocket-Version: 13",
            400,
        ),
        // Step 8.
        (
            "a subprotocol twice",
            "Upgrade:",
            "Sec-WebSocket-Protocol: a, a\r\nUpgrade:",
            400,
        ),
        (
            "a subprotocol that is no token",
            "Upgrade:",
            "Sec-WebSocket-Protocol: a b\r\nUpgrade:",
            400,
        ),
        // Step 9.
        (
            "extensions without a name",
            "Upgrade:",
            "Sec-WebSocket-Extensions: ;a\r\nUpgrade:",
            400,
        ),
        (
            "extensions with a bad value",
            "Upgrade:",
            "Sec-WebSocket-Extensions: a; b=\"\r\nUpgrade:",
            400,
        ),
        // RFC 9112 5: header lines.
        ("a folded line", "Upgrade:", "X: a\r\n b\r\nUpgrade:", 400),
        (
            "a folded line with a tab",
            "Upgrade: websocket",
            "Upgrade:\r\n\twebsocket",
            400,
        ),
        ("a folded line in front", "Host:", " X: a\r\nHost:", 400),
        ("space before a colon", "Upgrade:", "Upgrade :", 400),
        ("a line without a colon", "Upgrade:", "X\r\nUpgrade:", 400),
        ("a name that is none", "Upgrade:", "X Y: a\r\nUpgrade:", 400),
        ("an empty name", "Upgrade:", ": a\r\nUpgrade:", 400),
        ("CR within a value", "Upgrade:", "X: a\rb\r\nUpgrade:", 400),
        ("NUL within a value", "Upgrade:", "X: a\0b\r\nUpgrade:", 400),
        (
            "ESC within a value",
            "Upgrade:",
            "X: a\x1bb\r\nUpgrade:",
            400,
        ),
        // RFC 9110 9.3.1, RFC 9112 6: bodies.
        ("a body", "Upgrade:", "Content-Length: 5\r\nUpgrade:", 400),
        (
            "a body in chunks",
            "Upgrade:",
            "Transfer-Encoding: chunked\r\nUpgrade:",
            400,
        ),
        (
            "a body of two lengths",
            "Upgrade:",
            "Content-Length: 0\r\nContent-Length: 5\r\nUpgrade:",
            400,
        ),
        (
            "a body of a negative length",
            "Upgrade:",
            "Content-Length: -1\r\nUpgrade:",
            400,
        ),
        (
            "a body of a length and in chunks",
            "Upgrade:",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\nUpgrade:",
            400,
        ),
        (
            "a body in another coding",
            "Upgrade:",
            "Transfer-Encoding: gzip\r\nUpgrade:",
            400,
        ),
        // RFC 9112 3: the first line.
        ("two spaces", "GET ", "GET  ", 400),
        ("a tab for a space", "GET ", "GET\t", 400),
        ("a target with space", "/chat", "/ch at", 400),
        (
            "a target with a control character",
            "/chat",
            "/ch\x01at",
            400,
        ),
        ("the target of OPTIONS", "/chat", "*", 400),
        ("the target of CONNECT", "/chat", "localhost:80", 400),
    ];
    for (name, from, to, status) in cases {
        let (_, head) = answer(address, &request(from, to)).await;
        // Who asks in HTTP/1.0 is answered in it.
        let told = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5));
        assert_eq!(told, Some(status.to_string().as_str()), "{name}: {head}");
        if status == 426 {
            assert_eq!(
                header(&head, "Sec-WebSocket-Version"),
                Some("13"),
                "{name}: {head}"
            );
        }
        if status == 405 {
            assert_eq!(header(&head, "Allow"), Some("GET"), "{name}: {head}");
        }
    }
}

/// RFC 6455 4.4: who is told the right version may ask again, on the same stream.
#[tokio::test]
async fn a_client_whose_version_was_refused_may_ask_again() {
    let address = echo_server().await;
    let (mut stream, head) = answer(address, &request("Version: 13", "Version: 12")).await;
    let length = header(&head, "Content-Length").unwrap().parse().unwrap();
    soon(stream.read_exact(&mut vec![0; length])).await.unwrap();
    stream.write_all(&upgrade_request("")).await.unwrap();
    let head = soon(read_head(&mut stream)).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    echoes(&mut stream, "asked again").await;
}

/// RFC 6585 5: a head that is too large is answered with 431, however it is too large, and even if it has no end.
#[tokio::test]
async fn a_server_refuses_heads_without_measure() {
    let address = echo_server().await;
    let cases = [
        (
            "one long line",
            format!("X: {}\r\nUpgrade:", "x".repeat(70_000)),
            431,
        ),
        ("many lines", "X: y\r\n".repeat(200) + "Upgrade:", 431),
        (
            "many long lines",
            format!("X: {}\r\n", "x".repeat(1000)).repeat(80) + "Upgrade:",
            431,
        ),
    ];
    for (name, instead, status) in cases {
        let (_, head) = answer(address, &request("Upgrade:", &instead)).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{name}: {head}"
        );
    }
    let endless = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}",
        "x".repeat(80_000)
    );
    let (_, head) = answer(address, &endless).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    let target = format!("/{}", "x".repeat(66_000));
    let (_, head) = answer(address, &request("/chat", &target)).await;
    assert!(
        head.starts_with("HTTP/1.1 414 ") || head.starts_with("HTTP/1.1 431 "),
        "{head}"
    );
}

/// RFC 6455 4.2.2: what follows the head is the connection's. A body, which could be read as frames by one and as
/// another request by others, is neither: nothing of it is answered.
#[tokio::test]
async fn the_bytes_of_a_body_are_not_taken_for_frames() {
    let address = echo_server().await;
    let frames = masked(TEXT, b"smuggled");
    let lengths = [
        format!("Content-Length: {}", frames.len()),
        "Transfer-Encoding: chunked".to_owned(),
    ];
    for length in lengths {
        let mut wire = upgrade_request(&format!("{length}\r\n"));
        if length.starts_with("T") {
            wire.extend_from_slice(format!("{:x}\r\n", frames.len()).as_bytes());
        }
        wire.extend_from_slice(&frames);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&wire).await.unwrap();
        let mut all = Vec::new();
        let _ = soon(stream.read_to_end(&mut all)).await;
        let all = String::from_utf8_lossy(&all);
        assert!(all.starts_with("HTTP/1.1 400 "), "{all}");
        assert!(
            all.to_ascii_lowercase().contains("connection: close"),
            "{all}"
        );
        assert!(!all.contains("smuggled"), "{all}");
    }
}

/// RFC 6455 4.1: a client waits for the answer, but TCP may carry its first frames along with its request, byte by byte
/// or all at once.
#[tokio::test]
async fn frames_in_the_packet_of_the_request_are_received() {
    let address = echo_server().await;
    let wire = [
        upgrade_request(""),
        masked(TEXT, b"early"),
        masked(TEXT, b"bird"),
    ]
    .concat();
    for size in [wire.len(), 1, 150] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for chunk in wire.chunks(size) {
            stream.write_all(chunk).await.unwrap();
        }
        assert!(
            soon(read_head(&mut stream))
                .await
                .starts_with("HTTP/1.1 101 ")
        );
        assert_eq!(
            soon(read_frame(&mut stream)).await,
            (TEXT, b"early".to_vec())
        );
        assert_eq!(
            soon(read_frame(&mut stream)).await,
            (TEXT, b"bird".to_vec())
        );
    }
}

/// RFC 6455 4.2.2: where there is no connection, there are no frames.
#[tokio::test]
async fn frames_behind_a_request_that_is_refused_are_not_received() {
    let address = echo_server().await;
    let mut wire = request("Version: 13", "Version: 12").into_bytes();
    wire.extend(masked(TEXT, b"smuggled"));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&wire).await.unwrap();
    let mut all = Vec::new();
    let _ = soon(stream.read_to_end(&mut all)).await;
    let all = String::from_utf8_lossy(&all);
    assert!(all.starts_with("HTTP/1.1 426 "), "{all}");
    assert!(all.contains("HTTP/1.1 400 "), "they are no request: {all}");
    assert!(!all.contains("smuggled"), "{all}");
}

/// RFC 9112 2.2: a line may end with LF alone, and the frames behind such a head are where they should be.
#[tokio::test]
async fn lines_that_end_with_lf_alone_are_read() {
    let address = echo_server().await;
    let (mut stream, head) = answer(address, &request("", "").replace("\r\n", "\n")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    echoes(&mut stream, "LF").await;
}

/// RFC 6455 4.2.2 step 5: what the server answers with is read as it was meant.
#[tokio::test]
async fn what_a_handler_answers_with_cannot_break_the_response() {
    for value in ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "\x1b[0m"] {
        let error = Reply::new(200).header("X", value).unwrap_err();
        assert_eq!(
            (error.kind(), error.blame()),
            (ErrorKind::InvalidInput, Blame::Us)
        );
        assert!(!error.to_string().contains(value), "{error}");
    }
    for name in ["", "a b", "a:", "a\r\nb", "\u{e4}"] {
        let error = Reply::new(200).header(name, "v").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?}");
    }
}

/// What a client says of a server that answers with this, made from the right answer.
async fn told(change: impl FnOnce(String) -> String + Send + 'static) -> Result<Message, String> {
    let (address, played) = script(async move |mut stream| {
        let request = read_head(&mut stream).await;
        let answer = change(switching(&request, ""));
        let wire = [answer.as_bytes(), &frame(TEXT, b"early")].concat();
        let _ = stream.write_all(&wire).await;
        stream
    })
    .await;
    let result = match soon(connect(format!("ws://{address}/"))).await {
        Ok((mut socket, _)) => Ok(soon(socket.recv()).await.unwrap().unwrap()),
        Err(error) => {
            assert_eq!(
                (error.kind(), error.blame()),
                (ErrorKind::Handshake, Blame::Peer),
                "{error}"
            );
            Err(error.to_string())
        }
    };
    drop(played);
    result
}

/// RFC 6455 4.1, RFC 9110 15.2, RFC 9112 5.2, 6.3. The first frame comes in the packet of the response.
#[tokio::test]
async fn a_client_takes_responses_that_look_different_and_are_right() {
    let cases = [
        ("as it is written", "HTTP", "HTTP"),
        ("100 before it", "HTTP", "HTTP/1.1 100 Continue\r\n\r\nHTTP"),
        (
            "103 and 102 before it",
            "HTTP",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP",
        ),
        (
            "Upgrade in mixed case",
            "Upgrade: websocket",
            "upgrade: WebSocket",
        ),
        (
            "Connection as a list",
            "Connection: Upgrade",
            "connection: keep-alive, UPGRADE",
        ),
        ("no reason", "Switching Protocols", ""),
        (
            "a folded line",
            "Connection: Upgrade",
            "Connection: keep-alive,\r\n Upgrade",
        ),
        (
            "a Content-Length",
            "Connection: Upgrade",
            "Connection: Upgrade\r\nContent-Length: 5",
        ),
        (
            "a Transfer-Encoding",
            "Connection: Upgrade",
            "Connection: Upgrade\r\nTransfer-Encoding: chunked",
        ),
        ("LF alone", "\r\n", "\n"),
    ];
    for (name, from, to) in cases {
        let message = told(move |right| right.replace(from, to)).await;
        assert_eq!(message, Ok(Message::from("early")), "{name}");
    }
}

/// RFC 6455 4.1, "Once the client's opening handshake has been sent". What is changed in the right response, and what
/// the error must say.
#[tokio::test]
async fn a_client_refuses_responses_that_are_not_right() {
    let cases = [
        (
            "status 200",
            "101 Switching Protocols",
            "200 OK\r\nContent-Length: 0",
            "200",
        ),
        (
            "status 100 alone",
            "101 Switching Protocols",
            "100 Continue",
            "not an HTTP/1 head",
        ),
        ("HTTP/1.0", "HTTP/1.1", "HTTP/1.0", "HTTP/1.0"),
        ("HTTP/2 in text", "HTTP/1.1", "HTTP/2.0", "HTTP/1"),
        ("no Upgrade", "Upgrade: websocket\r\n", "", "Upgrade"),
        (
            "another Upgrade",
            "Upgrade: websocket",
            "Upgrade: h2c",
            "h2c",
        ),
        (
            "two Upgrades",
            "Upgrade: websocket",
            "Upgrade: websocket\r\nUpgrade: websocket",
            "websocket, websocket",
        ),
        ("no Connection", "Connection: Upgrade\r\n", "", "Connection"),
        (
            "another Connection",
            "Connection: Upgrade",
            "Connection: close",
            "close",
        ),
        (
            "no Accept",
            "Sec-WebSocket-Accept: ",
            "X: ",
            "Sec-WebSocket-Accept",
        ),
        (
            "a wrong Accept",
            "Sec-WebSocket-Accept: ",
            "Sec-WebSocket-Accept: x",
            "demands",
        ),
        (
            "two Accepts",
            "Upgrade:",
            "Sec-WebSocket-Accept: x\r\nUpgrade:",
            "more than once",
        ),
        (
            "an extension",
            "Upgrade:",
            "Sec-WebSocket-Extensions: x-unasked\r\nUpgrade:",
            "x-unasked",
        ),
        (
            "a subprotocol",
            "Upgrade:",
            "Sec-WebSocket-Protocol: x\r\nUpgrade:",
            "`x`",
        ),
        ("space before a colon", "Upgrade:", "Upgrade :", "name"),
        ("a folded line in front", "Upgrade:", " Upgrade:", "name"),
        (
            "CR within a value",
            "Upgrade:",
            "X: a\rb\r\nUpgrade:",
            "control character",
        ),
        (
            "NUL within a value",
            "Upgrade:",
            "X: a\0b\r\nUpgrade:",
            "control character",
        ),
        (
            "a line without a colon",
            "Upgrade:",
            "X\r\nUpgrade:",
            "name",
        ),
    ];
    for (name, from, to, sentence) in cases {
        let told = told(move |right| {
            let changed = right.replace(from, to);
            assert_ne!(changed, right, "{from}");
            changed
        });
        let error = told.await.expect_err(name);
        assert!(error.contains(sentence), "{name}: {error}");
    }
    let lines = told(|right| right.replace("Upgrade:", &("X: y\r\n".repeat(200) + "Upgrade:")));
    let error = lines.await.expect_err("many lines");
    assert!(error.contains("128 header lines"), "{error}");
    let endless = told(|right| "HTTP/1.1 100 Continue\r\n\r\n".repeat(4000) + &right);
    let error = endless.await.expect_err("many informational responses");
    assert!(error.contains("65536 bytes"), "{error}");
}

/// RFC 6455 4.1, 10: what the user supplies is sent as what it is, or not at all.
#[tokio::test]
async fn what_a_user_supplies_cannot_break_the_request() {
    let (give, mut heads) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            give.send(read_head(&mut stream).await).unwrap();
        }
    });
    let plain = || Request::new(format!("ws://{address}/"));
    let mut bad = Vec::new();
    for text in ["a\r\nX: y", "a\nX: y", "a\rb", "a\0b", "a\x7fb"] {
        for url in [
            format!("ws://{address}/{text}"),
            format!("ws://{address}/?{text}"),
            format!("ws://{text}/"),
            format!("{address}/{text}"),
        ] {
            bad.push(Request::new(url));
        }
        bad.push(Request {
            headers: vec![("X".to_owned(), text.to_owned())],
            ..plain()
        });
        bad.push(Request {
            headers: vec![(text.to_owned(), "v".to_owned())],
            ..plain()
        });
        bad.push(Request {
            subprotocols: vec![text.to_owned()],
            ..plain()
        });
        bad.push(Request {
            origin: Some(text.to_owned()),
            ..plain()
        });
    }
    for request in bad {
        let error = soon(connect(request.clone())).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.blame()),
            (ErrorKind::InvalidInput, Blame::Us),
            "{request:?}: {error}"
        );
        assert!(!error.to_string().contains(['\r', '\n', '\0']), "{error:?}");
    }
    assert!(heads.try_recv().is_err(), "something was sent");
    // Characters that a URL does not have are encoded.
    let _ = soon(connect(format!("ws://{address}/a b\u{e9}?c d"))).await;
    let head = soon(heads.recv()).await.unwrap();
    assert!(
        head.starts_with("GET /a%20b%C3%A9?c%20d HTTP/1.1\r\n"),
        "{head}"
    );
}

/// RFC 6455 5.5.1, 7.1.1: the answer to a close frame leaves at once, though nobody but the connection itself knows.
#[tokio::test]
async fn a_close_is_answered_by_who_only_receives() {
    let mut server = Server::start(quiet()).await;
    let mut stream = raw_client(server.address).await;
    let mut socket = server.next().await;
    stream
        .write_all(&masked(0x88, &[0x03, 0xe8]))
        .await
        .unwrap();
    let received = tokio::spawn(async move { socket.recv().await.is_none() });
    assert_eq!(
        soon(read_frame(&mut stream)).await,
        (0x88, vec![0x03, 0xe8])
    );
    // The server ends the stream, with no other word.
    assert_eq!(
        soon(stream.read_u8()).await.unwrap_err().kind(),
        std::io::ErrorKind::UnexpectedEof
    );
    assert!(soon(received).await.unwrap());

    let (address, played) = script(async |mut stream| {
        accept(&mut stream).await;
        stream.write_all(&frame(0x88, &[0x03, 0xe8])).await.unwrap();
        read_frame(&mut stream).await
    })
    .await;
    let (mut socket, _) = soon(connect(format!("ws://{address}/"))).await.unwrap();
    assert!(soon(socket.recv()).await.is_none());
    assert_eq!(soon(played).await.unwrap(), (0x88, vec![0x03, 0xe8]));
}
