//! Talks in both roles, against each other.

mod common;

use std::time::Duration;

use common::{SOON, example, serve, talk};
use tokio::time::timeout;
use wiretalk_engine::report;
use wiretalk_engine::runner::{self, TestResult};
use wiretalk_engine::serve::Options;
use wiretalk_net::{CloseCode, DeflateConfig, Event, Message};
use wiretalk_talk::Value;
use wiretalk_talk::player::Plan;

/// Runs the tests of a talk with `url` set.
async fn run(plan: &std::sync::Arc<Plan>, url: &str) -> Vec<TestResult> {
    run_with(plan, url, runner::Options::default()).await
}

async fn run_with(
    plan: &std::sync::Arc<Plan>,
    url: &str,
    options: runner::Options,
) -> Vec<TestResult> {
    let options = runner::Options {
        variables: [("url".to_owned(), Value::Text(url.to_owned()))].into(),
        ..options
    };
    let mut results = Vec::new();
    let run = runner::run(std::slice::from_ref(plan), &options, |result| {
        results.push(result);
    });
    let _ = timeout(SOON, run).await.expect("in time");
    results
}

fn all_pass(results: &[TestResult]) {
    assert!(!results.is_empty());
    for result in results {
        assert!(
            result.passed(),
            "{}:\n{}",
            result.title,
            report::failure(result)
        );
    }
}

#[tokio::test]
async fn the_test_of_an_example_passes_against_the_example() {
    for (served, tested, path) in [
        ("echo-close.talk", "echo-test.talk", "/ws"),
        ("modes.talk", "two-clients.talk", "/"),
        ("refused.talk", "refused.talk", "/"),
    ] {
        let server = serve(&example(served), Options::default()).await;
        let results = run(&example(tested), &format!("{}{path}", server.url)).await;
        all_pass(&results);
        server.stop().await;
    }
}

/// What the log says of a connection: the extensions agreed on, if any.
#[tokio::test]
async fn both_roles_compress_if_both_are_to() {
    let takeover = DeflateConfig::with_context_takeover();
    let both =
        "is open, with permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for (served, offered, noted) in [
        (Some(DeflateConfig::default()), vec![takeover], both),
        (
            Some(takeover),
            vec![takeover],
            "is open, with permessage-deflate",
        ),
        (Some(takeover), Vec::new(), "is open"),
        (None, vec![takeover], "is open"),
    ] {
        let options = Options {
            deflate: served,
            ..Options::default()
        };
        let server = serve(&example("echo-close.talk"), options).await;
        let options = runner::Options {
            deflate: offered,
            ..runner::Options::default()
        };
        let url = format!("{}/ws", server.url);
        let results = run_with(&example("echo-test.talk"), &url, options).await;
        all_pass(&results);
        let notes: Vec<String> = results[0]
            .log
            .iter()
            .map(|record| record.shown(200))
            .collect();
        assert!(notes.iter().any(|note| note == noted), "{notes:?}");
        server.stop().await;
    }
}

/// The same file is the test and the mock: a talk served passes itself.
#[tokio::test]
async fn a_talk_passes_against_itself() {
    let plan = talk(
        "set url = ws://127.0.0.1:1
connect {{url}}/ws
  X-Token: {{token=abc}}
< {\"hello\":\"{{id:uuid}}\",\"n\":{{_:int(1..9)}}}
> {\"id\":\"{{id}}\", \"list\":[1, 2.50, ...]}
< got {{id}}
>hex 00 ff
<hex ff 00
>ping abc
<pong abc
>close 1000 bye
<close 1000
",
    );
    let server = serve(&plan, Options::default()).await;
    let url = server.url.clone();
    all_pass(&run(&plan, &url).await);
    // A client that did not hold to the talk is told apart: it is unmatched, with the line it should have matched.
    let mut server = server;
    let request = wiretalk_net::Request {
        headers: vec![("X-Token".to_owned(), "abc".to_owned())],
        ..wiretalk_net::Request::new(format!("{url}/ws"))
    };
    let (mut socket, _) = wiretalk_net::connect(request).await.expect("open");
    let hello = timeout(SOON, socket.recv()).await.expect("in time");
    hello.expect("a message").expect("a message");
    socket.send("something else").await.expect("sent");
    let lines = [(); 4].map(|()| String::new());
    let mut seen = Vec::from(lines);
    for line in &mut seen {
        *line = server.line().await;
        if line.contains("unmatched") {
            break;
        }
    }
    assert!(
        seen.iter()
            .any(|line| line.ends_with("unmatched, nearest true")),
        "{seen:?}"
    );
    drop(socket);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye() {
    let server = serve(&example("modes.talk"), Options::default()).await;
    let (mut socket, _) = wiretalk_net::connect(server.url.as_str())
        .await
        .expect("open");
    socket.send("hi").await.expect("sent");
    assert_eq!(
        socket.recv().await.expect("an echo").expect("an echo"),
        Message::from("hi")
    );
    let stopping = tokio::spawn(server.stop());
    let close = loop {
        match timeout(SOON, socket.next_event()).await.expect("in time") {
            Ok(Some(Event::Close(close))) => break close,
            Ok(Some(_)) => {}
            other => panic!("no close: {other:?}"),
        }
    };
    assert_eq!(close.map(|close| close.code), Some(CloseCode::GOING_AWAY));
    // The answer to the close goes out while the socket is read to its end.
    while let Ok(Some(_)) = socket.next_event().await {}
    timeout(SOON, stopping)
        .await
        .expect("in time")
        .expect("stopped");
}

/// A client that does not read is dropped when its queue is full, and the others hear everything.
#[tokio::test]
async fn a_client_that_does_not_read_holds_nobody_up() {
    let options = Options {
        queue_size: 64 * 1024,
        ..Options::default()
    };
    let mut server = serve(&example("modes.talk"), options).await;
    let (stuck, _) = wiretalk_net::connect(server.url.as_str())
        .await
        .expect("open");
    assert_eq!(server.line().await, "#1 connected, 1");
    let (mut lively, _) = wiretalk_net::connect(server.url.as_str())
        .await
        .expect("open");
    assert_eq!(server.line().await, "#2 connected, 2");
    let message = "x".repeat(256 * 1024);
    let mut dropped = false;
    // The kernel's buffers take a few megabytes; far more than that is sent before giving up.
    for _ in 0..400 {
        lively.send(message.as_str()).await.expect("sent");
        let came = timeout(SOON, lively.recv()).await.expect("in time");
        assert_eq!(
            came.expect("a message")
                .expect("a message")
                .as_bytes()
                .len(),
            message.len()
        );
        if let Ok(line) = server.lines.try_recv() {
            assert_eq!(line, "#1 too slow");
            dropped = true;
            break;
        }
    }
    assert!(dropped, "the client that does not read was kept");
    drop(stuck);
    let left = server.line().await;
    assert!(
        left.starts_with("#1 left ") && left.ends_with(", 1"),
        "{left}"
    );
    lively.close(CloseCode::NORMAL, "").await.expect("closed");
    while let Ok(Some(_)) = lively.next_event().await {}
    server.stop().await;
}

#[tokio::test]
async fn a_frozen_client_is_dropped_within_the_ping_deadline() {
    let options = Options {
        ping_interval: Duration::from_millis(50),
        ping_timeout: Duration::from_millis(100),
        ..Options::default()
    };
    let mut server = serve(&example("modes.talk"), options).await;
    // A socket that nobody polls answers no ping.
    let (frozen, _) = wiretalk_net::connect(server.url.as_str())
        .await
        .expect("open");
    assert_eq!(server.line().await, "#1 connected, 1");
    assert_eq!(server.line().await, "#1 left 1006, 0");
    drop(frozen);
    server.stop().await;
}

#[tokio::test]
async fn what_a_rule_cannot_send_is_a_problem_and_no_end() {
    let plan = talk("on > {{_}}\n  < {{ message.name }}\n");
    let mut server = serve(&plan, Options::default()).await;
    let (mut socket, _) = wiretalk_net::connect(server.url.as_str())
        .await
        .expect("open");
    assert_eq!(server.line().await, "#1 connected, 1");
    socket.send("no JSON").await.expect("sent");
    let problem = server.line().await;
    assert!(problem.contains("reads the message as JSON"), "{problem}");
    socket.send("{\"name\":\"you\"}").await.expect("sent");
    let came = timeout(SOON, socket.recv()).await.expect("in time");
    assert_eq!(
        came.expect("a message").expect("a message"),
        Message::from("you")
    );
    drop(socket);
    server.stop().await;
}

#[tokio::test]
async fn a_message_is_said_to_be_repeated_only_if_it_had_come_before() {
    let server = talk("on > go\n  < x\n  wait 10ms\n  < x\n");
    let server = serve(&server, Options::default()).await;
    for (expected, repeated) in [("< y\n", false), ("< x\n< y\n", true)] {
        let plan = talk(&format!(
            "set url = ws://127.0.0.1:1\nconnect {{{{url}}}}\n> go\n{expected}"
        ));
        let results = run(&plan, &server.url).await;
        let report = report::failure(&results[0]);
        assert!(report.contains("expected  < y"), "{report}");
        assert_eq!(
            report.contains("the same message came at "),
            repeated,
            "{report}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn one_file_may_have_many_tests_and_fewer_jobs() {
    let mut text = String::from("set url = ws://127.0.0.1:1\n");
    for number in 0..50 {
        text.push_str(&format!(
            "test number {number}\nconnect {{{{url}}}}\n> please double {number}\nall < please double {number} #1\n"
        ));
    }
    let echo = talk("on > {{_}}\n  < {{message}} #1\n");
    let server = serve(&echo, Options::default()).await;
    let plan = talk(&text);
    let options = runner::Options {
        variables: [("url".to_owned(), Value::Text(server.url.clone()))].into(),
        jobs: 3,
        ..runner::Options::default()
    };
    let mut titles = Vec::new();
    let summary = runner::run(&[plan], &options, |result| titles.push(result.title)).await;
    assert_eq!((summary.passed, summary.failed), (50, 0));
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), 50);
    server.stop().await;
}

#[tokio::test]
async fn what_comes_behind_the_last_line_is_left_over_and_fails_a_strict_test() {
    let twice = talk("on > {{_}}\n  <echo\n  <echo\non > {{_}}never{{_}}\n");
    let server = serve(&twice, Options::default()).await;
    for (option, passes) in [("", true), ("option strict\n", false)] {
        let plan = talk(&format!(
            "{option}set url = ws://127.0.0.1:1\nconnect {{{{url}}}}\n> x\n< x\n"
        ));
        let results = run(&plan, &server.url).await;
        assert_eq!(
            results[0].passed(),
            passes,
            "{}",
            report::failure(&results[0])
        );
        let said = report::failure(&results[0]);
        assert!(said.contains("1 message that no line took"), "{said}");
    }
    // A rule takes it: then nothing is left.
    let plan = talk(
        "option strict\nset url = ws://127.0.0.1:1\non < x\nconnect {{url}}\n> x\n>close\n<close\n",
    );
    all_pass(&run(&plan, &server.url).await);
    server.stop().await;
}

#[tokio::test]
async fn a_message_that_comes_too_late_is_told_from_one_that_never_comes() {
    let late = talk("on > late\n  wait 400ms\n  < here\non > never\n");
    let server = serve(&late, Options::default()).await;
    for (word, told) in [("late", true), ("never", false)] {
        let plan = talk(&format!(
            "set url = ws://127.0.0.1:1\nconnect {{{{url}}}}\n> {word}\n<(within 100ms) here\n"
        ));
        let results = run(&plan, &server.url).await;
        let said = report::failure(&results[0]);
        assert!(said.contains("came      nothing, for 0.1"), "{said}");
        assert_eq!(
            said.contains("too late  < here  (4 B) at 0.4"),
            told,
            "{said}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn of_several_tests_somebody_must_choose_the_one_to_serve() {
    struct Nobody;
    impl wiretalk_engine::serve::Observer for Nobody {
        fn event(&self, _: &wiretalk_engine::serve::Event<'_>) {}
    }
    let plan =
        talk("test one\nconnect ws://127.0.0.1:1\n< a\ntest two\nconnect ws://127.0.0.1:1\n< b\n");
    let mock = |test: Option<&str>| {
        let performance = wiretalk_engine::serve::Performance {
            plan: std::sync::Arc::clone(&plan),
            test: test.map(str::to_owned),
            setup: common::setup(),
            place: Default::default(),
        };
        let observer = std::sync::Arc::new(Nobody);
        let shared = wiretalk_engine::serve::Shared::new(Options::default(), observer);
        wiretalk_engine::serve::Mock::new(&shared, performance)
    };
    let refused = mock(None).err().expect("nobody has chosen").to_string();
    assert!(refused.contains("`one`, `two`"), "{refused}");
    let refused = mock(Some("three"))
        .err()
        .expect("there is no third")
        .to_string();
    assert!(
        refused.contains("`three`") && refused.contains("`one`, `two`"),
        "{refused}"
    );
    assert!(mock(Some("two")).is_ok());
}

#[tokio::test]
async fn the_time_line_tells_where_finally_begins() {
    let server = serve(
        &talk("listen ws://127.0.0.1:4000\non > a\n  <echo\non > b\n  <echo\n"),
        Options::default(),
    )
    .await;
    let plan = talk("connect {{url}}\n> a\n< a\n> last\nfinally\n  > b\n  < b\n");
    let results = run(&plan, &server.url).await;
    all_pass(&results);
    let result = &results[0];
    let finally = result.finally.expect("it has begun");
    let sent = result.log.iter().filter(|record| {
        record.direction == wiretalk_engine::record::Direction::Sent
            && record.kind == wiretalk_engine::record::Kind::Text
    });
    let sides: Vec<_> = sent
        .map(|record| (record.payload.clone(), record.at >= finally))
        .collect();
    assert_eq!(
        sides,
        [
            ("a".into(), false),
            ("last".into(), false),
            ("b".into(), true)
        ]
    );
    server.stop().await;
}
