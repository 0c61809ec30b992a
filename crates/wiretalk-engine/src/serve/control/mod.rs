//! The control API: a test looks at a running mock and gives it orders, over HTTP.
//!
//! | request | what it does |
//! | --- | --- |
//! | `GET /talks` | the talks that are served |
//! | `GET /clients` | who is connected |
//! | `POST /clients/ID/close` | closes a client |
//! | `POST /send` | sends a message to a client, a room, a user, or all |
//! | `GET /journal`, `DELETE /journal` | reads the journal; clears it |
//! | `POST /verify` | whether a message came so many times |
//!
//! Fields and answers are in `docs/serve.md`. It listens on a loopback address only, and takes no request that a page
//! in a browser could have made: see `guard`.

pub(super) mod api;
pub(super) mod guard;
mod verify;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::journal::Journal;
use super::{Mock, http_api};
use guard::Guard;

/// The largest body of a request: 64 MiB.
const MOST_BODY: usize = 64 * 1024 * 1024;

/// A control API that listens, and does not serve yet.
pub struct Control {
    listener: TcpListener,
    address: SocketAddr,
    token: String,
}

/// What a control API is about.
#[derive(Clone)]
pub struct Controlled {
    /// The mocks, each with the URL at which it is found.
    pub talks: Vec<(String, Arc<Mock>)>,
    /// What they see. What it hides, nothing shows.
    pub journal: Arc<Journal>,
}

/// Why there is no control API.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Others could reach it.
    #[error(
        "the control API listens on a loopback address only, such as 127.0.0.1:0, and `{0}` is none"
    )]
    NotLoopback(String),
    /// The address is in use, or not to be had.
    #[error("the control API cannot listen on `{address}`: {source}")]
    Bind {
        /// The address, as it was given.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// A token that nobody could send, or that is too easily guessed.
    #[error("the token of the control API has 16 visible ASCII characters or more, and no blanks")]
    Token,
}

impl fmt::Debug for Control {
    /// Without the token, which opens the API.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Control {
    /// Listens on a loopback address such as `127.0.0.1:0`. Without a token, a random one is made.
    ///
    /// # Errors
    /// If the address is none of the loopback ones, or not to be had.
    pub async fn bind(address: &str, token: Option<String>) -> Result<Self, ControlError> {
        let token = match token {
            None => [Uuid::new_v4(), Uuid::new_v4()]
                .map(|half| half.simple().to_string())
                .concat(),
            Some(token) if guard::is_token(&token) => token,
            Some(_) => return Err(ControlError::Token),
        };
        let cannot = |source| ControlError::Bind {
            address: address.to_owned(),
            source,
        };
        let resolved: Vec<SocketAddr> = tokio::net::lookup_host(address)
            .await
            .map_err(cannot)?
            .collect();
        if !resolved.iter().all(|address| address.ip().is_loopback()) {
            return Err(ControlError::NotLoopback(address.to_owned()));
        }
        let listener = TcpListener::bind(&resolved[..]).await.map_err(cannot)?;
        Ok(Self {
            address: listener.local_addr().map_err(cannot)?,
            listener,
            token,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What requests must bring: `Authorization: Bearer TOKEN`.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Serves until `stop` is done.
    pub async fn serve(
        self,
        controlled: Controlled,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        let guard = Guard::new(&self.token);
        let router = router(controlled, guard);
        http_api::serve(self.listener, router, http_api::BOUNDS, stop).await;
    }
}

fn router(controlled: Controlled, guard: Guard) -> Router {
    Router::new()
        .route("/talks", get(api::talks))
        .route("/clients", get(api::clients))
        .route("/clients/{id}/close", post(api::close))
        .route("/send", post(api::send))
        .route("/journal", get(api::journal).delete(api::clear))
        .route("/verify", post(verify::verify))
        .fallback(api::not_found)
        .method_not_allowed_fallback(api::not_allowed)
        .layer(DefaultBodyLimit::max(MOST_BODY))
        // The outermost layer: nothing of a request is looked at before.
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .with_state(controlled)
}
