//! Sending: the queue is filled here, and written by whoever is polled.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{io::AsyncWrite, time::Instant};
use wiretalk_proto::{CloseCode, MessageKind, Prepared, SendError, State};

use super::{
    super::{buffers, keys::SystemKeys, timers::later},
    Core, silent,
};
use crate::{
    error::{Blame, Error, ErrorKind},
    message::Message,
};

/// What was written is cut off the front of the queue when it is this long.
const COMPACT: usize = 64 * 1024;

/// What is to be sent, before it is framed.
pub(in crate::websocket) enum Outgoing<'a> {
    Message(&'a Message),
    Prepared(&'a Prepared),
    Fragment {
        kind: MessageKind,
        payload: &'a [u8],
        fin: bool,
    },
    Ping(&'a [u8]),
    Pong(&'a [u8]),
}

impl Outgoing<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.as_bytes().len(),
            Self::Prepared(prepared) => prepared.wire().len(),
            Self::Fragment { payload, .. } | Self::Ping(payload) | Self::Pong(payload) => {
                payload.len()
            }
        }
    }
}

/// The outgoing queue: framed bytes, in one buffer, so that many messages leave in one write.
#[derive(Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    /// Bytes at the front of `bytes` that the stream has taken.
    sent: usize,
    /// Bytes that were queued, that the stream took, and that it handed to the kernel, since the beginning.
    pub(super) queued_total: u64,
    sent_total: u64,
    flushed_total: u64,
    stalled_since: Option<Instant>,
}

impl Output {
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Lets `write` append to the queue.
    pub(super) fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers::take_write();
        } else if self.sent >= COMPACT {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        let before = self.bytes.len();
        let result = write(&mut self.bytes);
        self.queued_total += (self.bytes.len() - before) as u64;
        if self.bytes.is_empty() {
            self.release();
        }
        result
    }

    /// Gives the buffer back, once all in it is sent.
    fn release(&mut self) {
        self.sent = 0;
        buffers::give_write(std::mem::take(&mut self.bytes));
    }

    /// Forgets what could not be sent.
    pub(super) fn discard(&mut self) {
        self.bytes = Vec::new();
        self.sent = 0;
    }
}

impl Core {
    /// Frames something and puts it into the queue.
    fn queue(&mut self, outgoing: &Outgoing<'_>) -> Result<u64, Error> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        let Self {
            protocol, output, ..
        } = self;
        output.append(|out| -> Result<(), SendError> {
            let keys = &mut SystemKeys;
            match outgoing {
                Outgoing::Message(Message::Text(text)) => protocol.send_text(text, keys, out),
                Outgoing::Message(Message::Binary(payload)) => {
                    protocol.send_binary(payload, keys, out)
                }
                Outgoing::Prepared(prepared) => protocol.send_prepared(prepared, keys, out),
                Outgoing::Fragment { kind, payload, fin } => {
                    protocol.send_fragment(*kind, payload, *fin, keys, out)
                }
                Outgoing::Ping(payload) => protocol.send_ping(payload, keys, out),
                Outgoing::Pong(payload) => protocol.send_pong(payload, keys, out),
            }
        })?;
        Ok(output.queued_total)
    }

    /// Waits until there is room for something in the queue, then puts it there; gives the position to flush to.
    pub(in crate::websocket) fn poll_queue(
        &mut self,
        outgoing: &Outgoing<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<u64, Error>> {
        // An error is told by the queueing.
        while self.failure.is_none() && !self.has_room(outgoing) {
            let before = self.output.sent_total;
            if self.poll_write(cx).is_pending() && self.output.sent_total == before {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.queue(outgoing))
    }

    /// Puts something into the queue and writes as much as goes without waiting.
    pub(in crate::websocket) fn try_send(
        &mut self,
        outgoing: &Outgoing<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        if !self.has_room(outgoing) {
            let _ = self.poll_write(cx);
        }
        if self.failure.is_none() && !self.has_room(outgoing) {
            let waiting = self.output.waiting();
            let sentence =
                format!("the peer reads too slowly: {waiting} bytes wait to be sent to it");
            return Err(Error::new(ErrorKind::TooSlow, Blame::Peer, sentence));
        }
        self.queue(outgoing)?;
        match self.poll_write(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    fn has_room(&self, outgoing: &Outgoing<'_>) -> bool {
        let waiting = self.output.waiting();
        waiting == 0 || waiting + outgoing.len() <= self.max_queued
    }

    /// Where the queue ends.
    pub(in crate::websocket) fn position(&self) -> u64 {
        self.output.queued_total
    }

    /// Waits until all before `position` is handed to the kernel.
    pub(in crate::websocket) fn poll_flush(
        &mut self,
        position: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if self.output.flushed_total >= position {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = &self.failure {
            return Poll::Ready(Err(error.clone()));
        }
        let result = self.poll_write(cx);
        if self.output.flushed_total >= position {
            return Poll::Ready(Ok(()));
        }
        result
    }

    /// Queues a close frame and starts the clock of the close handshake. `None` if there is nothing left to close.
    pub(in crate::websocket) fn start_close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<Option<u64>, Error> {
        if let Some(error) = &self.failure
            && self.stream.is_some()
        {
            // It cannot be written, and what the peer sent before it went is still to be read.
            return Err(error.clone());
        }
        let Self {
            protocol, output, ..
        } = self;
        match output.append(|out| protocol.send_close(code, reason, &mut SystemKeys, out)) {
            Ok(()) => {}
            Err(SendError::Closed) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        self.timers
            .close_by(later(Instant::now(), self.close_timeout));
        Ok(Some(self.output.queued_total))
    }

    /// Our close frame could not even be handed to the kernel in time.
    pub(in crate::websocket) fn close_timed_out(&mut self) -> Error {
        let error = Error::timeout(
            Blame::Peer,
            "the peer did not take our close frame",
            self.close_timeout,
        );
        self.end(Some(error.clone()));
        error
    }

    /// Queues the pong, close reply or failing close frame that is due.
    pub(super) fn reply(&mut self) {
        let Self {
            protocol, output, ..
        } = self;
        output.append(|out| protocol.poll_reply(&mut SystemKeys, out));
    }

    /// Writes what is queued and what is due. Errors wait: what the peer sent before it went is still to be read, and
    /// the end of that tells more.
    pub(super) fn poll_send_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // While the peer does not take what waits, no more pongs are piled on it.
        if self.output.waiting() < self.max_queued || self.protocol.state() != State::Open {
            self.reply();
        }
        if self.failure.is_some() {
            return Poll::Ready(());
        }
        self.poll_write(cx).map(|_| ())
    }

    /// Writes all that is queued to the stream, and through it to the kernel.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let result = self.poll_write_all(cx);
        match &result {
            Poll::Ready(Ok(())) => {
                self.output.stalled_since = None;
                self.stall.disarm();
            }
            Poll::Ready(Err(error)) => {
                self.failure = Some(error.clone());
                self.output.discard();
                // What came before is still to be read, but the end of it is not waited for without a bound.
                if self.timers.close_deadline().is_none() {
                    self.timers
                        .close_by(later(Instant::now(), self.close_timeout));
                }
                self.changes += 1;
            }
            Poll::Pending => {
                if let Some(limit) = self.stall_limit {
                    let since = *self.output.stalled_since.get_or_insert_with(Instant::now);
                    ready!(self.stall.poll_until(later(since, limit), cx));
                    let error = silent(limit);
                    self.end(Some(error.clone()));
                    return Poll::Ready(Err(error));
                }
            }
        }
        result
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let output = &mut self.output;
        if output.flushed_total == output.queued_total {
            return Poll::Ready(Ok(()));
        }
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(self.failure.clone().unwrap_or_else(Error::closed)));
        };
        let failed = |error| Error::io("sending failed", error);
        while output.waiting() > 0 {
            let taken = ready!(Pin::new(&mut *stream).poll_write(cx, &output.bytes[output.sent..]))
                .map_err(failed)?;
            if taken == 0 {
                return Poll::Ready(Err(failed(io::ErrorKind::WriteZero.into())));
            }
            output.sent += taken;
            output.sent_total += taken as u64;
            output.stalled_since = None;
            self.timers.on_write(output.sent_total);
        }
        output.release();
        ready!(Pin::new(stream).poll_flush(cx)).map_err(failed)?;
        output.flushed_total = output.sent_total;
        Poll::Ready(Ok(()))
    }
}
