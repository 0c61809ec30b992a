//! The byte streams that a connection can run over, as one type.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsStream;

#[cfg(feature = "http2")]
use {
    crate::{
        error::{Blame, Error},
        http2::{self, H2Stream},
    },
    std::time::Duration,
    tokio::time::timeout,
};

/// A connected stream. The enum, not a trait object, is kept so that the socket stays within reach: for its
/// addresses, and for a reset.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    /// TLS over any of the others: a proxy's tunnel may be TLS itself.
    Tls(Box<TlsStream<Transport>>),
    /// The other end is in this process.
    Memory(DuplexStream),
    /// A stream of an HTTP/2 connection.
    #[cfg(feature = "http2")]
    H2(Box<H2Stream>),
    /// A stream of an HTTP server that somebody else runs. It is whatever that server was given.
    Upgraded(Box<Foreign>),
}

/// What hyper gave back, made `Sync` again: the lock is never taken, for whoever gets at the stream has it to itself.
#[derive(Debug)]
pub(crate) struct Foreign(Mutex<TokioIo<Upgraded>>);

impl Foreign {
    fn get(&mut self) -> Pin<&mut TokioIo<Upgraded>> {
        Pin::new(self.0.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Transport {
    /// The stream under an upgrade, as itself where it is known, and what was read of it too far.
    pub(crate) fn from_upgraded(upgraded: Upgraded) -> (Self, Bytes) {
        let upgraded = match upgraded.downcast::<TokioIo<Self>>() {
            Ok(parts) => return (parts.io.into_inner(), parts.read_buf),
            Err(upgraded) => upgraded,
        };
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => (Self::Tcp(parts.io.into_inner()), parts.read_buf),
            Err(upgraded) => {
                let foreign = Foreign(Mutex::new(TokioIo::new(upgraded)));
                (Self::Upgraded(Box::new(foreign)), Bytes::new())
            }
        }
    }

    /// The TCP stream at the bottom, if there is one.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            #[cfg(unix)]
            Self::Unix(_) => None,
            Self::Tls(tls) => tls.get_ref().0.tcp(),
            #[cfg(feature = "http2")]
            Self::H2(_) => None,
            Self::Memory(_) | Self::Upgraded(_) => None,
        }
    }

    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        self.tcp()?.peer_addr().ok()
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.tcp()?.local_addr().ok()
    }

    /// Whether the client speaks HTTP/2: TLS says so (RFC 9113 3.2), or without it the first bytes (section 3.3), which
    /// stay where they are.
    #[cfg(feature = "http2")]
    pub(crate) async fn speaks_http2(&self, limit: Duration) -> Result<bool, Error> {
        match self {
            Self::Tls(tls) => Ok(tls.get_ref().1.alpn_protocol() == Some(http2::ALPN)),
            Self::Tcp(tcp) => timeout(limit, http2::server::begins(tcp))
                .await
                .map_err(|_| {
                    let what = "the client did not send the head of a request";
                    Error::timeout(Blame::Peer, what, limit)
                }),
            _ => Ok(false),
        }
    }

    /// Ends the stream with a TCP reset if a TCP socket is within reach, so that the peer sees a broken connection and
    /// the kernel keeps nothing of it, and with RST_STREAM over HTTP/2. Any other stream ends at once, without ceremony.
    pub(crate) fn reset(self) {
        #[cfg(feature = "http2")]
        if let Self::H2(stream) = self {
            return stream.reset();
        }
        if let Some(tcp) = self.tcp() {
            // Should the option be refused, the drop that follows still ends the stream, only less rudely.
            let _ = tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            #[cfg(unix)]
            Self::Unix(unix) => Pin::new(unix).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
            Self::Memory(memory) => Pin::new(memory).poll_read(cx, buf),
            #[cfg(feature = "http2")]
            Self::H2(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
            Self::Upgraded(foreign) => foreign.get().poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            #[cfg(unix)]
            Self::Unix(unix) => Pin::new(unix).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
            Self::Memory(memory) => Pin::new(memory).poll_write(cx, buf),
            #[cfg(feature = "http2")]
            Self::H2(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
            Self::Upgraded(foreign) => foreign.get().poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            #[cfg(unix)]
            Self::Unix(unix) => Pin::new(unix).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, bufs),
            Self::Memory(memory) => Pin::new(memory).poll_write_vectored(cx, bufs),
            #[cfg(feature = "http2")]
            Self::H2(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
            Self::Upgraded(foreign) => foreign.get().poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_write_vectored(),
            #[cfg(unix)]
            Self::Unix(unix) => unix.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
            #[cfg(feature = "http2")]
            Self::H2(stream) => stream.is_write_vectored(),
            Self::Memory(memory) => memory.is_write_vectored(),
            // What hyper put around the stream hides it, and a write in pieces works in any case.
            Self::Upgraded(_) => false,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            #[cfg(unix)]
            Self::Unix(unix) => Pin::new(unix).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
            Self::Memory(memory) => Pin::new(memory).poll_flush(cx),
            #[cfg(feature = "http2")]
            Self::H2(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Self::Upgraded(foreign) => foreign.get().poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            #[cfg(unix)]
            Self::Unix(unix) => Pin::new(unix).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
            Self::Memory(memory) => Pin::new(memory).poll_shutdown(cx),
            #[cfg(feature = "http2")]
            Self::H2(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Self::Upgraded(foreign) => foreign.get().poll_shutdown(cx),
        }
    }
}
