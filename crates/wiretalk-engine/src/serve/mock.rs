//! A talk as a server.

mod directory;
pub(in crate::serve) mod handshake;
mod outside;
mod perform;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use wiretalk_backplane::{Location, UrlError};
use wiretalk_hub::backplane::Memory;
use wiretalk_hub::{Hub, HubEvent, Member, Target as HubTarget};
use wiretalk_net::Config;
use wiretalk_talk::player::{ConnectionId, Incoming, Plan, Player, Setup, Time};

use super::backplane::{BACKPLANE, Ears, Joined};
use super::client::End;
use super::command::Command;
use super::journal::{Entry, EntryKind, Frame, Journal};
use directory::{Rooms, hub_options};
pub use outside::{Audience, ClientInfo};

use super::metrics::{Sample, Source};
use super::operation::{Operation, Stop};
use super::seat::{Latest, Seat};
use super::trace::TracedEnd;
use super::{ClientId, Event, Observer, Options, Server, Site};

/// Why a talk cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// The talk has several tests and no lines of a server, so somebody must choose.
    #[error(
        "this talk has several tests, and no rules beside them: choose the one to serve with `--test TITLE`; it has {known}"
    )]
    ChooseTest {
        /// The titles that there are.
        known: String,
    },
    /// There is no test of that title.
    #[error("there is no test called `{title}` in this talk; it has {known}")]
    NoSuchTest {
        /// The title that was asked for.
        title: String,
        /// Those that there are.
        known: String,
    },
    /// The backplane can have no log for it.
    #[error(transparent)]
    Backplane(#[from] UrlError),
}

/// What the mocks of one program share: how they serve, who watches them, and the count of their clients.
#[derive(Clone)]
pub struct Shared {
    options: Options,
    /// The settings of every connection.
    config: Arc<Config>,
    observer: Arc<dyn Observer>,
    journal: Option<Arc<Journal>>,
    /// Where the mocks meet those of other nodes, if they do.
    location: Option<Location>,
    /// Nobody is in it: the hubs of the mocks are its siblings.
    hub: Hub<Command>,
}

impl Shared {
    /// For mocks that serve so, and are watched by this observer.
    #[must_use]
    pub fn new(options: Options, observer: Arc<dyn Observer>) -> Self {
        Self {
            config: options.config(false),
            options,
            observer,
            journal: None,
            location: None,
            hub: Hub::new(),
        }
    }

    /// The same, with all that happens written into a journal. It costs a copy of every message.
    #[must_use]
    pub fn with_journal(self, journal: Arc<Journal>) -> Self {
        Self {
            journal: Some(journal),
            ..self
        }
    }

    /// The same, with rooms, users, history and kept values that are those of all nodes: of all mocks at the same path, of
    /// whatever program, that share this broker and namespace.
    ///
    /// [`Mock::new`] must then be called within a tokio runtime.
    #[must_use]
    pub fn with_backplane(self, location: Location) -> Self {
        Self {
            location: Some(location),
            ..self
        }
    }
}

/// What a mock plays.
#[derive(Clone)]
pub struct Performance {
    /// The talk.
    pub plan: Arc<Plan>,
    /// The title of the test that gives the dialogue; without one, the talk's only test does, unless the talk has rules
    /// of a server.
    pub test: Option<String>,
    /// What the talk is played with.
    pub setup: Setup,
    /// Where it is found.
    pub place: Place,
}

/// Where a mock is found at its address.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Place {
    /// The talk names no path: wherever nothing else is.
    #[default]
    Anywhere,
    /// At the path that the talk's `listen` names, and at those that its rules name.
    Named(String),
    /// At this path and nowhere else: the talk names none, and there are other talks.
    Given(String),
}

impl Place {
    /// The path, as a URL has it.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Anywhere => "/",
            Self::Named(path) | Self::Given(path) => path,
        }
    }
}

/// A talk being served to any number of clients.
pub struct Mock {
    shared: Shared,
    hub: Hub<Command>,
    /// The connection to its log, which other nodes share.
    joined: Option<Joined>,
    path: Arc<str>,
    place: Place,
    test: Option<String>,
    began: Instant,
    state: Mutex<State>,
    /// The player's deadline has changed.
    rescheduled: Notify,
}

struct State {
    player: Player,
    plan: Arc<Plan>,
    /// Whether the talk looks at what rooms have heard.
    remembers: bool,
    clients: BTreeMap<ConnectionId, Arc<Seat>>,
    targets: Latest,
    /// Those from whom nothing is read until the talk has worked off what they sent, and whoever waits for that.
    paused: BTreeMap<ConnectionId, Option<Waker>>,
    /// Entries for the journal, until all that belongs to an event is done.
    pending: Vec<Entry>,
}

impl Mock {
    /// A mock of a talk.
    ///
    /// # Errors
    /// If there is no such test, or the backplane can have no log for it.
    pub fn new(shared: &Shared, performance: Performance) -> Result<Arc<Self>, MockError> {
        let Performance {
            plan,
            test,
            setup,
            place,
        } = performance;
        let part = part_of(&plan, test.as_deref())?;
        let path: Arc<str> = place.path().into();
        let options = hub_options(&plan);
        let ears = Ears::new();
        let (hub, joined) = match &shared.location {
            None => (shared.hub.sibling_with(options, Memory), None),
            Some(location) => {
                let heard = Arc::clone(&ears);
                let make = |options, line| {
                    let hub = shared.hub.sibling_with(options, line);
                    hub.set_listener(move |event| heard.hear(event, Self::backplane_tells));
                    hub
                };
                let (hub, joined) = Joined::new(location, &path, options, make)?;
                shared.options.operation.readiness.hold_up(BACKPLANE);
                (hub, Some(joined))
            }
        };
        let setup = Setup {
            directory: Arc::new(Rooms(hub.clone())),
            ..setup
        };
        let mut player = Player::mock(Arc::clone(&plan), part, setup);
        if shared.journal.is_some() {
            player.tell_matches();
        }
        let mock = Arc::new(Self {
            shared: shared.clone(),
            hub,
            joined,
            path,
            place,
            test,
            began: Instant::now(),
            state: Mutex::new(State {
                player,
                remembers: plan.remembers().is_some(),
                plan,
                clients: BTreeMap::new(),
                targets: Latest::default(),
                paused: BTreeMap::new(),
                pending: Vec::new(),
            }),
            rescheduled: Notify::new(),
        });
        if let Some(metrics) = &mock.operation().metrics {
            let source = Arc::downgrade(&mock);
            metrics.watch(source);
        }
        ears.belong_to(&mock, Self::backplane_tells);
        Ok(mock)
    }

    /// What the backplane tells: of what is lost the talk tells its clients, or they are closed.
    fn backplane_tells(&self, event: &HubEvent) {
        self.tell(&Event::Backplane {
            path: &self.path,
            what: event,
        });
        match (event, &self.joined) {
            (HubEvent::Lost { count }, _) => {
                self.with_player(|player, now| player.lost(now, *count));
            }
            (HubEvent::Ready, Some(joined)) => joined.is_ready(self.operation()),
            _ => {}
        }
    }

    /// Waits until the mock knows what the other nodes know: at once, without a backplane. A mock that serves before does
    /// so with what it has. Dropping the future changes nothing.
    pub async fn ready(&self) {
        if let Some(joined) = &self.joined {
            joined.ready().await;
        }
    }

    /// Lets what is bound for other nodes go to the broker, within this time, and tells them that this one is gone.
    pub(super) async fn part(&self, limit: Duration) {
        if let Some(joined) = &self.joined {
            joined.part(limit).await;
        }
    }

    /// Serves this talk alone until `stop` is done; then the clients are let go as that says: `()` is [`Stop::Now`].
    ///
    /// Dropping this future ends all connections at once, without a close frame.
    pub async fn serve<S: Into<Stop>>(
        self: Arc<Self>,
        server: Server,
        stop: impl Future<Output = S>,
    ) {
        Site::alone(self).serve(server, stop).await;
    }

    /// Plays another version of the talk from now on. The clients stay, with their rooms, and with what is bound for
    /// them; see [`Player::reload`].
    ///
    /// # Errors
    /// If the new version has no such test; then the old one is played on.
    pub fn reload(&self, plan: Arc<Plan>) -> Result<(), MockError> {
        part_of(&plan, self.test.as_deref())?;
        let mut state = self.lock();
        state.plan = Arc::clone(&plan);
        state.remembers = plan.remembers().is_some();
        self.with_player_of(&mut state, |player, now| player.reload(now, plan));
        Ok(())
    }

    /// The path at which it is found.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where it is found.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The name of the talk: its file.
    #[must_use]
    pub fn name(&self) -> String {
        self.lock().plan.source().name().to_owned()
    }

    pub(super) fn observer(&self) -> &dyn Observer {
        self.shared.observer.as_ref()
    }

    pub(super) fn operation(&self) -> &Operation {
        &self.shared.options.operation
    }

    pub(super) fn tell(&self, event: &Event<'_>) {
        if let Some(metrics) = &self.operation().metrics {
            metrics.count(event);
        }
        self.shared.observer.event(event);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Writes into the journal, if there is one.
    fn note(&self, state: &mut State, client: Option<ClientId>, kind: impl FnOnce() -> EntryKind) {
        if self.shared.journal.is_some() {
            state.pending.push(Entry::new(&self.path, client, kind()));
        }
    }

    /// Tells the player something, and does what it wants done.
    fn with_player<T>(&self, tell: impl FnOnce(&mut Player, Time) -> T) -> T {
        self.with_player_of(&mut self.lock(), tell)
    }

    fn with_player_of<T>(&self, state: &mut State, tell: impl FnOnce(&mut Player, Time) -> T) -> T {
        let before = state.player.deadline();
        let told = tell(&mut state.player, self.now());
        self.perform(state);
        if state.player.deadline() != before {
            self.rescheduled.notify_one();
        }
        self.file(state);
        told
    }

    /// Hands over to the journal what is pending.
    fn file(&self, state: &mut State) {
        if let Some(journal) = &self.shared.journal
            && !state.pending.is_empty()
        {
            journal.push(state.pending.drain(..));
        }
    }

    /// A client is connected: it has its place in the hub, and the player greets it. All of it under one lock, so that
    /// nothing reaches the client before its greeting, and the log and the talk count the same clients.
    fn joined(&self, id: ConnectionId, seat: Arc<Seat>, extensions: Option<&str>) {
        let mut state = self.lock();
        self.tell(&Event::Connected {
            client: seat.client,
            peer: seat.peer,
            target: &seat.target,
            subprotocol: seat.subprotocol.as_deref(),
            extensions,
            clients: state.clients.len() + 1,
        });
        self.note(&mut state, Some(seat.client), || EntryKind::Open {
            peer: seat.peer,
            target: seat.target.to_string(),
            subprotocol: seat.subprotocol.as_deref().map(str::to_owned),
        });
        if let Some(metrics) = &self.operation().metrics {
            metrics.opened(Arc::clone(&seat));
        }
        state.clients.insert(id, seat);
        self.with_player_of(&mut state, |player, now| {
            player.opened(now, id, &Default::default());
        });
    }

    /// Something came from a client. Whether more is to be read from it; if not, [`poll_space`](Self::poll_space) is to be
    /// waited for.
    pub(super) fn received(&self, id: ConnectionId, what: Incoming) -> bool {
        let mut state = self.lock();
        if let Some(client) = state.clients.get(&id).map(|seat| seat.client) {
            self.tell(&Event::Received {
                client,
                what: &what,
            });
            self.note(&mut state, Some(client), || EntryKind::Received {
                frame: Frame::received(&what),
                line: None,
                unmatched: None,
            });
        }
        self.with_player_of(&mut state, |player, now| player.received(now, id, what));
        let more = state.player.takes_more(id);
        if !more {
            state.paused.insert(id, None);
        }
        more
    }

    /// Ends once more is to be read from a client.
    pub(super) fn poll_space(&self, id: ConnectionId, cx: &mut Context<'_>) -> Poll<()> {
        match self.lock().paused.get_mut(&id) {
            Some(waiting) => {
                *waiting = Some(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    /// A client is gone.
    pub(super) fn left(
        &self,
        id: ConnectionId,
        member: Member<Command>,
        end: &End,
        after: Duration,
    ) {
        let client = ClientId(member.id().0);
        let mut state = self.lock();
        // What the talk does when a client goes, it does before the client leaves its rooms.
        let told = &mut *state;
        told.player.gone(self.now(), id);
        self.perform(told);
        drop(member);
        let seat = state.clients.remove(&id);
        state.paused.remove(&id);
        if let Some(metrics) = &self.operation().metrics {
            metrics.closed(client, end.code, after);
        }
        if let Some(seat) = seat {
            let traffic = seat.meter.traffic();
            seat.traced.left(&TracedEnd {
                client,
                code: end.code,
                why: &end.why,
                traffic,
            });
            self.tell(&Event::Left {
                client,
                peer: seat.peer,
                target: &seat.target,
                code: end.code,
                why: &end.why,
                after,
                traffic,
                clients: state.clients.len(),
            });
        }
        self.note(&mut state, Some(client), || EntryKind::Gone {
            code: end.code,
            why: end.why.clone(),
            after,
        });
        self.file(&mut state);
        self.rescheduled.notify_one();
    }

    /// Wakes the player when it wants to be woken.
    pub(super) async fn clock(self: Arc<Self>) {
        loop {
            let deadline = self.lock().player.deadline();
            let deadline = deadline.map(|time| self.began + time);
            tokio::select! {
                () = self.rescheduled.notified() => {}
                () = sleep_until(deadline.unwrap_or(self.began)), if deadline.is_some() => {
                    self.with_player(Player::tick);
                }
            }
        }
    }

    /// The clients that there are.
    pub(super) fn ids(&self) -> Vec<wiretalk_hub::ConnectionId> {
        self.hub.ids()
    }

    /// Closes clients, because the server ends.
    pub(super) fn send_away(&self, whom: HubTarget<'_>, code: u16, why: &str) {
        self.hub.control(whom, &Command::close(Some(code), why), 0);
    }
}

impl Source for Mock {
    fn sample(&self) -> Sample {
        let stats = self.hub.stats();
        Sample {
            rooms: stats.rooms,
            users: stats.users,
            queued: stats.queued,
            deliveries: stats.deliveries,
            published: stats.published,
            lost: stats.lost,
            nodes: stats.nodes,
            up: stats.up,
        }
    }

    fn user_of(&self, client: ClientId) -> Option<Arc<str>> {
        self.hub.user_of(wiretalk_hub::ConnectionId(client.0))
    }
}

/// The part of a talk that gives the dialogue.
fn part_of(plan: &Plan, test: Option<&str>) -> Result<Option<usize>, MockError> {
    let known = || {
        let titles = plan.tests().map(|test| format!("`{}`", test.title));
        match &titles.collect::<Vec<_>>()[..] {
            [] => "none".to_owned(),
            titles => titles.join(", "),
        }
    };
    match (test, plan.served_by_default()) {
        (Some(title), _) => match plan.test_named(title) {
            Some(part) => Ok(Some(part)),
            None => Err(MockError::NoSuchTest {
                title: title.to_owned(),
                known: known(),
            }),
        },
        (None, None) if !plan.serves() => Err(MockError::ChooseTest { known: known() }),
        (None, part) => Ok(part),
    }
}
