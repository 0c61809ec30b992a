//! Receiving: what is read, what is decoded of it, and where that lies.

use std::{
    future::Future,
    io,
    pin::pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use wiretalk_proto::{self as proto, Assembled, CloseCode, ProtocolErrorKind};

use super::{super::buffers, Core, send::Answering};
use crate::message::{CloseFrame, Event, Message};

/// Where a message lies. One of a single frame lies in the read buffer as a whole: so many bytes, the last of those that
/// are done with.
#[derive(Clone, Copy)]
pub(in crate::websocket) enum Place {
    /// Known to be UTF-8.
    Text(usize),
    Binary(usize),
    /// It was put together, and is to be had with [`Core::take_assembled`].
    Apart,
    /// It came before anybody asked for it, and is to be had with [`Core::take_queued_message`].
    Queued,
}

/// What is made of what came.
pub(in crate::websocket) trait Take {
    type Taken;

    /// 1 if pings and pongs are passed over, else 0.
    const PASSES_OVER: u32;

    /// Of a text message of one frame.
    fn text(text: &str) -> Self::Taken;

    /// Of a binary message of one frame.
    fn binary(payload: &[u8]) -> Self::Taken;

    /// Of a message that was put together.
    fn assembled(core: &mut Core) -> Option<Self::Taken>;

    /// Of a control frame; `None` to pass it over.
    fn control(event: Event) -> Option<Self::Taken>;
}

/// Takes events that can be kept.
pub(in crate::websocket) struct Own;

/// Takes the places of messages, and nothing else.
pub(in crate::websocket) struct Lend;

impl Take for Own {
    type Taken = Event;
    const PASSES_OVER: u32 = 0;

    fn text(text: &str) -> Event {
        Event::Text(text.into())
    }

    fn binary(payload: &[u8]) -> Event {
        Event::Binary(Bytes::copy_from_slice(payload))
    }

    fn assembled(core: &mut Core) -> Option<Event> {
        core.take_assembled().map(|message| fit(message).into())
    }

    fn control(event: Event) -> Option<Event> {
        Some(event)
    }
}

impl Take for Lend {
    type Taken = Place;
    const PASSES_OVER: u32 = 1;

    fn text(text: &str) -> Place {
        Place::Text(text.len())
    }

    fn binary(payload: &[u8]) -> Place {
        Place::Binary(payload.len())
    }

    fn assembled(_: &mut Core) -> Option<Place> {
        Some(Place::Apart)
    }

    fn control(_: Event) -> Option<Place> {
        None
    }
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
    /// changed.
    pub(super) fn decode<T: Take>(&mut self) -> Option<T::Taken> {
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
                        // Nobody looks at what comes behind it.
                        self.consumed = self.input.len();
                        self.release_input();
                        self.reply();
                        self.finish(Some(error.into()));
                        return None;
                    }
                };
            self.consumed += step.consumed;
            let taken = match step.event {
                None => break,
                Some(proto::Event::Text(_) | proto::Event::Binary(_)) if step.assembled => {
                    self.timers.on_message();
                    T::assembled(self)
                }
                Some(proto::Event::Text(text)) => {
                    self.timers.on_message();
                    Some(T::text(text))
                }
                Some(proto::Event::Binary(payload)) => {
                    self.timers.on_message();
                    Some(T::binary(payload))
                }
                Some(proto::Event::Ping(payload)) => {
                    self.pinged = true;
                    self.passed_over = self.passed_over.wrapping_add(T::PASSES_OVER);
                    T::control(Event::Ping(Bytes::copy_from_slice(payload)))
                }
                Some(proto::Event::Pong(payload)) => {
                    if self.timers.on_pong(payload) {
                        continue;
                    }
                    self.passed_over = self.passed_over.wrapping_add(T::PASSES_OVER);
                    T::control(Event::Pong(Bytes::copy_from_slice(payload)))
                }
                Some(proto::Event::Close(frame)) => {
                    let frame = frame.map(|frame| CloseFrame {
                        code: frame.code,
                        reason: frame.reason.to_owned(),
                    });
                    self.close_frame = Some(Box::new(frame.clone().unwrap_or(CloseFrame {
                        code: CloseCode::NO_STATUS,
                        reason: String::new(),
                    })));
                    T::control(Event::Close(frame))
                }
            };
            if taken.is_some() {
                return taken;
            }
            if std::mem::take(&mut self.pinged) {
                self.reply_in_bounds();
            }
        }
        let partial = self.protocol.is_mid_message() || self.consumed < self.input.len();
        self.timers.on_decoded(partial);
        self.release_input();
        None
    }

    /// The message that was put together last.
    pub(in crate::websocket) fn take_assembled(&mut self) -> Option<Assembled> {
        self.protocol.take_assembled()
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
