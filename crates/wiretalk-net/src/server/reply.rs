//! What a request is answered with.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use wiretalk_proto::handshake::server::Refusal;

use crate::error::Error;

/// An HTTP response: a plain one, or that of [`Upgrade::accept`](super::Upgrade::accept), which opens the connection.
///
/// ```
/// use wiretalk_net::server::Reply;
///
/// # fn main() -> Result<(), wiretalk_net::Error> {
/// let reply = Reply::text(401, "who are you?").header("WWW-Authenticate", "Bearer")?;
/// assert_eq!(reply.status(), 401);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// Set when the reply is given, for the upgrade that waits for it.
    given: Option<Arc<AtomicBool>>,
}

impl Reply {
    /// A response without headers or body. A number that is not a status (100 to 999) becomes 500.
    ///
    /// ```
    /// use wiretalk_net::server::Reply;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// assert_eq!(Reply::new(204).status(), 204);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            given: None,
        }
    }

    /// A response of plain text, in UTF-8.
    ///
    /// ```
    /// use wiretalk_net::server::Reply;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let reply = Reply::text(404, "there is nothing here");
    /// assert_eq!(reply.headers()["content-type"], "text/plain; charset=utf-8");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status).typed("text/plain; charset=utf-8", text.into())
    }

    /// A response of HTML, in UTF-8.
    ///
    /// ```
    /// use wiretalk_net::server::Reply;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let reply = Reply::html(200, "<!doctype html><title>chat</title>");
    /// assert_eq!(reply.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn html(status: u16, html: impl Into<String>) -> Self {
        Self::new(status).typed("text/html; charset=utf-8", html.into())
    }

    /// Adds a header.
    ///
    /// ```
    /// use wiretalk_net::server::Reply;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let reply = Reply::new(503).header("Retry-After", "10")?;
    /// assert_eq!(reply.headers()["retry-after"], "10");
    /// assert!(Reply::new(200).header("not a name", "").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a name or a value that no header may have.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        let value = value.as_ref();
        let parsed = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value),
        );
        let (Ok(header), Ok(value)) = parsed else {
            let shown = String::from_utf8_lossy(value);
            return Err(Error::invalid(format!(
                "`{name}: {shown}` is not a header",
                shown = shown.escape_debug()
            )));
        };
        self.headers.append(header, value);
        Ok(self)
    }

    /// Replaces the body.
    ///
    /// ```
    /// use wiretalk_net::server::Reply;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let reply = Reply::new(200).body("fine");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The status.
    ///
    /// ```
    /// use wiretalk_net::server::Reply;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// assert_eq!(Reply::new(403).status(), 403);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    ///
    /// ```
    /// use wiretalk_net::server::Reply;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// assert!(Reply::new(204).headers().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The headers, to change them.
    ///
    /// ```
    /// use wiretalk_net::server::Reply;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let mut reply = Reply::new(200);
    /// reply.headers_mut().insert("x-mood", "good".parse().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// The answer to an upgrade, 101 or over HTTP/2 200, and what tells whether it was given back by the handler.
    pub(super) fn opening(status: u16) -> (Self, Arc<AtomicBool>) {
        let given = Arc::new(AtomicBool::new(false));
        let mut reply = Self::new(status);
        reply.given = Some(Arc::clone(&given));
        (reply, given)
    }

    /// The response as the `http` crate has it: for a server that somebody else runs, see
    /// [`Upgrade::from_parts`](super::Upgrade::from_parts). Only for the answer that is given: the WebSocket of an
    /// upgrade counts on it from then on.
    ///
    /// ```
    /// use wiretalk_net::server::Reply;
    ///
    /// let response = Reply::text(404, "nothing here").into_http();
    /// assert_eq!(response.status(), 404);
    /// ```
    #[must_use]
    pub fn into_http(self) -> Response<Full<Bytes>> {
        self.into_http_body()
    }

    /// As [`into_http`](Self::into_http), with a body of whatever type the server has: `axum::body::Body`, say.
    ///
    /// ```
    /// use wiretalk_net::server::Reply;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let response: http::Response<bytes::Bytes> = Reply::text(200, "fine").into_http_body();
    /// assert_eq!(response.body(), "fine");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn into_http_body<B: From<Bytes>>(self) -> Response<B> {
        let (head, body) = self.into_head();
        head.map(|()| B::from(body))
    }

    /// Status and headers, and the body. Only for the answer that is given, too.
    pub(crate) fn into_head(self) -> (Response<()>, Bytes) {
        if let Some(given) = self.given {
            given.store(true, Ordering::Release);
        }
        let mut head = Response::new(());
        *head.status_mut() = self.status;
        *head.headers_mut() = self.headers;
        (head, self.body)
    }

    /// As bytes of HTTP/1.1, with which the connection ends (RFC 9112 4, 9.6).
    pub(super) fn into_last_wire(self) -> Vec<u8> {
        let Self {
            status,
            headers,
            body,
            ..
        } = self;
        // The blank behind the number is needed, even if no words follow.
        let words = status.canonical_reason().unwrap_or_default();
        let mut wire = format!("HTTP/1.1 {} {words}\r\n", status.as_str()).into_bytes();
        let ours = [header::CONTENT_LENGTH, header::CONNECTION];
        for (name, value) in headers.iter().filter(|(name, _)| !ours.contains(name)) {
            wire.extend_from_slice(name.as_str().as_bytes());
            wire.extend_from_slice(b": ");
            wire.extend_from_slice(value.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        let end = format!(
            "content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        wire.extend_from_slice(end.as_bytes());
        wire.extend_from_slice(&body);
        wire
    }

    /// Whether a WebSocket comes of it.
    #[cfg(feature = "http2")]
    pub(crate) fn opens(&self) -> bool {
        self.given.is_some()
    }

    fn typed(mut self, content_type: &'static str, body: String) -> Self {
        self.headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }
}

/// The answer that the RFC wants: status, headers, and the reason as text.
impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let mut reply = Self::text(
            refusal.status(),
            format!("{refusal} ({})\n", refusal.section()),
        );
        for (name, value) in refusal.headers() {
            let name = HeaderName::from_bytes(name.as_bytes())
                .expect("proto's headers have names that headers have");
            reply.headers.insert(name, HeaderValue::from_static(value));
        }
        reply
    }
}
