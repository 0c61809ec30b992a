//! A server that sends back what it receives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use wiretalk_hub::{Hub, Member, Target};
use wiretalk_net::server::{AcceptOptions, Reply, Request, Upgrade};
use wiretalk_net::{CloseCode, Config, DeflateConfig, Error, Exchange, MessageRef};
use wiretalk_server::Meter;
use wiretalk_server::link::{Command, Link};
use wiretalk_talk::player::{Delivery, Incoming, Outgoing};

use super::{
    ClientId, Event, Host, Life, Observer, Opening, Options, Recipient, Server, extensions,
};

/// An echo server.
pub struct Echo {
    config: Arc<Config>,
    deflate: Option<DeflateConfig>,
    queue_size: usize,
    observer: Arc<dyn Observer>,
    hub: Hub<Command>,
    /// How many clients there are. Held while a change is told, so that the counts are told in their order.
    clients: Mutex<usize>,
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
            queue_size: options.queue_size,
            observer,
            hub: Hub::new(),
            clients: Mutex::default(),
            tell_messages,
        })
    }

    /// Serves until `stop` is done; then every client is told that the server goes away (1001).
    pub async fn serve(self: Arc<Self>, server: Server, stop: impl Future<Output = ()>) {
        server.serve(self, stop).await;
    }

    fn joined(&self, client: ClientId, coming: &Coming) {
        let mut count = self.count();
        *count += 1;
        self.observer.event(&Event::Connected {
            client,
            peer: coming.peer,
            target: &coming.target,
            subprotocol: None,
            extensions: coming.extensions.as_deref(),
            clients: *count,
        });
    }

    /// Serves a client until its connection ends.
    async fn client(
        self: Arc<Self>,
        member: Member<Command>,
        mut link: Link<Command>,
        meter: Arc<Meter>,
    ) {
        let came = Instant::now();
        let client = ClientId(member.id().0);
        let answer = |exchange: Exchange<'_>| self.answer(client, &meter, exchange);
        while let Some(why) = link.answer(answer).await {
            self.observer.event(&match why.kind {
                "slow" => Event::TooSlow { client },
                _ => Event::Expelled { client, why: &why },
            });
        }
        let (code, why) = match (link.socket.close_frame(), link.error()) {
            (Some(frame), _) => (frame.code.as_u16(), frame.reason.clone()),
            (None, None) => (1006, String::new()),
            (None, Some(error)) => end(error),
        };
        drop(member);
        let mut count = self.count();
        *count -= 1;
        self.observer.event(&Event::Left {
            client,
            code,
            why: &why,
            after: came.elapsed(),
            traffic: meter.traffic(),
            clients: *count,
        });
    }

    fn answer(&self, client: ClientId, meter: &Meter, exchange: Exchange<'_>) -> Result<(), Error> {
        let Exchange {
            message,
            mut replies,
            ..
        } = exchange;
        if self.tell_messages {
            self.tell(client, &message);
        }
        let bytes = message.as_bytes().len();
        replies.send_back(message)?;
        meter.sent(bytes);
        Ok(())
    }

    fn count(&self) -> MutexGuard<'_, usize> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What is told of a client when it has come.
struct Coming {
    peer: SocketAddr,
    target: String,
    extensions: Option<String>,
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
    ) -> (Reply, Result<Opening, String>) {
        let accepted = upgrade.accept(AcceptOptions {
            deflate: self.deflate,
            config: Arc::clone(&self.config),
            ..AcceptOptions::default()
        });
        match accepted {
            Ok((reply, socket)) => {
                let coming = Coming {
                    peer: request.peer_addr,
                    target: request.uri.to_string(),
                    extensions: extensions(&reply),
                };
                // It has its place before the answer leaves, so that it is told when the server stops.
                let (member, outbox) = self.hub.join_with(self.queue_size);
                let echo = Arc::clone(self);
                let opening = async move {
                    let socket = socket.await.ok()?;
                    let meter = Arc::new(Meter::default());
                    let link = Link::new(socket, outbox).metered(Arc::clone(&meter));
                    echo.joined(ClientId(member.id().0), &coming);
                    let life: Life = Box::pin(echo.client(member, link, meter));
                    Some(life)
                };
                (reply, Ok(Box::pin(opening)))
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
        let close = Command::Close(CloseCode::GOING_AWAY, "the server stops".into());
        self.hub.control(Target::All, &close, 0);
    }

    async fn background(self: Arc<Self>) {
        std::future::pending::<()>().await;
    }
}
