//! A connection as a [`Stream`] and a [`Sink`] of messages, for what is written against those.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use futures_sink::Sink;
use wiretalk_proto::{CloseCode, Compression};

use super::{
    Receiver, Sender, WebSocket,
    core::{Core, Outgoing},
    receiving::message,
};
use crate::{error::Error, message::Message};

/// As [`WebSocket::recv`] gives them.
impl Stream for WebSocket {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(message) = message(ready!(self.core.poll_event(cx))) {
                return Poll::Ready(message);
            }
        }
    }
}

/// As [`Receiver::recv`] gives them.
impl Stream for Receiver {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(message) = message(ready!(self.shared.poll_as_receiver(cx))) {
                return Poll::Ready(message);
            }
        }
    }
}

/// Ready while the queue is below [`Config::max_queued`](crate::Config::max_queued). Closing begins the close handshake
/// with 1000; what the peer still has to say comes from the stream.
impl Sink<Message> for WebSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.core.poll_room(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.core.queue(&mut whole(message)).map(|_| ())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let position = self.core.position();
        self.core.poll_flush(position, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll_close(&mut self.core, cx)
    }
}

/// As that of [`WebSocket`].
impl Sink<Message> for Sender {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll_as_sender(cx, Core::poll_room)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let mut outgoing = whole(message);
        self.shared.act(|core, _| core.queue(&mut outgoing))?;
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll_as_sender(cx, |core, cx| {
            let position = core.position();
            core.poll_flush(position, cx)
        })
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let result = self.shared.poll_as_sender(cx, poll_close);
        // The clock of the handshake is the receiver's to watch.
        self.shared.waiters.wake_receiver();
        result
    }
}

fn whole(message: Message) -> Outgoing<'static> {
    Outgoing::Message(message, Compression::Auto)
}

fn poll_close(core: &mut Core, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
    // From the second call on there is nothing left to begin.
    core.start_close(Some(CloseCode::NORMAL), "")?;
    let position = core.position();
    core.poll_flush(position, cx)
}
