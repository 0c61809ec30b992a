//! The outgoing queue: framed bytes in one buffer, so that many messages leave in one write, and long payloads beside
//! it, which are not copied.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::{io::AsyncWrite, time::Instant};

use super::super::buffers;
use crate::transport::Transport;

/// Payloads of this many bytes or more are queued by reference. Below it a copy costs less than one more piece in the
/// write.
pub(super) const BY_REFERENCE: usize = 32 * 1024;

/// What was written is cut off the front of the buffer when it is this long, and half of all.
const COMPACT: usize = 64 * 1024;

/// The most pieces that are handed to the stream in one write.
const PIECES: usize = 16;

/// The outgoing queue.
#[derive(Default)]
pub(super) struct Output {
    /// Headers and short payloads, in the order in which they leave.
    bytes: Vec<u8>,
    /// Bytes at the front of `bytes` that the stream has taken.
    sent: usize,
    /// Long payloads, each with its place: behind that many of `bytes`. Boxed, since few connections ever have any.
    #[expect(
        clippy::box_collection,
        reason = "the queue itself would be four times as large as the pointer to it"
    )]
    payloads: Option<Box<VecDeque<(usize, Bytes)>>>,
    /// Bytes that were queued, that the stream took, and that it handed to the kernel, since the beginning.
    queued_total: u64,
    sent_total: u64,
    flushed_total: u64,
    /// Since when the stream has taken nothing.
    pub(super) stalled_since: Option<Instant>,
}

impl Output {
    /// Bytes that the stream has not taken.
    pub(super) fn waiting(&self) -> usize {
        (self.queued_total - self.sent_total) as usize
    }

    /// Where the queue ends, in bytes since the beginning.
    pub(super) fn end(&self) -> u64 {
        self.queued_total
    }

    /// How much the stream has taken, in bytes since the beginning.
    pub(super) fn sent(&self) -> u64 {
        self.sent_total
    }

    /// How much was handed to the kernel, in bytes since the beginning.
    pub(super) fn flushed(&self) -> u64 {
        self.flushed_total
    }

    /// Lets `write` append to the queue.
    pub(super) fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers::take_write();
        } else if self.sent >= COMPACT.max(self.bytes.len() / 2) {
            self.compact();
        }
        let before = self.bytes.len();
        let result = write(&mut self.bytes);
        self.queued_total += (self.bytes.len() - before) as u64;
        if self.bytes.is_empty() {
            self.release();
        }
        result
    }

    /// Puts a payload behind all that is queued, without a copy.
    pub(super) fn append_shared(&mut self, payload: Bytes) {
        self.queued_total += payload.len() as u64;
        self.payloads
            .get_or_insert_default()
            .push_back((self.bytes.len(), payload));
    }

    /// Forgets what could not be sent.
    pub(super) fn discard(&mut self) {
        self.bytes = Vec::new();
        self.sent = 0;
        self.payloads = None;
        self.queued_total = self.sent_total;
    }

    /// Hands what waits to the stream, in one write if it takes it all. Gives how much it took.
    pub(super) fn poll_write_once(
        &mut self,
        stream: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(stream);
        let written = if self.payloads.is_none() {
            stream.poll_write(cx, &self.bytes[self.sent..])
        } else {
            let mut pieces = [io::IoSlice::new(&[]); PIECES];
            let count = self.pieces(&mut pieces);
            stream.poll_write_vectored(cx, &pieces[..count])
        };
        if let Poll::Ready(Ok(taken)) = written {
            self.advance(taken);
        }
        written
    }

    /// Hands so many bytes of what waits to the stream, or fewer.
    #[cfg(feature = "raw")]
    pub(super) fn poll_write_at_most(
        &mut self,
        stream: &mut Transport,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut pieces = [io::IoSlice::new(&[]); PIECES];
        self.pieces(&mut pieces);
        let first = &pieces[0][..pieces[0].len().min(limit)];
        let written = Pin::new(stream).poll_write(cx, first);
        if let Poll::Ready(Ok(taken)) = written {
            self.advance(taken);
        }
        written
    }

    /// Hands bytes to the stream, past the queue, which must be empty; what it does not take is queued. An error shows
    /// again when that is written.
    pub(super) fn write_through(
        &mut self,
        bytes: &Bytes,
        stream: &mut Transport,
        cx: &mut Context<'_>,
    ) {
        let taken = match Pin::new(stream).poll_write(cx, bytes) {
            Poll::Ready(Ok(taken)) => taken,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        self.queued_total += taken as u64;
        self.sent_total += taken as u64;
        if taken < bytes.len() {
            self.append_wire(&bytes.slice(taken..));
        }
    }

    /// Puts framed bytes behind all that is queued, without a copy if they are many.
    pub(super) fn append_wire(&mut self, bytes: &Bytes) {
        if bytes.len() >= BY_REFERENCE {
            self.append_shared(bytes.clone());
        } else {
            self.append(|out| out.extend_from_slice(bytes));
        }
    }

    /// All that was taken is with the kernel.
    pub(super) fn on_flushed(&mut self) {
        self.flushed_total = self.sent_total;
    }

    /// What waits, in order, as far as there is room for it.
    fn pieces<'q>(&'q self, pieces: &mut [io::IoSlice<'q>; PIECES]) -> usize {
        let mut count = 0;
        let mut from = self.sent;
        let mut put = |piece: &'q [u8]| {
            if !piece.is_empty() && count < PIECES {
                pieces[count] = io::IoSlice::new(piece);
                count += 1;
            }
        };
        for (at, payload) in self
            .payloads
            .iter()
            .flat_map(|payloads| payloads.iter())
            .take(PIECES)
        {
            put(&self.bytes[from..*at]);
            put(payload);
            from = *at;
        }
        // If not all payloads were among them, the pieces are full and this is left out.
        put(&self.bytes[from..]);
        count
    }

    fn advance(&mut self, taken: usize) {
        self.sent_total += taken as u64;
        let mut left = taken;
        if let Some(payloads) = &mut self.payloads {
            while let Some((at, payload)) = payloads.front_mut() {
                let before = left.min(*at - self.sent);
                self.sent += before;
                left -= before;
                if left < payload.len() {
                    payload.advance(left);
                    return;
                }
                left -= payload.len();
                payloads.pop_front();
            }
            self.payloads = None;
        }
        self.sent += left;
        if self.sent == self.bytes.len() {
            self.release();
        }
    }

    fn compact(&mut self) {
        self.bytes.drain(..self.sent);
        for (at, _) in self
            .payloads
            .iter_mut()
            .flat_map(|payloads| payloads.iter_mut())
        {
            *at -= self.sent;
        }
        self.sent = 0;
    }

    /// Gives the buffer back, once all in it is sent.
    fn release(&mut self) {
        self.sent = 0;
        buffers::give_write(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests;
