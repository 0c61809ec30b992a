//! Extractors for [axum] 0.8: WebSockets as this library has them, on the routes of an axum server.
//!
//! [`WebSocketUpgrade`] is for a route that serves WebSockets and nothing else, [`MaybeUpgrade`] for one that serves plain
//! requests, too. Over HTTP/1.1 a handshake is a GET; over HTTP/2 (feature `http2`) it is an extended CONNECT (RFC 8441),
//! so route it with `axum::routing::any`, and let the server announce the protocol, as `axum::serve` does.
//!
//! ```
//! use axum::{Router, response::Response, routing::any};
//! use wiretalk::{WebSocket, axum::WebSocketUpgrade};
//!
//! async fn chat(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.subprotocols(["chat"]).on_upgrade(async |mut socket: WebSocket| {
//!         while let Some(Ok(message)) = socket.recv().await {
//!             if socket.send(message).await.is_err() {
//!                 break;
//!             }
//!         }
//!     })
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = Router::new().route("/chat", any(chat));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("ws://{}/chat", listener.local_addr()?);
//! tokio::spawn(async { axum::serve(listener, app).await });
//!
//! let (mut socket, _) = wiretalk::connect(&url).await?;
//! socket.send("hello").await?;
//! assert_eq!(socket.recv().await.expect("an answer")?.as_text(), Some("hello"));
//! # Ok(())
//! # }
//! ```

mod extract;

use std::{fmt, future::Future, net::SocketAddr, sync::Arc};

use ::axum::{body::Body, response::Response};
use http::{HeaderMap, Uri, header, request::Parts};

use crate::{
    Config, DeflateConfig, Error, WebSocket,
    server::{Origins, Policy, Refusal, Upgrade},
};

pub use self::extract::{MaybeUpgrade, UpgradeRejection};

/// A handshake that can be accepted. As an extractor it refuses whatever else comes: a plain request with 426 (Upgrade
/// Required), a handshake of another version with 426 and the version that is spoken, a broken one with 400.
///
/// `Option<WebSocketUpgrade>` is `None` for a plain request, and so is [`MaybeUpgrade`], which reads better.
///
/// ```
/// use axum::response::Response;
/// use wiretalk::{WebSocket, axum::WebSocketUpgrade};
///
/// async fn chat(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(async |mut socket: WebSocket| {
///         let _ = socket.send("welcome").await;
///     })
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let app = axum::Router::new().route("/", axum::routing::any(chat));
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async { axum::serve(listener, app).await });
/// # let (mut ann, _) = wiretalk::connect(url).await?;
/// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is accepted until `on_upgrade`"]
pub struct WebSocketUpgrade {
    upgrade: Upgrade,
    uri: Uri,
    /// Of the request: those that tell who asks.
    headers: HeaderMap,
    policy: Policy,
    answered: HeaderMap,
    on_failed: Option<Box<dyn FnOnce(Error) + Send>>,
}

impl WebSocketUpgrade {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        let upgrade = Upgrade::from_parts(parts)?;
        let told = [header::HOST, header::ORIGIN].into_iter();
        let headers = told.flat_map(|name| {
            let values = parts.headers.get_all(&name).iter().cloned();
            values
                .map(move |value| (name.clone(), value))
                .collect::<Vec<_>>()
        });
        let mut kept = HeaderMap::new();
        headers.for_each(|(name, value)| {
            kept.append(name, value);
        });
        Ok(Self {
            upgrade,
            uri: parts.uri.clone(),
            headers: kept,
            policy: Policy::default(),
            answered: HeaderMap::new(),
            on_failed: None,
        })
    }

    /// Whose pages may connect (RFC 6455 10.2); others are refused with 403. Default: [`Origins::same`].
    ///
    /// ```
    /// use axum::response::Response;
    /// use wiretalk::{WebSocket, axum::WebSocketUpgrade, server::Origins};
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.origins(Origins::any()).on_upgrade(async |mut socket: WebSocket| {
    ///         let _ = socket.send("welcome").await;
    ///     })
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn origins(mut self, origins: Origins) -> Self {
        self.policy.origins = origins;
        self
    }

    /// The subprotocols that the server speaks, the one that it likes best first (RFC 6455 1.9). The first that the
    /// client offers is agreed on, if there is one. Default: none.
    ///
    /// ```
    /// use axum::response::Response;
    /// use wiretalk::{WebSocket, axum::WebSocketUpgrade};
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.subprotocols(["chat.v2", "chat.v1"]).on_upgrade(async |mut socket: WebSocket| {
    ///         let _ = socket.send("welcome").await;
    ///     })
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// let request = wiretalk::Request {
    ///     subprotocols: vec!["chat.v1".into(), "chat.v2".into()],
    ///     ..wiretalk::Request::new(url)
    /// };
    /// let (ann, _) = wiretalk::connect(request).await?;
    /// assert_eq!(ann.subprotocol(), Some("chat.v2"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn subprotocols<T: Into<String>>(
        mut self,
        subprotocols: impl IntoIterator<Item = T>,
    ) -> Self {
        self.policy.set_subprotocols(subprotocols);
        self
    }

    /// The subprotocols that the client offers, the one that it likes best first.
    ///
    /// ```
    /// use axum::response::Response;
    /// use wiretalk::{WebSocket, axum::WebSocketUpgrade};
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     let offered: Vec<String> = upgrade.offered_subprotocols().map(str::to_owned).collect();
    ///     upgrade.on_upgrade(async move |mut socket: WebSocket| {
    ///         let _ = socket.send(offered.join(", ")).await;
    ///     })
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// let request = wiretalk::Request {
    ///     subprotocols: vec!["chat.v1".into(), "chat.v2".into()],
    ///     ..wiretalk::Request::new(url)
    /// };
    /// let (mut ann, _) = wiretalk::connect(request).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("chat.v1, chat.v2".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn offered_subprotocols(&self) -> impl Iterator<Item = &str> {
        self.upgrade.subprotocols()
    }

    /// How to compress if the client offers permessage-deflate (RFC 7692); `None`: not at all. Default: without context
    /// takeover, so that an idle connection holds no compressor.
    ///
    /// ```
    /// use axum::response::Response;
    /// use wiretalk::{WebSocket, axum::WebSocketUpgrade};
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.compression(None).on_upgrade(async |mut socket: WebSocket| {
    ///         let _ = socket.send("welcome").await;
    ///     })
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn compression(mut self, deflate: impl Into<Option<DeflateConfig>>) -> Self {
        self.policy.deflate = deflate.into();
        self
    }

    /// The largest message that the client may send, in bytes; of a compressed one, once it is inflated. Default: that of
    /// [`Limits`](crate::Limits).
    ///
    /// ```
    /// use axum::response::Response;
    /// use wiretalk::{WebSocket, axum::WebSocketUpgrade};
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.message_size(64 * 1024).on_upgrade(async |mut socket: WebSocket| {
    ///         let _ = socket.send("welcome").await;
    ///     })
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn message_size(mut self, bytes: usize) -> Self {
        self.policy.set_message_size(bytes);
        self
    }

    /// All settings of the connection at once: limits, pings, timeouts. Connections can share them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use axum::response::Response;
    /// use wiretalk::{Config, WebSocket, axum::WebSocketUpgrade};
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.config(Config {
    ///         close_timeout: Duration::from_secs(1),
    ///         ..Config::default()
    ///     }).on_upgrade(async |mut socket: WebSocket| {
    ///         let _ = socket.send("welcome").await;
    ///     })
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.policy.config = config.into();
        self
    }

    /// Headers of the answer beside those of the handshake, such as `Set-Cookie`.
    ///
    /// ```
    /// use axum::{http::{HeaderMap, HeaderValue, header::SET_COOKIE}, response::Response};
    /// use wiretalk::{WebSocket, axum::WebSocketUpgrade};
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     let headers = HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_static("session=7"))]);
    ///     upgrade.headers(headers).on_upgrade(async |_: WebSocket| {})
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// let (_, handshake) = wiretalk::connect(url).await?;
    /// assert_eq!(handshake.response.headers.get("set-cookie"), Some(&b"session=7"[..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.answered = headers;
        self
    }

    /// Where the request comes from, for [`WebSocket::peer_addr`]: axum's `ConnectInfo` tells.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::{extract::ConnectInfo, response::Response};
    /// use wiretalk::{WebSocket, axum::WebSocketUpgrade};
    ///
    /// async fn chat(ConnectInfo(address): ConnectInfo<SocketAddr>, upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.peer_addr(address).on_upgrade(async |mut socket: WebSocket| {
    ///         println!("{:?} is here", socket.peer_addr());
    ///         let _ = socket.send("welcome").await;
    ///     })
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn peer_addr(mut self, address: SocketAddr) -> Self {
        self.upgrade = self.upgrade.peer_addr(address);
        self
    }

    /// Is told if the handshake was answered and no connection came of it. Default: nobody is told.
    ///
    /// ```
    /// use axum::response::Response;
    /// use wiretalk::{WebSocket, axum::WebSocketUpgrade};
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.on_failed(|error| eprintln!("{error}")).on_upgrade(async |mut socket: WebSocket| {
    ///         let _ = socket.send("welcome").await;
    ///     })
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_failed(mut self, told: impl FnOnce(Error) + Send + 'static) -> Self {
        self.on_failed = Some(Box::new(told));
        self
    }

    /// Accepts, and gives the response that the route must return: 101, or 200 over HTTP/2, or 403 for a page of another
    /// origin. The connection is then served in a task of the runtime, which lives as long as `serve` does; use
    /// [`accept`](Self::accept) to own that task. Dropping the connection sends no close frame, and the client sees
    /// 1006: [`close`](WebSocket::close) it at the end.
    ///
    /// ```
    /// use axum::response::Response;
    /// use wiretalk::{CloseCode, WebSocket, axum::WebSocketUpgrade};
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.on_upgrade(async |mut socket: WebSocket| {
    ///         let _ = socket.send("welcome").await;
    ///         let _ = socket.close(CloseCode::NORMAL, "").await;
    ///     })
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_upgrade<H, F>(mut self, serve: H) -> Response
    where
        H: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let on_failed = self.on_failed.take();
        match self.accept() {
            Ok((response, socket)) => {
                tokio::spawn(async move {
                    match (socket.await, on_failed) {
                        (Ok(socket), _) => serve(socket).await,
                        (Err(error), Some(told)) => told(error),
                        (Err(_), None) => {}
                    }
                });
                response
            }
            Err(response) => *response,
        }
    }

    /// Accepts, and gives the response that the route must return, and the connection that comes of it, which must be
    /// awaited elsewhere: in a `JoinSet` of the program's, say. If that future is dropped, the connection ends.
    ///
    /// ```
    /// # async fn route(upgrade: wiretalk::axum::WebSocketUpgrade) -> axum::response::Response {
    /// let (response, socket) = match upgrade.accept() {
    ///     Ok(accepted) => accepted,
    ///     Err(refused) => return *refused,
    /// };
    /// tokio::spawn(async { socket.await?.send("hello").await });
    /// response
    /// # }
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::any(route));
    /// ```
    ///
    /// # Errors
    /// The response that refuses it: 403 for a page of another origin.
    pub fn accept(
        self,
    ) -> Result<
        (
            Response,
            impl Future<Output = Result<WebSocket, Error>> + Send + 'static,
        ),
        Box<Response>,
    > {
        let Self {
            upgrade,
            uri,
            headers,
            policy,
            answered,
            ..
        } = self;
        match policy.accept(upgrade, &uri, &headers, answered) {
            Ok((reply, socket)) => Ok((reply.into_http_body::<Body>(), socket)),
            Err(reply) => Err(Box::new(reply.into_http_body::<Body>())),
        }
    }
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("uri", &self.uri)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
