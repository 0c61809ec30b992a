//! From a request to a WebSocket.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use wiretalk_proto::{
    Agreed, DeflateConfig, Role,
    handshake::server::{HttpVersion, Offer, Refusal, check, check_target},
};

use super::{Reply, Request};
use crate::{
    config::{Config, shared_default},
    error::{Blame, Error, ErrorKind},
    transport::Transport,
    websocket::{Info, WebSocket},
};

/// How to accept.
#[derive(Clone, Debug)]
pub struct AcceptOptions {
    /// One of those that the client offered.
    pub subprotocol: Option<String>,
    /// Headers beside those of the handshake.
    pub headers: HeaderMap,
    /// How to compress if the client offers permessage-deflate (RFC 7692); `None`: not at all. Default: without context
    /// takeover, so that an idle connection holds no compressor.
    pub deflate: Option<DeflateConfig>,
    /// The settings of the connection, which many connections can share.
    pub config: Arc<Config>,
}

impl Default for AcceptOptions {
    fn default() -> Self {
        Self {
            subprotocol: None,
            headers: HeaderMap::new(),
            deflate: Some(DeflateConfig::default()),
            config: shared_default(),
        }
    }
}

/// A request for a WebSocket that can be accepted.
#[derive(Debug)]
pub struct Upgrade {
    offer: Offer,
    stream: OnUpgrade,
    peer_addr: SocketAddr,
    local_addr: SocketAddr,
}

impl Request {
    /// Judges whether this asks for a WebSocket, and as section 4.2.1 wants it.
    ///
    /// # Errors
    /// Why it cannot be one. [`RefusalKind::NotUpgrade`](super::RefusalKind::NotUpgrade) is plain HTTP; to the others
    /// `Reply::from(refusal)` is the right answer. A second call finds plain HTTP only.
    pub fn upgrade(&mut self) -> Result<Upgrade, Refusal> {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let offer = check(self.method.as_str(), version(self.version), headers)?;
        if !self.uri.path().starts_with('/') {
            check_target(&self.uri.to_string())?;
        }
        match self.upgrade.take() {
            Some(stream) => Ok(Upgrade {
                offer,
                stream,
                peer_addr: self.peer_addr,
                local_addr: self.local_addr,
            }),
            None => Err(not_upgrade()),
        }
    }
}

impl Upgrade {
    /// The subprotocols that the client offers, the one it likes best first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.offer.subprotocols.iter().map(String::as_str)
    }

    /// Accepts. The reply must be given back by the handler; then the future, which must be awaited elsewhere, gets the
    /// stream.
    ///
    /// # Errors
    /// `InvalidInput` for a subprotocol that was not offered, or a header that belongs to the handshake.
    ///
    /// The future's: `Handshake` if the reply was not given, or the client left before it was sent; `Timeout` if that
    /// took over [`Config::handshake_timeout`].
    pub fn accept(
        self,
        options: AcceptOptions,
    ) -> Result<
        (
            Reply,
            impl Future<Output = Result<WebSocket, Error>> + Send + 'static,
        ),
        Error,
    > {
        let AcceptOptions {
            subprotocol,
            headers,
            deflate,
            config,
        } = options;
        let own = self
            .offer
            .accept(subprotocol.as_deref(), deflate.as_ref())
            .map_err(|error| Error::invalid(error.to_string()))?;
        let (mut reply, given) = Reply::switching_protocols();
        for (name, value) in own.headers {
            reply = reply.header(name, value)?;
        }
        for (name, value) in &headers {
            add(reply.headers_mut(), name, value)?;
        }
        let info = Info {
            peer_addr: Some(self.peer_addr),
            local_addr: Some(self.local_addr),
            subprotocol: subprotocol.map(Into::into),
        };
        // Boxed, so that the task in which it is awaited does not hold its memory for as long as the connection lives.
        Ok((
            reply,
            Box::pin(take_over(self.stream, given, config, own.deflate, info)),
        ))
    }
}

fn add(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) -> Result<(), Error> {
    let text = name.as_str();
    if text.starts_with("sec-websocket-")
        || matches!(
            text,
            "upgrade" | "connection" | "content-length" | "transfer-encoding"
        )
    {
        return Err(Error::invalid(format!(
            "the header `{text}` belongs to the handshake and cannot be set"
        )));
    }
    headers.append(name, value.clone());
    Ok(())
}

/// Takes the stream back out of hyper, with what it has read too far.
async fn take_over(
    stream: OnUpgrade,
    given: Arc<AtomicBool>,
    config: Arc<Config>,
    deflate: Option<Agreed>,
    info: Info,
) -> Result<WebSocket, Error> {
    let limit = config.handshake_timeout;
    let upgraded = match timeout(limit, stream).await {
        Ok(Ok(upgraded)) => upgraded,
        Ok(Err(error)) => {
            let sentence = "the connection ended before the handshake's answer was sent".to_owned();
            return Err(Error::with_source(
                ErrorKind::Handshake,
                Blame::Peer,
                sentence,
                error,
            ));
        }
        Err(_) => {
            return Err(Error::timeout(
                Blame::Peer,
                "the handshake's answer could not be sent",
                limit,
            ));
        }
    };
    // hyper gives the stream back at the end of any request that asked for an upgrade, whatever the answer was.
    if !given.load(Ordering::Acquire) {
        return Err(Error::new(
            ErrorKind::Handshake,
            Blame::Us,
            "the handshake was answered with something else",
        ));
    }
    match upgraded.downcast::<TokioIo<Transport>>() {
        Ok(parts) => Ok(WebSocket::new(
            parts.io.into_inner(),
            Role::Server,
            config,
            deflate,
            &parts.read_buf,
            info,
        )),
        Err(_) => Err(Error::new(
            ErrorKind::Io,
            Blame::Us,
            "the stream is not one that was accepted here",
        )),
    }
}

fn version(version: http::Version) -> HttpVersion {
    match version {
        http::Version::HTTP_09 => HttpVersion(0, 9),
        http::Version::HTTP_10 => HttpVersion(1, 0),
        http::Version::HTTP_2 => HttpVersion(2, 0),
        http::Version::HTTP_3 => HttpVersion(3, 0),
        _ => HttpVersion(1, 1),
    }
}

fn not_upgrade() -> Refusal {
    check("GET", HttpVersion(1, 1), [])
        .expect_err("a request without headers asks for no WebSocket")
}
