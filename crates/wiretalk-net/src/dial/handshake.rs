//! How a connection came about.

use std::time::Duration;

use wiretalk_proto::handshake::client::Response;

use super::TlsInfo;

/// How a connection came about: what the server answered, and how long each step took.
///
/// ```
/// # use wiretalk_net::server::{AcceptOptions, Listener, ServeOptions, serve_connection};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let listener = Listener::bind("127.0.0.1:0", None).await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async move {
/// #     while let Ok(incoming) = listener.accept().await {
/// #         tokio::spawn(serve_connection(incoming, ServeOptions::default(), async |mut request| {
/// #             let (reply, socket) = request.upgrade().unwrap().accept(AcceptOptions::default()).unwrap();
/// #             tokio::spawn(async {
/// #                 let mut socket = socket.await.unwrap();
/// #                 while let Some(Ok(message)) = socket.recv().await {
/// #                     let _ = socket.send(message).await;
/// #                 }
/// #             });
/// #             reply
/// #         }));
/// #     }
/// # });
/// let (socket, handshake) = wiretalk_net::connect(&*url).await?;
/// assert_eq!(handshake.url, url);
/// assert_eq!(handshake.response.status, 101);
/// assert!(handshake.redirects.is_empty() && handshake.tls.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Handshake {
    /// Where the connection leads to, in the end: the URL that was asked for, or the last redirect's. Without user name
    /// and password.
    pub url: String,
    /// The answer that opened the connection.
    pub response: Response,
    /// The version of HTTP that it came in: HTTP/1.1, or HTTP/2 if that was allowed (`Connector::http2`).
    pub http_version: http::Version,
    /// The redirects that led there, the first one first; see [`Connector::redirects`](crate::Connector::redirects).
    pub redirects: Vec<Redirect>,
    /// What TLS came to; `None` without it.
    pub tls: Option<TlsInfo>,
    /// How long it took.
    pub timings: Timings,
}

/// A server that sent the client elsewhere (RFC 9110 15.4).
///
/// ```
/// # use wiretalk_net::server::{AcceptOptions, Listener, ServeOptions, serve_connection};
/// use wiretalk_net::{Connector, Request};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let listener = Listener::bind("127.0.0.1:0", None).await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async move {
/// #     while let Ok(incoming) = listener.accept().await {
/// #         tokio::spawn(serve_connection(incoming, ServeOptions::default(), async |mut request| {
/// #             let (reply, socket) = request.upgrade().unwrap().accept(AcceptOptions::default()).unwrap();
/// #             tokio::spawn(async {
/// #                 let mut socket = socket.await.unwrap();
/// #                 while let Some(Ok(message)) = socket.recv().await {
/// #                     let _ = socket.send(message).await;
/// #                 }
/// #             });
/// #             reply
/// #         }));
/// #     }
/// # });
/// let connector = Connector::new().redirects(3);
/// let (socket, handshake) = connector.connect(&Request::new(url)).await?;
/// for redirect in &handshake.redirects {
///     println!("{} led to {}", redirect.url, redirect.location);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Redirect {
    /// Who was asked. Without user name and password.
    pub url: String,
    /// What it answered: 301, 302, 303, 307 or 308.
    pub response: Response,
    /// Where it sent the client, as a whole URL, without user name and password.
    pub location: String,
    /// How long it took. `total` is of this step alone.
    pub timings: Timings,
}

/// How long each step of dialing took. A step that was not needed is `None`. After a redirect, the steps are those of
/// the last server; only `total` counts all of them.
///
/// ```
/// # use wiretalk_net::server::{AcceptOptions, Listener, ServeOptions, serve_connection};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let listener = Listener::bind("127.0.0.1:0", None).await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async move {
/// #     while let Ok(incoming) = listener.accept().await {
/// #         tokio::spawn(serve_connection(incoming, ServeOptions::default(), async |mut request| {
/// #             let (reply, socket) = request.upgrade().unwrap().accept(AcceptOptions::default()).unwrap();
/// #             tokio::spawn(async {
/// #                 let mut socket = socket.await.unwrap();
/// #                 while let Some(Ok(message)) = socket.recv().await {
/// #                     let _ = socket.send(message).await;
/// #                 }
/// #             });
/// #             reply
/// #         }));
/// #     }
/// # });
/// let (socket, handshake) = wiretalk_net::connect(url).await?;
/// let timings = handshake.timings;
/// println!("TCP took {:?}, the handshake {:?}", timings.tcp, timings.upgrade);
/// assert!(timings.tls.is_none());
/// assert!(timings.total >= timings.upgrade);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// Names were resolved: the server's, or the proxy's if there is one; for `socks5:`, both.
    pub dns: Option<Duration>,
    /// The TCP connection was made, to the proxy if there is one, the attempts at other addresses included.
    pub tcp: Option<Duration>,
    /// The Unix socket was connected to.
    pub unix: Option<Duration>,
    /// The proxy made a tunnel: TLS with the proxy and all that it was asked, until the target was connected.
    pub proxy: Option<Duration>,
    /// The TLS handshake with the server.
    pub tls: Option<Duration>,
    /// From the opening handshake's request to its answer.
    pub upgrade: Duration,
    /// All of it.
    pub total: Duration,
}
