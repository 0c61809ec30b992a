//! Dialing servers that do not do what they should.

mod common;

use common::{
    TEXT, accept, code, frame, header, ms, read_frame, read_head, script, soon, switching,
};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use wiretalk_net::{
    Blame, CloseCode, Config, Connector, Error, ErrorKind, Message, Request, connect,
};

async fn refused(url: &str) -> Error {
    soon(connect(url))
        .await
        .expect_err("the handshake must fail")
}

/// Dials a server that answers the handshake with these bytes and then ends the stream.
async fn answered(bytes: &'static str) -> Error {
    let (address, played) = script(async move |mut stream| {
        read_head(&mut stream).await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
    })
    .await;
    let error = refused(&format!("ws://{address}/")).await;
    played.await.unwrap();
    error
}

#[tokio::test]
async fn an_unknown_host() {
    let error = refused("ws://nope.invalid/").await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Dns, Blame::Network)
    );
    assert_eq!(
        error.to_string(),
        "cannot resolve the host name `nope.invalid`"
    );
}

#[tokio::test]
async fn a_port_where_nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = refused(&format!("ws://{free}/")).await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Refused, Blame::Peer)
    );
    assert_eq!(error.to_string(), format!("{free} refused the connection"));
}

#[tokio::test]
async fn what_the_caller_got_wrong_is_refused_before_dialing() {
    let bad = [
        Request::new("ftp://127.0.0.1/"),
        Request {
            headers: vec![("A".into(), "b\r\nc".into())],
            ..Request::new("127.0.0.1")
        },
        Request {
            headers: vec![("Upgrade".into(), "h2c".into())],
            ..Request::new("127.0.0.1")
        },
        Request {
            subprotocols: vec!["a b".into()],
            ..Request::new("127.0.0.1")
        },
        Request {
            origin: Some("a\nb".into()),
            ..Request::new("127.0.0.1")
        },
    ];
    for request in bad {
        let error = soon(connect(request.clone())).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.blame()),
            (ErrorKind::InvalidInput, Blame::Us),
            "{request:?}: {error}"
        );
    }
}

#[tokio::test]
async fn what_is_asked_for_is_sent() {
    let (address, played) = script(async |mut stream| {
        let head = read_head(&mut stream).await;
        let answer = switching(&head, "Sec-WebSocket-Protocol: b\r\nX-Mood: good\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        head
    })
    .await;
    let request = Request {
        headers: vec![("X-Token".into(), "secret".into())],
        subprotocols: vec!["a".into(), "b".into()],
        origin: Some("https://example.com".into()),
        ..Request::new(format!("ws://{address}/chat?room=1"))
    };
    let (socket, response) = soon(connect(request)).await.unwrap();
    let head = played.await.unwrap();
    assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "Host"), Some(address.to_string().as_str()));
    assert_eq!(header(&head, "X-Token"), Some("secret"));
    assert_eq!(header(&head, "Sec-WebSocket-Protocol"), Some("a, b"));
    assert_eq!(header(&head, "Origin"), Some("https://example.com"));
    assert_eq!(socket.subprotocol(), Some("b"));
    assert_eq!(response.response.headers.get("x-mood"), Some(&b"good"[..]));
    assert_eq!(socket.peer_addr(), Some(address));
}

#[tokio::test]
async fn http_200_instead_of_101() {
    let error = answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello, more").await;
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Handshake, Blame::Peer)
    );
    assert_eq!(
        error.to_string(),
        "the server answered 200 OK instead of 101 Switching Protocols"
    );
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.response.status, 200);
    assert_eq!(refusal.response.headers.get("x-a"), Some(&b"b"[..]));
    assert_eq!(
        (&refusal.body[..], refusal.truncated),
        (&b"hello"[..], false)
    );
}

#[tokio::test]
async fn a_refusal_in_chunks_and_one_until_the_end() {
    let error = answered(
        "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno,\r\n5\r\n none\r\n0\r\n\r\n",
    )
    .await;
    let refusal = error.refusal().unwrap();
    assert_eq!(
        (&refusal.body[..], refusal.truncated),
        (&b"no, none"[..], false)
    );

    let error = answered("HTTP/1.0 500\r\n\r\nlots").await;
    assert_eq!(
        error.to_string(),
        "the server answered 500 instead of 101 Switching Protocols"
    );
    let refusal = error.refusal().unwrap();
    assert_eq!(
        (&refusal.body[..], refusal.truncated),
        (&b"lots"[..], false)
    );
}

#[tokio::test]
async fn an_endless_refusal_is_cut() {
    let (address, played) = script(async |mut stream| {
        read_head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\n\r\n")
            .await
            .unwrap();
        // Until the client has enough.
        while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
    })
    .await;
    let error = refused(&format!("ws://{address}/")).await;
    let refusal = error.refusal().unwrap();
    assert_eq!((refusal.body.len(), refusal.truncated), (8192, true));
    soon(played).await.unwrap();
}

#[tokio::test]
async fn a_server_that_hangs_in_the_handshake() {
    let (address, played) = script(async |mut stream| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 101 Switch").await.unwrap();
        // Until the client leaves.
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await
    })
    .await;
    let connector = Connector::new().config(Config {
        handshake_timeout: ms(100),
        ..Config::default()
    });
    let error = soon(connector.connect(&Request::new(format!("ws://{address}/"))))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.blame()),
        (ErrorKind::Timeout, Blame::Peer)
    );
    assert_eq!(
        error.to_string(),
        format!("{address} did not answer the opening handshake within 100ms")
    );
    let _ = soon(played).await.unwrap();
}

#[tokio::test]
async fn answers_that_are_none() {
    let switched =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let cases: [(&'static str, &str); 4] = [
        ("", "without an answer"),
        ("HTTP/1.1 101 Swi", "in the middle of its answer"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "not an HTTP/1 head"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
            "no `Upgrade: websocket`",
        ),
    ];
    for (bytes, sentence) in cases {
        let error = answered(bytes).await;
        assert_eq!(error.kind(), ErrorKind::Handshake, "{bytes}");
        assert!(error.to_string().contains(sentence), "{bytes:?}: {error}");
        assert!(error.refusal().is_none());
    }
    let wrong_accept =
        format!("{switched}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    let error = answered(wrong_accept.leak()).await;
    assert!(error.to_string().contains("the key demands"), "{error}");
    assert_eq!(error.response().unwrap().status, 101);
}

#[tokio::test]
async fn subprotocols_and_extensions_that_were_not_asked_for() {
    let cases = [
        ("Sec-WebSocket-Protocol: chat\r\n", "the subprotocol `chat`"),
        (
            "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            "the extension `permessage-deflate`",
        ),
    ];
    for (more, sentence) in cases {
        let (address, played) = script(async move |mut stream| {
            let head = read_head(&mut stream).await;
            stream
                .write_all(switching(&head, more).as_bytes())
                .await
                .unwrap();
        })
        .await;
        let error = refused(&format!("ws://{address}/")).await;
        assert_eq!(error.kind(), ErrorKind::Handshake);
        assert!(error.to_string().contains(sentence), "{error}");
        played.await.unwrap();
    }
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let (address, played) = script(async |mut stream| {
        read_head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nX: ")
            .await
            .unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let error = refused(&format!("ws://{address}/")).await;
    assert_eq!(error.kind(), ErrorKind::Handshake);
    assert!(error.to_string().contains("65536 bytes"), "{error}");
    soon(played).await.unwrap();
}

#[tokio::test]
async fn bytes_behind_the_handshake_are_not_lost() {
    let (address, played) = script(async |mut stream| {
        let head = read_head(&mut stream).await;
        let mut wire = switching(&head, "").into_bytes();
        wire.extend(frame(TEXT, b"first"));
        wire.extend(frame(TEXT, b"second"));
        // And half of a third, whose rest comes alone.
        let third = frame(TEXT, b"third");
        wire.extend_from_slice(&third[..3]);
        stream.write_all(&wire).await.unwrap();
        // Only when the client has taken the first two.
        read_frame(&mut stream).await;
        stream.write_all(&third[3..]).await.unwrap();
        stream
    })
    .await;
    let (mut socket, _) = soon(connect(format!("ws://{address}/"))).await.unwrap();
    assert_eq!(
        soon(socket.recv()).await.unwrap().unwrap(),
        Message::from("first")
    );
    assert_eq!(
        soon(socket.recv()).await.unwrap().unwrap(),
        Message::from("second")
    );
    socket.send("go on").await.unwrap();
    assert_eq!(
        soon(socket.recv()).await.unwrap().unwrap(),
        Message::from("third")
    );
    drop(played);
}

#[tokio::test]
async fn a_reset_in_the_handshake() {
    let (address, played) = script(async |mut stream| {
        read_head(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let error = refused(&format!("ws://{address}/")).await;
    assert_eq!(error.kind(), ErrorKind::Reset);
    assert_eq!(
        error.to_string(),
        "the connection was reset in the opening handshake"
    );
    played.await.unwrap();
}

#[tokio::test]
async fn frames_that_break_the_protocol() {
    // What the server sends, the code that it is told, and what is said of it here.
    let cases: [(&'static [u8], u16, &str); 4] = [
        (
            b"\x82\x7f\x00\x00\x00\x00\xc0\x00\x00\x00",
            1009,
            "a frame announces 3221225472 bytes",
        ),
        (b"\x81\x02\xc3\x28", 1007, "not valid UTF-8"),
        (b"\x81\x80\x00\x00\x00\x00", 1002, "masked"),
        (b"\xc1\x00", 1002, "reserved bits"),
    ];
    for (bytes, expected, sentence) in cases {
        let (address, played) = script(async move |mut stream| {
            accept(&mut stream).await;
            stream.write_all(bytes).await.unwrap();
            read_frame(&mut stream).await
        })
        .await;
        let (mut socket, _) = soon(connect(format!("ws://{address}/"))).await.unwrap();
        let error = soon(socket.next_event()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.blame()),
            (ErrorKind::Protocol, Blame::Peer),
            "{error}"
        );
        assert!(error.to_string().contains(sentence), "{error}");
        assert!(error.to_string().contains("RFC 6455 "), "{error}");
        assert_eq!(error.close_code().map(CloseCode::as_u16), Some(expected));
        assert_eq!(
            soon(socket.next_event()).await.unwrap(),
            None,
            "it is told once"
        );
        assert_eq!(
            socket.send("x").await.unwrap_err().kind(),
            ErrorKind::Protocol
        );
        let (first, payload) = played.await.unwrap();
        assert_eq!((first, code(&payload)), (common::CLOSE, expected));
    }
}

#[tokio::test]
async fn streams_that_are_cut() {
    let cases: [(&'static [u8], &str); 4] = [
        (b"", "without a close frame"),
        (b"\x82\x05abc", "in the middle of a frame"),
        (b"\x82", "in the middle of a frame"),
        (b"\x01\x01a", "in the middle of a message"),
    ];
    for (bytes, sentence) in cases {
        let (address, played) = script(async move |mut stream| {
            accept(&mut stream).await;
            stream.write_all(bytes).await.unwrap();
        })
        .await;
        let (mut socket, _) = soon(connect(format!("ws://{address}/"))).await.unwrap();
        let error = soon(socket.recv()).await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.blame()),
            (ErrorKind::Abnormal, Blame::Peer)
        );
        assert!(error.to_string().contains(sentence), "{error}");
        assert_eq!(error.close_code().map(CloseCode::as_u16), Some(1006));
        assert!(soon(socket.recv()).await.is_none());
        played.await.unwrap();
    }
}
