//! Dialing: RFC 6455 section 4.1.

mod refusal;
mod tls;
mod url;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use rustls::ClientConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    sync::OnceCell,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, TlsStream};
use wiretalk_proto::{
    DeflateConfig, Role,
    handshake::{
        Progress,
        client::{self, Response, ResponseErrorKind},
    },
};

use self::{tls::Trust, url::Target};
use crate::{
    config::Config,
    error::{Blame, Error, ErrorKind},
    transport::Transport,
    websocket::{Info, WebSocket},
};

pub(crate) use self::tls::certificates;

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

/// Dials with the default settings; see [`Connector::connect`].
///
/// # Errors
/// As [`Connector::connect`].
pub async fn connect(request: impl Into<Request>) -> Result<(WebSocket, Response), Error> {
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
    pub async fn connect(&self, request: &Request) -> Result<(WebSocket, Response), Error> {
        let target = Target::parse(&request.url)?;
        let opening = opening(request, &target)?;
        let deadline = Instant::now() + self.config.handshake_timeout.min(FOREVER);
        let limit = self.config.handshake_timeout;
        let late = |what: &str| {
            Error::timeout(
                Blame::Peer,
                format_args!("{} {what}", target.authority),
                limit,
            )
        };

        let tcp = dial(&target, deadline, &late).await?;
        let no_address = |error| Error::io("the socket has no address", error);
        let peer_addr = tcp.peer_addr().map_err(no_address)?;
        let local_addr = tcp.local_addr().map_err(no_address)?;
        let mut stream = if target.secure {
            let tls = TlsConnector::from(self.tls().await?);
            match timeout_at(deadline, tls.connect(target.server_name()?, tcp)).await {
                Ok(Ok(stream)) => Transport::Tls(Box::new(TlsStream::Client(stream))),
                Ok(Err(error)) => return Err(tls::failed(&target.authority, error)),
                Err(_) => return Err(late("did not finish the TLS handshake")),
            }
        } else {
            Transport::Tcp(tcp)
        };
        let answer = open(&mut stream, &opening, deadline);
        let (response, read_ahead) = timeout_at(deadline, answer)
            .await
            .map_err(|_| late("did not answer the opening handshake"))??;
        let info = Info {
            peer_addr,
            local_addr,
            subprotocol: response.subprotocol.as_deref().map(Into::into),
        };
        Ok((
            WebSocket::new(
                stream,
                Role::Client,
                Arc::clone(&self.config),
                response.deflate,
                &read_ahead,
                info,
            ),
            response,
        ))
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

/// The handshake's request. The key is fresh (section 4.1, step 7).
fn opening(request: &Request, target: &Target) -> Result<client::Request, Error> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(|error| {
        Error::new(
            ErrorKind::Io,
            Blame::Us,
            format!("the system gave no random bytes: {error}"),
        )
    })?;
    let invalid = |error: client::RequestError| Error::invalid(error.to_string());
    let mut opening =
        client::Request::new(&target.authority, &target.resource, key).map_err(invalid)?;
    for subprotocol in &request.subprotocols {
        opening.subprotocol(subprotocol).map_err(invalid)?;
    }
    for deflate in &request.deflate {
        opening.deflate(*deflate);
    }
    if let Some(origin) = &request.origin {
        opening.header("Origin", origin).map_err(invalid)?;
    }
    for (name, value) in &request.headers {
        opening.header(name, value).map_err(invalid)?;
    }
    Ok(opening)
}

/// Connects to the first address that answers. Each has its share of the time that is left.
async fn dial(
    target: &Target,
    deadline: Instant,
    late: &impl Fn(&str) -> Error,
) -> Result<TcpStream, Error> {
    let addresses = match timeout_at(deadline, resolve(target)).await {
        Ok(addresses) => addresses?,
        Err(_) => return Err(late("was not resolved")),
    };
    let mut failed = None;
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let others = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = left / others;
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Small messages must not wait for more; the connection batches on its own.
                tcp.set_nodelay(true)
                    .map_err(|error| Error::io("TCP_NODELAY cannot be set", error))?;
                return Ok(tcp);
            }
            Ok(Err(error)) => failed = Some(not_connected(*address, error)),
            Err(_) => {
                failed = Some(Error::timeout(
                    Blame::Network,
                    format_args!("{address} did not answer"),
                    share,
                ));
            }
        }
    }
    Err(failed.unwrap_or_else(|| unresolved(target, None)))
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = target.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    match lookup_host((target.host.as_str(), target.port)).await {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(unresolved(target, Some(error))),
    }
}

fn unresolved(target: &Target, error: Option<std::io::Error>) -> Error {
    let sentence = format!("cannot resolve the host name `{}`", target.host);
    match error {
        Some(error) => Error::with_source(ErrorKind::Dns, Blame::Network, sentence, error),
        None => Error::new(ErrorKind::Dns, Blame::Network, sentence),
    }
}

fn not_connected(address: SocketAddr, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::ConnectionRefused {
        let sentence = format!("{address} refused the connection");
        Error::with_source(ErrorKind::Refused, Blame::Peer, sentence, error)
    } else {
        let sentence = format!("{address} cannot be reached: {error}");
        Error::with_source(ErrorKind::Unreachable, Blame::Network, sentence, error)
    }
}

/// Writes the request and reads the answer. Gives the bytes that came behind it, too.
async fn open(
    stream: &mut Transport,
    opening: &client::Request,
    deadline: Instant,
) -> Result<(Response, Vec<u8>), Error> {
    let mut wire = Vec::with_capacity(512);
    opening.encode(&mut wire);
    let sending = |error| Error::io("the handshake could not be sent", error);
    stream.write_all(&wire).await.map_err(sending)?;
    stream.flush().await.map_err(sending)?;

    let mut input = Vec::with_capacity(4096);
    loop {
        let read = stream
            .read_buf(&mut input)
            .await
            .map_err(|error| ended(&input, error))?;
        if read == 0 {
            return Err(ended(&input, std::io::ErrorKind::UnexpectedEof.into()));
        }
        match opening.parse_response(&input) {
            Ok(Progress::Partial) => {}
            Ok(Progress::Complete { consumed, head }) => {
                return Ok((head, input.split_off(consumed)));
            }
            Err(error) => {
                return Err(match (error.kind(), error.response()) {
                    (ResponseErrorKind::Status(_), Some(response)) => {
                        let begun = input.split_off(error.consumed());
                        Error::refused_handshake(
                            refusal::read(stream, response.clone(), begun, deadline).await,
                        )
                    }
                    // An alert (RFC 8446 5.1): the server expected TLS.
                    _ if input.starts_with(&[TLS_ALERT, 3]) => Error::handshake(
                        "the server answered in TLS, not in HTTP: it may want `wss:` instead of `ws:`",
                    ),
                    _ => Error::bad_response(&error),
                });
            }
        }
    }
}

/// The content type of a TLS record that carries an alert.
const TLS_ALERT: u8 = 21;

/// The stream ended, or failed, before the whole answer came.
fn ended(input: &[u8], error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        Error::handshake(if input.is_empty() {
            "the server ended the stream without an answer to the handshake"
        } else {
            "the server ended the stream in the middle of its answer to the handshake"
        })
    } else {
        Error::io("the handshake's answer could not be read", error)
    }
}
