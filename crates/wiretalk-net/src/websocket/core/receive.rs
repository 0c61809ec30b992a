//! Receiving: what is read, what is decoded of it, and where that lies.

use std::{
    future::Future,
    io,
    pin::pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use wiretalk_proto::{self as proto, Assembled, CloseCode, MessageKind, ProtocolErrorKind};

use super::{super::buffers, Core, send::Answering};
use crate::message::{CloseFrame, Event, Message};

/// Something that came.
pub(in crate::websocket) enum Came {
    /// A message of one frame that lies in the read buffer as a whole: so many bytes, the last of those that are done
    /// with. Text is known to be UTF-8.
    Lent { kind: MessageKind, length: usize },
    /// A message that was put together, in a buffer that is to be given back.
    Assembled(Assembled),
    /// Anything else.
    Owned(Event),
}

/// The message in a buffer of its size.
pub(in crate::websocket) fn fit(message: Assembled) -> Message {
    match buffers::with_codecs(|codecs| codecs.fit(message)) {
        Assembled::Text(text) => text.into(),
        Assembled::Binary(payload) => payload.into(),
    }
}

impl Core {
    /// Decodes up to the next event. `None`: more bytes are needed, or the peer broke the protocol and the phase has
    /// changed. With `lend`, a message that lies in the read buffer stays there.
    pub(super) fn decode(&mut self, lend: bool) -> Option<Came> {
        if std::mem::take(&mut self.pinged) {
            // Pings that came together have a pong each, in their place among the answers to messages.
            self.reply_in_bounds();
        }
        while self.consumed < self.input.len() {
            let input = &mut self.input[self.consumed..];
            let step =
                match buffers::with_codecs(|codecs| self.protocol.handle_input(input, codecs)) {
                    Ok(step) => step,
                    Err(error) if matches!(error.kind(), ProtocolErrorKind::DataAfterClose) => {
                        // Section 5.5.1: nothing is expected there, and nobody has to look at it.
                        self.consumed = self.input.len();
                        break;
                    }
                    Err(error) => {
                        self.release_input();
                        self.reply();
                        self.finish(Some(error.into()));
                        return None;
                    }
                };
            self.consumed += step.consumed;
            let Some(event) = step.event else {
                break;
            };
            if matches!(event, proto::Event::Text(_) | proto::Event::Binary(_)) {
                self.timers.on_message();
            }
            return Some(Came::Owned(match event {
                proto::Event::Text(_) | proto::Event::Binary(_) if step.assembled => {
                    match self.protocol.take_assembled() {
                        Some(message) if lend => return Some(Came::Assembled(message)),
                        Some(message) => fit(message).into(),
                        None => continue,
                    }
                }
                proto::Event::Text(text) if lend => {
                    let (kind, length) = (MessageKind::Text, text.len());
                    return Some(Came::Lent { kind, length });
                }
                proto::Event::Binary(payload) if lend => {
                    let (kind, length) = (MessageKind::Binary, payload.len());
                    return Some(Came::Lent { kind, length });
                }
                proto::Event::Text(text) => Event::Text(text.into()),
                proto::Event::Binary(payload) => Event::Binary(Bytes::copy_from_slice(payload)),
                proto::Event::Ping(payload) => {
                    self.pinged = true;
                    Event::Ping(Bytes::copy_from_slice(payload))
                }
                proto::Event::Pong(payload) => {
                    if self.timers.on_pong(payload) {
                        continue;
                    }
                    Event::Pong(Bytes::copy_from_slice(payload))
                }
                proto::Event::Close(frame) => {
                    let frame = frame.map(|frame| CloseFrame {
                        code: frame.code,
                        reason: frame.reason.to_owned(),
                    });
                    self.close_frame = Some(Box::new(frame.clone().unwrap_or(CloseFrame {
                        code: CloseCode::NO_STATUS,
                        reason: String::new(),
                    })));
                    Event::Close(frame)
                }
            }));
        }
        let partial = self.protocol.is_mid_message() || self.consumed < self.input.len();
        self.timers.on_decoded(partial);
        self.release_input();
        None
    }

    /// The message that was decoded last, where it lies, and what is needed to answer it meanwhile.
    pub(in crate::websocket) fn lend(&mut self, length: usize) -> (&[u8], Answering<'_>) {
        let payload = &self.input[self.consumed - length..self.consumed];
        let answering = Answering {
            protocol: &mut self.protocol,
            output: &mut self.output,
            failure: &self.failure,
        };
        (payload, answering)
    }

    /// Reads once. The buffer is the thread's own; it is kept only if something came.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Ok(0));
        };
        let mut buffer = buffers::take_read();
        buffer.extend_from_slice(&self.input[self.consumed..]);
        let result = pin!(stream.read_buf(&mut buffer)).poll(cx);
        if matches!(result, Poll::Ready(Ok(read)) if read > 0) {
            self.input = buffer;
            self.consumed = 0;
        } else {
            buffers::give_read(buffer);
        }
        result
    }

    /// Gives the read buffer back, but for what could not be decoded yet.
    fn release_input(&mut self) {
        if self.consumed > 0 || self.input.capacity() >= buffers::READ_SIZE {
            let rest = self.input[self.consumed..].to_vec();
            buffers::give_read(std::mem::replace(&mut self.input, rest));
            self.consumed = 0;
        }
    }
}
