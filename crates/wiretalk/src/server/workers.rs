//! Messages that are worked on side by side, each connection's in their order.

use std::{collections::VecDeque, error::Error as StdError, future::Future, sync::Arc};

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use super::{Client, running::panicked};
use crate::{Blame, CloseCode, Error, ErrorKind, Message, WebSocket};

/// How many messages of one connection wait, unless [`Workers::queue`] says otherwise.
const QUEUE: usize = 64;
/// How many bytes of one connection's messages wait; a single message may have more.
const QUEUE_BYTES: usize = 1 << 20;

/// A bounded number of workers for the messages of any number of connections.
///
/// Messages of different connections are worked on at the same time, by different threads of the runtime if it has them;
/// those of one connection one after another, in their order, and so are their answers. While a handler works, its
/// connection goes on: it answers pings, takes further messages, and writes what others send. A connection whose messages
/// come faster than they are worked on is no longer read from, so that its peer has to wait. A handler that panics closes
/// its own connection with 1011, and no other.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk::Error> {
/// use wiretalk::server::{Client, Server, Workers};
///
/// let workers = Workers::new(4);
/// let running = Server::bind("127.0.0.1:0").await?.spawn(move |mut client: Client| {
///     let workers = workers.clone();
///     async move {
///         workers.run(&mut client, async |message| {
///             tokio::task::yield_now().await; // a query, a computation in `spawn_blocking`
///             format!("{} bytes", message.as_bytes().len())
///         }).await
///     }
/// })?;
///
/// let (mut socket, _) = wiretalk::connect(&running.url()).await?;
/// for text in ["a", "bcd"] {
///     socket.send(text).await?;
/// }
/// assert_eq!(socket.recv().await.expect("an answer")?.as_text(), Some("1 bytes"));
/// assert_eq!(socket.recv().await.expect("an answer")?.as_text(), Some("3 bytes"));
/// drop(socket);
/// running.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Workers {
    permits: Arc<Semaphore>,
    queue: usize,
}

/// What a handler of [`Workers::run`] may return: nothing, a message to answer with, or a `Result` of these, whose error
/// closes the connection with 1011.
///
/// ```
/// use wiretalk::server::Answer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// assert_eq!("yes".answer()?, Some("yes".into()));
/// assert_eq!(().answer()?, None);
/// # Ok(())
/// # }
/// ```
pub trait Answer: Send + 'static {
    /// The answer, if there is one.
    ///
    /// ```
    /// use wiretalk::server::Answer;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// assert_eq!(Some("yes").answer()?, Some("yes".into()));
    /// assert!(Err::<(), _>("no such table").answer().is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The handler's own.
    fn answer(self) -> Result<Option<Message>, Box<dyn StdError + Send + Sync>>;
}

/// A connection that [`Workers::run`] can drive: a [`Client`] or a [`WebSocket`].
///
/// ```
/// use wiretalk::{CloseCode, Error, Message, server::Workers};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk::Error> {
/// // Both ends of a connection in memory; a client of a `Server` does as well.
/// let (mut client, mut server) = wiretalk::pair();
/// let talk = async {
///     client.send("abc").await?;
///     let answer = client.recv().await.transpose()?;
///     client.close(CloseCode::NORMAL, "").await?;
///     # assert!(client.recv().await.is_none());
///     Ok::<_, Error>(answer)
/// };
/// let workers = Workers::new(2);
/// let work = async |message: Message| format!("{} bytes", message.as_bytes().len());
/// let (served, answer) = tokio::join!(workers.run(&mut server, work), talk);
/// served?;
/// assert_eq!(answer?, Some("3 bytes".into()));
/// # Ok(())
/// # }
/// ```
pub trait Connection: driven::Driven {}

impl Connection for Client {}
impl Connection for WebSocket {}

impl Workers {
    /// So many workers: so many messages are worked on at a time. One at least.
    ///
    /// ```
    /// let workers = wiretalk::server::Workers::new(4);
    /// ```
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(workers.clamp(1, Semaphore::MAX_PERMITS))),
            queue: QUEUE,
        }
    }

    /// How many messages of one connection may wait for a worker before no more are read from it (one at least);
    /// whatever their number, no more than 1 MiB of them and the one that exceeds it. Default: 64.
    ///
    /// ```
    /// let workers = wiretalk::server::Workers::new(4).queue(16);
    /// ```
    #[must_use]
    pub fn queue(mut self, messages: usize) -> Self {
        self.queue = messages.max(1);
        self
    }

    /// Has the messages of a connection worked on until it has ended, and all that came from it before are worked on, too.
    /// A handler that gives a message is heard: it is sent as the answer.
    ///
    /// If the future is dropped, so is the handler where it waits, and the messages that it has not come to.
    ///
    /// ```
    /// use wiretalk::{CloseCode, Error, Message, server::Workers};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let (mut client, mut server) = wiretalk::pair();
    /// let talk = async {
    ///     client.send("abc").await?;
    ///     let answer = client.recv().await.transpose()?;
    ///     client.close(CloseCode::NORMAL, "").await?;
    ///     # assert!(client.recv().await.is_none());
    ///     Ok::<_, Error>(answer)
    /// };
    /// let workers = Workers::new(2);
    /// let work = async |message: Message| format!("{} bytes", message.as_bytes().len());
    /// let (served, answer) = tokio::join!(workers.run(&mut server, work), talk);
    /// served?;
    /// assert_eq!(answer?, Some("3 bytes".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What the handler failed with, or that it panicked; then the connection is closed with 1011. Of a [`WebSocket`]
    /// also how it ended, as [`WebSocket::recv`] tells it.
    pub async fn run<C, H, F>(&self, connection: &mut C, handler: H) -> Result<(), Error>
    where
        C: Connection,
        H: FnMut(Message) -> F + Send + 'static,
        F: Future<Output: Answer> + Send + 'static,
    {
        // A connection that says nothing costs no task.
        let Some(first) = connection.recv().await? else {
            return Ok(());
        };
        let (hand_over, work) = mpsc::unbounded_channel();
        let (tell, mut done) = mpsc::unbounded_channel();
        let mut worker = JoinSet::new();
        worker.spawn(work_off(Arc::clone(&self.permits), handler, work, tell));

        let mut hand_over = Some(hand_over);
        // The sizes of the messages that wait: they are what bounds the channels.
        let mut waiting = VecDeque::new();
        let mut bytes = 0;
        let mut next = Ok(Some(first));
        loop {
            match std::mem::replace(&mut next, Ok(None)) {
                Ok(Some(message)) => {
                    let size = message.as_bytes().len();
                    bytes += size;
                    waiting.push_back(size);
                    if let Some(hand_over) = &hand_over {
                        // A worker that has failed takes nothing any more; that it failed is told below.
                        let _ = hand_over.send(message);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    // What it has sent before is worked on nevertheless.
                    drop(hand_over);
                    finish(&mut done).await;
                    ended(&mut worker).await?;
                    return Err(error);
                }
            }
            let has_room =
                waiting.is_empty() || (waiting.len() < self.queue && bytes < QUEUE_BYTES);
            tokio::select! {
                biased;
                answer = done.recv() => match answer {
                    Some(answer) => {
                        bytes -= waiting.pop_front().unwrap_or_default();
                        if let Some(answer) = answer {
                            // That nothing can be sent any more is for the receiving to tell.
                            let _ = connection.feed(answer).await;
                        }
                    }
                    None => break,
                },
                message = go_on(connection, has_room), if hand_over.is_some() => match message {
                    Ok(None) => hand_over = None,
                    message => next = message,
                },
            }
        }
        let result = ended(&mut worker).await;
        if result.is_err() {
            let _ = connection.close(CloseCode::INTERNAL).await;
            while let Ok(Some(_)) = connection.recv().await {}
        }
        result
    }
}

/// Works on messages one after another, each with a permit of its own. An error or a panic ends it.
async fn work_off<H, F>(
    permits: Arc<Semaphore>,
    mut handler: H,
    mut work: mpsc::UnboundedReceiver<Message>,
    tell: mpsc::UnboundedSender<Option<Message>>,
) -> Result<(), Error>
where
    H: FnMut(Message) -> F,
    F: Future<Output: Answer>,
{
    while let Some(message) = work.recv().await {
        let answer = {
            // The semaphore is never closed.
            let _permit = permits.acquire().await;
            handler(message).await
        };
        let answer = answer
            .answer()
            .map_err(|error| failed(&error.to_string()))?;
        if tell.send(answer).is_err() {
            break;
        }
    }
    Ok(())
}

/// The next message; without room for one, the connection is only written to, and this never ends.
async fn go_on(connection: &mut impl Connection, has_room: bool) -> Result<Option<Message>, Error> {
    if !has_room {
        connection.write().await;
    }
    connection.recv().await
}

/// Waits until all is worked on, whatever the answers are.
async fn finish(done: &mut mpsc::UnboundedReceiver<Option<Message>>) {
    while done.recv().await.is_some() {}
}

/// How the worker's task ended.
async fn ended(worker: &mut JoinSet<Result<(), Error>>) -> Result<(), Error> {
    match worker.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(error)) => Err(match error.try_into_panic() {
            Ok(panic) => failed(&panicked(panic.as_ref()).to_string()),
            Err(cancelled) => failed(&cancelled.to_string()),
        }),
        None => Ok(()),
    }
}

fn failed(why: &str) -> Error {
    Error::new(ErrorKind::Io, Blame::Us, why)
}

/// What a connection must be able to do, for [`Workers`] to drive it.
mod driven {
    use std::future::{Future, pending};

    use super::{Client, CloseCode, Error, Message, WebSocket};

    pub trait Driven: Send {
        /// The next message. Cancel-safe.
        fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> + Send;
        /// Queues a message.
        fn feed(&mut self, message: Message) -> impl Future<Output = Result<(), Error>> + Send;
        /// Writes what is queued, and never ends.
        fn write(&mut self) -> impl Future<Output = ()> + Send;
        /// Begins the close handshake.
        fn close(&mut self, code: CloseCode) -> impl Future<Output = Result<(), Error>> + Send;
    }

    impl Driven for Client {
        async fn recv(&mut self) -> Result<Option<Message>, Error> {
            Ok(Self::recv(self).await)
        }

        async fn feed(&mut self, message: Message) -> Result<(), Error> {
            Self::feed(self, message).await
        }

        async fn write(&mut self) {
            Self::write(self).await;
        }

        async fn close(&mut self, code: CloseCode) -> Result<(), Error> {
            Self::close(self, code, "").await
        }
    }

    impl Driven for WebSocket {
        async fn recv(&mut self) -> Result<Option<Message>, Error> {
            Self::recv(self).await.transpose()
        }

        async fn feed(&mut self, message: Message) -> Result<(), Error> {
            Self::feed(self, message).await
        }

        async fn write(&mut self) {
            // An error is for the next `recv` to tell.
            let _ = self.flush().await;
            pending::<()>().await;
        }

        async fn close(&mut self, code: CloseCode) -> Result<(), Error> {
            Self::close(self, code, "").await
        }
    }
}

macro_rules! answers_with {
    ($($message:ty),*) => {$(
        impl Answer for $message {
            fn answer(self) -> Result<Option<Message>, Box<dyn StdError + Send + Sync>> {
                Ok(Some(self.into()))
            }
        }
    )*};
}

answers_with!(Message, crate::Text, String, &'static str, Vec<u8>);

impl Answer for () {
    fn answer(self) -> Result<Option<Message>, Box<dyn StdError + Send + Sync>> {
        Ok(None)
    }
}

impl<A: Answer> Answer for Option<A> {
    fn answer(self) -> Result<Option<Message>, Box<dyn StdError + Send + Sync>> {
        self.map_or(Ok(None), Answer::answer)
    }
}

impl<A, E> Answer for Result<A, E>
where
    A: Answer,
    E: Into<Box<dyn StdError + Send + Sync>> + Send + 'static,
{
    fn answer(self) -> Result<Option<Message>, Box<dyn StdError + Send + Sync>> {
        self.map_err(Into::into)?.answer()
    }
}
