//! A server that sends back what it receives.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use wiretalk_hub::{ConnectionId, Hub, Member, Target};
use wiretalk_net::server::{AcceptOptions, Reply, Request, Upgrade};
use wiretalk_net::{CloseCode, Config, DeflateConfig, Error, Exchange, MessageRef};
use wiretalk_server::link::{Command, Link};
use wiretalk_server::{Meter, Slot};
use wiretalk_talk::player::{Delivery, Incoming, Outgoing};

use super::admission::Entry;
use super::operation::{Operation, Refused, Stop};
use super::seat::{Latest, Seat};
use super::trace::{Traced, TracedEnd};
use super::{
    ClientId, Event, Host, Life, Observer, Opening, Options, Recipient, Server, extensions, tell,
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
    targets: Mutex<Latest>,
    operation: Arc<Operation>,
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
            targets: Mutex::default(),
            operation: Arc::clone(&options.operation),
            tell_messages,
        })
    }

    /// Serves until `stop` is done; then the clients are let go as that says: `()` is [`Stop::Now`].
    ///
    /// Dropping this future ends all connections at once, without a close frame.
    pub async fn serve<S: Into<Stop>>(
        self: Arc<Self>,
        server: Server,
        stop: impl Future<Output = S>,
    ) {
        server.serve(self, stop).await;
    }

    fn joined(&self, client: ClientId, coming: &Coming, meter: &Arc<Meter>) {
        let mut count = self.count();
        *count += 1;
        if let Some(metrics) = &self.operation.metrics {
            let seat = Seat {
                client,
                peer: coming.peer,
                target: Arc::clone(&coming.target),
                subprotocol: None,
                since: jiff::Timestamp::now(),
                meter: Arc::clone(meter),
                traced: coming.traced.clone(),
            };
            metrics.opened(Arc::new(seat));
        }
        self.observer.event(&Event::Connected {
            client,
            peer: coming.peer,
            target: &coming.target,
            subprotocol: None,
            extensions: coming.extensions.as_deref(),
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

    fn targets(&self) -> MutexGuard<'_, Latest> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Answers one client until its connection ends.
struct Client {
    echo: Arc<Echo>,
    /// Until it leaves.
    member: Option<Member<Command>>,
    link: Link<Command>,
    meter: Arc<Meter>,
    peer: SocketAddr,
    target: Arc<str>,
    came: Instant,
    /// Its place among all clients, given back when it is gone.
    _slot: Option<Slot>,
    traced: Traced,
}

impl Future for Client {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            echo,
            member,
            link,
            meter,
            ..
        } = &mut *self;
        let Some(id) = member.as_ref().map(Member::id) else {
            return Poll::Ready(());
        };
        let client = ClientId(id.0);
        let mut answer = |exchange: Exchange<'_>| echo.answer(client, meter, exchange);
        while let Some(why) = ready!(link.poll_answer(cx, &mut answer)) {
            let event = match why.kind {
                "slow" => Event::TooSlow { client },
                _ => Event::Expelled { client, why: &why },
            };
            tell(&**echo, &event);
        }
        drop(member.take());
        self.left(client);
        Poll::Ready(())
    }
}

impl Client {
    fn left(&self, client: ClientId) {
        let (code, why) = match (self.link.socket.close_frame(), self.link.error()) {
            (Some(frame), _) => (frame.code.as_u16(), frame.reason.clone()),
            (None, None) => (1006, String::new()),
            (None, Some(error)) => end(error),
        };
        let after = self.came.elapsed();
        let mut count = self.echo.count();
        *count -= 1;
        if let Some(metrics) = &self.echo.operation.metrics {
            metrics.closed(client, code, after);
        }
        let traffic = self.meter.traffic();
        self.traced.left(&TracedEnd {
            client,
            code,
            why: &why,
            traffic,
        });
        self.echo.observer.event(&Event::Left {
            client,
            peer: self.peer,
            target: &self.target,
            code,
            why: &why,
            after,
            traffic,
            clients: *count,
        });
    }
}

/// What is told of a client when it has come.
struct Coming {
    peer: SocketAddr,
    target: Arc<str>,
    extensions: Option<String>,
    traced: Traced,
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
        entry: Entry,
    ) -> (Reply, Result<Opening, Refused>) {
        let accepted = upgrade.accept(AcceptOptions {
            subprotocol: entry.admitted.subprotocol.map(str::to_owned),
            deflate: self.deflate,
            config: Arc::clone(&self.config),
            ..AcceptOptions::default()
        });
        match accepted {
            Ok((reply, socket)) => {
                let coming = Coming {
                    peer: request.peer_addr,
                    target: self.targets().share(&request.uri.to_string()),
                    extensions: extensions(&reply),
                    traced: entry.traced.clone(),
                };
                // It has its place before the answer leaves, so that it is told when the server stops.
                let (member, outbox) = self.hub.join_with(self.queue_size);
                let echo = Arc::clone(self);
                let opening = async move {
                    let mut socket = socket.await.ok()?;
                    let told = |event: &Event<'_>| tell(&*echo, event);
                    let entry = entry.prove(&mut socket, &told, &coming.target).await?;
                    let meter = Arc::new(Meter::default());
                    let link = Link::new(socket, outbox)
                        .guarded(entry.admitted.gate)
                        .metered(Arc::clone(&meter));
                    echo.joined(ClientId(member.id().0), &coming, &meter);
                    let life: Life = Box::pin(Client {
                        echo,
                        member: Some(member),
                        link,
                        meter,
                        peer: coming.peer,
                        target: coming.target,
                        came: Instant::now(),
                        _slot: entry.slot,
                        traced: coming.traced,
                    });
                    Some(life)
                };
                (reply, Ok(Box::pin(opening)))
            }
            Err(error) => {
                let why = error.to_string();
                (
                    Reply::text(500, format!("{why}\n")),
                    Err(Refused::handshake(why)),
                )
            }
        }
    }

    fn plain(self: &Arc<Self>, _: &Request) -> Option<Reply> {
        None
    }

    fn observer(&self) -> &dyn Observer {
        self.observer.as_ref()
    }

    fn operation(&self) -> &Operation {
        &self.operation
    }

    fn ids(&self) -> Vec<ConnectionId> {
        self.hub.ids()
    }

    fn send_away(&self, whom: Target<'_>, code: u16, why: &str) {
        let close = Command::Close(CloseCode::new(code), why.into());
        self.hub.control(whom, &close, 0);
    }

    async fn background(self: Arc<Self>) {
        std::future::pending::<()>().await;
    }
}
