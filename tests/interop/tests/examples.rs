//! Each example, played with programs of others. `examples/modes.talk` has a file of its own, `modes.rs`.

use std::time::{SystemTime, UNIX_EPOCH};

use wiretalk_interop::{Finished, Process, Program, Server, Stream};

const CLIENTS: [&str; 2] = ["client.py", "client.mjs"];

fn join(client: &str, server: &Server) -> Process {
    let mut process = Program::peer(client).arg(server.url()).start();
    process.expect("open");
    process
}

/// Says this, and gives the answer.
fn ask(client: &mut Process, text: &str) -> String {
    client.say(text);
    client.expect("recv: ")
}

fn test(talk: &str, server: &Server) -> Finished {
    let url = format!("url={}", server.url());
    Program::wiretalk()
        .args(["test", talk, "--set", &url])
        .finish("")
}

/// What the system says of the time, as `date` writes it.
fn date(format: &str) -> String {
    let date = Program::system("date").arg(format).finish("").with_code(0);
    date.out().trim_end().to_owned()
}

fn curl(arguments: &[&str]) -> String {
    let curl = Program::curl().args(arguments);
    curl.finish("").with_code(0).out()
}

#[test]
fn echo_json_answers_json_with_json() {
    let server = Server::talk("examples/echo-json.talk", &[]);
    for client in CLIENTS {
        let mut client = join(client, &server);
        for (sent, message) in [
            (r#"{"message":"hi"}"#, "hi"),
            (
                r#"{"more":[1,{}],"message":"a \"b\" 你好"}"#,
                r#"a \"b\" 你好"#,
            ),
            (r#"{"other":1}"#, ""),
            ("{}", ""),
            ("5", ""),
            ("[1,2]", ""),
            ("null", ""),
        ] {
            let reply = ask(&mut client, sent);
            let prefix = format!(r#"{{"type":"echo","message":"Received: {message}","timestamp":"#);
            let seconds = reply
                .strip_prefix(&prefix)
                .and_then(|rest| rest.strip_suffix('}'))
                .and_then(|seconds| seconds.parse::<f64>().ok())
                .unwrap_or_else(|| panic!("{sent} is answered by {reply}"));
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("it is not 1969");
            assert!((now.as_secs_f64() - seconds).abs() < 60.0, "{reply}");
        }
        for sent in ["not JSON", r#"{"message":"#, "{'message': 1}", ""] {
            assert_eq!(
                ask(&mut client, sent),
                r#"{"error":"Invalid JSON"}"#,
                "{sent}"
            );
        }
    }
}

#[test]
fn echo_close_answers_until_it_is_told_to_close() {
    let mut server = Server::talk("examples/echo-close.talk", &[]);
    assert!(server.url().ends_with("/ws"), "{}", server.url());
    for client in CLIENTS {
        let mut client = join(client, &server);
        for text in ["hi", "你好", "close?", r#"{"close": 1}"#] {
            assert_eq!(ask(&mut client, text), format!("Message text was: {text}"));
        }
        client.say("close");
        assert_eq!(client.expect("closed "), "1000");
        assert_eq!(client.exit_code(), 0);
        assert!(server.process.expect("left with ").starts_with("1000"));
    }
}

#[test]
fn politeness_turns_questions_into_statements() {
    let server = Server::talk("examples/politeness.talk", &[]);
    const FORMAT: &str = "+%Y.%m.%d %H:%M:%S";
    for client in CLIENTS {
        let mut client = join(client, &server);
        for (sent, polite) in [
            ("在吗?", "在!"),
            ("在吗？能听懂吗？", "在!能听懂!"),
            ("really? yes.", "really! yes."),
            ("吗 alone stays", "吗 alone stays"),
            ("no question", "no question"),
        ] {
            let before = date(FORMAT);
            let reply = ask(&mut client, sent);
            let after = date(FORMAT);
            let rest = reply
                .strip_prefix(r#"{"time":""#)
                .unwrap_or_else(|| panic!("{reply}"));
            let (time, rest) = rest.split_at("2026.01.02 03:04:05".len());
            assert!(
                *before <= *time && *time <= *after,
                "{time} is not between {before} and {after}"
            );
            assert_eq!(
                rest,
                format!(r#"","client_msg":"{sent}","server_msg":"{polite}"}}"#)
            );
        }
    }
}

#[test]
fn politeness_answers_a_plain_get_on_the_same_path() {
    let server = Server::talk("examples/politeness.talk", &[]);
    let reply = curl(&["--include", &server.http()]);
    let (head, body) = reply.split_once("\r\n\r\n").expect("head and body");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.to_lowercase()
            .contains("content-type: text/plain; charset=utf-8"),
        "{head}"
    );
    assert_eq!(
        body.trim_end(),
        "This is a WebSocket server: send it a question."
    );
    let mut client = join("client.py", &server);
    assert!(ask(&mut client, "ok?").contains(r#""server_msg":"ok!""#));
}

#[test]
fn echo_test_passes_against_echo_close_against_aiohttp_and_against_itself() {
    for server in [
        Server::talk("examples/echo-close.talk", &[]),
        Server::peer("echo_close.py", &["--mode", "right"]),
        Server::talk("examples/echo-test.talk", &[]),
    ] {
        let url = format!("url={}/ws", server.origin);
        let passed = Program::wiretalk()
            .args(["test", "examples/echo-test.talk", "--set", &url])
            .finish("")
            .with_code(0)
            .out();
        assert!(passed.contains("PASS echo-test"), "{passed}");
        assert!(passed.contains("1 passed, 0 failed"), "{passed}");
    }
}

#[test]
fn two_clients_passes_against_modes() {
    let server = Server::talk("examples/modes.talk", &[]);
    let passed = test("examples/two-clients.talk", &server)
        .with_code(0)
        .out();
    assert!(passed.contains("1 passed, 0 failed"), "{passed}");
}

#[test]
fn two_clients_fails_against_a_server_that_only_echoes() {
    let server = Server::echo(&[]);
    let failed = test("examples/two-clients.talk", &server)
        .with_code(1)
        .out();
    assert!(failed.contains("| all < hi from alice"), "{failed}");
    assert!(failed.contains("nothing, for "), "{failed}");
}

#[test]
fn refused_tests_itself_one_test_after_the_other() {
    let server = Server::talk("examples/refused.talk", &[]);
    let url = format!("url={}", server.url());
    for _ in 0..20 {
        let passed = Program::wiretalk()
            .args([
                "test",
                "examples/refused.talk",
                "--jobs",
                "1",
                "--set",
                &url,
            ])
            .finish("")
            .with_code(0)
            .out();
        assert!(passed.contains("4 passed, 0 failed"), "{passed}");
        let order: Vec<_> = passed
            .lines()
            .filter_map(|line| line.split_once("refused.talk:")?.1.split_once(')'))
            .map(|(line, _)| line)
            .collect();
        assert_eq!(order, ["24", "31", "38", "44"], "{passed}");
    }
}

#[test]
fn refused_is_seen_as_such_by_others() {
    const TOKEN: &str = "Authorization: Bearer s3cret";
    const APP: &str = "https://app.example";
    let mut server = Server::talk("examples/refused.talk", &[]);
    for (headers, origin, status) in [
        (&[][..], APP, "401"),
        (&["Authorization: Bearer guessed"], APP, "401"),
        (&[TOKEN], "https://evil.example", "403"),
    ] {
        let origin_header = format!("Origin: {origin}");
        let mut arguments = vec!["--output", "-", "--write-out", "%{http_code}"];
        for header in [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            &origin_header,
        ]
        .into_iter()
        .chain(headers.iter().copied())
        {
            arguments.extend(["--header", header]);
        }
        let url = server.http();
        arguments.push(&url);
        let reply = curl(&arguments);
        assert!(reply.ends_with(status), "{reply}");
        let body = if status == "401" {
            "A token is needed."
        } else {
            "This origin is not allowed."
        };
        assert!(reply.contains(body), "{reply}");
        server.process.expect("refused 127.0.0.1:");

        for client in CLIENTS {
            let mut arguments = vec![server.url(), "--origin".into(), origin.into()];
            for header in headers {
                arguments.extend(["--header".into(), (*header).to_owned()]);
            }
            let mut client = Program::peer(client).args(arguments).start();
            client.expect_on(Stream::Err, &format!("failed status {status}"));
            assert_eq!(client.exit_code(), 1);
        }
    }
    for client in CLIENTS {
        let mut welcome = Program::peer(client)
            .args([&server.url(), "--origin", APP, "--header", TOKEN])
            .start();
        welcome.expect("open");
        assert_eq!(ask(&mut welcome, "hello"), "welcome");
    }
}

#[test]
fn every_example_is_laid_out_and_without_a_mistake() {
    let examples: Vec<_> = std::fs::read_dir(wiretalk_interop::repository().join("examples"))
        .expect("there are examples")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "talk"))
        .collect();
    assert!(examples.len() >= 7, "{examples:?}");
    let checked = Program::wiretalk()
        .arg("check")
        .args(&examples)
        .finish("")
        .with_code(0);
    assert!(
        checked.out().contains("0 errors, 0 warnings"),
        "{checked:?}"
    );
    let laid_out = Program::wiretalk()
        .args(["fmt", "--check"])
        .args(&examples)
        .finish("");
    assert_eq!(laid_out.with_code(0).out(), "");
}
