//! What an error can be: its class, who can mend it, and what a server answered.

use bytes::Bytes;
use wiretalk_proto::handshake::client::Response;

/// The classes of errors.
///
/// ```
/// use wiretalk_net::ErrorKind;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// let error = wiretalk_net::connect("ftp://example.com/").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A host name could not be resolved.
    Dns,
    /// Nobody listens at the address.
    Refused,
    /// The address could not be reached.
    Unreachable,
    /// A proxy could not be reached, or did not connect us to the server: see
    /// [`Error::proxy_failure`](crate::Error::proxy_failure).
    Proxy,
    /// TLS could not be agreed upon, or a certificate was not trusted.
    Tls,
    /// The opening handshake failed, or was refused (RFC 6455 4).
    Handshake,
    /// The stream or the connection of HTTP/2 under the opening handshake was refused, reset or ended, or the server takes
    /// no WebSocket over HTTP/2 (RFC 8441). A server that answers with a status makes it [`Handshake`](Self::Handshake).
    Http2,
    /// The peer took longer than it may for the opening or the closing handshake.
    Timeout,
    /// The peer, or something on the way, reset the connection.
    Reset,
    /// The stream ended without a close frame (1006 in RFC 6455 7.1.5).
    Abnormal,
    /// The peer broke the protocol, or a limit, and was told so with a close frame.
    Protocol,
    /// A ping stayed unanswered for too long.
    PingTimeout,
    /// The peer was silent for too long.
    IdleTimeout,
    /// The peer began a message and did not end it in
    /// [`Config::message_timeout`](crate::Config::message_timeout).
    MessageTimeout,
    /// One side reads too slowly: what waits to be sent to the peer, or was sent by it and not taken by us, is at its bound.
    TooSlow,
    /// The connection is closed; nothing can be sent any more.
    Closed,
    /// A message is not the JSON that was asked for, or a value cannot be written as JSON.
    Json,
    /// The caller asked for what cannot be: a bad URL, header, certificate or close code.
    InvalidInput,
    /// The operating system reported something else.
    Io,
}

/// What went wrong at a proxy.
///
/// ```
/// use wiretalk_net::{Connector, ErrorKind, Proxy, ProxyFailure, Request};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// // Nobody listens on this port.
/// let proxy: Proxy = "http://127.0.0.1:1".parse()?;
/// let request = Request::new("ws://example.com/");
/// let error = Connector::new().proxies(proxy).connect(&request).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Proxy);
/// assert_eq!(error.proxy_failure(), Some(ProxyFailure::Unreachable));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyFailure {
    /// The proxy itself could not be reached. The error's source says why.
    Unreachable,
    /// TLS with the proxy could not be agreed upon. The error's source says why.
    Tls,
    /// The proxy wants a user name and a password, or others than it was given (HTTP statuses 407 and 401, RFC 1929).
    Authentication,
    /// The proxy will not connect to that server (any other HTTP status below 500, SOCKS reply 2).
    Denied,
    /// The proxy tried, and could not connect to the server (HTTP statuses 5xx, SOCKS replies 1, 3 to 6 and 8).
    Target,
    /// What it answered is not what a proxy of its kind answers.
    Protocol,
    /// It took too long.
    Timeout,
}

/// Who can mend it.
///
/// ```
/// use wiretalk_net::Blame;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// client.abort();
/// let error = server.recv().await.expect("it is told once").unwrap_err();
/// assert_eq!(error.blame(), Blame::Peer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// This program, or who uses it.
    Us,
    /// The other side of the connection.
    Peer,
    /// What lies between.
    Network,
}

/// An answer that was not the handshake's: a server's, or a proxy's.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let listener = wiretalk_net::server::Listener::bind("127.0.0.1:0", None).await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async move {
/// #     let incoming = listener.accept().await.unwrap();
/// #     let options = wiretalk_net::server::ServeOptions::default();
/// #     let refuse = async |_| wiretalk_net::server::Reply::text(401, "who are you?");
/// #     let _ = wiretalk_net::server::serve_connection(incoming, options, refuse).await;
/// # });
/// let error = wiretalk_net::connect(url).await.unwrap_err();
/// let refusal = error.refusal().expect("it is one");
/// assert_eq!(refusal.response.status, 401);
/// assert_eq!(refusal.body, "who are you?");
/// assert!(!refusal.truncated);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RefusedHandshake {
    /// Status and headers.
    pub response: Response,
    /// The beginning of the body, at most [`RefusedHandshake::BODY_LIMIT`] bytes.
    pub body: Bytes,
    /// Whether the body was longer, or did not come to its end.
    pub truncated: bool,
}

impl RefusedHandshake {
    /// How many bytes of the body are kept.
    pub const BODY_LIMIT: usize = 8 * 1024;
}
