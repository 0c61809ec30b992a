//! A socket and what others send to it, driven by one task without a lock between.

mod control;
mod guarded;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::timeout;
use wiretalk_hub::{Drain, Item, Outbox};
use wiretalk_net::{
    Blame, CloseCode, Error, ErrorKind, Event, Exchange, Message, Prepared, WebSocket,
};

use self::guarded::Guarded;
pub use self::{
    control::{Command, Control, Performed},
    guarded::Silence,
};
use crate::{
    Meter,
    gate::{Expelled, Gate, Pass, Payload},
};

/// What a link tells whoever serves its client.
#[derive(Clone, Debug)]
pub enum News {
    /// Something came.
    Event(Event),
    /// The client has to leave: its close frame is on its way, and no message of its is told any more.
    Expelled(Expelled),
}

/// A connection with its outbox, which holds messages and, in order with them, a server's own [`Control`]s.
///
/// It is polled in one place, by whoever asks for the next message: what comes is handed over, what others send is
/// written, and the clocks are looked at. An idle link keeps no buffer, no task of its own and no timer beside the
/// connection's.
pub struct Link<C> {
    /// The connection itself.
    pub socket: WebSocket,
    outbox: Outbox<C>,
    /// What was taken from the outbox and found no room in the socket's queue yet, from `next` on.
    items: Vec<Item<C>>,
    next: usize,
    /// Nothing more is taken from the outbox: a close frame of ours was queued.
    closing: bool,
    /// Nothing more that comes is handed over.
    deaf: bool,
    /// Why the client has to leave, until it is told.
    expelled: Option<Box<Expelled>>,
    /// The first error of the connection.
    error: Option<Box<Error>>,
    guarded: Option<Box<Guarded>>,
    meter: Option<Arc<Meter>>,
}

impl<C: Control> Link<C> {
    /// A connection that nobody guards or counts.
    pub fn new(socket: WebSocket, outbox: Outbox<C>) -> Self {
        Self {
            socket,
            outbox,
            items: Vec::new(),
            next: 0,
            closing: false,
            deaf: false,
            expelled: None,
            error: None,
            guarded: None,
            meter: None,
        }
    }

    /// The same, with a gate that each message has to pass; `None` takes no memory.
    #[must_use]
    pub fn guarded(mut self, gate: Option<Box<dyn Gate>>) -> Self {
        self.guarded = gate.map(Guarded::new);
        self
    }

    /// The same, counted by a meter.
    #[must_use]
    pub fn metered(mut self, meter: Arc<Meter>) -> Self {
        self.meter = Some(meter);
        self
    }

    /// How the connection failed, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.error.as_deref()
    }

    /// What comes next, or that the client has to leave; `None` once the connection has ended. Meanwhile what others send
    /// is written. Cancel-safe: all that is waited for stays in the socket and in the outbox.
    pub async fn next(&mut self) -> Option<News> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next message; otherwise as [`next`](Self::next).
    pub async fn recv(&mut self) -> Option<Message> {
        loop {
            match self.next().await? {
                News::Event(event) => {
                    if let Ok(message) = Message::try_from(event) {
                        return Some(message);
                    }
                }
                News::Expelled(_) => {}
            }
        }
    }

    /// Has each message answered where it lies, until the connection ends, or the client has to leave, which is told: then
    /// it is called again for the rest. The answers are for whoever gives them to count.
    pub fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        answer: &mut impl FnMut(Exchange<'_>) -> Result<(), Error>,
    ) -> Poll<Option<Expelled>> {
        self.pump(cx);
        loop {
            if let Some(expelled) = self.expelled.take() {
                return Poll::Ready(Some(*expelled));
            }
            if let Err(expelled) = self.judge_passed_over() {
                self.expel(cx, expelled);
                continue;
            }
            let exchange = pin!(self.socket.next_exchange()).poll(cx);
            let judged = match exchange {
                Poll::Ready(Ok(Some(exchange))) => {
                    let bytes = exchange.message.as_bytes();
                    if let Some(meter) = &self.meter {
                        meter.received(bytes.len());
                    }
                    let judged = if self.guarded.is_some() || self.deaf {
                        let text = exchange.message.as_text();
                        let payload = text.map_or(Payload::Binary(bytes), Payload::Text);
                        judge(&mut self.guarded, self.deaf, payload)
                    } else {
                        Ok(Pass::On)
                    };
                    match judged {
                        Ok(Pass::On) => answer(exchange).map_err(Stop::Failed),
                        Ok(Pass::Taken) => Ok(()),
                        Err(expelled) => Err(Stop::Expelled(expelled)),
                    }
                }
                Poll::Ready(Ok(None)) => return Poll::Ready(None),
                Poll::Ready(Err(error)) => Err(Stop::Failed(error)),
                Poll::Pending => match self.judge_passed_over() {
                    Ok(()) if !self.pump(cx) && !self.poll_gate(cx) => return Poll::Pending,
                    judged => judged.map_err(Stop::Expelled),
                },
            };
            match judged {
                Ok(()) => {}
                Err(Stop::Expelled(expelled)) => self.expel(cx, expelled),
                // Once a close frame came or went, what else comes is not answered.
                Err(Stop::Failed(error)) if error.kind() == ErrorKind::Closed => {}
                Err(Stop::Failed(error)) => self.failed(error),
            }
        }
    }

    /// Only writes what others send, until the socket takes no more, and looks at the gate's clock: for as long as its owner
    /// wants no message. It never ends.
    pub async fn write(&mut self) {
        poll_fn(|cx| {
            self.poll_write(cx);
            Poll::<()>::Pending
        })
        .await;
    }

    /// [`write`](Self::write) for a caller that polls: writes what can be written now. Whoever then finds that the client
    /// [has to leave](Self::is_leaving) asks for what comes next, to see it out.
    pub fn poll_write(&mut self, cx: &mut Context<'_>) {
        if let Some(guarded) = &mut self.guarded {
            guarded.unread();
            self.poll_gate(cx);
        }
        loop {
            let moved = self.pump(cx);
            let flushed = pin!(self.socket.flush()).poll(cx);
            match flushed {
                // There is room now for what found none.
                Poll::Ready(Ok(())) if moved || self.next < self.items.len() => {}
                // An error is for the next `recv` to tell.
                _ => return,
            }
        }
    }

    /// Whether the client was expelled, so that no message of its is told any more.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.deaf
    }

    /// Sends a message behind all that others have sent before.
    ///
    /// # Errors
    /// How the connection failed, or that this client reads too slowly.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.own_turn().await?;
        let bytes = message.as_bytes().len();
        let Self { socket, outbox, .. } = self;
        let sent = tokio::select! {
            biased;
            sent = socket.send(message) => Ok(sent),
            () = outbox.overflowed() => Err(too_slow()),
        };
        self.sent(sent, bytes).await
    }

    /// Queues a message behind all that others have sent before.
    ///
    /// # Errors
    /// How the connection failed, or that this client reads too slowly.
    pub async fn feed(&mut self, message: Message) -> Result<(), Error> {
        self.own_turn().await?;
        let bytes = message.as_bytes().len();
        let Self { socket, outbox, .. } = self;
        let fed = tokio::select! {
            biased;
            fed = socket.feed(message) => Ok(fed),
            () = outbox.overflowed() => Err(too_slow()),
        };
        self.sent(fed, bytes).await
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
            sent = socket.send_prepared(message) => Ok(sent),
            () = outbox.overflowed() => Err(too_slow()),
        };
        self.sent(sent, message.payload().len()).await
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
        while self.next().await.is_some() {}
    }

    /// [`next`](Self::next) for a caller that polls.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<News>> {
        self.pump(cx);
        loop {
            if let Some(expelled) = self.expelled.take() {
                return Poll::Ready(Some(News::Expelled(*expelled)));
            }
            // What the socket waits with is kept in it, not in this future.
            let event = pin!(self.socket.next_event()).poll(cx);
            match event {
                Poll::Ready(Ok(Some(event))) => {
                    let payload = match &event {
                        Event::Text(text) => Payload::Text(text.as_str()),
                        Event::Binary(bytes) => Payload::Binary(bytes),
                        Event::Ping(_) | Event::Pong(_) if self.deaf => continue,
                        Event::Ping(_) | Event::Pong(_) => {
                            let guarded = self.guarded.as_mut();
                            match guarded.map_or(Ok(()), |guarded| guarded.control()) {
                                Ok(()) => return Poll::Ready(Some(News::Event(event))),
                                Err(expelled) => self.expel(cx, expelled),
                            }
                            continue;
                        }
                        Event::Close(_) => return Poll::Ready(Some(News::Event(event))),
                    };
                    if let Some(meter) = &self.meter {
                        meter.received(payload.as_bytes().len());
                    }
                    match judge(&mut self.guarded, self.deaf, payload) {
                        Ok(Pass::On) => return Poll::Ready(Some(News::Event(event))),
                        Ok(Pass::Taken) => {}
                        Err(expelled) => self.expel(cx, expelled),
                    }
                }
                Poll::Ready(Ok(None)) => return Poll::Ready(None),
                // A peer that broke a rule is to see our close frame: asking on gives it the time.
                Poll::Ready(Err(error)) => self.failed(error),
                // It has written what it could, so that there may be room now.
                Poll::Pending => {
                    if !self.pump(cx) && !self.poll_gate(cx) {
                        return Poll::Pending;
                    }
                }
            }
        }
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

    /// The end of sending a message directly: how that went, or that the outbox overflowed meanwhile.
    async fn sent(
        &mut self,
        sent: Result<Result<(), Error>, Error>,
        bytes: usize,
    ) -> Result<(), Error> {
        match sent {
            Ok(sent) => {
                if let (Ok(()), Some(meter)) = (&sent, &self.meter) {
                    meter.sent(bytes);
                }
                sent
            }
            Err(slow) => {
                self.items = Vec::new();
                self.next = 0;
                self.closing = true;
                self.failed(slow.clone());
                let _ = self.socket.close(CloseCode::POLICY, TOO_SLOW).await;
                Err(slow)
            }
        }
    }

    /// Moves what the outbox holds into the socket's queue, as far as there is room; says whether anything was moved.
    /// Whoever is told of none is woken when the outbox has more.
    fn pump(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        loop {
            while let Some(item) = self.items.get_mut(self.next) {
                let blocked = match item {
                    Item::Message(message) => match self.socket.try_feed_prepared(message) {
                        Ok(()) => {
                            if let Some(meter) = &self.meter {
                                meter.sent(message.payload().len());
                            }
                            false
                        }
                        // What cannot be sent any more is let go: how a connection ends is for `recv` to tell.
                        Err(error) => error.kind() == ErrorKind::TooSlow,
                    },
                    Item::Control(control) => match control.perform(&mut self.socket, cx) {
                        Performed::Done => false,
                        Performed::Blocked => true,
                        Performed::Last => {
                            self.closing = true;
                            false
                        }
                    },
                };
                if blocked {
                    if self.poll_overflowed(cx) {
                        break;
                    }
                    return moved;
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
                    self.deaf = true;
                    self.start_close(cx, CloseCode::POLICY, TOO_SLOW);
                    self.expelled = Some(Box::new(Expelled {
                        code: CloseCode::POLICY.as_u16(),
                        kind: "slow",
                        reason: TOO_SLOW.into(),
                    }));
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

    /// Asks the gate for the pings and pongs that came between messages.
    fn judge_passed_over(&mut self) -> Result<(), Expelled> {
        match &mut self.guarded {
            Some(guarded) if !self.deaf => guarded.passed_over(self.socket.passed_over()),
            _ => Ok(()),
        }
    }

    /// Looks at the gate's clock; says whether the client has to leave by it.
    fn poll_gate(&mut self, cx: &mut Context<'_>) -> bool {
        if self.closing || self.deaf {
            return false;
        }
        let Some(guarded) = &mut self.guarded else {
            return false;
        };
        match guarded.poll_over(cx) {
            Poll::Ready(expelled) => {
                self.expel(cx, expelled);
                true
            }
            Poll::Pending => false,
        }
    }

    /// Begins to close a client that its gate has expelled.
    fn expel(&mut self, cx: &mut Context<'_>, expelled: Expelled) {
        self.deaf = true;
        self.start_close(cx, CloseCode::new(expelled.code), &expelled.reason);
        self.expelled = Some(Box::new(expelled));
    }

    /// Queues a close frame. It is written by whatever waits for the socket next, and starts the clock of the close
    /// handshake.
    fn start_close(&mut self, cx: &mut Context<'_>, code: CloseCode, reason: &str) {
        self.closing = true;
        let _ = pin!(self.socket.close(code, reason)).poll(cx);
    }

    fn failed(&mut self, error: Error) {
        self.error.get_or_insert_with(|| Box::new(error));
    }
}

/// Why an answer was the last, or there was none.
enum Stop {
    Expelled(Expelled),
    Failed(Error),
}

/// What becomes of a message.
fn judge(
    guarded: &mut Option<Box<Guarded>>,
    deaf: bool,
    payload: Payload<'_>,
) -> Result<Pass, Expelled> {
    match guarded {
        _ if deaf => Ok(Pass::Taken),
        None => Ok(Pass::On),
        Some(guarded) => guarded.message(payload),
    }
}

const TOO_SLOW: &str = "the client reads too slowly";

fn too_slow() -> Error {
    let sentence = "the client reads too slowly: more waits for it than it may";
    Error::new(ErrorKind::TooSlow, Blame::Peer, sentence)
}
