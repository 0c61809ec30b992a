//! A client that reconnects: [`Reconnecting`], its [events](Event), and how it is [built](Builder).

mod builder;
mod cause;
mod open;
mod outbox;

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep};

pub use self::{
    builder::Builder,
    cause::{Cause, GaveUp, Retry},
    outbox::{SendError, Unsent},
};
use self::{open::Open, outbox::Outbox};
use super::{
    backoff::Backoff,
    dial::{Dial, DialError},
};
use crate::{CloseCode, Error, ErrorKind, Handshake, Message, Request, State, WebSocket};

/// What happens to a client, in its order.
///
/// ```
/// use wiretalk::client::{Event, Reconnecting};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Nobody listens on this port.
/// let mut client = Reconnecting::builder("ws://127.0.0.1:1/").attempts(1).build();
/// assert!(matches!(client.next_event().await, Some(Event::Connecting { attempt: 1 })));
/// assert!(matches!(client.next_event().await, Some(Event::Ended(cause)) if cause.error().is_some()));
/// assert!(matches!(client.next_event().await, Some(Event::GaveUp(_))));
/// assert!(client.next_event().await.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An attempt begins; counted from 1, and anew after each success.
    Connecting {
        /// The attempt's number.
        attempt: u32,
    },
    /// The connection is open, and the [hook](Builder::on_open) is done.
    Open(Box<Handshake>),
    /// A message came.
    Message(Message),
    /// The attempt failed, or the connection ended; the cause tells which.
    Ended(Cause),
    /// Before the next attempt there is a wait.
    Waiting {
        /// The number of the attempt that follows.
        attempt: u32,
        /// How long the wait is.
        delay: std::time::Duration,
    },
    /// Unsent messages were dropped for newer ones; only with [`Unsent::KeepNewest`].
    Dropped {
        /// How many.
        messages: usize,
        /// How many bytes of payload they had.
        bytes: usize,
    },
    /// There will be no further attempt. The last event, unless the client was closed.
    GaveUp(GaveUp),
}

/// A client that reconnects.
///
/// Nothing runs behind it: it dials, waits, sends what is kept and answers pings while [`next_event`](Self::next_event) or
/// [`recv`](Self::recv) is awaited, so keep one of them going, in a `select!` if need be. All of its state is in the
/// value, so both are cancel-safe: an attempt, a login or a wait that was under way goes on with the next call. Dropping it
/// ends all.
///
/// ```
/// use std::time::Duration;
/// use wiretalk::client::{Backoff, Event, Reconnecting};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// // Nobody listens on this port.
/// let mut client = Reconnecting::builder("ws://127.0.0.1:1/")
///     .backoff(Backoff::fixed(Duration::from_secs(2)))
///     .attempts(5)
///     .build();
/// let mut attempts = 0;
/// while let Some(event) = client.next_event().await {
///     match event {
///         Event::Connecting { .. } => attempts += 1,
///         Event::Open(_) => client.send("hello").await.expect("it is open"),
///         Event::Message(message) => println!("{message:?}"),
///         Event::GaveUp(gave_up) => assert_eq!(
///             gave_up.to_string(),
///             "gave up after 5 attempts: 127.0.0.1:1 refused the connection",
///         ),
///         other => println!("{other:?}"),
///     }
/// }
/// assert_eq!(attempts, 5);
/// # }
/// ```
pub struct Reconnecting {
    settings: Settings,
    phase: Phase,
    /// Events that are due before anything else happens.
    told: VecDeque<Event>,
    /// Attempts since the last success.
    attempt: u32,
    /// Waits since the last success.
    waits: u32,
    /// It is being closed on purpose.
    closing: bool,
    outbox: Outbox,
}

struct Settings {
    dial: Dial,
    backoff: Backoff,
    /// How many attempts in a row may fail.
    attempts: Option<u32>,
    unsent: Unsent,
    policy: Policy,
}

type Policy = Arc<dyn Fn(&Cause) -> Retry + Send + Sync>;

type Opening = Pin<Box<dyn Future<Output = Result<(WebSocket, Handshake), DialError>> + Send>>;

enum Phase {
    /// The next attempt is due.
    Ready,
    Dialing(Opening),
    Open(Open),
    Waiting(Pin<Box<Sleep>>),
    Over,
}

impl Reconnecting {
    /// Begins with what to ask a server for. Nothing is dialed before the client that was built is asked for events.
    ///
    /// ```
    /// use wiretalk::client::{Reconnecting, Unsent};
    ///
    /// let client = Reconnecting::builder("ws://127.0.0.1:4000/").unsent(Unsent::Keep(1 << 20)).build();
    /// ```
    pub fn builder(request: impl Into<Request>) -> Builder {
        Builder::new(request.into())
    }

    fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::Ready,
            told: VecDeque::new(),
            attempt: 0,
            waits: 0,
            closing: false,
            outbox: Outbox::default(),
        }
    }

    /// What happens next; `None` once the client was closed, or gave up.
    ///
    /// Cancel-safe: nothing is lost and nothing begins anew if the future is dropped.
    ///
    /// ```
    /// use tokio::sync::mpsc;
    /// use wiretalk::client::{Event, Reconnecting, SendError};
    ///
    /// // Sends what others want to have sent, and prints what comes.
    /// async fn run(mut client: Reconnecting, mut wanted: mpsc::Receiver<String>) -> Result<(), SendError> {
    ///     loop {
    ///         tokio::select! {
    ///             event = client.next_event() => match event {
    ///                 Some(Event::Message(message)) => println!("{message:?}"),
    ///                 Some(other) => println!("{other:?}"),
    ///                 None => return Ok(()),
    ///             },
    ///             Some(text) = wanted.recv() => client.send(text).await?,
    ///         }
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), SendError> {
    /// # let (_sender, wanted) = mpsc::channel(1);
    /// # run(Reconnecting::builder("ws://127.0.0.1:1/").once().build(), wanted).await
    /// # }
    /// ```
    pub async fn next_event(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next message, over however many connections; `None` once the client was [closed](Self::close). The other
    /// events are passed over.
    ///
    /// Cancel-safe: nothing is lost if the future is dropped.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on open\n  < hello\n").await?;
    /// let mut client = wiretalk::client::Reconnecting::builder(mock.url()).build();
    /// while let Some(message) = client.recv().await {
    ///     println!("{:?}", message?);
    /// #   client.close(None, "").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// That it [gave up](Event::GaveUp), once.
    pub async fn recv(&mut self) -> Option<Result<Message, GaveUp>> {
        loop {
            match self.next_event().await? {
                Event::Message(message) => return Some(Ok(message)),
                Event::GaveUp(gave_up) => return Some(Err(gave_up)),
                _ => {}
            }
        }
    }

    /// Sends a message, and waits until it is handed to the kernel. What happens to it without a connection is a matter
    /// of [`Unsent`]: it is kept, or refused. Does not dial: that is done by [`next_event`](Self::next_event).
    ///
    /// While this waits, nothing is received, as with [`WebSocket::send`].
    ///
    /// If the future is dropped, the message was taken as a whole or not at all.
    ///
    /// ```
    /// use wiretalk::client::{Reconnecting, Unsent};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::client::SendError> {
    /// let builder = Reconnecting::builder("ws://127.0.0.1:1/").unsent(Unsent::Keep(1024));
    /// let mut client = builder.build();
    /// client.send("kept until there is a connection").await?;
    /// assert_eq!(client.unsent(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        let bound = match (self.settings.unsent, &mut self.phase) {
            (_, Phase::Over) => return Err(SendError::Closed(message)),
            _ if self.closing => return Err(SendError::Closed(message)),
            (Unsent::Refuse, Phase::Open(open)) => {
                return open.socket.send(message).await.map_err(SendError::Failed);
            }
            (Unsent::Refuse, _) => return Err(SendError::NotConnected(message)),
            (Unsent::Keep(bound), _) => bound,
            (Unsent::KeepNewest(bound), _) => {
                self.make_room(message.as_bytes().len(), bound);
                bound
            }
        };
        self.outbox.push(message, bound).map_err(SendError::Full)?;
        poll_fn(|cx| self.poll_flush(cx)).await;
        Ok(())
    }

    /// Closes the client on purpose: it does not come back. An open connection gets a close frame, and this waits until
    /// that is handed to the kernel; what the peer still has to say comes from [`next_event`](Self::next_event), then
    /// [`Event::Ended`], then `None`. An attempt or a wait is given up at once.
    ///
    /// If the future is dropped, the client is closed all the same.
    ///
    /// ```
    /// use wiretalk::{CloseCode, State, client::Reconnecting};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = Reconnecting::builder("ws://127.0.0.1:1/").build();
    /// client.next_event().await;
    /// assert_eq!(client.state(), State::Connecting);
    /// client.close(CloseCode::NORMAL, "").await?;
    /// assert_eq!(client.state(), State::Closed);
    /// assert!(client.next_event().await.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`WebSocket::close`]; with `InvalidInput`, nothing has happened.
    pub async fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        let Self {
            phase,
            closing,
            told,
            outbox,
            ..
        } = self;
        let Phase::Open(Open { socket, .. }) = phase else {
            *phase = Phase::Over;
            told.retain(|event| !matches!(event, Event::Waiting { .. }));
            return Ok(());
        };
        let mut close = pin!(socket.close(code, reason));
        poll_fn(|cx| {
            let polled = close.as_mut().poll(cx);
            // It has begun with the first poll, unless it cannot be.
            *closing |= !matches!(&polled, Poll::Ready(Err(error)) if error.kind() == ErrorKind::InvalidInput);
            polled
        })
        .await?;
        outbox.on_written();
        Ok(())
    }

    /// Ends the wait before the next attempt, if there is one: the network is back, say, or the user is impatient.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::{Backoff, Event, Reconnecting};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = Reconnecting::builder("ws://127.0.0.1:1/")
    ///     .backoff(Backoff::fixed(Duration::from_secs(3600)))
    ///     .build();
    /// while !matches!(client.next_event().await, Some(Event::Waiting { .. })) {}
    /// let begin = tokio::time::Instant::now();
    /// client.retry_now();
    /// assert!(matches!(client.next_event().await, Some(Event::Connecting { attempt: 2 })));
    /// assert_eq!(begin.elapsed(), Duration::ZERO);
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry_now(&mut self) {
        if matches!(self.phase, Phase::Waiting(_)) {
            self.phase = Phase::Ready;
        }
    }

    /// How far it is: connecting while it dials, or waits before it does; closed once it was closed, or gave up.
    ///
    /// ```
    /// use wiretalk::{State, client::{Event, Reconnecting}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let mut client = Reconnecting::builder(mock.url()).build();
    /// assert_eq!(client.state(), State::Connecting);
    /// while !matches!(client.next_event().await, Some(Event::Open(_))) {}
    /// assert_eq!(client.state(), State::Open);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn state(&self) -> State {
        match &self.phase {
            Phase::Ready | Phase::Dialing(_) | Phase::Waiting(_) => State::Connecting,
            Phase::Open(open) if open.socket.state() == State::Open => State::Open,
            // That the stream has ended is still to be told, and what follows from it.
            Phase::Open(_) => State::Closing,
            Phase::Over => State::Closed,
        }
    }

    /// The connection, if there is one.
    ///
    /// ```
    /// use wiretalk::client::{Event, Reconnecting};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let mut client = Reconnecting::builder(mock.url()).build();
    /// assert!(client.socket().is_none());
    /// while !matches!(client.next_event().await, Some(Event::Open(_))) {}
    /// let socket = client.socket().expect("it is open");
    /// assert_eq!(socket.peer_addr(), Some(mock.address()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn socket(&self) -> Option<&WebSocket> {
        match &self.phase {
            Phase::Open(open) => Some(&open.socket),
            _ => None,
        }
    }

    /// How many messages are kept for a connection to send.
    ///
    /// ```
    /// use wiretalk::client::{Reconnecting, Unsent};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = Reconnecting::builder("ws://127.0.0.1:4000/").unsent(Unsent::Keep(1024)).build();
    /// client.send("one").await?;
    /// client.send("three").await?;
    /// assert_eq!(client.unsent(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.outbox.messages()
    }

    /// How many bytes of payload the messages have that are kept.
    ///
    /// ```
    /// use wiretalk::client::{Reconnecting, Unsent};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = Reconnecting::builder("ws://127.0.0.1:4000/").unsent(Unsent::Keep(1024)).build();
    /// client.send("one").await?;
    /// client.send("three").await?;
    /// assert_eq!(client.unsent_bytes(), 3 + 5);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn unsent_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Takes the messages that are kept, the oldest first, so that they are not sent any more: when the client gave up,
    /// say. What an open connection was writing of them is on its way nevertheless.
    ///
    /// ```
    /// use wiretalk::client::{Reconnecting, Unsent};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = Reconnecting::builder("ws://127.0.0.1:1/").unsent(Unsent::Keep(1024));
    /// let mut client = builder.attempts(1).build();
    /// client.send("one").await?;
    /// client.send("two").await?;
    /// while client.next_event().await.is_some() {}
    /// assert_eq!(client.take_unsent(), ["one".into(), "two".into()]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_unsent(&mut self) -> Vec<Message> {
        self.outbox.take()
    }

    fn make_room(&mut self, length: usize, bound: usize) {
        let dropped = self.outbox.make_room(length, bound);
        if dropped.messages == 0 {
            return;
        }
        // Told as one, however many there are before somebody asks.
        if let Some(Event::Dropped { messages, bytes }) = self.told.back_mut() {
            *messages += dropped.messages;
            *bytes += dropped.bytes;
        } else {
            self.told.push_back(Event::Dropped {
                messages: dropped.messages,
                bytes: dropped.bytes,
            });
        }
    }

    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(event) = self.told.pop_front() {
                return Poll::Ready(Some(event));
            }
            match &mut self.phase {
                Phase::Ready => {
                    self.attempt = self.attempt.saturating_add(1);
                    self.phase = Phase::Dialing(Box::pin(self.settings.dial.open()));
                    let attempt = self.attempt;
                    return Poll::Ready(Some(Event::Connecting { attempt }));
                }
                Phase::Dialing(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Ok((socket, handshake)) => {
                        let since = Instant::now();
                        self.phase = Phase::Open(Open { socket, since });
                        return Poll::Ready(Some(Event::Open(Box::new(handshake))));
                    }
                    Err(DialError::Dial(error)) => self.on_ended(Cause::Dial(error)),
                    Err(DialError::Hook(error)) => self.on_ended(Cause::Hook(error.into())),
                },
                Phase::Open(open) => match ready!(open.poll_message(&mut self.outbox, cx)) {
                    Ok(message) => return Poll::Ready(Some(Event::Message(message))),
                    Err(cause) => {
                        if self.settings.backoff.settles(open.since.elapsed()) {
                            self.attempt = 0;
                            self.waits = 0;
                        }
                        self.on_ended(cause);
                    }
                },
                Phase::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    self.phase = Phase::Ready;
                }
                Phase::Over => return Poll::Ready(None),
            }
        }
    }

    /// An attempt or a connection has ended: what follows from it.
    fn on_ended(&mut self, cause: Cause) {
        self.outbox.on_lost();
        self.told.push_back(Event::Ended(cause.clone()));
        if self.closing {
            self.phase = Phase::Over;
            return;
        }
        let settings = &self.settings;
        let exhausted = settings.attempts.is_some_and(|most| self.attempt >= most);
        let retry = if exhausted {
            Retry::No
        } else {
            (settings.policy)(&cause)
        };
        let at_least = match retry {
            Retry::Yes => std::time::Duration::ZERO,
            Retry::After(delay) => delay,
            Retry::No => {
                self.phase = Phase::Over;
                let attempts = self.attempt;
                let gave_up = GaveUp { attempts, cause };
                self.told.push_back(Event::GaveUp(gave_up));
                return;
            }
        };
        let delay = at_least.saturating_add(settings.backoff.delay(self.waits));
        self.waits = self.waits.saturating_add(1);
        self.phase = Phase::Waiting(Box::pin(sleep(delay)));
        self.told.push_back(Event::Waiting {
            attempt: self.attempt.saturating_add(1),
            delay,
        });
    }

    /// Waits until the connection, if there is one, has written all that is kept. If it fails, the messages stay; that it
    /// did is told by the next event.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Phase::Open(open) = &mut self.phase else {
            return Poll::Ready(());
        };
        let fed = open.poll_feed(&mut self.outbox, cx);
        let flushed = pin!(open.socket.flush()).poll(cx);
        match (fed, flushed) {
            (_, Poll::Ready(Err(_))) | (Poll::Ready(Err(_)), _) => Poll::Ready(()),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => {
                self.outbox.on_written();
                Poll::Ready(())
            }
            // All was written, so there is room again.
            (Poll::Pending, Poll::Ready(Ok(()))) => {
                self.outbox.on_written();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            (_, Poll::Pending) => Poll::Pending,
        }
    }
}

/// The events, as [`next_event`](Reconnecting::next_event) gives them.
impl futures_core::Stream for Reconnecting {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting")
            .field("state", &self.state())
            .field("attempt", &self.attempt)
            .field("unsent", &self.unsent())
            .finish_non_exhaustive()
    }
}
