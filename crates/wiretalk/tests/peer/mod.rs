//! The other side of each test: a server on a free port that does as the test says.

// Each test file takes what it needs of this.
#![allow(dead_code)]

use std::{future::Future, panic::Location, time::Duration};

use tokio::{sync::oneshot, time::timeout};
use wiretalk::WebSocket;
use wiretalk_net::server::{AcceptOptions, Listener, Reply, ServeOptions, serve_connection};

pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Fails instead of hanging for ever. Under a paused clock the minute is over at once if nothing else is to happen.
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        let result = timeout(Duration::from_secs(60), future).await;
        result.unwrap_or_else(|_| panic!("nothing happened at {place}"))
    }
}

/// A server that listens, and accepts when it is told to.
pub(crate) struct Peer {
    listener: Listener,
}

impl Peer {
    pub(crate) async fn listen() -> Self {
        let listener = Listener::bind("127.0.0.1:0", None).await.unwrap();
        Self { listener }
    }

    /// Listens where another has listened.
    pub(crate) async fn again(url: &str) -> Self {
        let address = url.strip_prefix("ws://").unwrap().trim_end_matches('/');
        let listener = Listener::bind(address.to_owned(), None).await.unwrap();
        Self { listener }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.listener.local_addr().unwrap())
    }

    /// The next client.
    #[track_caller]
    pub(crate) fn accept(&self) -> impl Future<Output = WebSocket> {
        soon(async { self.try_accept().await.expect("a client that stays") })
    }

    /// The next client, unless it is gone before the handshake is done.
    pub(crate) async fn try_accept(&self) -> Option<WebSocket> {
        let (given, taken) = oneshot::channel();
        self.answer(|request| {
            let (reply, socket) = request
                .upgrade()
                .expect("it asks for a WebSocket")
                .accept(AcceptOptions::default())
                .expect("these options can be had");
            tokio::spawn(async move {
                if let Ok(socket) = socket.await {
                    let _ = given.send(socket);
                }
            });
            reply
        })
        .await;
        taken.await.ok()
    }

    /// Answers the next client with this instead of a WebSocket.
    pub(crate) async fn refuse(&self, reply: Reply) {
        self.answer(|_| reply).await;
    }

    async fn answer(
        &self,
        answer: impl FnOnce(&mut wiretalk_net::server::Request) -> Reply + Send + 'static,
    ) {
        let incoming = self.listener.accept().await.unwrap();
        let answer = std::sync::Mutex::new(Some(answer));
        tokio::spawn(serve_connection(
            incoming,
            ServeOptions::default(),
            move |mut request| {
                let answer = answer.lock().unwrap().take();
                let reply = answer.map_or(Reply::new(500), |answer| answer(&mut request));
                std::future::ready(reply)
            },
        ));
    }
}
