use super::{
    HttpVersion, NotOffered, Offer, Refusal, RefusalKind as Kind, Request, check, encode_response,
};
use crate::handshake::{HEAD_LIMIT, HeadError, HeaderError, Progress};

/// The headers of the request in section 1.3.
const HEADERS: [&str; 7] = [
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Origin: http://example.com",
    "Sec-WebSocket-Protocol: chat, superchat",
    "Sec-WebSocket-Version: 13",
];

fn judge(first: &str, headers: &[&str]) -> Result<Offer, Refusal> {
    let wire = format!("{first}\r\n{}\r\n\r\n", headers.join("\r\n"));
    match Request::parse(wire.as_bytes()) {
        Ok(Progress::Complete { consumed, head }) => {
            assert_eq!(consumed, wire.len());
            head.check()
        }
        other => panic!("{other:?}"),
    }
}

/// The headers of section 1.3, with those of the given name replaced by others.
fn but(name: &str, instead: &[&'static str]) -> Vec<&'static str> {
    let mut headers = HEADERS.to_vec();
    headers.retain(|line| !line.starts_with(name));
    headers.extend_from_slice(instead);
    headers
}

#[test]
fn the_request_of_section_1_3_is_taken() {
    let offer = judge("GET /chat HTTP/1.1", &HEADERS).unwrap();
    assert_eq!(offer.subprotocols, ["chat", "superchat"]);
    assert_eq!(offer.extensions, []);
    assert_eq!(offer.accept_value(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let expected = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("Sec-WebSocket-Protocol", "chat"),
    ];
    let expected = expected.map(|(name, value)| (name, value.to_owned()));
    assert_eq!(offer.accept(Some("chat"), None).unwrap().headers, expected);
    assert_eq!(offer.accept(None, None).unwrap().headers, expected[..3]);
    assert_eq!(
        offer.accept(Some("Chat"), None),
        Err(NotOffered("Chat".to_owned()))
    );
}

#[test]
fn names_and_tokens_are_taken_in_any_case_and_lists_over_many_lines() {
    let headers = [
        "host: h",
        "UPGRADE: h2c, WebSocket",
        "connection: keep-alive, upgrade",
        "sec-websocket-key:  AAAAAAAAAAAAAAAAAAAAAA==  ",
        "Sec-WebSocket-Protocol: b",
        "sec-websocket-protocol: a,, c",
        "Sec-WebSocket-Version:13",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x",
        "Sec-WebSocket-Extensions: y; z=\"1\"",
    ];
    let offer = judge("GET / HTTP/1.1", &headers).unwrap();
    assert_eq!(offer.subprotocols, ["b", "a", "c"]);
    let names: Vec<_> = offer
        .extensions
        .iter()
        .map(|extension| extension.name.as_str())
        .collect();
    assert_eq!(names, ["permessage-deflate", "x", "y"]);
    assert_eq!(
        offer.extensions[2].parameters,
        [("z".to_owned(), Some("1".to_owned()))]
    );
}

/// Section 4.2.1 step 1.
#[test]
fn targets_are_paths_or_uris() {
    for target in ["/", "/a?b", "http://h/a", "WSS://h", "//a"] {
        let first = format!("GET {target} HTTP/1.1");
        assert!(judge(&first, &HEADERS).is_ok(), "{target}");
    }
    for target in ["*", "h:80", "a", "ftp://h/"] {
        let first = format!("GET {target} HTTP/1.1");
        let refusal = judge(&first, &HEADERS).unwrap_err();
        assert_eq!(refusal.kind(), &Kind::Target(target.to_owned()));
        assert_eq!(refusal.status(), 400);
    }
}

#[test]
fn a_body_of_no_bytes_is_none() {
    assert!(judge("GET / HTTP/1.1", &but("-", &["Content-Length: 0"])).is_ok());
}

#[test]
fn a_key_with_bits_left_over_is_taken() {
    assert!(
        judge(
            "GET / HTTP/1.1",
            &but(
                "Sec-WebSocket-Key",
                &["Sec-WebSocket-Key: abcdefghijklmnopqrstuv=="]
            )
        )
        .is_ok()
    );
}

#[test]
fn plain_http_is_told_apart_from_a_bad_upgrade() {
    let plain = [
        vec!["Host: h"],
        vec!["Host: h", "Upgrade: h2c", "Connection: Upgrade"],
    ];
    for headers in plain {
        for first in ["GET / HTTP/1.1", "POST / HTTP/1.1", "GET / HTTP/1.0"] {
            let refusal = judge(first, &headers).unwrap_err();
            assert_eq!(refusal.kind(), &Kind::NotUpgrade);
            assert_eq!(refusal.status(), 426);
        }
    }
    let refusal = judge("GET / HTTP/1.1", &but("Upgrade", &[])).unwrap_err();
    assert_eq!(refusal.kind(), &Kind::UpgradeMissing);
}

/// Requests that section 4.2.1 refuses: the first line, the headers, the fault, the status of the answer.
#[test]
fn requests_that_section_4_2_1_refuses() {
    let get = "GET / HTTP/1.1";
    let key = |value: &str| Kind::Key(value.to_owned());
    let cases = [
        // Step 1: GET, HTTP/1.1.
        (
            "POST / HTTP/1.1",
            HEADERS.to_vec(),
            Kind::Method("POST".to_owned()),
            405,
        ),
        (
            "get / HTTP/1.1",
            HEADERS.to_vec(),
            Kind::Method("get".to_owned()),
            405,
        ),
        (
            "GET / HTTP/1.0",
            HEADERS.to_vec(),
            Kind::HttpVersion(HttpVersion(1, 0)),
            505,
        ),
        // Step 2: `Host`.
        (get, but("Host", &[]), Kind::HostMissing, 400),
        (
            get,
            but("Host", &["Host: a", "Host: b"]),
            Kind::RepeatedHeader("Host"),
            400,
        ),
        (get, but("Host", &["Host:"]), Kind::Host(String::new()), 400),
        (
            get,
            but("Host", &["Host: a, b"]),
            Kind::Host("a, b".to_owned()),
            400,
        ),
        // A body.
        (get, but("-", &["Content-Length: 5"]), Kind::Body, 400),
        (
            get,
            but("-", &["Content-Length: 0", "Content-Length: 00"]),
            Kind::Body,
            400,
        ),
        (
            get,
            but("-", &["Transfer-Encoding: chunked"]),
            Kind::Body,
            400,
        ),
        // Step 4: `Connection`.
        (
            get,
            but("Connection", &[]),
            Kind::Connection(String::new()),
            400,
        ),
        (
            get,
            but("Connection", &["Connection: close"]),
            Kind::Connection("close".to_owned()),
            400,
        ),
        // Step 5: the key.
        (get, but("Sec-WebSocket-Key", &[]), Kind::KeyMissing, 400),
        (
            get,
            but("Sec-WebSocket-Key", &["Sec-WebSocket-Key:"]),
            key(""),
            400,
        ),
        (
            get,
            but(
                "Sec-WebSocket-Key",
                &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"],
            ),
            key("dGhlIHNhbXBsZSBub25j"),
            400,
        ),
        (
            get,
            but(
                "Sec-WebSocket-Key",
                &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"],
            ),
            key("dGhlIHNhbXBsZSBub25jZQ"),
            400,
        ),
        (
            get,
            but(
                "Sec-WebSocket-Key",
                &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE="],
            ),
            key("dGhlIHNhbXBsZSBub25jZSE="),
            400,
        ),
        (
            get,
            but("Sec-WebSocket-Key", &[HEADERS[3], HEADERS[3]]),
            Kind::RepeatedHeader("Sec-WebSocket-Key"),
            400,
        ),
        // Step 6 and section 4.4: the version.
        (
            get,
            but("Sec-WebSocket-Version", &[]),
            Kind::VersionMissing,
            426,
        ),
        (
            get,
            but("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 8"]),
            Kind::Version("8".to_owned()),
            426,
        ),
        (
            get,
            but("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 013"]),
            Kind::Version("013".to_owned()),
            426,
        ),
        (
            get,
            but("Sec-WebSocket-Version", &[HEADERS[6], HEADERS[6]]),
            Kind::RepeatedHeader("Sec-WebSocket-Version"),
            400,
        ),
        // Step 8 and section 11.3.4: subprotocols are unique tokens.
        (
            get,
            but("Sec-WebSocket-Protocol", &["Sec-WebSocket-Protocol: a b"]),
            Kind::Subprotocol("a b".to_owned()),
            400,
        ),
        (
            get,
            but("Sec-WebSocket-Protocol", &["Sec-WebSocket-Protocol: a, a"]),
            Kind::Subprotocol("a".to_owned()),
            400,
        ),
        // Step 9 and section 9.1: extensions.
        (
            get,
            but("-", &["Sec-WebSocket-Extensions: a;"]),
            Kind::Extensions("a;".to_owned()),
            400,
        ),
    ];
    for (first, headers, kind, status) in cases {
        let refusal = judge(first, &headers).unwrap_err();
        assert_eq!(refusal.kind(), &kind, "{first} {headers:#?}");
        assert_eq!(refusal.status(), status, "{refusal}");
        assert!(refusal.section().starts_with("RFC "));
    }
}

#[test]
fn section_4_4_a_wrong_version_is_answered_with_the_right_one() {
    let headers = but("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 25"]);
    let refusal = judge("GET / HTTP/1.1", &headers).unwrap_err();
    assert!(refusal.headers().contains(&("Sec-WebSocket-Version", "13")));
    assert_eq!(refusal.section(), "RFC 6455 4.4");
    assert_eq!(
        refusal.to_string(),
        "the request asks for version `25` of the protocol; version 13 is spoken here"
    );
}

#[test]
fn a_wrong_method_is_answered_with_the_right_one() {
    assert_eq!(
        judge("PUT / HTTP/1.1", &HEADERS).unwrap_err().headers(),
        [("Allow", "GET")]
    );
}

#[test]
fn header_lists_of_another_parser_are_judged_alike() {
    let headers = HEADERS
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name, value.as_bytes()));
    assert!(check("GET", HttpVersion(1, 1), headers).is_ok());
    assert!(check("GET", HttpVersion(2, 0), headers).is_err());
}

#[test]
fn a_request_is_whole_at_its_empty_line_and_what_is_behind_is_left() {
    let wire = format!(
        "GET /chat?a=b HTTP/1.1\r\n{}\r\n\r\n\x01more",
        HEADERS.join("\r\n")
    );
    let end = wire.len() - 5;
    for cut in 0..end {
        assert_eq!(
            Request::parse(&wire.as_bytes()[..cut]),
            Ok(Progress::Partial)
        );
    }
    let Ok(Progress::Complete { consumed, head }) = Request::parse(wire.as_bytes()) else {
        panic!("not whole")
    };
    assert_eq!(consumed, end);
    assert_eq!(
        (head.method.as_str(), head.target.as_str(), head.version),
        ("GET", "/chat?a=b", HttpVersion(1, 1))
    );
    assert_eq!(head.headers.get("origin"), Some(&b"http://example.com"[..]));
}

#[test]
fn what_is_not_a_request_is_refused() {
    for wire in [
        "\x16\x03\x01\x02\x00",
        "GET / HTTP/3\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\na b: c\r\n",
        "GET / HTTP/1.1\r\na : c\r\n",
        "GET / HTTP/1.1\r\na: b\rc\r\n",
        "GET / HTTP/1.1\r\na: b\0c\r\n",
        // RFC 9112 section 5.2: a server refuses a folded line.
        "GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\n a: b\r\n\r\n",
    ] {
        assert!(
            matches!(
                Request::parse(wire.as_bytes()),
                Err(HeadError::Malformed(_))
            ),
            "{wire:?}"
        );
    }
    assert_eq!(
        Request::parse(&[b'A'; HEAD_LIMIT]),
        Err(HeadError::TooLarge)
    );
}

#[test]
fn responses_are_written_and_cannot_be_split() {
    let mut wire = b"before ".to_vec();
    let headers = [("Upgrade", &b"websocket"[..]), ("Connection", b"Upgrade")];
    encode_response(101, "Switching Protocols", headers, &mut wire).unwrap();
    let written = b"before HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    assert_eq!(wire, written);

    let error = encode_response(
        200,
        "OK",
        [("A", &b"b"[..]), ("Set-Cookie", b"a\r\nX: y")],
        &mut wire,
    )
    .unwrap_err();
    assert_eq!(
        error,
        HeaderError::InvalidValue {
            name: "Set-Cookie".to_owned()
        }
    );
    encode_response(200, "OK\r\nX: y", [], &mut wire).unwrap_err();
    assert_eq!(wire, written);
}
