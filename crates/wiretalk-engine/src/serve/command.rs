//! What a mock does on a client's connection in order with the messages that it sends.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use wiretalk_net::raw::RawAccess;
use wiretalk_net::{CloseCode, Error, MessageKind, WebSocket};
use wiretalk_server::link::{Control, Performed};
use wiretalk_talk::player::{Delivery, Outgoing};

use super::metrics::Probe;
use crate::wire;

/// What a client's outbox holds beside messages. A clone, for one receiver more, copies no payload.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Ping(Arc<[u8]>),
    Pong(Arc<[u8]>),
    Close(Arc<(Option<u16>, String)>),
    /// The peer's close frame, back to it.
    ReplyClose,
    /// What goes another way than messages do: in fragments, or outside the rules.
    Special(Special),
    /// Nothing to send: it measures how long what is before it takes to be written.
    Probe(Probe),
}

/// Something that leaves in several steps.
#[derive(Clone, Debug)]
pub(crate) struct Special {
    what: Arc<(Outgoing, Delivery)>,
    /// How many of its parts are in the socket's queue.
    begun: usize,
}

impl Command {
    pub(crate) fn close(code: Option<u16>, reason: &str) -> Self {
        Self::Close(Arc::new((code, reason.to_owned())))
    }

    pub(crate) fn special(what: &Arc<(Outgoing, Delivery)>) -> Self {
        Self::Special(Special {
            what: Arc::clone(what),
            begun: 0,
        })
    }
}

impl Control for Command {
    /// What cannot be sent any more is let go: the peer may have closed between, and how a connection ends is for whoever
    /// receives to see.
    fn perform(&mut self, socket: &mut WebSocket, cx: &mut Context<'_>) -> Performed {
        match self {
            Self::Close(close) => {
                let (code, reason) = &**close;
                let _ = pin!(socket.close(code.map(CloseCode::new), reason)).poll(cx);
                Performed::Done
            }
            Self::ReplyClose => {
                let code = socket.close_frame().map(|frame| frame.code);
                let code = code.filter(|code| *code != CloseCode::NO_STATUS);
                let _ = pin!(socket.close(code, "")).poll(cx);
                Performed::Done
            }
            // For anything else there is room when nothing else waits.
            _ if socket.buffered_amount() > 0 => Performed::Blocked,
            Self::Ping(payload) => queued(pin!(socket.ping(payload)).poll(cx)),
            Self::Pong(payload) => queued(pin!(socket.pong(payload)).poll(cx)),
            Self::Special(special) => special.perform(socket, cx),
            Self::Probe(probe) => {
                probe.arrived();
                Performed::Done
            }
        }
    }
}

fn queued(_: Poll<Result<(), Error>>) -> Performed {
    Performed::Done
}

impl Special {
    fn perform(&mut self, socket: &mut WebSocket, cx: &mut Context<'_>) -> Performed {
        let (frame, how) = &*self.what;
        let chop = how.chop.and_then(NonZeroUsize::new);
        let parts = parts(frame, how);
        loop {
            if self.begun == parts {
                if chop.is_some() {
                    socket.break_rules().chop(None);
                }
                return Performed::Done;
            }
            if self.begun == 0
                && let Some(bytes) = chop
            {
                socket.break_rules().chop(wire::chopped(bytes));
            }
            send_part(socket, frame, how, self.begun, cx);
            self.begun += 1;
            // What is chopped is so until the last piece has left.
            let is_last = self.begun == parts && chop.is_none();
            if !is_last && socket.buffered_amount() > 0 {
                return Performed::Blocked;
            }
        }
    }
}

/// In how many parts something is queued: a fragment is one.
fn parts(frame: &Outgoing, how: &Delivery) -> usize {
    let length = match frame {
        Outgoing::Text(text) => text.len(),
        Outgoing::Binary(bytes) => bytes.len(),
        _ => return 1,
    };
    how.fragment
        .map_or(1, |size| length.div_ceil(size.max(1)).max(1))
}

/// Queues one part, and writes as much as goes. Nothing waits before it.
fn send_part(
    socket: &mut WebSocket,
    frame: &Outgoing,
    how: &Delivery,
    part: usize,
    cx: &mut Context<'_>,
) {
    let compression = wire::compression(how);
    let (kind, payload) = match frame {
        Outgoing::Text(text) => (MessageKind::Text, text.as_bytes()),
        Outgoing::Binary(bytes) => (MessageKind::Binary, &bytes[..]),
        _ => (MessageKind::Binary, &[][..]),
    };
    // How it went is seen by whoever receives.
    let _ = match (frame, how.fragment) {
        (Outgoing::Text(_) | Outgoing::Binary(_), Some(size)) => {
            let size = size.max(1);
            let piece = payload.chunks(size).nth(part).unwrap_or_default();
            let is_last = (part + 1) * size >= payload.len();
            pin!(socket.send_fragment_with(kind, piece, is_last, compression)).poll(cx)
        }
        (Outgoing::Text(text), None) => pin!(socket.send_with(text.as_str(), compression)).poll(cx),
        (Outgoing::Binary(bytes), None) => {
            let bytes = Bytes::copy_from_slice(bytes);
            pin!(socket.send_with(bytes, compression)).poll(cx)
        }
        (Outgoing::Ping(payload), _) => pin!(socket.ping(payload)).poll(cx),
        (Outgoing::Pong(payload), _) => pin!(socket.pong(payload)).poll(cx),
        (Outgoing::Close { code, reason }, _) => {
            pin!(socket.close(code.map(CloseCode::new), reason)).poll(cx)
        }
        (Outgoing::Frame { header, payload }, _) => {
            let frame = wire::raw_frame(header, payload.clone());
            pin!(socket.break_rules().send_frame(&frame)).poll(cx)
        }
        (Outgoing::Raw(bytes), _) => pin!(socket.break_rules().send_bytes(bytes)).poll(cx),
        (Outgoing::Drop, _) => {
            socket.break_rules().reset();
            Poll::Ready(Ok(()))
        }
        (Outgoing::Stall(time), _) => {
            socket.break_rules().stall(*time);
            Poll::Ready(Ok(()))
        }
    };
}
