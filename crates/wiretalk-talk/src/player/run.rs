//! One walk over lines: a dialogue, or the body of a rule or a clock.

use std::sync::Arc;

use super::block::{Level, LevelKind, body_of};
use super::connection::Item;
use super::hope::Hope;
use super::plan::asks_history;
use super::{
    ConnectionId, Failure, Fault, Incoming, MOST_ACTIONS, Outgoing, Player, RUNS_PER_CLIENT, Side,
    Time, Timer,
};
use crate::scope::Bindings;
use crate::source::Span;
use crate::syntax::{Content, Statement, StatementKind, Who};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RunId(u64);

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Dialogue,
    Rule,
    Clock,
    /// `on close`: the connection is gone.
    Close,
    Settings,
    Finally,
}

pub(super) struct Run {
    pub(super) owner: Owner,
    /// The connection in whose name it runs.
    pub(super) connection: Option<ConnectionId>,
    /// In a mock's dialogue: the name whose lines are played.
    pub(super) name: Option<String>,
    pub(super) steps: Arc<[Statement]>,
    /// The place in `steps`.
    pub(super) at: usize,
    /// Where it ends, in `steps`.
    pub(super) end: usize,
    /// The blocks within the line at `at` that are being played, the innermost last.
    pub(super) inner: Vec<Level>,
    /// How often the line at hand has been sent: `x3`.
    pub(super) times: usize,
    pub(super) locals: Bindings,
    pub(super) wait: Wait,
    /// What it received last.
    pub(super) message: Option<Arc<Item>>,
    /// What it sent last, if a line looks at that.
    pub(super) sent: Option<Outgoing>,
    /// The name of the client that spoke last, if one did: `Some(None)` for one without a name.
    pub(super) spoke: Option<Option<String>>,
}

/// What a run waits for.
#[derive(Debug)]
pub(super) enum Wait {
    Nothing,
    /// For that time, whatever comes; then the line at hand is done.
    Until(Time),
    /// For that time, then the line at hand is played (`after`).
    Before(Time),
    Silence {
        /// Of these connections, or of all.
        who: Option<Vec<ConnectionId>>,
        from: Time,
        until: Time,
    },
    /// For messages: one of one connection, of each of several, or any of several.
    Message {
        /// Sorted by connection; for one connection in the order of the lines.
        hopes: Vec<Hope>,
        /// How many of them are not over yet.
        open: usize,
        /// The first of their deadlines, or an earlier time.
        deadline: Option<Time>,
    },
    /// For the answers to the handshakes of these connections.
    Handshake {
        first: ConnectionId,
        last: ConnectionId,
        /// How many have not come yet.
        open: u64,
        since: Time,
        deadline: Time,
    },
    /// For those that play the dialogue together with this client to come to this line.
    Turn,
}

impl Wait {
    pub(super) fn deadline(&self) -> Option<Time> {
        match self {
            Self::Nothing | Self::Turn => None,
            Self::Until(time) | Self::Before(time) => Some(*time),
            Self::Silence { until, .. } => Some(*until),
            Self::Message { deadline, .. } => *deadline,
            Self::Handshake { deadline, .. } => Some(*deadline),
        }
    }
}

impl Run {
    pub(super) fn dialogue(
        steps: Arc<[Statement]>,
        from: usize,
        connection: Option<ConnectionId>,
        name: Option<String>,
    ) -> Self {
        Self {
            name,
            at: from,
            ..Self::body(steps, connection, Bindings::new(), None, Owner::Dialogue)
        }
    }

    pub(super) fn body(
        steps: Arc<[Statement]>,
        connection: Option<ConnectionId>,
        locals: Bindings,
        message: Option<Arc<Item>>,
        owner: Owner,
    ) -> Self {
        Self {
            owner,
            connection,
            name: None,
            end: steps.len(),
            steps,
            at: 0,
            inner: Vec::new(),
            times: 0,
            locals,
            wait: Wait::Nothing,
            message,
            sent: None,
            spoke: None,
        }
    }

    pub(super) fn message_text(&self) -> Option<&str> {
        match &self.message.as_ref()?.what {
            Incoming::Text(text) => Some(text),
            Incoming::Binary(bytes) | Incoming::Ping(bytes) | Incoming::Pong(bytes) => {
                std::str::from_utf8(bytes).ok()
            }
            Incoming::Close { reason, .. } => Some(reason),
            Incoming::End { .. } => None,
        }
    }

    /// The block at hand.
    pub(super) fn block(&self) -> &[Statement] {
        self.block_in(&self.steps)
    }

    /// The block at hand, in the steps of this run.
    fn block_in<'a>(&self, steps: &'a [Statement]) -> &'a [Statement] {
        let mut block = steps.get(..self.end).unwrap_or_default();
        let mut at = self.at;
        for level in &self.inner {
            block = block.get(at).map_or(&[], body_of);
            at = level.at;
        }
        block
    }

    /// The place in the block at hand.
    pub(super) fn place(&self) -> usize {
        self.inner.last().map_or(self.at, |level| level.at)
    }

    /// The line at hand; in `unordered`, the block.
    pub(super) fn step(&self) -> Option<&Statement> {
        self.block().get(self.place())
    }

    /// The line that a hope is about.
    pub(super) fn line(&self, hope: &Hope) -> Option<&Statement> {
        self.block().get(hope.line)
    }

    /// Something to point at: the line at hand, or the last one of its block.
    pub(super) fn span(&self) -> Option<Span> {
        let block = self.block();
        let last = block.len().checked_sub(1)?;
        block.get(self.place().min(last)).map(|step| step.span)
    }

    /// Goes to the next line of the block at hand.
    pub(super) fn go_on(&mut self) {
        self.times = 0;
        match self.inner.last_mut() {
            Some(level) => level.at += 1,
            None => self.at += 1,
        }
    }

    /// What the other side received last, as text: what it means by `message`.
    pub(super) fn sent_text(&self) -> Option<&str> {
        self.sent.as_ref()?.text()
    }
}

/// What became of playing one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Played {
    /// The next line is at hand.
    Done,
    /// The same line, or the first of its body, is at hand.
    Again,
    /// The run waits.
    Waits,
    /// The run is over: it failed.
    Failed,
}

impl Player {
    pub(super) fn start(&mut self, run: Run) -> RunId {
        self.last_run += 1;
        let id = RunId(self.last_run);
        match run.connection {
            Some(connection) => {
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.runs.insert(id);
                }
            }
            None => self.own_runs += 1,
        }
        self.runs.insert(id, run);
        self.ready.push_back(id);
        id
    }

    /// Whether a client, or the server itself, has so many bodies running that no more may start.
    pub(super) fn too_many_runs(&self, id: Option<ConnectionId>) -> bool {
        let running = match id {
            Some(id) => self.connections.get(&id).map_or(0, |c| c.runs.len()),
            None => self.own_runs,
        };
        running >= RUNS_PER_CLIENT
    }

    /// Ends a run wherever it is.
    pub(super) fn drop_run(&mut self, id: RunId) {
        self.rest(id);
        let Some(run) = self.runs.remove(&id) else {
            return;
        };
        let Some(whose) = run.connection else {
            self.own_runs = self.own_runs.saturating_sub(1);
            return;
        };
        let Some(connection) = self.connections.get_mut(&whose) else {
            return;
        };
        connection.runs.remove(&id);
        if connection.dialogue == Some(id) {
            connection.dialogue = None;
            // What it kept for lines to come is nobody's now.
            self.dirty.push_back(whose);
            self.wake_group(whose);
        }
        self.ends_work(whose, id);
        self.settle(whose);
        if run.owner == Owner::Close {
            self.forget_if_done(whose);
        }
    }

    /// Takes a run off all that it waits for.
    pub(super) fn rest(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else {
            return;
        };
        let wait = std::mem::replace(&mut run.wait, Wait::Nothing);
        if let Some(deadline) = wait.deadline() {
            self.timers.remove(&(deadline, Timer::Run(id)));
        }
        if let Wait::Message { hopes, .. } = wait {
            for hope in hopes.iter().filter(|hope| !hope.over) {
                if let Some(connection) = self.connections.get_mut(&hope.on) {
                    connection.waiting.retain(|waiting| *waiting != id);
                }
            }
        }
    }

    pub(super) fn wait(&mut self, id: RunId, wait: Wait) {
        if let Some(deadline) = wait.deadline() {
            self.timers.insert((deadline, Timer::Run(id)));
        }
        match &wait {
            Wait::Message { hopes, .. } => {
                for hope in hopes {
                    if let Some(connection) = self.connections.get_mut(&hope.on)
                        && connection.waiting.last() != Some(&id)
                    {
                        connection.waiting.push(id);
                        self.dirty.push_back(hope.on);
                    }
                }
            }
            Wait::Silence { who: Some(who), .. } => self.dirty.extend(who),
            Wait::Silence { who: None, .. } => self.dirty.extend(self.connections.keys().copied()),
            _ => {}
        }
        if let Some(run) = self.runs.get_mut(&id) {
            run.wait = wait;
        }
    }

    /// The line at hand is done; the next is to be played.
    pub(super) fn step_on(&mut self, id: RunId) {
        self.rest(id);
        if let Some(run) = self.runs.get_mut(&id) {
            if let Some(Level {
                kind: LevelKind::Unordered { .. },
                ..
            }) = run.inner.last()
            {
                run.inner.pop();
            }
            run.go_on();
            self.ready.push_back(id);
        }
    }

    /// The line at hand failed: that ends a run, but not `finally`, whose other lines have their own to clean up.
    pub(super) fn give_up(&mut self, id: RunId) {
        match self.runs.get(&id).map(|run| run.owner) {
            Some(Owner::Finally) => self.step_on(id),
            _ => self.drop_run(id),
        }
    }

    /// Plays lines until the run waits or is over.
    pub(super) fn play(&mut self, id: RunId) {
        let mut moved = None;
        while !self.is_over() {
            let Some(run) = self.runs.get(&id) else {
                break;
            };
            let whose = run.connection;
            if self.actions.len() >= MOST_ACTIONS {
                // What is to be done is done first, so that a long `repeat` takes no room.
                self.ready.push_front(id);
                break;
            }
            let steps = Arc::clone(&run.steps);
            let Some(statement) = run.block_in(&steps).get(run.place()) else {
                if self.end_of_block(id) {
                    continue;
                }
                moved = whose;
                break;
            };
            if self.plan.asks_history && !self.actions.is_empty() && asks_history(statement) {
                // It sees what was said before it only once that has been delivered.
                self.drains = true;
                self.ready.push_front(id);
                break;
            }
            let played = self.play_line(id, statement);
            if played != Played::Waits {
                moved = whose;
            }
            match played {
                Played::Done => {
                    if let Some(run) = self.runs.get_mut(&id) {
                        run.wait = Wait::Nothing;
                        run.go_on();
                    }
                }
                Played::Again => {
                    if let Some(run) = self.runs.get_mut(&id) {
                        run.wait = Wait::Nothing;
                    }
                }
                Played::Waits => break,
                Played::Failed => {
                    self.give_up(id);
                    break;
                }
            }
        }
        if let Some(whose) = moved {
            self.wake_group(whose);
        }
    }

    fn play_line(&mut self, id: RunId, statement: &Statement) -> Played {
        let span = statement.span;
        if self.must_wait_for_turn(id, statement) {
            self.wait(id, Wait::Turn);
            return Played::Waits;
        }
        match &statement.kind {
            StatementKind::Frame(frame) if self.is_ours(frame.arrow) => {
                self.play_send(id, span, frame)
            }
            StatementKind::Frame(frame) => self.play_expect(id, span, frame),
            StatementKind::Connect(connect) if self.side == Side::Client => {
                self.play_connect(id, span, connect)
            }
            StatementKind::Set(set) => self.play_set(id, span, set),
            StatementKind::Wait(time) => {
                let until = self.now.saturating_add(*time);
                self.wait(id, Wait::Until(until));
                Played::Waits
            }
            StatementKind::Silence { who, duration } => {
                let until = self.now.saturating_add(*duration);
                self.play_silence(id, span, who.as_ref(), until)
            }
            StatementKind::Repeat(repeat) => self.play_repeat(id, span, repeat),
            StatementKind::Unordered(body) if !body.is_empty() => {
                let hopes = Vec::new();
                self.enter(id, LevelKind::Unordered { hopes });
                Played::Again
            }
            StatementKind::Ignore(frame) => {
                self.play_ignore(id, span, frame);
                Played::Done
            }
            StatementKind::Join(rooms) => self.play_rooms(id, span, rooms, true),
            StatementKind::Leave(rooms) => self.play_rooms(id, span, rooms, false),
            StatementKind::Identify { who, user } => {
                self.play_identify(id, span, who.as_ref(), user)
            }
            StatementKind::Keep { room, value } => self.play_keep(id, span, room, value),
            // The handshake looks at `HTTP` itself; the rest says what holds beside the dialogue.
            _ => Played::Done,
        }
    }

    fn play_silence(&mut self, id: RunId, span: Span, who: Option<&Who>, until: Time) -> Played {
        let Some(run) = self.runs.get(&id) else {
            return Played::Failed;
        };
        if self.side == Side::Server {
            // Another client's silence is not for this one to keep.
            if let (Some(Who::Name(who)), Some(own)) = (who, &run.name)
                && who != own
            {
                return Played::Done;
            }
            self.wait(id, Wait::Until(until));
            return Played::Waits;
        }
        let who = match who {
            None | Some(Who::All) => None,
            Some(who) => match self.listeners(run, Some(who)) {
                Ok(who) => Some(who),
                Err(why) => return self.impossible(id, span, why),
            },
        };
        let from = self.now;
        self.wait(id, Wait::Silence { who, from, until });
        Played::Waits
    }

    /// A line that cannot be played: it fails a test, and a mock says so and goes on.
    pub(super) fn fail_line(&mut self, id: RunId, span: Span, why: String) {
        let connection = self.runs.get(&id).and_then(|run| run.connection);
        match self.side {
            Side::Client => {
                let expected = self.plan.source.slice(span).to_owned();
                let fault = Fault::Impossible { why };
                self.fail(Failure::new(span, connection, expected, fault));
            }
            Side::Server => {
                self.problem(span, connection, why);
                self.drop_run(id);
            }
        }
    }

    pub(super) fn impossible(&mut self, id: RunId, span: Span, why: String) -> Played {
        self.fail_line(id, span, why);
        Played::Failed
    }
}

/// Whether nothing is to be seen of what a line expects.
pub(super) fn leaves_no_trace(content: &Content) -> bool {
    matches!(content, Content::Stall(_))
}
