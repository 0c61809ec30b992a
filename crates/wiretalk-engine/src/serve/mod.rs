//! Servers: a talk as a mock ([`Mock`]), several of them at one address ([`Site`]), and an echo ([`Echo`]). One loop
//! accepts for all.

pub mod admin;
mod admission;
mod answer;
mod backplane;
mod client;
mod command;
pub mod control;
mod echo;
mod http_api;
pub mod journal;
mod metrics;
mod mock;
mod newcomers;
mod observe;
mod operation;
#[cfg(feature = "otlp")]
pub mod otlp;
mod seat;
mod server;
mod site;
mod trace;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use wiretalk_hub::{ConnectionId, Target};
use wiretalk_net::server::{Incoming, Reply, Request, Upgrade, serve_connection};
use wiretalk_net::{Config, DeflateConfig, Error};
use wiretalk_server::guard::{Newcomer, Reason, Refusal};

pub use admission::{Admission, Plain};
pub use echo::Echo;
pub use metrics::Metrics;
pub use mock::{Audience, ClientInfo, Mock, MockError, Performance, Place, Shared};
pub use newcomers::Newcomers;
pub use observe::{ClientId, Event, Observer, Recipient};
pub use operation::{Operation, Readiness, Stop};
pub use server::Server;
pub use site::{Site, SiteError};
pub use trace::{SpanCounts, Trace, TracedEnd, TracedRefusal, Tracer};
pub use wiretalk_backplane::{Location, UrlError};
pub use wiretalk_hub::HubEvent;
pub use wiretalk_server::{Capacity, Count, Traffic};

use admission::{Entry, Received};
use answer::{answer, answer_plain};
pub(crate) use operation::{DRAINED, Refused};

/// How long it is waited for the next client to finish its close handshake when the server stops.
const STOPPING: Duration = Duration::from_secs(2);

/// How long it is waited for all of them.
const MOST_STOPPING: Duration = Duration::from_secs(30);

/// How often some of the clients of a server that drains are closed.
const STEP: Duration = Duration::from_millis(50);

/// How a server serves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often a client is pinged, and how long it may take to answer before it is dropped.
    pub ping_interval: Duration,
    /// See `ping_interval`.
    pub ping_timeout: Duration,
    /// The largest message that a client may send, in bytes; of a compressed one, once it is inflated.
    pub message_size: usize,
    /// How long a client's message may take from its first byte to its last before the client is closed with 1008;
    /// zero: for ever.
    pub message_timeout: Duration,
    /// How to compress for clients that offer permessage-deflate (RFC 7692); `None`: not at all.
    pub deflate: Option<DeflateConfig>,
    /// The bytes that may wait to be sent to one client before it is dropped as too slow.
    pub queue_size: usize,
    /// What it shares with the other servers of the program.
    pub operation: Arc<Operation>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(20),
            message_size: 64 * 1024 * 1024,
            message_timeout: Duration::from_secs(120),
            deflate: Some(DeflateConfig::default()),
            queue_size: 16 * 1024 * 1024,
            operation: Arc::default(),
        }
    }
}

impl Options {
    fn config(&self, automatic: bool) -> Arc<Config> {
        let unless_zero = |time: Duration| (!time.is_zero()).then_some(time);
        let mut config = Config {
            auto_pong: automatic,
            auto_close: automatic,
            ping_interval: unless_zero(self.ping_interval),
            ping_timeout: self.ping_timeout,
            message_timeout: unless_zero(self.message_timeout),
            ..Config::default()
        };
        config.limits.message_size = self.message_size;
        config.limits.frame_size = self.message_size as u64;
        Arc::new(config)
    }
}

/// What the 101 agrees on beside the protocol itself: the value of `Sec-WebSocket-Extensions`.
fn extensions(reply: &Reply) -> Option<String> {
    let value = reply.headers().get("sec-websocket-extensions")?;
    Some(value.to_str().ok()?.to_owned())
}

/// What a server does with the requests and clients that come to it.
pub(crate) trait Host: Send + Sync + 'static {
    /// A handshake: the reply, and the client's coming if it is accepted, or why it is not.
    fn handshake(
        self: &Arc<Self>,
        request: &Request,
        upgrade: Upgrade,
        entry: Entry,
    ) -> (Reply, Result<Opening, Refused>);

    /// A plain request; `None` if the host has no answer of its own.
    fn plain(self: &Arc<Self>, request: &Request) -> Option<Reply>;

    /// Where the host tells what it sees.
    fn observer(&self) -> &dyn Observer;

    /// What it shares with other servers.
    fn operation(&self) -> &Operation;

    /// The clients that there are.
    fn ids(&self) -> Vec<ConnectionId>;

    /// Closes clients, because the server ends.
    fn send_away(&self, whom: Target<'_>, code: u16, why: &str);

    /// What runs beside the clients: clocks, say.
    fn background(self: Arc<Self>) -> impl Future<Output = ()> + Send;
}

/// Waits for the stream of a client whose handshake was accepted, and gives what serves it; `None` if it was lost before.
///
/// Two futures, so that a client that stays holds no memory for its coming.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Option<Life>> + Send>>;

/// The future that serves one client to its end, and holds all that the client has taken up. It is spawned as it is: a task
/// that holds more than a box costs twice the memory.
pub(crate) type Life = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Server {
    /// Serves until `stop` is done; then lets its clients go as that says, and waits a moment for them.
    pub(crate) async fn serve<H: Host, S: Into<Stop>>(
        self,
        host: Arc<H>,
        stop: impl Future<Output = S>,
    ) {
        let mut tasks = Tasks::default();
        let mut background = std::pin::pin!(Arc::clone(&host).background());
        let admission = Arc::clone(&host.operation().admission);
        let mut keys = std::pin::pin!(admission.keep_keys(|event| tell(&*host, event)));
        let mut stop = std::pin::pin!(stop);
        let newcomers = &host.operation().newcomers;
        // One for whom there is no place yet: nobody else is accepted before it has one.
        let mut waiting: Option<Incoming> = None;
        let stop = loop {
            tokio::select! {
                biased;
                stop = &mut stop => break stop.into(),
                // It never ends by itself.
                () = &mut background => {}
                () = &mut keys => {}
                () = tasks.next_ended() => {}
                place = newcomers.enter(), if waiting.is_some() => {
                    if let Some(incoming) = waiting.take() {
                        tasks.connections.spawn(connection(Arc::clone(&host), incoming, place));
                    }
                }
                accepted = self.accept(), if waiting.is_none() => match accepted {
                    Ok(incoming) => match newcomers.try_enter() {
                        Some(place) => {
                            tasks.connections.spawn(connection(Arc::clone(&host), incoming, place));
                        }
                        None => {
                            tell_waiting(&*host, &incoming);
                            waiting = Some(incoming);
                        }
                    },
                    Err(error) => {
                        tell(&*host, &Event::AcceptFailed { why: &error.to_string() });
                        // Out of descriptors, most likely: a pause lets some connections end.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        };
        drop((self, waiting));
        if let Stop::Drain(within) = stop {
            host.operation().readiness.drain();
            let mut draining = std::pin::pin!(drain(&*host, within));
            while !tasks.is_empty() {
                tokio::select! {
                    biased;
                    () = &mut draining => break,
                    // What the talks do meanwhile, they do until the last client is gone.
                    () = &mut background => {}
                    () = tasks.next_ended() => {}
                }
            }
        }
        let close = match stop {
            Stop::Drain(_) => DRAINED,
            Stop::Now => (1001, "the server stops"),
        };
        let mut newest = newest(&*host);
        host.send_away(Target::All, close.0, close.1);
        // Those who come now were in the middle of their handshakes.
        let late = || newest = send_late_away(&*host, newest, close);
        tasks.end(late).await;
    }
}

/// The client that came last, of those that are there.
fn newest<H: Host>(host: &H) -> u64 {
    host.ids().iter().map(|id| id.0).max().unwrap_or(0)
}

/// Sends those away that came after this one; gives the newest.
fn send_late_away<H: Host>(host: &H, newest: u64, (code, why): (u16, &str)) -> u64 {
    let late = host.ids().into_iter().filter(|id| id.0 > newest);
    late.fold(newest, |newest, id| {
        host.send_away(Target::One(id), code, why);
        newest.max(id.0)
    })
}

/// The tasks of a server. A client has one of its own from its upgrade on: that of its connection has room for all of
/// HTTP.
#[derive(Default)]
struct Tasks {
    connections: JoinSet<Option<Life>>,
    lives: JoinSet<()>,
}

impl Tasks {
    /// Waits until one has ended, if there are any; a connection that became a client lives on. Cancel-safe.
    async fn next_ended(&mut self) {
        tokio::select! {
            Some(ended) = self.connections.join_next() => {
                // One that panicked has told so.
                if let Ok(Some(life)) = ended {
                    self.lives.spawn(life);
                }
            }
            Some(_) = self.lives.join_next() => {}
            else => std::future::pending().await,
        }
    }

    fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.lives.is_empty()
    }

    /// Waits until all have ended, for as long as one ends after the other, and calls `late` meanwhile at every step; ends
    /// those that are left.
    async fn end(&mut self, mut late: impl FnMut()) {
        let last = Instant::now() + MOST_STOPPING;
        let mut patience = Instant::now() + STOPPING;
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_empty() {
            tokio::select! {
                biased;
                () = sleep_until(patience.min(last)) => break,
                _ = steps.tick() => late(),
                () = self.next_ended() => patience = Instant::now() + STOPPING,
            }
        }
        self.connections.shutdown().await;
        self.lives.shutdown().await;
    }
}

/// Sends the clients away that a host has now, some at every step, spread evenly over this time.
async fn drain<H: Host>(host: &H, within: Duration) {
    let (code, why) = DRAINED;
    let clients = host.ids();
    let began = Instant::now();
    let steps = within.as_millis().div_ceil(STEP.as_millis()).max(1);
    let steps = usize::try_from(steps)
        .unwrap_or(usize::MAX)
        .min(clients.len());
    for step in 0..steps {
        let share = |step: usize| clients.len() * step / steps;
        for client in &clients[share(step)..share(step + 1)] {
            host.send_away(Target::One(*client), code, why);
        }
        let over = within.mul_f64((step + 1) as f64 / steps as f64);
        sleep_until(began + over).await;
    }
}

/// Tells an observer, and counts.
fn tell<H: Host>(host: &H, event: &Event<'_>) {
    if let Some(metrics) = &host.operation().metrics {
        metrics.count(event);
    }
    host.observer().event(event);
}

/// Tells of one that has to wait before anything is read of it, now and then.
fn tell_waiting<H: Host>(host: &H, incoming: &Incoming) {
    let operation = host.operation();
    let reason = "handshakes-full";
    if let Some(metrics) = &operation.metrics {
        metrics.count_refused(reason);
    }
    if let Some(times) = operation.newcomers.waited() {
        let most = operation.newcomers.most();
        let why = format!("{most} connections have not ended their handshakes yet: others wait");
        host.observer().event(&Event::KeptOut {
            peer: incoming.peer_addr(),
            reason,
            why: &why,
            times,
        });
    }
}

/// Ends a connection that is not wanted, whatever it would say.
async fn turn_away<H: Host>(host: &H, incoming: Incoming, refusal: &Refusal) -> Result<(), Error> {
    let operation = host.operation();
    let peer = incoming.peer_addr();
    let reason = refusal.reason;
    if reason != Reason::AddressFull {
        tell(
            host,
            &Event::Refused {
                peer,
                target: "",
                status: reason.status(),
                reason: reason.name(),
                why: &refusal.why,
            },
        );
        return incoming.refuse(reason.reply()).await;
    }
    // An answer would keep it for a while, and it is one of too many.
    drop(incoming);
    if let Some(metrics) = &operation.metrics {
        metrics.count_refused(reason.name());
    }
    if let Some(times) = operation.newcomers.dropped() {
        host.observer().event(&Event::KeptOut {
            peer,
            reason: reason.name(),
            why: &refusal.why,
            times,
        });
    }
    Ok(())
}

/// The WebSockets of one TCP connection.
#[derive(Default)]
struct Lives {
    /// Over HTTP/1.1 there is one, which begins when HTTP has ended.
    next: Option<Opening>,
    /// Over HTTP/2 there may be many, which live beside it.
    beside: Option<JoinSet<()>>,
    /// Its place among those that are no clients yet.
    place: Option<OwnedSemaphorePermit>,
    /// The same among those of its address.
    newcomer: Option<Newcomer>,
}

impl Lives {
    fn add(&mut self, opening: Opening, version: http::Version) {
        // From now on it counts as a client of its address.
        self.newcomer = None;
        if version != http::Version::HTTP_2 {
            self.next = Some(opening);
            return;
        }
        self.place = None;
        let beside = self.beside.get_or_insert_default();
        // Those that are over are let go of.
        while beside.try_join_next().is_some() {}
        beside.spawn(async {
            if let Some(life) = opening.await {
                life.await;
            }
        });
    }
}

/// Serves one TCP connection: plain requests, and the WebSockets that they become over HTTP/2. Gives what is left to be
/// done once it has become one itself.
async fn connection<H: Host>(
    host: Arc<H>,
    incoming: Incoming,
    place: OwnedSemaphorePermit,
) -> Option<Life> {
    let mut peer = incoming.peer_addr();
    let lives = Mutex::new(Lives {
        place: Some(place),
        ..Lives::default()
    });
    let came = |newcomer| lock(&lives).newcomer = Some(newcomer);
    let admission = &host.operation().admission;
    let options = admission.serve_options();
    let served = match Box::pin(admission.receive(incoming)).await {
        Ok(Received::Fine(incoming, newcomer)) => {
            came(newcomer);
            peer = incoming.peer_addr();
            let answered = |request| answer(&host, request, &lives).given();
            serve_connection(incoming, options, answered).await
        }
        Ok(Received::Plain(incoming, plain, newcomer)) => {
            came(newcomer);
            let answered = async |request| answer_plain(&host, &request, plain);
            Box::pin(serve_connection(incoming, options, answered)).await
        }
        // Its close can only be said behind an upgrade.
        Ok(Received::Unwanted(incoming, refusal))
            if refusal.reason != Reason::AddressFull
                && (admission.refuse_by_close || incoming.is_secure()) =>
        {
            peer = incoming.peer_addr();
            let answered = |request| answer(&host, request, &lives).given();
            Box::pin(serve_connection(incoming, options, answered)).await
        }
        Ok(Received::Unwanted(incoming, refusal)) => turn_away(&*host, incoming, &refusal).await,
        Ok(Received::Nothing) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        let why = error.to_string();
        tell(&*host, &Event::ConnectionFailed { peer, why: &why });
    }
    let lives = lives.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(mut beside) = lives.beside {
        while beside.join_next().await.is_some() {}
    }
    let life = lives.next?.await;
    // Only now: its token may have been still to come.
    drop(lives.place);
    life
}

fn lock(lives: &Mutex<Lives>) -> MutexGuard<'_, Lives> {
    lives.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
