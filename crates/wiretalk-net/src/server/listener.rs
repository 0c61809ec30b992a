//! A listening socket, and what comes from it.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::ServeOptions;
#[cfg(feature = "http2")]
use crate::http2;
use crate::{
    dial::certificates,
    error::{Blame, Error, ErrorKind},
    transport::Transport,
};

/// How long nothing is accepted when the system is out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// A server's certificate and key.
///
/// ```
/// use wiretalk_net::server::{Listener, TlsConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (certificate_pem, key_pem) = (own.cert.pem(), own.signing_key.serialize_pem());
/// let tls = TlsConfig::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
/// let listener = Listener::bind("127.0.0.1:0", Some(tls)).await?;
/// assert!(listener.is_secure());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TlsConfig {
    http1: Arc<ServerConfig>,
    /// The same, for clients that may choose HTTP/2.
    #[cfg(feature = "http2")]
    http2: Arc<ServerConfig>,
}

impl TlsConfig {
    /// Reads a certificate chain, the server's own first, and its private key.
    ///
    /// ```
    /// use wiretalk_net::server::TlsConfig;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// # let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (certificate_pem, key_pem) = (own.cert.pem(), own.signing_key.serialize_pem());
    /// let tls = TlsConfig::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
    /// assert!(TlsConfig::from_pem(b"no certificate", key_pem.as_bytes()).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if one is missing, cannot be read, or they do not belong together.
    pub fn from_pem(certificate_chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain = certificates(certificate_chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            Error::invalid(format!("the private key cannot be read as PEM: {error}"))
        })?;
        let unusable = |error: rustls::Error| {
            Error::invalid(format!("certificate and key cannot be used: {error}"))
        };
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(unusable)?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            #[cfg(feature = "http2")]
            http2: {
                let mut config = config.clone();
                config.alpn_protocols.insert(0, http2::ALPN.to_vec());
                Arc::new(config)
            },
            http1: Arc::new(config),
        })
    }

    /// What is offered to a client (RFC 7301).
    fn acceptor(self, options: &ServeOptions) -> TlsAcceptor {
        #[cfg(feature = "http2")]
        if options.http2 {
            return self.http2.into();
        }
        #[cfg(not(feature = "http2"))]
        let _ = options;
        self.http1.into()
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

/// A listening socket.
///
/// ```
/// use wiretalk_net::server::Listener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// let listener = Listener::bind("127.0.0.1:0", None).await?;
/// println!("listening on ws://{}", listener.local_addr()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsConfig>,
}

impl Listener {
    /// Listens on an address, such as `127.0.0.1:4000`; port 0 takes a free one.
    ///
    /// ```
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let taken = listener.local_addr()?;
    /// assert!(Listener::bind(taken, None).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io` if the address is in use or not to be had; the sentence says which.
    pub async fn bind(
        address: impl ToSocketAddrs + fmt::Display,
        tls: Option<TlsConfig>,
    ) -> Result<Self, Error> {
        let text = address.to_string();
        match TcpListener::bind(address).await {
            Ok(tcp) => Ok(Self { tcp, tls }),
            Err(error) => {
                let why = match error.kind() {
                    io::ErrorKind::AddrInUse => "the address is in use already".to_owned(),
                    io::ErrorKind::AddrNotAvailable => {
                        "this machine has no such address".to_owned()
                    }
                    io::ErrorKind::PermissionDenied => {
                        "ports below 1024 need more rights".to_owned()
                    }
                    _ => error.to_string(),
                };
                let sentence = format!("cannot listen on {text}: {why}");
                Err(Error::with_source(
                    ErrorKind::Io,
                    Blame::Us,
                    sentence,
                    error,
                ))
            }
        }
    }

    /// The same, with TLS on all that comes from now on.
    ///
    /// ```
    /// use wiretalk_net::server::{Listener, TlsConfig};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (certificate_pem, key_pem) = (own.cert.pem(), own.signing_key.serialize_pem());
    /// let tls = TlsConfig::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
    /// let listener = Listener::bind("127.0.0.1:0", None).await?.with_tls(tls);
    /// assert!(listener.is_secure());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Where it listens.
    ///
    /// ```
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io`.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        self.tcp
            .local_addr()
            .map_err(|error| Error::io("the listening socket has no address", error))
    }

    /// Whether what comes is TLS.
    ///
    /// ```
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// assert!(!listener.is_secure());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The next stream. Nothing has been said on it yet, not even TLS, so that a slow client keeps nobody waiting.
    ///
    /// While the system is out of descriptors or memory this waits, and tries again every 100 ms. Cancel-safe.
    ///
    /// ```
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let client = tokio::net::TcpStream::connect(listener.local_addr()?).await.unwrap();
    /// let incoming = listener.accept().await?;
    /// assert_eq!(incoming.peer_addr(), client.local_addr().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io` if the listening socket itself is broken.
    pub async fn accept(&self) -> Result<Incoming, Error> {
        loop {
            let (tcp, peer_addr) = match self.tcp.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_about_the_stream(&error) => continue,
                Err(error) if is_about_resources(&error) => {
                    sleep(PAUSE).await;
                    continue;
                }
                Err(error) => return Err(Error::io("accepting a connection failed", error)),
            };
            // A client may be gone again already; then neither of these matters.
            let Ok(local_addr) = tcp.local_addr() else {
                continue;
            };
            if tcp.set_nodelay(true).is_err() {
                continue;
            }
            return Ok(Incoming {
                tcp,
                peer_addr,
                local_addr,
                tls: self.tls.clone(),
            });
        }
    }
}

/// A stream that was accepted, and is to be served with [`serve_connection`](super::serve_connection).
///
/// ```
/// use wiretalk_net::server::Listener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// let listener = Listener::bind("127.0.0.1:0", None).await?;
/// let client = tokio::net::TcpStream::connect(listener.local_addr()?).await.unwrap();
/// let incoming = listener.accept().await?;
/// println!("somebody came from {}", incoming.peer_addr());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Incoming {
    tcp: TcpStream,
    peer_addr: SocketAddr,
    local_addr: SocketAddr,
    tls: Option<TlsConfig>,
}

impl Incoming {
    /// Where it comes from.
    ///
    /// ```
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let client = tokio::net::TcpStream::connect(listener.local_addr()?).await.unwrap();
    /// let incoming = listener.accept().await?;
    /// assert_eq!(incoming.peer_addr(), client.local_addr().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer_addr
    }

    /// Where it came to.
    ///
    /// ```
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let client = tokio::net::TcpStream::connect(listener.local_addr()?).await.unwrap();
    /// let incoming = listener.accept().await?;
    /// assert_eq!(incoming.local_addr(), listener.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Whether it is to be TLS.
    ///
    /// ```
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let client = tokio::net::TcpStream::connect(listener.local_addr()?).await.unwrap();
    /// let incoming = listener.accept().await?;
    /// assert!(!incoming.is_secure());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Does the TLS handshake if there is to be one. `None`: the client left before it began.
    pub(super) async fn into_transport(
        self,
        options: &ServeOptions,
    ) -> Result<Option<Transport>, Error> {
        let Some(tls) = self.tls else {
            return Ok(Some(Transport::Tcp(self.tcp)));
        };
        let (acceptor, limit) = (tls.acceptor(options), options.handshake_timeout);
        match timeout(limit, acceptor.accept(Transport::Tcp(self.tcp))).await {
            Ok(Ok(stream)) => Ok(Some(Transport::Tls(Box::new(TlsStream::Server(stream))))),
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Ok(Err(error)) => {
                let sentence = format!("TLS with the client failed: {error}");
                Err(Error::with_source(
                    ErrorKind::Tls,
                    Blame::Peer,
                    sentence,
                    error,
                ))
            }
            Err(_) => Err(Error::timeout(
                Blame::Peer,
                "the client did not finish the TLS handshake",
                limit,
            )),
        }
    }
}

/// Errors that `accept` passes on from a stream that is gone before we got it (accept(2)).
fn is_about_the_stream(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::Interrupted
            | Kind::TimedOut
    )
}

/// EMFILE, ENFILE, ENOBUFS, ENOMEM: over when some connection ends.
fn is_about_resources(error: &io::Error) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    const ENOBUFS: [i32; 2] = [105, 55];
    error.kind() == io::ErrorKind::OutOfMemory
        || error
            .raw_os_error()
            .is_some_and(|code| code == EMFILE || code == ENFILE || ENOBUFS.contains(&code))
}
