//! `wiretalk serve`: the echo, the log, and the end.

use wiretalk_interop::{Program, Server, Signal, Stream};

const CLIENTS: [&str; 2] = ["client.py", "client.mjs"];

#[test]
fn the_echo_sends_back_text_binary_and_pings() {
    let mut server = Server::echo(&["-v"]);
    for client in CLIENTS {
        let mut client = Program::peer(client).arg(server.url()).start();
        client.expect("open");
        for text in ["hi", "", "你好 🎈"] {
            client.say(text);
            assert_eq!(client.expect("recv: "), text);
        }
        let long = "x".repeat(70_000);
        client.say(&long);
        assert_eq!(client.expect("recv: "), long);
        client.say("/hex 00ff10");
        assert_eq!(client.expect("recv hex: "), "00ff10");
        client.say("/ping are you there");
        client.expect("pong");
        client.say("/close 4000 enough");
        assert!(client.expect("closed ").starts_with("4000"));
        assert_eq!(client.exit_code(), 0);
        server.process.expect(">hex 00 ff 10  (3 B)");
        let left = server.process.expect("left with ");
        assert!(left.starts_with("4000: enough after"), "{left}");
        assert!(left.ends_with("(0 clients)"), "{left}");
    }
}

#[test]
fn the_log_shows_what_nobody_answers() {
    let mut modes = Server::talk("examples/modes.talk", &["-v"]);
    let mut counted = Server::talk("tests/interop/talks/counted.talk", &["-v"]);
    for client in CLIENTS {
        let mut ignored = Program::peer(client).arg(modes.url()).start();
        ignored.say("please ignore me");
        assert_eq!(modes.process.expect("> please ignore me"), "  (16 B)");

        let mut unmatched = Program::peer(client).arg(counted.url()).start();
        unmatched.say("what is this");
        counted.process.expect("> what is this");
        let why = counted.process.expect("unmatched: ");
        assert!(
            why.contains("nearest is tests/interop/talks/counted.talk:"),
            "{why}"
        );
        assert!(
            why.ends_with("it expects `count`, and `what is this` came"),
            "{why}"
        );
    }
    // Without -v, what the talk has no line for is still told.
    let mut quiet = Server::talk("tests/interop/talks/counted.talk", &[]);
    let mut client = Program::peer("client.py").arg(quiet.url()).start();
    client.say("what is this");
    quiet.process.expect("unmatched: ");
    assert!(!quiet.process.output(Stream::Out).contains("(12 B)"));
}

#[test]
fn at_its_end_it_tells_its_clients() {
    for signal in [Signal::INT, Signal::TERM] {
        for mut server in [Server::echo(&[]), Server::talk("examples/modes.talk", &[])] {
            let mut clients = CLIENTS.map(|client| {
                let mut client = Program::peer(client).arg(server.url()).start();
                client.expect("open");
                client
            });
            server.process.expect("(2 clients)");
            server.process.signal(signal);
            for client in &mut clients {
                assert!(client.expect("closed ").starts_with("1001"));
            }
            assert_eq!(server.process.exit_code(), 0);
            let log = server.process.output(Stream::Out);
            assert_eq!(log.matches("left with 1001").count(), 2, "{log}");
        }
    }
}

#[test]
fn it_says_how_to_join() {
    let mut server = Server::talk("examples/echo-close.talk", &[]);
    let url = server.url();
    assert_eq!(
        server.process.expect("join it with: "),
        format!("wiretalk connect {url}")
    );
    assert_eq!(server.process.expect("in a browser: "), server.http());
}

#[test]
fn what_is_served_at_several_addresses_is_one() {
    let mut server = Server::talk("examples/live.talk", &["--listen", "127.0.0.2:0"]);
    let second = server.process.expect("listening on ");
    let (second, name) = second.split_once(' ').expect("a URL and a name");
    assert!(second.starts_with("ws://127.0.0.2:"), "{second}");
    assert!(second.ends_with("/live"), "{second}");
    assert_eq!(name, "(examples/live.talk)");
    let first = server.url();
    let mut clients = [first.as_str(), second].map(|url| {
        let mut client = Program::peer("client.py").arg(url).start();
        client.expect("open");
        client.say(r#"{"type":"subscribe","topic":"t"}"#);
        client.say("nothing");
        client.expect("error");
        client
    });
    for n in 0..2 {
        let message = format!(r#"{{"type":"publish","topic":"t","data":{n}}}"#);
        clients[n].say(&message);
        for client in &mut clients {
            client.expect(&format!(r#""data":{n}"#));
        }
    }
    server.process.signal(Signal::TERM);
    for client in &mut clients {
        assert!(client.expect("closed ").starts_with("1001"));
    }
    assert_eq!(server.process.exit_code(), 0);
}

#[test]
fn several_addresses_may_stand_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("echo.toml");
    let text = r#"listen = ["127.0.0.1:0", "ws://127.0.0.2:0"]"#;
    std::fs::write(&file, text).expect("it is written");
    let program = Program::wiretalk().args(["serve", "--echo", "--config"]);
    let mut server = Server::start(program.arg(&file));
    let second = server.process.expect("listening on ");
    let second = second.split(' ').next().expect("a URL").to_owned();
    for url in [server.url(), second] {
        let said = Program::wiretalk().args(["connect", &url, "-x", "hello", "-n", "1"]);
        let said = said.finish("").with_code(0);
        assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "hello");
    }
    let wrong = ["serve", "--echo", "-l", "127.0.0.1:0", "-l", "nowhere"];
    Program::wiretalk().args(wrong).finish("").with_code(2);
}

#[test]
fn a_message_over_the_limit_is_refused_with_1009() {
    for mut server in [
        Server::echo(&["--max-message", "1000"]),
        Server::talk("examples/modes.talk", &["--max-message", "1000"]),
    ] {
        for client in CLIENTS {
            let mut client = Program::peer(client).arg(server.url()).start();
            client.expect("open");
            client.say(&"x".repeat(1000));
            client.expect("recv: x");
            client.say(&"x".repeat(1001));
            assert!(client.expect("closed ").starts_with("1009"));
            assert!(server.process.expect("left with ").contains("1001"));
        }
    }
}

#[test]
fn the_log_keeps_secrets_and_is_not_commanded_by_peers() {
    let mut server = Server::echo(&["-v"]);
    let url = format!("{}/?token=hunter2", server.origin);
    let _ = Program::wiretalk()
        .args(["connect", &url, "-x", "\u{1b}[31mRED", "-n", "1"])
        .finish("")
        .with_code(0);
    assert!(server.process.expect("/?token=").starts_with('…'));
    server.process.expect("\\u{1b}[31mRED");
    server.process.expect("left with ");
    let log = server.process.output(Stream::Out);
    assert!(!log.contains("hunter2") && !log.contains('\u{1b}'), "{log}");
}
