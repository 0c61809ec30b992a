//! The player: a talk in one of its roles, as a state machine at virtual time.
//!
//! It is told what happened (`opened`, `received`, `gone`, `tick`) and when, and answers with [`Action`]s; between two
//! events [`Player::deadline`] says when it wants to be woken. The same player is a test, with the role of the
//! clients, and a mock, with the role of the server.

mod block;
mod clock;
mod connection;
mod control;
mod ending;
mod events;
mod expect;
mod handshake;
mod hope;
mod ignore;
mod matching;
mod opening;
mod plan;
mod reload;
mod rooms;
mod run;
mod send;
mod setup;
mod sight;
mod turn;
mod visit;
mod whom;
mod workers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub use events::{
    Action, ClientInfo, ConnectionId, Delivery, ErrorKind, Failure, Fault, HandshakeAnswer,
    HandshakeResponse, HttpAnswer, Incoming, Outcome, Outgoing, RawHeader, Request, Target, Time,
};
pub use plan::{Plan, PlannedTest, Remembers};
pub use setup::{Change, Load, Manner, Setup};

pub(crate) use rooms::Rooms;

use crate::directory::Directory;
use crate::scope::Bindings;
use crate::source::Span;
use crate::world::World;
use clock::RunningClock;
use connection::{Connection, Item, State};
use ignore::Ignored;
use run::{Owner, Run, RunId};

/// Payload bytes that may wait on one connection for the dialogue to come to them.
const INBOX_LIMIT: usize = 64 * 1024 * 1024;
/// Pings and pongs that may wait on one connection.
const CONTROL_LIMIT: usize = 64;
/// Rule bodies that may run for one client at the same time.
const RUNS_PER_CLIENT: usize = 1024;
/// Actions that may wait to be asked for before lines that make more of them are played.
const MOST_ACTIONS: usize = 256;

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
    directory: Arc<dyn Directory>,
    /// From outside, and in a test those of the row of `each`: they win over `set` lines.
    variables: Bindings,
    manner: Manner,
    /// Names bound for the whole talk.
    talk: Bindings,
    /// Names bound in a test's dialogue.
    dialogue: Bindings,
    /// `set global.NAME`
    global: Bindings,
    /// Boxed, since the map has room for more of them than there are.
    connections: BTreeMap<ConnectionId, Box<Connection>>,
    /// Shared with expressions while they ask for members.
    rooms: Arc<Rooms>,
    /// Messages that are as if they had not come, on any connection.
    ignored: Vec<Ignored>,
    /// Names of which every value is remembered, and the values.
    watched: BTreeSet<String>,
    had: BTreeMap<String, VecDeque<String>>,
    /// How many of them are open.
    open: usize,
    last_connection: u64,
    /// The path of the client that came last.
    latest_path: Arc<str>,
    /// How many clients play each `connect` of a mock's dialogue, by its place.
    played: BTreeMap<usize, usize>,
    /// How many clients have taken each `connect` of a mock's dialogue, gone ones too; `None`: there is none.
    taken: BTreeMap<Option<usize>, usize>,
    /// Clients that play a mock's dialogue together.
    groups: BTreeMap<u64, turn::Group>,
    last_group: u64,
    /// The `connect`s that a client has taken in this round, by their place.
    had_turn: BTreeSet<usize>,
    runs: BTreeMap<RunId, Run>,
    /// How many of them belong to no connection.
    own_runs: usize,
    /// The dialogue of a test.
    dialogue_run: Option<RunId>,
    last_run: u64,
    ready: VecDeque<RunId>,
    /// Connections with something to offer to the lines that wait.
    dirty: VecDeque<ConnectionId>,
    /// How many workers there are, if bodies need one; how many are at work; and who waits for one.
    workers: Option<usize>,
    working: usize,
    queue: VecDeque<ConnectionId>,
    timers: BTreeSet<(Time, Timer)>,
    clocks: BTreeMap<u64, RunningClock>,
    last_clock: u64,
    actions: VecDeque<Action>,
    /// Whether all actions are to be done before anything more is played.
    drains: bool,
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
    /// Whether a check looks at the time since we sent something.
    asks_latency: bool,
    /// Whether it is told which line took what came.
    tells_matches: bool,
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
            .cloned()
            .collect();
        for clock in clocks {
            player.start_clock(&clock, None);
        }
        player
    }

    fn new(plan: Arc<Plan>, side: Side, part: Option<usize>, setup: Setup) -> Self {
        let mut variables = setup.variables;
        if side == Side::Client {
            let rows = part.and_then(|part| plan.parts.get(part)?.rows.clone());
            let row = rows.as_ref().and_then(|rows| rows.get(setup.manner.row));
            for (name, value) in row.into_iter().flatten() {
                if !variables.contains_key(name) {
                    variables.insert(name.clone(), value.clone());
                }
            }
        }
        let mut player = Self {
            talk: variables.clone(),
            variables,
            manner: setup.manner,
            world: setup.world,
            directory: setup.directory,
            plan,
            side,
            part,
            dialogue: Bindings::new(),
            global: Bindings::new(),
            connections: BTreeMap::new(),
            rooms: Arc::default(),
            ignored: Vec::new(),
            watched: BTreeSet::new(),
            had: BTreeMap::new(),
            open: 0,
            last_connection: 0,
            latest_path: "".into(),
            played: BTreeMap::new(),
            taken: BTreeMap::new(),
            groups: BTreeMap::new(),
            last_group: 0,
            had_turn: BTreeSet::new(),
            runs: BTreeMap::new(),
            own_runs: 0,
            dialogue_run: None,
            last_run: 0,
            ready: VecDeque::new(),
            dirty: VecDeque::new(),
            workers: None,
            working: 0,
            queue: VecDeque::new(),
            timers: BTreeSet::new(),
            clocks: BTreeMap::new(),
            last_clock: 0,
            actions: VecDeque::new(),
            drains: false,
            now: Time::ZERO,
            ending: Ending::Playing,
            before_finally: None,
            in_finally: false,
            changes: Vec::new(),
            expects_ping: false,
            expects_pong: false,
            remembers_sent: false,
            asks_latency: false,
            tells_matches: false,
        };
        player.look_for_control_frames();
        player.hire();
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

    /// From now on, a mock tells which line took what came: [`Action::Matched`].
    pub fn tell_matches(&mut self) {
        self.tells_matches = self.side == Side::Server;
    }

    /// A line took what came.
    fn matched(&mut self, connection: ConnectionId, span: Span) {
        if self.tells_matches {
            self.actions.push_back(Action::Matched { connection, span });
        }
    }

    /// How many actions wait to be asked for.
    #[cfg(test)]
    fn waiting_actions(&self) -> usize {
        self.actions.len()
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
        if !self.ready.is_empty() {
            // There is more to do than the caller has asked for; what came for lines that wait is looked at all the same.
            for id in std::mem::take(&mut self.dirty) {
                let waited_for = |connection: &Connection| !connection.waiting.is_empty();
                match self
                    .connections
                    .get(&id)
                    .is_some_and(|connection| waited_for(connection))
                {
                    true => self.offer(id),
                    false => self.dirty.push_back(id),
                }
            }
        }
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
            .cloned()
            .collect();
        for clock in clocks {
            self.start_clock(&clock, Some(id));
        }
        match self.side {
            Side::Client => self.handshake_result(id, response),
            Side::Server => {
                let none = Bindings::new();
                self.start_visit(id, |common| &common.opens, Owner::Rule, &none);
                self.begin_dialogue(id);
            }
        }
        self.advance();
    }

    /// A client that was let in without a token has brought one since: what it claims.
    pub fn proven(&mut self, id: ConnectionId, claims: Arc<serde_json::Value>) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.client.token = Some(claims);
        }
    }

    /// Something came over a connection.
    pub fn received(&mut self, now: Time, id: ConnectionId, what: Incoming) {
        self.begin(now);
        let behind = matches!(what, Incoming::Close { .. }) && self.is_behind(id);
        let answered = match &what {
            Incoming::Ping(payload) => self.will_write_pong(id, payload),
            _ => false,
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.state == State::Gone {
            return;
        }
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
                connection.close_waits = true;
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
        if !behind {
            self.close_is_next(id);
        }
        self.dirty.push_back(id);
        self.advance();
        self.bound_inbox(id);
    }

    /// The peer's close, if it has come, is the next thing to look at: it is answered now, unless the talk does it.
    fn close_is_next(&mut self, id: ConnectionId) {
        let waits = |connection: &Connection| connection.close_waits;
        if !self
            .connections
            .get(&id)
            .is_some_and(|connection| waits(connection))
        {
            return;
        }
        let answered = self.will_write_close(id);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.close_waits = false;
            connection.close_came = true;
            if !connection.close_sent && !answered {
                connection.close_sent = true;
                self.actions.push_back(Action::ReplyClose(id));
            }
        }
    }

    /// A connection is gone for good: nothing more will come, nothing can be sent.
    pub fn gone(&mut self, now: Time, id: ConnectionId) {
        self.begin(now);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let was_open = connection.state == State::Open;
        if connection.state == State::Gone {
            return;
        }
        if was_open {
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
            Side::Server => self.client_is_gone(id, was_open),
        }
        self.advance();
    }

    /// Whether the test is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.ending, Ending::Over)
    }

    /// Does all that can be done now.
    fn advance(&mut self) {
        while !self.is_over() {
            if self.drains && !self.actions.is_empty() {
                return;
            }
            self.drains = false;
            if let Some(run) = self.ready.pop_front() {
                if self.actions.len() >= MOST_ACTIONS {
                    self.ready.push_front(run);
                    return;
                }
                self.play(run);
            } else if let Some(connection) = self.dirty.pop_front() {
                self.offer(connection);
                self.settle(connection);
            } else {
                return;
            }
        }
    }

    /// Something may be over on a connection.
    fn settle(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.settle();
        }
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
