//! A connection in two halves.

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tokio::time::{Instant, timeout};
use wiretalk_proto::{Agreed, CloseCode, Compression, MessageKind, Prepared};

use super::{
    Info, State, TryRecvError,
    core::{Core, Outgoing, now},
    message, try_recv, unanswered,
};
use crate::{
    error::Error,
    message::{Event, Message},
};

/// The half that sends. Clones share the connection, and a message of one never lands within a message of another
/// (unless it is sent in fragments).
///
/// Pongs, close replies and timers are the [`Receiver`]'s: keep it polled. Once it is dropped, nothing is received
/// any more, but sending goes on.
#[derive(Clone)]
pub struct Sender {
    pub(super) shared: Arc<Shared>,
}

/// The half that receives, and keeps pongs, close replies, pings and deadlines going while it is awaited.
pub struct Receiver {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    core: Mutex<Box<Core>>,
    pub(super) waiters: Arc<Waiters>,
    /// Wakes all `waiters`. The stream remembers only one task for each direction, so it is given this one, which
    /// stands for all of them.
    waker: Waker,
    info: Info,
}

/// The tasks that wait for the connection to change.
#[derive(Default)]
pub(super) struct Waiters {
    parked: Mutex<Parked>,
}

#[derive(Default)]
struct Parked {
    receiver: Option<Waker>,
    senders: Vec<Waker>,
}

pub(super) fn split(core: Box<Core>) -> (Sender, Receiver) {
    let waiters = Arc::new(Waiters::default());
    let waker = Waker::from(Arc::clone(&waiters));
    let info = core.info.clone();
    let shared = Arc::new(Shared {
        core: Mutex::new(core),
        waiters,
        waker,
        info,
    });
    (
        Sender {
            shared: Arc::clone(&shared),
        },
        Receiver { shared },
    )
}

impl Sender {
    /// Sends a message, and waits until it and all before it is handed to the kernel.
    ///
    /// If the future is dropped, the message was sent as a whole or not at all.
    ///
    /// # Errors
    /// `Closed` once a close frame came or went; otherwise how the connection ended.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.deliver(Outgoing::Message(message.into(), Compression::Auto))
            .await
    }

    /// Sends a message, compressed or not, if permessage-deflate was agreed on; see [`Compression`].
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_with(
        &self,
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
    pub async fn send_prepared(&self, message: &Prepared) -> Result<(), Error> {
        self.deliver(Outgoing::Prepared(message)).await
    }

    /// Sends one fragment of a message: the first call begins it, the one with `fin` ends it.
    ///
    /// # Errors
    /// As [`send`](Self::send); `InvalidInput` for another kind than the message has begun with, or if a text is not
    /// UTF-8.
    pub async fn send_fragment(
        &self,
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
        &self,
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
    pub async fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.deliver(Outgoing::Ping(payload)).await
    }

    /// Sends a pong with up to 125 bytes of payload.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn pong(&self, payload: &[u8]) -> Result<(), Error> {
        self.deliver(Outgoing::Pong(payload)).await
    }

    /// Queues a message without writing it, so that several leave in one write; waits only while the queue is at
    /// [`Config::max_queued`](crate::Config::max_queued).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.enqueue(Outgoing::Message(message.into(), Compression::Auto))
            .await
            .map(|_| ())
    }

    /// Queues a message that was framed before, as [`feed`](Self::feed) does.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn feed_prepared(&self, message: &Prepared) -> Result<(), Error> {
        self.enqueue(Outgoing::Prepared(message)).await.map(|_| ())
    }

    /// Waits until all that is queued is handed to the kernel.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn flush(&self) -> Result<(), Error> {
        let position = self.shared.core().position();
        self.flush_to(position).await
    }

    /// Sends a message without ever waiting: what the kernel does not take now is written while the [`Receiver`] is
    /// polled, or by the next send.
    ///
    /// # Errors
    /// `TooSlow` if the queue is at [`Config::max_queued`](crate::Config::max_queued), so that nothing was queued;
    /// otherwise as [`send`](Self::send).
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.shared
            .try_send(Outgoing::Message(message.into(), Compression::Auto))
    }

    /// Sends a message that was framed before, as [`try_send`](Self::try_send) does.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send).
    pub fn try_send_prepared(&self, message: &Prepared) -> Result<(), Error> {
        self.shared.try_send(Outgoing::Prepared(message))
    }

    /// Sends messages that were framed before, in one write and without ever waiting: what the kernel does not take now
    /// is written while the [`Receiver`] is polled, or by the next send.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send); those before the one that found no room are queued.
    pub fn try_send_batch(&self, messages: &[Prepared]) -> Result<(), Error> {
        self.shared
            .now(|core, cx| core.try_send_batch(messages, cx))
    }

    /// Queues a message that was framed before, without ever waiting and without writing it: what is queued in one go
    /// leaves in one write, with [`try_flush`](Self::try_flush), the next send, or while the [`Receiver`] is polled.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send). Behind `TooSlow`, too, what was queued before waits for a flush.
    pub fn try_feed_prepared(&self, message: &Prepared) -> Result<(), Error> {
        let mut outgoing = Outgoing::Prepared(message);
        self.shared.act(|core, _| core.try_queue(&mut outgoing))
    }

    /// Queues a message as [`try_feed_prepared`](Self::try_feed_prepared) does.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send).
    pub fn try_feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        let mut outgoing = Outgoing::Message(message.into(), Compression::Auto);
        self.shared.act(|core, _| core.try_queue(&mut outgoing))
    }

    /// Writes what is queued, as far as it goes without waiting. The rest is written while the [`Receiver`] is polled,
    /// or by the next send.
    ///
    /// # Errors
    /// How the connection ended.
    pub fn try_flush(&self) -> Result<(), Error> {
        self.shared.now(Core::try_flush)
    }

    /// Begins the close handshake, or answers the peer's close frame, and waits until the frame is handed to the
    /// kernel. The peer's own close frame comes from [`Receiver::next_event`]; if that takes longer than
    /// [`Config::close_timeout`](crate::Config::close_timeout), the stream is dropped there.
    ///
    /// Does nothing if a close frame was sent already or the connection has ended.
    ///
    /// # Errors
    /// `InvalidInput` for a code that may not be sent, a reason over 123 bytes, or one without a code; `Timeout`
    /// if the peer does not even take the frame; otherwise how the connection ended.
    pub async fn close(
        &self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        let code = code.into();
        let (started, limit) = self
            .shared
            .act(|core, _| (core.start_close(code, reason), core.close_timeout()));
        // The clock of the handshake is the receiver's to watch.
        self.shared.waiters.wake_receiver();
        let Some(position) = started? else {
            return Ok(());
        };
        match timeout(limit, self.flush_to(position)).await {
            Ok(result) => result,
            Err(_) => Err(self.shared.act(|core, _| core.close_timed_out())),
        }
    }

    /// Ends the connection at once with a TCP reset, for all halves.
    pub fn abort(&self) {
        self.shared.abort();
    }

    /// How far the connection is: open, closing, closed.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.core().state()
    }

    /// Bytes that wait to be sent: what browsers call `bufferedAmount`.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.shared.core().buffered_amount()
    }

    /// The other end's address; see [`WebSocket::peer_addr`](crate::WebSocket::peer_addr).
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.shared.info.peer_addr
    }

    /// Our end's address; see [`WebSocket::local_addr`](crate::WebSocket::local_addr).
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.info.local_addr
    }

    /// What the handshake agreed on for permessage-deflate; see [`WebSocket::deflate`](crate::WebSocket::deflate).
    #[must_use]
    pub fn deflate(&self) -> Option<Agreed> {
        self.shared.core().deflate()
    }

    /// The subprotocol that the handshake agreed on (RFC 6455 1.9).
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.info.subprotocol.as_deref()
    }

    /// Does something with the connection that whoever receives should know of.
    #[cfg(feature = "raw")]
    pub(super) fn with_core<T>(&self, action: impl FnOnce(&mut Core) -> T) -> T {
        let result = self.shared.act(|core, _| action(core));
        self.shared.waiters.wake_all();
        result
    }

    pub(super) async fn enqueue(&self, mut outgoing: Outgoing<'_>) -> Result<u64, Error> {
        poll_fn(|cx| {
            self.shared
                .poll_as_sender(cx, |core, cx| core.poll_queue(&mut outgoing, cx))
        })
        .await
    }

    async fn deliver(&self, outgoing: Outgoing<'_>) -> Result<(), Error> {
        let position = self.enqueue(outgoing).await?;
        self.flush_to(position).await
    }

    pub(super) async fn flush_to(&self, position: u64) -> Result<(), Error> {
        poll_fn(|cx| {
            self.shared
                .poll_as_sender(cx, |core, cx| core.poll_flush(position, cx))
        })
        .await
    }
}

impl Receiver {
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

    /// The next message if one has come, without waiting for one; see
    /// [`WebSocket::try_recv`](crate::WebSocket::try_recv).
    ///
    /// # Errors
    /// As [`WebSocket::try_recv`](crate::WebSocket::try_recv).
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        self.shared.now(|core, cx| try_recv(|| core.poll_event(cx)))
    }

    /// How many messages have come and wait to be taken; see [`WebSocket::queued`](crate::WebSocket::queued).
    pub fn queued(&mut self) -> usize {
        self.shared.now(Core::count_queued)
    }

    /// Whether a message has come and waits to be taken, so that [`recv`](Self::recv) would not wait.
    pub fn has_queued(&mut self) -> bool {
        self.queued() > 0
    }

    /// Sends a ping and waits for its pong: how long that took; see
    /// [`WebSocket::round_trip`](crate::WebSocket::round_trip).
    ///
    /// If the future is dropped, the pong that comes later is shown by [`next_event`](Self::next_event); no message is
    /// lost.
    ///
    /// # Errors
    /// As [`WebSocket::round_trip`](crate::WebSocket::round_trip).
    pub async fn round_trip(&mut self) -> Result<Duration, Error> {
        let (payload, limit) = self
            .shared
            .act(|core, _| (core.next_payload(), core.ping_timeout()));
        let begin = Instant::now();
        let answered = async {
            self.sender().ping(&payload).await?;
            poll_fn(|cx| {
                self.shared.waiters.park_receiver(cx.waker());
                self.shared.act(|core, cx| core.poll_pong(&payload, cx))
            })
            .await
        };
        match timeout(limit, answered).await {
            Ok(answered) => answered.map(|()| begin.elapsed()),
            Err(_) => Err(unanswered(limit)),
        }
    }

    /// How long the last keepalive ping took to be answered; see [`WebSocket::latency`](crate::WebSocket::latency).
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.shared.core().latency()
    }

    /// Whatever comes next; see [`WebSocket::next_event`](crate::WebSocket::next_event).
    ///
    /// Cancel-safe: nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// How the connection ended, if not with a close handshake. It is told once.
    pub async fn next_event(&mut self) -> Result<Option<Event>, Error> {
        poll_fn(|cx| self.shared.poll_as_receiver(cx)).await
    }

    /// Another half that sends.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Ends the connection at once with a TCP reset, for all halves.
    pub fn abort(&self) {
        self.shared.abort();
    }

    /// How far the connection is: open, closing, closed.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.core().state()
    }

    /// The other end's address; see [`WebSocket::peer_addr`](crate::WebSocket::peer_addr).
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.shared.info.peer_addr
    }

    /// Our end's address; see [`WebSocket::local_addr`](crate::WebSocket::local_addr).
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.info.local_addr
    }

    /// What the handshake agreed on for permessage-deflate; see [`WebSocket::deflate`](crate::WebSocket::deflate).
    #[must_use]
    pub fn deflate(&self) -> Option<Agreed> {
        self.shared.core().deflate()
    }

    /// The subprotocol that the handshake agreed on (RFC 6455 1.9).
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.info.subprotocol.as_deref()
    }
}

impl Shared {
    pub(super) fn core(&self) -> MutexGuard<'_, Box<Core>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the connection, in the name of all who wait, and wakes them if it failed or ended. (They
    /// need not be woken for less: what else they wait for comes from the stream or a clock, which wake them all.)
    pub(super) fn act<T>(&self, action: impl FnOnce(&mut Core, &mut Context<'_>) -> T) -> T {
        let mut core = self.core();
        let before = core.changes();
        let result = action(&mut core, &mut Context::from_waker(&self.waker));
        let changed = core.changes() != before;
        drop(core);
        if changed {
            self.waiters.wake_all();
        }
        result
    }

    fn try_send(&self, mut outgoing: Outgoing<'_>) -> Result<(), Error> {
        self.now(|core, cx| core.try_send(&mut outgoing, cx))
    }

    /// As [`act`](Self::act), for what may write: that the task has used up its share of the thread must not look like
    /// a stream that takes no more.
    fn now<T>(&self, action: impl FnOnce(&mut Core, &mut Context<'_>) -> T) -> T {
        self.act(|core, cx| now(cx, |cx| action(core, cx)))
    }

    pub(super) fn poll_as_sender<T>(
        &self,
        cx: &Context<'_>,
        mut action: impl FnMut(&mut Core, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // Mostly there is no need to wait.
        let result = self.act(&mut action);
        if result.is_ready() {
            return result;
        }
        // What happened before this was parked has woken nobody, so it is looked at again.
        self.waiters.park_sender(cx.waker());
        self.act(action)
    }

    pub(super) fn poll_as_receiver(&self, cx: &Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        self.waiters.park_receiver(cx.waker());
        self.act(Core::poll_event)
    }

    fn abort(&self) {
        self.act(|core, _| core.abort());
    }
}

impl Waiters {
    fn parked(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn park_receiver(&self, waker: &Waker) {
        let mut parked = self.parked();
        match &mut parked.receiver {
            Some(parked) => parked.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    fn park_sender(&self, waker: &Waker) {
        let mut parked = self.parked();
        if !parked.senders.iter().any(|parked| parked.will_wake(waker)) {
            parked.senders.push(waker.clone());
        }
    }

    pub(super) fn wake_receiver(&self) {
        let receiver = self.parked().receiver.take();
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    fn wake_senders(&self) {
        let senders = std::mem::take(&mut self.parked().senders);
        for sender in senders {
            sender.wake();
        }
    }

    fn wake_all(&self) {
        self.wake_receiver();
        self.wake_senders();
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("info", &self.shared.info)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("info", &self.shared.info)
            .finish_non_exhaustive()
    }
}
