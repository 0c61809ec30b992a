//! A listening socket, and what comes from it.

use std::{fmt, io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host},
    time::{sleep, timeout},
};
use tokio_rustls::TlsStream;

use super::{Reply, ServeOptions, TlsConfig};
use crate::{
    error::{Blame, Error, ErrorKind},
    transport::Transport,
};

/// How long nothing is accepted when the system is out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a client that is refused may take for its answer.
const LINGER: Duration = Duration::from_secs(1);

/// How many reads of what it says are passed over meanwhile.
const LAST_READS: usize = 64;

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
            Err(error) => Err(cannot_listen(&text, error)),
        }
    }

    /// Listens on an address on which other sockets may listen that were made so as well (`SO_REUSEPORT`): the system
    /// spreads what comes over them. Where it cannot, this is [`bind`](Self::bind).
    ///
    /// ```
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind_beside_others("127.0.0.1:0", None).await?;
    /// let taken = listener.local_addr()?;
    /// # #[cfg(unix)]
    /// assert!(Listener::bind_beside_others(taken, None).await.is_ok());
    /// assert!(Listener::bind(taken, None).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io` if the address is in use by others or not to be had; the sentence says which.
    pub async fn bind_beside_others(
        address: impl ToSocketAddrs + fmt::Display,
        tls: Option<TlsConfig>,
    ) -> Result<Self, Error> {
        let text = address.to_string();
        let bound = async {
            let mut failed = None;
            for address in lookup_host(address).await? {
                match listen_beside_others(address) {
                    Ok(tcp) => return Ok(tcp),
                    Err(error) => failed = Some(error),
                }
            }
            Err(failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
        };
        match bound.await {
            Ok(tcp) => Ok(Self { tcp, tls }),
            Err(error) => Err(cannot_listen(&text, error)),
        }
    }

    /// Takes a socket that listens already: one that whoever has started the program handed over, say.
    ///
    /// ```
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// let address = socket.local_addr().unwrap();
    /// let listener = Listener::from_std(socket, None)?;
    /// assert_eq!(listener.local_addr()?, address);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io` if it cannot be used without blocking.
    pub fn from_std(socket: std::net::TcpListener, tls: Option<TlsConfig>) -> Result<Self, Error> {
        let usable = socket
            .set_nonblocking(true)
            .and_then(|()| TcpListener::from_std(socket));
        let tcp =
            usable.map_err(|error| Error::io("the listening socket cannot be used", error))?;
        Ok(Self { tcp, tls })
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

    /// Looks at what the client has said so far, which stays where it is, and waits for its first byte; gives the number of
    /// bytes. 0: it has ended the stream. Cancel-safe.
    ///
    /// ```
    /// use tokio::io::AsyncWriteExt;
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let mut client = tokio::net::TcpStream::connect(listener.local_addr()?).await?;
    /// client.write_all(b"GET / HTTP/1.1\r\n").await?;
    /// let incoming = listener.accept().await?;
    /// let mut first = [0];
    /// assert_eq!(incoming.peek(&mut first).await?, 1);
    /// assert_eq!(first, *b"G");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io`.
    pub async fn peek(&self, bytes: &mut [u8]) -> Result<usize, Error> {
        let peeked = self.tcp.peek(bytes).await;
        peeked.map_err(|error| Error::io("the connection failed", error))
    }

    /// Takes the first bytes away, before TLS or HTTP see them: what a proxy says of the client, say. Not cancel-safe.
    ///
    /// ```
    /// use tokio::io::AsyncWriteExt;
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let mut client = tokio::net::TcpStream::connect(listener.local_addr()?).await?;
    /// client.write_all(b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n").await?;
    /// let mut incoming = listener.accept().await?;
    /// let mut said = [0; 15];
    /// incoming.take(&mut said).await?;
    /// assert_eq!(said, *b"PROXY UNKNOWN\r\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io`, also if the stream ends before.
    pub async fn take(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        match self.tcp.read_exact(bytes).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::io("the connection failed", error)),
        }
    }

    /// The same, as if it had come from elsewhere: for a server behind a proxy that says where its clients are.
    ///
    /// ```
    /// use wiretalk_net::server::Listener;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let client = tokio::net::TcpStream::connect(listener.local_addr()?).await.unwrap();
    /// let incoming = listener.accept().await?.from_peer(([192, 0, 2, 1], 4000).into());
    /// assert_eq!(incoming.peer_addr().to_string(), "192.0.2.1:4000");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn from_peer(mut self, address: SocketAddr) -> Self {
        self.peer_addr = address;
        self
    }

    /// The same, without TLS whatever the listener has: for a client that speaks plain HTTP, to tell it so.
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
    /// let client = tokio::net::TcpStream::connect(listener.local_addr()?).await.unwrap();
    /// let incoming = listener.accept().await?.without_tls();
    /// assert!(!incoming.is_secure());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn without_tls(mut self) -> Self {
        self.tls = None;
        self
    }

    /// Answers without reading a request, and ends the connection: for somebody with whom nothing else is to be done. It is
    /// said in plain HTTP/1.1, whatever the listener has: to somebody who would speak TLS it says nothing.
    ///
    /// If the future is dropped, the connection ends at once.
    ///
    /// ```
    /// use tokio::io::AsyncReadExt;
    /// use wiretalk_net::server::{Listener, Reply};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let mut client = tokio::net::TcpStream::connect(listener.local_addr()?).await?;
    /// listener.accept().await?.refuse(Reply::text(403, "not you\n")).await?;
    /// let mut answer = String::new();
    /// client.read_to_string(&mut answer).await?;
    /// assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"));
    /// assert!(answer.ends_with("\r\n\r\nnot you\n"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io`, if the answer cannot be sent.
    pub async fn refuse(mut self, reply: Reply) -> Result<(), Error> {
        let wire = reply.into_last_wire();
        let answered = async {
            self.tcp.write_all(&wire).await?;
            self.tcp.shutdown().await?;
            // What comes and is not read would be answered by a reset, which takes the answer away.
            let mut passed_over = [0; 1024];
            let mut most = LAST_READS;
            while most > 0 && self.tcp.read(&mut passed_over).await? > 0 {
                most -= 1;
            }
            Ok(())
        };
        match timeout(LINGER, answered).await {
            Ok(Err(error)) => Err(Error::io("the refusal cannot be sent", error)),
            // A client that stays has its answer.
            Ok(Ok(())) | Err(_) => Ok(()),
        }
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

fn listen_beside_others(address: SocketAddr) -> io::Result<TcpListener> {
    /// As many connections may wait to be accepted, as with tokio's own `bind`.
    const BACKLOG: u32 = 1024;
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    #[cfg(unix)]
    {
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn cannot_listen(address: &str, error: io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "the address is in use already".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => "ports below 1024 need more rights".to_owned(),
        _ => error.to_string(),
    };
    let sentence = format!("cannot listen on {address}: {why}");
    Error::with_source(ErrorKind::Io, Blame::Us, sentence, error)
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
