//! What is asked of a server.

use wiretalk_proto::DeflateConfig;

/// What to ask a server for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `ws:` or `wss:`; `http:` and `https:` stand for them, and no scheme for `ws:`.
    pub url: String,
    /// Headers beside those of the handshake.
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
