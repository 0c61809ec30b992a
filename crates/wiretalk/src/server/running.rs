//! A server at work: it accepts, lets in, and ends.

mod coming;

use std::{
    any::Any,
    error::Error as StdError,
    fmt,
    future::{Future, poll_fn},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use tokio::{runtime, sync::watch, task::JoinHandle, time::timeout};
use wiretalk_hub::{Hub, Target};
use wiretalk_server::link::Command;

use super::{
    AcceptOptions, Client, ClientId, Clients, Handshake, Incoming, RefusalKind, Reply, Request,
    Server,
    client::Seat,
    entrance::{Entrance, Turned},
    serve_connection,
    stand_alone::Settings,
    tasks::Tasks,
};
use crate::{Blame, CloseCode, Error, ErrorKind};
use coming::Coming;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What a handler may return: nothing, or a `Result`, whose error closes the client with 1011 and is told to
/// [`Server::on_error`].
///
/// ```
/// use wiretalk::server::Outcome;
///
/// assert!(().outcome().is_ok());
/// assert!(Ok::<(), std::io::Error>(()).outcome().is_ok());
/// ```
pub trait Outcome: Send {
    /// The error, if there is one.
    ///
    /// ```
    /// use wiretalk::server::Outcome;
    ///
    /// let error = Err::<(), _>("the database is gone").outcome().unwrap_err();
    /// assert_eq!(error.to_string(), "the database is gone");
    /// ```
    ///
    /// # Errors
    /// The handler's own.
    fn outcome(self) -> Result<(), BoxError>;
}

impl Outcome for () {
    fn outcome(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError> + Send> Outcome for Result<(), E> {
    fn outcome(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// Something that went wrong with one client, or before it was one.
///
/// ```
/// use wiretalk::server::{Client, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk::Error> {
/// let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
/// let server = Server::bind("127.0.0.1:0").await?.on_error(move |problem| {
///     let _ = tell.send(problem.error.to_string());
/// });
/// let running = server.spawn(async |_: Client| Err::<(), _>("the database is gone"))?;
/// let (socket, _) = wiretalk::connect(running.url()).await?;
/// assert_eq!(told.recv().await.as_deref(), Some("the database is gone"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Problem {
    /// Which client, if it was one already.
    pub client: Option<ClientId>,
    /// Where it comes from, if that is known.
    pub peer_addr: Option<SocketAddr>,
    /// What went wrong: the error of a handler, say.
    pub error: BoxError,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(client) = self.client {
            write!(f, "{client} ")?;
        }
        if let Some(peer) = self.peer_addr {
            write!(f, "from {peer}")?;
        }
        write!(f, ": {}", self.error)
    }
}

/// What a server and its clients' handles have in common.
pub(super) struct Shared {
    pub(super) hub: Hub<Command>,
    /// Changes whenever a client comes or goes.
    pub(super) changes: watch::Sender<()>,
    stopping: watch::Sender<bool>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            hub: Hub::new(),
            changes: watch::Sender::new(()),
            stopping: watch::Sender::new(false),
        }
    }
}

impl Shared {
    /// Lets nobody in any more, and says goodbye to everyone.
    pub(super) fn stop(&self) {
        // In this order: whoever joins later looks at it afterwards.
        if !self.stopping.send_replace(true) {
            let command = Command::Close(CloseCode::GOING_AWAY, "the server stops".into());
            self.hub.control(Target::All, &command, 0);
        }
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as `self`.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}

/// A server that [`Server::spawn`] has started. Dropping it ends the server at once, without a close frame; see
/// [`stop`](Self::stop).
///
/// ```
/// use wiretalk::server::Client;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk::Error> {
/// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
/// let running = server.spawn(async |mut client: Client| while client.recv().await.is_some() {})?;
/// let (socket, _) = wiretalk::connect(running.url()).await?;
/// # drop(socket);
/// running.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the server"]
pub struct Running {
    address: SocketAddr,
    url: String,
    clients: Clients,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(super) fn start<H, F>(server: Server, handler: H) -> Result<Self, Error>
    where
        H: Fn(Client) -> F + Send + Sync + 'static,
        F: Future<Output: Outcome> + Send + 'static,
    {
        let runtime = runtime::Handle::try_current()
            .map_err(|error| Error::new(ErrorKind::InvalidInput, Blame::Us, error.to_string()))?;
        Ok(Self {
            address: server.local_addr(),
            url: server.url(),
            clients: server.clients(),
            task: runtime.spawn(serve(server, handler, std::future::pending::<()>())),
        })
    }

    /// Where it listens.
    ///
    /// ```
    /// use wiretalk::server::Client;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| while client.recv().await.is_some() {})?;
    /// assert_ne!(running.local_addr().port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where clients connect: `ws://127.0.0.1:4000`, or `wss://` with TLS.
    ///
    /// ```
    /// use wiretalk::server::Client;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| while client.recv().await.is_some() {})?;
    /// assert_eq!(running.url(), format!("ws://{}", running.local_addr()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// All clients.
    ///
    /// ```
    /// use wiretalk::server::Client;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| while client.recv().await.is_some() {})?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// running.clients().wait_for(1).await;
    /// running.clients().broadcast("hello");
    /// assert_eq!(ann.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Closes every client with 1001, waits for their handlers up to [`Server::stop_timeout`], and ends. No task is left
    /// then. If the future is dropped, the server ends at once.
    ///
    /// ```
    /// use wiretalk::server::Client;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| while client.recv().await.is_some() {})?;
    /// let address = running.local_addr();
    /// running.stop().await;
    /// assert!(tokio::net::TcpStream::connect(address).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stop(mut self) {
        self.clients.stop();
        // It does not panic, and nobody else has ended it. How it served is no news any more.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server with its handler.
struct Service<H> {
    shared: Arc<Shared>,
    settings: Settings,
    entrance: Entrance,
    handler: H,
    /// Connections that speak HTTP.
    connections: Tasks,
    /// Clients.
    lives: Tasks,
    /// How many requests are being answered.
    requests: watch::Sender<usize>,
    seats: AtomicUsize,
}

pub(super) async fn serve<H, F>(server: Server, handler: H, stop: impl Future) -> Result<(), Error>
where
    H: Fn(Client) -> F + Send + Sync + 'static,
    F: Future<Output: Outcome> + Send + 'static,
{
    let Server {
        listener,
        mut settings,
        shared,
        ..
    } = server;
    let service = Arc::new(Service {
        shared,
        entrance: Entrance::new(&mut settings),
        settings,
        handler,
        connections: Tasks::default(),
        lives: Tasks::default(),
        requests: watch::Sender::new(0),
        seats: AtomicUsize::new(0),
    });
    // Also when this is dropped.
    let _end = End(&service);
    let served = {
        let mut stop = pin!(stop);
        let mut stopped = pin!(service.shared.stopped());
        let told = |error: Error| service.tell(None, None, error.into());
        let mut keys = pin!(service.entrance.keep_keys(told));
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break Ok(()),
                () = &mut stopped => break Ok(()),
                // It never ends by itself.
                () = &mut keys => {}
                accepted = listener.accept() => match accepted {
                    Ok(incoming) => {
                        let task = Arc::clone(&service).connection(incoming);
                        service.connections.spawn(task);
                    }
                    Err(error) => break Err(error),
                },
            }
        }
    };
    drop(listener);
    service.shared.stop();
    // A connection may carry several clients, so clients end first.
    let ended = async {
        let mut requests = service.requests.subscribe();
        // The sender lives as long as the service.
        let _ = requests.wait_for(|requests| *requests == 0).await;
        service.lives.ended().await;
    };
    let _ = timeout(service.settings.stop_timeout, ended).await;
    service.abort();
    service.lives.ended().await;
    service.connections.ended().await;
    served
}

/// Ends all tasks of a service when it is dropped.
struct End<'a, H>(&'a Service<H>);

impl<H> Drop for End<'_, H> {
    fn drop(&mut self) {
        self.0.abort();
        // Whoever waits for the clients of a server that is gone, waits for their end.
        self.0.shared.stop();
    }
}

impl<H> Service<H> {
    fn abort(&self) {
        self.lives.abort();
        self.connections.abort();
    }

    fn tell(&self, client: Option<ClientId>, peer_addr: Option<SocketAddr>, error: BoxError) {
        if let Some(on_error) = &self.settings.on_error {
            on_error(&Problem {
                client,
                peer_addr,
                error,
            });
        }
    }

    /// A place for one client more, if there is one.
    fn permit(self: &Arc<Self>) -> Option<Permit<H>> {
        let most = self.settings.max_clients;
        self.seats
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                (taken < most).then_some(taken + 1)
            })
            .is_ok()
            .then(|| Permit(Arc::clone(self)))
    }
}

impl<H, F> Service<H>
where
    H: Fn(Client) -> F + Send + Sync + 'static,
    F: Future<Output: Outcome> + Send + 'static,
{
    /// Serves one connection: plain requests, and what they become.
    async fn connection(self: Arc<Self>, incoming: Incoming) {
        let peer = incoming.peer_addr();
        let options = self.settings.options.clone();
        let served = serve_connection(incoming, options, |request| {
            let service = Arc::clone(&self);
            async move {
                let _busy = Busy::new(&service.requests);
                service.answer(request).await
            }
        });
        if let Err(error) = served.await {
            self.tell(None, Some(peer), error.into());
        }
        self.connections.reap();
    }

    /// Answers one request.
    async fn answer(self: &Arc<Self>, mut request: Request) -> Reply {
        let upgrade = match (request.upgrade(), &self.settings.pages) {
            (Ok(upgrade), _) => upgrade,
            (Err(refusal), pages) if *refusal.kind() == RefusalKind::NotUpgrade => {
                if let Some(turned) = self.entrance.plain(&mut request) {
                    return self.told(request.peer_addr, turned).reply;
                }
                return match pages {
                    Some(pages) => pages(request).await,
                    None => refusal.into(),
                };
            }
            (Err(refusal), _) => return refusal.into(),
        };
        let entry = match self.entrance.admit(&mut request).await {
            Ok(entry) => entry,
            Err(turned) => return self.refuse(upgrade, request.peer_addr, turned),
        };
        let upgrade = upgrade.peer_addr(request.peer_addr);
        let Some(permit) = self.permit() else {
            let turned = Turned::for_now("there are as many clients as there may be");
            return self.refuse(upgrade, request.peer_addr, turned);
        };
        let (peer, policy) = (request.peer_addr, &self.settings.policy);
        let offered = upgrade.subprotocols().map(str::to_owned).collect();
        let mut handshake = Handshake::new(request, offered, policy.subprotocol(&upgrade));
        entry.describe(&mut handshake);
        if let Some(check) = &self.settings.check {
            handshake = match check(handshake).await {
                Ok(handshake) => handshake,
                Err(reply) => return self.refuse(upgrade, peer, Turned::by(reply)),
            };
        }
        let Handshake {
            request,
            subprotocol,
            headers,
            user,
            extensions,
            ..
        } = handshake;
        let accepted = upgrade.accept(AcceptOptions {
            subprotocol,
            headers,
            deflate: policy.deflate,
            config: Arc::clone(&policy.config),
        });
        let (reply, socket) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // What the check has written into the handshake is no answer.
                self.tell(None, Some(peer), error.into());
                return Reply::text(500, "the server cannot answer this handshake\n");
            }
        };
        // It has its place before the answer leaves, so that it misses nothing; one that has proven nothing yet has none.
        let place = (!entry.is_unproven()).then(|| self.join(user.as_deref()));
        if self.shared.is_stopping() {
            return Turned::for_now("the server stops").reply;
        }
        let target = request.uri.path_and_query();
        let target = target.map_or("/", |target| target.as_str()).into();
        let coming = Coming {
            entry,
            peer,
            user,
            target,
            extensions,
            place,
        };
        // Boxed, so that a client that stays needs no memory for coming.
        let seated = Box::pin(Arc::clone(self).seated(socket, coming));
        self.lives.spawn(permit.live(peer, seated));
        reply
    }
}

/// One of the server's places for clients.
struct Permit<H>(Arc<Service<H>>);

impl<H> Drop for Permit<H> {
    fn drop(&mut self) {
        self.0.seats.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<H, F> Permit<H>
where
    H: Fn(Client) -> F + Send + Sync + 'static,
    F: Future<Output: Outcome> + Send + 'static,
{
    /// The whole life of a client, from the answer to its handshake on.
    async fn live(
        self,
        peer: SocketAddr,
        seated: Pin<Box<impl Future<Output = Option<Box<Seat>>>>>,
    ) {
        let service = &self.0;
        if let Some(seat) = seated.await {
            let (client, back) = Client::new(seat);
            let id = client.id();
            let result = caught(|| (service.handler)(client)).await;
            let result = result.and_then(Outcome::outcome);
            let code = match result {
                Ok(()) => CloseCode::NORMAL,
                Err(error) => {
                    service.tell(Some(id), Some(peer), error);
                    CloseCode::INTERNAL
                }
            };
            // Or the handler has given its client to somebody else, who drops it some time.
            if let Ok(seat) = back.await {
                let Seat { link, place, .. } = *seat;
                drop(place);
                let limit = service.settings.policy.config.close_timeout;
                // Boxed, so that a client that stays needs no memory for going.
                Box::pin(link.finish(code, limit)).await;
            }
        }
        let service = Arc::clone(service);
        drop(self);
        service.lives.reap();
    }
}

/// Runs what a handler gives; a panic in it is an error.
///
/// Its future is boxed at once: an async block has room for each future that is moved through it.
fn caught<F: Future>(
    handler: impl FnOnce() -> F,
) -> impl Future<Output = Result<F::Output, BoxError>> {
    // What a handler has left half done is dropped with it, or guards itself against panics (a poisoned mutex).
    let mut begun = catch_unwind(AssertUnwindSafe(|| Box::pin(handler())));
    poll_fn(move |cx| {
        let polled = match &mut begun {
            Ok(future) => catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))),
            Err(panic) => return Poll::Ready(Err(panicked(panic.as_ref()))),
        };
        match polled {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panicked(panic.as_ref()))),
        }
    })
}

/// What a panic said.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> BoxError {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the handler panicked: {}", said.unwrap_or("without a word")).into()
}

/// A request that is being answered.
struct Busy<'a>(&'a watch::Sender<usize>);

impl<'a> Busy<'a> {
    fn new(requests: &'a watch::Sender<usize>) -> Self {
        requests.send_modify(|requests| *requests += 1);
        Self(requests)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|requests| *requests -= 1);
    }
}
