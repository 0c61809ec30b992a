//! Accepting: HTTP and WebSocket on one port, RFC 6455 section 4.2.
//!
//! A [`Listener`] accepts streams; [`serve_connection`] speaks HTTP/1 on one of them and asks a handler for each
//! request, which may turn it into a WebSocket:
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
mod upgrade;

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use hyper::{body, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};

pub use self::{
    listener::{Incoming, Listener, TlsConfig},
    reply::Reply,
    upgrade::{AcceptOptions, Upgrade},
};
pub use wiretalk_proto::handshake::server::{Refusal, RefusalKind};

use crate::error::{Blame, Error, ErrorKind};

/// How HTTP is served on a connection. A plain struct: change what differs and take the rest from
/// [`ServeOptions::default`].
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// How long the client may take for the TLS handshake, and then for the head of each request, its pause before it
    /// included. Default: 10 s.
    pub handshake_timeout: Duration,
    /// The longest head of a request, in bytes. Default: 64 KiB.
    pub head_size: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            head_size: 64 * 1024,
        }
    }
}

/// An HTTP request: its head. The body, if there is one, is not read.
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
    upgrade: Option<hyper::upgrade::OnUpgrade>,
}

/// Serves HTTP/1 on one connection until it ends or becomes a WebSocket. `handler` is asked for each request.
///
/// The future of [`Upgrade::accept`] gets its stream when this returns, so it must be awaited elsewhere: spawned, or
/// kept until then.
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
    let Some(stream) = incoming.into_transport(options.handshake_timeout).await? else {
        return Ok(());
    };
    let spoke = AtomicBool::new(false);
    let service = service_fn(|mut request: http::Request<body::Incoming>| {
        spoke.store(true, Ordering::Relaxed);
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, _) = request.into_parts();
        let reply = handler(Request {
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            peer_addr,
            local_addr,
            secure,
            version: head.version,
            upgrade: Some(upgrade),
        });
        async { Ok::<_, Infallible>(reply.await.into_http()) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.handshake_timeout)
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
