//! A pool of connections to one server.

mod builder;
mod keeper;
mod shelf;

use std::{
    error::Error as StdError,
    fmt,
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

pub use self::builder::PoolBuilder;
use self::shelf::{Idle, Shelf};
use super::{
    BoxError,
    dial::{Dial, DialError},
};
use crate::{Error, Event, Request, WebSocket};

/// Hands out connections to one server: at most so many at a time, and whoever comes next waits, in the order of coming.
///
/// A connection that is given back, by dropping it, is handed out again, if it is [idle](WebSocket::is_idle): open, nothing
/// half-read, half-sent or waiting to be read. Else it is closed. Leave no answer outstanding, or [discard](Pooled::discard)
/// it: what comes for you later would reach whoever is next.
///
/// A task looks after the connections that nobody has: it answers pings, and closes those that got a message nobody asked
/// for, have been idle or open for too long, or were closed by the server. Its first [`get`](Self::get) starts the task, on
/// the runtime that it is called in.
///
/// A clone is the same pool. With the last one the task ends, and so do, without a close frame, the connections that nobody
/// has; those handed out stay with their holders. [`close`](Self::close) ends them in good order.
///
/// ```
/// use wiretalk::client::Pool;
/// # use wiretalk_net::server::{AcceptOptions, Listener, Reply, ServeOptions, serve_connection};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let listener = Listener::bind("127.0.0.1:0", None).await?;
/// # let echo_server = format!("ws://{}/", listener.local_addr()?);
/// # tokio::spawn(async move {
/// #     while let Ok(incoming) = listener.accept().await {
/// #         tokio::spawn(serve_connection(incoming, ServeOptions::default(), async |mut request| {
/// #             let (reply, socket) = request.upgrade().unwrap().accept(AcceptOptions::default()).unwrap();
/// #             tokio::spawn(async {
/// #                 let mut socket = socket.await.unwrap();
/// #                 while let Some(Ok(message)) = socket.recv().await {
/// #                     socket.send(message).await.unwrap();
/// #                 }
/// #             });
/// #             reply
/// #         }));
/// #     }
/// # });
/// let pool = Pool::builder(echo_server).max(2).build();
/// for _ in 0..5 {
///     let mut socket = pool.get().await?;
///     socket.send("question").await?;
///     let answer = socket.recv().await.transpose()?;
///     assert_eq!(answer, Some("question".into()));
/// }
/// assert_eq!(pool.status().idle, 1, "one was enough");
/// pool.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pool {
    owner: Arc<Owner>,
}

/// Ends the keeper with the last handle to the pool.
struct Owner {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    /// A permit for each connection that is handed out, being dialed or being closed; the idle ones are within what is
    /// left.
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    shelf: Shelf,
}

struct Settings {
    dial: Dial,
    max: usize,
    idle_timeout: Option<Duration>,
    max_lifetime: Option<Duration>,
    check: Option<Duration>,
    wait_timeout: Option<Duration>,
}

/// How a pool is doing.
///
/// ```
/// use wiretalk::client::Pool;
///
/// let status = Pool::builder("ws://127.0.0.1:4000/").max(4).build().status();
/// assert_eq!((status.max, status.in_use, status.idle, status.waiting), (4, 0, 0, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatus {
    /// How many connections there are at most.
    pub max: usize,
    /// How many are handed out, being dialed, or being closed.
    pub in_use: usize,
    /// How many are open and nobody has them.
    pub idle: usize,
    /// How many callers wait.
    pub waiting: usize,
}

impl Pool {
    /// Begins with what to ask the server for.
    ///
    /// ```
    /// use wiretalk::client::Pool;
    ///
    /// let pool = Pool::builder("ws://127.0.0.1:4000/").build();
    /// assert_eq!(pool.status().max, 10);
    /// ```
    pub fn builder(request: impl Into<Request>) -> PoolBuilder {
        PoolBuilder::new(request.into())
    }

    /// A connection: the idle one that was used last, or a new one. Waits if as many are handed out as there may be.
    ///
    /// Cancel-safe: if the future is dropped, its place in the queue is free again, or the connection that it was dialing or
    /// checking is dropped; nothing of it counts any more.
    ///
    /// ```
    /// use wiretalk::client::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// # let url = mock.url();
    /// let pool = Pool::builder(url).build();
    /// let mut socket = pool.get().await?;
    /// socket.send("question").await?;
    /// assert_eq!(socket.recv().await.transpose()?, Some("question".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`PoolError`].
    pub async fn get(&self) -> Result<Pooled, PoolError> {
        let shared = &self.owner.shared;
        let permit = shared.permit().await?;
        shared.start_keeper();
        while let Some(mut idle) = shared.shelf.take() {
            // What is not fit any more is dropped: with a close handshake there would be one connection too many.
            if shared.is_fit(&mut idle).await {
                return Ok(Pooled::new(shared, permit, idle.socket, idle.opened));
            }
        }
        match shared.settings.dial.open().await {
            Ok((socket, _)) => Ok(Pooled::new(shared, permit, socket, Instant::now())),
            Err(DialError::Dial(error)) => Err(PoolError::Dial(error)),
            Err(DialError::Hook(error)) => Err(PoolError::Hook(error)),
        }
    }

    /// How it is doing at the moment.
    ///
    /// ```
    /// use wiretalk::client::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// # let url = mock.url();
    /// let pool = Pool::builder(url).build();
    /// let socket = pool.get().await?;
    /// assert_eq!((pool.status().in_use, pool.status().idle), (1, 0));
    /// drop(socket);
    /// assert_eq!((pool.status().in_use, pool.status().idle), (0, 1));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn status(&self) -> PoolStatus {
        let shared = &self.owner.shared;
        let max = shared.settings.max;
        PoolStatus {
            max,
            in_use: max - shared.permits.available_permits().min(max),
            idle: shared.shelf.len(),
            waiting: shared.waiting.load(Ordering::Relaxed),
        }
    }

    /// Closes the pool, for all its clones: whoever waits gets [`PoolError::Closed`], the idle connections are closed with
    /// 1000, and this waits until they are. Those handed out are closed when they are given back.
    ///
    /// If the future is dropped, the pool is closed all the same, and the close handshakes go on.
    ///
    /// ```
    /// use wiretalk::client::{Pool, PoolError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// # let url = mock.url();
    /// let pool = Pool::builder(url).build();
    /// drop(pool.get().await?);
    /// pool.close().await;
    /// assert!(matches!(pool.get().await, Err(PoolError::Closed)));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(&self) {
        let shared = &self.owner.shared;
        shared.permits.close();
        shared.shelf.close();
        // Without a keeper there never was a connection.
        if shared.shelf.is_kept() {
            shared.shelf.emptied().await;
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.permits.close();
        self.shared.shelf.abandon();
    }
}

impl Shared {
    async fn permit(&self) -> Result<OwnedSemaphorePermit, PoolError> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let permit = Arc::clone(&self.permits).acquire_owned();
        let permit = match self.settings.wait_timeout {
            Some(limit) => match timeout(limit, permit).await {
                Ok(permit) => permit,
                Err(_) => return Err(PoolError::Timeout(limit)),
            },
            None => permit.await,
        };
        permit.map_err(|_| PoolError::Closed)
    }

    fn start_keeper(self: &Arc<Self>) {
        self.shelf
            .keep(|| tokio::spawn(keeper::keep(Arc::clone(self))).abort_handle());
    }

    /// Whether an idle connection can be handed out.
    async fn is_fit(&self, idle: &mut Idle) -> bool {
        let now = Instant::now();
        if self.expires(idle).is_some_and(|at| at <= now) {
            return false;
        }
        if idle.socket.has_queued() || !idle.socket.is_idle() {
            return false;
        }
        let Some(limit) = self.settings.check else {
            return true;
        };
        let answered = timeout(limit, idle.socket.round_trip()).await;
        matches!(answered, Ok(Ok(_))) && !idle.socket.has_queued() && idle.socket.is_idle()
    }

    /// When an idle connection is to go.
    fn expires(&self, idle: &Idle) -> Option<Instant> {
        let of_idleness = deadline(idle.since, self.settings.idle_timeout);
        let of_age = deadline(idle.opened, self.settings.max_lifetime);
        match (of_idleness, of_age) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// `None` for one that is never over, or further away than the clock counts.
fn deadline(since: Instant, limit: Option<Duration>) -> Option<Instant> {
    since.checked_add(limit?)
}

/// A connection out of a [`Pool`], which takes it back when this is dropped. Use it as the [`WebSocket`] that it is.
///
/// ```
/// use wiretalk::client::{Pool, Pooled};
///
/// async fn ask(pool: &Pool) -> Result<String, Box<dyn std::error::Error>> {
///     let mut socket: Pooled = pool.get().await?;
///     socket.send("question").await?;
///     let answer = socket.recv().await.transpose()?;
///     match answer.as_ref().and_then(|answer| answer.as_text()) {
///         Some(text) => Ok(text.to_owned()),
///         None => {
///             // Whatever this is about, nobody else should have it.
///             socket.discard();
///             Err("no text came".into())
///         }
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mock = wiretalk::mock::text("on > question\n  < answer\n").await?;
/// # let pool = Pool::builder(mock.url()).build();
/// # assert_eq!(ask(&pool).await?, "answer");
/// # Ok(())
/// # }
/// ```
pub struct Pooled {
    /// There until it is given back.
    socket: Option<WebSocket>,
    opened: Instant,
    permit: Option<OwnedSemaphorePermit>,
    shared: Arc<Shared>,
}

impl Pooled {
    fn new(
        shared: &Arc<Shared>,
        permit: OwnedSemaphorePermit,
        socket: WebSocket,
        opened: Instant,
    ) -> Self {
        Self {
            socket: Some(socket),
            opened,
            permit: Some(permit),
            shared: Arc::clone(shared),
        }
    }

    /// Does not give it back, but closes it with 1000, in the background: after a conversation that was broken off, say.
    ///
    /// ```
    /// use wiretalk::client::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// # let url = mock.url();
    /// let pool = Pool::builder(url).build();
    /// let mut socket = pool.get().await?;
    /// socket.send("question").await?;
    /// // The answer is not waited for, so nobody else should have this one.
    /// socket.discard();
    /// assert_eq!(pool.status().idle, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn discard(mut self) {
        self.retire();
    }

    /// Takes it out of the pool, which may then dial another in its place.
    ///
    /// ```
    /// use wiretalk::{WebSocket, client::Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// # let url = mock.url();
    /// let pool = Pool::builder(url).build();
    /// let mut socket: WebSocket = pool.get().await?.into_inner();
    /// assert_eq!(pool.status().in_use, 0);
    /// socket.send("still open").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn into_inner(mut self) -> WebSocket {
        self.socket.take().expect(HELD)
    }

    fn retire(&mut self) {
        if let (Some(socket), Some(permit)) = (self.socket.take(), self.permit.take()) {
            self.shared.shelf.retire(socket, Some(permit));
        }
    }
}

const HELD: &str = "it is taken only by what takes `self`";

impl Deref for Pooled {
    type Target = WebSocket;

    fn deref(&self) -> &WebSocket {
        self.socket.as_ref().expect(HELD)
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut WebSocket {
        self.socket.as_mut().expect(HELD)
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take_if(|socket| socket.is_idle()) else {
            return self.retire();
        };
        let lived = deadline(self.opened, self.shared.settings.max_lifetime);
        if lived.is_some_and(|at| at <= Instant::now()) {
            self.socket = Some(socket);
            return self.retire();
        }
        let idle = Idle {
            socket,
            opened: self.opened,
            since: Instant::now(),
        };
        // Before the permit is free, so that whoever gets that finds it.
        if let Err(idle) = self.shared.shelf.put(idle) {
            self.socket = Some(idle.socket);
            self.retire();
        }
    }
}

impl fmt::Debug for Pooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pooled").field(&self.socket).finish()
    }
}

/// Why there is no connection.
///
/// ```
/// use wiretalk::{ErrorKind, client::{Pool, PoolError}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // Nobody listens on this port.
/// let pool = Pool::builder("ws://127.0.0.1:1/").build();
/// match pool.get().await {
///     Err(PoolError::Dial(error)) => assert_eq!(error.kind(), ErrorKind::Refused),
///     other => panic!("{other:?}"),
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum PoolError {
    /// All were handed out for so long.
    Timeout(Duration),
    /// The pool is closed.
    Closed,
    /// Dialing failed.
    Dial(Error),
    /// The [hook](PoolBuilder::on_open) failed.
    Hook(BoxError),
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(limit) => {
                write!(f, "no connection of the pool was free within {limit:?}")
            }
            Self::Closed => f.write_str("the pool is closed"),
            Self::Dial(error) => error.fmt(f),
            Self::Hook(error) => write!(f, "what is done on open failed: {error}"),
        }
    }
}

impl StdError for PoolError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Timeout(_) | Self::Closed => None,
            Self::Dial(error) => error.source(),
            Self::Hook(error) => Some(&**error),
        }
    }
}
