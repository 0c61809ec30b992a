//! A mock with workers: clients that send faster than they are answered.

mod common;

use std::time::Duration;

use common::{SOON, Served, serve, serve_controlled, talk};
use tokio::time::timeout;
use wiretalk_engine::serve::Options;
use wiretalk_net::{CloseCode, Event, Receiver, WebSocket};

/// One worker, who takes his time.
const SLOW: &str =
    "option workers 1\non > {{_}}\n  wait 100ms\n  < {{ message|length }} {{ message|first }}\n";

async fn join(server: &Served) -> WebSocket {
    wiretalk_net::connect(server.url.as_str())
        .await
        .expect("a connection")
        .0
}

/// The next message, or the code of a close.
async fn hear(receiver: &mut Receiver) -> String {
    loop {
        let event = timeout(SOON, receiver.next_event()).await.expect("in time");
        match event {
            Ok(Some(Event::Text(text))) => return text.as_str().to_owned(),
            Ok(Some(Event::Close(frame))) => {
                let code = frame.map_or(1005, |frame| frame.code.as_u16());
                return format!("closed {code}");
            }
            Ok(Some(_)) => {}
            end => panic!("{end:?}"),
        }
    }
}

#[tokio::test]
async fn nothing_is_lost_of_what_does_not_fit_and_the_client_is_not_taken_for_dead() {
    const COUNT: usize = 8;
    let options = Options {
        ping_interval: Duration::from_millis(50),
        ping_timeout: Duration::from_millis(50),
        ..Options::default()
    };
    let server = serve(&talk(SLOW), options).await;
    let (sender, mut receiver) = join(&server).await.split();
    let sending = tokio::spawn(async move {
        for n in 0..COUNT {
            let text = n.to_string() + &"x".repeat(200_000);
            sender.send(text).await.expect("it is sent");
        }
        sender
    });
    for n in 0..COUNT {
        assert_eq!(hear(&mut receiver).await, format!("200001 {n}"));
    }
    drop(sending.await.expect("no panic"));
    server.stop().await;
}

#[tokio::test]
async fn what_a_client_has_sent_is_done_before_its_close_is_answered() {
    let talk = talk("option workers 1\non > {{_}}\n  wait 100ms\n  others < {{message}}\n");
    let server = serve(&talk, Options::default()).await;
    let (_stays, mut watching) = join(&server).await.split();
    let (sender, mut receiver) = join(&server).await.split();
    for text in ["one", "two", "three"] {
        sender.send(text).await.expect("it is sent");
    }
    sender
        .close(CloseCode::NORMAL, "done")
        .await
        .expect("it is sent");
    assert_eq!(hear(&mut receiver).await, "closed 1000");
    for expected in ["one", "two", "three"] {
        assert_eq!(hear(&mut watching).await, expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_floods_is_not_read_from_while_others_are_served() {
    const MESSAGE: usize = 100_000;
    let talk =
        talk("option workers 2\non > {\"op\":\"sleep\", ...}\n  wait 1h\non > {{_}}\n  <echo\n");
    let server = serve_controlled(&[("/", talk)]).await;
    let (flooding, _receiver) = join(&server).await.split();
    let flood = tokio::spawn(async move {
        let sleep = format!("{{\"op\":\"sleep\",\"more\":\"{}\"}}", "x".repeat(MESSAGE));
        for _ in 0..1000 {
            flooding.send(sleep.as_str()).await.expect("it is sent");
        }
    });
    let (other, mut receiver) = join(&server).await.split();
    let mut had = 0;
    // Whoever else speaks is answered, and the flood stands still once the bound is reached.
    for n in 0.. {
        other.send(format!("hi {n}")).await.expect("it is sent");
        assert_eq!(hear(&mut receiver).await, format!("hi {n}"));
        let clients = server.mocks[0].clients();
        let now = clients[0].traffic.received.bytes;
        assert!(now < 10 * MESSAGE as u64, "{now} bytes have been read");
        if now == had && now > 2 * MESSAGE as u64 {
            break;
        }
        had = now;
    }
    flood.abort();
    server.stop().await;
}
