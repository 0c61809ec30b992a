//! What comes, and which line takes it.
//!
//! A message is offered to the bodies that wait for one, the youngest first, then to the dialogue's current line (and,
//! if that need not come, to the lines behind it), then to the rules. What none of them takes is kept while the dialogue
//! is busy with something else, and is wrong if the dialogue waits for something here: it fails a test, and a mock logs
//! it.

use std::sync::Arc;

use super::connection::{Item, State};
use super::hope::Missed;
use super::matching::{how_far, text_of};
use super::run::{Owner, Run, RunId, Wait};
use super::sight::NOTHING;
use super::{
    Action, Change, ConnectionId, Failure, Fault, INBOX_LIMIT, Incoming, Player, Side, Target,
};
use crate::pattern::{Captures, Mismatch};
use crate::query;
use crate::source::Span;
use crate::syntax::{Content, Data, Frame};

/// Bytes that are compared, the message with each rule, to tell which rule came nearest: of a large message it is one
/// of the first.
const MOST_EXPLAINED: usize = 64 * 1024 * 1024;

impl Player {
    /// Offers what lies in a connection's inbox to the lines that could take it.
    pub(super) fn offer(&mut self, id: ConnectionId) {
        while !self.is_over() && (self.offer_control(id) || self.offer_message(id)) {}
        self.finds_no_work(id);
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
            let taken = self.is_ignored(id, &item)
                || self
                    .waiting_on(id)
                    .into_iter()
                    .any(|run| self.try_run(run, id, &item).is_ok())
                || (self.may_work(id) && self.try_rules(id, &item).is_ok());
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
        if connection.close_waits && matches!(item.what, Incoming::Close { .. }) {
            if connection.is_at_work() && connection.waiting.is_empty() {
                return false;
            }
            self.close_is_next(id);
        }
        if self.is_ignored(id, &item) {
            return self.taken(id);
        }
        let mut nearest = None;
        for run in self.waiting_on(id) {
            match self.try_run(run, id, &item) {
                Ok(()) => return self.taken(id),
                Err(missed) => nearest = missed.or(nearest),
            }
        }
        if let Some(Missed { run, .. }) = nearest
            && self.is_content(run, id)
            && self.later_takes(run, id, &item)
        {
            self.pass_on(run, id);
            return false;
        }
        // A body, or a range, that waits for something has had its look; the rest is for whoever has time for it.
        let is_close = matches!(item.what, Incoming::Close { .. });
        if !is_close && !self.may_work(id) {
            return false;
        }
        let unmatched = match self.try_rules(id, &item) {
            Ok(()) => return self.taken(id),
            Err(unmatched) => unmatched,
        };
        if let Some(missed) = &nearest {
            // A range ends with the first message that does not match; and a test has nothing else to do with it.
            let ends = self.side == Side::Client || self.has_taken(missed.run, id);
            if self.passes_over(missed, &item) {
                return self.taken(id);
            }
            if ends && self.is_content(missed.run, id) {
                self.pass_on(missed.run, id);
                return false;
            }
        }
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
        self.has_space(id);
        true
    }

    fn unmatched_in_test(
        &mut self,
        id: ConnectionId,
        item: &Arc<Item>,
        nearest: Option<Missed>,
    ) -> bool {
        if let Some(missed) = nearest {
            let mismatch = match self.take_all_the_same(&missed, id, item) {
                Ok(()) => return self.taken(id),
                Err(check) => check.unwrap_or(missed.mismatch),
            };
            let ends = matches!(item.what, Incoming::Close { .. } | Incoming::End { .. });
            let run_id = missed.run;
            let failure = self.failure_of(run_id, missed.hope, |_| Fault::Mismatch {
                came: item.what.clone(),
                at: item.at,
                mismatch,
            });
            let Some(failure) = failure else {
                return false;
            };
            let owner = self.runs.get(&run_id).map(|run| run.owner);
            self.fail(failure);
            self.give_up(run_id);
            // The next line of `finally` waits for the next message; an end stays, for nothing comes behind it.
            if owner == Some(Owner::Finally) && !ends {
                return self.taken(id);
            }
            return false;
        }
        let silence = self.runs.iter().find_map(|(run_id, run)| match &run.wait {
            Wait::Silence { who, from, .. } if who.as_ref().is_none_or(|who| who.contains(&id)) => {
                Some((*run_id, run.step()?.span, *from))
            }
            _ => None,
        });
        if let Some((run_id, span, from)) = silence {
            let expected = self.plan.source.slice(span).to_owned();
            let fault = Fault::NotSilent {
                came: item.what.clone(),
                after: item.at.saturating_sub(from),
            };
            self.fail(Failure::new(span, Some(id), expected, fault));
            self.give_up(run_id);
        }
        false
    }

    /// Under `update`, takes a message that differs from its line by payload, if the checks under the line hold.
    ///
    /// # Errors
    /// It is not taken; the check that does not hold, if that is why.
    fn take_all_the_same(
        &mut self,
        missed: &Missed,
        id: ConnectionId,
        item: &Arc<Item>,
    ) -> Result<(), Option<Mismatch>> {
        let of_payload = matches!(
            missed.mismatch,
            Mismatch::Text(_) | Mismatch::Json(_) | Mismatch::NotJson(_)
        );
        if !self.manner.update || !of_payload {
            return Err(None);
        }
        let (span, frame) = self.missed_line(missed).ok_or(None)?;
        let run = self.runs.get(&missed.run).ok_or(None)?;
        let theirs = self.context_of(&run.locals, Some(id), run.sent_text());
        let mut captures = rewritten(frame, item, &theirs).ok_or(None)?;
        let mut ours = self.context_of(&run.locals, Some(id), text_of(&item.what));
        ours.parsed = Some(&item.parsed);
        let subject = self.subject(id, item);
        query::apply(&frame.checks, &subject, &ours, &mut captures)?;
        self.changes.push(Change {
            span,
            came: item.what.clone(),
        });
        self.take(missed.run, missed.hope, item, captures);
        Ok(())
    }

    fn unmatched_in_mock(
        &mut self,
        id: ConnectionId,
        item: &Item,
        nearest: Option<Missed>,
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
            let line = nearest.and_then(|missed| {
                let (span, _) = self.missed_line(&missed)?;
                Some((span, missed.mismatch))
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
                to: Target::One(id),
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
        if self.is_content(run_id, id) {
            self.pass_on(run_id, id);
            return;
        }
        let waits_here = |run: &Run| match &run.wait {
            Wait::Message { hopes, .. } => hopes.iter().position(|h| h.on == id && !h.over),
            _ => None,
        };
        let Some(hope) = self.runs.get(&run_id).and_then(waits_here) else {
            return;
        };
        let why = "the connection is closed, so nothing can come any more";
        let fault = |_| Fault::Impossible { why: why.into() };
        let Some(failure) = self.failure_of(run_id, hope, fault) else {
            return;
        };
        match self.side {
            Side::Client => {
                self.fail(failure);
                self.give_up(run_id);
            }
            // A client that is gone owes nothing.
            Side::Server => self.drop_run(run_id),
        }
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
        let text = text_of(&item.what);
        let mut context = self.context_of(&NOTHING, Some(id), text);
        context.parsed = Some(&item.parsed);
        let subject = self.subject(id, item);
        let files = &self.plan.files;
        let mut nearest: Option<(usize, Span, Mismatch)> = None;
        let mut taken = None;
        for rule in self.rules() {
            let line = rule.line(files);
            if let Some(captures) = line.takes(&subject, &item.what, &context, &context) {
                taken = Some((rule.span, Arc::clone(&rule.body), captures));
                break;
            }
        }
        // Why the others did not match is only found out for a message that none of them takes.
        let most = MOST_EXPLAINED / item.what.bytes().len().max(1);
        let others = self.rules().take(most.max(1));
        for rule in others.filter(|_| taken.is_none()) {
            let line = rule.line(files);
            if let Err(mismatch) = line.matches(&subject, &item.what, &context, &context) {
                let off = how_far(&mismatch);
                if nearest.as_ref().is_none_or(|(best, ..)| off < *best) {
                    nearest = Some((off, rule.span, mismatch));
                }
            }
        }
        let Some((span, body, captures)) = taken else {
            return Err(nearest.map(|(_, span, mismatch)| (span, mismatch)));
        };
        for (name, value) in &captures {
            self.remember(name, value);
        }
        self.matched(id, span);
        if self.too_many_runs(Some(id)) {
            let what = "the client has more bodies running than a mock keeps; this message is left unanswered";
            self.problem(span, Some(id), what.to_owned());
        } else if !body.is_empty() {
            let locals = captures.into_iter().collect();
            let message = Some(Arc::clone(item));
            let run = self.start(Run::body(body, Some(id), locals, message, Owner::Rule));
            self.begins_work(id, run);
        }
        Ok(())
    }

    /// Holds an inbox to its bound: a mock forgets what it cannot keep and says so, a test fails.
    pub(super) fn bound_inbox(&mut self, id: ConnectionId) {
        let over = |player: &Self| {
            let connection = player.connections.get(&id);
            connection.is_some_and(|connection| connection.inbox_bytes > INBOX_LIMIT)
        };
        while over(self) {
            let why = format!("the peer sent more than {INBOX_LIMIT} bytes that no line has taken");
            let at_hand = self.runs.values().find_map(Run::span);
            let span = at_hand.unwrap_or_default();
            match self.side {
                Side::Client if !self.is_over() => {
                    let expected = self.plan.source.slice(span).to_owned();
                    let fault = Fault::Impossible { why };
                    self.fail(Failure::new(span, Some(id), expected, fault));
                }
                Side::Client => {}
                Side::Server => self.problem(span, Some(id), why),
            }
            self.taken(id);
        }
    }
}

/// What a line captures of a message in its place, if the line can be rewritten to expect that.
fn rewritten(frame: &Frame, item: &Item, context: &crate::scope::Context<'_>) -> Option<Captures> {
    match (&frame.content, &item.what) {
        (Content::Text(pattern), Incoming::Text(_)) => {
            let came = item.document()?;
            Some(pattern.captures_despite(came, context))
        }
        (Content::Binary(_), Incoming::Binary(_))
        | (Content::Ping(Some(Data::Text(_) | Data::Bytes(_))), Incoming::Ping(_))
        | (Content::Pong(Some(Data::Text(_) | Data::Bytes(_))), Incoming::Pong(_))
        | (Content::Close { .. }, Incoming::Close { .. }) => Some(Captures::new()),
        _ => None,
    }
}
