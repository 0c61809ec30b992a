//! What is asked of a server.

use std::fmt;

use wiretalk_proto::DeflateConfig;

use super::{asked::is_secret, credentials::without_secrets};

/// What to ask a server for.
///
/// ```
/// use wiretalk_net::Request;
///
/// let request = Request {
///     headers: vec![("Authorization".into(), "Bearer s3cret".into())],
///     subprotocols: vec!["chat.v2".into(), "chat.v1".into()],
///     ..Request::new("wss://example.com/chat?room=1")
/// };
/// assert!(!format!("{request:?}").contains("s3cret"));
/// ```
///
/// `Debug` shows neither the user name and the password of the URL nor the values of the headers that prove who the
/// caller is: `Authorization`, `Cookie` and `Proxy-Authorization`.
#[derive(Clone, Default)]
pub struct Request {
    /// `ws:` or `wss:`; `http:` and `https:` stand for them, and no scheme for `ws:`. `ws+unix:/path/to.sock:/resource`
    /// and `wss+unix:` lead to a Unix socket, `ws+unix:@name:/resource` to one of Linux's abstract namespace. A user name
    /// and a password are sent as `Authorization: Basic`.
    pub url: String,
    /// Headers beside those of the handshake. A `Host` takes the place of the URL's.
    pub headers: Vec<(String, String)>,
    /// Subprotocols to offer, the best liked first (RFC 6455 1.9).
    pub subprotocols: Vec<String>,
    /// The `Origin` header, which browsers send (RFC 6455 10.2).
    pub origin: Option<String>,
    /// Ways to compress that are offered, the best liked first (RFC 7692 5). Default: none.
    pub deflate: Vec<DeflateConfig>,
}

impl Request {
    /// Asks for a URL, and offers nothing.
    ///
    /// ```
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let request = wiretalk_net::Request::new("wss://example.com/chat");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }
}

impl From<&String> for Request {
    fn from(url: &String) -> Self {
        Self::new(url)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): &(String, String)| {
            let value = if is_secret(name) { "…" } else { value };
            (name.clone(), value.to_owned())
        };
        f.debug_struct("Request")
            .field("url", &without_secrets(&self.url))
            .field(
                "headers",
                &self.headers.iter().map(shown).collect::<Vec<_>>(),
            )
            .field("subprotocols", &self.subprotocols)
            .field("origin", &self.origin)
            .field("deflate", &self.deflate)
            .finish()
    }
}

impl From<&str> for Request {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Request {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}
