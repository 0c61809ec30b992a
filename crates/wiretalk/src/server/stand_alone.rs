//! The stand-alone server: how it is set up.

#[cfg(feature = "guard")]
mod guarded;
mod serving;

use std::{fmt, future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use tokio::net::ToSocketAddrs;
use wiretalk_hub::DEFAULT_QUEUE_LIMIT;

use super::{
    Handshake, Listener, Origins, Policy, Problem, Reply, Request, ServeOptions, TlsConfig,
    running::Shared,
};
use crate::{Config, DeflateConfig, Error};

/// How long clients may take to finish when the server stops, unless [`Server::stop_timeout`] says otherwise.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A WebSocket server with rooms of clients.
///
/// It listens once it is bound; [`serve`](Self::serve) then runs a handler for each client, in a task of its own. Without
/// further words it lets in pages of its own origin and clients that are no browsers ([`origins`](Self::origins)), agrees
/// on compression without context takeover, pings each client every 20 s, takes messages up to the default of
/// [`Limits`](crate::Limits), lets 1 MiB wait for a client that reads slowly, and answers plain HTTP with 426.
///
/// ```
/// use std::time::Duration;
/// use wiretalk::server::{Client, Origins, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk::Error> {
/// let server = Server::bind("127.0.0.1:0").await?
///     .origins(Origins::list(["https://chat.example"])?)
///     .subprotocols(["chat.v2", "chat.v1"])
///     .max_clients(10_000)
///     .message_size(64 * 1024)
///     .idle_timeout(Duration::from_secs(300));
/// let running = server.spawn(async |mut client: Client| {
///     while let Some(message) = client.recv().await {
///         client.send(message).await?;
///     }
///     Ok::<_, wiretalk::Error>(())
/// })?;
///
/// let (mut socket, _) = wiretalk::connect(&running.url()).await?;
/// socket.send("hello").await?;
/// assert_eq!(socket.recv().await.expect("an answer")?.as_text(), Some("hello"));
/// drop(socket);
/// running.stop().await;
/// # Ok(())
/// # }
/// ```
#[must_use = "a server serves nobody until `serve` is awaited"]
pub struct Server {
    pub(super) listener: Listener,
    pub(super) address: SocketAddr,
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
}

/// How a server serves.
pub(super) struct Settings {
    pub(super) policy: Policy,
    #[cfg(feature = "guard")]
    pub(super) guarding: super::entrance::Guarding,
    pub(super) options: ServeOptions,
    pub(super) max_clients: usize,
    pub(super) queue_size: usize,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) stop_timeout: Duration,
    pub(super) check: Option<Check>,
    pub(super) pages: Option<Pages>,
    pub(super) on_error: Option<OnError>,
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(super) type Check = Box<dyn Fn(Handshake) -> Boxed<Result<Handshake, Reply>> + Send + Sync>;
pub(super) type Pages = Box<dyn Fn(Request) -> Boxed<Reply> + Send + Sync>;
pub(super) type OnError = Box<dyn Fn(&Problem) + Send + Sync>;

impl Server {
    /// Listens on an address, such as `127.0.0.1:4000`; port 0 takes a free one. Clients that come before
    /// [`serve`](Self::serve) wait.
    ///
    /// ```
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?;
    /// assert_ne!(server.local_addr().port(), 0);
    /// assert!(Server::bind(server.local_addr()).await.is_err(), "it is taken");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io` if the address is in use or not to be had; the sentence says which.
    pub async fn bind(address: impl ToSocketAddrs + fmt::Display) -> Result<Self, Error> {
        let listener = Listener::bind(address, None).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            settings: Settings {
                policy: Policy::default(),
                #[cfg(feature = "guard")]
                guarding: super::entrance::Guarding::default(),
                options: ServeOptions::default(),
                max_clients: usize::MAX,
                queue_size: DEFAULT_QUEUE_LIMIT,
                idle_timeout: None,
                stop_timeout: STOP_TIMEOUT,
                check: None,
                pages: None,
                on_error: None,
            },
            shared: Arc::default(),
        })
    }

    /// Speaks TLS, so that clients connect with `wss://`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// use wiretalk::server::{Server, TlsConfig};
    ///
    /// # fn files() -> (Vec<u8>, Vec<u8>) {
    /// #     let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    /// #     (made.cert.pem().into_bytes(), made.signing_key.serialize_pem().into_bytes())
    /// # }
    /// let (certificate, key) = files();
    /// let server = Server::bind("127.0.0.1:0").await?.tls(TlsConfig::from_pem(&certificate, &key)?);
    /// assert!(server.url().starts_with("wss://127.0.0.1:"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.listener = self.listener.with_tls(tls);
        self
    }

    /// Whose pages may connect (RFC 6455 10.2); others are refused with 403. Default: [`Origins::same`].
    ///
    /// ```
    /// use wiretalk::{Request, Server, server::Origins};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.origins(Origins::list(["https://chat.example"])?);
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let evil = Request {
    ///     origin: Some("https://evil.example".into()),
    ///     ..Request::new(running.url())
    /// };
    /// let error = wiretalk::connect(evil).await.unwrap_err();
    /// assert_eq!(error.refusal().expect("it is one").response.status, 403);
    /// # Ok(())
    /// # }
    /// ```
    pub fn origins(mut self, origins: Origins) -> Self {
        self.settings.policy.origins = origins;
        self
    }

    /// The subprotocols that the server speaks, the one that it likes best first (RFC 6455 1.9). The first that a client
    /// offers is agreed on; a client that offers none of them is let in without one, which a [`check`](Self::check) may
    /// refuse. Default: none.
    ///
    /// ```
    /// use wiretalk::{Request, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.subprotocols(["chat.v2", "chat.v1"]);
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let request = Request {
    ///     subprotocols: vec!["chat.v1".into(), "chat.v2".into()],
    ///     ..Request::new(running.url())
    /// };
    /// let (ann, _) = wiretalk::connect(request).await?;
    /// assert_eq!(ann.subprotocol(), Some("chat.v2"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn subprotocols<S: Into<String>>(
        mut self,
        subprotocols: impl IntoIterator<Item = S>,
    ) -> Self {
        self.settings.policy.set_subprotocols(subprotocols);
        self
    }

    /// Looks at each handshake before it is answered: gives it back to let the client in, or the [`Reply`] that refuses
    /// it, with a status and a body of its own.
    ///
    /// The handshake of a client that leaves meanwhile is dropped, and with it this future.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// use wiretalk::server::{Client, Reply, Server};
    ///
    /// let server = Server::bind("127.0.0.1:0").await?.check(async |mut handshake| {
    ///     match handshake.query("token").as_deref() {
    ///         Some("swordfish") => handshake.user = Some("ann".to_owned()),
    ///         _ => return Err(Reply::text(401, "the token is missing or wrong\n")),
    ///     }
    ///     Ok(handshake)
    /// });
    /// let running = server.spawn(async |mut client: Client| {
    ///     assert_eq!(client.user().as_deref(), Some("ann"));
    ///     while client.recv().await.is_some() {}
    /// })?;
    ///
    /// let refused = wiretalk::connect(&running.url()).await.expect_err("no token");
    /// assert_eq!(refused.refusal().map(|refusal| refusal.response.status), Some(401));
    /// wiretalk::connect(&format!("{}/?token=swordfish", running.url())).await?;
    /// running.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn check<H, F>(mut self, check: H) -> Self
    where
        H: Fn(Handshake) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Handshake, Reply>> + Send + 'static,
    {
        self.settings.check = Some(Box::new(move |handshake| Box::pin(check(handshake))));
        self
    }

    /// Answers plain HTTP requests, which are answered with 426 otherwise.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// use wiretalk::server::{Reply, Server};
    ///
    /// let server = Server::bind("127.0.0.1:0").await?.pages(async |request| match request.uri.path() {
    ///     "/health" => Reply::text(200, "well\n"),
    ///     _ => Reply::text(404, "there is nothing\n"),
    /// });
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pages<H, F>(mut self, pages: H) -> Self
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        self.settings.pages = Some(Box::new(move |request| Box::pin(pages(request))));
        self
    }

    /// Is told what goes wrong: a handler that failed or panicked, a connection that got no further than its handshake.
    /// Default: nobody is told.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = wiretalk::Server::bind("127.0.0.1:0").await?;
    /// let server = server.on_error(|problem| eprintln!("{problem}"));
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_error(mut self, told: impl Fn(&Problem) + Send + Sync + 'static) -> Self {
        self.settings.on_error = Some(Box::new(told));
        self
    }

    /// How many clients there may be; the next one is refused with 503. Default: any number.
    ///
    /// ```
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.max_clients(1);
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let (ann, _) = wiretalk::connect(running.url()).await?;
    /// let error = wiretalk::connect(running.url()).await.unwrap_err();
    /// assert_eq!(error.refusal().expect("it is one").response.status, 503);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.settings.max_clients = clients;
        self
    }

    /// The largest message that a client may send, in bytes; of a compressed one, once it is inflated. A larger one
    /// closes its connection with 1009. Default: that of [`Limits`](crate::Limits).
    ///
    /// ```
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.message_size(1024);
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// ann.send("a".repeat(1025)).await?;
    /// assert!(ann.recv().await.is_none());
    /// assert_eq!(ann.close_frame().map(|frame| frame.code.as_u16()), Some(1009));
    /// # Ok(())
    /// # }
    /// ```
    pub fn message_size(mut self, bytes: usize) -> Self {
        self.settings.policy.set_message_size(bytes);
        self
    }

    /// How many bytes may wait for a client that reads slowly; one that lets more pile up is closed with 1008. One
    /// message may exceed it, if it has the queue for itself. Default: 1 MiB.
    ///
    /// ```
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.queue_size(64 * 1024);
    /// # Ok(())
    /// # }
    /// ```
    pub fn queue_size(mut self, bytes: usize) -> Self {
        self.settings.queue_size = bytes;
        self
    }

    /// How to compress for clients that offer permessage-deflate (RFC 7692); `None`: not at all. Default: without context
    /// takeover, so that an idle connection holds no compressor.
    ///
    /// ```
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.compression(None);
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let (ann, _) = wiretalk::connect(running.url()).await?;
    /// assert!(ann.deflate().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn compression(mut self, deflate: impl Into<Option<DeflateConfig>>) -> Self {
        self.settings.policy.deflate = deflate.into();
        self
    }

    /// How often a client is pinged, and how long it may then stay silent, before it is dropped; `None`: never. Default:
    /// 20 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.ping_interval(Duration::from_secs(5));
    /// # Ok(())
    /// # }
    /// ```
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        let interval = interval.into();
        let config = self.settings.policy.config_mut();
        config.ping_interval = interval;
        config.ping_timeout = interval.unwrap_or(config.ping_timeout);
        self
    }

    /// How long a client may send no message before it is closed with 1001, however well it answers pings; `None`: for
    /// ever. It is looked at while the handler is in [`Client::recv`](super::Client::recv). Default: for ever.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.idle_timeout(Duration::from_millis(20));
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert!(ann.recv().await.is_none());
    /// assert_eq!(ann.close_frame().map(|frame| frame.code.as_u16()), Some(1001));
    /// # Ok(())
    /// # }
    /// ```
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.idle_timeout = timeout.into();
        self
    }

    /// All settings of each connection at once; what else was set of them before is replaced.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::{Config, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.config(Config {
    ///     close_timeout: Duration::from_secs(1),
    ///     ..Config::default()
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn config(mut self, config: Config) -> Self {
        self.settings.policy.config = Arc::new(config);
        self
    }

    /// How HTTP is served before a connection is a WebSocket: the time for a handshake, the length of its head.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::server::{ServeOptions, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.serve_options(ServeOptions {
    ///     handshake_timeout: Duration::from_secs(3),
    ///     ..ServeOptions::default()
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve_options(mut self, options: ServeOptions) -> Self {
        self.settings.options = options;
        self
    }

    /// How long clients may take to finish when the server stops. Default: 5 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.stop_timeout(Duration::from_secs(1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.settings.stop_timeout = timeout;
        self
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.url())
            .field("origins", &self.settings.policy.origins)
            .finish_non_exhaustive()
    }
}
