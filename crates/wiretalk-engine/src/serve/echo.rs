//! A server that sends back what it receives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use wiretalk_net::server::{AcceptOptions, Reply, Request, Upgrade};
use wiretalk_net::{
    CloseCode, Config, DeflateConfig, Error, ErrorKind, Exchange, MessageRef, WebSocket,
};
use wiretalk_talk::player::{Delivery, Incoming, Outgoing};

use super::{ClientId, Event, Host, Life, Observer, Options, Recipient, Server, extensions};

/// How many clients there are, and the number of the last that came.
#[derive(Debug, Default)]
struct Count {
    now: usize,
    last: u64,
}

/// An echo server.
pub struct Echo {
    config: Arc<Config>,
    deflate: Option<DeflateConfig>,
    observer: Arc<dyn Observer>,
    clients: Mutex<Count>,
    stopped: watch::Sender<bool>,
    /// Whether every message is told to the observer; each costs a copy.
    tell_messages: bool,
}

impl Echo {
    /// An echo server. With `tell_messages`, the observer is told of every message.
    #[must_use]
    pub fn new(options: &Options, observer: Arc<dyn Observer>, tell_messages: bool) -> Arc<Self> {
        Arc::new(Self {
            config: options.config(true),
            deflate: options.deflate,
            observer,
            clients: Mutex::default(),
            stopped: watch::Sender::new(false),
            tell_messages,
        })
    }

    /// Serves until `stop` is done; then every client is told that the server goes away (1001).
    pub async fn serve(self: Arc<Self>, server: Server, stop: impl Future<Output = ()>) {
        server.serve(self, stop).await;
    }

    /// Serves a client.
    async fn client(
        self: Arc<Self>,
        peer: SocketAddr,
        target: String,
        extensions: Option<String>,
        socket: impl Future<Output = Result<WebSocket, Error>>,
    ) {
        let Ok(mut socket) = socket.await else { return };
        let came = Instant::now();
        let client = {
            let mut count = self.count();
            count.last += 1;
            count.now += 1;
            let client = ClientId(count.last);
            self.observer.event(&Event::Connected {
                client,
                peer,
                target: &target,
                subprotocol: None,
                extensions: extensions.as_deref(),
                clients: count.now,
            });
            client
        };
        let (code, why) = self.echo(client, &mut socket).await;
        {
            let mut count = self.count();
            count.now -= 1;
            self.observer.event(&Event::Left {
                client,
                code,
                why: &why,
                after: came.elapsed(),
                clients: count.now,
            });
        }
        // A client that broke the rules is to see our close frame before the stream ends.
        while let Ok(Some(_)) = socket.next_event().await {}
    }

    /// Held while a change is told, so that the counts are told in their order.
    fn count(&self) -> MutexGuard<'_, Count> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Echoes until the connection ends: the close code, and why.
    async fn echo(&self, client: ClientId, socket: &mut WebSocket) -> (u16, String) {
        let mut stopped = self.stopped.subscribe();
        let mut told = false;
        let result = loop {
            let exchange = tokio::select! {
                biased;
                exchange = socket.next_exchange() => exchange,
                () = over(&mut stopped), if !told => {
                    told = true;
                    let _ = socket.close(CloseCode::GOING_AWAY, "the server stops").await;
                    continue;
                }
            };
            let Exchange {
                message,
                mut replies,
                ..
            } = match exchange {
                Ok(Some(exchange)) => exchange,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            if self.tell_messages {
                self.tell(client, &message);
            }
            // Once a close frame came or went, what else comes is not answered.
            if let Err(error) = replies.send_back(message)
                && error.kind() != ErrorKind::Closed
            {
                break Err(error);
            }
        };
        match (socket.close_frame(), result) {
            (Some(frame), _) => (frame.code.as_u16(), frame.reason.clone()),
            (None, Ok(())) => (1006, String::new()),
            (None, Err(error)) => end(&error),
        }
    }

    fn tell(&self, client: ClientId, message: &MessageRef<'_>) {
        let (came, goes) = match message.as_text() {
            Some(text) => (
                Incoming::Text(text.to_owned()),
                Outgoing::Text(text.to_owned()),
            ),
            None => (
                Incoming::Binary(message.as_bytes().to_vec()),
                Outgoing::Binary(message.as_bytes().to_vec()),
            ),
        };
        self.observer.event(&Event::Received {
            client,
            what: &came,
        });
        self.observer.event(&Event::Sent {
            to: Recipient::One(client),
            what: &goes,
            how: Delivery::default(),
        });
    }
}

/// Waits until the server stops, or has stopped already.
async fn over(stopped: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, and so has stopped.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn end(error: &Error) -> (u16, String) {
    let code = error.close_code().map_or(1006, CloseCode::as_u16);
    (code, error.to_string())
}

impl Host for Echo {
    fn handshake(
        self: &Arc<Self>,
        request: &Request,
        upgrade: Upgrade,
    ) -> (Reply, Result<Life, String>) {
        let accepted = upgrade.accept(AcceptOptions {
            deflate: self.deflate,
            config: Arc::clone(&self.config),
            ..AcceptOptions::default()
        });
        match accepted {
            Ok((reply, socket)) => {
                let target = request.uri.to_string();
                let life =
                    Arc::clone(self).client(request.peer_addr, target, extensions(&reply), socket);
                (reply, Ok(Box::pin(life)))
            }
            Err(error) => {
                let why = error.to_string();
                (Reply::text(500, format!("{why}\n")), Err(why))
            }
        }
    }

    fn plain(self: &Arc<Self>, _: &Request) -> Option<Reply> {
        None
    }

    fn observer(&self) -> &dyn Observer {
        self.observer.as_ref()
    }

    fn stop(&self) {
        self.stopped.send_replace(true);
    }

    async fn background(self: Arc<Self>) {
        std::future::pending::<()>().await;
    }
}
