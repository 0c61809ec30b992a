//! A mock whose talk has been saved anew.

use std::sync::Arc;

use super::clock::RunningClock;
use super::handshake::{connect_name, end_of_dialogue};
use super::run::{Owner, Run, RunId, Wait};
use super::{Bindings, ConnectionId, Plan, Player, Side, State, Time, Timer};
use crate::source::{Source, Span};
use crate::syntax::{SetScope, Statement, StatementKind};

/// A line with what hangs under it, as it stands in a talk.
pub(super) fn block_text(source: &Source, span: Span) -> &str {
    let text = source.text();
    let rest = text.get(span.start..).unwrap_or_default();
    let mut end = rest.find('\n').map_or(rest.len(), |at| at + 1);
    while let Some(line) = rest
        .get(end..)
        .filter(|line| line.starts_with([' ', '\t', '|']))
    {
        end += line.find('\n').map_or(line.len(), |at| at + 1);
    }
    rest[..end].trim_end()
}

impl Player {
    /// Plays another version of a mock's talk from now on: its rules, its clocks, its settings. The clients stay, with
    /// what is bound for them, their rooms, and what rooms keep. A clock that has not changed strikes on; the bodies that
    /// run go on as they were. A dialogue goes on at the same place if the lines before it have not changed; else it
    /// ends, and an [`Action::Problem`](super::Action::Problem) says so.
    ///
    /// The spans of what comes from now on are of the new plan; those of bodies that still run, of the old one.
    pub fn reload(&mut self, now: Time, plan: Arc<Plan>) {
        self.begin(now);
        if self.side == Side::Client {
            return;
        }
        let old_steps = self.steps();
        let old = std::mem::replace(&mut self.plan, plan);
        let title = self.part.and_then(|part| old.parts.get(part));
        let title = title
            .filter(|part| part.named)
            .map(|part| part.title.as_str());
        let same = title.and_then(|title| self.plan.test_named(title));
        self.part = same.or_else(|| self.plan.served_by_default());
        self.look_for_control_frames();
        self.tell_of_lost_headers(&old);
        self.hire();
        self.talk = self.variables.clone();
        let settings = self.new_settings(&old);
        let run = Run::body(settings, None, Bindings::new(), None, Owner::Settings);
        self.start(run);
        self.advance();
        self.recount();
        self.change_clocks();
        let steps = self.steps();
        for group in self.groups.values_mut() {
            let members = &mut group.members;
            members.retain(|connect, _| steps.get(*connect).and_then(connect_name).is_some());
        }
        let clients: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in clients {
            self.change_dialogue(id, &old, &old_steps);
        }
        for group in self.groups.keys().copied().collect::<Vec<_>>() {
            self.wake(group);
        }
        self.advance();
    }

    /// What no line could name was not kept of the clients that are there (RFC 9110 6.3: fields of their handshakes).
    fn tell_of_lost_headers(&mut self, old: &Plan) {
        let clients = self.connections.len();
        if clients == 0 || old.names_headers || !self.plan.names_headers {
            return;
        }
        let text = self.plan.source.text().to_ascii_lowercase();
        let start = text.find("header").unwrap_or(0);
        let end = (start + "header".len()).min(text.len());
        let what = format!(
            "the headers of the clients that are there ({clients}) are not known any more, for the talk named none when they \
             came"
        );
        self.problem(Span { start, end }, None, what);
    }

    /// The `set` lines at the start of the new talk. What is there for all clients has been changed by them since, so a
    /// line about it that has not changed is not played again.
    fn new_settings(&self, old: &Plan) -> Arc<[Statement]> {
        let before: Vec<&str> = old
            .settings
            .iter()
            .map(|step| block_text(&old.source, step.span))
            .collect();
        let is_new = |step: &&Statement| match &step.kind {
            StatementKind::Set(set) if set.scope == SetScope::Global => {
                !before.contains(&block_text(&self.plan.source, step.span))
            }
            _ => true,
        };
        self.plan.settings.iter().filter(is_new).cloned().collect()
    }

    /// Which `connect`s of the new lines are played, and by how many.
    fn recount(&mut self) {
        let steps = self.steps();
        self.played.clear();
        self.had_turn.clear();
        for connection in self.connections.values_mut() {
            let plays = connection.plays.filter(|plays| {
                let step = steps.get(*plays);
                step.is_some_and(|step| matches!(step.kind, StatementKind::Connect(_)))
            });
            if connection.plays != plays {
                connection.plays = plays;
            }
            if let Some(plays) = plays {
                *self.played.entry(plays).or_default() += 1;
            }
        }
    }

    /// Stops the clocks that the talk no longer has, and starts the new ones.
    fn change_clocks(&mut self) {
        let wanted: Vec<_> = self
            .commons()
            .flat_map(|common| common.clocks.iter().cloned())
            .collect();
        let running: Vec<(u64, Arc<str>)> = self
            .clocks
            .iter()
            .map(|(id, clock)| (*id, Arc::clone(&clock.text)))
            .collect();
        for (id, text) in &running {
            if !wanted.iter().any(|clock| clock.text == *text) {
                self.stop_clock(*id);
            }
        }
        let clients: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.state == State::Open)
            .map(|(id, _)| *id)
            .collect();
        for clock in wanted {
            if running.iter().any(|(_, text)| *text == clock.text) {
                continue;
            }
            if clock.per_client {
                for id in &clients {
                    self.start_clock(&clock, Some(*id));
                }
            } else {
                self.start_clock(&clock, None);
            }
        }
    }

    fn stop_clock(&mut self, id: u64) {
        let Some(RunningClock {
            next, connection, ..
        }) = self.clocks.remove(&id)
        else {
            return;
        };
        self.timers.remove(&(next, Timer::Clock(id)));
        if let Some(connection) = connection.and_then(|id| self.connections.get_mut(&id)) {
            connection.clocks.retain(|clock| *clock != id);
        }
    }

    /// Moves a client's dialogue to the new lines, if it can be.
    fn change_dialogue(&mut self, id: ConnectionId, old: &Plan, old_steps: &[Statement]) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let Some(run_id) = connection.dialogue else {
            return;
        };
        let Some(run) = self.runs.get(&run_id) else {
            return;
        };
        let new_steps = self.steps();
        let at = run.at;
        let same = |index: usize| match (old_steps.get(index), new_steps.get(index)) {
            (Some(before), Some(after)) => {
                block_text(&old.source, before.span) == block_text(&self.plan.source, after.span)
            }
            (None, None) => true,
            _ => false,
        };
        if !(0..at).all(same) {
            let span = new_steps.first().map(|step| step.span).unwrap_or_default();
            let what = "the talk was loaded anew, and lines that this client has behind it have changed: its dialogue ends here";
            self.drop_run(run_id);
            self.problem(span, Some(id), what.to_owned());
            return;
        }
        let unchanged = same(at) && at < new_steps.len();
        let waits_for_line = !matches!(run.wait, Wait::Nothing | Wait::Turn);
        let end = end_of_dialogue(&new_steps, at, run.name.as_ref());
        let from_new_line = !unchanged && waits_for_line;
        if from_new_line {
            // The line at hand is another one now: it is played from its begin.
            self.rest(run_id);
        }
        if let Some(run) = self.runs.get_mut(&run_id) {
            run.steps = new_steps;
            run.end = end;
            if !unchanged {
                run.inner.clear();
                run.times = 0;
            }
        }
        if from_new_line {
            self.ready_again(run_id);
        }
    }

    fn ready_again(&mut self, id: RunId) {
        if !self.ready.contains(&id) {
            self.ready.push_back(id);
        }
    }
}
