use super::{Request, RequestError, Response, ResponseErrorKind as Kind};
use crate::handshake::{HEAD_LIMIT, HEADER_COUNT_LIMIT, HeadError, HeaderError, Progress};

const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A request with the key of section 1.3 that offers two subprotocols.
fn request() -> Request {
    let mut request = Request::new("server.example.com", "/chat", *b"the sample nonce").unwrap();
    request
        .subprotocol("chat")
        .unwrap()
        .subprotocol("superchat")
        .unwrap();
    request
}

/// A response of these lines, and no others.
fn response(lines: &[&str]) -> Vec<u8> {
    (lines.join("\r\n") + "\r\n\r\n").into_bytes()
}

/// Parses a response, as a whole and byte by byte; both must come to the same.
fn judge(wire: &[u8]) -> Result<(usize, Response), Kind> {
    let request = request();
    let whole = request.parse_response(wire);
    let by_bytes = (0..=wire.len())
        .map(|end| request.parse_response(&wire[..end]))
        .find(|result| !matches!(result, Ok(Progress::Partial)))
        .unwrap_or(Ok(Progress::Partial));
    assert_eq!(whole, by_bytes);
    match whole {
        Ok(Progress::Complete { consumed, head }) => Ok((consumed, head)),
        Ok(Progress::Partial) => panic!("the response is not whole"),
        Err(error) => {
            assert_eq!(error.to_string(), error.kind().to_string());
            Err(error.kind().clone())
        }
    }
}

#[test]
fn the_request_has_what_section_4_1_asks_for() {
    let mut request = request();
    request
        .header("Origin", "http://example.com")
        .unwrap()
        .header("X-Name", "Zo\u{eb}")
        .unwrap();
    let mut wire = Vec::new();
    request.encode(&mut wire);
    let expected = "GET /chat HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\
        Origin: http://example.com\r\n\
        X-Name: Zo\u{eb}\r\n\
        \r\n";
    assert_eq!(String::from_utf8(wire).unwrap(), expected);
}

#[test]
fn hosts_and_targets_that_would_break_the_request_are_refused() {
    for host in [
        "",
        "a b",
        "a\r\nX: y",
        "a/b",
        "user@host",
        "h\u{f6}st",
        "a\0",
    ] {
        let error = Request::new(host, "/", [0; 16]).unwrap_err();
        assert_eq!(error, RequestError::InvalidHost(host.to_owned()));
    }
    for target in [
        "",
        "chat",
        "/a b",
        "/a\r\nX: y",
        "/a#fragment",
        "/\u{f6}",
        "/\0",
    ] {
        let error = Request::new("host", target, [0; 16]).unwrap_err();
        assert_eq!(error, RequestError::InvalidTarget(target.to_owned()));
    }
}

#[test]
fn headers_that_would_break_the_request_are_refused() {
    let mut request = request();
    for name in ["", "a b", "a:", "a\r\n", "\u{e4}", "a\0"] {
        let error = request.header(name, "v").unwrap_err();
        assert_eq!(error, HeaderError::InvalidName(name.to_owned()).into());
    }
    for value in [
        "a\r\nX: y",
        "a\nb",
        "a\rb",
        "a\0b",
        "\x1b[0m",
        " a",
        "a ",
        "\x7f",
    ] {
        let error = request.header("X", value).unwrap_err();
        assert_eq!(
            error,
            HeaderError::InvalidValue {
                name: "X".to_owned()
            }
            .into(),
            "{value:?}"
        );
    }
    request
        .header("X", "")
        .unwrap()
        .header("X", "a\tb")
        .unwrap();
}

#[test]
fn headers_of_the_handshake_cannot_be_set() {
    for name in [
        "host",
        "UPGRADE",
        "Connection",
        "sec-websocket-key",
        "Sec-WebSocket-Version",
        "content-length",
    ] {
        let error = request().header(name, "v").unwrap_err();
        assert_eq!(error, RequestError::OwnHeader(name.to_owned()));
    }
}

#[test]
fn subprotocols_are_tokens_and_unique() {
    for name in ["", "a b", "a,b", "a\r\n", "\u{f6}"] {
        let error = request().subprotocol(name).unwrap_err();
        assert_eq!(error, RequestError::InvalidSubprotocol(name.to_owned()));
    }
    let error = request().subprotocol("chat").unwrap_err();
    assert_eq!(error, RequestError::RepeatedSubprotocol("chat".to_owned()));
}

#[test]
fn the_response_of_section_1_3_is_taken_and_what_is_behind_it_left() {
    let mut wire = response(&[
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        ACCEPT,
        "Sec-WebSocket-Protocol: superchat",
    ]);
    let length = wire.len();
    wire.extend_from_slice(b"\x81\x05Hello");
    let (consumed, response) = judge(&wire).unwrap();
    assert_eq!(consumed, length);
    assert_eq!(
        (response.status, response.reason.as_str()),
        (101, "Switching Protocols")
    );
    assert_eq!(response.subprotocol.as_deref(), Some("superchat"));
    assert_eq!(response.headers.get("UPGRADE"), Some(&b"websocket"[..]));
    assert_eq!(response.headers.len(), 4);
}

#[test]
fn upgrade_is_taken_in_any_case_and_connection_as_a_list() {
    let wire = response(&[
        "HTTP/1.1 101 ",
        "upgrade:   WebSocket  ",
        "connection: keep-alive",
        "connection: foo,UPGRADE",
        ACCEPT,
    ]);
    assert_eq!(judge(&wire).unwrap().1.subprotocol, None);
}

/// RFC 9110 section 15.2: any number of 1xx may come before the answer, bounded as its head is.
#[test]
fn informational_responses_are_passed_over() {
    let switching = response(&[
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        ACCEPT,
    ]);
    let hints = [
        response(&["HTTP/1.1 100 Continue"]),
        response(&[
            "HTTP/1.1 103 Early Hints",
            "Link: </style.css>",
            "Upgrade: h2c",
        ]),
    ]
    .concat();
    let wire = [&hints[..], &switching, b"\x81\x05Hello"].concat();
    let (consumed, head) = judge(&wire).unwrap();
    assert_eq!(consumed, hints.len() + switching.len());
    assert_eq!((head.status, head.headers.len()), (101, 3));

    let refused = [&hints[..], &response(&["HTTP/1.1 401 Unauthorized"])].concat();
    assert_eq!(judge(&refused).unwrap_err(), Kind::Status(401));

    let endless = response(&["HTTP/1.1 100 Continue"]).repeat(HEAD_LIMIT / 25 + 1);
    let error = request().parse_response(&endless).unwrap_err();
    assert_eq!(error.kind(), &Kind::Head(HeadError::TooLarge));
}

/// RFC 9112 section 5.2.
#[test]
fn folded_lines_are_read_as_one() {
    let wire = response(&[
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade:",
        " websocket",
        "Connection: keep-alive,",
        "\t \tUpgrade",
        ACCEPT,
        "X-Note: a",
        "  b",
        "\tc",
    ]);
    let (_, head) = judge(&wire).unwrap();
    assert_eq!(head.headers.get("X-Note"), Some(&b"a b c"[..]));
    assert_eq!(head.headers.get("Upgrade"), Some(&b"websocket"[..]));
}

/// RFC 9112 section 6.3: a 101 has no body, whatever it says.
#[test]
fn a_101_has_no_body() {
    for line in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let mut wire = response(&[
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            ACCEPT,
            line,
        ]);
        let length = wire.len();
        wire.extend_from_slice(b"\x81\x05Hello");
        assert_eq!(judge(&wire).unwrap().0, length, "{line}");
    }
}

/// Responses that section 4.1 refuses: what the test is named, the lines after those that are right, and the fault.
#[test]
fn responses_that_section_4_1_refuses() {
    let status = "HTTP/1.1 101 Switching Protocols";
    let upgrade = "Upgrade: websocket";
    let connection = "Connection: Upgrade";
    let cases: [(&[&str], Kind); 17] = [
        // Step 1: any other status.
        (
            &["HTTP/1.1 200 OK", upgrade, connection, ACCEPT],
            Kind::Status(200),
        ),
        (&["HTTP/1.0 200 OK", "Content-Length: 0"], Kind::Status(200)),
        (
            &["HTTP/1.1 426 Upgrade Required", "Sec-WebSocket-Version: 13"],
            Kind::Status(426),
        ),
        (
            &[
                "HTTP/1.0 101 Switching Protocols",
                upgrade,
                connection,
                ACCEPT,
            ],
            Kind::HttpVersion,
        ),
        // Step 2: `Upgrade`.
        (&[status, connection, ACCEPT], Kind::UpgradeMissing),
        (
            &[status, "Upgrade: h2c", connection, ACCEPT],
            Kind::Upgrade("h2c".to_owned()),
        ),
        (
            &[status, upgrade, upgrade, connection, ACCEPT],
            Kind::Upgrade("websocket, websocket".to_owned()),
        ),
        // Step 3: `Connection`.
        (&[status, upgrade, ACCEPT], Kind::ConnectionMissing),
        (
            &[status, upgrade, "Connection: keep-alive", ACCEPT],
            Kind::Connection("keep-alive".to_owned()),
        ),
        // Step 4: `Sec-WebSocket-Accept`.
        (&[status, upgrade, connection], Kind::AcceptMissing),
        (
            &[
                status,
                upgrade,
                connection,
                "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            ],
            Kind::Accept {
                expected: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(),
                came: "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(),
            },
        ),
        (
            &[status, upgrade, connection, ACCEPT, ACCEPT],
            Kind::RepeatedHeader("Sec-WebSocket-Accept"),
        ),
        // Step 5: extensions.
        (
            &[
                status,
                upgrade,
                connection,
                ACCEPT,
                "Sec-WebSocket-Extensions: permessage-deflate; a=1",
            ],
            Kind::UnaskedExtension("permessage-deflate".to_owned()),
        ),
        (
            &[
                status,
                upgrade,
                connection,
                ACCEPT,
                "Sec-WebSocket-Extensions:",
            ],
            Kind::UnaskedExtension(String::new()),
        ),
        // Step 6: the subprotocol.
        (
            &[
                status,
                upgrade,
                connection,
                ACCEPT,
                "Sec-WebSocket-Protocol: Chat",
            ],
            Kind::UnaskedSubprotocol("Chat".to_owned()),
        ),
        (
            &[
                status,
                upgrade,
                connection,
                ACCEPT,
                "Sec-WebSocket-Protocol: chat, superchat",
            ],
            Kind::UnaskedSubprotocol("chat, superchat".to_owned()),
        ),
        (
            &[
                status,
                upgrade,
                connection,
                ACCEPT,
                "Sec-WebSocket-Protocol: chat",
                "Sec-WebSocket-Protocol: chat",
            ],
            Kind::RepeatedHeader("Sec-WebSocket-Protocol"),
        ),
    ];
    for (lines, kind) in cases {
        assert_eq!(judge(&response(lines)).unwrap_err(), kind, "{lines:#?}");
    }
}

#[test]
fn a_refusal_keeps_status_headers_and_where_the_body_begins() {
    let mut wire = response(&["HTTP/1.1 401 Unauthorized", "WWW-Authenticate: Bearer"]);
    let length = wire.len();
    wire.extend_from_slice(b"who are you?");
    let error = request().parse_response(&wire).unwrap_err();
    assert_eq!(error.consumed(), length);
    assert_eq!(error.section(), "RFC 6455 4.1");
    let response = error.response().unwrap();
    assert_eq!(
        (response.status, response.reason.as_str()),
        (401, "Unauthorized")
    );
    assert_eq!(
        response.headers.get("www-authenticate"),
        Some(&b"Bearer"[..])
    );
    assert_eq!(
        error.to_string(),
        "the server answered with status 401 instead of 101"
    );
}

#[test]
fn what_is_not_http_is_told_at_once() {
    for wire in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 abc",
        "HTTP/2 101",
        "HTTP/1.1 101 Fine\r\nno colon\r\n",
        "HTTP/1.1 101 Fine\r\na : b\r\n",
        "HTTP/1.1 101 Fine\r\na: b\rc\r\n",
        "HTTP/1.1 101 Fine\r\na: b\0c\r\n",
        "HTTP/1.1 101 Fine\r\n a: b\r\n\r\n",
        "\x15\x03",
    ] {
        let error = request().parse_response(wire.as_bytes()).unwrap_err();
        assert!(
            matches!(error.kind(), Kind::Head(HeadError::Malformed(_))),
            "{wire:?}: {error}"
        );
        assert_eq!(error.response(), None);
    }
}

#[test]
fn a_head_without_end_is_refused_at_the_limit() {
    let mut wire = b"HTTP/1.1 101 Switching Protocols\r\nX: ".to_vec();
    wire.resize(HEAD_LIMIT - 1, b'a');
    assert_eq!(request().parse_response(&wire), Ok(Progress::Partial));
    wire.push(b'a');
    let error = request().parse_response(&wire).unwrap_err();
    assert_eq!(error.kind(), &Kind::Head(HeadError::TooLarge));
    // Nor does it help to come all at once, with an end beyond the limit.
    wire.extend_from_slice(b"\r\n\r\n");
    let error = request().parse_response(&wire).unwrap_err();
    assert_eq!(error.kind(), &Kind::Head(HeadError::TooLarge));
}

#[test]
fn a_head_of_too_many_lines_is_refused() {
    let wire = "HTTP/1.1 101 Switching Protocols\r\n".to_owned()
        + &"X: y\r\n".repeat(HEADER_COUNT_LIMIT + 1)
        + "\r\n";
    let error = request().parse_response(wire.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), &Kind::Head(HeadError::TooLarge));
}
