//! One walk over lines: a dialogue, or the body of a rule or a clock.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Action, Connection, ConnectionId, Failure, Fault, Incoming, Item, Outgoing, Player,
    RUNS_PER_CLIENT, Side, State, Time, Timer,
};
use crate::scope::Bindings;
use crate::source::Span;
use crate::syntax::{Connect, Frame, Statement, StatementKind, Who};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RunId(u64);

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Dialogue,
    Rule,
    Clock,
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
    pub(super) at: usize,
    /// Where it ends, in `steps`.
    pub(super) end: usize,
    pub(super) locals: Bindings,
    pub(super) wait: Wait,
    /// What it received last.
    pub(super) message: Option<Arc<Item>>,
    /// What it sent last, if a line looks at that.
    pub(super) sent: Option<Outgoing>,
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
        who: Option<ConnectionId>,
        from: Time,
        until: Time,
    },
    /// For a message on each of these connections in turn.
    Message {
        on: Vec<ConnectionId>,
        since: Time,
        deadline: Option<Time>,
    },
    /// For the answer to a handshake.
    Handshake {
        connection: ConnectionId,
        since: Time,
        deadline: Time,
    },
}

impl Wait {
    fn deadline(&self) -> Option<Time> {
        match self {
            Self::Nothing => None,
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
            locals,
            wait: Wait::Nothing,
            message,
            sent: None,
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

    /// The line at hand.
    pub(super) fn step(&self) -> Option<&Statement> {
        self.left().first()
    }

    /// The line at hand and those behind it.
    pub(super) fn left(&self) -> &[Statement] {
        self.steps.get(self.at..self.end).unwrap_or_default()
    }

    /// What the other side received last, as text: what it means by `message`.
    pub(super) fn sent_text(&self) -> Option<&str> {
        self.sent.as_ref()?.text()
    }
}

/// What became of playing one line.
pub(super) enum Played {
    /// The next line is at hand.
    Done,
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

    /// Whether nothing can be sent over a connection any more, or not yet.
    pub(super) fn is_closing(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_none_or(|connection| {
            connection.state != State::Open || connection.close_sent || connection.close_came
        })
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
        if let Some(connection) = self.connections.get_mut(&whose) {
            connection.runs.remove(&id);
            if connection.dialogue == Some(id) {
                connection.dialogue = None;
                // What it kept for lines to come is nobody's now.
                self.dirty.push_back(whose);
            }
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
        if let Wait::Message { on, .. } = wait
            && let Some(connection) = on.first().and_then(|on| self.connections.get_mut(on))
        {
            connection.waiting.retain(|waiting| *waiting != id);
        }
    }

    pub(super) fn wait(&mut self, id: RunId, wait: Wait) {
        if let Some(deadline) = wait.deadline() {
            self.timers.insert((deadline, Timer::Run(id)));
        }
        if let Wait::Message { on, .. } = &wait
            && let Some(first) = on.first()
            && let Some(connection) = self.connections.get_mut(first)
        {
            connection.waiting.push(id);
            self.dirty.push_back(*first);
        }
        if let Wait::Silence { who, .. } = &wait {
            match who {
                Some(who) => self.dirty.push_back(*who),
                None => self.dirty.extend(self.connections.keys().copied()),
            }
        }
        if let Some(run) = self.runs.get_mut(&id) {
            run.wait = wait;
        }
    }

    /// The line at hand is done; the next is to be played.
    pub(super) fn step_on(&mut self, id: RunId) {
        self.rest(id);
        if let Some(run) = self.runs.get_mut(&id) {
            run.at += 1;
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
        while !self.is_over() {
            let Some(run) = self.runs.get(&id) else {
                return;
            };
            let steps = Arc::clone(&run.steps);
            let Some(statement) = steps[..run.end].get(run.at) else {
                self.finish_run(id);
                return;
            };
            match self.play_line(id, statement) {
                Played::Done => {
                    if let Some(run) = self.runs.get_mut(&id) {
                        run.wait = Wait::Nothing;
                        run.at += 1;
                    }
                }
                Played::Waits => return,
                Played::Failed => {
                    self.give_up(id);
                    return;
                }
            }
        }
    }

    fn play_line(&mut self, id: RunId, statement: &Statement) -> Played {
        match &statement.kind {
            StatementKind::Frame(frame) if self.is_ours(frame.arrow) => {
                self.play_send(id, statement.span, frame)
            }
            StatementKind::Frame(frame) => self.play_expect(id, statement.span, frame),
            StatementKind::Connect(connect) if self.side == Side::Client => {
                self.play_connect(id, statement.span, connect)
            }
            StatementKind::Set(set) => self.play_set(id, statement.span, set),
            StatementKind::Wait(time) => {
                let until = self.now.saturating_add(*time);
                self.wait(id, Wait::Until(until));
                Played::Waits
            }
            StatementKind::Silence { who, duration } => {
                let until = self.now.saturating_add(*duration);
                if self.side == Side::Server {
                    // Another client's silence is not for this one to keep.
                    let run = self.runs.get(&id);
                    if let (Some(Who::Name(who)), Some(own)) =
                        (who, run.and_then(|r| r.name.as_ref()))
                        && who != own
                    {
                        return Played::Done;
                    }
                    self.wait(id, Wait::Until(until));
                    return Played::Waits;
                }
                let who = match who {
                    None | Some(Who::All | Who::Others | Who::Room(_) | Who::User(_)) => None,
                    Some(Who::Name(name)) => match self.connection_named(Some(name)) {
                        Some(connection) => Some(connection),
                        None => {
                            let why = format!("there is no connection called `{name}`");
                            return self.impossible(id, statement.span, why);
                        }
                    },
                };
                let from = self.now;
                self.wait(id, Wait::Silence { who, from, until });
                Played::Waits
            }
            // The handshake looks at `HTTP` itself; the rest says what holds beside the dialogue.
            _ => Played::Done,
        }
    }

    /// A line that cannot be played: it fails a test, and a mock says so and goes on.
    pub(super) fn fail_line(&mut self, id: RunId, span: Span, why: String) {
        let connection = self.runs.get(&id).and_then(|run| run.connection);
        match self.side {
            Side::Client => {
                let expected = self.plan.source.slice(span).to_owned();
                self.fail(Failure {
                    span,
                    connection,
                    expected,
                    fault: Fault::Impossible { why },
                    check: None,
                    passed_over: 0,
                    passed_over_last: Vec::new(),
                    changes: Vec::new(),
                });
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

    fn play_expect(&mut self, id: RunId, span: Span, frame: &Frame) -> Played {
        let Some(run) = self.runs.get(&id) else {
            return Played::Failed;
        };
        // A clock of ours sends; what the other side's clock does is no business of ours.
        if run.owner == Owner::Clock {
            return Played::Done;
        }
        if let (Some(name), Some(Who::Name(other))) = (&run.name, &frame.who)
            && name != other
        {
            return Played::Done;
        }
        let on = match (self.side, &frame.who) {
            (Side::Server, _) => match run.connection {
                Some(id) => vec![id],
                None => return self.impossible(id, span, "no client is meant".into()),
            },
            (Side::Client, Some(who @ (Who::All | Who::Others))) => match self.everyone(run, who) {
                Ok(everyone) => everyone,
                Err(why) => return self.impossible(id, span, why),
            },
            (Side::Client, who) => match self.meant(run, who.as_ref()) {
                Ok(id) => vec![id],
                Err(why) => return self.impossible(id, span, why),
            },
        };
        let given = frame.options.within;
        let limit = match self.side {
            // A mock waits for its client as long as the client likes.
            Side::Server if run.owner == Owner::Dialogue => given,
            _ => Some(given.unwrap_or_else(|| self.timeout())),
        };
        let after = frame.options.after.unwrap_or_default();
        let deadline = limit.map(|limit| self.now.saturating_add(limit).saturating_add(after));
        let since = self.now;
        self.wait(
            id,
            Wait::Message {
                on,
                since,
                deadline,
            },
        );
        Played::Waits
    }

    fn play_connect(&mut self, id: RunId, span: Span, connect: &Connect) -> Played {
        let url = match self.render(id, &connect.url) {
            Ok(url) => url,
            Err(why) => return self.impossible(id, span, why),
        };
        let mut headers = Vec::with_capacity(connect.headers.len());
        for header in &connect.headers {
            match self.render(id, &header.value) {
                Ok(value) => headers.push((header.name.clone(), value)),
                Err(why) => return self.impossible(id, header.span, why),
            }
        }
        let subprotocols = self.subprotocols();
        let compression = self.compression();
        self.last_connection += 1;
        let connection = ConnectionId(self.last_connection);
        self.connections.insert(
            connection,
            Connection::new(connect.name.clone(), crate::Client::default()),
        );
        self.actions.push_back(Action::Connect {
            connection,
            name: connect.name.clone(),
            url,
            headers,
            subprotocols,
            compression,
        });
        let deadline = self.now.saturating_add(self.timeout());
        let since = self.now;
        self.wait(
            id,
            Wait::Handshake {
                connection,
                since,
                deadline,
            },
        );
        Played::Waits
    }

    /// A run's time is up.
    pub(super) fn time_is_up(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else {
            return;
        };
        match &run.wait {
            Wait::Nothing => {}
            Wait::Until(_) | Wait::Silence { .. } => self.step_on(id),
            Wait::Before(_) => self.ready.push_back(id),
            Wait::Message {
                on,
                since,
                deadline,
            } => {
                let waited = deadline.unwrap_or(self.now).saturating_sub(*since);
                let connection = on.first().copied();
                self.nothing_came(id, connection, waited);
            }
            Wait::Handshake {
                connection,
                since,
                deadline,
            } => {
                let waited = deadline.saturating_sub(*since);
                let connection = Some(*connection);
                self.nothing_came(id, connection, waited);
            }
        }
    }

    fn nothing_came(&mut self, id: RunId, connection: Option<ConnectionId>, waited: Duration) {
        let Some(run) = self.runs.get(&id) else {
            return;
        };
        let Some(statement) = run.step() else { return };
        let span = statement.span;
        let expected = match &statement.kind {
            StatementKind::Frame(frame) => self.describe(run, frame),
            _ => "an answer to the handshake".to_owned(),
        };
        match self.side {
            Side::Client => {
                self.fail(Failure {
                    span,
                    connection,
                    expected,
                    fault: Fault::Nothing { waited },
                    check: None,
                    passed_over: 0,
                    passed_over_last: Vec::new(),
                    changes: Vec::new(),
                });
                self.give_up(id);
            }
            Side::Server => {
                let what = format!("the client did not send it within {waited:?}");
                self.problem(span, connection, what);
                self.drop_run(id);
            }
        }
    }
}
