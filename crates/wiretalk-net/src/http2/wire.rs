//! The stream under an HTTP/2 connection, and a client's connection, which is driven by whoever uses it.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use h2::client::Connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::Transport;

/// A client's connection. It has no task: it goes on when somebody polls it, and then all that it has to say is
/// written, unless the stream takes no more.
#[derive(Debug)]
pub(super) struct Driver {
    connection: Connection<Wire, Bytes>,
    blocked: Arc<AtomicBool>,
    ended: bool,
    /// Its stream is over, and the connection may end in good order.
    pub(super) is_over: bool,
}

/// Tells how writing goes.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Transport,
    blocked: Arc<AtomicBool>,
    moved: Arc<AtomicBool>,
}

impl Wire {
    pub(super) fn new(stream: Transport) -> Self {
        Self {
            stream,
            blocked: Arc::default(),
            moved: Arc::default(),
        }
    }

    /// Whether the last write had to wait.
    pub(super) fn blocked(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.blocked)
    }

    /// Set with each write that takes something.
    pub(super) fn moved(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.moved)
    }

    fn note<T>(&self, poll: Poll<T>) -> Poll<T> {
        self.blocked.store(poll.is_pending(), Ordering::Relaxed);
        poll
    }

    fn note_write(&self, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(_)) = poll {
            self.moved.store(true, Ordering::Relaxed);
        }
        self.note(poll)
    }
}

impl Driver {
    pub(super) fn new(connection: Connection<Wire, Bytes>, blocked: Arc<AtomicBool>) -> Self {
        Self {
            connection,
            blocked,
            ended: false,
            is_over: false,
        }
    }

    /// Reads and writes what there is. Its streams are told of what came, and of how it ended. Ready once it has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        let poll = Pin::new(&mut self.connection).poll(cx);
        self.ended = poll.is_ready();
        poll
    }

    /// Writes what can be written at once, for nobody will come back.
    pub(super) fn poll_once(&mut self) {
        let _ = self.poll(&mut Context::from_waker(Waker::noop()));
    }

    /// As [`poll`](Self::poll); ready once nothing waits to be written.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll(cx).is_pending() && self.blocked.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

/// Once its stream is over on both sides, this says GOAWAY, as far as there is room for it.
impl Drop for Driver {
    fn drop(&mut self) {
        if self.is_over {
            self.poll_once();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_write(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_write(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.note(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
