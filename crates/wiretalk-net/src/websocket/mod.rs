//! The connection that a program uses.

mod buffers;
mod core;
mod eager;
mod exchange;
#[cfg(feature = "json")]
mod json;
mod keys;
mod pair;
#[cfg(feature = "raw")]
mod raw;
mod split;
mod state;
mod stream;
mod timers;

use std::{
    fmt,
    future::poll_fn,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{Instant, timeout};
use wiretalk_proto::{Agreed, CloseCode, Compression, MessageKind, Prepared, Role};

use self::core::{Core, Outgoing, now};
#[cfg(feature = "raw")]
pub(crate) use self::raw::Unruly;
pub use self::{
    exchange::{Exchange, MessageRef, Replies},
    pair::{pair, pair_with},
    split::{Receiver, Sender},
    state::State,
};
use crate::{
    config::Config,
    error::{Blame, Error},
    message::{CloseFrame, Event, Message},
    transport::Transport,
};

/// A WebSocket connection, dialed with [`connect`](crate::connect) or accepted with [`server`](crate::server).
///
/// Nothing runs behind it: pings, pongs, close replies and deadlines happen while [`recv`](Self::recv) or
/// [`next_event`](Self::next_event) is awaited, so keep one of them going, in a `select!` if need be; both are
/// cancel-safe. To send while receiving from several tasks, [`split`](Self::split) it.
///
/// Dropping it ends the stream without a close frame; the peer sees 1006.
///
/// # Cancelling
///
/// The future of every method may be dropped wherever it waits, in a `select!` or by a timeout, and the connection can be used
/// on:
///
/// - [`recv`](Self::recv), `recv_json`, [`next_event`](Self::next_event),
///   [`next_exchange`](Self::next_exchange): no message is lost, and none comes twice.
/// - [`send`](Self::send) and its kin, [`feed`](Self::feed), [`ping`](Self::ping), [`pong`](Self::pong): the message was
///   queued as a whole, and leaves with whatever is written next, or it was not queued at all.
///   [`send_fragment`](Self::send_fragment): the same of the fragment.
/// - [`flush`](Self::flush): what is queued stays so.
/// - [`close`](Self::close): once it was polled the close frame is queued, and the close handshake goes on while something is
///   received.
/// - [`round_trip`](Self::round_trip): the pong that comes later is shown by [`next_event`](Self::next_event).
///
/// (`recv_json` and `send_json` are there with the cargo feature `json`.) The same holds for [`Sender`] and [`Receiver`].
pub struct WebSocket {
    core: Box<Core>,
}

/// What is known of a connection from its handshake.
#[derive(Clone, Debug)]
pub(crate) struct Info {
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) local_addr: Option<SocketAddr>,
    pub(crate) subprotocol: Option<Box<str>>,
}

impl WebSocket {
    /// Takes over a stream after the handshake, and what was read of it too far.
    pub(crate) fn new(
        stream: Transport,
        role: Role,
        config: Arc<Config>,
        deflate: Option<Agreed>,
        read_ahead: &[u8],
        info: Info,
    ) -> Self {
        Self {
            core: Box::new(Core::new(stream, role, config, deflate, read_ahead, info)),
        }
    }

    /// The next message; `None` once the connection has ended, after an error too. Control frames are passed over
    /// (and answered, if [`Config`](crate::Config) says so).
    ///
    /// Cancel-safe: no message is lost if the future is dropped.
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
    /// ```no_run
    /// # fn example(mut socket: wiretalk_net::WebSocket) {
    /// // All that has come so far.
    /// while let Ok(message) = socket.try_recv() {
    ///     println!("{message:?}");
    /// }
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
    pub fn queued(&mut self) -> usize {
        let core = &mut self.core;
        let mut noop = Context::from_waker(Waker::noop());
        now(&mut noop, |cx| core.count_queued(cx))
    }

    /// Whether a message has come and waits to be taken, so that [`recv`](Self::recv) would not wait.
    pub fn has_queued(&mut self) -> bool {
        self.queued() > 0
    }

    /// Sends a ping and waits for its pong: how long that took. Messages that come meanwhile are kept for
    /// [`recv`](Self::recv).
    ///
    /// If the future is dropped, the pong that comes later is shown by [`next_event`](Self::next_event); no message is
    /// lost.
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
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.core.latency()
    }

    /// Whatever comes next. `Ok(None)` once the close handshake is done and the stream has ended, and always after an
    /// error. What was [fed](Self::feed) is written whenever this is about to wait.
    ///
    /// That the peer broke a rule is told as soon as our close frame has left. Asking on, up to the `Ok(None)`, gives
    /// the peer the time to see that frame before the stream ends.
    ///
    /// Cancel-safe: nothing is lost if the future is dropped.
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
    /// ```no_run
    /// # async fn example(mut socket: wiretalk_net::WebSocket) -> Result<(), wiretalk_net::Error> {
    /// while let Some(mut exchange) = socket.next_exchange().await? {
    ///     exchange.replies.send_back(exchange.message)?;
    /// }
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

    /// What the peer's close frame said, once it has come; code 1005 if it carried none (RFC 6455 7.1.5).
    #[must_use]
    pub fn close_frame(&self) -> Option<&CloseFrame> {
        self.core.close_frame()
    }

    /// Sends a message, and waits until it and all before it is handed to the kernel.
    ///
    /// While this waits, nothing is received. If the peer does the same, both wait for ever: [`split`](Self::split)
    /// the connection if large messages may cross.
    ///
    /// If the future is dropped, the message was sent as a whole or not at all.
    ///
    /// # Errors
    /// `Closed` once a close frame came or went; otherwise how the connection ended.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.deliver(Outgoing::Message(message.into(), Compression::Auto))
            .await
    }

    /// Sends a message, compressed or not, if permessage-deflate was agreed on; see [`Compression`].
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_with(
        &mut self,
        message: impl Into<Message>,
        compression: Compression,
    ) -> Result<(), Error> {
        self.deliver(Outgoing::Message(message.into(), compression))
            .await
    }

    /// Sends a message that was framed before.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.deliver(Outgoing::Prepared(message)).await
    }

    /// Sends one fragment of a message: the first call begins it, the one with `fin` ends it.
    ///
    /// # Errors
    /// As [`send`](Self::send); `InvalidInput` for another kind than the message has begun with, or if a text is not
    /// UTF-8.
    pub async fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
    ) -> Result<(), Error> {
        self.send_fragment_with(kind, payload, fin, Compression::Auto)
            .await
    }

    /// As [`send_fragment`](Self::send_fragment), for a message that is compressed or not; the first fragment settles
    /// which.
    ///
    /// # Errors
    /// As [`send_fragment`](Self::send_fragment).
    pub async fn send_fragment_with(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
        compression: Compression,
    ) -> Result<(), Error> {
        self.deliver(Outgoing::Fragment {
            kind,
            payload,
            fin,
            compression,
        })
        .await
    }

    /// Sends a ping with up to 125 bytes of payload.
    ///
    /// # Errors
    /// As [`send`](Self::send); `InvalidInput` if the payload is too long.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.deliver(Outgoing::Ping(payload)).await
    }

    /// Sends a pong with up to 125 bytes of payload.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.deliver(Outgoing::Pong(payload)).await
    }

    /// Queues a message without writing it, so that several leave in one write; waits only while the queue is at
    /// [`Config::max_queued`](crate::Config::max_queued).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.enqueue(Outgoing::Message(message.into(), Compression::Auto))
            .await
            .map(|_| ())
    }

    /// Queues a message that was framed before, as [`feed`](Self::feed) does.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.enqueue(Outgoing::Prepared(message)).await.map(|_| ())
    }

    /// Waits until all that is queued is handed to the kernel.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn flush(&mut self) -> Result<(), Error> {
        let position = self.core.position();
        poll_fn(|cx| self.core.poll_flush(position, cx)).await
    }

    /// Begins the close handshake, or answers the peer's close frame, and waits until the frame is handed to the
    /// kernel. What the peer still has to say comes from [`next_event`](Self::next_event), its own close frame last;
    /// if that takes longer than [`Config::close_timeout`](crate::Config::close_timeout), the stream is dropped.
    ///
    /// Does nothing if a close frame was sent already or the connection has ended.
    ///
    /// # Errors
    /// `InvalidInput` for a code that may not be sent, a reason over 123 bytes, or one without a code; `Timeout`
    /// if the peer does not even take the frame; otherwise how the connection ended.
    pub async fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        let Some(position) = self.core.start_close(code.into(), reason)? else {
            return Ok(());
        };
        let limit = self.core.close_timeout();
        match timeout(limit, poll_fn(|cx| self.core.poll_flush(position, cx))).await {
            Ok(result) => result,
            Err(_) => Err(self.core.close_timed_out()),
        }
    }

    /// Ends the connection at once with a TCP reset.
    pub fn abort(mut self) {
        self.core.abort();
    }

    /// Splits the connection into a half that sends and one that receives, for use from different tasks. Dropping one
    /// leaves the other as it is; the stream is dropped with the last.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        split::split(self.core)
    }

    /// How far the connection is: open, closing, closed; see [`State`].
    #[must_use]
    pub fn state(&self) -> State {
        self.core.state()
    }

    /// Whether the connection is open and between messages both ways, so that somebody else may take it over: none waits to
    /// be taken, none has come in part, none was begun with [`send_fragment`](Self::send_fragment) and not ended, and all
    /// that was sent is handed to the kernel. It tells of what was read so far; [`has_queued`](Self::has_queued) reads on.
    ///
    /// ```no_run
    /// # fn example(mut socket: wiretalk_net::WebSocket) {
    /// let can_be_used_again = !socket.has_queued() && socket.is_idle();
    /// # }
    /// ```
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.core.is_idle()
    }

    /// Bytes that wait to be sent: what browsers call `bufferedAmount`.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.core.buffered_amount()
    }

    /// The other end's address: the proxy's, if there is one between. `None` over a Unix socket, or if what accepted the
    /// connection did not say.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.core.info.peer_addr
    }

    /// Our end's address; `None` as for [`peer_addr`](Self::peer_addr).
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.core.info.local_addr
    }

    /// What the handshake agreed on for permessage-deflate (RFC 7692 7.1), if messages may be compressed.
    #[must_use]
    pub fn deflate(&self) -> Option<Agreed> {
        self.core.deflate()
    }

    /// The subprotocol that the handshake agreed on (RFC 6455 1.9).
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.core.info.subprotocol.as_deref()
    }

    async fn enqueue(&mut self, mut outgoing: Outgoing<'_>) -> Result<u64, Error> {
        poll_fn(|cx| self.core.poll_queue(&mut outgoing, cx)).await
    }

    async fn deliver(&mut self, outgoing: Outgoing<'_>) -> Result<(), Error> {
        let position = self.enqueue(outgoing).await?;
        poll_fn(|cx| self.core.poll_flush(position, cx)).await
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("state", &self.state())
            .field("info", &self.core.info)
            .finish_non_exhaustive()
    }
}

/// Why [`WebSocket::try_recv`] has no message.
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
fn try_recv(
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

fn unanswered(limit: Duration) -> Error {
    Error::timeout(Blame::Peer, "the peer did not answer a ping", limit)
}

/// What [`WebSocket::recv`] makes of an event; `None` if it is to be passed over.
fn message(event: Result<Option<Event>, Error>) -> Option<Option<Result<Message, Error>>> {
    match event {
        Ok(Some(event)) => Message::try_from(event)
            .ok()
            .map(|message| Some(Ok(message))),
        Ok(None) => Some(None),
        Err(error) => Some(Some(Err(error))),
    }
}
