//! Who may give orders: a program on this machine that was given the token; never a page in a browser.
//!
//! - `Host` must name the loopback interface, so that a name which somebody points at 127.0.0.1 (DNS rebinding) does not
//!   lead here.
//! - A request with `Origin` is refused, whatever it says: browsers send it with all that could change something, and
//!   programs have no use for it. No answer carries a CORS header either.
//! - The token must be right; it is compared in constant time.
//!
//! The admin endpoint may be told to take requests from elsewhere, and without a token if it is for this machine alone.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode};
use subtle::ConstantTimeEq;

use super::api::Error;

/// What requests must bring.
#[derive(Clone)]
pub(in crate::serve) struct Guard {
    token: Option<Arc<str>>,
    /// Whether `Host` must name the loopback interface.
    loopback: bool,
}

impl Guard {
    /// For programs on this machine that have the token.
    pub(super) fn new(token: &str) -> Self {
        Self::from(Some(token), true)
    }

    /// For those who have the token, if there is one; on this machine alone if `loopback`.
    pub(in crate::serve) fn from(token: Option<&str>, loopback: bool) -> Self {
        Self {
            token: token.map(Arc::from),
            loopback,
        }
    }

    fn admits(&self, headers: &HeaderMap) -> Result<(), Error> {
        if headers.contains_key(ORIGIN) {
            let why =
                "requests with an `Origin` header are refused: no page in a browser may use this";
            return Err(Error::new(StatusCode::FORBIDDEN, why));
        }
        let mut hosts = headers.get_all(HOST).iter();
        let is_ours = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().is_ok_and(is_loopback),
            _ => false,
        };
        if self.loopback && !is_ours {
            let why =
                "the `Host` header must name the loopback interface, as `127.0.0.1` or `localhost`";
            return Err(Error::new(StatusCode::FORBIDDEN, why));
        }
        let Some(token) = &self.token else {
            return Ok(());
        };
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let right = match (given.next(), given.next()) {
            (Some(given), None) => {
                bearer(given.as_bytes()).is_some_and(|given| given.ct_eq(token.as_bytes()).into())
            }
            _ => false,
        };
        if !right {
            let why = "the token is needed: `Authorization: Bearer TOKEN`";
            return Err(Error::new(StatusCode::UNAUTHORIZED, why));
        }
        Ok(())
    }
}

/// Whether a token can be sent, and is not too easily guessed.
pub(in crate::serve) fn is_token(token: &str) -> bool {
    token.len() >= 16 && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Lets a request through, or not.
pub(in crate::serve) async fn check(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Response {
    match guard.admits(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            let mut response = error.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                let challenge = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

/// The token of `Bearer TOKEN`; the name of the scheme may be in any case (RFC 9110 section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

/// Whether a `Host` names this machine's loopback interface.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    // `user@127.0.0.1` is no `Host`.
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
