//! Who is let in and who is not: `examples/guarded.talk` with all that guards it on, and what its options do one by one.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wiretalk_interop::{Hand, Process, Program, Server, Signal, Stream, certificate};

const SECRET: &str = "a secret of thirty-two bytes or more";
const ORIGIN: &str = "Origin: https://chat.example";

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("it is not 1969").as_secs()
}

fn token(kind: &str, key: &str, claims: &str) -> String {
    let made = Program::peer("bearer.py")
        .args([kind, key, claims])
        .finish("");
    made.with_code(0).out().trim().to_owned()
}

/// Claims of a token that is fine, with these changes in front.
fn claims(changed: &str) -> String {
    let fine = r#""sub":"ada","iss":"https://login.example""#;
    format!("{{{changed},{fine}}}")
}

fn fine(seconds: u64) -> String {
    claims(&format!(r#""aud":"chat","exp":{}"#, now() + seconds))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn guarded(arguments: &[&str]) -> Server {
    let program = Program::wiretalk()
        .args([
            "serve",
            "examples/guarded.talk",
            "--config",
            "examples/guarded.toml",
        ])
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments)
        .env("GUARDED_SECRET", SECRET);
    Server::start(program)
}

/// The status with which a handshake is answered.
fn status(server: &Server, lines: &[&str]) -> u16 {
    Hand::to(server).handshake("/chat", lines).0
}

#[test]
fn the_guarded_example_lets_in_who_has_a_token_and_tells_who_it_is() {
    let server = guarded(&[]);
    let token = token("hs256", SECRET, &fine(60));
    for url in [
        server.url(),
        format!("{}?access_token={token}", server.url()),
    ] {
        let mut client = Program::wiretalk().args(["connect", &url]);
        if !url.contains('?') {
            client = client.args(["-H", &bearer(&token)]);
        }
        let client = client.args(["-x", r#"{"type":"say","text":"hi"}"#, "-n", "2"]);
        let said = client.finish("").with_code(0).out();
        let welcome = r#"{"type":"welcome","user":"ada"}"#;
        assert_eq!(
            said,
            format!("{welcome}\n{{\"type\":\"said\",\"user\":\"ada\",\"text\":\"hi\"}}\n")
        );
    }
    let mut hand = Hand::to(&server);
    assert_eq!(
        hand.handshake("/chat", &[ORIGIN, &bearer(&token)]).0,
        101,
        "a page that may"
    );
}

#[test]
fn the_guarded_example_refuses_in_each_way_with_its_status() {
    let mut server = guarded(&[]);
    let token = |claims: &str| bearer(&token("hs256", SECRET, claims));
    let fine = token(&fine(60));
    let evil = "Origin: https://evil.example";
    let expired = token(&claims(&format!(r#""aud":"chat","exp":{}"#, now() - 60)));
    let other = token(&claims(&format!(r#""aud":"shop","exp":{}"#, now() + 60)));
    let endless = token(&claims(r#""aud":"chat""#));
    let cases: [(&[&str], u16, &str); 6] = [
        (
            &[evil, &fine],
            403,
            "(origin): pages of `https://evil.example` may not connect",
        ),
        (&[], 401, "(token-missing): "),
        (&["Authorization: Basic YTpi"], 401, "(token-missing): "),
        (&[&expired], 401, "(token-expired): "),
        (
            &[&other],
            401,
            "(token-invalid): the token is not accepted: it is for another audience",
        ),
        (
            &[&endless],
            401,
            "(token-invalid): the token does not say when it ends",
        ),
    ];
    for (lines, expected, why) in cases {
        let (got, head) = Hand::to(&server).handshake("/chat", lines);
        assert_eq!(got, expected, "{why} {head}");
        assert_eq!(
            head.contains("www-authenticate: Bearer"),
            expected == 401,
            "{head}"
        );
        server.process.expect(why);
    }
    let mut denied = Hand::from("127.0.0.66", &server);
    assert_eq!(denied.handshake("/chat", &[&fine]).0, 403);
    server.process.expect("(address): 127.0.0.66 is denied");
}

#[test]
fn the_guarded_example_closes_who_costs_too_much() {
    let mut server = guarded(&[]);
    let token = bearer(&token("hs256", SECRET, &fine(60)));
    let say = |text: &str| format!(r#"{{"type":"say","text":"{text}"}}"#);
    let long = "x".repeat(1000);
    let cases: [(&str, Vec<String>, u16, &str); 4] = [
        ("size", vec![say(&long)], 1009, ""),
        (
            "schema",
            vec![r#"{"type":"shout","text":"hi"}"#.into()],
            1008,
            "`/type` breaks `/properties/type/const`",
        ),
        ("no JSON", vec!["hi".into()], 1008, "the message is no JSON"),
        (
            "rate",
            vec![say("hi"); 12],
            1008,
            "too many messages at once",
        ),
    ];
    for (name, messages, code, reason) in cases {
        let mut hand = Hand::to(&server);
        assert_eq!(hand.handshake("/chat", &[&token]).0, 101, "{name}");
        for message in messages {
            hand.send_text(&message);
        }
        let (got, why) = hand.close_frame();
        assert_eq!(got, code, "{name}: {why}");
        assert!(why.starts_with(reason), "{name}: {why}");
    }
    server.process.expect("(0 clients)");
}

#[test]
fn an_address_has_so_many_connections() {
    let server = guarded(&["--max-per-address", "2"]);
    let token = bearer(&token("hs256", SECRET, &fine(60)));
    let open = |source: &str| {
        let mut hand = Hand::from(source, &server);
        (hand.handshake("/chat", &[&token]), hand)
    };
    let ((first, _), one) = open("127.0.0.1");
    let ((second, _), _two) = open("127.0.0.1");
    let ((third, head), _) = open("127.0.0.1");
    assert_eq!((first, second, third), (101, 101, 429));
    assert!(head.contains("retry-after: 5"), "{head}");
    assert_eq!(open("127.0.0.2").0.0, 101, "another address");
    drop(one);
    // The server hears of it in its own time.
    let free = (0..500).any(|_| open("127.0.0.1").0.0 == 101);
    assert!(free, "the place is free again");
}

#[test]
fn a_token_that_ends_and_a_silence_end_the_connection() {
    let server = guarded(&["--idle-timeout", "0.2"]);
    let long = bearer(&token("hs256", SECRET, &fine(60)));
    let mut silent = Hand::to(&server);
    assert_eq!(silent.handshake("/chat", &[&long]).0, 101);
    assert_eq!(
        silent.close_frame(),
        (1001, "the client was silent for too long".into())
    );

    let server = guarded(&[]);
    // It is over, but for the ten seconds by which clocks may differ, of which seven are left.
    let ends = claims(&format!(r#""aud":"chat","exp":{}"#, now() - 3));
    let mut ending = Hand::to(&server);
    assert_eq!(
        ending
            .handshake("/chat", &[&bearer(&token("hs256", SECRET, &ends))])
            .0,
        101
    );
    assert_eq!(ending.close_frame(), (1008, "the token has expired".into()));
}

#[test]
fn a_page_can_read_why_it_is_refused() {
    let server = guarded(&["--refuse", "close"]);
    let mut hand = Hand::to(&server);
    let offers = "Sec-WebSocket-Protocol: chat.v2";
    let (status, head) = hand.handshake("/chat", &[offers]);
    assert_eq!(status, 101);
    assert!(
        head.contains("sec-websocket-protocol: chat.v2"),
        "a browser wants one: {head}"
    );
    assert_eq!(hand.close_frame(), (1008, "a token is needed".into()));
}

#[test]
fn a_token_may_come_in_a_subprotocol_or_in_the_first_message() {
    let server = Server::echo(&[
        "--token",
        "s3cret",
        "--token-from",
        "subprotocol",
        "--token-from",
        "message",
    ]);
    let mut hand = Hand::to(&server);
    let (status, head) = hand.handshake("/", &["Sec-WebSocket-Protocol: bearer, s3cret"]);
    assert_eq!(status, 101);
    assert!(
        head.contains("sec-websocket-protocol: bearer\r\n"),
        "{head}"
    );
    hand.send_text("hi");
    assert_eq!(hand.text(), "hi");

    for (first, code) in [
        ("s3cret", None),
        (r#"{"token":"s3cret"}"#, None),
        ("wrong", Some(1008)),
    ] {
        let mut hand = Hand::to(&server);
        assert_eq!(hand.handshake("/", &[]).0, 101);
        hand.send_text(first);
        hand.send_text("hi");
        match code {
            // The token itself is not sent back: it went no further.
            None => assert_eq!(hand.text(), "hi"),
            Some(code) => assert_eq!(hand.close_frame().0, code),
        }
    }
}

#[test]
fn nothing_of_a_talk_reaches_a_client_before_its_token() {
    let server = guarded(&["--token-from", "message", "--handshake-timeout", "0.3"]);
    let fine = token("hs256", SECRET, &fine(60));
    let mut hand = Hand::to(&server);
    assert_eq!(hand.handshake("/chat", &[]).0, 101);
    hand.send_text(&fine);
    assert_eq!(hand.text(), r#"{"type":"welcome","user":"ada"}"#);
    let mut nobody = Hand::to(&server);
    assert_eq!(nobody.handshake("/chat", &[]).0, 101);
    hand.send_text(r#"{"type":"say","text":"for clients only"}"#);
    assert!(hand.text().contains("for clients only"));
    assert_eq!(
        nobody.close_frame(),
        (1008, "a token is needed".into()),
        "and nothing before it"
    );
}

/// A server of one document, by Python.
fn document_server(folder: &Path) -> (Process, String) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.expect("a port").port().to_string();
    let folder = folder.to_str().expect("its name is UTF-8");
    let mut process = Program::system("python3")
        .args([
            "-u",
            "-m",
            "http.server",
            &port,
            "--bind",
            "127.0.0.1",
            "--directory",
            folder,
        ])
        .start();
    process.expect("Serving HTTP on");
    (process, format!("http://127.0.0.1:{port}/keys.json"))
}

#[test]
fn keys_at_a_url_are_fetched_and_rotated() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = |file: &str| {
        folder
            .path()
            .join(file)
            .to_str()
            .expect("its name is UTF-8")
            .to_owned()
    };
    let openssl = |arguments: &[&str]| {
        Program::system("openssl")
            .args(arguments)
            .finish("")
            .with_code(0)
            .out()
    };
    let pair = |id: &str| {
        let key = name(&format!("{id}.pem"));
        let _ = openssl(&[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
            &key,
        ]);
        let modulus = openssl(&["rsa", "-in", &key, "-noout", "-modulus"]);
        let modulus = modulus.trim().trim_start_matches("Modulus=").to_owned();
        let script = "import sys,base64;print(base64.urlsafe_b64encode(bytes.fromhex(sys.argv[1])).rstrip(b'=').decode())";
        let n = Program::system("python3")
            .args(["-c", script, &modulus])
            .finish("")
            .with_code(0)
            .out();
        let jwk = format!(
            r#"{{"kty":"RSA","kid":"{id}","alg":"RS256","use":"sig","e":"AQAB","n":"{}"}}"#,
            n.trim()
        );
        (key, jwk)
    };
    let publish = |jwk: &str| {
        fs::write(name("keys.json"), format!(r#"{{"keys":[{jwk}]}}"#)).expect("it is written");
    };
    let ((old, old_jwk), (new, new_jwk)) = (pair("old"), pair("new"));
    publish(&old_jwk);
    let (_documents, url) = document_server(folder.path());
    let server = Server::echo(&["--jwks", &url]);
    let by = |key: &str, id: &str| {
        let claims = format!(r#"{{"sub":"ada","exp":{}}}"#, now() + 60);
        let made = Program::peer("bearer.py")
            .args(["rs256", key, &claims, id])
            .finish("");
        bearer(made.with_code(0).out().trim())
    };
    let (by_old, by_new) = (by(&old, "old"), by(&new, "new"));
    let status = |line: &str| Hand::to(&server).handshake("/", &[line]).0;
    assert_eq!(status(&by_old), 101);
    assert_eq!(status(&by(&new, "old")), 401, "signed with another key");
    publish(&new_jwk);
    // Keys are asked for at most every five seconds.
    let begun = std::time::Instant::now();
    while status(&by_new) != 101 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the new key is never seen"
        );
    }
    assert_eq!(status(&by_old), 401, "the old key is gone");
}

#[test]
fn keys_that_are_not_to_be_had_let_nobody_in() {
    let server = Server::echo(&["--jwks", "http://127.0.0.1:1/keys.json"]);
    let made = token("hs256", SECRET, &fine(60));
    assert_eq!(status(&server, &[&bearer(&made)]), 503);
}

#[test]
fn countries_are_those_of_the_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("countries.mmdb");
    let database = file.to_str().expect("its name is UTF-8");
    let made = Program::peer("country.py").args([
        database,
        "127.0.0.0/30=DE",
        "127.0.0.8/32=FR",
        "127.0.0.16/28=NL",
    ]);
    let _ = made.finish("").with_code(0);
    let server = Server::echo(&[
        "--geo",
        database,
        "--geo-allow",
        "de",
        "--geo-allow",
        "NL",
        "--geo-deny",
        "NL",
    ]);
    for (address, expected) in [
        ("127.0.0.1", 101),
        ("127.0.0.8", 403),
        ("127.0.0.17", 403),
        ("127.0.0.99", 403),
    ] {
        let mut hand = Hand::from(address, &server);
        assert_eq!(hand.handshake("/", &[]).0, expected, "{address}");
    }
}

#[test]
fn only_trusted_proxies_say_where_clients_are() {
    let server = Server::echo(&["--deny", "192.0.2.0/24", "--trust-proxy", "127.0.0.1"]);
    let forwarded = "X-Forwarded-For: 192.0.2.7";
    assert_eq!(Hand::to(&server).handshake("/", &[forwarded]).0, 403);
    assert_eq!(
        Hand::to(&server)
            .handshake("/", &["X-Forwarded-For: 192.0.2.7, 198.51.100.1"])
            .0,
        101
    );
    assert_eq!(
        Hand::from("127.0.0.2", &server)
            .handshake("/", &[forwarded])
            .0,
        101,
        "it may say what it likes"
    );

    let mut server = Server::echo(&[
        "--proxy-protocol",
        "--deny",
        "192.0.2.0/24",
        "--trust-proxy",
        "127.0.0.1",
    ]);
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.7 127.0.0.1 5 6\r\n", 403),
        ("PROXY TCP4 198.51.100.9 127.0.0.1 5 6\r\n", 101),
    ] {
        let mut hand = Hand::to(&server);
        hand.write(line.as_bytes());
        assert_eq!(hand.handshake("/", &[]).0, expected, "{line}");
    }
    server.process.expect("from 198.51.100.9:5 to /");
    assert_eq!(
        Hand::from("127.0.0.2", &server).answer_to(b"PROXY TCP4 1.1.1.1 2.2.2.2 5 6\r\n"),
        ""
    );
    server
        .process
        .expect("only proxies that are trusted may connect");
}

#[test]
fn plain_http_is_sent_on_to_tls_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = certificate(folder.path());
    for (how, status, header) in [
        (
            "redirect",
            308,
            "location: https://chat.example:4443/chat?x=1\r\n",
        ),
        ("refuse", 426, "upgrade: TLS/1.2, HTTP/1.1\r\n"),
    ] {
        let only = format!("--tls-only={how}");
        let mut server = Server::echo(&["--cert", &cert, "--key", &key, &only]);
        let request =
            b"GET /chat?x=1 HTTP/1.1\r\nHost: chat.example:4443\r\nConnection: close\r\n\r\n";
        let answer = Hand::to(&server).answer_to(request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains(header), "{answer}");
        server.process.expect("(plain-http): ");
        let client = Program::wiretalk().args([
            "connect",
            &server.url(),
            "--ca",
            &cert,
            "-x",
            "hi",
            "-n",
            "1",
        ]);
        assert_eq!(client.finish("").with_code(0).out(), "hi\n");
    }
}

#[test]
fn a_certificate_is_read_anew_when_it_changes_and_on_sighup() {
    let [one, two, at] = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let (old, new) = (certificate(one.path()), certificate(two.path()));
    let (cert, key) = (at.path().join("cert.pem"), at.path().join("key.pem"));
    let put = |(from_cert, from_key): &(String, String)| {
        fs::copy(from_cert, &cert).expect("copied");
        fs::copy(from_key, &key).expect("copied");
    };
    put(&old);
    let names = [&cert, &key].map(|path| path.to_str().expect("its name is UTF-8"));
    let mut server = Server::echo(&["--cert", names[0], "--key", names[1]]);
    let believes = |ca: &str| {
        let client =
            Program::wiretalk().args(["connect", &server.url(), "--ca", ca, "-x", "hi", "-n", "1"]);
        client.finish("").out() == "hi\n"
    };
    assert!(believes(&old.0) && !believes(&new.0));
    put(&new);
    server.process.expect("reloaded");
    let believes = |ca: &str| {
        let client =
            Program::wiretalk().args(["connect", &server.url(), "--ca", ca, "-x", "hi", "-n", "1"]);
        client.finish("").out() == "hi\n"
    };
    assert!(believes(&new.0) && !believes(&old.0));
    server.process.signal(Signal::HUP);
    server.process.expect("reloaded");
    fs::write(&cert, "no certificate").expect("it is written");
    server.process.expect("not reloaded");
}

#[test]
fn a_certificate_for_development_is_made_once_and_believed_by_its_pin() {
    let state = tempfile::tempdir().expect("a folder");
    let start = || {
        let program = Program::wiretalk()
            .args(["serve", "--echo", "--listen", "127.0.0.1:0", "--tls-dev"])
            .env("XDG_STATE_HOME", state.path());
        let mut server = Server::start(program);
        let pin = server.process.expect("--pin ");
        let pin = pin.trim_end_matches(" …").to_owned();
        let client = Program::wiretalk().args([
            "connect",
            &server.url(),
            "-k",
            "--pin",
            &pin,
            "-x",
            "hi",
            "-n",
            "1",
        ]);
        assert_eq!(client.finish("").with_code(0).out(), "hi\n");
        let ca = state.path().join("wiretalk/dev-cert.pem");
        let client = Program::wiretalk()
            .args(["connect", &server.url(), "-x", "hi", "-n", "1", "--ca"])
            .arg(&ca);
        assert_eq!(client.finish("").with_code(0).out(), "hi\n");
        pin
    };
    assert_eq!(start(), start(), "it is kept");
    use std::os::unix::fs::PermissionsExt;
    let key = fs::metadata(state.path().join("wiretalk/dev-key.pem")).expect("it is there");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_of_options_says_where_it_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("serve.toml");
    let config = file.to_str().expect("its name is UTF-8");
    let cases = [
        (
            "orgin = 'x'",
            "serve.toml:1:1: there is no option `orgin`: `origin`, perhaps?",
        ),
        (
            "# fine\n[security]\nrate = 5",
            "serve.toml:2:2: `[security]` is no option: keys stand at the top, without sections",
        ),
        (
            "token = 's'\nmax-clients = [1, 2]",
            "serve.toml:2:15: `max-clients` has one value, not a list",
        ),
        (
            "proxy-protocol = 'yes'",
            "serve.toml:1:18: `proxy-protocol` is `true` or `false`",
        ),
        ("rate = ", "serve.toml:1:"),
        ("rate = 'fast'", "write a rate such as `10/s`"),
        (
            "jwt-secret = 'examples/guarded.schema.jsn'",
            "--jwt-secret: cannot read",
        ),
        ("tls-only = true", "--tls-only: there is no TLS"),
    ];
    for (text, why) in cases {
        fs::write(&file, text).expect("it is written");
        let served = Program::wiretalk().args([
            "serve",
            "--echo",
            "--listen",
            "127.0.0.1:0",
            "--config",
            config,
        ]);
        let served = served.finish("").with_code(2);
        assert!(served.err().contains(why), "{text}: {}", served.err());
    }
    fs::write(
        &file,
        "token = 'from the file'\nquiet = false\nmax-message = 5",
    )
    .expect("it is written");
    let server = Server::echo(&["--config", config, "--token", "s3cret"]);
    let mut hand = Hand::to(&server);
    assert_eq!(
        hand.handshake("/", &["Authorization: Bearer s3cret"]).0,
        101
    );
    hand.send_text("too long");
    assert_eq!(hand.close_frame().0, 1009);
    assert_eq!(
        status(&server, &["Authorization: Bearer from the file"]),
        401,
        "the command line wins"
    );
}

#[test]
fn a_certificate_that_has_expired_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = certificate(folder.path());
    let name = |file: &str| folder.path().join(file).to_str().map(str::to_owned);
    let (request, old) = (name("request.pem"), name("old.pem"));
    let (request, old) = (request.expect("it is UTF-8"), old.expect("it is UTF-8"));
    let extensions = name("openssl.cnf").expect("it is UTF-8");
    let openssl = |args: &[&str]| {
        let _ = Program::system("openssl")
            .args(args)
            .finish("")
            .with_code(0);
    };
    openssl(&[
        "x509",
        "-x509toreq",
        "-in",
        &cert,
        "-signkey",
        &key,
        "-out",
        &request,
    ]);
    // Good for no day: it ends with the second in which it begins.
    openssl(&[
        "x509",
        "-req",
        "-in",
        &request,
        "-signkey",
        &key,
        "-days",
        "0",
        "-extfile",
        &extensions,
        "-extensions",
        "what",
        "-out",
        &old,
    ]);
    let server = Server::echo(&["--cert", &cert, "--key", &key]);
    assert!(!server.process.output(Stream::Err).contains("expired"));
    // Until that second is over it is good.
    let start = std::time::Instant::now();
    loop {
        let server = Server::echo(&["--cert", &old, "--key", &key]);
        let told = server.process.output(Stream::Err);
        if told.contains("it has expired, on 20") {
            break;
        }
        assert!(start.elapsed().as_secs() < 10, "{told}");
    }
}
