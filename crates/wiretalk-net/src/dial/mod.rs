//! Dialing: RFC 6455 section 4.1.

mod asked;
#[cfg(feature = "cookies")]
mod cookies;
mod credentials;
mod deadline;
#[cfg(feature = "fetch")]
mod fetch;
mod handshake;
mod http1;
mod http2;
mod overrides;
mod proxy;
mod race;
mod redirect;
mod refusal;
mod request;
mod route;
mod tcp;
mod tls;
mod unix;
mod url;

use std::{path::PathBuf, sync::Arc};

use tokio::time::Instant;
use wiretalk_proto::{Role, handshake::client::Response};

#[cfg(feature = "cookies")]
pub use self::cookies::CookieJar;
use self::{
    asked::asked, deadline::Deadline, redirect::Way, route::Route, unix::UnixAddress, url::Target,
};
pub use self::{
    handshake::{Handshake, Redirect, Timings},
    http2::Http2,
    overrides::{AddressFamily, ConnectTo, Resolve},
    proxy::{NoProxy, Proxies, Proxy},
    request::Request,
    tls::{Identity, Pin, TlsFailure, TlsInfo, TlsOptions, TlsVersion},
};
use crate::{
    config::Config,
    error::{Blame, Error},
    transport::Transport,
    websocket::{Info, WebSocket},
};

#[cfg(feature = "http2")]
pub(crate) use self::asked::is_secret;
pub(crate) use self::tls::{Failed, certificates};

/// Dials with the default settings; see [`Connector::connect`].
///
/// ```
/// # use wiretalk_net::server::{AcceptOptions, Listener, ServeOptions, serve_connection};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let listener = Listener::bind("127.0.0.1:0", None).await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async move {
/// #     while let Ok(incoming) = listener.accept().await {
/// #         tokio::spawn(serve_connection(incoming, ServeOptions::default(), async |mut request| {
/// #             let (reply, socket) = request.upgrade().unwrap().accept(AcceptOptions::default()).unwrap();
/// #             tokio::spawn(async {
/// #                 let mut socket = socket.await.unwrap();
/// #                 while let Some(Ok(message)) = socket.recv().await {
/// #                     let _ = socket.send(message).await;
/// #                 }
/// #             });
/// #             reply
/// #         }));
/// #     }
/// # });
/// let (mut socket, handshake) = wiretalk_net::connect(url).await?;
/// socket.send("hello").await?;
/// assert_eq!(socket.recv().await.transpose()?, Some("hello".into()));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Connector::connect`].
pub async fn connect(request: impl Into<Request>) -> Result<(WebSocket, Handshake), Error> {
    let request = request.into();
    Connector::new().connect(&request).await
}

/// Dials, with settings that hold for all connections it makes. The system's root certificates are read at the first
/// `wss:`, once.
///
/// Nothing of the environment is looked at: there is no proxy, no cookie and no redirect that is not asked for.
///
/// ```
/// # use wiretalk_net::server::{AcceptOptions, Listener, ServeOptions, serve_connection};
/// use wiretalk_net::{Connector, Request};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let listener = Listener::bind("127.0.0.1:0", None).await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async move {
/// #     while let Ok(incoming) = listener.accept().await {
/// #         tokio::spawn(serve_connection(incoming, ServeOptions::default(), async |mut request| {
/// #             let (reply, socket) = request.upgrade().unwrap().accept(AcceptOptions::default()).unwrap();
/// #             tokio::spawn(async {
/// #                 let mut socket = socket.await.unwrap();
/// #                 while let Some(Ok(message)) = socket.recv().await {
/// #                     let _ = socket.send(message).await;
/// #                 }
/// #             });
/// #             reply
/// #         }));
/// #     }
/// # });
/// let connector = Connector::new().redirects(5);
/// let (first, _) = connector.connect(&Request::new(&*url)).await?;
/// let (second, _) = connector.connect(&Request::new(&*url)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Connector {
    config: Arc<Config>,
    tls: tls::Client,
    route: Route,
    redirects: u32,
    #[cfg(feature = "cookies")]
    cookies: Option<CookieJar>,
    http2: Http2,
}

impl Connector {
    /// The default settings.
    ///
    /// ```
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let connector = wiretalk_net::Connector::new();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The settings of the connections.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk_net::{Config, Connector};
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let connector = Connector::new().config(Config {
    ///     handshake_timeout: Duration::from_secs(3),
    ///     ..Config::default()
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// How TLS is done with servers that are reached by `wss:`.
    ///
    /// ```
    /// use wiretalk_net::{Connector, TlsOptions};
    ///
    /// let connector = Connector::new().tls(TlsOptions::new().insecure(true));
    /// ```
    #[must_use]
    pub fn tls(mut self, options: TlsOptions) -> Self {
        self.tls = tls::Client::new(options);
        self
    }

    /// Dials this Unix socket, whatever host and port the URL names, as curl's `--unix-socket`. They still stand in the
    /// `Host` header, and a certificate must be for the host. On a system without Unix sockets, dialing fails.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), wiretalk_net::Error> {
    /// use wiretalk_net::{Connector, Request};
    ///
    /// let connector = Connector::new().unix_socket("/run/chat.sock");
    /// let (socket, _) = connector.connect(&Request::new("ws://localhost/chat")).await?;
    /// // The same, for one connection alone, as a URL:
    /// let (socket, _) = wiretalk_net::connect("ws+unix:///run/chat.sock:/chat").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.route.unix = Some(UnixAddress::Path(path.into()));
        self
    }

    /// Dials this socket of Linux's abstract namespace, as [`unix_socket`](Connector::unix_socket) does one with a path.
    /// The name comes without the NUL (or the `@`, as people write it) before it. Anywhere but on Linux, dialing fails.
    ///
    /// ```
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let connector = wiretalk_net::Connector::new().abstract_unix_socket("chat");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn abstract_unix_socket(mut self, name: impl Into<Vec<u8>>) -> Self {
        self.route.unix = Some(UnixAddress::Abstract(name.into()));
        self
    }

    /// Goes through a proxy, or several; see [`Proxies`]. Default: none, whatever the environment says.
    /// [`Proxies::from_env`] asks it.
    ///
    /// A proxy of `https:` is judged by the roots of [`Connector::tls`], as servers are; pins and the client certificate
    /// are not for it. A Unix socket is dialed without a proxy. Through one, [`WebSocket::peer_addr`] is the proxy's
    /// address.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), wiretalk_net::Error> {
    /// use wiretalk_net::{Connector, Proxy, Request};
    ///
    /// let proxy: Proxy = "http://me:secret@proxy.example:3128".parse()?;
    /// let connector = Connector::new().proxies(proxy);
    /// let (socket, handshake) = connector.connect(&Request::new("wss://example.com/")).await?;
    /// println!("the tunnel took {:?}", handshake.timings.proxy);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn proxies(mut self, proxies: impl Into<Proxies>) -> Self {
        self.route.proxies = proxies.into();
        self
    }

    /// Whether only IPv4 or only IPv6 addresses are dialed. Default: both.
    ///
    /// ```
    /// use wiretalk_net::{AddressFamily, Connector};
    ///
    /// let connector = Connector::new().address_family(AddressFamily::V4);
    /// ```
    #[must_use]
    pub fn address_family(mut self, family: AddressFamily) -> Self {
        self.route.resolver.family = family;
        self
    }

    /// Dials another host and port than the URL's; of several that are for it, the first. See [`ConnectTo`].
    ///
    /// ```
    /// let staging = "chat.example:443:staging.example:8443".parse()?;
    /// let connector = wiretalk_net::Connector::new().connect_to(staging);
    /// # Ok::<(), wiretalk_net::Error>(())
    /// ```
    #[must_use]
    pub fn connect_to(mut self, other: ConnectTo) -> Self {
        self.route.connect_to.push(other);
        self
    }

    /// Takes the addresses of a host from here, not from the system's resolver; of several that are for it, the first.
    /// See [`Resolve`].
    ///
    /// ```
    /// let known = "chat.example:443:192.0.2.7,192.0.2.8".parse()?;
    /// let connector = wiretalk_net::Connector::new().resolve(known);
    /// # Ok::<(), wiretalk_net::Error>(())
    /// ```
    #[must_use]
    pub fn resolve(mut self, known: Resolve) -> Self {
        self.route.resolver.known.push(known);
        self
    }

    /// How many redirects (301, 302, 303, 307, 308 with a `Location`) are followed at most. Default: 0, and a redirect is
    /// a refusal as any other answer.
    ///
    /// What proves who the caller is stays at home: the headers `Authorization`, `Cookie` and `Proxy-Authorization`, the
    /// URL's user name and password, a `Host` header and the client certificate are sent only to the URL's own scheme, host
    /// and port, and the name of [`TlsOptions::server_name`] is wanted there alone. A redirect from `wss:` to `ws:` is
    /// refused. [`Handshake::redirects`] tells the way that was taken.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), wiretalk_net::Error> {
    /// use wiretalk_net::{Connector, Request};
    ///
    /// let connector = Connector::new().redirects(5);
    /// let (socket, handshake) = connector.connect(&Request::new("ws://example.com/old")).await?;
    /// for hop in &handshake.redirects {
    ///     println!("{}: {} to {}", hop.url, hop.response.status, hop.location);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn redirects(mut self, max: u32) -> Self {
        self.redirects = max;
        self
    }

    /// Keeps the cookies that servers set in this jar, and sends those that are for the server, behind those of a
    /// `Cookie` header in the request. Default: none are kept, and none are sent. Needs the feature `cookies`.
    ///
    /// ```
    /// use wiretalk_net::{Connector, CookieJar, Request};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let listener = wiretalk_net::server::Listener::bind("127.0.0.1:0", None).await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async move {
    /// #     let incoming = listener.accept().await?;
    /// #     let options = wiretalk_net::server::ServeOptions::default();
    /// #     let log_in = async |_| match wiretalk_net::server::Reply::new(401).header("Set-Cookie", "visit=1") {
    /// #         Ok(reply) => reply,
    /// #         Err(error) => wiretalk_net::server::Reply::text(500, error.to_string()),
    /// #     };
    /// #     wiretalk_net::server::serve_connection(incoming, options, log_in).await
    /// # });
    /// let jar = CookieJar::new();
    /// let connector = Connector::new().cookies(jar.clone());
    /// // The server refuses, with `Set-Cookie: visit=1`.
    /// assert!(connector.connect(&Request::new(&*url)).await.is_err());
    /// assert_eq!(jar.header(&url)?.as_deref(), Some("visit=1"));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "cookies")]
    #[must_use]
    pub fn cookies(mut self, jar: CookieJar) -> Self {
        self.cookies = Some(jar);
        self
    }

    /// Whether the WebSocket may run over HTTP/2 (RFC 8441). Default: [`Http2::Off`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), wiretalk_net::Error> {
    /// use wiretalk_net::{Connector, Http2, Request};
    ///
    /// let connector = Connector::new().http2(Http2::Prefer);
    /// let (socket, handshake) = connector.connect(&Request::new("wss://example.com/chat")).await?;
    /// println!("{:?}", handshake.http_version); // HTTP/2.0, or HTTP/1.1 if the server does not do it
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "http2")]
    #[must_use]
    pub fn http2(mut self, http2: Http2) -> Self {
        self.http2 = http2;
        self
    }

    /// Dials: resolves the name, connects to the first of its addresses that answers (RFC 8305: a new attempt joins
    /// every 250 ms), agrees on TLS if need be, and does the opening handshake. All of it together takes no longer than
    /// [`Config::handshake_timeout`].
    ///
    /// A user name and a password in the URL are sent as `Authorization: Basic` (RFC 7617), unless the request has that
    /// header. A `Host` header in the request takes the place of the URL's.
    ///
    /// Dropping the future ends the attempt wherever it is: nothing was spawned for it, and its sockets are closed. Only
    /// a look-up of a name that the system's resolver has begun runs to its end, on one of tokio's threads for blocking
    /// calls, whose number is bounded.
    ///
    /// ```
    /// # use wiretalk_net::server::{AcceptOptions, Listener, ServeOptions, serve_connection};
    /// use wiretalk_net::{Connector, Request};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async move {
    /// #     while let Ok(incoming) = listener.accept().await {
    /// #         tokio::spawn(serve_connection(incoming, ServeOptions::default(), async |mut request| {
    /// #             let (reply, socket) = request.upgrade().unwrap().accept(AcceptOptions::default()).unwrap();
    /// #             tokio::spawn(async {
    /// #                 let mut socket = socket.await.unwrap();
    /// #                 while let Some(Ok(message)) = socket.recv().await {
    /// #                     let _ = socket.send(message).await;
    /// #                 }
    /// #             });
    /// #             reply
    /// #         }));
    /// #     }
    /// # });
    /// let mut request = Request::new(url);
    /// request.headers.push(("Authorization".into(), "Bearer s3cret".into()));
    /// let (socket, handshake) = Connector::new().connect(&request).await?;
    /// println!("open after {:?}", handshake.timings.total);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a bad URL, header or subprotocol; `Dns`, `Refused`, `Unreachable`, `Tls`, `Timeout`, `Reset`;
    /// `Proxy` if one is in the way and did not connect us: see [`Error::proxy_failure`]; `Handshake` if the server
    /// answers anything but a correct 101, or over HTTP/2 2xx: see [`Error::refusal`] for its answer; `Http2` if HTTP/2
    /// fails before there is one.
    pub async fn connect(&self, request: &Request) -> Result<(WebSocket, Handshake), Error> {
        let deadline = Deadline::from_now(self.config.handshake_timeout);
        let first = Target::parse(&request.url)?;
        let mut target = first.clone();
        let mut way = Way::new(self.redirects);
        loop {
            let mut asked = asked(request, &mut target, &first)?;
            self.add_cookies(&mut asked, &target);
            let mut timings = Timings::default();
            let begin = Instant::now();
            let at_home = target.same_origin(&first);
            let attempt = self.attempt(&asked, &target, at_home, deadline, &mut timings);
            let opened = attempt.await;
            timings.total = begin.elapsed();
            self.keep_cookies(
                match &opened {
                    Ok((_, opened)) => Some(&opened.response),
                    Err(error) => error.response(),
                },
                &target,
            );
            match opened {
                Ok((socket, opened)) => {
                    timings.total += way.spent();
                    let handshake = Handshake {
                        url: target.url(),
                        response: opened.response,
                        http_version: opened.http_version,
                        redirects: way.into_hops(),
                        tls: opened.tls,
                        timings,
                    };
                    return Ok((socket, handshake));
                }
                Err(error) => target = way.next(error, &target, timings)?,
            }
        }
    }

    #[cfg(feature = "cookies")]
    fn add_cookies(&self, asked: &mut Request, target: &Target) {
        if let Some(jar) = &self.cookies {
            jar.add(asked, target);
        }
    }

    #[cfg(feature = "cookies")]
    fn keep_cookies(&self, response: Option<&Response>, from: &Target) {
        if let (Some(jar), Some(response)) = (&self.cookies, response) {
            jar.keep(response, from);
        }
    }

    #[cfg(not(feature = "cookies"))]
    fn add_cookies(&self, _asked: &mut Request, _target: &Target) {}

    #[cfg(not(feature = "cookies"))]
    fn keep_cookies(&self, _response: Option<&Response>, _from: &Target) {}

    /// Dials one server, and does not go elsewhere if it says so. One that is not `at_home` is another than the caller
    /// named.
    async fn attempt(
        &self,
        asked: &Request,
        target: &Target,
        at_home: bool,
        deadline: Deadline,
        timings: &mut Timings,
    ) -> Result<(WebSocket, Opened), Error> {
        let opening = http1::opening(asked, target)?;
        let mut http2 = self.http2;
        loop {
            let mut stream = self.reach(target, deadline, timings).await?;
            let (peer_addr, local_addr) = (stream.peer_addr(), stream.local_addr());
            let mut tls = None;
            if target.secure {
                let since = Instant::now();
                let peer = tls::Peer {
                    host: &target.host,
                    authority: &target.name(),
                    part: if at_home {
                        tls::Part::Server
                    } else {
                        tls::Part::Elsewhere
                    },
                };
                let secured = self.secure(stream, peer, http2.alpn(), deadline);
                let (secured, info) = secured.await?;
                (stream, tls) = (secured, Some(info));
                timings.tls = Some(since.elapsed());
            }
            let since = Instant::now();
            let speaks_http2 = http2.is_chosen(target.secure, tls.as_ref(), &target.name())?;
            let opened = if speaks_http2 {
                http2::open(stream, &opening, http2, target, deadline).await?
            } else {
                Some(open(stream, &opening, target, deadline).await?)
            };
            let Some((stream, response, read_ahead)) = opened else {
                // It speaks HTTP/2, but takes no WebSocket over it.
                http2 = Http2::Off;
                continue;
            };
            timings.upgrade = since.elapsed();
            let info = Info {
                peer_addr,
                local_addr,
                subprotocol: response.subprotocol.as_deref().map(Into::into),
            };
            let socket = WebSocket::new(
                stream,
                Role::Client,
                Arc::clone(&self.config),
                response.deflate,
                &read_ahead,
                info,
            );
            let http_version = if speaks_http2 {
                http::Version::HTTP_2
            } else {
                http::Version::HTTP_11
            };
            let opened = Opened {
                response,
                http_version,
                tls,
            };
            return Ok((socket, opened));
        }
    }

    /// TLS with who is at the other end of the stream, whose certificate must be for the name.
    async fn secure(
        &self,
        stream: Transport,
        peer: tls::Peer<'_>,
        alpn: &[&str],
        deadline: Deadline,
    ) -> Result<(Transport, TlsInfo), Error> {
        let late = |limit| {
            let what = format_args!("{} did not finish the TLS handshake", peer.authority);
            Error::timeout(Blame::Peer, what, limit)
        };
        let handshake = self.tls.connect(stream, peer, alpn);
        deadline.within(handshake, late).await?
    }
}

/// What the handshake with one server came to.
struct Opened {
    response: Response,
    http_version: http::Version,
    tls: Option<TlsInfo>,
}

/// The opening handshake, over a stream that has reached the server. Gives the stream of the connection, the answer,
/// and the bytes that came behind it.
async fn open(
    mut stream: Transport,
    opening: &http1::Opening,
    target: &Target,
    deadline: Deadline,
) -> Result<(Transport, Response, Vec<u8>), Error> {
    let answer = http1::open(&mut stream, opening, deadline.at);
    let late = |limit| {
        let what = format_args!("{} did not answer the opening handshake", target.name());
        Error::timeout(Blame::Peer, what, limit)
    };
    let (response, read_ahead) = deadline.within(answer, late).await??;
    Ok((stream, response, read_ahead))
}
