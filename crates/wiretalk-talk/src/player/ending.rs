//! How a test comes to its end.

use std::sync::Arc;

use super::connection::Item;
use super::run::{Owner, Run, RunId};
use super::{
    Action, Change, ConnectionId, Ending, Failure, Fault, Incoming, Outcome, Player, Side,
};
use crate::scope::Bindings;
use crate::syntax::Statement;

impl Player {
    /// A run has no line left.
    pub(super) fn finish_run(&mut self, id: RunId) {
        let owner = self.runs.get(&id).map(|run| run.owner);
        self.drop_run(id);
        match (self.side, owner) {
            (Side::Client, Some(Owner::Dialogue)) => {
                let unconsumed = self.unconsumed();
                let changes = std::mem::take(&mut self.changes);
                let outcome = self.passed_with(unconsumed, changes);
                self.end(outcome);
            }
            (Side::Client, Some(Owner::Finally)) => self.over(),
            _ => {}
        }
    }

    /// Whether a test has come to its `finally`: the action that [`Player::poll_action`] gave last is of it already.
    #[must_use]
    pub fn in_finally(&self) -> bool {
        self.in_finally
    }

    /// The outcome of a test that is over, once its connections are closed: `left` came behind its last line, before the
    /// peers' close frames. What no rule takes of it is listed, and fails the test under `strict`.
    #[must_use]
    pub fn conclude(&mut self, outcome: Outcome, left: Vec<(ConnectionId, Incoming)>) -> Outcome {
        let Outcome::Passed {
            mut unconsumed,
            changes,
        } = outcome
        else {
            return outcome;
        };
        for (id, what) in left {
            let item = Arc::new(Item::new(self.now, what));
            if !self.is_ignored(id, &item) && self.try_rules(id, &item).is_err() {
                let name = self.name_of(id).map(str::to_owned);
                unconsumed.push((name, item.what.clone()));
            }
        }
        self.passed_with(unconsumed, changes)
    }

    /// The outcome of a test of which every line held.
    fn passed_with(
        &self,
        unconsumed: Vec<(Option<String>, Incoming)>,
        changes: Vec<Change>,
    ) -> Outcome {
        if unconsumed.is_empty() || !self.strict() {
            return Outcome::Passed {
                unconsumed,
                changes,
            };
        }
        let part = self.part.and_then(|part| self.plan.parts.get(part));
        Outcome::Failed(Box::new(Failure {
            changes,
            ..Failure::new(
                part.map(|part| part.span).unwrap_or_default(),
                None,
                "nothing more".into(),
                Fault::Unconsumed {
                    messages: unconsumed,
                },
            )
        }))
    }

    /// Messages that lie in the inboxes. Those that are ignored lie there too, behind one that no line has taken.
    fn unconsumed(&self) -> Vec<(Option<String>, Incoming)> {
        let each = self.connections.iter().flat_map(|(id, connection)| {
            connection
                .inbox
                .iter()
                .filter(|item| matches!(item.what, Incoming::Text(_) | Incoming::Binary(_)))
                .filter(|item| !self.is_ignored(*id, item))
                .map(|item: &Arc<Item>| (connection.name.clone(), item.what.clone()))
        });
        each.collect()
    }

    /// The test failed. Whoever plays the line gives it up ([`Player::give_up`]).
    pub(super) fn fail(&mut self, mut failure: Failure) {
        if matches!(self.ending, Ending::Playing) {
            failure.changes = std::mem::take(&mut self.changes);
            self.end(Outcome::Failed(Box::new(failure)));
        } else {
            // What fails in `finally` does not hide why the test ended, but a test that passed has failed now.
            if let Ending::Finally(outcome @ Outcome::Passed { .. }) = &mut self.ending {
                if let Outcome::Passed { changes, .. } = outcome {
                    failure.changes = std::mem::take(changes);
                }
                *outcome = Outcome::Failed(Box::new(failure));
            }
        }
    }

    /// The dialogue is over: `finally` comes, if there is one.
    fn end(&mut self, outcome: Outcome) {
        for id in self.runs.keys().copied().collect::<Vec<_>>() {
            self.drop_run(id);
        }
        self.clocks.clear();
        self.timers.clear();
        self.ready.clear();
        self.ending = Ending::Finally(outcome);
        let bodies: Vec<_> = self
            .commons()
            .map(|common| Arc::clone(&common.finally))
            .filter(|body| !body.is_empty())
            .collect();
        // A test's own `finally` comes before the one that all tests share.
        let steps: Vec<Statement> = bodies
            .iter()
            .rev()
            .flat_map(|body| body.iter().cloned())
            .collect();
        if steps.is_empty() {
            self.over();
        } else {
            self.before_finally = Some(self.actions.len());
            for connection in self.connections.values_mut() {
                connection.inbox.clear();
                connection.control.clear();
                connection.inbox_bytes = 0;
            }
            self.start(Run::body(
                steps.into(),
                None,
                Bindings::new(),
                None,
                Owner::Finally,
            ));
        }
    }

    fn over(&mut self) {
        if let Ending::Finally(outcome) = std::mem::replace(&mut self.ending, Ending::Over) {
            self.actions.push_back(Action::Finished(outcome));
        }
        self.timers.clear();
    }
}
