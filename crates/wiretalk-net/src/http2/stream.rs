//! A stream of HTTP/2 as a stream of bytes.

use std::{
    error::Error as StdError,
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{SEND_BUFFER, reason, wire::Driver};

/// A stream of HTTP/2, after its handshake. Dropping it ends it as TCP does: with END_STREAM (RFC 8441 5).
#[derive(Debug)]
pub(crate) struct H2Stream {
    // Dropped before the driver, which may then end the connection.
    ends: Ends,
    /// A client's connection, which lives for this stream alone. A server's is driven by
    /// [`serve`](super::server::serve).
    driver: Option<Driver>,
    /// Shared by all that are in use on a server's connection.
    _in_use: Option<Arc<()>>,
}

#[derive(Debug)]
struct Ends {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What came and was not read.
    rest: Bytes,
    /// Whether our side has ended.
    shut: bool,
}

/// How a stream was reset: the source of an [`io::Error`].
#[derive(Debug)]
pub(crate) struct Broken {
    sentence: String,
    source: Option<h2::Error>,
}

impl H2Stream {
    pub(super) fn new(
        send: SendStream<Bytes>,
        receive: RecvStream,
        driver: Option<Driver>,
        in_use: Option<Arc<()>>,
    ) -> Self {
        Self {
            ends: Ends {
                send,
                receive,
                rest: Bytes::new(),
                shut: false,
            },
            driver,
            _in_use: in_use,
        }
    }

    /// Ends the stream with RST_STREAM (RFC 8441 5).
    pub(crate) fn reset(mut self) {
        self.ends.shut = true;
        self.ends.send.send_reset(Reason::CANCEL);
    }

    /// Lets the connection go on, if that is for us to do.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver {
            let _ = driver.poll(cx);
        }
    }

    /// So many bytes can be handed over now, of so many that there are.
    fn poll_room(&mut self, wanted: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut driven = false;
        loop {
            let room = self.ends.send.capacity();
            if room > 0 {
                return Poll::Ready(Ok(room.min(wanted)));
            }
            self.ends.send.reserve_capacity(wanted.min(SEND_BUFFER));
            match self.ends.send.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(broken(error))),
                Poll::Ready(None) => return Poll::Ready(Err(self.why_no_more(cx))),
                Poll::Pending if driven => return Poll::Pending,
                Poll::Pending => {
                    self.drive(cx);
                    driven = true;
                }
            }
        }
    }

    /// Nothing can be sent: the peer has reset the stream, most likely.
    fn why_no_more(&mut self, cx: &mut Context<'_>) -> io::Error {
        if self.ends.shut {
            return io::ErrorKind::BrokenPipe.into();
        }
        match self.ends.send.poll_reset(cx) {
            Poll::Ready(Ok(reason)) => broken_by(reason),
            Poll::Ready(Err(error)) => broken(error),
            Poll::Pending => io::ErrorKind::BrokenPipe.into(),
        }
    }

    fn send(&mut self, data: Bytes) -> io::Result<usize> {
        let length = data.len();
        self.ends.send.send_data(data, false).map_err(broken)?;
        Ok(length)
    }
}

impl Ends {
    /// What came next; `None` at the end.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => return Poll::Ready(Ok(Some(data))),
                None => return Poll::Ready(Ok(None)),
                Some(Err(error)) => return Poll::Ready(end(error).map(|()| None)),
            }
        }
    }

    fn take(&mut self, buf: &mut ReadBuf<'_>) {
        if self.rest.is_empty() {
            return;
        }
        let length = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        // It fails only for more than came.
        let _ = self.receive.flow_control().release_capacity(length);
    }

    fn shut(&mut self) {
        if !self.shut {
            self.shut = true;
            // It fails only if the stream is over already.
            let _ = self.send.send_data(Bytes::new(), true);
        }
    }
}

impl Drop for H2Stream {
    fn drop(&mut self) {
        self.ends.shut();
        if let Some(driver) = &mut self.driver {
            // While both ends are held, so that END_STREAM leaves, and no RST_STREAM behind it.
            driver.poll_once();
            driver.is_over = self.ends.receive.is_end_stream();
        }
    }
}

impl AsyncRead for H2Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut driven = false;
        let before = buf.filled().len();
        loop {
            self.ends.take(buf);
            if buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let read = buf.filled().len() > before;
            match self.ends.poll_data(cx) {
                Poll::Ready(Ok(Some(data))) => self.ends.rest = data,
                // Told again, if there was something to read before it.
                Poll::Ready(result) => {
                    return Poll::Ready(if read { Ok(()) } else { result.map(|_| ()) });
                }
                Poll::Pending if read => return Poll::Ready(Ok(())),
                Poll::Pending if driven => return Poll::Pending,
                Poll::Pending => {
                    self.drive(cx);
                    driven = true;
                }
            }
        }
    }
}

impl AsyncWrite for H2Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.poll_room(buf.len(), cx))?;
        Poll::Ready(self.send(Bytes::copy_from_slice(&buf[..room])))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = bufs.iter().map(|piece| piece.len()).sum();
        if all == 0 {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.poll_room(all, cx))?;
        let mut data = Vec::with_capacity(room);
        for piece in bufs {
            data.extend_from_slice(&piece[..piece.len().min(room - data.len())]);
        }
        Poll::Ready(self.send(data.into()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A client's bytes are with the kernel then; a server's will be as soon as the task of the connection comes to it.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.driver {
            Some(driver) => driver.poll_flush(cx).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ends.shut();
        self.poll_flush(cx)
    }
}

/// What an error on reading means: an end, or a break.
fn end(error: h2::Error) -> io::Result<()> {
    // The peer had nothing more to say, and did not want to hear more (RFC 9113 8.1).
    let is_over = error.is_reset() && error.reason() == Some(Reason::NO_ERROR);
    // The connection ended under its streams, over TLS perhaps without a goodbye.
    let is_gone = error.get_io().is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
        )
    });
    if is_over || is_gone {
        Ok(())
    } else {
        Err(broken(error))
    }
}

fn broken(error: h2::Error) -> io::Error {
    if let Some(io) = error.get_io() {
        return io::Error::new(io.kind(), error);
    }
    let sentence = reason(&error);
    let source = Some(error);
    io::Error::new(io::ErrorKind::ConnectionReset, Broken { sentence, source })
}

fn broken_by(reason: Reason) -> io::Error {
    let sentence = format!("the peer reset the stream with {reason:?}");
    let source = None;
    io::Error::new(io::ErrorKind::ConnectionReset, Broken { sentence, source })
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl StdError for Broken {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
