//! The connection that is open, and sends what is kept.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, ready},
};

use tokio::time::Instant;

use super::{Cause, outbox::Outbox};
use crate::{CloseCode, CloseFrame, Error, Event, Message, State, WebSocket};

pub(super) struct Open {
    pub(super) socket: WebSocket,
    pub(super) since: Instant,
}

impl Open {
    /// The next message, or how the connection ended. Meanwhile it sends what is kept.
    pub(super) fn poll_message(
        &mut self,
        outbox: &mut Outbox,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Message, Cause>> {
        loop {
            // If that fails, so does what follows, and says why.
            let _ = self.poll_feed(outbox, cx);
            let event = pin!(self.socket.next_event()).poll(cx);
            let written = self.socket.state() == State::Open && self.socket.buffered_amount() == 0;
            if written {
                outbox.on_written();
            }
            match event {
                // What was just written may have left room for more.
                Poll::Pending if written && outbox.next_to_feed().is_some() => {}
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Some(Event::Close(frame)))) => {
                    // Whatever the connection's settings say, it is answered; what was sent already is not sent twice.
                    let code = frame.map(|frame| frame.code);
                    let _ = pin!(self.socket.close(code, "")).poll(cx);
                }
                Poll::Ready(Ok(Some(event))) => {
                    if let Ok(message) = Message::try_from(event) {
                        return Poll::Ready(Ok(message));
                    }
                }
                Poll::Ready(Ok(None)) => {
                    return Poll::Ready(Err(Cause::Closed(self.close_frame())));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Cause::Lost(error))),
            }
        }
    }

    /// Gives the connection what is kept, as far as it has room.
    pub(super) fn poll_feed(
        &mut self,
        outbox: &mut Outbox,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        while let Some(message) = outbox.next_to_feed() {
            ready!(pin!(self.socket.feed(message.clone())).poll(cx))?;
            outbox.on_fed();
        }
        Poll::Ready(Ok(()))
    }

    fn close_frame(&self) -> CloseFrame {
        let frame = self.socket.close_frame().cloned();
        frame.unwrap_or(CloseFrame {
            code: CloseCode::NO_STATUS,
            reason: String::new(),
        })
    }
}
