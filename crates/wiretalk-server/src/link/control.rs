//! What a server does on a connection in order with the messages that it sends.

use std::{future::Future, pin::pin, sync::Arc, task::Context};

use wiretalk_net::{Blame, CloseCode, Error, ErrorKind, WebSocket};

/// What an outbox holds beside messages.
pub trait Control: Send {
    /// Does it, or as much of it as can be done without waiting.
    ///
    /// A future of the socket's that queues something has queued it once it was polled, ready or not, if nothing waits to
    /// be sent ([`WebSocket::buffered_amount`]): so whoever has to queue more than a close frame says
    /// [`Performed::Blocked`] until nothing does, and is called again then.
    fn perform(&mut self, socket: &mut WebSocket, cx: &mut Context<'_>) -> Performed;
}

/// How far a [`Control`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Performed {
    /// It is done: what stands behind it in the outbox is next.
    Done,
    /// It is to be called again when something has left the socket's queue, or a clock of the connection has gone off.
    Blocked,
    /// It is done, and what stands behind it is not sent any more.
    Last,
}

/// What a server that is a program does in order with messages.
#[derive(Clone, Debug)]
pub enum Command {
    /// Close, behind what was sent before.
    Close(CloseCode, Arc<str>),
}

impl Command {
    /// A close, if a frame can carry it.
    ///
    /// # Errors
    /// `InvalidInput` for a code that may not be sent, or a reason that is too long.
    pub fn close(code: CloseCode, reason: &str) -> Result<Self, Error> {
        let invalid = |why: String| Err(Error::new(ErrorKind::InvalidInput, Blame::Us, why));
        if !code.may_be_sent() {
            return invalid(format!("a close frame cannot carry {}", code.as_u16()));
        }
        if reason.len() > MOST_REASON {
            return invalid(format!(
                "a close frame's reason has {} bytes at the most, and this one {}",
                MOST_REASON,
                reason.len()
            ));
        }
        Ok(Self::Close(code, reason.into()))
    }
}

impl Control for Command {
    fn perform(&mut self, socket: &mut WebSocket, cx: &mut Context<'_>) -> Performed {
        let Self::Close(code, reason) = self;
        let _ = pin!(socket.close(*code, reason)).poll(cx);
        Performed::Last
    }
}

/// A control frame's 125 bytes, less the code's two (RFC 6455 5.5).
const MOST_REASON: usize = 123;
