//! WebSockets in a stack of tower services: what asks for one is upgraded, the rest goes to the service below.
//!
//! It runs in any server on hyper 1: hyper-util's, axum's, tonic's. Over HTTP/1.1 connections must be served with upgrades;
//! over HTTP/2 (feature `http2`) with the extended CONNECT protocol enabled (RFC 8441).
//!
//! ```
//! use axum::{Router, routing::get};
//! use wiretalk::tower::UpgradeLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = UpgradeLayer::new(async |mut socket, request| {
//!     let _ = socket.send(format!("you asked for {}", request.uri.path())).await;
//! });
//! let app = Router::new().route("/", get(async || "a page")).layer(layer.subprotocols(["chat"]));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("ws://{}/", listener.local_addr()?);
//! tokio::spawn(async { axum::serve(listener, app).await });
//!
//! let (mut socket, _) = wiretalk::connect(&url).await?;
//! assert_eq!(socket.recv().await.expect("a message")?.as_text(), Some("you asked for /"));
//! # Ok(())
//! # }
//! ```

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, request::Parts};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Config, DeflateConfig, WebSocket,
    server::{Origins, Policy, RefusalKind, Reply, Upgrade},
};

/// Puts an [`UpgradeService`] over a service. `H` serves a WebSocket, and is given the head of its request.
///
/// ```
/// use axum::{Router, routing::get};
/// use wiretalk::tower::UpgradeLayer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = UpgradeLayer::new(async |mut socket, _| {
///     let _ = socket.send("welcome").await;
/// });
/// let app = Router::new().route("/", get(async || "a page")).layer(layer);
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async { axum::serve(listener, app).await });
/// # let (mut ann, _) = wiretalk::connect(url).await?;
/// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct UpgradeLayer<H> {
    policy: Policy,
    serve: Arc<H>,
}

/// A service that upgrades the requests that ask for a WebSocket, and hands the others to an inner one.
///
/// A request that means to be a handshake and is not a right one, or comes from a page of another origin, is refused here
/// (400, 426, 403). Each connection is served in a task of the runtime.
///
/// The body of the responses can be of any type that can be made from bytes, as `axum::body::Body` and
/// `http_body_util::Full<Bytes>` can.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_layer::Layer;
/// use wiretalk::tower::{UpgradeLayer, UpgradeService};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = UpgradeLayer::new(async |mut socket, _| {
///     let _ = socket.send("welcome").await;
/// });
/// let pages = Router::new().route("/", get(async || "a page"));
/// let service: UpgradeService<Router, _> = layer.layer(pages);
/// let app = Router::new().fallback_service(service);
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async { axum::serve(listener, app).await });
/// # let (mut ann, _) = wiretalk::connect(url).await?;
/// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct UpgradeService<S, H> {
    inner: S,
    policy: Policy,
    serve: Arc<H>,
}

impl<H> UpgradeLayer<H> {
    /// Serves each WebSocket with `serve`.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use wiretalk::tower::UpgradeLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = UpgradeLayer::new(async |mut socket, _| {
    ///     let _ = socket.send("welcome").await;
    /// });
    /// let app = Router::new().route("/", get(async || "a page")).layer(layer);
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn new<F>(serve: H) -> Self
    where
        H: Fn(WebSocket, Parts) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            policy: Policy::default(),
            serve: Arc::new(serve),
        }
    }

    /// Whose pages may connect (RFC 6455 10.2); others are refused with 403. Default: [`Origins::same`].
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use wiretalk::{server::Origins, tower::UpgradeLayer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = UpgradeLayer::new(async |mut socket, _| {
    ///     let _ = socket.send("welcome").await;
    /// });
    /// let app = Router::new().route("/", get(async || "a page")).layer(layer.origins(Origins::any()));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.policy.origins = origins;
        self
    }

    /// The subprotocols that the server speaks, the one that it likes best first (RFC 6455 1.9). The first that a client
    /// offers is agreed on, if there is one. Default: none.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use wiretalk::tower::UpgradeLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = UpgradeLayer::new(async |mut socket, _| {
    ///     let _ = socket.send("welcome").await;
    /// });
    /// let app = Router::new().route("/", get(async || "a page")).layer(layer.subprotocols(["chat.v2", "chat.v1"]));
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
    #[must_use]
    pub fn subprotocols<T: Into<String>>(
        mut self,
        subprotocols: impl IntoIterator<Item = T>,
    ) -> Self {
        self.policy.set_subprotocols(subprotocols);
        self
    }

    /// How to compress for clients that offer permessage-deflate (RFC 7692); `None`: not at all. Default: without context
    /// takeover, so that an idle connection holds no compressor.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use wiretalk::tower::UpgradeLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = UpgradeLayer::new(async |mut socket, _| {
    ///     let _ = socket.send("welcome").await;
    /// });
    /// let app = Router::new().route("/", get(async || "a page")).layer(layer.compression(None));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// let (ann, _) = wiretalk::connect(url).await?;
    /// assert!(ann.deflate().is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn compression(mut self, deflate: impl Into<Option<DeflateConfig>>) -> Self {
        self.policy.deflate = deflate.into();
        self
    }

    /// The largest message that a client may send, in bytes; of a compressed one, once it is inflated. Default: that of
    /// [`Limits`](crate::Limits).
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use wiretalk::tower::UpgradeLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = UpgradeLayer::new(async |mut socket, _| {
    ///     let _ = socket.send("welcome").await;
    /// });
    /// let app = Router::new().route("/", get(async || "a page")).layer(layer.message_size(64 * 1024));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn message_size(mut self, bytes: usize) -> Self {
        self.policy.set_message_size(bytes);
        self
    }

    /// All settings of each connection at once: limits, pings, timeouts.
    ///
    /// ```
    /// use std::time::Duration;
    /// use axum::{Router, routing::get};
    /// use wiretalk::{Config, tower::UpgradeLayer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = UpgradeLayer::new(async |mut socket, _| {
    ///     let _ = socket.send("welcome").await;
    /// });
    /// let config = Config {
    ///     close_timeout: Duration::from_secs(1),
    ///     ..Config::default()
    /// };
    /// let app = Router::new().route("/", get(async || "a page")).layer(layer.config(config));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// # let (mut ann, _) = wiretalk::connect(url).await?;
    /// # assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.policy.config = Arc::new(config);
        self
    }
}

impl<H> Clone for UpgradeLayer<H> {
    fn clone(&self) -> Self {
        Self {
            policy: self.policy.clone(),
            serve: Arc::clone(&self.serve),
        }
    }
}

impl<S: Clone, H> Clone for UpgradeService<S, H> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            policy: self.policy.clone(),
            serve: Arc::clone(&self.serve),
        }
    }
}

impl<S, H> Layer<S> for UpgradeLayer<H> {
    type Service = UpgradeService<S, H>;

    fn layer(&self, inner: S) -> UpgradeService<S, H> {
        UpgradeService {
            inner,
            policy: self.policy.clone(),
            serve: Arc::clone(&self.serve),
        }
    }
}

impl<S, H, F, B, R> Service<http::Request<B>> for UpgradeService<S, H>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    H: Fn(WebSocket, Parts) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
    R: From<Bytes>,
{
    type Response = http::Response<R>;
    type Error = S::Error;
    type Future = UpgradeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let upgrade = match Upgrade::from_parts(&mut parts) {
            Ok(upgrade) => upgrade,
            Err(refusal) if *refusal.kind() == RefusalKind::NotUpgrade => {
                let inner = self.inner.call(http::Request::from_parts(parts, body));
                return UpgradeFuture::Inner { inner };
            }
            Err(refusal) => return UpgradeFuture::reply(refusal.into()),
        };
        let accepted = self
            .policy
            .accept(upgrade, &parts.uri, &parts.headers, HeaderMap::new());
        match accepted {
            Ok((reply, socket)) => {
                let serve = Arc::clone(&self.serve);
                tokio::spawn(async move {
                    // An error is a client that left before it had its answer.
                    if let Ok(socket) = socket.await {
                        serve(socket, parts).await;
                    }
                });
                UpgradeFuture::reply(reply)
            }
            Err(refused) => UpgradeFuture::reply(*refused),
        }
    }
}

pin_project! {
    /// The response of an [`UpgradeService`]: its own, or that of the service below.
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::get};
    /// use tower_layer::Layer;
    /// use tower_service::Service;
    /// use wiretalk::tower::{UpgradeFuture, UpgradeLayer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pages = Router::new().route("/", get(async || "a page"));
    /// let mut service = UpgradeLayer::new(async |_, _| {}).layer(pages);
    /// let response: UpgradeFuture<_> = service.call(http::Request::new(Body::empty()));
    /// assert_eq!(response.await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    #[project = Projected]
    pub enum UpgradeFuture<F> {
        #[doc(hidden)]
        Reply { reply: Option<Box<Reply>> },
        #[doc(hidden)]
        Inner { #[pin] inner: F },
    }
}

impl<F> UpgradeFuture<F> {
    fn reply(reply: Reply) -> Self {
        let reply = Some(Box::new(reply));
        Self::Reply { reply }
    }
}

impl<F, R, E> Future for UpgradeFuture<F>
where
    F: Future<Output = Result<http::Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = Result<http::Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project() {
            Projected::Inner { inner } => ready!(inner.poll(cx)),
            Projected::Reply { reply } => {
                let reply = reply
                    .take()
                    .expect("a future is not polled after it is done");
                Ok(reply.into_http_body())
            }
        })
    }
}

impl<F> fmt::Debug for UpgradeFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeFuture").finish_non_exhaustive()
    }
}
