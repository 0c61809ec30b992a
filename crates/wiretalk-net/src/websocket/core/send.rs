//! Sending: the queue is filled here, and written by whoever is polled.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{io::AsyncWrite, time::Instant};
use wiretalk_proto::{
    CloseCode, Compression, Connection, Lent, MessageKind, Prepared, SendError, State, mask,
};

use super::{
    super::{buffers, keys::SystemKeys, timers::later},
    Core,
    output::{BY_REFERENCE, Output},
    silent,
};
use crate::{
    error::{Blame, Error, ErrorKind},
    message::Message,
};

/// Answers are written when so many bytes wait, though there may be more to answer.
const BATCH: usize = 128 * 1024;

/// What is to be sent, before it is framed.
pub(in crate::websocket) enum Outgoing<'a> {
    /// Taken when it is queued.
    Message(Message, Compression),
    /// A message that the caller keeps.
    Lent {
        kind: MessageKind,
        payload: &'a [u8],
    },
    Prepared(&'a Prepared),
    Fragment {
        kind: MessageKind,
        payload: &'a [u8],
        fin: bool,
        compression: Compression,
    },
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    /// Bytes of no frame that the protocol knows of.
    #[cfg(feature = "raw")]
    Raw(&'a [u8]),
}

impl Outgoing<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Message(message, _) => message.as_bytes().len(),
            Self::Prepared(prepared) => prepared.wire().len(),
            Self::Lent { payload, .. }
            | Self::Fragment { payload, .. }
            | Self::Ping(payload)
            | Self::Pong(payload) => payload.len(),
            #[cfg(feature = "raw")]
            Self::Raw(bytes) => bytes.len(),
        }
    }
}

/// What of a connection is needed to send, while a message is lent from the rest of it.
pub(in crate::websocket) struct Answering<'a> {
    pub(super) protocol: &'a mut Connection,
    pub(super) output: &'a mut Output,
    pub(super) failure: &'a Option<Error>,
}

impl Answering<'_> {
    /// Frames something and puts it into the queue, however long that is.
    pub(in crate::websocket) fn send(&mut self, mut outgoing: Outgoing<'_>) -> Result<(), Error> {
        match self.failure {
            Some(error) => Err(error.clone()),
            None => Ok(frame(self.protocol, self.output, &mut outgoing)?),
        }
    }

    pub(in crate::websocket) fn buffered_amount(&self) -> usize {
        self.output.waiting()
    }

    /// Whether a payload of that length is better handed over than lent.
    pub(in crate::websocket) fn is_by_reference(&self, length: usize) -> bool {
        length >= BY_REFERENCE && !self.protocol.compresses(Compression::Auto, length)
    }
}

impl Core {
    /// Frames something and puts it into the queue.
    pub(in crate::websocket) fn queue(
        &mut self,
        outgoing: &mut Outgoing<'_>,
    ) -> Result<u64, Error> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        frame(&mut self.protocol, &mut self.output, outgoing)?;
        Ok(self.output.end())
    }

    /// Writes when a batch is full; waits only while the queue is.
    pub(super) fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.output.waiting() >= BATCH.min(self.config().max_queued) {
            let full = self.poll_write(cx).is_pending()
                && self.output.waiting() >= self.config().max_queued;
            if full {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Waits until there is room for something in the queue, then puts it there; gives the position to flush to.
    pub(in crate::websocket) fn poll_queue(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<u64, Error>> {
        // An error is told by the queueing.
        while self.failure.is_none() && !self.has_room(outgoing) {
            let before = self.output.sent();
            if self.poll_write(cx).is_pending() && self.output.sent() == before {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.queue(outgoing))
    }

    /// Waits until the queue is below its bound.
    pub(in crate::websocket) fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        while self.failure.is_none() && self.output.waiting() >= self.config().max_queued.max(1) {
            let before = self.output.sent();
            if self.poll_write(cx).is_pending() && self.output.sent() == before {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.failure.clone().map_or(Ok(()), Err))
    }

    /// Puts something into the queue and writes as much as goes without waiting.
    pub(in crate::websocket) fn try_send(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        if !self.has_room(outgoing) {
            let _ = self.poll_write(cx);
        }
        if !self.write_through(outgoing, cx)? {
            self.try_queue(outgoing)?;
        }
        self.try_flush(cx)
    }

    /// Writes a message that was framed before from where it lies, if nothing waits before it. Says whether it did.
    fn write_through(
        &mut self,
        outgoing: &Outgoing<'_>,
        cx: &mut Context<'_>,
    ) -> Result<bool, Error> {
        #[cfg(feature = "raw")]
        if self.holds_back() {
            return Ok(false);
        }
        let Self {
            protocol, output, ..
        } = self;
        if let Outgoing::Prepared(prepared) = outgoing
            && self.failure.is_none()
            && output.waiting() == 0
            && let Some(stream) = &mut self.stream
            && let Some(wire) = buffers::with_codecs(|codecs| {
                protocol.prepared_wire(prepared, Compression::Auto, codecs)
            })?
        {
            output.write_through(wire, stream, cx);
            return Ok(true);
        }
        Ok(false)
    }

    /// As [`try_send`](Self::try_send), for several messages that leave in one write.
    pub(in crate::websocket) fn try_send_batch(
        &mut self,
        messages: &[Prepared],
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        if let [message] = messages {
            return self.try_send(&mut Outgoing::Prepared(message), cx);
        }
        let mut queued = Ok(());
        for message in messages {
            let outgoing = &mut Outgoing::Prepared(message);
            if !self.has_room(outgoing) {
                let _ = self.poll_write(cx);
            }
            queued = self.try_queue(outgoing);
            if queued.is_err() {
                break;
            }
        }
        // What is queued leaves in any case.
        let flushed = self.try_flush(cx);
        queued.and(flushed)
    }

    /// Puts something into the queue if there is room for it.
    pub(in crate::websocket) fn try_queue(
        &mut self,
        outgoing: &mut Outgoing<'_>,
    ) -> Result<(), Error> {
        if self.failure.is_none() && !self.has_room(outgoing) {
            let waiting = self.output.waiting();
            let sentence =
                format!("the peer reads too slowly: {waiting} bytes wait to be sent to it");
            return Err(Error::new(ErrorKind::TooSlow, Blame::Peer, sentence));
        }
        self.queue(outgoing).map(|_| ())
    }

    /// Writes as much as goes without waiting.
    pub(in crate::websocket) fn try_flush(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        match &self.failure {
            Some(error) => Err(error.clone()),
            None => match self.poll_write(cx) {
                Poll::Ready(result) => result,
                Poll::Pending => Ok(()),
            },
        }
    }

    fn has_room(&self, outgoing: &Outgoing<'_>) -> bool {
        let waiting = self.output.waiting();
        waiting == 0 || waiting + outgoing.len() <= self.config().max_queued
    }

    /// Where the queue ends.
    pub(in crate::websocket) fn position(&self) -> u64 {
        self.output.end()
    }

    /// Waits until all before `position` is handed to the kernel.
    pub(in crate::websocket) fn poll_flush(
        &mut self,
        position: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if self.output.flushed() >= position {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = &self.failure {
            return Poll::Ready(Err(error.clone()));
        }
        let result = self.poll_write(cx);
        if self.output.flushed() >= position {
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
            .close_by(later(Instant::now(), self.config().close_timeout));
        Ok(Some(self.output.end()))
    }

    /// Our close frame could not even be handed to the kernel in time.
    pub(in crate::websocket) fn close_timed_out(&mut self) -> Error {
        let error = Error::timeout(
            Blame::Peer,
            "the peer did not take our close frame",
            self.config().close_timeout,
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

    /// Queues what is due, but piles no more pongs on a peer that does not take what waits: it has one for the newest of
    /// its pings (section 5.5.3).
    pub(super) fn reply_in_bounds(&mut self) {
        let waiting = self.output.waiting();
        let has_room = waiting == 0 || waiting < self.config().max_queued;
        if has_room || self.protocol.state() != State::Open {
            self.reply();
        }
    }

    /// Writes what is queued and what is due. Errors wait: what the peer sent before it went is still to be read, and
    /// the end of that tells more.
    pub(super) fn poll_send_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.reply_in_bounds();
        if self.failure.is_some() {
            return Poll::Ready(());
        }
        if ready!(self.poll_write(cx)).is_ok() {
            // There may be room now for a pong that had none.
            self.reply_in_bounds();
            if self.output.waiting() > 0 {
                return self.poll_write(cx).map(|_| ());
            }
        }
        Poll::Ready(())
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
                        .close_by(later(Instant::now(), self.config().close_timeout));
                }
                self.changes += 1;
            }
            Poll::Pending => {
                #[cfg(feature = "raw")]
                if self.holds_back() {
                    return result;
                }
                if let Some(limit) = self.config().stall_limit() {
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
        if output.flushed() == output.end() {
            return Poll::Ready(Ok(()));
        }
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Err(self.failure.clone().unwrap_or_else(Error::closed)));
        };
        let failed = |error| Error::io("sending failed", error);
        while output.waiting() > 0 {
            #[cfg(not(feature = "raw"))]
            let written = output.poll_write_once(stream, cx);
            #[cfg(feature = "raw")]
            let written = super::raw::poll_write_piece(&mut self.faults, output, stream, cx);
            let taken = ready!(written).map_err(failed)?;
            if taken == 0 {
                return Poll::Ready(Err(failed(io::ErrorKind::WriteZero.into())));
            }
            output.stalled_since = None;
            self.timers.on_write(output.sent());
        }
        ready!(Pin::new(stream).poll_flush(cx)).map_err(failed)?;
        output.on_flushed();
        Poll::Ready(Ok(()))
    }
}

/// Frames something at the end of the queue. A long payload is not copied if it need not be compressed or masked, or is
/// nobody else's.
fn frame(
    protocol: &mut Connection,
    output: &mut Output,
    outgoing: &mut Outgoing<'_>,
) -> Result<(), SendError> {
    match outgoing {
        Outgoing::Message(message, compression) => {
            let kind = message.kind();
            let length = message.as_bytes().len();
            if length >= BY_REFERENCE && !protocol.compresses(*compression, length) {
                let message = std::mem::replace(message, Message::Binary(Bytes::new()));
                return frame_shared(protocol, output, kind, message.into_bytes());
            }
            let payload = message.as_bytes();
            output.append(|out| frame_copied(protocol, kind, payload, *compression, out))
        }
        Outgoing::Lent { kind, payload } => {
            output.append(|out| frame_copied(protocol, *kind, payload, Compression::Auto, out))
        }
        Outgoing::Prepared(prepared) => frame_prepared(protocol, output, prepared),
        Outgoing::Fragment {
            kind,
            payload,
            fin,
            compression,
        } => output.append(|out| {
            with_lent(|lent| protocol.send_fragment(*kind, payload, *fin, *compression, lent, out))
        }),
        Outgoing::Ping(payload) => {
            output.append(|out| protocol.send_ping(payload, &mut SystemKeys, out))
        }
        Outgoing::Pong(payload) => {
            output.append(|out| protocol.send_pong(payload, &mut SystemKeys, out))
        }
        #[cfg(feature = "raw")]
        Outgoing::Raw(bytes) => {
            output.append(|out| out.extend_from_slice(bytes));
            Ok(())
        }
    }
}

/// Frames a payload that is compressed or copied. What is not compressed does not ask for the thread's compressors: at 32
/// bytes that is a twelfth of what we spend on a message.
fn frame_copied(
    protocol: &mut Connection,
    kind: MessageKind,
    payload: &[u8],
    compression: Compression,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    if protocol.compresses(compression, payload.len()) {
        return with_lent(|lent| protocol.send_payload(kind, payload, compression, lent, out));
    }
    let mask = protocol.send_header(kind, payload.len() as u64, &mut SystemKeys, out)?;
    copy_masked(payload, mask, out);
    Ok(())
}

fn frame_prepared(
    protocol: &mut Connection,
    output: &mut Output,
    prepared: &Prepared,
) -> Result<(), SendError> {
    let auto = Compression::Auto;
    let shared = buffers::with_codecs(|codecs| protocol.prepared_wire(prepared, auto, codecs))?;
    match shared {
        Some(wire) => output.append_wire(wire),
        None => output
            .append(|out| with_lent(|lent| protocol.send_prepared(prepared, auto, lent, out)))?,
    }
    Ok(())
}

/// Lends what a message may take to be sent.
fn with_lent<T>(send: impl FnOnce(&mut Lent<'_>) -> T) -> T {
    buffers::with_codecs(|codecs| {
        send(&mut Lent {
            keys: &mut SystemKeys,
            codecs,
        })
    })
}

/// Frames a long payload without a copy, if it need not be masked or is nobody else's.
fn frame_shared(
    protocol: &mut Connection,
    output: &mut Output,
    kind: MessageKind,
    payload: Bytes,
) -> Result<(), SendError> {
    let length = payload.len() as u64;
    let mask = output.append(|out| protocol.send_header(kind, length, &mut SystemKeys, out))?;
    let Some(key) = mask else {
        output.append_shared(payload);
        return Ok(());
    };
    match payload.try_into_mut() {
        Ok(mut payload) => {
            mask::apply(&mut payload, key, 0);
            output.append_shared(payload.freeze());
        }
        Err(payload) => output.append(|out| copy_masked(&payload, mask, out)),
    }
    Ok(())
}

fn copy_masked(payload: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = mask {
        mask::apply(&mut out[start..], key, 0);
    }
}
