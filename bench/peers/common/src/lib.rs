//! What the peers on tokio share: their options, a runtime of one thread, and a listening socket. What a peer does with
//! a stream is its own.

use std::{
    error::Error,
    fs,
    future::poll_fn,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    task::Poll,
};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// The most that a message in a benchmark may have.
pub const MESSAGE_SIZE: usize = 64 << 20;

/// Whatever ends a connection, or the server.
pub type Failure = Box<dyn Error + Send + Sync>;

/// How a server is to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// Offer permessage-deflate, with no context taken over.
    pub deflate: bool,
    /// The library used as its own example does, if that differs from the best that it can do.
    pub as_is: bool,
    /// Buffers as small as suits many idle connections, if the library does not choose them so by itself.
    pub small_buffers: bool,
    /// What one client sends goes to all.
    pub fan: bool,
    /// Certificate and key, as PEM files.
    pub tls: Option<(PathBuf, PathBuf)>,
}

impl Options {
    /// Reads `--port N [--deflate] [--as-is] [--small-buffers] [--fan] [--tls CERTIFICATE KEY]` from the command line.
    ///
    /// # Errors
    /// If it says anything else.
    pub fn from_args() -> Result<Self, Failure> {
        use lexopt::prelude::{Long, ValueExt};
        let mut options = Self::default();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("port") => options.port = parser.value()?.parse()?,
                Long("deflate") => options.deflate = true,
                Long("as-is") => options.as_is = true,
                Long("small-buffers") => options.small_buffers = true,
                Long("fan") => options.fan = true,
                Long("tls") => {
                    let mut files = parser.values()?;
                    let (Some(certificate), Some(key)) = (files.next(), files.next()) else {
                        return Err("--tls needs a certificate and a key".into());
                    };
                    options.tls = Some((certificate.into(), key.into()));
                }
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }

    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What accepts TLS, if that is wanted.
    ///
    /// # Errors
    /// If certificate or key cannot be used.
    pub fn acceptor(&self) -> Result<Option<TlsAcceptor>, Failure> {
        let Some((certificate, key)) = &self.tls else {
            return Ok(None);
        };
        let certificate = CertificateDer::from_pem_slice(&fs::read(certificate)?)?;
        let key = PrivateKeyDer::from_pem_slice(&fs::read(key)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        Ok(Some(TlsAcceptor::from(Arc::new(config))))
    }

    /// Says that this peer cannot do what is asked, if it is asked for it.
    ///
    /// # Errors
    /// If one of the options is set that is not among those named.
    pub fn only(&self, able: &[&str]) -> Result<(), Failure> {
        let asked = [
            ("deflate", self.deflate),
            ("as-is", self.as_is),
            ("small-buffers", self.small_buffers),
            ("fan", self.fan),
            ("tls", self.tls.is_some()),
        ];
        match asked
            .iter()
            .find(|(name, set)| *set && !able.contains(name))
        {
            Some((name, _)) => Err(format!("this peer has no --{name}").into()),
            None => Ok(()),
        }
    }
}

/// Runs a server on one thread until it is killed: `server` gets the options.
pub fn run<F>(server: impl FnOnce(Options) -> F) -> ExitCode
where
    F: Future<Output = Result<(), Failure>>,
{
    let result = Options::from_args().and_then(|options| {
        raise_descriptor_limit();
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(server(options))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Accepts for ever. Each stream gets a task with `client`; how a client ends is of no interest.
///
/// # Errors
/// If the port cannot be had.
pub async fn serve<F>(options: &Options, client: impl Fn(TcpStream) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let listener = TcpListener::bind(options.address()).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(client(stream));
    }
}

/// Sends back what `data` accepts until the connection ends. All that is ready is answered before anything is written, so
/// that a batch leaves in one go.
///
/// # Errors
/// How the connection ended, if not well.
pub async fn echo_in_batches<S, M, E>(
    mut socket: S,
    data: impl Fn(&M) -> bool,
) -> Result<(), Failure>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    E: Into<Failure>,
{
    loop {
        let next = poll_fn(|cx| match socket.poll_next_unpin(cx) {
            Poll::Pending => match socket.poll_flush_unpin(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
                _ => Poll::Pending,
            },
            ready @ Poll::Ready(_) => ready,
        });
        let Some(message) = next.await else {
            return Ok(());
        };
        let message = message.map_err(Into::into)?;
        if data(&message) {
            socket.feed(message).await.map_err(Into::into)?;
        }
    }
}

/// The same for a library that writes what was fed whenever it is asked for the next message: what is ready is gathered
/// first, `most` messages at once.
///
/// # Errors
/// How the connection ended, if not well.
pub async fn echo_in_gathered_batches<S, M, E>(
    mut socket: S,
    most: usize,
    data: impl Fn(&M) -> bool,
) -> Result<(), Failure>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    E: Into<Failure>,
{
    let mut batch = Vec::new();
    loop {
        let next = poll_fn(|cx| match socket.poll_next_unpin(cx) {
            Poll::Pending if !batch.is_empty() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
            Poll::Ready(next) => Poll::Ready(Some(next)),
        });
        match next.await {
            Some(None) => return Ok(()),
            Some(Some(message)) => {
                let message = message.map_err(Into::into)?;
                if data(&message) {
                    batch.push(message);
                }
                if batch.len() < most {
                    continue;
                }
            }
            None => {}
        }
        for message in batch.drain(..) {
            socket.feed(message).await.map_err(Into::into)?;
        }
        socket.flush().await.map_err(Into::into)?;
    }
}

/// Sends back what `data` accepts until the connection ends, each message by itself.
///
/// # Errors
/// How the connection ended, if not well.
pub async fn echo_singly<S, M, E>(mut socket: S, data: impl Fn(&M) -> bool) -> Result<(), Failure>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    E: Into<Failure>,
{
    while let Some(message) = socket.next().await {
        let message = message.map_err(Into::into)?;
        if data(&message) {
            socket.send(message).await.map_err(Into::into)?;
        }
    }
    Ok(())
}

fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it is refused, the connection that is one too many shows it.
    let _ = setrlimit(Resource::Nofile, limit);
}
