//! A socket and what others send to it, driven by one task without a lock between.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep, timeout};
use wiretalk_hub::{Drain, Item, Outbox};

use wiretalk_net::{Blame, CloseCode, Error, ErrorKind, Message, Prepared, WebSocket};

/// What an outbox holds beside messages.
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

/// A connection with its outbox.
pub struct Link {
    /// The connection itself.
    pub socket: WebSocket,
    outbox: Outbox<Command>,
    /// What was taken from the outbox and found no room in the socket's queue yet, from `next` on.
    items: Vec<Item<Command>>,
    next: usize,
    /// A close frame of ours was queued: nothing more is taken from the outbox.
    closing: bool,
    /// The first error of the connection.
    error: Option<Error>,
    idle: Option<Box<Idle>>,
}

/// The clock of a client that may be silent for so long.
struct Idle {
    limit: Duration,
    /// When it last sent a message.
    since: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(limit: Duration) -> Box<Self> {
        Box::new(Self {
            limit,
            since: Instant::now(),
            alarm: Box::pin(sleep(limit)),
        })
    }

    /// Whether the limit is over. The alarm is set anew only when it goes off, so that a message costs no more than a
    /// look at the clock.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        while self.alarm.as_mut().poll(cx).is_ready() {
            let silent = self.since.elapsed();
            if silent >= self.limit {
                return true;
            }
            let left = self.limit - silent;
            self.alarm.as_mut().reset(Instant::now() + left);
        }
        false
    }
}

impl Link {
    /// A connection that is closed with 1001 if no message comes for `idle`.
    pub fn new(socket: WebSocket, outbox: Outbox<Command>, idle: Option<Duration>) -> Self {
        let idle = idle.map(Idle::new);
        Self {
            idle,
            socket,
            outbox,
            items: Vec::new(),
            next: 0,
            closing: false,
            error: None,
        }
    }

    /// How the connection failed, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// The next message; meanwhile what others send is written. Cancel-safe: all that is waited for stays in the
    /// socket and in the outbox.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.pump(cx);
        loop {
            // What the socket waits with is kept in it, not in this future.
            let event = pin!(self.socket.next_event()).poll(cx);
            match event {
                Poll::Ready(Ok(Some(event))) => {
                    if let Ok(message) = Message::try_from(event) {
                        if let Some(idle) = &mut self.idle {
                            idle.since = Instant::now();
                        }
                        return Poll::Ready(Some(message));
                    }
                }
                Poll::Ready(Ok(None)) => return Poll::Ready(None),
                // A peer that broke a rule is to see our close frame: asking on gives it the time.
                Poll::Ready(Err(error)) => self.failed(error),
                // It has written what it could, so that there may be room now.
                Poll::Pending => {
                    if !self.pump(cx) && !self.poll_idle(cx) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Only writes what others send, until the socket takes no more: for as long as its owner wants no message.
    /// It never ends.
    pub async fn write(&mut self) {
        poll_fn(|cx| {
            loop {
                let moved = self.pump(cx);
                let flushed = pin!(self.socket.flush()).poll(cx);
                match flushed {
                    // There is room now for what found none.
                    Poll::Ready(Ok(())) if moved || self.next < self.items.len() => {}
                    // An error is for the next `recv` to tell.
                    _ => return Poll::<()>::Pending,
                }
            }
        })
        .await;
    }

    /// Sends a message behind all that others have sent before.
    ///
    /// # Errors
    /// How the connection failed, or that this client reads too slowly.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.own_turn().await?;
        let Self { socket, outbox, .. } = self;
        let sent = tokio::select! {
            biased;
            sent = socket.send(message) => return sent,
            () = outbox.overflowed() => too_slow(),
        };
        self.close_slow().await;
        Err(sent)
    }

    /// Queues a message behind all that others have sent before.
    ///
    /// # Errors
    /// How the connection failed, or that this client reads too slowly.
    pub async fn feed(&mut self, message: Message) -> Result<(), Error> {
        self.own_turn().await?;
        let Self { socket, outbox, .. } = self;
        let fed = tokio::select! {
            biased;
            fed = socket.feed(message) => return fed,
            () = outbox.overflowed() => too_slow(),
        };
        self.close_slow().await;
        Err(fed)
    }

    /// Sends a message that was framed before behind all that others have sent before.
    ///
    /// # Errors
    /// How the connection failed, or that this client reads too slowly.
    pub async fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.own_turn().await?;
        let Self { socket, outbox, .. } = self;
        let sent = tokio::select! {
            biased;
            sent = socket.send_prepared(message) => return sent,
            () = outbox.overflowed() => too_slow(),
        };
        self.close_slow().await;
        Err(sent)
    }

    /// Begins the close handshake behind all that others have sent before.
    ///
    /// # Errors
    /// How the connection failed, or that this client reads too slowly.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.own_turn().await?;
        self.closing = true;
        self.socket.close(code, reason).await
    }

    /// Says what is left to say, then goodbye, and waits for the end of the connection.
    pub async fn finish(mut self, code: CloseCode, limit: Duration) {
        // A peer that takes nothing is not waited for longer than one that does not answer a close frame.
        let _ = timeout(limit, self.own_turn()).await;
        let _ = self.socket.close(code, "").await;
        while self.recv().await.is_some() {}
    }

    /// Waits until all that others have sent before is queued in the socket.
    async fn own_turn(&mut self) -> Result<(), Error> {
        poll_fn(|cx| {
            loop {
                self.pump(cx);
                if self.next >= self.items.len() {
                    return Poll::Ready(Ok(()));
                }
                let flushed = pin!(self.socket.flush()).poll(cx);
                match flushed {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Moves what the outbox holds into the socket's queue, as far as there is room; says whether anything was moved.
    /// Whoever is told of none is woken when the outbox has more.
    fn pump(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        loop {
            while let Some(item) = self.items.get(self.next) {
                match item {
                    Item::Message(message) => match self.socket.try_feed_prepared(message) {
                        Err(error) if error.kind() == ErrorKind::TooSlow => {
                            if self.poll_overflowed(cx) {
                                break;
                            }
                            return moved;
                        }
                        // What cannot be sent any more is let go: how a connection ends is for `recv` to tell.
                        Ok(()) | Err(_) => {}
                    },
                    Item::Control(Command::Close(code, reason)) => {
                        let (code, reason) = (*code, Arc::clone(reason));
                        self.start_close(cx, code, &reason);
                    }
                }
                self.next += 1;
                moved = true;
            }
            // An idle connection keeps no memory for what is done.
            self.items = Vec::new();
            self.next = 0;
            if self.closing {
                return moved;
            }
            match self.outbox.poll_drain(cx, &mut self.items) {
                Poll::Ready(Drain::Items) => {}
                Poll::Ready(Drain::Overflow) => {
                    self.start_close(cx, CloseCode::POLICY, TOO_SLOW);
                    return true;
                }
                Poll::Ready(Drain::Closed) | Poll::Pending => return moved,
            }
        }
    }

    /// Whether the outbox has overflowed while the socket takes no more.
    fn poll_overflowed(&mut self, cx: &mut Context<'_>) -> bool {
        let overflowed = pin!(self.outbox.overflowed()).poll(cx).is_ready();
        if overflowed {
            self.next = self.items.len();
        }
        overflowed
    }

    /// Begins to close a client that was silent for too long; says whether it did.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(idle) = self.idle.as_mut().filter(|_| !self.closing) else {
            return false;
        };
        if !idle.is_over(cx) {
            return false;
        }
        self.start_close(
            cx,
            CloseCode::GOING_AWAY,
            "the client was silent for too long",
        );
        true
    }

    /// Queues a close frame. It is written by whatever waits for the socket next, and starts the clock of the close
    /// handshake.
    fn start_close(&mut self, cx: &mut Context<'_>, code: CloseCode, reason: &str) {
        self.closing = true;
        let _ = pin!(self.socket.close(code, reason)).poll(cx);
    }

    async fn close_slow(&mut self) {
        self.items = Vec::new();
        self.next = 0;
        self.closing = true;
        self.failed(too_slow());
        let _ = self.socket.close(CloseCode::POLICY, TOO_SLOW).await;
    }

    fn failed(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }
}

/// A control frame's 125 bytes, less the code's two (RFC 6455 5.5).
const MOST_REASON: usize = 123;
const TOO_SLOW: &str = "the client reads too slowly";

fn too_slow() -> Error {
    let sentence = "the client reads too slowly: more waits for it than it may";
    Error::new(ErrorKind::TooSlow, Blame::Peer, sentence)
}
