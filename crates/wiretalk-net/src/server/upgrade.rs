//! From a request to a WebSocket.

use std::{
    error::Error as StdError,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
#[cfg(feature = "http2")]
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use tokio::time::timeout;
#[cfg(feature = "http2")]
use wiretalk_proto::handshake::http2::{self, PseudoHeaders};
use wiretalk_proto::{
    Agreed, DeflateConfig, Role,
    handshake::server::{HttpVersion, Offer, Refusal, RefusalKind, check, check_target},
};

use super::{Reply, Request};
use crate::{
    config::{Config, shared_default},
    error::{Blame, Error, ErrorKind},
    transport::Transport,
    websocket::{Info, WebSocket},
};

/// How to accept.
///
/// ```
/// use wiretalk_net::Config;
/// use wiretalk_net::server::AcceptOptions;
///
/// # fn main() -> Result<(), wiretalk_net::Error> {
/// let options = AcceptOptions {
///     subprotocol: Some("chat.v2".into()),
///     deflate: None,
///     config: Config { max_queued: 1 << 16, ..Config::default() }.into(),
///     ..AcceptOptions::default()
/// };
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AcceptOptions {
    /// One of those that the client offered.
    pub subprotocol: Option<String>,
    /// Headers beside those of the handshake.
    pub headers: HeaderMap,
    /// How to compress if the client offers permessage-deflate (RFC 7692); `None`: not at all. Default: without context
    /// takeover, so that an idle connection holds no compressor.
    pub deflate: Option<DeflateConfig>,
    /// The settings of the connection, which many connections can share.
    pub config: Arc<Config>,
}

impl Default for AcceptOptions {
    fn default() -> Self {
        Self {
            subprotocol: None,
            headers: HeaderMap::new(),
            deflate: Some(DeflateConfig::default()),
            config: shared_default(),
        }
    }
}

/// A request for a WebSocket that can be accepted.
///
/// ```
/// use wiretalk_net::server::{AcceptOptions, Listener, Reply, Request, ServeOptions, serve_connection};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// let listener = Listener::bind("127.0.0.1:0", None).await?;
/// let url = format!("ws://{}/chat", listener.local_addr()?);
/// tokio::spawn(async move {
///     let incoming = listener.accept().await?;
///     serve_connection(incoming, ServeOptions::default(), async |mut request: Request| {
///         let upgrade = match request.upgrade() {
///             Ok(upgrade) => upgrade,
///             Err(refusal) => return Reply::from(refusal),
///         };
///         let options = AcceptOptions::default();
///         let (reply, socket) = match upgrade.accept(options) {
///             Ok(accepted) => accepted,
///             Err(error) => return Reply::text(500, error.to_string()),
///         };
///         tokio::spawn(async { socket.await?.send("welcome").await });
///         reply
///     })
///     .await
/// });
/// let (mut socket, _) = wiretalk_net::connect(url).await?;
/// assert_eq!(socket.recv().await.transpose()?, Some("welcome".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Upgrade {
    offer: Offer,
    stream: Source,
    peer_addr: Option<SocketAddr>,
    local_addr: Option<SocketAddr>,
}

/// Where the stream comes from once the request is answered.
#[derive(Debug)]
pub(super) enum Source {
    /// From hyper: the whole connection, or over HTTP/2 a stream of it.
    Http1(OnUpgrade),
    /// From our own HTTP/2.
    #[cfg(feature = "http2")]
    Http2(tokio::sync::oneshot::Receiver<crate::http2::H2Stream>),
}

impl Request {
    /// Judges whether this asks for a WebSocket, and as section 4.2.1 wants it.
    ///
    /// ```
    /// use wiretalk_net::server::{AcceptOptions, Listener, Reply, Request, ServeOptions, serve_connection};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let url = format!("ws://{}/chat", listener.local_addr()?);
    /// tokio::spawn(async move {
    ///     let incoming = listener.accept().await?;
    ///     serve_connection(incoming, ServeOptions::default(), async |mut request: Request| {
    ///         let upgrade = match request.upgrade() {
    ///             Ok(upgrade) => upgrade,
    ///             Err(refusal) => return Reply::from(refusal),
    ///         };
    /// #        let options = AcceptOptions::default();
    ///         let (reply, socket) = match upgrade.accept(options) {
    ///             Ok(accepted) => accepted,
    ///             Err(error) => return Reply::text(500, error.to_string()),
    ///         };
    ///         tokio::spawn(async { socket.await?.send("welcome").await });
    ///         reply
    ///     })
    ///     .await
    /// });
    /// let (mut socket, _) = wiretalk_net::connect(url).await?;
    /// assert_eq!(socket.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Why it cannot be one. [`RefusalKind::NotUpgrade`] is plain HTTP; to the others `Reply::from(refusal)` is the
    /// right answer. A second call finds plain HTTP only.
    pub fn upgrade(&mut self) -> Result<Upgrade, Refusal> {
        let asked = Asked {
            method: &self.method,
            version: self.version,
            uri: &self.uri,
            headers: &self.headers,
            #[cfg(feature = "http2")]
            scheme: self
                .pseudo
                .as_ref()
                .and_then(|pseudo| pseudo.scheme.as_ref())
                .map(Scheme::as_str),
            #[cfg(feature = "http2")]
            protocol: self
                .pseudo
                .as_ref()
                .and_then(|pseudo| pseudo.protocol.as_deref()),
        };
        let offer = asked.judge()?;
        match self.upgrade.take() {
            Some(stream) => Ok(Upgrade {
                offer,
                stream,
                peer_addr: Some(self.peer_addr),
                local_addr: Some(self.local_addr),
            }),
            None => Err(RefusalKind::NotUpgrade.into()),
        }
    }
}

impl Upgrade {
    /// Judges a request to an HTTP server that somebody else runs: any that is built on hyper 1, as axum, tonic, warp
    /// and poem are. Over HTTP/1.1 it must be served with upgrades (`serve_connection_with_upgrades`, or
    /// `with_upgrades`); over HTTP/2, which takes the feature `http2`, the server must have the extended CONNECT
    /// protocol enabled (RFC 8441 3).
    ///
    /// The addresses of such a connection are not known; see [`peer_addr`](Self::peer_addr).
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::Full;
    /// use wiretalk_net::server::{AcceptOptions, Reply, Upgrade};
    ///
    /// async fn service<B>(request: http::Request<B>) -> http::Response<Full<Bytes>> {
    ///     let (mut parts, _) = request.into_parts();
    ///     let upgrade = match Upgrade::from_parts(&mut parts) {
    ///         Ok(upgrade) => upgrade,
    ///         Err(refusal) => return Reply::from(refusal).into_http(),
    ///     };
    ///     let (reply, socket) = match upgrade.accept(AcceptOptions::default()) {
    ///         Ok(accepted) => accepted,
    ///         Err(error) => return Reply::text(500, error.to_string()).into_http(),
    ///     };
    ///     tokio::spawn(async {
    ///         let mut socket = socket.await?;
    ///         while let Some(message) = socket.recv().await {
    ///             socket.send(message?).await?;
    ///         }
    ///         Ok::<(), wiretalk_net::Error>(())
    ///     });
    ///     reply.into_http()
    /// }
    /// # drop(service(http::Request::new(())));
    /// ```
    ///
    /// # Errors
    /// Why it cannot be one. [`RefusalKind::NotUpgrade`] is plain HTTP, and nothing was taken out of `parts`; to the
    /// others `Reply::from(refusal)` is the right answer. [`RefusalKind::NotUpgradable`]: the server does not give its
    /// stream away, or did already.
    pub fn from_parts(parts: &mut http::request::Parts) -> Result<Self, Refusal> {
        let asked = Asked {
            method: &parts.method,
            version: parts.version,
            uri: &parts.uri,
            headers: &parts.headers,
            #[cfg(feature = "http2")]
            scheme: parts.uri.scheme_str(),
            #[cfg(feature = "http2")]
            protocol: parts
                .extensions
                .get::<hyper::ext::Protocol>()
                .map(hyper::ext::Protocol::as_str),
        };
        let offer = asked.judge()?;
        match parts.extensions.remove::<OnUpgrade>() {
            Some(stream) => Ok(Self {
                offer,
                stream: Source::Http1(stream),
                peer_addr: None,
                local_addr: None,
            }),
            None => Err(RefusalKind::NotUpgradable.into()),
        }
    }

    /// Says where the request comes from, for [`WebSocket::peer_addr`], if that is not known already.
    ///
    /// ```
    /// use wiretalk_net::server::{AcceptOptions, Listener, Reply, Request, ServeOptions, serve_connection};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let url = format!("ws://{}/chat", listener.local_addr()?);
    /// tokio::spawn(async move {
    ///     let incoming = listener.accept().await?;
    ///     serve_connection(incoming, ServeOptions::default(), async |mut request: Request| {
    ///         let upgrade = match request.upgrade() {
    ///             Ok(upgrade) => upgrade,
    ///             Err(refusal) => return Reply::from(refusal),
    ///         };
    ///         let upgrade = upgrade.peer_addr(([192, 0, 2, 1], 4000).into());
    ///         let options = AcceptOptions::default();
    ///         let (reply, socket) = match upgrade.accept(options) {
    ///             Ok(accepted) => accepted,
    ///             Err(error) => return Reply::text(500, error.to_string()),
    ///         };
    ///         tokio::spawn(async { socket.await?.send("welcome").await });
    ///         reply
    ///     })
    ///     .await
    /// });
    /// let (mut socket, _) = wiretalk_net::connect(url).await?;
    /// assert_eq!(socket.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn peer_addr(mut self, address: SocketAddr) -> Self {
        self.peer_addr = Some(address);
        self
    }

    /// Says where the request came to, for [`WebSocket::local_addr`], if that is not known already.
    ///
    /// ```
    /// use wiretalk_net::server::{AcceptOptions, Listener, Reply, Request, ServeOptions, serve_connection};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let url = format!("ws://{}/chat", listener.local_addr()?);
    /// tokio::spawn(async move {
    ///     let incoming = listener.accept().await?;
    ///     serve_connection(incoming, ServeOptions::default(), async |mut request: Request| {
    ///         let upgrade = match request.upgrade() {
    ///             Ok(upgrade) => upgrade,
    ///             Err(refusal) => return Reply::from(refusal),
    ///         };
    ///         let upgrade = upgrade.local_addr(([192, 0, 2, 1], 4000).into());
    ///         let options = AcceptOptions::default();
    ///         let (reply, socket) = match upgrade.accept(options) {
    ///             Ok(accepted) => accepted,
    ///             Err(error) => return Reply::text(500, error.to_string()),
    ///         };
    ///         tokio::spawn(async { socket.await?.send("welcome").await });
    ///         reply
    ///     })
    ///     .await
    /// });
    /// let (mut socket, _) = wiretalk_net::connect(url).await?;
    /// assert_eq!(socket.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn local_addr(mut self, address: SocketAddr) -> Self {
        self.local_addr = Some(address);
        self
    }

    /// The subprotocols that the client offers, the one it likes best first.
    ///
    /// ```
    /// use wiretalk_net::server::{AcceptOptions, Listener, Reply, Request, ServeOptions, serve_connection};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let url = format!("ws://{}/chat", listener.local_addr()?);
    /// tokio::spawn(async move {
    ///     let incoming = listener.accept().await?;
    ///     serve_connection(incoming, ServeOptions::default(), async |mut request: Request| {
    ///         let upgrade = match request.upgrade() {
    ///             Ok(upgrade) => upgrade,
    ///             Err(refusal) => return Reply::from(refusal),
    ///         };
    ///         let known = upgrade.subprotocols().find(|name| *name == "chat.v2");
    ///         let options = AcceptOptions {
    ///             subprotocol: known.map(str::to_owned),
    ///             ..AcceptOptions::default()
    ///         };
    ///         let (reply, socket) = match upgrade.accept(options) {
    ///             Ok(accepted) => accepted,
    ///             Err(error) => return Reply::text(500, error.to_string()),
    ///         };
    ///         tokio::spawn(async { socket.await?.send("welcome").await });
    ///         reply
    ///     })
    ///     .await
    /// });
    /// let request = wiretalk_net::Request {
    ///     subprotocols: vec!["chat.v3".into(), "chat.v2".into()],
    ///     ..wiretalk_net::Request::new(url)
    /// };
    /// let (socket, _) = wiretalk_net::connect(request).await?;
    /// assert_eq!(socket.subprotocol(), Some("chat.v2"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.offer.subprotocols.iter().map(String::as_str)
    }

    /// Accepts. The reply must be given back by the handler; then the future, which must be awaited elsewhere, gets the
    /// stream.
    ///
    /// ```
    /// use wiretalk_net::server::{AcceptOptions, Listener, Reply, Request, ServeOptions, serve_connection};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let url = format!("ws://{}/chat", listener.local_addr()?);
    /// tokio::spawn(async move {
    ///     let incoming = listener.accept().await?;
    ///     serve_connection(incoming, ServeOptions::default(), async |mut request: Request| {
    ///         let upgrade = match request.upgrade() {
    ///             Ok(upgrade) => upgrade,
    ///             Err(refusal) => return Reply::from(refusal),
    ///         };
    ///         let options = AcceptOptions {
    ///             deflate: None,
    ///             ..AcceptOptions::default()
    ///         };
    ///         let (reply, socket) = match upgrade.accept(options) {
    ///             Ok(accepted) => accepted,
    ///             Err(error) => return Reply::text(500, error.to_string()),
    ///         };
    ///         tokio::spawn(async { socket.await?.send("welcome").await });
    ///         reply
    ///     })
    ///     .await
    /// });
    /// let (mut socket, _) = wiretalk_net::connect(url).await?;
    /// assert_eq!(socket.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a subprotocol that was not offered, or a header that belongs to the handshake.
    ///
    /// The future's: `Handshake` if the reply was not given, or the client left before it was sent; `Timeout` if that
    /// took over [`Config::handshake_timeout`].
    pub fn accept(
        self,
        options: AcceptOptions,
    ) -> Result<
        (
            Reply,
            impl Future<Output = Result<WebSocket, Error>> + Send + 'static,
        ),
        Error,
    > {
        let AcceptOptions {
            subprotocol,
            headers,
            deflate,
            config,
        } = options;
        let own = self
            .offer
            .accept(subprotocol.as_deref(), deflate.as_ref())
            .map_err(|error| Error::invalid(error.to_string()))?;
        let (mut reply, given) = Reply::opening(own.status);
        for (name, value) in own.headers {
            reply = reply.header(name, value)?;
        }
        for (name, value) in &headers {
            add(reply.headers_mut(), name, value)?;
        }
        let info = Info {
            peer_addr: self.peer_addr,
            local_addr: self.local_addr,
            subprotocol: subprotocol.map(Into::into),
        };
        // Boxed, so that the task in which it is awaited does not hold its memory for as long as the connection lives.
        Ok((
            reply,
            Box::pin(take_over(self.stream, given, config, own.deflate, info)),
        ))
    }
}

fn add(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) -> Result<(), Error> {
    let text = name.as_str();
    if text.starts_with("sec-websocket-")
        || matches!(
            text,
            "upgrade" | "connection" | "content-length" | "transfer-encoding"
        )
    {
        return Err(Error::invalid(format!(
            "the header `{text}` belongs to the handshake and cannot be set"
        )));
    }
    headers.append(name, value.clone());
    Ok(())
}

/// What a request says of itself.
struct Asked<'r> {
    method: &'r http::Method,
    version: http::Version,
    uri: &'r http::Uri,
    headers: &'r HeaderMap,
    /// `:scheme`, over HTTP/2.
    #[cfg(feature = "http2")]
    scheme: Option<&'r str>,
    /// `:protocol`, over HTTP/2.
    #[cfg(feature = "http2")]
    protocol: Option<&'r str>,
}

impl Asked<'_> {
    fn judge(&self) -> Result<Offer, Refusal> {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
        #[cfg(feature = "http2")]
        if self.version == http::Version::HTTP_2 {
            let pseudo = PseudoHeaders {
                method: self.method.as_str(),
                protocol: self.protocol,
                scheme: self.scheme,
                authority: self.uri.authority().map(http::uri::Authority::as_str),
                path: self.uri.path_and_query().map(PathAndQuery::as_str),
            };
            return http2::check(&pseudo, headers);
        }
        let offer = check(self.method.as_str(), version(self.version), headers)?;
        if !self.uri.path().starts_with('/') {
            check_target(&self.uri.to_string())?;
        }
        Ok(offer)
    }
}

impl Source {
    /// Takes the stream out of HTTP, with what was read of it too far.
    async fn wait(self) -> Result<(Transport, Bytes), Box<dyn StdError + Send + Sync>> {
        match self {
            Self::Http1(upgrade) => Ok(Transport::from_upgraded(upgrade.await?)),
            #[cfg(feature = "http2")]
            Self::Http2(stream) => Ok((Transport::H2(Box::new(stream.await?)), Bytes::new())),
        }
    }
}

/// Takes the stream over once it is there.
async fn take_over(
    stream: Source,
    given: Arc<AtomicBool>,
    config: Arc<Config>,
    deflate: Option<Agreed>,
    info: Info,
) -> Result<WebSocket, Error> {
    let limit = config.handshake_timeout;
    let upgraded = timeout(limit, stream.wait()).await.map_err(|_| {
        let what = "the handshake's answer could not be sent";
        Error::timeout(Blame::Peer, what, limit)
    })?;
    // hyper gives the stream back at the end of any request that asked for an upgrade, whatever the answer was.
    if !given.load(Ordering::Acquire) {
        return Err(Error::new(
            ErrorKind::Handshake,
            Blame::Us,
            "the handshake was answered with something else",
        ));
    }
    let (stream, read_ahead) = upgraded.map_err(|error| {
        let sentence = "the connection ended before the handshake's answer was sent".to_owned();
        Error::with_source(ErrorKind::Handshake, Blame::Peer, sentence, error)
    })?;
    Ok(WebSocket::new(
        stream,
        Role::Server,
        config,
        deflate,
        &read_ahead,
        info,
    ))
}

fn version(version: http::Version) -> HttpVersion {
    match version {
        http::Version::HTTP_09 => HttpVersion(0, 9),
        http::Version::HTTP_10 => HttpVersion(1, 0),
        http::Version::HTTP_2 => HttpVersion(2, 0),
        http::Version::HTTP_3 => HttpVersion(3, 0),
        _ => HttpVersion(1, 1),
    }
}
