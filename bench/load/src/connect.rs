//! Connections: TCP or TLS, and the opening handshake (RFC 6455 section 4.1) by hand.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    ops::Range,
    os::fd::{AsRawFd, RawFd},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use socket2::{Domain, SockRef, Socket, Type};

use crate::Failure;

/// The key is always the example of RFC 6455 section 1.3, so that the answer to it is known too.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// As many connections share one source address. There are 28,232 ports to an address by default, but the more of them are
/// taken, the longer the kernel looks for one.
const PER_ADDRESS: usize = 4_000;

/// Handshakes that are begun before the first is finished.
const TOGETHER: usize = 32;

/// How long a server may take for each step of a handshake.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where to connect to, and how.
#[derive(Clone)]
pub(crate) struct Target {
    /// The server.
    pub(crate) address: SocketAddr,
    /// What to ask for.
    pub(crate) path: String,
    /// Whether the server only echoes bytes: then there is no handshake.
    pub(crate) raw: bool,
    /// Whether permessage-deflate is to be agreed on (RFC 7692), with no context taken over either way.
    pub(crate) deflate: bool,
    /// With TLS: whom to trust.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// A connected stream.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// Trusts the one certificate in a PEM file.
pub(crate) fn trust(certificate: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let pem = fs::read(certificate)
        .map_err(|error| format!("{} cannot be read: {error}", certificate.display()))?;
    let certificate = CertificateDer::from_pem_slice(&pem)
        .map_err(|error| format!("{} is not a certificate: {error}", certificate.display()))?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl Target {
    /// Opens connections, and shakes hands on so many at a time that the server need not be waited for at each. It blocks;
    /// what comes back does not.
    pub(crate) fn open(&self, numbers: Range<usize>) -> Result<Vec<Stream>, Failure> {
        let mut streams = Vec::with_capacity(numbers.len());
        let mut begun = Vec::with_capacity(TOGETHER);
        for number in numbers.clone() {
            let mut stream = self.connect(number).map_err(|error| {
                format!("connection {number} to {} failed: {error}", self.address)
            })?;
            if !self.raw {
                self.ask(&mut stream).map_err(unshaken(number))?;
            }
            begun.push(stream);
            if begun.len() < TOGETHER && number + 1 < numbers.end {
                continue;
            }
            for mut stream in begun.drain(..) {
                if !self.raw {
                    self.hear(&mut stream).map_err(unshaken(number))?;
                }
                stream.tcp().set_nonblocking(true)?;
                streams.push(stream);
            }
        }
        Ok(streams)
    }

    fn connect(&self, number: usize) -> Result<Stream, Failure> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if self.address.ip().is_loopback() && number >= PER_ADDRESS {
            let host = u8::try_from(1 + number / PER_ADDRESS)?;
            let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
            socket.bind(&source.into())?;
        }
        socket.connect_timeout(&self.address.into(), PATIENCE)?;
        let tcp = TcpStream::from(socket);
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        let Some(config) = &self.tls else {
            return Ok(Stream::Tcp(tcp));
        };
        let name = ServerName::try_from("localhost")?;
        let session = ClientConnection::new(Arc::clone(config), name)?;
        Ok(Stream::Tls(Box::new(StreamOwned::new(session, tcp))))
    }

    /// The client's half of the handshake.
    fn ask(&self, stream: &mut Stream) -> Result<(), Failure> {
        let extensions = if self.deflate {
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
        } else {
            ""
        };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n",
            self.path, self.address
        );
        stream.write_all(request.as_bytes())?;
        stream.flush()?;
        Ok(())
    }

    /// The server's half.
    fn hear(&self, stream: &mut Stream) -> Result<(), Failure> {
        let mut head = Vec::new();
        let mut chunk = [0; 2048];
        while !head.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut chunk)?;
            if read == 0 {
                return Err("the server ended the stream".into());
            }
            head.extend_from_slice(&chunk[..read]);
        }
        let head = String::from_utf8_lossy(&head);
        let status = head.lines().next().unwrap_or_default();
        if !status.starts_with("HTTP/1.1 101") || !head.contains(ACCEPT) {
            return Err(format!("the server answered `{status}`").into());
        }
        if self.deflate {
            // Lower case for the names of headers; parameters have none of it to begin with.
            let head = head.to_ascii_lowercase();
            let agreed = ["permessage-deflate", "server_no_context_takeover"];
            if !agreed.iter().all(|part| head.contains(part)) {
                return Err("the server does not compress as it was asked to".into());
            }
        }
        Ok(())
    }
}

fn unshaken(number: usize) -> impl Fn(Failure) -> Failure {
    move |error| format!("the handshake of connection {number} failed: {error}").into()
}

impl Stream {
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref(),
        }
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.tcp().as_raw_fd()
    }

    /// Ends the stream with a reset, so that no port is left waiting.
    pub(crate) fn reset(self) -> io::Result<()> {
        SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
