//! Faults on purpose, for [`crate::raw`]: writing in small pieces, and not reading for a while.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{io::AsyncWrite, time::Instant};
use wiretalk_proto::raw::RawFrame;

use super::{
    super::{
        keys::SystemKeys,
        timers::{Alarm, later},
    },
    Core,
    output::Output,
};
use crate::{error::Error, raw::Chop, transport::Transport};

/// What a connection does on purpose that it should not. Boxed: few connections ever have it.
#[derive(Default)]
pub(super) struct Faults {
    chop: Option<Chop>,
    /// Before this nothing more is written.
    next_piece: Option<Instant>,
    /// A piece was written, and may not have gone to the kernel yet.
    unflushed: bool,
    pace: Alarm,
    /// Before this nothing is read.
    stalled_until: Option<Instant>,
    stall: Alarm,
}

impl Core {
    /// A raw frame, as this end sends it.
    pub(in crate::websocket) fn encode_raw(&self, frame: &RawFrame) -> Result<Vec<u8>, Error> {
        let role = self.protocol.role();
        let mut wire = Vec::new();
        frame
            .encode(role, &mut SystemKeys, &mut wire)
            .map_err(|error| Error::invalid(error.to_string()))?;
        Ok(wire)
    }

    pub(in crate::websocket) fn chop(&mut self, chop: Option<Chop>) {
        let faults = self.faults.get_or_insert_default();
        faults.chop = chop;
        faults.next_piece = None;
    }

    pub(in crate::websocket) fn stall(&mut self, by: Duration) {
        let faults = self.faults.get_or_insert_default();
        faults.stalled_until = Some(later(Instant::now(), by));
    }

    pub(in crate::websocket) fn resume(&mut self) {
        let Some(faults) = &mut self.faults else {
            return;
        };
        if faults.stalled_until.take().is_some() {
            faults.stall.disarm();
            self.timers.restart_all();
        }
    }

    /// Waits while nothing is to be read.
    pub(super) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(faults) = &mut self.faults
            && let Some(until) = faults.stalled_until
        {
            ready!(faults.stall.poll_until(until, cx));
            self.resume();
        }
        Poll::Ready(())
    }

    /// Whether it may be we ourselves who keep the queue from moving.
    pub(super) fn holds_back(&self) -> bool {
        self.faults
            .as_ref()
            .is_some_and(|faults| faults.chop.is_some() || faults.stalled_until.is_some())
    }
}

/// Writes once: all that waits, or a piece of it when its time has come.
pub(super) fn poll_write_piece(
    faults: &mut Option<Box<Faults>>,
    output: &mut Output,
    stream: &mut Transport,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let Some(faults) = faults else {
        return output.poll_write_once(stream, cx);
    };
    let Some(chop) = faults.chop else {
        return output.poll_write_once(stream, cx);
    };
    if faults.unflushed {
        // Over TLS a piece is a record of its own, and leaves before the next one is made.
        ready!(Pin::new(&mut *stream).poll_flush(cx))?;
        faults.unflushed = false;
    }
    if let Some(moment) = faults.next_piece {
        ready!(faults.pace.poll_until(moment, cx));
        faults.next_piece = None;
    }
    let taken = ready!(output.poll_write_at_most(stream, chop.bytes.get(), cx))?;
    faults.unflushed = true;
    if !chop.pause.is_zero() {
        faults.next_piece = Some(later(Instant::now(), chop.pause));
    }
    Poll::Ready(Ok(taken))
}
