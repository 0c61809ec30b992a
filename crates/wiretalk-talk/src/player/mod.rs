//! The player: a talk in one of its roles, as a state machine at virtual time.
//!
//! It is told what happened (`opened`, `received`, `gone`, `tick`) and when, and answers with [`Action`]s; between two
//! events [`Player::deadline`] says when it wants to be woken. The same player is a test, with the role of the
//! clients, and a mock, with the role of the server.

mod clock;
mod control;
mod ending;
mod events;
mod expect;
mod handshake;
mod matching;
mod plan;
mod run;
mod send;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use events::{
    Action, ClientInfo, ConnectionId, Delivery, ErrorKind, Failure, Fault, HandshakeAnswer,
    HandshakeResponse, HttpAnswer, Incoming, Outcome, Outgoing, RawHeader, Request, Target, Time,
};
pub use plan::{Plan, PlannedTest};

use crate::scope::{Bindings, Client, Context};
use crate::source::Span;
use crate::syntax::Arrow;
use crate::value::document::{Document, Parsed};
use crate::world::World;
use clock::RunningClock;
use plan::{Common, DEFAULT_TIMEOUT, Rule};
use run::{Run, RunId};

/// Payload bytes that may wait on one connection for the dialogue to come to them.
const INBOX_LIMIT: usize = 64 * 1024 * 1024;
/// Pings and pongs that may wait on one connection.
const CONTROL_LIMIT: usize = 64;
/// Rule bodies that may run for one client at the same time.
const RUNS_PER_CLIENT: usize = 1024;

/// What a player needs beside the talk.
#[derive(Clone)]
pub struct Setup {
    /// The world that expressions see.
    pub world: Arc<dyn World>,
    /// Variables from outside: they win over `set` lines of the same name.
    pub variables: Bindings,
    /// How the talk is played.
    pub manner: Manner,
}

/// How a talk is played, whatever it says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// As `option strict` in every talk.
    pub strict: bool,
    /// Whether a test waits where a line is sent `after` a time, as a mock does.
    pub paced: bool,
    /// Whether a message that differs from its line is taken all the same, and told as a [`Change`] in the outcome.
    pub update: bool,
    /// Which row of `each` a test plays, from 0.
    pub row: usize,
    /// Who plays, and the how manieth time, in a load run.
    pub load: Load,
}

/// What `load.user` and `load.iteration` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The user, counted from 1.
    pub user: u64,
    /// How often this user has played the talk before.
    pub iteration: u64,
}

impl Default for Load {
    /// Outside a load run: the first user, for the first time.
    fn default() -> Self {
        Self {
            user: 1,
            iteration: 0,
        }
    }
}

/// What came in place of what a line expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The line of the talk.
    pub span: Span,
    /// What came.
    pub came: Incoming,
}

/// Whose lines we play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// The clients': a test.
    Client,
    /// The server's: a mock.
    Server,
}

/// A talk being played.
pub struct Player {
    plan: Arc<Plan>,
    side: Side,
    /// The part of the talk that gives the dialogue.
    part: Option<usize>,
    world: Arc<dyn World>,
    variables: Bindings,
    /// Names bound for the whole talk.
    talk: Bindings,
    /// Names bound in a test's dialogue.
    dialogue: Bindings,
    /// `set global.NAME`
    global: Bindings,
    connections: BTreeMap<ConnectionId, Connection>,
    /// How many of them are open.
    open: usize,
    last_connection: u64,
    /// How many clients play each `connect` of a mock's dialogue, by its place.
    played: BTreeMap<usize, usize>,
    /// The `connect`s of this round that have refused a client, by their place.
    refused: BTreeSet<usize>,
    runs: BTreeMap<RunId, Run>,
    /// How many of them belong to no connection.
    own_runs: usize,
    /// The dialogue of a test.
    dialogue_run: Option<RunId>,
    last_run: u64,
    ready: VecDeque<RunId>,
    /// Connections with something to offer to the lines that wait.
    dirty: VecDeque<ConnectionId>,
    timers: BTreeSet<(Time, Timer)>,
    clocks: BTreeMap<u64, RunningClock>,
    last_clock: u64,
    actions: VecDeque<Action>,
    now: Time,
    ending: Ending,
    /// Since a test's `finally` has begun: how many actions there still are of what was before it.
    before_finally: Option<usize>,
    /// Whether the last action that was asked for was one of `finally`.
    in_finally: bool,
    /// Under `Manner::update`: what came in place of what lines expect.
    changes: Vec<Change>,
    /// Whether a line somewhere waits for pings, or for pongs.
    expects_ping: bool,
    expects_pong: bool,
    /// Whether a line that expects something looks at what we sent before.
    remembers_sent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Run(RunId),
    Clock(u64),
}

/// How far a test is from its end.
#[derive(Debug)]
enum Ending {
    /// The dialogue goes on; for a mock, always.
    Playing,
    /// `finally` goes on.
    Finally(Outcome),
    /// It is over.
    Over,
}

/// A connection that the player knows of.
struct Connection {
    name: Option<String>,
    state: State,
    client: Client,
    /// Names bound in a mock's dialogue with this client.
    bindings: Bindings,
    /// Messages and closes that no line has taken yet.
    inbox: VecDeque<Arc<Item>>,
    inbox_bytes: usize,
    /// Pings and pongs that no line has taken yet.
    control: VecDeque<Arc<Item>>,
    /// Runs that wait for something to come here, the youngest last.
    waiting: Vec<RunId>,
    /// A mock's dialogue with this client.
    dialogue: Option<RunId>,
    /// Which `connect` of the dialogue this client plays.
    plays: Option<usize>,
    /// What runs in its name.
    runs: BTreeSet<RunId>,
    clocks: Vec<u64>,
    last_sent: Option<Time>,
    close_sent: bool,
    /// Whether a strict mock has closed it for a message that no line expects.
    shut: bool,
    /// Whether the peer has sent its close, or is gone.
    close_came: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Gone,
}

#[derive(Debug)]
struct Item {
    at: Time,
    what: Incoming,
    /// What it is as JSON, for all lines and rules that look at it.
    parsed: Parsed,
}

impl Item {
    fn new(at: Time, what: Incoming) -> Self {
        Self {
            at,
            what,
            parsed: Parsed::default(),
        }
    }

    /// The payload as text, if it is UTF-8.
    fn document(&self) -> Option<Document<'_>> {
        matching::text_of(&self.what).map(|text| Document::new(text, &self.parsed))
    }

    /// What it counts against the bound of an inbox: an empty message takes room too.
    fn weight(&self) -> usize {
        self.what.bytes().len() + size_of::<Self>()
    }
}

impl Connection {
    fn new(name: Option<String>, client: Client) -> Self {
        Self {
            name,
            state: State::Opening,
            client,
            bindings: Bindings::new(),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            control: VecDeque::new(),
            waiting: Vec::new(),
            dialogue: None,
            plays: None,
            runs: BTreeSet::new(),
            clocks: Vec::new(),
            last_sent: None,
            close_sent: false,
            shut: false,
            close_came: false,
        }
    }
}

impl Player {
    /// A player of one test of the talk: an index that [`Plan::tests`] gave.
    #[must_use]
    pub fn test(plan: Arc<Plan>, index: usize, setup: Setup) -> Self {
        let mut player = Self::new(plan, Side::Client, Some(index), setup);
        let steps = player
            .plan
            .parts
            .get(index)
            .map(|part| Arc::clone(&part.steps))
            .unwrap_or_default();
        let run = player.start(Run::dialogue(steps, 0, None, None));
        player.dialogue_run = Some(run);
        player
    }

    /// A player of the talk as a mock. `test` is the test that gives the dialogue, if one is served.
    #[must_use]
    pub fn mock(plan: Arc<Plan>, test: Option<usize>, setup: Setup) -> Self {
        let mut player = Self::new(plan, Side::Server, test, setup);
        let settings = Arc::clone(&player.plan.settings);
        player.start(Run::body(
            settings,
            None,
            Bindings::new(),
            None,
            run::Owner::Settings,
        ));
        let clocks: Vec<_> = player
            .commons()
            .flat_map(|common| &common.clocks)
            .filter(|clock| !clock.per_client)
            .map(|clock| (clock.period, Arc::clone(&clock.body)))
            .collect();
        for (period, body) in clocks {
            player.start_clock(period, body, None);
        }
        player
    }

    fn new(plan: Arc<Plan>, side: Side, part: Option<usize>, setup: Setup) -> Self {
        let mut player = Self {
            talk: setup.variables.clone(),
            variables: setup.variables,
            world: setup.world,
            plan,
            side,
            part,
            dialogue: Bindings::new(),
            global: Bindings::new(),
            connections: BTreeMap::new(),
            open: 0,
            last_connection: 0,
            played: BTreeMap::new(),
            refused: BTreeSet::new(),
            runs: BTreeMap::new(),
            own_runs: 0,
            dialogue_run: None,
            last_run: 0,
            ready: VecDeque::new(),
            dirty: VecDeque::new(),
            timers: BTreeSet::new(),
            clocks: BTreeMap::new(),
            last_clock: 0,
            actions: VecDeque::new(),
            now: Time::ZERO,
            ending: Ending::Playing,
            before_finally: None,
            in_finally: false,
            changes: Vec::new(),
            expects_ping: false,
            expects_pong: false,
            remembers_sent: false,
        };
        player.look_for_control_frames();
        player
    }

    /// The next thing to do, until there is none.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.advance();
        let action = self.actions.pop_front();
        match &mut self.before_finally {
            Some(0) => self.in_finally = true,
            Some(before) => *before -= 1,
            None => {}
        }
        action
    }

    /// When the player wants to be woken by [`Player::tick`], if nothing comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// The time is now `now`.
    pub fn tick(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.fire(|time, now| time <= now);
    }

    /// Something happens at `now`: what should have happened before happens first, so that a deadline holds also if
    /// the caller comes late.
    fn begin(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.advance();
        self.fire(|time, now| time < now);
    }

    fn fire(&mut self, is_due: fn(Time, Time) -> bool) {
        while let Some((time, timer)) = self.timers.first().copied() {
            if !is_due(time, self.now) {
                break;
            }
            self.timers.remove(&(time, timer));
            match timer {
                Timer::Clock(id) => self.strike(id),
                Timer::Run(id) => self.time_is_up(id),
            }
            self.advance();
        }
    }

    /// How many clients a mock has, or how many connections a test has open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open
    }

    /// The name that a connection has in the talk.
    #[must_use]
    pub fn name_of(&self, id: ConnectionId) -> Option<&str> {
        self.connections.get(&id)?.name.as_deref()
    }

    /// A connection is open: after a handshake that was accepted, or for a test with the answer that it got.
    pub fn opened(&mut self, now: Time, id: ConnectionId, response: &HandshakeResponse) {
        self.begin(now);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.state != State::Opening {
            return;
        }
        connection.state = State::Open;
        self.open += 1;
        let clocks: Vec<_> = self
            .commons()
            .flat_map(|common| &common.clocks)
            .filter(|clock| clock.per_client || self.side == Side::Client)
            .map(|clock| (clock.period, Arc::clone(&clock.body)))
            .collect();
        for (period, body) in clocks {
            self.start_clock(period, body, Some(id));
        }
        match self.side {
            Side::Client => self.handshake_result(id, response),
            Side::Server => self.begin_dialogue(id),
        }
        self.advance();
    }

    /// Something came over a connection.
    pub fn received(&mut self, now: Time, id: ConnectionId, what: Incoming) {
        self.begin(now);
        let answered = match &what {
            Incoming::Close { .. } => self.will_write_close(id),
            Incoming::Ping(payload) => self.will_write_pong(id, payload),
            _ => false,
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        // A caller who comes late still says when it came.
        let item = Arc::new(Item::new(now, what));
        match &item.what {
            Incoming::Ping(payload) => {
                if !answered {
                    self.actions.push_back(Action::Send {
                        to: Target::One(id),
                        frame: Outgoing::Pong(payload.clone()),
                        delivery: Delivery::default(),
                    });
                }
                if self.expects_ping {
                    connection.control.push_back(item);
                }
            }
            Incoming::Pong(_) => {
                if self.expects_pong {
                    connection.control.push_back(item);
                }
            }
            Incoming::Close { .. } => {
                connection.close_came = true;
                if !connection.close_sent && !answered {
                    connection.close_sent = true;
                    self.actions.push_back(Action::ReplyClose(id));
                }
                connection.inbox_bytes += item.weight();
                connection.inbox.push_back(item);
            }
            Incoming::Text(_) | Incoming::Binary(_) | Incoming::End { .. } => {
                connection.close_came |= matches!(item.what, Incoming::End { .. });
                connection.inbox_bytes += item.weight();
                connection.inbox.push_back(item);
            }
        }
        while connection.control.len() > CONTROL_LIMIT {
            connection.control.pop_front();
        }
        self.dirty.push_back(id);
        self.advance();
        self.bound_inbox(id);
    }

    /// A connection is gone for good: nothing more will come, nothing can be sent.
    pub fn gone(&mut self, now: Time, id: ConnectionId) {
        self.begin(now);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.state == State::Open {
            self.open -= 1;
        }
        connection.state = State::Gone;
        connection.close_came = true;
        for clock in std::mem::take(&mut connection.clocks) {
            if let Some(running) = self.clocks.remove(&clock) {
                self.timers.remove(&(running.next, Timer::Clock(clock)));
            }
        }
        match self.side {
            // A line may wait for what can no longer come.
            Side::Client => self.dirty.push_back(id),
            Side::Server => {
                for run in std::mem::take(&mut connection.runs) {
                    self.drop_run(run);
                }
                let plays = self.connections.remove(&id).and_then(|gone| gone.plays);
                if let Some(count) = plays.and_then(|plays| self.played.get_mut(&plays)) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        self.advance();
    }

    /// Whether the test is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.ending, Ending::Over)
    }

    /// What holds for the whole talk, and for the part that is played.
    fn commons(&self) -> impl Iterator<Item = &Common> {
        let part = self.part.and_then(|part| self.plan.parts.get(part));
        std::iter::once(&self.plan.shared).chain(part.map(|part| &part.common))
    }

    fn timeout(&self) -> Duration {
        let own = self.commons().filter_map(|common| common.timeout).last();
        own.unwrap_or(DEFAULT_TIMEOUT)
    }

    fn strict(&self) -> bool {
        let own = self.commons().filter_map(|common| common.strict).last();
        own.unwrap_or(false)
    }

    /// Whether the talk says that permessage-deflate is offered or agreed to.
    fn compression(&self) -> Option<bool> {
        self.commons()
            .filter_map(|common| common.compression)
            .last()
    }

    /// The subprotocols that the talk names.
    fn subprotocols(&self) -> Vec<String> {
        let lists = self.commons().map(|common| &common.subprotocols);
        lists
            .filter(|list| !list.is_empty())
            .last()
            .cloned()
            .unwrap_or_default()
    }

    /// Whether lines of this arrow are ours to send.
    fn is_ours(&self, arrow: Arrow) -> bool {
        (arrow == Arrow::ToServer) == (self.side == Side::Client)
    }

    /// All that is in sight of a run.
    fn context<'a>(&'a self, run: &'a Run) -> Context<'a> {
        let mut context = self.context_of(&run.locals, run.connection, run.message_text());
        context.parsed = run.message.as_ref().map(|item| &item.parsed);
        context
    }

    fn context_of<'a>(
        &'a self,
        locals: &'a Bindings,
        connection: Option<ConnectionId>,
        message: Option<&'a str>,
    ) -> Context<'a> {
        let connection = connection.and_then(|id| self.connections.get(&id));
        let dialogue = match (self.side, connection) {
            (Side::Server, Some(connection)) => &connection.bindings,
            _ => &self.dialogue,
        };
        Context {
            layers: [locals, dialogue, &self.talk],
            global: &self.global,
            message,
            parsed: None,
            client: connection
                .filter(|_| self.side == Side::Server)
                .map(|connection| &connection.client),
            clients: self.open,
            world: &self.world,
        }
    }

    /// Does all that can be done now.
    fn advance(&mut self) {
        while !self.is_over() {
            if let Some(run) = self.ready.pop_front() {
                self.play(run);
            } else if let Some(connection) = self.dirty.pop_front() {
                self.offer(connection);
            } else {
                return;
            }
        }
    }

    /// The rules for messages from the other side.
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        let rules = self.commons().flat_map(|common| &common.rules);
        rules.filter(|rule| !self.is_ours(rule.arrow))
    }

    fn problem(&mut self, span: Span, connection: Option<ConnectionId>, what: String) {
        self.actions.push_back(Action::Problem {
            span,
            connection,
            what,
        });
    }
}

#[cfg(test)]
mod tests;
