//! Clients of whom nothing is read for a while.
#![cfg(feature = "link")]

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use wiretalk_hub::Hub;
use wiretalk_net::WebSocket;
use wiretalk_server::gate::{Expelled, Gate, Pass, Payload};
use wiretalk_server::link::{Command, Link, News};

const SOON: Duration = Duration::from_secs(20);

/// Lets nobody stay beyond this moment.
struct Until(Instant);

impl Gate for Until {
    fn message(&mut self, _: Payload<'_>, _: Instant) -> Result<Pass, Expelled> {
        Ok(Pass::On)
    }

    fn control(&mut self, _: Instant) -> Result<(), Expelled> {
        Err(Expelled {
            code: 1008,
            kind: "rate",
            reason: "no pings".into(),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.0)
    }

    fn over(&mut self, _: Instant) -> Result<(), Expelled> {
        Err(Expelled {
            code: 1008,
            kind: "token-expired",
            reason: "it is over".into(),
        })
    }
}

fn guarded(socket: WebSocket, end: Instant) -> Link<Command> {
    let (member, outbox) = Hub::new().join();
    // The hub knows it for as long as the test takes.
    std::mem::forget(member);
    Link::new(socket, outbox).guarded(Some(Box::new(Until(end))))
}

#[tokio::test]
async fn a_gate_is_asked_though_nothing_is_read() {
    let (mut client, server) = wiretalk_net::pair();
    let mut link = guarded(server, Instant::now() + Duration::from_millis(50));
    let server = async {
        let leaving = poll_fn(|cx| {
            link.poll_write(cx);
            if link.is_leaving() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        leaving.await;
        let told = link.next().await;
        assert!(matches!(told, Some(News::Expelled(_))), "{told:?}");
        while link.next().await.is_some() {}
    };
    let both = async { tokio::join!(client.recv(), server) };
    let (got, ()) = timeout(SOON, both).await.expect("in time");
    assert!(got.is_none());
    let frame = client.close_frame().expect("a close frame");
    assert_eq!((frame.code.as_u16(), &*frame.reason), (1008, "it is over"));
}

#[tokio::test]
async fn pings_pass_the_gate_as_well() {
    let (mut client, server) = wiretalk_net::pair();
    let mut link = guarded(server, Instant::now() + SOON * 10);
    client.ping(b"one").await.expect("it is sent");
    let both = async { tokio::join!(client.recv(), link.recv()) };
    let (got, _) = timeout(SOON, both).await.expect("in time");
    assert!(got.is_none());
    let frame = client.close_frame().expect("a close frame");
    assert_eq!((frame.code.as_u16(), &*frame.reason), (1008, "no pings"));
}
