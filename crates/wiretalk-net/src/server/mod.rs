//! Accepting: HTTP and WebSocket on one port, RFC 6455 section 4.2.
//!
//! A [`Listener`] accepts streams; [`serve_connection`] speaks HTTP on one of them and asks a handler for each request,
//! which may turn it into a WebSocket. With the feature `http2` that is HTTP/1.1 or HTTP/2, as the client chooses, and
//! one connection of HTTP/2 carries many WebSockets (RFC 8441):
//!
//! ```no_run
//! use wiretalk_net::server::{AcceptOptions, Listener, Reply, ServeOptions, serve_connection};
//!
//! # async fn example() -> Result<(), wiretalk_net::Error> {
//! let listener = Listener::bind("127.0.0.1:4000", None).await?;
//! loop {
//!     let incoming = listener.accept().await?;
//!     tokio::spawn(serve_connection(incoming, ServeOptions::default(), async |mut request| {
//!         let upgrade = match request.upgrade() {
//!             Ok(upgrade) => upgrade,
//!             Err(refusal) => return Reply::from(refusal),
//!         };
//!         let (reply, socket) = match upgrade.accept(AcceptOptions::default()) {
//!             Ok(accepted) => accepted,
//!             Err(error) => return Reply::text(500, error.to_string()),
//!         };
//!         tokio::spawn(async {
//!             let mut socket = socket.await?;
//!             while let Some(message) = socket.recv().await {
//!                 socket.send(message?).await?;
//!             }
//!             Ok::<(), wiretalk_net::Error>(())
//!         });
//!         reply
//!     }));
//! }
//! # }
//! ```

mod listener;
mod reply;
mod tls;
mod upgrade;

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use http::header::{self, Entry};
use hyper::{body, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};

pub use self::{
    listener::{Incoming, Listener},
    reply::Reply,
    tls::TlsConfig,
    upgrade::{AcceptOptions, Upgrade},
};
pub use wiretalk_proto::handshake::server::{Refusal, RefusalKind};

use crate::{
    config::FOREVER,
    error::{Blame, Error, ErrorKind},
};

/// How HTTP is served on a connection. A plain struct: change what differs and take the rest from
/// [`ServeOptions::default`].
///
/// ```
/// use std::time::Duration;
/// use wiretalk_net::server::ServeOptions;
///
/// # fn main() -> Result<(), wiretalk_net::Error> {
/// let options = ServeOptions {
///     handshake_timeout: Duration::from_secs(3),
///     ..ServeOptions::default()
/// };
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// How long the client may take for the TLS handshake, and then for the head of each request, its pause before it
    /// included. Default: 10 s.
    pub handshake_timeout: Duration,
    /// The longest head of a request, in bytes. Default: 64 KiB.
    pub head_size: usize,
    /// Whether HTTP/2 is spoken, too: over TLS with a client that chooses it (ALPN), and without TLS with one that begins
    /// with it. Needs the feature `http2`, and means nothing without it. Default: yes.
    ///
    /// A client may have 1,024 streams of a connection open, and all of them together may send 8 MiB that nobody reads.
    pub http2: bool,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            head_size: 64 * 1024,
            http2: true,
        }
    }
}

/// An HTTP request: its head. The body, if there is one, is not read.
///
/// One that came over HTTP/2 has the form of HTTP/1.1: what was `:authority` is in `Host`, and `:path` is the target.
///
/// ```
/// use wiretalk_net::server::{Listener, Reply, Request, ServeOptions, serve_connection};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// let listener = Listener::bind("127.0.0.1:0", None).await?;
/// let url = format!("ws://{}/chat", listener.local_addr()?);
/// tokio::spawn(async move {
///     let incoming = listener.accept().await?;
///     serve_connection(incoming, ServeOptions::default(), async |request: Request| {
///         match request.uri.path() {
///             "/health" => Reply::text(200, "fine"),
///             _ => Reply::text(404, "there is nothing here"),
///         }
///     })
///     .await
/// });
/// let error = wiretalk_net::connect(url).await.unwrap_err();
/// assert_eq!(error.refusal().expect("it is one").response.status, 404);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Request {
    /// Its method.
    pub method: http::Method,
    /// Its target: path and query, usually.
    pub uri: http::Uri,
    /// Its headers.
    pub headers: http::HeaderMap,
    /// Where it comes from.
    pub peer_addr: SocketAddr,
    /// Where it came to.
    pub local_addr: SocketAddr,
    /// Whether it came over TLS.
    pub secure: bool,
    version: http::Version,
    #[cfg(feature = "http2")]
    pseudo: Option<crate::http2::server::Pseudo>,
    upgrade: Option<upgrade::Source>,
}

impl Request {
    /// The version of HTTP that it came in: what [`serve_connection`] says of its handler's WebSockets hangs on it.
    ///
    /// ```
    /// use wiretalk_net::server::{Listener, Reply, Request, ServeOptions, serve_connection};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let url = format!("ws://{}/chat", listener.local_addr()?);
    /// tokio::spawn(async move {
    ///     let incoming = listener.accept().await?;
    ///     serve_connection(incoming, ServeOptions::default(), async |request: Request| {
    ///         Reply::text(200, format!("{:?}", request.version()))
    ///     })
    ///     .await
    /// });
    /// let error = wiretalk_net::connect(url).await.unwrap_err();
    /// assert_eq!(error.refusal().expect("it is one").body, "HTTP/1.1");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn version(&self) -> http::Version {
        self.version
    }
}

/// Serves HTTP on one connection until it ends or, over HTTP/1.1, becomes a WebSocket. `handler` is asked for each
/// request.
///
/// The future of [`Upgrade::accept`] must be awaited elsewhere than in `handler`. Over HTTP/1.1 it gets its stream when
/// this returns, so it may be kept until then. Over HTTP/2 it gets it as soon as the reply is sent, and this goes on, for
/// it carries what all the connection's WebSockets send and receive: spawn the future, or poll both.
///
/// HTTP/2 ends when the client ends the connection, or has no stream open for
/// [`handshake_timeout`](ServeOptions::handshake_timeout). Dropping this future ends the connection, and over HTTP/2 its
/// WebSockets with it.
///
/// ```
/// use wiretalk_net::server::{AcceptOptions, Listener, Reply, Request, ServeOptions, serve_connection};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// let listener = Listener::bind("127.0.0.1:0", None).await?;
/// let url = format!("ws://{}/chat", listener.local_addr()?);
/// tokio::spawn(async move {
///     let incoming = listener.accept().await?;
///     serve_connection(incoming, ServeOptions::default(), async |mut request: Request| {
///         let upgrade = match request.upgrade() {
///             Ok(upgrade) => upgrade,
///             Err(refusal) => return Reply::from(refusal),
///         };
///         let (reply, socket) = match upgrade.accept(AcceptOptions::default()) {
///             Ok(accepted) => accepted,
///             Err(error) => return Reply::text(500, error.to_string()),
///         };
///         tokio::spawn(async { socket.await?.send("welcome").await });
///         reply
///     })
///     .await
/// });
/// let (mut socket, _) = wiretalk_net::connect(url).await?;
/// assert_eq!(socket.recv().await.transpose()?, Some("welcome".into()));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// How the connection went wrong; `Tls` and `Timeout` for a client that does not get as far as a request. A client that
/// comes and goes without a word is no error.
pub async fn serve_connection<H, F>(
    incoming: Incoming,
    options: ServeOptions,
    handler: H,
) -> Result<(), Error>
where
    H: Fn(Request) -> F,
    F: Future<Output = Reply> + Send,
{
    let (peer_addr, local_addr, secure) = (
        incoming.peer_addr(),
        incoming.local_addr(),
        incoming.is_secure(),
    );
    let Some(stream) = incoming.into_transport(&options).await? else {
        return Ok(());
    };
    #[cfg(feature = "http2")]
    if options.http2 && stream.speaks_http2(options.handshake_timeout).await? {
        let handler = |asked: crate::http2::server::Asked| {
            let mut head = asked.head;
            hide_secrets(&mut head.headers);
            handler(Request {
                method: head.method,
                uri: head.uri,
                headers: head.headers,
                peer_addr,
                local_addr,
                secure,
                version: head.version,
                pseudo: Some(asked.pseudo),
                upgrade: Some(upgrade::Source::Http2(asked.stream)),
            })
        };
        // Boxed, for most connections have no use for its memory.
        return Box::pin(crate::http2::server::serve(stream, &options, handler)).await;
    }
    let spoke = AtomicBool::new(false);
    let service = service_fn(|mut request: http::Request<body::Incoming>| {
        spoke.store(true, Ordering::Relaxed);
        let upgrade = hyper::upgrade::on(&mut request);
        let (mut head, _) = request.into_parts();
        hide_secrets(&mut head.headers);
        let reply = handler(Request {
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            peer_addr,
            local_addr,
            secure,
            version: head.version,
            #[cfg(feature = "http2")]
            pseudo: None,
            upgrade: Some(upgrade::Source::Http1(upgrade)),
        });
        async { Ok::<_, Infallible>(reply.await.into_http()) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.handshake_timeout.min(FOREVER))
        .max_header_size(options.head_size)
        .max_buf_size(options.head_size.max(64 * 1024))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    match served {
        // A browser keeps its connection for a while, in case it wants something more.
        Err(error) if error.is_timeout() && spoke.into_inner() => Ok(()),
        served => served.map_err(|error| failed(error, options.handshake_timeout)),
    }
}

/// Marks what proves who the client is, so that no `Debug` shows it, and no HTTP/2 to elsewhere keeps it to compress by.
fn hide_secrets(headers: &mut http::HeaderMap) {
    for name in [
        header::AUTHORIZATION,
        header::COOKIE,
        header::PROXY_AUTHORIZATION,
    ] {
        if let Entry::Occupied(mut values) = headers.entry(name) {
            values
                .iter_mut()
                .for_each(|value| value.set_sensitive(true));
        }
    }
}

fn failed(error: hyper::Error, limit: Duration) -> Error {
    if error.is_timeout() {
        return Error::timeout(
            Blame::Peer,
            "the client did not send the head of a request",
            limit,
        );
    }
    if error.is_parse() {
        return Error::handshake(format!("the client did not speak HTTP/1: {error}"));
    }
    let io =
        std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        Some(kind) => Error::io("the HTTP connection failed", io::Error::new(kind, error)),
        None if error.is_incomplete_message() => {
            let sentence = "the client ended the stream in the middle of a request";
            Error::new(ErrorKind::Abnormal, Blame::Peer, sentence)
        }
        None => Error::with_source(
            ErrorKind::Io,
            Blame::Us,
            format!("the HTTP connection failed: {error}"),
            error,
        ),
    }
}
