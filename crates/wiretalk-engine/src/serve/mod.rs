//! Servers: a talk as a mock ([`Mock`]), several of them at one address ([`Site`]), and an echo ([`Echo`]). One loop
//! accepts for all.

mod client;
mod command;
pub mod control;
mod echo;
pub mod journal;
mod mock;
mod observe;
mod site;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use wiretalk_net::server::{
    Incoming, Listener, RefusalKind, Reply, Request, ServeOptions, TlsConfig, Upgrade,
    serve_connection,
};
use wiretalk_net::{Config, DeflateConfig, Error};

pub use echo::Echo;
pub use mock::{Audience, ClientInfo, Mock, MockError, Performance, Place, Shared};
pub use observe::{ClientId, Event, Observer, Recipient};
pub use site::{Site, SiteError};

/// How long clients may take to finish their close handshakes when the server stops.
const STOPPING: Duration = Duration::from_secs(2);

/// The page that a browser gets which asks for the server by plain HTTP.
const PAGE: &str = include_str!("page.html");

/// How a server serves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often a client is pinged, and how long it may take to answer before it is dropped.
    pub ping_interval: Duration,
    /// See `ping_interval`.
    pub ping_timeout: Duration,
    /// The largest message that a client may send, in bytes; of a compressed one, once it is inflated.
    pub message_size: usize,
    /// How long a client's message may take from its first byte to its last before the client is closed with 1008;
    /// zero: for ever.
    pub message_timeout: Duration,
    /// How to compress for clients that offer permessage-deflate (RFC 7692); `None`: not at all.
    pub deflate: Option<DeflateConfig>,
    /// The bytes that may wait to be sent to one client before it is dropped as too slow.
    pub queue_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(20),
            message_size: 64 * 1024 * 1024,
            message_timeout: Duration::from_secs(120),
            deflate: Some(DeflateConfig::default()),
            queue_size: 16 * 1024 * 1024,
        }
    }
}

impl Options {
    fn config(&self, automatic: bool) -> Arc<Config> {
        let unless_zero = |time: Duration| (!time.is_zero()).then_some(time);
        let mut config = Config {
            auto_pong: automatic,
            auto_close: automatic,
            ping_interval: unless_zero(self.ping_interval),
            ping_timeout: self.ping_timeout,
            message_timeout: unless_zero(self.message_timeout),
            ..Config::default()
        };
        config.limits.message_size = self.message_size;
        config.limits.frame_size = self.message_size as u64;
        Arc::new(config)
    }
}

/// What the 101 agrees on beside the protocol itself: the value of `Sec-WebSocket-Extensions`.
fn extensions(reply: &Reply) -> Option<String> {
    let value = reply.headers().get("sec-websocket-extensions")?;
    Some(value.to_str().ok()?.to_owned())
}

/// What a server does with the requests and clients that come to it.
pub(crate) trait Host: Send + Sync + 'static {
    /// A handshake: the reply, and the client's coming if it is accepted, or why it is not.
    fn handshake(
        self: &Arc<Self>,
        request: &Request,
        upgrade: Upgrade,
    ) -> (Reply, Result<Opening, String>);

    /// A plain request; `None` if the host has no answer of its own.
    fn plain(self: &Arc<Self>, request: &Request) -> Option<Reply>;

    /// Where the host tells what it sees.
    fn observer(&self) -> &dyn Observer;

    /// The server stops: every client is to be told.
    fn stop(&self);

    /// What runs beside the clients: clocks, say.
    fn background(self: Arc<Self>) -> impl Future<Output = ()> + Send;
}

/// Waits for the stream of a client whose handshake was accepted, and gives what serves it; `None` if it was lost before.
///
/// Two futures, so that a client that stays holds no memory for its coming.
pub(crate) type Opening = std::pin::Pin<Box<dyn Future<Output = Option<Life>> + Send>>;

/// The future that serves one client to its end.
pub(crate) type Life = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server that listens, and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
}

impl Server {
    /// Listens on an address such as `127.0.0.1:4000`; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address is in use or not to be had.
    pub async fn bind(address: &str, tls: Option<TlsConfig>) -> Result<Self, Error> {
        Ok(Self {
            listener: Listener::bind(address, tls).await?,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is done; then tells every client that it goes away (1001), and waits a moment for them.
    pub(crate) async fn serve<H: Host>(self, host: Arc<H>, stop: impl Future<Output = ()>) {
        let mut tasks = Tasks::default();
        let mut background = std::pin::pin!(Arc::clone(&host).background());
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                // It never ends by itself.
                () = &mut background => {}
                () = tasks.next_ended() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok(incoming) => {
                        tasks.connections.spawn(connection(Arc::clone(&host), incoming));
                    }
                    Err(error) => {
                        host.observer().event(&Event::AcceptFailed { why: &error.to_string() });
                        // Out of descriptors, most likely: a pause lets some connections end.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop(self.listener);
        host.stop();
        if timeout(STOPPING, tasks.ended()).await.is_err() {
            tasks.shutdown().await;
        }
    }
}

/// The tasks of a server. A client has one of its own from its upgrade on: that of its connection has room for all of
/// HTTP.
#[derive(Default)]
struct Tasks {
    connections: JoinSet<Option<Life>>,
    lives: JoinSet<()>,
}

impl Tasks {
    /// Waits until one has ended, if there are any; a connection that became a client lives on. Cancel-safe.
    async fn next_ended(&mut self) {
        tokio::select! {
            Some(ended) = self.connections.join_next() => {
                // One that panicked has told so.
                if let Ok(Some(life)) = ended {
                    self.lives.spawn(life);
                }
            }
            Some(_) = self.lives.join_next() => {}
            else => std::future::pending().await,
        }
    }

    /// Waits until all have ended.
    async fn ended(&mut self) {
        while !(self.connections.is_empty() && self.lives.is_empty()) {
            self.next_ended().await;
        }
    }

    /// Ends those that are left, at their next await.
    async fn shutdown(&mut self) {
        self.connections.shutdown().await;
        self.lives.shutdown().await;
    }
}

/// The WebSockets of one TCP connection.
#[derive(Default)]
struct Lives {
    /// Over HTTP/1.1 there is one, which begins when HTTP has ended.
    next: Option<Opening>,
    /// Over HTTP/2 there may be many, which live beside it.
    beside: Option<JoinSet<()>>,
}

impl Lives {
    fn add(&mut self, opening: Opening, version: http::Version) {
        if version != http::Version::HTTP_2 {
            self.next = Some(opening);
            return;
        }
        let beside = self.beside.get_or_insert_default();
        // Those that are over are let go of.
        while beside.try_join_next().is_some() {}
        beside.spawn(async {
            if let Some(life) = opening.await {
                life.await;
            }
        });
    }
}

/// Serves one TCP connection: plain requests, and the WebSockets that they become over HTTP/2. Gives what is left to be
/// done once it has become one itself.
async fn connection<H: Host>(host: Arc<H>, incoming: Incoming) -> Option<Life> {
    let peer = incoming.peer_addr();
    let lives: Mutex<Lives> = Mutex::default();
    let served = serve_connection(incoming, ServeOptions::default(), |request| {
        let reply = answer(&host, request, &lives);
        async move { reply }
    })
    .await;
    if let Err(error) = served {
        host.observer().event(&Event::ConnectionFailed {
            peer,
            why: &error.to_string(),
        });
    }
    let lives = lives.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(mut beside) = lives.beside {
        while beside.join_next().await.is_some() {}
    }
    lives.next?.await
}

/// Answers one request.
fn answer<H: Host>(host: &Arc<H>, mut request: Request, lives: &Mutex<Lives>) -> Reply {
    let peer = request.peer_addr;
    let target = request.uri.to_string();
    let refused = |reply: Reply, why: &str| {
        host.observer().event(&Event::Refused {
            peer,
            target: &target,
            status: reply.status().as_u16(),
            why,
        });
        reply
    };
    match request.upgrade() {
        Ok(upgrade) => match host.handshake(&request, upgrade) {
            (reply, Err(why)) => refused(reply, &why),
            (reply, Ok(client)) => {
                let mut lives = lives.lock().unwrap_or_else(PoisonError::into_inner);
                lives.add(client, request.version());
                reply
            }
        },
        Err(refusal) if *refusal.kind() == RefusalKind::NotUpgrade => {
            let reply = host
                .plain(&request)
                .unwrap_or_else(|| without_talk(&request, refusal.into()));
            host.observer().event(&Event::Http {
                peer,
                method: request.method.as_str(),
                target: &target,
                status: reply.status().as_u16(),
            });
            reply
        }
        Err(refusal) => {
            let why = refusal.to_string();
            refused(Reply::from(refusal), &why)
        }
    }
}

/// The answer to a plain request for which the talk has none: the page to a browser, else what the RFC says.
fn without_talk(request: &Request, refusal: Reply) -> Reply {
    let accepts_html = request
        .headers
        .get_all("accept")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"));
    if !accepts_html || !matches!(request.method.as_str(), "GET" | "HEAD") {
        return refusal;
    }
    let page = Reply::html(200, PAGE);
    let headers = [
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        (
            "Content-Security-Policy",
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src ws: wss:; frame-ancestors 'none'",
        ),
    ];
    let page = headers
        .into_iter()
        .try_fold(page, |page, (name, value)| page.header(name, value));
    page.unwrap_or(refusal)
}
