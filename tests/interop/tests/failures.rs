//! What a failed test says, word for word: `goldens/` holds it. `BLESS=1 cargo xtask interop` writes it anew.

use std::env;
use std::fs;

use regex::Regex;
use wiretalk_interop::{Finished, Program, Server, repository};

/// Compares with `goldens/NAME.out`, or writes that.
fn golden(name: &str, finished: &Finished) {
    let path = repository().join(format!("tests/interop/goldens/{name}.out"));
    let came = normalised(&finished.out());
    if env::var_os("BLESS").is_some() {
        fs::write(&path, came).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let expected = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; BLESS=1 writes it", path.display()));
    assert_eq!(
        came, expected,
        "\n{name}.out is left what came and right what is expected; BLESS=1 accepts what came\n{came}"
    );
}

/// Without times, ports, and keys that are made up.
fn normalised(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, with) in [
        (r"\d+\.\d{3}s", "N.NNNs"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"demands `[A-Za-z0-9+/=]{28}`", "demands `KEY`"),
    ] {
        let pattern = Regex::new(pattern).expect("it is written right");
        text = pattern.replace_all(&text, with).into_owned();
    }
    text
}

fn test(talk: &str, url: &str) -> Finished {
    Program::wiretalk()
        .args(["test", talk, "--set", &format!("url={url}")])
        .finish("")
}

/// `echo-test` against a server that does not do what it should.
fn echo_test_fails(mode: &str) {
    let server = Server::peer("echo_close.py", &["--mode", mode]);
    let url = format!("{}/ws", server.origin);
    let failed = test("examples/echo-test.talk", &url).with_code(1);
    golden(&format!("echo-test-{mode}"), &failed);
}

#[test]
fn a_late_answer() {
    echo_test_fails("late");
}

#[test]
fn a_wrong_answer() {
    echo_test_fails("wrong");
}

#[test]
fn an_answer_that_comes_twice() {
    echo_test_fails("twice");
}

#[test]
fn no_answer() {
    echo_test_fails("silent");
}

#[test]
fn json_that_differs() {
    let server = Server::talk("tests/interop/talks/json.talk", &[]);
    let failed = test("tests/interop/talks/expects-json.talk", &server.url()).with_code(1);
    golden("json-differs", &failed);
}

#[test]
fn a_server_that_breaks_the_rules() {
    for mode in [
        "http200",
        "hang",
        "badaccept",
        "giant",
        "cut",
        "utf8",
        "masked",
        "reset",
    ] {
        let server = Server::peer("misbehave.py", &[mode]);
        let failed = test("tests/interop/talks/expects-hello.talk", &server.url()).with_code(1);
        golden(&format!("broken-{mode}"), &failed);
    }
}

#[test]
fn nobody_listens() {
    // A port that was free a moment ago.
    let url = {
        let mut server = Server::echo(&[]);
        server.process.signal(wiretalk_interop::Signal::INT);
        server.process.wait();
        server.url()
    };
    let failed = test("tests/interop/talks/expects-hello.talk", &url).with_code(1);
    golden("nobody-listens", &failed);
}

#[test]
fn a_silence_that_is_broken() {
    let server = Server::talk("examples/modes.talk", &[]);
    let failed = test("tests/interop/talks/expects-silence.talk", &server.url()).with_code(1);
    golden("silence-broken", &failed);
}

#[test]
fn a_client_with_a_name() {
    let server = Server::talk("examples/modes.talk", &[]);
    let failed = test("tests/interop/talks/named-client.talk", &server.url()).with_code(1);
    golden("named-client", &failed);
}
