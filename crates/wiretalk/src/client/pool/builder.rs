//! How a pool is built.

use std::{
    future::Future,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use tokio::sync::Semaphore;

use super::{Owner, Pool, Settings, Shared, shelf::Shelf};
use crate::{
    Connector, Error, Handshake, Request, WebSocket,
    client::{Hook, dial::Source},
};

/// The settings of a [`Pool`].
///
/// ```
/// use std::time::Duration;
/// use wiretalk::{WebSocket, client::Pool};
///
/// let pool = Pool::builder("ws://127.0.0.1:4000/")
///     .max(4)
///     .idle_timeout(Duration::from_secs(60))
///     .max_lifetime(Duration::from_secs(3600))
///     .check(Duration::from_secs(1))
///     .wait_timeout(Duration::from_secs(5))
///     .on_open(async |socket: &mut WebSocket| Ok(socket.send("login").await?))
///     .build();
/// ```
#[derive(Clone, Debug)]
#[must_use = "there is no pool before `build`"]
pub struct PoolBuilder {
    source: Source,
    max: usize,
    idle_timeout: Option<Duration>,
    max_lifetime: Option<Duration>,
    check: Option<Duration>,
    wait_timeout: Option<Duration>,
}

impl PoolBuilder {
    pub(super) fn new(request: Request) -> Self {
        Self {
            source: Source::new(request),
            max: 10,
            idle_timeout: Some(Duration::from_secs(600)),
            max_lifetime: None,
            check: None,
            wait_timeout: None,
        }
    }

    /// How many connections there are at most, handed out or not; at least 1. Default: 10.
    ///
    /// ```
    /// use wiretalk::client::Pool;
    ///
    /// let pool = Pool::builder("ws://127.0.0.1:4000/").max(4).build();
    /// assert_eq!(pool.status().max, 4);
    /// ```
    pub fn max(mut self, max: usize) -> Self {
        self.max = max.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// How long a connection may stay that nobody wants; `None`: for ever. Default: 10 min.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Pool;
    ///
    /// let pool = Pool::builder("ws://127.0.0.1:4000/").idle_timeout(Duration::from_secs(60)).build();
    /// let patient = Pool::builder("ws://127.0.0.1:4000/").idle_timeout(None).build();
    /// ```
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = limit.into();
        self
    }

    /// How long a connection may be open before it is replaced, when it is given back or idle; `None`, the default: for
    /// ever. It spreads the load anew over servers behind a balancer.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Pool;
    ///
    /// let pool = Pool::builder("ws://127.0.0.1:4000/").max_lifetime(Duration::from_secs(3600)).build();
    /// ```
    pub fn max_lifetime(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.max_lifetime = limit.into();
        self
    }

    /// A connection that was used before is handed out only once it has answered a ping in so much time; one that does not
    /// is replaced. `None`, the default, spares the round trip: what the pool knows of a connection is all that counts.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let pool = Pool::builder(mock.url()).check(Duration::from_secs(1)).build();
    /// drop(pool.get().await?);
    /// let checked = pool.get().await?;
    /// assert_eq!(mock.connected(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.check = limit.into();
        self
    }

    /// How long to wait for a connection to be given back; `None`, the default: as long as it takes. (How long dialing may
    /// take is [`Config::handshake_timeout`](crate::Config::handshake_timeout).)
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::{Pool, PoolError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// # let url = mock.url();
    /// let pool = Pool::builder(url).max(1).wait_timeout(Duration::from_millis(5)).build();
    /// let only = pool.get().await?;
    /// assert!(matches!(pool.get().await, Err(PoolError::Timeout(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.wait_timeout = limit.into();
        self
    }

    /// Dials with these settings: TLS, limits, timeouts.
    ///
    /// ```
    /// use wiretalk::{Connector, TlsOptions, client::Pool};
    ///
    /// let connector = Connector::new().tls(TlsOptions::new().insecure(true));
    /// let pool = Pool::builder("wss://localhost:4000/").connector(connector).build();
    /// ```
    pub fn connector(mut self, connector: Connector) -> Self {
        self.source.set_connector(connector);
        self
    }

    /// Dials by a function, once for each new connection, instead of with request and connector.
    ///
    /// ```
    /// use wiretalk::{Request, client::Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// # let url = mock.url();
    /// let url = url.to_owned();
    /// let pool = Pool::builder(&*url)
    ///     .dial(move || {
    ///         let mut request = Request::new(&*url);
    ///         // One that is another each time.
    ///         request.headers.push(("Authorization".into(), "Bearer s3cret".into()));
    ///         wiretalk::connect(request)
    ///     })
    ///     .build();
    /// assert!(pool.get().await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn dial<F, Fut>(mut self, dial: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(WebSocket, Handshake), Error>> + Send + 'static,
    {
        self.source.set_dialer(dial);
        self
    }

    /// What is done with each new connection before it is handed out; see [`Hook`].
    ///
    /// ```
    /// use wiretalk::{WebSocket, client::Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > {{_}}\n  < {{message}}\n").await?;
    /// let pool = Pool::builder(mock.url())
    ///     .on_open(async |socket: &mut WebSocket| {
    ///         socket.send("login ann").await?;
    ///         match socket.recv().await.transpose()? {
    ///             Some(_) => Ok(()),
    ///             None => Err("the login was answered with a close frame".into()),
    ///         }
    ///     })
    ///     .build();
    /// let socket = pool.get().await?;
    /// assert_eq!(mock.received(), ["login ann".into()]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_open<H>(mut self, hook: H) -> Self
    where
        H: for<'a> Hook<'a> + 'static,
    {
        self.source.set_hook(hook);
        self
    }

    /// The pool. It has no connection yet.
    ///
    /// ```
    /// use wiretalk::client::Pool;
    ///
    /// let pool = Pool::builder("ws://127.0.0.1:4000/").build();
    /// assert_eq!((pool.status().in_use, pool.status().idle), (0, 0));
    /// ```
    #[must_use]
    pub fn build(self) -> Pool {
        let settings = Settings {
            dial: self.source.build(),
            max: self.max,
            idle_timeout: self.idle_timeout,
            max_lifetime: self.max_lifetime,
            check: self.check,
            wait_timeout: self.wait_timeout,
        };
        let shared = Arc::new(Shared {
            permits: Arc::new(Semaphore::new(settings.max)),
            waiting: AtomicUsize::new(0),
            shelf: Shelf::default(),
            settings,
        });
        Pool {
            owner: Arc::new(Owner { shared }),
        }
    }
}
