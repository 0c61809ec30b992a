//! Talks in Rust tests: as mocks, and as tests.

use std::{future::Future, panic::catch_unwind, time::Duration};

use tokio::{runtime::Handle, time::timeout};
use wiretalk::{
    ErrorKind, Message, WebSocket,
    mock::{self, Mock},
    server::{Client, Running, Server},
    talk::Talk,
};

const SOON: Duration = Duration::from_secs(20);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("in time")
}

async fn connect(mock: &Mock) -> WebSocket {
    soon(wiretalk::connect(mock.url()))
        .await
        .expect("a connection")
        .0
}

async fn text(socket: &mut WebSocket) -> String {
    let message = soon(socket.recv())
        .await
        .expect("a message")
        .expect("no error");
    message.as_text().expect("a text").to_owned()
}

/// Sends back what it is sent.
async fn echo() -> Running {
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let running = server.spawn(async |mut client: Client| {
        while let Some(message) = client.recv().await {
            client.send(message).await?;
        }
        Ok::<_, wiretalk::Error>(())
    });
    running.expect("a runtime")
}

#[tokio::test]
async fn a_mock_plays_a_talk_and_tells_what_it_saw() {
    let before = Handle::current().metrics().num_alive_tasks();
    let mock = wiretalk::mock("tests/talks/greeting.talk").variable("server_name", "mocky");
    let mock = mock.await.expect("a mock");
    assert_eq!(mock.url(), format!("ws://{}/greet", mock.address()));
    let mut socket = connect(&mock).await;
    assert_eq!(text(&mut socket).await, "I am mocky");
    socket.send("hello").await.expect("sent");
    assert_eq!(text(&mut socket).await, "hello, 1");
    socket
        .send(r#"{"b":3,"op":"add","a":4}"#)
        .await
        .expect("sent");
    assert_eq!(text(&mut socket).await, r#"{"sum":7}"#);
    assert_eq!(mock.unmatched(), []);

    socket.send("goodbye").await.expect("sent");
    socket.send(vec![0, 1]).await.expect("sent");
    let last = mock.wait_for(|message: &Message| message.as_bytes() == [0, 1], SOON);
    assert_eq!(last.await.expect("it came"), Message::from(vec![0, 1]));
    let received = mock.received();
    assert_eq!(received.len(), 4);
    assert_eq!(received[0], "hello".into());
    assert_eq!(mock.sent().len(), 3);
    let unmatched = mock.unmatched();
    assert_eq!(unmatched.len(), 2);
    assert_eq!(unmatched[0].message, Some("goodbye".into()));
    assert_eq!((unmatched[0].client, unmatched[0].line), (1, Some(7)));
    assert!(
        unmatched[0]
            .to_string()
            .starts_with("#1: no line of the talk takes `goodbye`; nearest is line 7: "),
        "{}",
        unmatched[0]
    );
    assert_eq!((mock.connected(), mock.gone()), (1, 0));

    let closed = tokio::spawn(async move {
        while let Some(Ok(_)) = socket.recv().await {}
        socket.close_frame().map(|frame| frame.code.as_u16())
    });
    soon(mock.stop()).await;
    assert_eq!(soon(closed).await.expect("no panic"), Some(1001));
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
}

#[tokio::test]
async fn a_mock_that_is_dropped_serves_no_more() {
    let mock = mock::text("on > {{_}}\n").await.expect("a mock");
    let (url, mut socket) = (mock.url().to_owned(), connect(&mock).await);
    drop(mock);
    assert!(!matches!(soon(socket.recv()).await, Some(Ok(_))));
    let refused = soon(async {
        loop {
            match wiretalk::connect(&url).await {
                Err(error) if error.kind() == ErrorKind::Refused => break error,
                _ => tokio::task::yield_now().await,
            }
        }
    });
    assert!(refused.await.to_string().contains("127.0.0.1"));
}

#[tokio::test]
async fn what_does_not_come_is_told_with_what_came() {
    let mock = mock::text("on > {{_}}\n").await.expect("a mock");
    let wait = Duration::from_millis(20);
    let error = mock.wait_for("hi", wait).await.expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        r#"the text "hi" did not come within 20ms; nothing came"#
    );
    let mut socket = connect(&mock).await;
    for n in 0..7 {
        socket.send(format!("{n}")).await.expect("sent");
    }
    mock.wait_for("6", SOON).await.expect("it came");
    mock.wait_for("6", Duration::MAX).await.expect("it came");
    let error = mock.wait_for("hi", wait).await.expect_err("something else");
    assert!(
        error
            .to_string()
            .ends_with("7 messages came, the last of them: `2`, `3`, `4`, `5`, `6`"),
        "{error}"
    );
}

#[tokio::test]
async fn what_cannot_be_served_says_why() {
    for (mock, why) in [
        (
            wiretalk::mock("tests/talks/nowhere.talk"),
            &["cannot read `tests/talks/nowhere.talk`: there is no such file"][..],
        ),
        (
            mock::text("on > hi\n  < {{nobody}}\n"),
            &["a talk:2:", "nobody", "\n      < {{nobody}}"],
        ),
        (
            mock::text("on > {{_}}\n").variable("message", 1),
            &["message"],
        ),
        (
            mock::text("test a\n> 1\n\ntest b\n> 2\n"),
            &["several tests", "`a`"],
        ),
        (
            wiretalk::mock("tests/talks/greeting.talk"),
            &["greeting.talk:6:", "server_name"],
        ),
    ] {
        let error = mock.await.expect_err("a mistake");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        for part in why {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }
    let served = mock::text("test a\nconnect {{url}}\n> 1\n< 2\n\ntest b\nconnect {{url}}\n> 2\n")
        .test("a")
        .await;
    let mock = served.expect("a mock");
    let mut socket = connect(&mock).await;
    socket.send("1").await.expect("sent");
    assert_eq!(text(&mut socket).await, "2");
}

#[tokio::test]
async fn a_line_that_cannot_be_played_is_kept() {
    let mock = mock::text("on > {{_}}\n  < {{ message|int }}\n")
        .await
        .expect("a mock");
    let mut socket = connect(&mock).await;
    socket.send("no number").await.expect("sent");
    socket.send("12").await.expect("sent");
    assert_eq!(text(&mut socket).await, "12");
    let problems = mock.problems();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("a talk:2:"), "{problems:?}");
}

wiretalk::talk!(an_echo_is_tested, "tests/talks/echo.talk", echo().await);

wiretalk::talk!(
    a_mock_is_tested_with_the_same_talk,
    "tests/talks/greeting.talk",
    {
        let mock = wiretalk::mock("tests/talks/greeting.talk");
        mock.variable("server_name", "both").await.expect("a mock")
    },
    |talk| talk.variable("server_name", "both").strict()
);

wiretalk::talk!(
    #[should_panic(expected = "tests/talks/echo.talk:8:1")]
    a_failure_points_at_the_line,
    "tests/talks/echo.talk",
    echo().await,
    |talk| talk.variable("answer", "HELLO")
);

#[test]
fn a_failure_is_the_report_of_wiretalk_test() {
    let panic = catch_unwind(|| {
        let talk = Talk::new("tests/talks/echo.talk").variable("answer", "HELLO");
        wiretalk::talk::test(talk, echo());
    })
    .expect_err("it fails");
    let report = panic.downcast_ref::<String>().expect("a text");
    let report = report.split_inclusive('\n').collect::<Vec<_>>();
    assert_eq!(report[0], "\n");
    assert!(
        report[1].starts_with("FAIL a text comes back (tests/talks/echo.talk:5) "),
        "{report:?}"
    );
    let shown = report[2..].concat();
    for part in [
        "  tests/talks/echo.talk:8:1\n",
        "  > 8 | < {{answer}}\n",
        "  expected  < HELLO\n",
        "  came      < hello\n",
        "1 passed, 1 failed in ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[tokio::test]
async fn a_talk_that_cannot_be_run_says_why() {
    let talk = |path: &str| Talk::new(path);
    for (talk, why) in [
        (
            talk("tests/talks/nowhere.talk"),
            "cannot read `tests/talks/nowhere.talk`",
        ),
        (
            talk("tests/talks/echo.talk").filter("nothing of this name"),
            "there is no test to run in `tests/talks/echo.talk`",
        ),
        (
            talk("tests/talks/echo.talk").variable("message", 1),
            "message",
        ),
        (
            talk("tests/talks/echo.talk").secret("anwser"),
            "the secret `anwser` would hide nothing",
        ),
        (
            talk("tests/talks/greeting.talk"),
            "tests/talks/greeting.talk:14:",
        ),
        (
            talk("../../examples/echo-json.talk"),
            "there is nothing to test in this talk",
        ),
    ] {
        let failed = talk.run("ws://127.0.0.1:1").await.expect_err("a mistake");
        assert!(failed.to_string().contains(why), "{why}: {failed}");
    }
    let running = echo().await;
    let one = talk("tests/talks/echo.talk")
        .filter("JSON")
        .run(&running)
        .await;
    assert_eq!(one.expect("it passes"), 1);
    let hidden = talk("tests/talks/echo.talk")
        .variable("answer", "swordfish")
        .secret("answer");
    let failed = hidden.run(&running).await.expect_err("another answer");
    assert!(failed.to_string().contains("expected  < ***"), "{failed}");
    assert!(!failed.to_string().contains("swordfish"), "{failed}");
    running.stop().await;
}
