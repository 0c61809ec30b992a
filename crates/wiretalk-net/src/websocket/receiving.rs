//! Reading from a connection.

use std::{
    fmt,
    future::poll_fn,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{Exchange, WebSocket, core::now};
use crate::{
    error::{Blame, Error},
    message::{CloseFrame, Event, Message},
};

impl WebSocket {
    /// The next message; `None` once the connection has ended, after an error too. Control frames are passed over
    /// (and answered, if [`Config`](crate::Config) says so).
    ///
    /// Cancel-safe: no message is lost if the future is dropped.
    ///
    /// ```
    /// use wiretalk_net::CloseCode;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("one").await?;
    /// client.send("two").await?;
    /// client.close(CloseCode::NORMAL, "").await?;
    /// let mut came = Vec::new();
    /// while let Some(message) = server.recv().await {
    ///     came.push(message?);
    /// }
    /// assert_eq!(came, ["one".into(), "two".into()]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event).
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        loop {
            if let Some(message) = message(self.next_event().await) {
                return message;
            }
        }
    }

    /// The next message if one has come, without waiting for one. Control frames are passed over, as by
    /// [`recv`](Self::recv).
    ///
    /// ```
    /// use wiretalk_net::TryRecvError;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// assert!(matches!(server.try_recv(), Err(TryRecvError::Empty)));
    /// client.send("one").await?;
    /// client.send("two").await?;
    /// // All that has come so far.
    /// let mut came = 0;
    /// while let Ok(message) = server.try_recv() {
    ///     came += 1;
    /// }
    /// assert_eq!(came, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if there is none yet; [`TryRecvError::Closed`] once the connection has ended;
    /// [`TryRecvError::Failed`], once, if it did not end with a close handshake.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        let core = &mut self.core;
        let mut noop = Context::from_waker(Waker::noop());
        now(&mut noop, |cx| try_recv(|| core.poll_event(cx)))
    }

    /// How many messages have come and wait to be taken. What the stream has is looked at first, and kept in memory, up
    /// to [`Config::max_received`](crate::Config::max_received) bytes: the true number may be higher.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("one").await?;
    /// client.send("two").await?;
    /// assert_eq!(server.queued(), 2);
    /// server.recv().await.transpose()?;
    /// assert_eq!(server.queued(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn queued(&mut self) -> usize {
        let core = &mut self.core;
        let mut noop = Context::from_waker(Waker::noop());
        now(&mut noop, |cx| core.count_queued(cx))
    }

    /// Whether a message has come and waits to be taken, so that [`recv`](Self::recv) would not wait.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// assert!(!server.has_queued());
    /// client.send("hello").await?;
    /// assert!(server.has_queued());
    /// # Ok(())
    /// # }
    /// ```
    pub fn has_queued(&mut self) -> bool {
        self.queued() > 0
    }

    /// Whatever comes next. `Ok(None)` once the close handshake is done and the stream has ended, and always after an
    /// error. What was [fed](Self::feed) is written whenever this is about to wait.
    ///
    /// That the peer broke a rule is told as soon as our close frame has left. Asking on, up to the `Ok(None)`, gives
    /// the peer the time to see that frame before the stream ends.
    ///
    /// Cancel-safe: nothing is lost if the future is dropped.
    ///
    /// ```
    /// use wiretalk_net::Event;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.ping(b"are you there?").await?;
    /// client.send("hello").await?;
    /// let ping = server.next_event().await?;
    /// assert_eq!(ping, Some(Event::Ping("are you there?".into())));
    /// let message = server.next_event().await?;
    /// assert_eq!(message, Some(Event::Text("hello".into())));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// How the connection ended, if not with a close handshake: the kinds `Reset`, `Abnormal`, `Protocol`,
    /// `PingTimeout`, `IdleTimeout`, `MessageTimeout`, `Timeout` (the peer did not answer our close frame), `Io`. It is told once.
    pub async fn next_event(&mut self) -> Result<Option<Event>, Error> {
        poll_fn(|cx| self.core.poll_event(cx)).await
    }

    /// The next message, lent from the buffer into which it was read, together with the way to answer it: nothing is
    /// allocated for it, and the answers to all that came together leave in one write. Control frames are passed over
    /// (and answered, if [`Config`](crate::Config) says so); [`close_frame`](Self::close_frame) tells of the last.
    ///
    /// `Ok(None)` once the connection has ended. While the queue is at
    /// [`Config::max_queued`](crate::Config::max_queued), nothing is read from the peer, and how long it may take nothing is
    /// bounded by [`Config::ping_interval`](crate::Config::ping_interval) and
    /// [`Config::ping_timeout`](crate::Config::ping_timeout) alone. Without [`Config::auto_close`](crate::Config::auto_close),
    /// look at [`close_frame`](Self::close_frame) with [`next_event`](Self::next_event) instead. Cancel-safe.
    ///
    /// ```
    /// use wiretalk_net::CloseCode;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// client.close(CloseCode::NORMAL, "").await?;
    /// while let Some(mut exchange) = server.next_exchange().await? {
    ///     exchange.replies.send_back(exchange.message)?;
    /// }
    /// assert_eq!(client.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event).
    pub async fn next_exchange(&mut self) -> Result<Option<Exchange<'_>>, Error> {
        let place = poll_fn(|cx| self.core.poll_message(cx)).await?;
        Ok(place.map(|place| Exchange::new(&mut self.core, place)))
    }

    /// How many pings and pongs [`next_exchange`](Self::next_exchange) has passed over so far, for whoever wants no more than
    /// some of them; pongs that answer the connection's own pings are none of them. After 2³² it begins anew. While they come
    /// and no message does, `next_exchange` lets its task do something else now and then.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.ping(b"are you there?").await?;
    /// client.send("hello").await?;
    /// let exchange = server.next_exchange().await?.expect("it is open");
    /// assert_eq!(exchange.message.as_text(), Some("hello"));
    /// assert_eq!(server.passed_over(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn passed_over(&self) -> u32 {
        self.core.passed_over()
    }

    /// What the peer's close frame said, once it has come; code 1005 if it carried none (RFC 6455 7.1.5).
    ///
    /// ```
    /// use wiretalk_net::CloseCode;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.close(CloseCode::GOING_AWAY, "lunch").await?;
    /// assert!(server.recv().await.is_none());
    /// let frame = server.close_frame().expect("it closed in good order");
    /// assert_eq!((frame.code, &*frame.reason), (CloseCode::GOING_AWAY, "lunch"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn close_frame(&self) -> Option<&CloseFrame> {
        self.core.close_frame()
    }

    /// Sends a ping and waits for its pong: how long that took. Messages that come meanwhile are kept for
    /// [`recv`](Self::recv).
    ///
    /// If the future is dropped, the pong that comes later is shown by [`next_event`](Self::next_event); no message is
    /// lost.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// // The other end answers while it waits for messages.
    /// tokio::spawn(async move { while server.recv().await.is_some() {} });
    /// println!("there and back in {:?}", client.round_trip().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Timeout` if it took longer than [`Config::ping_timeout`](crate::Config::ping_timeout), which leaves the connection as it
    /// is; `TooSlow` if more than [`Config::max_received`](crate::Config::max_received) bytes of messages came before
    /// the pong; otherwise as [`send`](Self::send).
    pub async fn round_trip(&mut self) -> Result<Duration, Error> {
        let payload = self.core.next_payload();
        let begin = Instant::now();
        let limit = self.core.ping_timeout();
        let answered = async {
            self.ping(&payload).await?;
            poll_fn(|cx| self.core.poll_pong(&payload, cx)).await
        };
        match timeout(limit, answered).await {
            Ok(answered) => answered.map(|()| begin.elapsed()),
            Err(_) => Err(unanswered(limit)),
        }
    }

    /// How long the last of the pings that [`Config::ping_interval`](crate::Config::ping_interval) sends took to be answered,
    /// its time in our queue included; `None` before the first answer.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// assert!(client.latency().is_none(), "no ping was answered yet");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.core.latency()
    }
}

/// Why [`WebSocket::try_recv`] has no message.
///
/// ```
/// use wiretalk_net::TryRecvError;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// client.abort();
/// let error = loop {
///     match server.try_recv() {
///         Ok(message) => println!("{message:?}"),
///         Err(TryRecvError::Empty) => tokio::task::yield_now().await,
///         Err(TryRecvError::Closed) => panic!("the client closed in good order"),
///         Err(TryRecvError::Failed(error)) => break error,
///     }
/// };
/// println!("{error}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub enum TryRecvError {
    /// None has come yet.
    Empty,
    /// None will come: the connection has ended.
    Closed,
    /// The connection ended without a close handshake. It is told once, then it is `Closed`.
    Failed(Error),
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no message has come yet"),
            Self::Closed => f.write_str("the connection is closed, no more messages come"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TryRecvError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => std::error::Error::source(error),
            Self::Empty | Self::Closed => None,
        }
    }
}

/// The first message of what there is.
pub(super) fn try_recv(
    mut poll: impl FnMut() -> Poll<Result<Option<Event>, Error>>,
) -> Result<Message, TryRecvError> {
    loop {
        let Poll::Ready(event) = poll() else {
            return Err(TryRecvError::Empty);
        };
        match message(event) {
            Some(Some(Ok(message))) => return Ok(message),
            Some(Some(Err(error))) => return Err(TryRecvError::Failed(error)),
            Some(None) => return Err(TryRecvError::Closed),
            None => {}
        }
    }
}

pub(super) fn unanswered(limit: Duration) -> Error {
    Error::timeout(Blame::Peer, "the peer did not answer a ping", limit)
}

/// What [`WebSocket::recv`] makes of an event; `None` if it is to be passed over.
pub(super) fn message(
    event: Result<Option<Event>, Error>,
) -> Option<Option<Result<Message, Error>>> {
    match event {
        Ok(Some(event)) => Message::try_from(event)
            .ok()
            .map(|message| Some(Ok(message))),
        Ok(None) => Some(None),
        Err(error) => Some(Some(Err(error))),
    }
}
