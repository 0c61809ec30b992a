//! How a client is built.

use std::{fmt, future::Future, sync::Arc};

use super::{Cause, Policy, Reconnecting, Retry, Settings, Unsent};
use crate::{
    Connector, Error, Handshake, Request, WebSocket,
    client::{Backoff, Hook, dial::Source},
};

/// The settings of a [`Reconnecting`] client. Without any, it dials for ever with the delays of
/// [`Backoff::exponential`], and keeps no unsent messages.
///
/// ```
/// use std::time::Duration;
/// use wiretalk::{WebSocket, client::{Backoff, Reconnecting, Unsent}};
///
/// let client = Reconnecting::builder("ws://127.0.0.1:4000/")
///     .backoff(Backoff::exponential().max(Duration::from_secs(10)))
///     .attempts(20)
///     .unsent(Unsent::Keep(1 << 20))
///     .on_open(async |socket: &mut WebSocket| Ok(socket.send("subscribe").await?))
///     .build();
/// ```
#[must_use = "nothing is dialed before `build`, and then the client being asked for events"]
#[derive(Clone)]
pub struct Builder {
    source: Source,
    backoff: Backoff,
    attempts: Option<u32>,
    unsent: Unsent,
    policy: Policy,
}

impl Builder {
    pub(super) fn new(request: Request) -> Self {
        Self {
            source: Source::new(request),
            backoff: Backoff::default(),
            attempts: None,
            unsent: Unsent::default(),
            policy: Arc::new(Cause::retry),
        }
    }

    /// Dials with these settings: TLS, limits, timeouts.
    ///
    /// ```
    /// use wiretalk::{Connector, TlsOptions, client::Reconnecting};
    ///
    /// let connector = Connector::new().tls(TlsOptions::new().insecure(true));
    /// let client = Reconnecting::builder("wss://localhost:4000/").connector(connector).build();
    /// ```
    pub fn connector(mut self, connector: Connector) -> Self {
        self.source.set_connector(connector);
        self
    }

    /// Dials by a function, once for each attempt, instead of with request and connector: for a request that is another
    /// each time, say because of a token in it. Dropping the client drops the future.
    ///
    /// ```
    /// use wiretalk::{Request, client::Reconnecting};
    ///
    /// async fn token() -> String {
    ///     "of the day".to_owned()
    /// }
    ///
    /// let client = Reconnecting::builder("ws://127.0.0.1:4000/")
    ///     .dial(async || {
    ///         let mut request = Request::new("ws://127.0.0.1:4000/");
    ///         request.headers.push(("Authorization".into(), format!("Bearer {}", token().await)));
    ///         wiretalk::connect(request).await
    ///     })
    ///     .build();
    /// ```
    pub fn dial<F, Fut>(mut self, dial: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(WebSocket, Handshake), Error>> + Send + 'static,
    {
        self.source.set_dialer(dial);
        self
    }

    /// What is done with each connection before it counts as open; see [`Hook`]. If it fails, so has the attempt, with
    /// [`Cause::Hook`]. It may take as long as it likes: give it a timeout of its own if the server may fall silent.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::{WebSocket, client::{Event, Reconnecting}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = wiretalk::mock::text("on > login\n  < welcome\n").await?;
    /// let mut client = Reconnecting::builder(mock.url())
    ///     .on_open(async |socket: &mut WebSocket| {
    ///         socket.send("login").await?;
    ///         let reply = tokio::time::timeout(Duration::from_secs(5), socket.recv()).await?;
    ///         match reply.transpose()? {
    ///             Some(reply) if reply.as_text() == Some("welcome") => Ok(()),
    ///             _ => Err("it is not welcome".into()),
    ///         }
    ///     })
    ///     .build();
    /// while !matches!(client.next_event().await, Some(Event::Open(_))) {}
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

    /// How long it waits before each attempt but the very first.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wiretalk::client::{Backoff, Reconnecting};
    ///
    /// let client = Reconnecting::builder("ws://127.0.0.1:4000/")
    ///     .backoff(Backoff::exponential().max(Duration::from_secs(5)))
    ///     .build();
    /// ```
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How many attempts it makes in a row, at least one, before it gives up; `None`, the default: as many as it takes.
    /// They are counted anew after each success.
    ///
    /// ```
    /// use wiretalk::client::Reconnecting;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Nobody listens on this port.
    /// let mut client = Reconnecting::builder("ws://127.0.0.1:1/").attempts(3).build();
    /// let gave_up = client.recv().await.expect("it is told once").unwrap_err();
    /// assert_eq!(gave_up.attempts, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn attempts(mut self, attempts: impl Into<Option<u32>>) -> Self {
        self.attempts = attempts.into();
        self
    }

    /// What becomes of messages that cannot be sent at the moment.
    ///
    /// ```
    /// use wiretalk::client::{Reconnecting, Unsent};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = Reconnecting::builder("ws://127.0.0.1:4000/").unsent(Unsent::KeepNewest(16)).build();
    /// for number in 1..=5 {
    ///     client.send(format!("price {number}")).await?;
    /// }
    /// assert_eq!(client.take_unsent(), ["price 4".into(), "price 5".into()]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unsent(mut self, unsent: Unsent) -> Self {
        self.unsent = unsent;
        self
    }

    /// Decides whether to dial again, in the place of [`Cause::retry`], which it may ask. It is not asked after the last
    /// of the [`attempts`](Self::attempts), nor after [`Reconnecting::close`].
    ///
    /// ```
    /// use wiretalk::client::{Reconnecting, Retry};
    ///
    /// let client = Reconnecting::builder("ws://127.0.0.1:4000/")
    ///     .retry(|cause| match cause.close_frame() {
    ///         // A server that tells us so by its own codes.
    ///         Some(frame) if (3500..4000).contains(&frame.code.as_u16()) => Retry::No,
    ///         _ => cause.retry(),
    ///     })
    ///     .build();
    /// ```
    pub fn retry(mut self, policy: impl Fn(&Cause) -> Retry + Send + Sync + 'static) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// Dials once and never again: the events of a single connection.
    ///
    /// ```
    /// use wiretalk::client::Reconnecting;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = Reconnecting::builder("ws://127.0.0.1:1/").once().build();
    /// let gave_up = client.recv().await.expect("it is told once").unwrap_err();
    /// assert_eq!(gave_up.attempts, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn once(self) -> Self {
        self.retry(|_| Retry::No)
    }

    /// The client. It dials as soon as it is asked for events.
    ///
    /// ```
    /// use wiretalk::{State, client::Reconnecting};
    ///
    /// let client = Reconnecting::builder("ws://127.0.0.1:4000/").build();
    /// assert_eq!(client.state(), State::Connecting);
    /// ```
    #[must_use]
    pub fn build(self) -> Reconnecting {
        Reconnecting::new(Settings {
            dial: self.source.build(),
            backoff: self.backoff,
            attempts: self.attempts,
            unsent: self.unsent,
            policy: self.policy,
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("source", &self.source)
            .field("backoff", &self.backoff)
            .field("attempts", &self.attempts)
            .field("unsent", &self.unsent)
            .finish_non_exhaustive()
    }
}
