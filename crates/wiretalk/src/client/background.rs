//! A client for tests that collects what it receives.

mod failure;

use std::{
    collections::VecDeque,
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use self::failure::{Failure, Wanted};
pub use self::failure::{JoinError, Unexpected};
use super::pattern::{Any, Pattern, described};
use crate::{CloseCode, CloseFrame, Error, Event, Message, Receiver, Request, Sender, WebSocket};

/// How many bytes of messages are kept if nothing else is said.
const LIMIT: usize = 16 << 20;

/// A client for tests: it receives in the background, answers pings meanwhile, and collects what came.
///
/// [`wait_for`](Self::wait_for) and [`expect_silence`](Self::expect_silence) look at each message once, in its order, from
/// the first that came, so it does not matter whether it came before the call or after. [`received`](Self::received) tells
/// of all.
///
/// Its failures say what came instead, in `Debug`, too, so that `unwrap` in a test shows it. It belongs to a tokio runtime,
/// on which its one task runs; dropping it ends the task and the connection, without a close frame.
///
/// ```
/// use std::time::Duration;
/// use wiretalk::client::{Background, containing};
/// # use wiretalk_net::server::{AcceptOptions, Listener, Reply, ServeOptions, serve_connection};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let listener = Listener::bind("127.0.0.1:0", None).await?;
/// # let echo_server = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async move {
/// #     let incoming = listener.accept().await.unwrap();
/// #     serve_connection(incoming, ServeOptions::default(), async |mut request| {
/// #         let (reply, socket) = request.upgrade().unwrap().accept(AcceptOptions::default()).unwrap();
/// #         tokio::spawn(async {
/// #             let mut socket = socket.await.unwrap();
/// #             while let Some(Ok(message)) = socket.recv().await {
/// #                 socket.send(message).await.unwrap();
/// #             }
/// #         });
/// #         reply
/// #     }).await
/// # });
/// const DEADLINE: Duration = Duration::from_secs(5);
///
/// let client = Background::connect(echo_server).await?;
/// client.send("hello").await?;
/// client.send("world").await?;
/// client.wait_for(containing("wor"), DEADLINE).await?;
/// client.expect_silence(Duration::from_millis(50)).await?;
/// assert_eq!(client.received(), ["hello".into(), "world".into()]);
///
/// let failure = client.wait_for("hello", Duration::from_millis(50)).await.unwrap_err();
/// assert_eq!(failure.to_string(), "the text \"hello\" did not come within 50ms; nothing came");
/// let frame = client.stop().await?;
/// assert_eq!(frame.code.as_u16(), 1000);
/// # Ok(())
/// # }
/// ```
pub struct Background {
    sender: Sender,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    log: Mutex<Log>,
    /// The log has changed.
    changed: Notify,
}

/// What came.
struct Log {
    messages: VecDeque<Message>,
    /// How many came before the first that is kept.
    dropped: usize,
    /// How many were looked at, those that were dropped included.
    seen: usize,
    /// Of the messages that are kept.
    bytes: usize,
    limit: usize,
    end: Option<Result<CloseFrame, Error>>,
}

impl Background {
    /// Dials, and collects from the first message on.
    ///
    /// If the future is dropped, nothing stays behind.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Background;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > hello\n  < welcome\n").await?;
    /// # let url = mock.url();
    /// let client = Background::connect(url).await?;
    /// client.send("hello").await?;
    /// client.wait_for("welcome", Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`connect`](crate::connect()).
    pub async fn connect(request: impl Into<Request>) -> Result<Self, Error> {
        let (socket, _) = crate::connect(request).await?;
        Ok(Self::new(socket))
    }

    /// Collects from a connection: one that was dialed with settings, or accepted. Must be called in a tokio runtime.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Background;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// let client = Background::new(socket);
    /// server.send("hello").await?;
    /// client.wait_for("hello", Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(socket: WebSocket) -> Self {
        Self::with_limit(socket, LIMIT)
    }

    /// As [`new`](Self::new), but keeps so many bytes of messages (some bytes for each one's keeping included) instead of
    /// 16 MiB, and at least the newest message. Beyond that the oldest are dropped; [`dropped`](Self::dropped) counts them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Background;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// let client = Background::with_limit(socket, 1 << 20);
    /// server.send("one").await?;
    /// server.send("two").await?;
    /// client.wait_for("two", Duration::from_secs(5)).await?;
    /// assert_eq!(client.received(), ["one".into(), "two".into()]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_limit(socket: WebSocket, limit: usize) -> Self {
        let (sender, receiver) = socket.split();
        let shared = Arc::new(Shared {
            log: Mutex::new(Log {
                messages: VecDeque::new(),
                dropped: 0,
                seen: 0,
                bytes: 0,
                limit,
                end: None,
            }),
            changed: Notify::new(),
        });
        let task = tokio::spawn(collect(receiver, Arc::clone(&shared)));
        Self {
            sender,
            shared,
            task,
        }
    }

    /// Sends a message, and waits until it is handed to the kernel. It receives meanwhile.
    ///
    /// If the future is dropped, the message was sent as a whole or not at all.
    ///
    /// ```
    /// use wiretalk::client::Background;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// client.send("hello").await?;
    /// assert_eq!(server.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.sender.send(message).await
    }

    /// The half of the connection that sends, for pings and fragments, or to send from elsewhere.
    ///
    /// ```
    /// use wiretalk::{Event, client::Background};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// client.sender().ping(b"7").await?;
    /// assert_eq!(server.next_event().await?, Some(Event::Ping("7".into())));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// All messages that came so far, the first first, but for those that were [dropped](Self::dropped).
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Background;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// server.send("one").await?;
    /// server.send("two").await?;
    /// client.wait_for("two", Duration::from_secs(5)).await?;
    /// assert_eq!(client.received(), ["one".into(), "two".into()]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn received(&self) -> Vec<Message> {
        self.shared.log().messages.iter().cloned().collect()
    }

    /// How many of the oldest messages were dropped to keep to the limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Background;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// // There is room for the newest only.
    /// let client = Background::with_limit(socket, 1);
    /// server.send("one").await?;
    /// server.send("two").await?;
    /// client.wait_for("two", Duration::from_secs(5)).await?;
    /// assert_eq!((client.dropped(), client.received()), (1, vec!["two".into()]));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.shared.log().dropped
    }

    /// Waits for a message, and gives it. Those that came before it are passed over: the next call looks behind it.
    ///
    /// If the future is dropped, no message counts as looked at.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::{Background, containing};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// server.send("hello").await?;
    /// server.send("price 7").await?;
    /// let price = client.wait_for(containing("price"), Duration::from_secs(5)).await?;
    /// assert_eq!(price, "price 7".into());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What came instead, if it did not come in so much time, or the connection ended before. Then no message counts as
    /// looked at either: another call may look for something else among them.
    pub async fn wait_for(
        &self,
        pattern: impl Pattern,
        deadline: Duration,
    ) -> Result<Message, Unexpected> {
        let until = Instant::now().checked_add(deadline);
        // How many were looked at in this call.
        let mut looked = 0;
        loop {
            let mut changed = pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            let (first, messages, ended) = {
                let log = self.shared.log();
                let first = looked.max(log.seen).max(log.dropped);
                let messages: Vec<Message> =
                    log.messages.range(first - log.dropped..).cloned().collect();
                (first, messages, log.end.is_some())
            };
            // Without the lock: a closure may ask this client for something.
            let found = messages.iter().position(|message| pattern.accepts(message));
            looked = first + messages.len();
            if let Some(at) = found {
                let mut log = self.shared.log();
                // Unless another call has looked at it meanwhile.
                if first + at >= log.seen {
                    log.seen = first + at + 1;
                    return Ok(messages[at].clone());
                }
                looked = log.seen;
                continue;
            }
            let changes = async {
                match until {
                    Some(until) => timeout_at(until, changed).await.is_ok(),
                    None => {
                        changed.await;
                        true
                    }
                }
            };
            if ended || !changes.await {
                let log = self.shared.log();
                return Err(log.failure(Wanted::Message(described(&pattern)), deadline));
            }
        }
    }

    /// Waits for the next message, whatever it is.
    ///
    /// If the future is dropped, no message counts as looked at.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Background;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// server.send("hello").await?;
    /// assert_eq!(client.next(Duration::from_secs(5)).await?, "hello".into());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for).
    pub async fn next(&self, deadline: Duration) -> Result<Message, Unexpected> {
        self.wait_for(Any, deadline).await
    }

    /// Waits for so long, and wants no message to come. One that came before and was not looked at is one too many, too;
    /// so is the end of the connection, which would be silent for ever.
    ///
    /// If the future is dropped, nothing has changed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Background;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// client.expect_silence(Duration::from_secs(1)).await?;
    ///
    /// server.send("noise").await?;
    /// let noise = client.expect_silence(Duration::from_secs(1)).await.unwrap_err();
    /// assert_eq!(noise.came(), ["noise".into()]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What came. It does not count as looked at.
    pub async fn expect_silence(&self, duration: Duration) -> Result<(), Unexpected> {
        let silence = async {
            loop {
                let mut changed = pin!(self.shared.changed.notified());
                changed.as_mut().enable();
                {
                    let log = self.shared.log();
                    if log.unseen().next().is_some() || log.end.is_some() {
                        return log.failure(Wanted::Silence, duration);
                    }
                }
                changed.await;
            }
        };
        match timeout(duration, silence).await {
            Ok(noise) => Err(noise),
            Err(_) => Ok(()),
        }
    }

    /// Closes the connection with 1000, and waits for the end of the close handshake. What the peer still sends is
    /// collected. If the connection has ended already, tells how.
    ///
    /// If the future is dropped, the close handshake goes on in the background.
    ///
    /// ```
    /// use wiretalk::{CloseCode, client::Background};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// # tokio::spawn(async move { server.recv().await });
    /// let frame = client.stop().await?;
    /// assert_eq!(frame.code, CloseCode::NORMAL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// How the connection ended, if not with a close handshake.
    pub async fn stop(&self) -> Result<CloseFrame, Error> {
        // If it fails, the receiving half says why.
        let _ = self.sender.close(CloseCode::NORMAL, "").await;
        self.end().await
    }

    /// Waits for the connection to end: because the peer closes it, say.
    ///
    /// If the future is dropped, nothing has changed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::{CloseCode, client::Background};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// server.close(CloseCode::GOING_AWAY, "").await?;
    /// # assert!(server.recv().await.is_none());
    /// let frame = client.join(Duration::from_secs(5)).await?;
    /// assert_eq!(frame.code, CloseCode::GOING_AWAY);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Timeout`, if it does not end in so much time; else how it ended, if not with a close handshake.
    pub async fn join(&self, deadline: Duration) -> Result<CloseFrame, JoinError> {
        match timeout(deadline, self.end()).await {
            Ok(end) => end.map_err(JoinError::Lost),
            Err(_) => Err(JoinError::Timeout(deadline)),
        }
    }

    /// How the connection ended: what the peer's close frame said (code 1005 if it carried none), or the error. `None`
    /// while it has not.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::{CloseCode, client::Background};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (socket, mut server) = wiretalk::pair();
    /// # let client = Background::new(socket);
    /// assert!(client.ended().is_none());
    /// server.close(CloseCode::NORMAL, "").await?;
    /// # assert!(server.recv().await.is_none());
    /// client.join(Duration::from_secs(5)).await?;
    /// assert!(client.ended().expect("it has").is_ok());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ended(&self) -> Option<Result<CloseFrame, Error>> {
        self.shared.log().end.clone()
    }

    async fn end(&self) -> Result<CloseFrame, Error> {
        loop {
            let mut changed = pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            if let Some(end) = self.ended() {
                return end;
            }
            changed.await;
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = self.shared.log();
        f.debug_struct("Background")
            .field("received", &(log.dropped + log.messages.len()))
            .field("seen", &log.seen)
            .field("end", &log.end)
            .finish_non_exhaustive()
    }
}

/// The task: receives until the end.
async fn collect(mut receiver: Receiver, shared: Arc<Shared>) {
    let mut frame = CloseFrame {
        code: CloseCode::NO_STATUS,
        reason: String::new(),
    };
    loop {
        let end = match receiver.next_event().await {
            Ok(Some(Event::Close(said))) => {
                frame = said.unwrap_or(frame);
                continue;
            }
            Ok(Some(event)) => {
                if let Ok(message) = Message::try_from(event) {
                    shared.log().push(message);
                    shared.changed.notify_waiters();
                }
                continue;
            }
            Ok(None) => Ok(frame),
            Err(error) => Err(error),
        };
        shared.log().end = Some(end);
        shared.changed.notify_waiters();
        return;
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        // Each change is made in one go.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(message: &Message) -> usize {
    size_of::<Message>() + message.as_bytes().len()
}

impl Log {
    fn push(&mut self, message: Message) {
        self.bytes += size(&message);
        self.messages.push_back(message);
        while self.bytes > self.limit && self.messages.len() > 1 {
            if let Some(oldest) = self.messages.pop_front() {
                self.bytes -= size(&oldest);
                self.dropped += 1;
            }
        }
    }

    fn unseen(&self) -> impl Iterator<Item = &Message> {
        self.messages
            .range(self.seen.saturating_sub(self.dropped)..)
    }

    fn failure(&self, wanted: Wanted, within: Duration) -> Unexpected {
        Unexpected::new(Failure {
            wanted,
            within,
            came: self.unseen().cloned().collect(),
            dropped: self.dropped.saturating_sub(self.seen),
            end: self.end.clone(),
        })
    }
}
