//! The client for tests, over loopback.

mod peer;

use std::time::Duration;

use peer::{Peer, ms, soon};
use tokio::time::Instant;
use wiretalk::{
    CloseCode, ErrorKind, Message, WebSocket,
    client::{Background, JoinError, containing},
};

const DEADLINE: Duration = Duration::from_secs(5);

async fn pair() -> (Background, WebSocket) {
    let peer = Peer::listen().await;
    let (server, client) = tokio::join!(peer.accept(), Background::connect(peer.url()));
    (client.unwrap(), server)
}

#[tokio::test(start_paused = true)]
async fn messages_are_found_in_their_order() {
    let (client, mut server) = pair().await;
    for text in ["one", "two", "three", "two"] {
        server.send(text).await.unwrap();
    }
    assert_eq!(
        client.wait_for("two", DEADLINE).await.unwrap(),
        "two".into()
    );
    assert_eq!(client.next(DEADLINE).await.unwrap(), "three".into());
    client
        .wait_for(|message: &Message| message.as_bytes().len() == 3, DEADLINE)
        .await
        .unwrap();
    let failure = client
        .wait_for(containing("two"), ms(100))
        .await
        .unwrap_err();
    assert_eq!(
        failure.to_string(),
        "a text with \"two\" in it did not come within 100ms; nothing came"
    );
    assert_eq!(
        client.received(),
        ["one", "two", "three", "two"].map(Message::from)
    );
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_what_has_not_come_yet() {
    let (client, mut server) = pair().await;
    let later = async {
        tokio::time::sleep(ms(700)).await;
        server.send("noise").await.unwrap();
        tokio::time::sleep(ms(700)).await;
        server.send("signal").await.unwrap();
    };
    let begin = Instant::now();
    let (found, ()) = tokio::join!(client.wait_for("signal", DEADLINE), later);
    assert_eq!(found.unwrap(), "signal".into());
    assert_eq!(begin.elapsed().as_millis() / 100, 14);
    client.expect_silence(DEADLINE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_what_came_and_looks_at_nothing() {
    let (client, mut server) = pair().await;
    server.send("a \"b\"\n").await.unwrap();
    server.send(vec![0, 255]).await.unwrap();
    let begin = Instant::now();
    let failure = client.wait_for("ack", ms(500)).await.unwrap_err();
    assert_eq!(begin.elapsed().as_millis() / 100, 5);
    let sentence = "the text \"ack\" did not come within 500ms; what came: \"a \\\"b\\\"\\n\", binary 00ff (2 bytes)";
    assert_eq!(failure.to_string(), sentence);
    assert_eq!(format!("{failure:?}"), sentence, "as `unwrap` shows it");
    assert_eq!(failure.came().len(), 2);
    client.wait_for("a \"b\"\n", DEADLINE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_messages_are_counted_instead_of_shown() {
    let (client, mut server) = pair().await;
    for number in 0..15 {
        server.send(format!("{number}")).await.unwrap();
    }
    let failure = client.wait_for("x", ms(100)).await.unwrap_err().to_string();
    assert!(failure.ends_with(r#""8", "9" and 5 more"#), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn the_end_is_not_waited_behind() {
    let (client, mut server) = pair().await;
    server.send("last").await.unwrap();
    server.close(CloseCode::POLICY, "no entry").await.unwrap();
    let begin = Instant::now();
    let (failure, _) = tokio::join!(client.wait_for("more", DEADLINE), server.recv());
    let failure = failure.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "the text \"more\" did not come before the connection ended (the peer closed it with \
         1008 (policy violation): no entry); what came: \"last\""
    );
    assert!(matches!(failure.ended(), Some(Ok(frame)) if frame.code == CloseCode::POLICY));
    assert!(begin.elapsed() < ms(100));
    client
        .wait_for("last", DEADLINE)
        .await
        .expect("it came before");
}

#[tokio::test(start_paused = true)]
async fn silence() {
    let (client, mut server) = pair().await;
    let begin = Instant::now();
    client.expect_silence(ms(500)).await.unwrap();
    assert_eq!(begin.elapsed().as_millis() / 100, 5);

    server.send("psst").await.unwrap();
    let noise = client.expect_silence(ms(500)).await.unwrap_err();
    assert_eq!(
        noise.to_string(),
        "there was to be silence for 500ms; what came: \"psst\""
    );
    // It is not lost, and not looked at twice.
    client.wait_for("psst", DEADLINE).await.unwrap();
    client.expect_silence(ms(500)).await.unwrap();

    drop(server);
    let noise = client.expect_silence(ms(500)).await.unwrap_err();
    assert_eq!(
        noise.to_string(),
        "there was to be silence for 500ms (the peer ended the stream without a close frame (close \
         code 1006)); nothing came"
    );
}

#[tokio::test]
async fn stopping_is_a_close_handshake() {
    let (client, mut server) = pair().await;
    client.send("one").await.unwrap();
    let served = async {
        let message = server.recv().await.unwrap().unwrap();
        server.send("last words").await.unwrap();
        assert!(server.recv().await.is_none());
        (message, server.close_frame().unwrap().code)
    };
    let (stopped, (message, code)) = soon(async { tokio::join!(client.stop(), served) }).await;
    assert_eq!((message, code), ("one".into(), CloseCode::NORMAL));
    assert_eq!(stopped.unwrap().code, CloseCode::NORMAL);
    assert_eq!(client.received(), ["last words".into()]);
    assert_eq!(
        client.stop().await.unwrap().code,
        CloseCode::NORMAL,
        "again"
    );
    assert_eq!(
        client.send("more").await.unwrap_err().kind(),
        ErrorKind::Closed
    );
}

#[tokio::test(start_paused = true)]
async fn joining_waits_for_the_peer() {
    let (client, mut server) = pair().await;
    let error = client.join(ms(500)).await.unwrap_err();
    assert!(matches!(error, JoinError::Timeout(_)));
    assert_eq!(error.to_string(), "the connection did not end within 500ms");
    assert_eq!(
        format!("{error:?}"),
        error.to_string(),
        "as unwrap shows it"
    );
    server.close(None, "").await.unwrap();
    let (joined, _) = tokio::join!(client.join(DEADLINE), server.recv());
    assert_eq!(joined.unwrap().code, CloseCode::NO_STATUS);

    let (client, server) = pair().await;
    drop(server);
    let Err(JoinError::Lost(error)) = client.join(DEADLINE).await else {
        panic!("it was lost");
    };
    assert_eq!(error.kind(), ErrorKind::Abnormal);
    assert!(matches!(client.ended(), Some(Err(_))));
}

#[tokio::test(start_paused = true)]
async fn a_bound_in_bytes() {
    let peer = Peer::listen().await;
    let (mut server, client) = tokio::join!(peer.accept(), wiretalk::connect(peer.url()));
    let each = 1000 + size_of::<Message>();
    let client = Background::with_limit(client.unwrap().0, 3 * each);
    for number in 0..10 {
        server.send(vec![number; 1000]).await.unwrap();
    }
    server.send("end").await.unwrap();
    let failure = client
        .wait_for("nothing", ms(100))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        failure.ends_with("; 8 before that were dropped at the limit in bytes"),
        "{failure}"
    );
    assert_eq!(client.dropped(), 8);
    let received = client.received();
    assert_eq!(received[0], vec![8; 1000].into());
    assert_eq!(received.len(), 3);
    assert_eq!(
        client.wait_for(vec_of(9), DEADLINE).await.unwrap(),
        vec_of(9)
    );
    client.wait_for("end", DEADLINE).await.unwrap();
    // One that is larger than all that is kept is kept alone.
    server.send(vec![0; 10_000]).await.unwrap();
    assert_eq!(
        client.next(DEADLINE).await.unwrap().as_bytes().len(),
        10_000
    );
    assert_eq!(client.dropped(), 11);
}

fn vec_of(number: u8) -> Message {
    vec![number; 1000].into()
}

#[cfg(feature = "json")]
#[tokio::test(start_paused = true)]
async fn json_is_found_by_a_part_of_it() {
    use serde_json::json;
    let (client, mut server) = pair().await;
    server.send(r#"{"id": 1, "result": "no"}"#).await.unwrap();
    server
        .send(r#"{"result": {"ok": true, "n": 3}, "id": 2}"#)
        .await
        .unwrap();
    let wanted = json!({"id": 2, "result": {"ok": true}});
    client.wait_for(wanted, DEADLINE).await.unwrap();
    let failure = client.wait_for(json!({"id": 3}), ms(10)).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "JSON with {\"id\":3} in it did not come within 10ms; nothing came"
    );
}

#[tokio::test]
async fn dropping_it_ends_its_task_and_the_connection() {
    let (client, mut server) = pair().await;
    let tasks = tokio::runtime::Handle::current().metrics();
    let before = tasks.num_alive_tasks();
    drop(client);
    let ended = soon(server.recv()).await.unwrap().unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Abnormal);
    drop(server);
    soon(async {
        while tasks.num_alive_tasks() >= before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_closure_may_ask_for_what_came() {
    let (client, mut server) = pair().await;
    server.send("one").await.unwrap();
    server.send("two").await.unwrap();
    let last = |message: &Message| client.received().last() == Some(message);
    let found = client.wait_for(last, DEADLINE).await.unwrap();
    assert_eq!(Some(found), client.received().pop());
}

#[tokio::test(start_paused = true)]
async fn two_waits_never_get_the_same_message() {
    let (client, mut server) = pair().await;
    let any = |message: &Message| message.as_text().is_some();
    let waits = async {
        tokio::join!(
            client.wait_for(any, DEADLINE),
            client.wait_for(any, DEADLINE)
        )
    };
    let sends = async {
        server.send("one").await.unwrap();
        server.send("two").await.unwrap();
    };
    let ((one, other), ()) = tokio::join!(waits, sends);
    assert_ne!(one.unwrap(), other.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_looks_at_nothing() {
    let (client, mut server) = pair().await;
    server.send("one").await.unwrap();
    tokio::select! {
        _ = client.wait_for("two", DEADLINE) => panic!("it has not come"),
        () = tokio::time::sleep(ms(100)) => {}
    }
    server.send("two").await.unwrap();
    client.wait_for("one", DEADLINE).await.unwrap();
    client.wait_for("two", DEADLINE).await.unwrap();
}
