//! What attacks get: each with its exact answer. The table of them is in `docs/security.md`.

use std::time::{SystemTime, UNIX_EPOCH};

use wiretalk_interop::{Hand, Program, Server};

const KEY: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The first line of the answer to a head.
fn answer(server: &Server, head: &str) -> String {
    let mut hand = Hand::to(server);
    hand.write(head.as_bytes());
    let answer = hand.head();
    answer.lines().next().unwrap_or_default().to_owned()
}

fn is_alive(server: &Server) {
    let mut hand = Hand::to(server);
    assert_eq!(hand.handshake("/", &[]).0, 101);
    hand.send_text("still there");
    assert_eq!(hand.text(), "still there");
}

#[test]
fn origins() {
    let server = Server::echo(&["--origin", "https://chat.example"]);
    let cases: [(&[&str], u16); 9] = [
        (&[], 101),
        (&["Origin: https://chat.example"], 101),
        (&["Origin: https://chat.example:443"], 101),
        (&["Origin: https://evil.example"], 403),
        (&["Origin: http://chat.example"], 403),
        (&["Origin: https://chat.example.evil.example"], 403),
        (&["Origin: https://chat.example@evil.example"], 403),
        (&["Origin: null"], 403),
        (
            &[
                "Origin: https://chat.example",
                "Origin: https://evil.example",
            ],
            403,
        ),
    ];
    for (lines, expected) in cases {
        let mut hand = Hand::to(&server);
        assert_eq!(hand.handshake("/", lines).0, expected, "{lines:?}");
    }
}

#[test]
fn tokens() {
    let secret = "a secret of thirty-two bytes or more";
    let folder = tempfile::tempdir().expect("a folder");
    let name = |file: &str| {
        folder
            .path()
            .join(file)
            .to_str()
            .expect("its name is UTF-8")
            .to_owned()
    };
    let (private, public) = (name("key.pem"), name("public.pem"));
    let openssl = |arguments: &[&str]| {
        let _ = Program::system("openssl")
            .args(arguments)
            .finish("")
            .with_code(0);
    };
    openssl(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
        &private,
    ]);
    openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
    std::fs::write(name("secret"), secret).expect("it is written");
    let token = |kind: &str, key: &str, seconds: i64| {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("it is not 1969");
        let ends = i64::try_from(now.as_secs()).expect("a number") + seconds;
        let claims = format!(r#"{{"sub":"ada","exp":{ends}}}"#);
        let made = Program::peer("bearer.py")
            .args([kind, key, &claims])
            .finish("");
        made.with_code(0).out().trim().to_owned()
    };
    let by_secret = Server::echo(&["--jwt-secret", &name("secret")]);
    let by_key = Server::echo(&["--jwt-key", &public]);
    let pem = std::fs::read_to_string(&public).expect("it is there");
    let fine = token("hs256", secret, 60);
    let (signed, _) = fine.rsplit_once('.').expect("a signature");
    let cases = [
        (&by_secret, fine.clone(), 101),
        (&by_key, token("rs256", &private, 60), 101),
        (&by_secret, token("hs256", secret, -60), 401),
        (
            &by_secret,
            token("hs256", "another secret of thirty-two bytes", 60),
            401,
        ),
        (&by_secret, token("none", "-", 60), 401),
        (&by_key, token("none", "-", 60), 401),
        (&by_secret, format!("{signed}."), 401),
        // Signed with what everybody knows: the public key, as if it were a secret.
        (&by_key, token("hs256", &pem, 60), 401),
        (&by_key, fine, 401),
    ];
    for (at, (server, token, expected)) in cases.iter().enumerate() {
        let bearer = format!("Authorization: Bearer {token}");
        let got = Hand::to(server).handshake("/", &[&bearer]).0;
        assert_eq!(got, *expected, "case {at}");
    }
}

#[test]
fn requests_that_two_servers_would_read_differently() {
    let server = Server::echo(&[]);
    let get = "GET / HTTP/1.1\r\nHost: x\r\n";
    let close = "Connection: close\r\n\r\n";
    let cases = [
        // Bodies whose end is told twice, or in no known way.
        (
            format!(
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n{close}hello"
            ),
            BAD,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n{close}0\r\n\r\n"
            ),
            BAD,
        ),
        (format!("{get}Content-Length: +5\r\n{close}"), BAD),
        // A header that goes on in the next line (RFC 9112 5.2), a blank before the colon, and line breaks in values.
        (format!("{get}X-One: 1\r\n 2\r\n{close}"), BAD),
        (format!("{get}Upgrade : websocket\r\n{close}"), BAD),
        (format!("{get}X-One: a\rX-Two: b\r\n{close}"), BAD),
        (format!("{get}X-One: a\0b\r\n{close}"), BAD),
        // Two hosts, and none (RFC 9112 3.2).
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n{KEY}\r\n"),
            BAD,
        ),
        (format!("GET / HTTP/1.1\r\n{KEY}\r\n"), BAD),
        // Two keys, and a body where none can be.
        (
            format!("{get}{KEY}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"),
            BAD,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\n{KEY}Content-Length: 5\r\n\r\nhello"),
            BAD,
        ),
        (
            format!("GET / HTTP/1.0\r\nHost: x\r\n{KEY}\r\n"),
            "HTTP/1.0 505 HTTP Version Not Supported",
        ),
        ("GET  HTTP/1.1\r\n\r\n".to_owned(), BAD),
    ];
    let mut wrong = Vec::new();
    for (head, expected) in cases {
        let got = answer(&server, &head);
        if got != expected {
            wrong.push(format!("{head:?}: {got}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    is_alive(&server);
}

const BAD: &str = "HTTP/1.1 400 Bad Request";

#[test]
fn a_request_behind_a_body_of_two_lengths_is_not_answered() {
    let server = Server::echo(&[]);
    let lengths = ["Content-Length: 5", "Transfer-Encoding: chunked"];
    for [one, other] in [[0, 1], [1, 0]].map(|order| order.map(|at| lengths[at])) {
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let request =
            format!("POST / HTTP/1.1\r\nHost: x\r\n{one}\r\n{other}\r\n\r\n0\r\n\r\n{smuggled}");
        let answer = Hand::to(&server).answer_to(request.as_bytes());
        // The first alone, and the connection with it (RFC 9112 6.1).
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
}

#[test]
fn a_line_break_in_a_path_comes_into_no_header() {
    let server = Server::echo(&[]);
    let mut hand = Hand::to(&server);
    let (status, head) = hand.handshake("/%0d%0aSet-Cookie:%20a=b", &[]);
    assert_eq!(status, 101);
    assert!(!head.to_lowercase().contains("set-cookie"), "{head}");
}

#[test]
fn a_handshake_that_takes_too_long_is_over() {
    let mut server = Server::echo(&["--handshake-timeout", "0.3"]);
    let mut slow = Hand::to(&server);
    assert_eq!(slow.answer_to(b"GET / HTTP/1.1\r\nHost: x\r\nX-Sl"), "");
    server
        .process
        .expect("the client did not send the head of a request within 300ms");
    is_alive(&server);
}

#[test]
fn a_flood_is_closed_and_others_are_served() {
    let server = Server::echo(&["--rate", "10/s:20"]);
    let mut flood = Hand::to(&server);
    assert_eq!(flood.handshake("/", &[]).0, 101);
    for _ in 0..5_000 {
        flood.send_text("x");
    }
    assert_eq!(
        flood.close_frame(),
        (1008, "too many messages at once".into())
    );
    is_alive(&server);
}

#[test]
fn a_client_that_does_not_read_is_closed_and_others_hear_all() {
    let mut server = Server::talk("examples/chat.talk", &["--max-backlog", "4000000"]);
    let join = |server: &Server, user: &str| {
        let mut hand = Hand::to(server);
        assert_eq!(hand.handshake(&format!("/chat?user={user}"), &[]).0, 101);
        hand.send_text(r#"{"type":"join","room":"lobby"}"#);
        while !hand.text().contains("user_joined") {}
        hand
    };
    let mut deaf = join(&server, "deaf");
    let mut speaker = join(&server, "speaker");
    let long = "x".repeat(100_000);
    // The kernel holds some megabytes, and the server four.
    for number in 0..200 {
        speaker.send_text(&format!(
            r#"{{"type":"message","room":"lobby","message":"{number} {long}"}}"#
        ));
        assert!(speaker.text().contains(&format!("\"{number} x")));
    }
    server.process.expect("reads too slowly");
    let (code, reason) = deaf.close_frame();
    assert_eq!((code, &*reason), (1008, "the client reads too slowly"));
    let mut late = join(&server, "late");
    late.send_text(r#"{"type":"direct","to":"speaker","message":"still there?"}"#);
    while !speaker.text().contains("still there?") {}
}

#[test]
fn a_message_is_refused_by_its_announced_length() {
    let server = Server::echo(&["--max-message", "1000"]);
    let long = |length: u64| [&[0x82, 0xff], &length.to_be_bytes()[..], &[0; 4]].concat();
    let heads = [
        [&[0x82, 0xfe], &1001_u16.to_be_bytes()[..], &[0; 4]].concat(),
        long(1 << 40),
        long(u64::MAX >> 1),
    ];
    for head in heads {
        let mut hand = Hand::to(&server);
        assert_eq!(hand.handshake("/", &[]).0, 101);
        // No byte of it follows.
        hand.write(&head);
        assert_eq!(hand.close_frame().0, 1009, "{head:?}");
    }
    let mut parts = Hand::to(&server);
    assert_eq!(parts.handshake("/", &[]).0, 101);
    parts.send_frame(0x01, &[b'x'; 600]);
    parts.send_frame(0x80, &[b'x'; 600]);
    assert_eq!(parts.close_frame().0, 1009);
    is_alive(&server);
}

#[test]
fn what_is_inflated_counts() {
    let server = Server::echo(&["--max-message", "100000"]);
    let mut hand = Hand::to(&server);
    let offer = "Sec-WebSocket-Extensions: permessage-deflate";
    let (status, head) = hand.handshake("/", &[offer]);
    assert_eq!(status, 101);
    assert!(head.contains("permessage-deflate"), "{head}");
    // A hundred million zeros in a hundred kilobytes, by another's compressor (RFC 7692 7.2.1).
    let script = "import sys,zlib;c=zlib.compressobj(9,zlib.DEFLATED,-15);\
                  d=b''.join(c.compress(bytes(10**6)) for _ in range(100));\
                  d+=c.flush(zlib.Z_SYNC_FLUSH);print(d[:-4].hex())";
    let bomb = Program::system("python3")
        .args(["-c", script])
        .finish("")
        .with_code(0)
        .out();
    let bytes = bomb.trim().as_bytes().chunks(2);
    let bytes =
        bytes.map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hex"));
    let before = server.process.memory().resident;
    hand.send_frame(0xc2, &bytes.collect::<Vec<_>>());
    assert_eq!(hand.close_frame().0, 1009);
    let after = server.process.memory().resident;
    assert!(after < before + 20_000_000, "{before} {after}");
    is_alive(&server);
}

#[test]
fn names_of_rooms_and_users_are_only_names() {
    let server = Server::talk("examples/chat.talk", &[]);
    let join = |user: &str, room: &str| {
        let mut hand = Hand::to(&server);
        let path = format!("/chat?user={user}");
        assert_eq!(hand.handshake(&path, &[]).0, 101);
        assert!(hand.text().contains("Welcome"));
        hand.send_text(&format!(r#"{{"type":"join","room":"{room}"}}"#));
        assert!(hand.text().contains(r#""type":"history""#));
        assert!(hand.text().contains("user_joined"));
        hand
    };
    let mut star = join("*", "*");
    let mut ada = join("ada", "lobby");
    star.send_text(r#"{"type":"message","room":"*","message":"to all?"}"#);
    assert!(star.text().contains("to all?"), "it is in that room itself");
    star.send_text(r#"{"type":"direct","to":"*","message":"to all users?"}"#);
    assert!(
        star.text().contains("to all users?"),
        "it is that user itself"
    );
    for room in ["lob*", "lobby/../lobby", "#", ">", "lobby "] {
        let message = format!(r#"{{"type":"message","room":"{room}","message":"no"}}"#);
        star.send_text(&message);
        assert!(star.text().contains("not in that room"), "{room}");
    }
    // Nothing of all that came to her: the next thing that does is her own.
    ada.send_text(r#"{"type":"message","room":"lobby","message":"mine"}"#);
    assert!(ada.text().contains("mine"));
}

#[test]
fn a_client_is_in_so_many_rooms_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let talk = folder.path().join("rooms.talk");
    let text = "listen ws://127.0.0.1:0/\n\non > join {{room:/r[0-9]+/}}\n  join {{room}}\non > ping\n  < pong\n";
    std::fs::write(&talk, text).expect("it is written");
    let mut server = Server::talk(&talk, &[]);
    let mut hand = Hand::to(&server);
    assert_eq!(hand.handshake("/", &[]).0, 101);
    for room in 0..4_200 {
        hand.send_text(&format!("join r{room}"));
    }
    hand.send_text("ping");
    assert_eq!(hand.text(), "pong", "it is told of in the log, and stays");
    server
        .process
        .expect("the client is in 4096 rooms already, which is the most");
}

/// On the way to a million: past the limit nothing more is kept, so that what holds for some thousands holds for all.
#[test]
fn who_asks_for_very_many_rooms_takes_no_more_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let talk = folder.path().join("rooms.talk");
    let text = "listen ws://127.0.0.1:0/\n\non > join {{room:/r[0-9]+/}}\n  join {{room}}\non >any\n  <echo\n";
    std::fs::write(&talk, text).expect("it is written");
    let server = Server::talk(&talk, &["-q"]);
    let mut hand = Hand::to(&server);
    assert_eq!(hand.handshake("/", &[]).0, 101);
    // Names of a thousand characters: the rooms that it gets are four megabytes of them.
    let mut ask = |from: u32, to: u32| {
        for room in from..to {
            hand.send_text(&format!("join r{room:01000}"));
        }
        hand.send_text("done");
        assert_eq!(hand.text(), "done");
    };
    ask(0, 5_000);
    let full = server.process.memory().resident;
    ask(5_000, 20_000);
    let after = server.process.memory().resident;
    // Without a limit, they would be 15 MB of names alone, twice over.
    assert!(after < full + 12_000_000, "{full} {after}");
    is_alive(&server);
}

#[test]
fn there_are_no_files_to_reach_by_a_path() {
    let server = Server::echo(&[]);
    for path in [
        "/../../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/\\..\\..\\etc\\passwd",
        "file:///etc/passwd",
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = Hand::to(&server).answer_to(head.as_bytes());
        let first = answer.lines().next().unwrap_or_default();
        assert!(
            matches!(first, "HTTP/1.1 426 Upgrade Required" | BAD),
            "{path}: {answer}"
        );
        assert!(!answer.contains("root:"), "{answer}");
    }
}
