//! A server that sends back what it receives.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use wiretalk_net::server::{AcceptOptions, Reply, Request, Upgrade};
use wiretalk_net::{CloseCode, Error, Message, WebSocket};
use wiretalk_talk::player::{ConnectionId, Incoming, Outgoing};

use super::{Event, Host, Life, Observer, Options, Recipient, Server};

/// How many clients there are, and the number of the last that came.
#[derive(Debug, Default)]
struct Count {
    now: usize,
    last: u64,
}

/// An echo server.
pub struct Echo {
    options: Options,
    observer: Arc<dyn Observer>,
    clients: Mutex<Count>,
    stopped: watch::Sender<bool>,
    /// Whether every message is told to the observer; each costs a copy.
    tell_messages: bool,
}

impl Echo {
    /// An echo server. With `tell_messages`, the observer is told of every message.
    #[must_use]
    pub fn new(options: Options, observer: Arc<dyn Observer>, tell_messages: bool) -> Arc<Self> {
        Arc::new(Self {
            options,
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
        target: String,
        socket: impl Future<Output = Result<WebSocket, Error>>,
    ) {
        let Ok(mut socket) = socket.await else { return };
        let came = Instant::now();
        let client = {
            let mut count = self.count();
            count.last += 1;
            count.now += 1;
            let client = ConnectionId(count.last);
            self.observer.event(&Event::Connected {
                client,
                peer: socket.peer_addr(),
                target: &target,
                subprotocol: None,
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
    async fn echo(&self, client: ConnectionId, socket: &mut WebSocket) -> (u16, String) {
        let mut stopped = self.stopped.subscribe();
        let mut told = false;
        let mut closed = None;
        loop {
            // What is ready is answered before anything is written, so that a batch leaves in one go.
            let event = tokio::select! {
                biased;
                event = socket.next_event() => event,
                () = std::future::ready(()) => {
                    if let Err(error) = socket.flush().await {
                        return closed.unwrap_or_else(|| end(&error));
                    }
                    tokio::select! {
                        event = socket.next_event() => event,
                        () = over(&mut stopped), if !told => {
                            told = true;
                            let _ = socket.close(CloseCode::GOING_AWAY, "the server stops").await;
                            socket.next_event().await
                        }
                    }
                }
            };
            let message = match event {
                Ok(Some(wiretalk_net::Event::Text(text))) => Message::Text(text),
                Ok(Some(wiretalk_net::Event::Binary(bytes))) => Message::Binary(bytes),
                Ok(Some(wiretalk_net::Event::Close(frame))) => {
                    closed = Some(match frame {
                        Some(frame) => (frame.code.as_u16(), frame.reason),
                        None => (1005, String::new()),
                    });
                    continue;
                }
                Ok(Some(_)) => continue,
                Ok(None) => return closed.unwrap_or((1006, String::new())),
                Err(error) => return closed.unwrap_or_else(|| end(&error)),
            };
            if self.tell_messages {
                self.tell(client, &message);
            }
            if let Err(error) = socket.feed(message).await {
                return closed.unwrap_or_else(|| end(&error));
            }
        }
    }

    fn tell(&self, client: ConnectionId, message: &Message) {
        let (came, goes) = match message {
            Message::Text(text) => (
                Incoming::Text(text.as_str().to_owned()),
                Outgoing::Text(text.as_str().to_owned()),
            ),
            Message::Binary(bytes) => (
                Incoming::Binary(bytes.to_vec()),
                Outgoing::Binary(bytes.to_vec()),
            ),
        };
        self.observer.event(&Event::Received {
            client,
            what: &came,
        });
        self.observer.event(&Event::Sent {
            to: Recipient::One(client),
            what: &goes,
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
            config: self.options.config(true),
            ..AcceptOptions::default()
        });
        match accepted {
            Ok((reply, socket)) => {
                let target = request.uri.to_string();
                let life = Arc::clone(self).client(target, socket);
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
