//! What a route can take a request as.

use std::fmt;

use ::axum::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use super::WebSocketUpgrade;
use crate::server::{Refusal, RefusalKind, Reply};

/// A request that is a WebSocket's handshake, or a plain one, on one route.
///
/// ```
/// use axum::response::{IntoResponse, Response};
/// use wiretalk::{WebSocket, axum::MaybeUpgrade};
///
/// async fn page_or_socket(request: MaybeUpgrade) -> Response {
///     match request.upgrade() {
///         Some(upgrade) => upgrade.on_upgrade(async |mut socket: WebSocket| {
///             let _ = socket.send("hello").await;
///         }),
///         None => "open a WebSocket here".into_response(),
///     }
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::any(page_or_socket));
/// ```
#[derive(Debug)]
pub struct MaybeUpgrade(Option<WebSocketUpgrade>);

/// Why a request was not extracted; as a response, what the RFC wants it to be answered with.
///
/// ```
/// use axum::{extract::FromRequestParts, response::IntoResponse};
/// use wiretalk::axum::WebSocketUpgrade;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (mut plain, ()) = http::Request::new(()).into_parts();
/// let rejection = WebSocketUpgrade::from_request_parts(&mut plain, &()).await.unwrap_err();
/// assert_eq!(rejection.into_response().status(), 426);
/// # }
/// ```
#[derive(Debug)]
pub struct UpgradeRejection(Refusal);

impl UpgradeRejection {
    /// Why.
    ///
    /// ```
    /// use axum::extract::FromRequestParts;
    /// use wiretalk::{axum::WebSocketUpgrade, server::RefusalKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (mut plain, ()) = http::Request::new(()).into_parts();
    /// let rejection = WebSocketUpgrade::from_request_parts(&mut plain, &()).await.unwrap_err();
    /// assert_eq!(*rejection.refusal().kind(), RefusalKind::NotUpgrade);
    /// # }
    /// ```
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        &self.0
    }
}

impl fmt::Display for UpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for UpgradeRejection {}

impl IntoResponse for UpgradeRejection {
    fn into_response(self) -> Response {
        Reply::from(self.0).into_http_body::<Body>()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = UpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, UpgradeRejection> {
        Self::from_parts(parts).map_err(UpgradeRejection)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = UpgradeRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, UpgradeRejection> {
        match Self::from_parts(parts) {
            Ok(upgrade) => Ok(Some(upgrade)),
            Err(refusal) if *refusal.kind() == RefusalKind::NotUpgrade => Ok(None),
            Err(refusal) => Err(UpgradeRejection(refusal)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeUpgrade {
    type Rejection = UpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, UpgradeRejection> {
        let upgrade =
            <WebSocketUpgrade as OptionalFromRequestParts<S>>::from_request_parts(parts, state);
        upgrade.await.map(Self)
    }
}

impl MaybeUpgrade {
    /// Whether the request asks for a WebSocket.
    ///
    /// ```
    /// use wiretalk::axum::MaybeUpgrade;
    ///
    /// async fn chat(request: MaybeUpgrade) -> &'static str {
    ///     if request.is_websocket() { "no WebSockets today" } else { "a page" }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = axum::Router::new().route("/", axum::routing::any(chat));
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async { axum::serve(listener, app).await });
    /// let error = wiretalk::connect(url).await.unwrap_err();
    /// assert_eq!(error.refusal().expect("it is one").body, "no WebSockets today");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_websocket(&self) -> bool {
        self.0.is_some()
    }

    /// The handshake, if the request is one.
    ///
    /// ```
    /// use axum::response::{IntoResponse, Response};
    /// use wiretalk::{WebSocket, axum::MaybeUpgrade};
    ///
    /// async fn chat(request: MaybeUpgrade) -> Response {
    ///     match request.upgrade() {
    ///         Some(upgrade) => upgrade.on_upgrade(async |mut socket: WebSocket| {
    ///             let _ = socket.send("welcome").await;
    ///         }),
    ///         None => "open a WebSocket here".into_response(),
    ///     }
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
    #[must_use]
    pub fn upgrade(self) -> Option<WebSocketUpgrade> {
        self.0
    }
}
