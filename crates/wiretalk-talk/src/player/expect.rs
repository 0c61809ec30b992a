//! What comes, and which line takes it.
//!
//! A message is offered to the bodies that wait for one, the youngest first, then to the dialogue's current line, then
//! to the rules. What none of them takes is kept while the dialogue is busy with something else, and is wrong if the
//! dialogue waits for something here: it fails a test, and a mock logs it.

use std::sync::Arc;

use super::matching::{Line, how_far, text_of};
use super::run::{Owner, Run, RunId, Wait};
use super::{
    Action, ConnectionId, Failure, Fault, INBOX_LIMIT, Incoming, Item, Player, Side, State, Time,
};
use crate::pattern::Mismatch;
use crate::query::Subject;
use crate::scope::Bindings;
use crate::source::Span;
use crate::syntax::StatementKind;

impl Player {
    /// Offers what lies in a connection's inbox to the lines that could take it.
    pub(super) fn offer(&mut self, id: ConnectionId) {
        while !self.is_over() && (self.offer_control(id) || self.offer_message(id)) {}
    }

    /// Offers pings and pongs: they may come before or behind data. Whether one was taken.
    fn offer_control(&mut self, id: ConnectionId) -> bool {
        let count = match self.connections.get(&id) {
            Some(connection) => connection.control.len(),
            None => return false,
        };
        for index in 0..count {
            let Some(item) = self.connections.get(&id).and_then(|c| c.control.get(index)) else {
                return false;
            };
            let item = Arc::clone(item);
            let taken = self
                .waiting_on(id)
                .into_iter()
                .any(|run| self.try_run(run, id, &item).is_ok())
                || self.try_rules(id, &item).is_ok();
            if taken {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.control.remove(index);
                }
                return true;
            }
        }
        false
    }

    /// Offers the next message, close or end. Whether it is off the inbox.
    fn offer_message(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get(&id) else {
            return false;
        };
        let Some(item) = connection.inbox.front().cloned() else {
            if connection.state == State::Gone && !connection.waiting.is_empty() {
                self.nothing_can_come(id);
            }
            return false;
        };
        let mut nearest = None;
        for run in self.waiting_on(id) {
            match self.try_run(run, id, &item) {
                Ok(()) => return self.taken(id),
                Err(mismatch) => nearest = Some((run, mismatch)),
            }
        }
        let unmatched = match self.try_rules(id, &item) {
            Ok(()) => return self.taken(id),
            Err(unmatched) => unmatched,
        };
        match self.side {
            Side::Client => self.unmatched_in_test(id, &item, nearest),
            Side::Server => self.unmatched_in_mock(id, &item, nearest, unmatched),
        }
    }

    /// Runs that wait for something here, the youngest first.
    fn waiting_on(&self, id: ConnectionId) -> Vec<RunId> {
        let waiting = self.connections.get(&id).map(|c| c.waiting.iter().rev());
        waiting.into_iter().flatten().copied().collect()
    }

    /// Takes the first item off the inbox.
    fn taken(&mut self, id: ConnectionId) -> bool {
        if let Some(connection) = self.connections.get_mut(&id)
            && let Some(item) = connection.inbox.pop_front()
        {
            connection.inbox_bytes = connection.inbox_bytes.saturating_sub(item.weight());
        }
        true
    }

    fn unmatched_in_test(
        &mut self,
        id: ConnectionId,
        item: &Item,
        nearest: Option<(RunId, Mismatch)>,
    ) -> bool {
        if let Some((run_id, mismatch)) = nearest {
            let Some(run) = self.runs.get(&run_id) else {
                return false;
            };
            let Some(statement) = run.step() else {
                return false;
            };
            if let StatementKind::Frame(frame) = &statement.kind {
                let ends = matches!(item.what, Incoming::Close { .. } | Incoming::End { .. });
                if frame.options.skip && !ends {
                    return self.taken(id);
                }
                let failure = Failure {
                    span: statement.span,
                    connection: Some(id),
                    expected: self.describe(run, frame),
                    fault: Fault::Mismatch {
                        came: item.what.clone(),
                        at: item.at,
                        mismatch,
                    },
                    check: None,
                    passed_over: 0,
                    passed_over_last: Vec::new(),
                    changes: Vec::new(),
                };
                let in_finally = run.owner == Owner::Finally;
                self.fail(failure);
                self.give_up(run_id);
                // The next line of `finally` waits for the next message; an end stays, for nothing comes behind it.
                if in_finally && !ends {
                    return self.taken(id);
                }
            }
            return false;
        }
        let silence = self.runs.iter().find_map(|(run_id, run)| match &run.wait {
            Wait::Silence { who, from, .. } if who.is_none_or(|who| who == id) => {
                Some((*run_id, run.step()?.span, *from))
            }
            _ => None,
        });
        if let Some((run_id, span, from)) = silence {
            let expected = self.plan.source.slice(span).to_owned();
            self.fail(Failure {
                span,
                connection: Some(id),
                expected,
                fault: Fault::NotSilent {
                    came: item.what.clone(),
                    after: item.at.saturating_sub(from),
                },
                check: None,
                passed_over: 0,
                passed_over_last: Vec::new(),
                changes: Vec::new(),
            });
            self.give_up(run_id);
        }
        false
    }

    fn unmatched_in_mock(
        &mut self,
        id: ConnectionId,
        item: &Item,
        nearest: Option<(RunId, Mismatch)>,
        unmatched: Option<(Span, Mismatch)>,
    ) -> bool {
        let dialogue = self.connections.get(&id).and_then(|c| c.dialogue);
        let busy = dialogue
            .and_then(|run| self.runs.get(&run))
            .is_some_and(|run| !matches!(run.wait, Wait::Message { .. }));
        if busy {
            return false;
        }
        if matches!(item.what, Incoming::Text(_) | Incoming::Binary(_)) && !self.has_closed(id) {
            let line = nearest.and_then(|(run, mismatch)| {
                let span = self.runs.get(&run)?.step()?.span;
                Some((span, mismatch))
            });
            let nearest = line.into_iter().chain(unmatched);
            let nearest = nearest.min_by_key(|(_, mismatch)| how_far(mismatch));
            self.actions.push_back(Action::Unmatched {
                connection: id,
                nearest,
            });
            if self.strict() {
                self.close_unmatched(id);
            }
        }
        self.taken(id)
    }

    /// Whether a mock has closed a connection and its client goes on: what was under way then asks for no answer.
    fn has_closed(&self, id: ConnectionId) -> bool {
        self.side == Side::Server
            && self
                .connections
                .get(&id)
                .is_some_and(|connection| connection.close_sent && !connection.close_came)
    }

    /// Under `strict`, a client that sends what the talk does not know is closed.
    fn close_unmatched(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.close_sent
        {
            connection.close_sent = true;
            connection.shut = true;
            self.actions.push_back(Action::Send {
                to: super::Target::One(id),
                frame: super::Outgoing::Close {
                    code: Some(1008),
                    reason: "no line of the talk expects this message".into(),
                },
                delivery: super::Delivery::default(),
            });
        }
    }

    /// A line waits on a connection that is gone.
    fn nothing_can_come(&mut self, id: ConnectionId) {
        let Some(run_id) = self.waiting_on(id).first().copied() else {
            return;
        };
        let Some(run) = self.runs.get(&run_id) else {
            return;
        };
        if let (Side::Client, Some(statement)) = (self.side, run.step())
            && let StatementKind::Frame(frame) = &statement.kind
        {
            let failure = Failure {
                span: statement.span,
                connection: Some(id),
                expected: self.describe(run, frame),
                fault: Fault::Impossible {
                    why: "the connection is closed, so nothing can come any more".into(),
                },
                check: None,
                passed_over: 0,
                passed_over_last: Vec::new(),
                changes: Vec::new(),
            };
            self.fail(failure);
            self.give_up(run_id);
        }
    }

    /// Offers an item to a run that waits here.
    fn try_run(
        &mut self,
        run_id: RunId,
        id: ConnectionId,
        item: &Arc<Item>,
    ) -> Result<(), Mismatch> {
        let other = |mismatch: &str| Mismatch::Expression(mismatch.to_owned());
        let run = self
            .runs
            .get(&run_id)
            .ok_or_else(|| other("the line is over"))?;
        let Some(statement) = run.step() else {
            return Err(other("the line is over"));
        };
        let StatementKind::Frame(frame) = &statement.kind else {
            return Err(other("the line expects nothing"));
        };
        if let Wait::Message {
            deadline: Some(deadline),
            ..
        } = &run.wait
            && item.at > *deadline
        {
            return Err(other("it came too late"));
        }
        // The line was written by who sends it: its `message` is what we sent. The checks under it are ours.
        let theirs = self.context_of(&run.locals, run.connection, run.sent_text());
        let mut ours = self.context_of(&run.locals, run.connection, text_of(&item.what));
        ours.parsed = Some(&item.parsed);
        let line = Line {
            content: &frame.content,
            checks: &frame.checks,
            sent: run.sent.as_ref(),
        };
        let captures = line.matches(&self.subject(id, item), &item.what, &theirs, &ours)?;
        self.bind(run_id, captures);
        let mut on_rest = Vec::new();
        if let Some(run) = self.runs.get_mut(&run_id) {
            run.message = Some(Arc::clone(item));
            if let Wait::Message { on, .. } = &run.wait {
                on_rest.extend_from_slice(&on[1..]);
            }
        }
        if on_rest.is_empty() {
            self.step_on(run_id);
        } else {
            // `all <`: the same is expected of the next connection, by the same deadline.
            let (since, deadline) = match self.runs.get(&run_id).map(|run| &run.wait) {
                Some(Wait::Message {
                    since, deadline, ..
                }) => (*since, *deadline),
                _ => (self.now, None),
            };
            self.rest(run_id);
            self.wait(
                run_id,
                Wait::Message {
                    on: on_rest,
                    since,
                    deadline,
                },
            );
        }
        Ok(())
    }

    /// Offers an item to the rules: the first that matches takes it. Else the one that came nearest, and why it failed.
    pub(super) fn try_rules(
        &mut self,
        id: ConnectionId,
        item: &Arc<Item>,
    ) -> Result<(), Option<(Span, Mismatch)>> {
        if matches!(item.what, Incoming::Close { .. } | Incoming::End { .. }) || self.has_closed(id)
        {
            return Err(None);
        }
        let none = Bindings::new();
        let text = text_of(&item.what);
        let mut context = self.context_of(&none, Some(id), text);
        context.parsed = Some(&item.parsed);
        let subject = self.subject(id, item);
        let mut nearest: Option<(usize, Span, Mismatch)> = None;
        let mut taken = None;
        for rule in self.rules() {
            if let Some(captures) = rule.line().takes(&subject, &item.what, &context, &context) {
                taken = Some((rule.span, Arc::clone(&rule.body), captures));
                break;
            }
        }
        // Why the others did not match is only found out for a message that none of them takes.
        for rule in self.rules().filter(|_| taken.is_none()) {
            if let Err(mismatch) = rule
                .line()
                .matches(&subject, &item.what, &context, &context)
            {
                let off = how_far(&mismatch);
                if nearest.as_ref().is_none_or(|(best, ..)| off < *best) {
                    nearest = Some((off, rule.span, mismatch));
                }
            }
        }
        let Some((span, body, captures)) = taken else {
            return Err(nearest.map(|(_, span, mismatch)| (span, mismatch)));
        };
        if self.too_many_runs(Some(id)) {
            let what = "the client has more bodies running than a mock keeps; this message is left unanswered";
            self.problem(span, Some(id), what.to_owned());
        } else if !body.is_empty() {
            let locals = captures.into_iter().collect();
            self.start(Run::body(
                body,
                Some(id),
                locals,
                Some(Arc::clone(item)),
                Owner::Rule,
            ));
        }
        Ok(())
    }

    fn subject<'a>(&self, id: ConnectionId, item: &'a Item) -> Subject<'a> {
        let sent = self.connections.get(&id).and_then(|c| c.last_sent);
        Subject {
            document: item.document(),
            size: item.what.bytes().len(),
            latency: sent.map(|sent: Time| item.at.saturating_sub(sent)),
            headers: &[],
        }
    }

    /// Holds an inbox to its bound: a mock forgets what it cannot keep and says so, a test fails.
    pub(super) fn bound_inbox(&mut self, id: ConnectionId) {
        let over = |player: &Self| {
            let connection = player.connections.get(&id);
            connection.is_some_and(|connection| connection.inbox_bytes > INBOX_LIMIT)
        };
        while over(self) {
            let why = format!("the peer sent more than {INBOX_LIMIT} bytes that no line has taken");
            let at_hand = self
                .runs
                .values()
                .find_map(|run| run.step())
                .map(|s| s.span);
            let span = at_hand.unwrap_or_default();
            match self.side {
                Side::Client if !self.is_over() => {
                    let expected = self.plan.source.slice(span).to_owned();
                    self.fail(Failure {
                        span,
                        connection: Some(id),
                        expected,
                        fault: Fault::Impossible { why },
                        check: None,
                        passed_over: 0,
                        passed_over_last: Vec::new(),
                        changes: Vec::new(),
                    });
                }
                Side::Client => {}
                Side::Server => self.problem(span, Some(id), why),
            }
            self.taken(id);
        }
    }
}
