//! How the clients come by a connection: a step that dials, and one that makes it ready for use.

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, sync::Arc};

use crate::{Connector, Error, Handshake, Request, WebSocket};

/// Any error, as a [`Hook`] may give one of its own.
///
/// ```
/// use wiretalk::{WebSocket, client::BoxError};
///
/// async fn log_in(socket: &mut WebSocket) -> Result<(), BoxError> {
///     socket.send("login ann").await?;
///     match socket.recv().await.transpose()? {
///         Some(reply) if reply.as_text() == Some("welcome") => Ok(()),
///         other => Err(format!("the login was answered with {other:?}").into()),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk::Error> {
/// let (mut client, mut server) = wiretalk::pair();
/// server.send("who are you?").await?;
/// let error = log_in(&mut client).await.unwrap_err();
/// assert!(error.to_string().contains("who are you?"));
/// # Ok(())
/// # }
/// ```
pub type BoxError = Box<dyn StdError + Send + Sync>;

type Dialing = Pin<Box<dyn Future<Output = Result<(WebSocket, Handshake), Error>> + Send>>;

type Preparing<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

/// What is done with each new connection before it is used: log in, subscribe.
///
/// An async function or closure of `&mut WebSocket` that can be cloned, and gives `Result<(), BoxError>`; say the type of
/// its argument:
///
/// ```
/// use wiretalk::{WebSocket, client::{BoxError, Reconnecting}};
///
/// let token = String::from("s3cret");
/// let client = Reconnecting::builder("ws://127.0.0.1:4000/")
///     .on_open(async move |socket: &mut WebSocket| {
///         socket.send(format!("login {token}")).await?;
///         match socket.recv().await.transpose()? {
///             Some(reply) if reply.as_text() == Some("welcome") => Ok(()),
///             other => Err(format!("the login was answered with {other:?}").into()),
///         }
///     })
///     .build();
///
/// async fn subscribe(socket: &mut WebSocket) -> Result<(), BoxError> {
///     Ok(socket.send("subscribe news").await?)
/// }
/// let other = Reconnecting::builder("ws://127.0.0.1:4000/").on_open(subscribe).build();
/// ```
pub trait Hook<'a>: Clone + Send + Sync {
    /// What it gives.
    type Future: Future<Output = Result<(), BoxError>> + Send + 'a;

    /// Begins with a connection.
    ///
    /// ```
    /// use wiretalk::{WebSocket, client::{BoxError, Hook}};
    ///
    /// async fn subscribe(socket: &mut WebSocket) -> Result<(), BoxError> {
    ///     Ok(socket.send("subscribe news").await?)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut client, mut server) = wiretalk::pair();
    /// subscribe.prepare(&mut client).await.map_err(|error| error.to_string())?;
    /// assert_eq!(server.recv().await.transpose()?, Some("subscribe news".into()));
    /// # Ok(())
    /// # }
    /// ```
    fn prepare(self, socket: &'a mut WebSocket) -> Self::Future;
}

// By value, so that the future of an async closure owns what the closure has captured.
impl<'a, F, Fut> Hook<'a> for F
where
    F: FnOnce(&'a mut WebSocket) -> Fut + Clone + Send + Sync,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'a,
{
    type Future = Fut;

    fn prepare(self, socket: &'a mut WebSocket) -> Fut {
        self(socket)
    }
}

type Dialer = Arc<dyn Fn() -> Dialing + Send + Sync>;

type Preparer = Arc<dyn for<'a> Fn(&'a mut WebSocket) -> Preparing<'a> + Send + Sync>;

/// How a [`Dial`] is put together.
#[derive(Clone)]
pub(crate) struct Source {
    request: Request,
    connector: Connector,
    /// Instead of request and connector.
    dialer: Option<Dialer>,
    hook: Option<Preparer>,
}

impl Source {
    pub(crate) fn new(request: Request) -> Self {
        Self {
            request,
            connector: Connector::new(),
            dialer: None,
            hook: None,
        }
    }

    pub(crate) fn set_connector(&mut self, connector: Connector) {
        self.connector = connector;
    }

    pub(crate) fn set_dialer<F, Fut>(&mut self, dial: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(WebSocket, Handshake), Error>> + Send + 'static,
    {
        self.dialer = Some(Arc::new(move || Box::pin(dial())));
    }

    pub(crate) fn set_hook<H>(&mut self, hook: H)
    where
        H: for<'a> Hook<'a> + 'static,
    {
        self.hook = Some(Arc::new(move |socket| {
            Box::pin(hook.clone().prepare(socket))
        }));
    }

    pub(crate) fn build(self) -> Dial {
        let Self {
            request,
            connector,
            dialer,
            hook,
        } = self;
        let dialer = dialer.unwrap_or_else(|| {
            let made_from = Arc::new((connector, request));
            Arc::new(move || {
                let made_from = Arc::clone(&made_from);
                Box::pin(async move { made_from.0.connect(&made_from.1).await })
            })
        });
        Dial { dialer, hook }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Source");
        if self.dialer.is_none() {
            shown
                .field("request", &self.request)
                .field("connector", &self.connector);
        }
        shown
            .field("hook", &self.hook.is_some())
            .finish_non_exhaustive()
    }
}

/// Dials, and makes what was dialed ready.
#[derive(Clone)]
pub(crate) struct Dial {
    dialer: Dialer,
    hook: Option<Preparer>,
}

/// Why there is no connection.
pub(crate) enum DialError {
    Dial(Error),
    Hook(BoxError),
}

impl Dial {
    /// Dials once. Dropping the future ends whatever it had begun.
    pub(crate) fn open(
        &self,
    ) -> impl Future<Output = Result<(WebSocket, Handshake), DialError>> + Send + use<> {
        let dialing = (self.dialer)();
        let hook = self.hook.clone();
        async move {
            let (mut socket, handshake) = dialing.await.map_err(DialError::Dial)?;
            if let Some(hook) = hook {
                hook(&mut socket).await.map_err(DialError::Hook)?;
            }
            Ok((socket, handshake))
        }
    }
}
