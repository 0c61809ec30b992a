//! The admin endpoint: how a server is, over HTTP, for Prometheus, for whoever balances load, and for its operator.
//!
//! | request | what it tells |
//! | --- | --- |
//! | `GET /metrics` | all numbers, for Prometheus |
//! | `GET /health` | 200: the program runs |
//! | `GET /ready` | 200 if clients should be sent here, else 503 and why not |
//! | `GET /admin/clients` | who is connected, since when, and what has passed each way |
//!
//! Fields are in `docs/operation.md`. A page in a browser cannot use it: see the control API's guard. `/health` and
//! `/ready` tell nothing that a port scan would not, and are answered to anybody.

mod api;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};
use tokio::net::TcpListener;

use super::Operation;
use super::control::guard::{self, Guard};
use super::http_api;

/// An admin endpoint that listens, and does not serve yet.
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
    token: Option<String>,
    loopback: bool,
}

/// Why there is no admin endpoint.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Others could reach it, and nothing keeps them out.
    #[error(
        "the admin endpoint needs a token on `{0}`, which others can reach: only on a loopback address, such as 127.0.0.1:9090, it goes without"
    )]
    NeedsToken(String),
    /// The address is in use, or not to be had.
    #[error("the admin endpoint cannot listen on `{address}`: {source}")]
    Bind {
        /// The address, as it was given.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// A token that nobody could send, or that is too easily guessed.
    #[error(
        "the token of the admin endpoint has 16 visible ASCII characters or more, and no blanks"
    )]
    Token,
}

impl fmt::Debug for Admin {
    /// Without the token, which opens the endpoint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("address", &self.address)
            .field("has_token", &self.token.is_some())
            .finish_non_exhaustive()
    }
}

impl Admin {
    /// Listens on an address such as `127.0.0.1:9090`. Without a token it must be one of the loopback addresses.
    ///
    /// # Errors
    /// If others could reach it and there is no token, if the token is none, or if the address is not to be had.
    pub async fn bind(address: &str, token: Option<String>) -> Result<Self, AdminError> {
        if token.as_ref().is_some_and(|token| !guard::is_token(token)) {
            return Err(AdminError::Token);
        }
        let cannot = |source| AdminError::Bind {
            address: address.to_owned(),
            source,
        };
        let resolved: Vec<SocketAddr> = tokio::net::lookup_host(address)
            .await
            .map_err(cannot)?
            .collect();
        let loopback = resolved.iter().all(|address| address.ip().is_loopback());
        if !loopback && token.is_none() {
            return Err(AdminError::NeedsToken(address.to_owned()));
        }
        let listener = TcpListener::bind(&resolved[..]).await.map_err(cannot)?;
        Ok(Self {
            address: listener.local_addr().map_err(cannot)?,
            listener,
            token,
            loopback,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves until `stop` is done: later than the servers that it tells of, if they are to be seen draining.
    ///
    /// Dropping this future ends it at once.
    pub async fn serve(
        self,
        operation: Arc<Operation>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        let guard = Guard::from(self.token.as_deref(), self.loopback);
        let router = router(operation, guard);
        http_api::serve(self.listener, router, http_api::BOUNDS, stop).await;
    }
}

fn router(operation: Arc<Operation>, guard: Guard) -> Router {
    Router::new()
        .route("/metrics", get(api::metrics))
        .route("/admin/clients", get(api::clients))
        // Whatever is above needs what the guard asks for; what is below does not.
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .route("/health", get(api::health))
        .route("/ready", get(api::ready))
        .fallback(api::not_found)
        .method_not_allowed_fallback(api::not_allowed)
        .with_state(operation)
}
