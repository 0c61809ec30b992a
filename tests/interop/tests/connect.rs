//! `wiretalk connect`: what goes in, what comes out, and how it ends.

use std::fs;
use std::path::Path;

use wiretalk_interop::{Finished, Process, Program, Server, Signal, Stream, certificate};

fn connect(server: &Server, arguments: &[&str], input: impl Into<Vec<u8>>) -> Finished {
    Program::wiretalk()
        .args(["connect", &server.url()])
        .args(arguments)
        .finish(input)
}

#[test]
fn a_pipe_loses_nothing() {
    let server = Server::echo(&[]);
    let lines: Vec<String> = (0..100_000)
        .map(|number| format!("line {number}: {}", "你好 ".repeat(number % 7)))
        .collect();
    let mut expected = lines.join("\n").into_bytes();
    // The last line has no line feed, and is a message all the same.
    let came = connect(&server, &[], expected.clone()).with_code(0);
    expected.push(b'\n');
    let first = came.stdout.iter().zip(&expected).position(|(a, b)| a != b);
    assert_eq!(first, None, "the first byte that differs");
    assert_eq!(came.stdout.len(), expected.len());
}

#[test]
fn a_pipe_loses_nothing_when_it_closes_at_once() {
    // What the server takes before our close frame it answers before its own. (Python's `websockets` answers nothing
    // any more once it has seen the close frame, so this is for servers that do.)
    let server = Server::echo(&[]);
    let lines = "a line\n".repeat(2000);
    let came = connect(&server, &["-w", "0"], lines.clone()).with_code(0);
    assert_eq!(came.out().lines().count(), 2000);
    assert_eq!(came.out(), lines);
}

#[test]
fn long_lines_and_empty_ones() {
    for server in [Server::echo(&[]), Server::peer("server.py", &["echo"])] {
        let long = format!("{}\n", "0123456789abcdef".repeat(10 * 1024 * 1024 / 16));
        let came = connect(&server, &["-n", "1"], long.clone()).with_code(0);
        assert!(
            came.stdout == long.as_bytes(),
            "{} bytes came",
            came.stdout.len()
        );
        let came = connect(&server, &["-n", "4"], "\n\nx\r\n\n").with_code(0);
        assert_eq!(came.out(), "\n\nx\n\n");
        let nothing = connect(&server, &["-w", "0.1"], "").with_code(0);
        assert_eq!(nothing.out(), "");
    }
}

#[test]
fn a_message_of_several_lines_is_printed_as_it_is() {
    let server = Server::peer("server.py", &["newline"]);
    let came = connect(&server, &["-n", "2"], "a\nb\n").with_code(0);
    assert_eq!(came.out(), "first\nsecond\nfirst\nsecond\n");
}

#[test]
fn an_answer_that_takes_its_time_is_waited_for() {
    let server = Server::peer("server.py", &["later", "--delay", "0.3"]);
    let came = connect(&server, &[], "one\ntwo").with_code(0);
    assert_eq!(came.out(), "one\ntwo\n");
}

#[test]
fn so_many_messages_and_no_more() {
    let mut server = Server::talk("examples/modes.talk", &[]);
    let came = connect(&server, &["-x", "double", "-n", "1"], "not read\n").with_code(0);
    assert_eq!(came.out(), "double #1\n");
    let came = connect(&server, &["-x", "a", "-x", "b", "-n", "2"], "not read\n").with_code(0);
    assert_eq!(came.out(), "a\nb\n");
    for _ in 0..2 {
        assert!(server.process.expect("left with ").starts_with("1000"));
    }
}

#[test]
fn nothing_is_waited_for_if_so_wished() {
    let mut server = Server::talk("examples/modes.talk", &["-v"]);
    let came = connect(&server, &["-w", "0", "-x", "please ignore"], "").with_code(0);
    assert_eq!(came.out(), "");
    server.process.expect("> please ignore");
    assert!(server.process.expect("left with ").starts_with("1000"));
}

#[test]
fn binary_messages() {
    let mut server = Server::echo(&["-v"]);
    let came = connect(&server, &["-b", "-n", "1"], "abc\n").with_code(0);
    assert_eq!(came.out(), "abc\n");
    server.process.expect(">hex 61 62 63");
}

#[test]
fn headers_origin_and_subprotocol() {
    let mut server = Server::talk("tests/interop/talks/headers.talk", &[]);
    let arguments = [
        "-H",
        "X-Token: a: b",
        "-o",
        "https://app.example",
        "-s",
        "other,superchat",
        "-x",
        "hi",
        "-n",
        "1",
    ];
    let came = connect(&server, &arguments, "").with_code(0);
    assert_eq!(came.out(), "token a: b\norigin https://app.example\n");
    let _ = came.saying(&["(subprotocol superchat)"]);
    server.process.expect("subprotocol superchat");

    let others = Server::peer("server.py", &["echo", "--subprotocol", "chat"]);
    let agreed = connect(&others, &["-s", "chat", "-x", "hi", "-n", "1"], "").with_code(0);
    let _ = agreed.saying(&["(subprotocol chat)"]);
}

#[test]
fn a_subprotocol_that_the_server_does_not_know() {
    let server = Server::talk("tests/interop/talks/headers.talk", &[]);
    let mut offered = Program::wiretalk()
        .args(["connect", &server.url(), "-s", "other"])
        .start();
    // RFC 6455 4.2.2 leaves it to the server, and ours goes on without one; what the client is told must be true.
    assert!(
        !offered
            .expect_on(Stream::Err, "connected to ")
            .contains("subprotocol")
    );
}

#[test]
fn tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = certificate(folder.path());
    let mut server = Server::echo(&["--cert", &cert, "--key", &key]);
    assert!(server.url().starts_with("wss://"), "{}", server.url());
    let hi = ["-x", "hi", "-n", "1"];
    let refused = connect(&server, &hi, "").with_code(4);
    let _ = refused.saying(&["certificate"]);
    let came = connect(&server, &[&["-k"], &hi[..]].concat(), "").with_code(0);
    assert_eq!(came.out(), "hi\n");
    let came = connect(&server, &[&["--ca", &cert], &hi[..]].concat(), "").with_code(0);
    assert_eq!(came.out(), "hi\n");
    server.process.expect("connected");

    // Plain text to a port that speaks TLS, and TLS to one that does not.
    let plain = server.url().replacen("wss", "ws", 1);
    let finished = Program::wiretalk().args(["connect", &plain]).finish("");
    let _ = finished
        .with_code(5)
        .saying(&["answered in TLS, not in HTTP"]);
    let other = Server::echo(&[]);
    let secure = other.url().replacen("ws", "wss", 1);
    let _ = Program::wiretalk()
        .args(["connect", &secure])
        .finish("")
        .with_code(4)
        .saying(&["TLS"]);
}

#[test]
fn who_reads_no_further_ends_it_quietly() {
    let server = Server::echo(&[]);
    let script =
        r#"yes | "$WIRETALK_BIN" connect "$1" -q | head -n 1; echo "exit ${PIPESTATUS[1]}""#;
    let piped = Program::system("bash")
        .args(["-c", script, "bash", &server.url()])
        .finish("")
        .with_code(0);
    assert_eq!(piped.out(), "y\nexit 0\n");
    assert_eq!(piped.err(), "");
}

#[test]
fn an_end_that_is_not_normal_has_an_exit_code_of_its_own() {
    let server = Server::peer("server.py", &["error"]);
    let _ = connect(&server, &["-x", "hi"], "")
        .with_code(6)
        .saying(&["1011", "out of order"]);

    let mut server = Server::peer("server.py", &["echo"]);
    let mut client = Program::wiretalk().args(["connect", &server.url()]).start();
    client.say("hi");
    client.expect("hi");
    server.process.signal(Signal::KILL);
    assert_eq!(client.exit_code(), 6);
    let said = client.output(Stream::Err);
    assert!(said.contains("error: "), "{said}");
}

#[test]
fn going_away_is_no_mistake() {
    let mut server = Server::echo(&[]);
    let mut client = Program::wiretalk().args(["connect", &server.url()]).start();
    client.expect_on(Stream::Err, "connected to ");
    server.process.signal(Signal::INT);
    client.expect_on(Stream::Err, "closed with 1001");
    assert_eq!(client.exit_code(), 0);
}

#[test]
fn ctrl_c_closes() {
    let mut server = Server::echo(&[]);
    let mut client = Program::wiretalk().args(["connect", &server.url()]).start();
    client.expect_on(Stream::Err, "connected to ");
    client.signal(Signal::INT);
    assert_eq!(client.exit_code(), 130);
    assert!(server.process.expect("left with ").starts_with("1000"));
}

/// `wiretalk connect` on a terminal. Its history goes into the folder.
fn on_terminal(server: &Server, folder: &Path, no_color: bool) -> Process {
    let binary = std::env::var_os("WIRETALK_BIN").expect("it is set for all these tests");
    let terminal = Program::peer("terminal.py")
        .arg(binary)
        .args(["connect", &server.url()])
        .env("TERM", "xterm")
        .env("XDG_STATE_HOME", folder);
    let terminal = if no_color {
        terminal.env("NO_COLOR", "1")
    } else {
        terminal.without_env("NO_COLOR")
    };
    terminal.start()
}

#[test]
fn somebody_types() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::echo(&[]);
    for no_color in [false, true] {
        let mut terminal = on_terminal(&server, folder.path(), no_color);
        terminal.expect("connected to ");
        terminal.say("hello");
        let row = terminal.expect("  < hello");
        assert!(row.trim_end().ends_with("5 B"), "{row}");
        terminal.say("你好");
        assert!(terminal.expect("  < 你好").trim_end().ends_with("6 B"));
        let shown = terminal.output(Stream::Out);
        let row = shown.lines().find(|line| line.contains("  < hello"));
        let time = row.and_then(|row| row.split("  < ").next());
        let time = time.and_then(|time| time.get(time.len().saturating_sub(12)..));
        let digits: Option<String> = time.map(|time| {
            let digit = |c: char| if c.is_ascii_digit() { '9' } else { c };
            time.chars().map(digit).collect()
        });
        assert_eq!(digits.as_deref(), Some("99:99:99.999"), "{shown}");
        terminal.say("/ctrl D");
        terminal.expect("closed with 1000");
        let colours = if no_color { "no" } else { "yes" };
        assert_eq!(terminal.expect("colours: "), colours);
        assert_eq!(terminal.expect("exit "), "0");
        assert!(server.process.expect("left with ").starts_with("1000"));
    }
    let history = fs::read_to_string(folder.path().join("wiretalk/history")).expect("it is kept");
    assert!(
        history.contains("hello") && history.contains("你好"),
        "{history}"
    );
}

#[test]
fn no_colours_off_a_terminal() {
    let server = Server::echo(&[]);
    let came = connect(&server, &["-x", "hi", "-n", "1"], "").with_code(0);
    assert_eq!(came.out(), "hi\n");
    assert!(!came.err().contains('\x1b'), "{}", came.err());
    let always = connect(&server, &["-x", "hi", "-n", "1", "--color", "always"], "");
    let always = always.with_code(0);
    assert_eq!(always.out(), "hi\n", "a message stays what it is");
    assert!(always.err().contains('\x1b'), "{}", always.err());
}

#[test]
fn binary_lines_need_not_be_utf8() {
    let server = Server::echo(&[]);
    let came = connect(&server, &["-b", "-n", "1"], &b"\xff\x00\xfe\n"[..]).with_code(0);
    assert_eq!(came.stdout, b"\xff\x00\xfe\n");
    let refused = connect(&server, &[], &b"\xff\n"[..]).with_code(2);
    let _ = refused.saying(&["line 1 of the input is not UTF-8"]);
}
