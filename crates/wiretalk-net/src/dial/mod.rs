//! Dialing: RFC 6455 section 4.1.

mod handshake;
mod http1;
mod refusal;
mod request;
mod tcp;
mod tls;
mod url;

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, TlsStream};
use wiretalk_proto::Role;

pub use self::{
    handshake::{Handshake, Timings},
    request::Request,
};
use self::{tls::Trust, url::Target};
use crate::{
    config::Config,
    error::{Blame, Error, ErrorKind},
    transport::Transport,
    websocket::{Info, WebSocket},
};

pub(crate) use self::tls::certificates;

/// Dials with the default settings; see [`Connector::connect`].
///
/// # Errors
/// As [`Connector::connect`].
pub async fn connect(request: impl Into<Request>) -> Result<(WebSocket, Handshake), Error> {
    let request = request.into();
    Connector::new().connect(&request).await
}

/// Dials, with settings that hold for all connections it makes. The system's root certificates are read at the first
/// `wss:`, once.
#[derive(Clone, Debug, Default)]
pub struct Connector {
    config: Arc<Config>,
    trust: Trust,
    tls: OnceCell<Arc<ClientConfig>>,
}

impl Connector {
    /// The default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The settings of the connections.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Whether any certificate of a server is believed.
    #[must_use]
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.trust.insecure = insecure;
        self.tls = OnceCell::new();
        self
    }

    /// Trusts the certificates of a PEM text as roots, beside those of the system.
    ///
    /// # Errors
    /// `InvalidInput` if there are none, or they cannot be read.
    pub fn root_certificates(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.trust.roots.extend(certificates(pem)?);
        self.tls = OnceCell::new();
        Ok(self)
    }

    /// Dials: resolves the name, tries each address in turn, agrees on TLS if need be, and does the opening handshake.
    /// All of it together takes no longer than [`Config::handshake_timeout`].
    ///
    /// # Errors
    /// `InvalidInput` for a bad URL, header or subprotocol; `Dns`, `Refused`, `Unreachable`, `Tls`, `Timeout`, `Reset`;
    /// `Handshake` if the server answers anything but a correct 101: see [`Error::refusal`] for its answer.
    pub async fn connect(&self, request: &Request) -> Result<(WebSocket, Handshake), Error> {
        let target = Target::parse(&request.url)?;
        let opening = http1::opening(request, &target)?;
        let begin = Instant::now();
        let deadline = begin + self.config.handshake_timeout.min(FOREVER);
        let limit = self.config.handshake_timeout;
        let late = |what: &str| {
            Error::timeout(
                Blame::Peer,
                format_args!("{} {what}", target.authority),
                limit,
            )
        };

        let mut timings = Timings::default();
        let mut stream = Transport::Tcp(tcp::dial(&target, deadline, &late, &mut timings).await?);
        let (peer_addr, local_addr) = (stream.peer_addr(), stream.local_addr());
        if target.secure {
            let since = Instant::now();
            let tls = TlsConnector::from(self.tls().await?);
            stream = match timeout_at(deadline, tls.connect(target.server_name()?, stream)).await {
                Ok(Ok(stream)) => Transport::Tls(Box::new(TlsStream::Client(stream))),
                Ok(Err(error)) => return Err(tls::failed(&target.authority, error)),
                Err(_) => return Err(late("did not finish the TLS handshake")),
            };
            timings.tls = Some(since.elapsed());
        }
        let since = Instant::now();
        let answer = http1::open(&mut stream, &opening, deadline);
        let (response, read_ahead) = timeout_at(deadline, answer)
            .await
            .map_err(|_| late("did not answer the opening handshake"))??;
        timings.upgrade = since.elapsed();
        timings.total = begin.elapsed();
        let info = Info {
            peer_addr,
            local_addr,
            subprotocol: response.subprotocol.as_deref().map(Into::into),
        };
        let socket = WebSocket::new(
            stream,
            Role::Client,
            Arc::clone(&self.config),
            response.deflate,
            &read_ahead,
            info,
        );
        Ok((socket, Handshake { response, timings }))
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, Error> {
        let build = async || {
            let trust = self.trust.clone();
            // Reading the roots takes some milliseconds, which others on this thread should not have to wait.
            let built = tokio::task::spawn_blocking(move || tls::client_config(&trust)).await;
            built.unwrap_or_else(|error| {
                Err(Error::new(ErrorKind::Tls, Blame::Us, error.to_string()))
            })
        };
        self.tls.get_or_try_init(build).await.cloned()
    }
}

/// The longest timeout that is kept, so that the clock can count so far.
const FOREVER: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 60 * 60);
