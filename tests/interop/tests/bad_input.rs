//! Bad input, from files, from the command line and from servers: a clear sentence, the right exit code, no panic.

use std::fs;

use wiretalk_interop::{Finished, Program, Server, Signal};

fn wiretalk<const N: usize>(arguments: [&str; N]) -> Finished {
    Program::wiretalk().args(arguments).finish("")
}

#[test]
fn five_mistakes_are_reported_in_one_run() {
    let talk = "tests/interop/talks/five-mistakes.talk";
    for command in ["check", "test", "serve"] {
        let code = if command == "check" { 1 } else { 2 };
        let found = wiretalk([command, talk]).with_code(code).saying(&[
            "`uid`",
            "`frobnicate`",
            "`soon`",
            "`clsoe`",
            "did you mean `>close`?",
            "`a while`",
        ]);
        assert_eq!(found.err().matches("help: ").count(), 5, "{}", found.err());
        for line in 5..=9 {
            let place = format!("five-mistakes.talk:{line}:");
            assert!(found.err().contains(&place), "{place}: {}", found.err());
        }
    }
    assert!(wiretalk(["check", talk]).out().contains("5 errors"));
}

#[test]
fn a_talk_in_latin_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let talk = folder.path().join("latin.talk");
    fs::write(&talk, b"connect ws://127.0.0.1:1\n> gr\xfc\xdfe\n< gern\n").expect("it is written");
    let talk = talk.to_str().expect("its name is UTF-8");
    for command in ["check", "test", "serve", "fmt"] {
        let found = wiretalk([command, talk]).with_code(2);
        let _ = found.saying(&["is not UTF-8", "line 2, column 5", "0xfc", "iconv"]);
    }
}

#[test]
fn files_that_are_missing_or_no_files() {
    for command in ["check", "test", "serve", "fmt"] {
        let missing = wiretalk([command, "no-such.talk"]).with_code(2);
        let _ = missing.saying(&["cannot read `no-such.talk`", "there is no such file"]);
    }
    // `check` and `test` take what is in a folder.
    for command in ["serve", "fmt"] {
        let folder = wiretalk([command, "examples"]).with_code(2);
        let _ = folder.saying(&["`examples`"]);
    }
}

#[test]
fn arguments_that_cannot_be_used() {
    for (arguments, said) in [
        (&["serve"][..], "--echo"),
        (&["connect"], "<URL>"),
        (&["connect", "ftp://127.0.0.1"], "ftp"),
        (&["connect", "ws://"], "ws://"),
        (&["connect", "ws://127.0.0.1:99999"], "port"),
        (&["connect", "127.0.0.1:1", "-H", "no colon"], "Name: value"),
        (&["connect", "127.0.0.1:1", "-w", "soon"], "seconds"),
        (
            &["connect", "127.0.0.1:1", "--ca", "no-such.pem"],
            "no-such.pem",
        ),
        (
            &["test", "examples/echo-test.talk", "--set", "url"],
            "NAME=VALUE",
        ),
        (&["check", "--role", "king", "examples/modes.talk"], "mock"),
        (&["serve", "--echo", "--cert", "cert.pem"], "--key"),
        (&["serve", "--echo", "--message-timeout", "soon"], "seconds"),
        (
            &["connect", "127.0.0.1:1", "--no-compress"],
            "--no-compress",
        ),
        (
            &["serve", "examples/modes.talk", "--test", "nope"],
            "`nope`",
        ),
        (&["dance"], "dance"),
    ] {
        let finished = Program::wiretalk().args(arguments).finish("").with_code(2);
        let _ = finished.saying(&[said]);
    }
}

#[test]
fn a_port_in_use() {
    let server = Server::echo(&[]);
    let address = format!("127.0.0.1:{}", server.port());
    for what in ["--echo", "examples/modes.talk"] {
        let finished = wiretalk(["serve", what, "--listen", &address]).with_code(3);
        let _ = finished.saying(&[&address, "in use", "--listen 127.0.0.1:PORT"]);
    }
}

#[test]
fn an_unknown_host() {
    let url = "ws://nope.invalid:80/";
    let _ = wiretalk(["connect", url])
        .with_code(3)
        .saying(&["nope.invalid"]);
    let set = format!("url={url}");
    let tested = wiretalk([
        "test",
        "tests/interop/talks/expects-hello.talk",
        "--set",
        &set,
    ]);
    assert!(tested.with_code(1).out().contains("nope.invalid"));
}

#[test]
fn a_port_where_nobody_listens() {
    let mut server = Server::echo(&[]);
    server.process.signal(Signal::INT);
    assert_eq!(server.process.exit_code(), 0);
    let _ = wiretalk(["connect", &server.url()]).with_code(3).saying(&[
        "127.0.0.1:",
        server.port(),
        "refused",
    ]);
}

#[test]
fn servers_that_do_not_agree_to_a_web_socket() {
    for (mode, code, said) in [
        (
            "http200",
            5,
            &[
                "200 OK",
                "Content-Type: text/html",
                "<h1>Just a web page</h1>",
            ][..],
        ),
        ("badaccept", 5, &["Sec-WebSocket-Accept", "RFC 6455 4.1"]),
        ("hang", 3, &["did not answer", "500ms"]),
    ] {
        let server = Server::peer("misbehave.py", &[mode]);
        let url = server.url();
        let finished = wiretalk(["connect", &url, "--connect-timeout", "0.5"]);
        let finished = finished.with_code(code).saying(said);
        assert_eq!(finished.out(), "", "{mode}");
    }
}

#[test]
fn servers_that_break_the_protocol() {
    // What a failed test says of each is in `goldens/broken-*.out`.
    for (mode, code, said, answer) in [
        (
            "giant",
            7,
            &["3221225472 bytes", "the limit is"][..],
            "client closed 1009",
        ),
        ("cut", 6, &["in the middle of a frame"], "client gone"),
        (
            "utf8",
            7,
            &["not valid UTF-8 at byte 18"],
            "client closed 1007",
        ),
        ("masked", 7, &["masked"], "client closed 1002"),
        ("reset", 6, &["reset"], "client gone"),
    ] {
        let mut server = Server::peer("misbehave.py", &[mode]);
        let url = server.url();
        let mut client = Program::wiretalk().args(["connect", &url]).start();
        let code_came = client.exit_code();
        let err = client.output(wiretalk_interop::Stream::Err);
        assert_eq!(code_came, code, "{mode}: {err}");
        for part in said {
            assert!(err.contains(part), "{mode}: {part:?} is missing: {err}");
        }
        assert!(!err.contains("panicked"), "{err}");
        server.process.expect(answer);
    }
}

#[test]
fn numbers_that_mean_nothing_are_refused() {
    for (arguments, said) in [
        (&["connect", "127.0.0.1:1", "-w", "1e19"][..], "over a year"),
        (&["connect", "127.0.0.1:1", "-n", "0"], "0"),
        (
            &["serve", "--echo", "--ping-interval", "1e19"],
            "over a year",
        ),
        (&["serve", "--echo", "--listen", "nonsense"], "HOST:PORT"),
    ] {
        let refused = Program::wiretalk().args(arguments).finish("").with_code(2);
        let refused = refused.saying(&[said]);
        assert!(!refused.err().contains("another port"), "{}", refused.err());
    }
}

#[test]
fn names_with_a_meaning_cannot_be_given_from_outside() {
    for name in ["message", "client", "1st", "_"] {
        let talk = "examples/modes.talk";
        let set = format!("{name}=oops");
        let _ = wiretalk(["check", talk, "--set", &set]).with_code(2);
        let ignored = Program::wiretalk()
            .args(["check", talk])
            .env(&format!("WIRETALK_SET_{name}"), "oops")
            .finish("");
        let _ = ignored.with_code(0).saying(&["warning", name, "ignored"]);
    }
}

#[test]
fn of_a_thousand_mistakes_a_hundred_are_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let talk = folder.path().join("mistakes.talk");
    fs::write(&talk, "frobnicate 5\n".repeat(1000)).expect("it is written");
    let talk = talk.to_str().expect("its name is UTF-8");
    let found = wiretalk(["check", talk]).with_code(1);
    assert_eq!(found.err().matches("help: ").count(), 100);
    let all = found.out();
    let errors = all
        .split(' ')
        .filter_map(|word| word.parse::<usize>().ok())
        .find(|number| *number >= 1000);
    let errors = errors.expect("the number of all errors is told");
    let _ = found.saying(&[&format!("and {} more", errors - 100)]);
}
