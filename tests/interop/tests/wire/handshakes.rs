//! curl, which knows HTTP: what our server answers to handshakes, right and wrong, and to what is none.

use wiretalk_interop::{Program, Server};

const HANDSHAKE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// The answer to that key in RFC 6455 section 1.3.
const ACCEPTED: &str = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What is sent, and what must be answered.
struct Case {
    name: &'static str,
    /// Arguments of curl, and with `-H` headers: those of a right handshake are sent as well, unless there are others
    /// of the same name. A name alone leaves a header out.
    sent: &'static [&'static str],
    status: &'static str,
    /// Lines of the answer's head.
    head: &'static [&'static str],
    /// A part of the body.
    body: &'static str,
}

const PLAIN: &[&str] = &[
    "-H",
    "Connection",
    "-H",
    "Upgrade",
    "-H",
    "Sec-WebSocket-Version",
    "-H",
    "Sec-WebSocket-Key",
];
const UPGRADE_REQUIRED: &[&str] = &[
    "upgrade: websocket",
    "connection: Upgrade",
    "sec-websocket-version: 13",
];

const CASES: &[Case] = &[
    Case {
        name: "a handshake",
        sent: &[],
        status: "101",
        head: &["upgrade: websocket", "connection: Upgrade", ACCEPTED],
        body: "",
    },
    Case {
        name: "a handshake in other words",
        sent: &[
            "-H",
            "Connection: keep-alive, uPgRaDe",
            "-H",
            "Upgrade: h2c, WebSocket",
        ],
        status: "101",
        head: &[ACCEPTED],
        body: "",
    },
    Case {
        name: "compression is offered",
        sent: &[
            "-H",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        ],
        status: "101",
        head: &[
            ACCEPTED,
            "sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ],
        body: "",
    },
    Case {
        name: "compression is offered in two ways, of which one will do",
        sent: &[
            "-H",
            "Sec-WebSocket-Extensions: permessage-deflate; nonsense, permessage-deflate; server_max_window_bits=10",
        ],
        status: "101",
        head: &[
            "sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10",
        ],
        body: "",
    },
    Case {
        name: "an offer that does not follow the grammar",
        sent: &["-H", "Sec-WebSocket-Extensions: =x"],
        status: "400",
        head: &[],
        body: "RFC 6455 9.1",
    },
    Case {
        name: "plain GET",
        sent: PLAIN,
        status: "426",
        head: UPGRADE_REQUIRED,
        body: "does not ask for a WebSocket",
    },
    Case {
        name: "plain POST",
        sent: &[
            "-d",
            "text",
            "-H",
            "Connection",
            "-H",
            "Upgrade",
            "-H",
            "Sec-WebSocket-Version",
            "-H",
            "Sec-WebSocket-Key",
        ],
        status: "426",
        head: UPGRADE_REQUIRED,
        body: "does not ask for a WebSocket",
    },
    Case {
        name: "a page is asked for",
        sent: &[
            "-H",
            "Accept: text/html",
            "-H",
            "Connection",
            "-H",
            "Upgrade",
            "-H",
            "Sec-WebSocket-Version",
            "-H",
            "Sec-WebSocket-Key",
        ],
        status: "200",
        head: &["content-type: text/html; charset=utf-8"],
        body: "<!doctype html>",
    },
    Case {
        name: "another version",
        sent: &["-H", "Sec-WebSocket-Version: 12"],
        status: "426",
        head: UPGRADE_REQUIRED,
        body: "version `12`",
    },
    Case {
        name: "no version",
        sent: &["-H", "Sec-WebSocket-Version"],
        status: "426",
        head: UPGRADE_REQUIRED,
        body: "has no `Sec-WebSocket-Version`",
    },
    Case {
        name: "no key",
        sent: &["-H", "Sec-WebSocket-Key"],
        status: "400",
        head: &[],
        body: "has no `Sec-WebSocket-Key`",
    },
    Case {
        name: "a key that is too short",
        sent: &["-H", "Sec-WebSocket-Key: abc"],
        status: "400",
        head: &[],
        body: "is not 16 bytes in base64",
    },
    Case {
        name: "two keys",
        sent: &[
            "-H",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "-H",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ],
        status: "400",
        head: &[],
        body: "more than once",
    },
    Case {
        name: "a connection that is not to be upgraded",
        sent: &["-H", "Connection: keep-alive"],
        status: "400",
        head: &[],
        body: "without `Upgrade`",
    },
    Case {
        name: "another protocol",
        sent: &["-H", "Upgrade: h2c"],
        status: "426",
        head: UPGRADE_REQUIRED,
        body: "has no `Upgrade: websocket`",
    },
    Case {
        name: "POST",
        sent: &["-X", "POST"],
        status: "405",
        head: &["allow: GET"],
        body: "not POST",
    },
    Case {
        name: "HEAD",
        sent: &["--head"],
        status: "405",
        head: &["allow: GET"],
        body: "",
    },
    Case {
        name: "a body",
        sent: &["-X", "GET", "-d", "text"],
        status: "400",
        head: &[],
        body: "has a body",
    },
    Case {
        name: "HTTP/1.0",
        sent: &["--http1.0"],
        status: "505",
        head: &[],
        body: "not HTTP/1.0",
    },
    Case {
        name: "no host",
        sent: &["-H", "Host:"],
        status: "400",
        head: &[],
        body: "has no `Host`",
    },
];

#[test]
fn every_request_of_curl_is_answered_as_it_should_be() {
    // A client that does not answer pings is dropped soon, which ends curl.
    let pings = ["--ping-interval", "0.1", "--ping-timeout", "0.1"];
    for server in [
        Server::echo(&pings),
        Server::talk("tests/interop/talks/echo.talk", &pings),
    ] {
        for case in CASES {
            let answer = Program::curl()
                .args(["--include", &server.http()])
                .args(arguments(case.sent))
                .finish("")
                .out();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
            let mut lines = head.lines();
            let status = lines.next().and_then(|line| line.split(' ').nth(1));
            assert_eq!(status, Some(case.status), "{}: {answer}", case.name);
            let lines: Vec<&str> = lines.collect();
            for line in case.head {
                assert!(lines.contains(line), "{}: no {line:?}: {answer}", case.name);
            }
            assert!(body.contains(case.body), "{}: {answer}", case.name);
        }
    }
}

/// The arguments of curl for a handshake that is so much different.
fn arguments(sent: &[&str]) -> Vec<String> {
    let name = |header: &str| header.split(':').next().unwrap_or_default().to_owned();
    let instead: Vec<String> = sent.iter().map(|header| name(header)).collect();
    let rest = HANDSHAKE
        .iter()
        .filter(|header| !instead.contains(&name(header)))
        .flat_map(|header| ["-H", header]);
    // For curl, `Name:` takes a header out that it would send by itself.
    let bare = |argument: &str| HANDSHAKE.iter().any(|header| name(header) == argument);
    let sent = sent.iter().map(|argument| {
        if bare(argument) {
            format!("{argument}:")
        } else {
            (*argument).to_owned()
        }
    });
    sent.chain(rest.map(str::to_owned)).collect()
}
