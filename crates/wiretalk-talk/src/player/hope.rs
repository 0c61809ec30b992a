//! Lines that expect something: how many messages, by when, and when they are over without.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::block::LevelKind;
use super::connection::Item;
use super::matching::{Line, how_far, text_of};
use super::run::{Owner, Played, Run, RunId, Wait, leaves_no_trace};
use super::{ConnectionId, Failure, Fault, Incoming, Player, Side, Time, Timer};
use crate::pattern::{Captures, Mismatch};
use crate::source::Span;
use crate::syntax::{Arrow, Frame, Statement, StatementKind, Who};

/// Messages that a failure shows of those that `skip` passed over, and how large each may be.
const MOST_SHOWN: usize = 8;
const LARGEST_SHOWN: usize = 16 * 1024;

/// What a line expects on one connection.
#[derive(Debug)]
pub(super) struct Hope {
    /// The line, in the block at hand.
    pub(super) line: usize,
    pub(super) on: ConnectionId,
    since: Time,
    deadline: Option<Time>,
    /// How many messages have come.
    taken: usize,
    pub(super) over: bool,
    /// What `skip` passed over.
    passed_over: Option<Box<PassedOver>>,
}

#[derive(Debug, Default)]
struct PassedOver {
    count: usize,
    last: VecDeque<Arc<Item>>,
}

impl Frame {
    /// How many messages it stands for at the least and at the most.
    pub(super) fn counts(&self) -> (usize, usize) {
        self.options
            .count
            .map_or((1, 1), |count| (count.least, count.most))
    }

    /// Whether it is done with so many messages, if no more come.
    fn is_content_with(&self, taken: usize) -> bool {
        taken >= self.counts().0 || (taken == 0 && self.options.optional)
    }
}

/// Why a line did not take what came.
pub(super) struct Missed {
    pub(super) run: RunId,
    pub(super) hope: usize,
    pub(super) mismatch: Mismatch,
}

impl Player {
    pub(super) fn play_expect(&mut self, id: RunId, span: Span, frame: &Frame) -> Played {
        let Some(run) = self.runs.get_mut(&id) else {
            return Played::Failed;
        };
        if frame.arrow == Arrow::ToServer {
            run.speaks(frame);
        }
        // A clock of ours sends; what the other side's clock does is no business of ours.
        if run.owner == Owner::Clock || leaves_no_trace(&frame.content) {
            return Played::Done;
        }
        if let (Some(name), Some(Who::Name(other))) = (&run.name, &frame.who)
            && name != other
        {
            return Played::Done;
        }
        let Some(run) = self.runs.get(&id) else {
            return Played::Failed;
        };
        let on = match (self.side, &frame.who) {
            (Side::Server, _) => match run.connection {
                Some(own) => vec![own],
                None => return self.impossible(id, span, "no client is meant".into()),
            },
            (Side::Client, who) => match self.listeners(run, who.as_ref()) {
                Ok(on) => on,
                Err(why) => return self.impossible(id, span, why),
            },
        };
        if let Err(why) = can_be_expected(frame) {
            return self.impossible(id, span, why);
        }
        let deadline = self.deadline_of(run, frame, 0, self.now);
        let line = run.place();
        let since = self.now;
        let hopes = on.into_iter().map(|on| Hope {
            line,
            on,
            since,
            deadline,
            taken: 0,
            over: false,
            passed_over: None,
        });
        let hopes: Vec<Hope> = hopes.collect();
        let block = self.runs.get_mut(&id).and_then(|run| run.inner.last_mut());
        if let Some(LevelKind::Unordered { hopes: all }) = block.map(|level| &mut level.kind) {
            all.extend(hopes);
            return Played::Done;
        }
        self.wait_for(id, hopes);
        Played::Waits
    }

    /// The run waits until all of this has come.
    pub(super) fn wait_for(&mut self, id: RunId, mut hopes: Vec<Hope>) {
        hopes.sort_by_key(|hope| hope.on);
        let open = hopes.len();
        let deadline = hopes.iter().filter_map(|hope| hope.deadline).min();
        self.wait(
            id,
            Wait::Message {
                hopes,
                open,
                deadline,
            },
        );
    }

    /// Until when a line waits, if it has got so many messages by now.
    fn deadline_of(&self, run: &Run, frame: &Frame, taken: usize, now: Time) -> Option<Time> {
        let given = frame.options.within;
        let limit = match self.side {
            // A mock waits for its client as long as the client likes; but not for what need not come.
            Side::Server if run.owner == Owner::Dialogue && !frame.is_content_with(taken) => given?,
            _ => given.unwrap_or_else(|| self.timeout()),
        };
        let (least, _) = frame.counts();
        let times = u32::try_from(least.max(1)).unwrap_or(u32::MAX);
        let after = frame.options.after.unwrap_or_default();
        let after = after.saturating_mul(times);
        Some(now.saturating_add(limit).saturating_add(after))
    }

    /// Offers an item to a run that waits here.
    pub(super) fn try_run(
        &mut self,
        run_id: RunId,
        id: ConnectionId,
        item: &Arc<Item>,
    ) -> Result<(), Option<Missed>> {
        let Some(run) = self.runs.get(&run_id) else {
            return Err(None);
        };
        let Wait::Message { hopes, .. } = &run.wait else {
            return Err(None);
        };
        let mut nearest: Option<(usize, Missed)> = None;
        let mut found = None;
        let from = hopes.partition_point(|hope| hope.on < id);
        let here = hopes.iter().enumerate().skip(from);
        for (hope, wanted) in here.take_while(|(_, hope)| hope.on == id) {
            let Some((_, frame)) = line_of(run, wanted).filter(|_| !wanted.over) else {
                continue;
            };
            let late = wanted.deadline.is_some_and(|deadline| item.at > deadline);
            let result = match late {
                true => Err(Mismatch::Expression("it came too late".to_owned())),
                false => self.line_takes(run, frame, id, item),
            };
            match result {
                Ok(captures) => {
                    found = Some((hope, captures));
                    break;
                }
                Err(mismatch) => {
                    let off = how_far(&mismatch);
                    if nearest.as_ref().is_none_or(|(best, _)| off < *best) {
                        let missed = Missed {
                            run: run_id,
                            hope,
                            mismatch,
                        };
                        nearest = Some((off, missed));
                    }
                }
            }
        }
        match found {
            Some((hope, captures)) => {
                self.take(run_id, hope, item, captures);
                Ok(())
            }
            None => Err(nearest.map(|(_, missed)| missed)),
        }
    }

    /// What a line of a run captures of something that came, if it is what the line expects.
    fn line_takes(
        &self,
        run: &Run,
        frame: &Frame,
        id: ConnectionId,
        item: &Item,
    ) -> Result<Captures, Mismatch> {
        // The line was written by who sends it: its `message` is what we sent. The checks under it are ours.
        let on = Some(id).filter(|_| run.connection.is_none() || self.side == Side::Client);
        let on = on.or(run.connection);
        let theirs = self.context_for(run, on, run.sent_text());
        let mut ours = self.context_for(run, on, text_of(&item.what));
        ours.parsed = Some(&item.parsed);
        let line = Line {
            content: &frame.content,
            checks: &frame.checks,
            sent: run.sent.as_ref(),
            files: &self.plan.files,
        };
        line.matches(&self.subject(id, item), &item.what, &theirs, &ours)
    }

    /// A line takes what came.
    pub(super) fn take(
        &mut self,
        run_id: RunId,
        hope: usize,
        item: &Arc<Item>,
        captures: Captures,
    ) {
        let Some(run) = self.runs.get(&run_id) else {
            return;
        };
        let Wait::Message { hopes, .. } = &run.wait else {
            return;
        };
        let Some(wanted) = hopes.get(hope) else {
            return;
        };
        let Some((statement, frame)) = line_of(run, wanted) else {
            return;
        };
        let span = statement.span;
        let on = wanted.on;
        let taken = wanted.taken + 1;
        let (_, most) = frame.counts();
        // What one of several messages captures lives for that one.
        let captures = match frame.options.count {
            Some(_) => Captures::new(),
            None => captures,
        };
        let over = taken >= most;
        let deadline = match wanted.deadline {
            None if !over => self.deadline_of(run, frame, taken, item.at),
            set => set,
        };
        self.matched(on, span);
        self.bind(run_id, Some(on), captures);
        if let Some(run) = self.runs.get_mut(&run_id) {
            run.message = Some(Arc::clone(item));
            if let Wait::Message { hopes, .. } = &mut run.wait
                && let Some(wanted) = hopes.get_mut(hope)
            {
                wanted.taken = taken;
                wanted.deadline = deadline;
            }
        }
        if over {
            self.close_hopes(run_id, hope..hope + 1, |_| true);
        } else {
            self.rearm(run_id);
        }
    }

    /// Some hopes of a run are over; if all are, so is the line.
    fn close_hopes(&mut self, run_id: RunId, range: Range<usize>, which: impl Fn(&Hope) -> bool) {
        let Some(run) = self.runs.get_mut(&run_id) else {
            return;
        };
        let Wait::Message { hopes, open, .. } = &mut run.wait else {
            return;
        };
        let mut closed = Vec::new();
        for hope in hopes.get_mut(range).into_iter().flatten() {
            if !hope.over && which(hope) {
                hope.over = true;
                *open -= 1;
                closed.push(hope.on);
            }
        }
        for on in closed {
            let from = hopes.partition_point(|hope| hope.on < on);
            let mut here = hopes[from..].iter().take_while(|hope| hope.on == on);
            if here.all(|hope| hope.over)
                && let Some(connection) = self.connections.get_mut(&on)
            {
                connection.waiting.retain(|waiting| *waiting != run_id);
            }
        }
        if *open == 0 {
            self.step_on(run_id);
        }
    }

    /// Sets a run's timer anew: to the first deadline of what it still waits for.
    fn rearm(&mut self, run_id: RunId) {
        let Some(run) = self.runs.get_mut(&run_id) else {
            return;
        };
        let Wait::Message {
            hopes, deadline, ..
        } = &mut run.wait
        else {
            return;
        };
        let open = hopes.iter().filter(|hope| !hope.over);
        let next = open.filter_map(|hope| hope.deadline).min();
        let before = std::mem::replace(deadline, next);
        if before != next {
            if let Some(before) = before {
                self.timers.remove(&(before, Timer::Run(run_id)));
            }
            if let Some(next) = next {
                self.timers.insert((next, Timer::Run(run_id)));
            }
        }
    }

    /// Whether nothing more need come for a run on a connection.
    pub(super) fn is_content(&self, run_id: RunId, id: ConnectionId) -> bool {
        let Some(run) = self.runs.get(&run_id) else {
            return false;
        };
        let Wait::Message { hopes, .. } = &run.wait else {
            return false;
        };
        let mut open = hopes.iter().filter(|hope| hope.on == id && !hope.over);
        open.all(|hope| {
            let line = line_of(run, hope);
            line.is_some_and(|(_, frame)| frame.is_content_with(hope.taken))
        })
    }

    /// Whether a run has had some messages of a range on a connection.
    pub(super) fn has_taken(&self, run_id: RunId, id: ConnectionId) -> bool {
        match self.runs.get(&run_id).map(|run| &run.wait) {
            Some(Wait::Message { hopes, .. }) => {
                let mut open = hopes.iter().filter(|hope| hope.on == id && !hope.over);
                open.any(|hope| hope.taken > 0)
            }
            _ => false,
        }
    }

    /// What a run waits for on a connection is over. What lies there is offered anew once the run has gone on.
    pub(super) fn pass_on(&mut self, run_id: RunId, id: ConnectionId) {
        let range = match self.runs.get(&run_id).map(|run| &run.wait) {
            Some(Wait::Message { hopes, .. }) => {
                let from = hopes.partition_point(|hope| hope.on < id);
                from..hopes.partition_point(|hope| hope.on <= id)
            }
            _ => 0..0,
        };
        self.close_hopes(run_id, range, |_| true);
        self.dirty.push_back(id);
    }

    /// Whether something that came is for a line behind those that a run waits for, none of which need come.
    pub(super) fn later_takes(&self, run_id: RunId, id: ConnectionId, item: &Item) -> bool {
        let Some(run) = self.runs.get(&run_id) else {
            return false;
        };
        let behind = run.block().get(run.place() + 1..).unwrap_or_default();
        for statement in behind {
            let lines = match &statement.kind {
                StatementKind::Frame(_) => std::slice::from_ref(statement),
                StatementKind::Unordered(body) => &body[..],
                StatementKind::Set(_) | StatementKind::Ignore(_) => continue,
                _ => return false,
            };
            let expected = lines.iter().filter_map(|line| match &line.kind {
                StatementKind::Frame(frame) if !self.is_ours(frame.arrow) => Some(&**frame),
                _ => None,
            });
            let mut must_come = false;
            for frame in expected.filter(|frame| self.is_about(run, frame, id)) {
                if self.line_takes(run, frame, id, item).is_ok() {
                    return true;
                }
                must_come |= !frame.is_content_with(0);
            }
            if must_come {
                return false;
            }
        }
        false
    }

    /// Whether a line of a run can be about a connection.
    fn is_about(&self, run: &Run, frame: &Frame, id: ConnectionId) -> bool {
        match (self.side, &frame.who) {
            (Side::Client, Some(who)) => self.is_meant_by(id, who),
            (Side::Server, Some(Who::Name(name))) => run.name.as_ref() == Some(name),
            (_, _) => true,
        }
    }

    /// Whether a run's line passes over what does not match; then what came is noted.
    pub(super) fn passes_over(&mut self, missed: &Missed, item: &Arc<Item>) -> bool {
        if matches!(item.what, Incoming::Close { .. } | Incoming::End { .. }) {
            return false;
        }
        let Some(run) = self.runs.get(&missed.run) else {
            return false;
        };
        let Wait::Message { hopes, .. } = &run.wait else {
            return false;
        };
        let on = hopes.get(missed.hope).map(|hope| hope.on);
        let skips = |hope: &Hope| line_of(run, hope).is_some_and(|(_, frame)| frame.options.skip);
        let skipping: Vec<usize> = (0..hopes.len())
            .filter(|index| {
                let hope = &hopes[*index];
                Some(hope.on) == on && !hope.over && skips(hope)
            })
            .collect();
        let Some(run) = self.runs.get_mut(&missed.run) else {
            return false;
        };
        let Wait::Message { hopes, .. } = &mut run.wait else {
            return false;
        };
        for index in &skipping {
            let passed = hopes[*index].passed_over.get_or_insert_default();
            passed.count += 1;
            if item.what.bytes().len() <= LARGEST_SHOWN {
                if passed.last.len() >= MOST_SHOWN {
                    passed.last.pop_front();
                }
                passed.last.push_back(Arc::clone(item));
            }
        }
        !skipping.is_empty()
    }

    /// A failure of a line that a run waits for.
    pub(super) fn failure_of(
        &self,
        run_id: RunId,
        hope: usize,
        fault: impl FnOnce(Duration) -> Fault,
    ) -> Option<Failure> {
        let run = self.runs.get(&run_id)?;
        let Wait::Message { hopes, .. } = &run.wait else {
            return None;
        };
        let hope = hopes.get(hope)?;
        let (statement, frame) = line_of(run, hope)?;
        let waited = hope.deadline.unwrap_or(self.now).saturating_sub(hope.since);
        let fault = fault(waited);
        let check = match &fault {
            Fault::Mismatch {
                mismatch: Mismatch::Check { check, .. },
                ..
            } => {
                let mut checks = frame.checks.iter();
                checks.find(|known| known.raw == *check)
            }
            _ => None,
        };
        let passed_over = hope.passed_over.as_deref();
        Some(Failure {
            check: check.map(|check| check.span),
            passed_over: passed_over.map_or(0, |passed| passed.count),
            passed_over_last: passed_over.map_or_else(Vec::new, |passed| {
                let last = passed.last.iter();
                last.map(|item| item.what.clone()).collect()
            }),
            ..Failure::new(
                statement.span,
                Some(hope.on),
                self.describe(run, Some(hope.on), frame),
                fault,
            )
        })
    }

    /// The line that a run waits for and that missed something: where it stands, and the frame.
    pub(super) fn missed_line(&self, missed: &Missed) -> Option<(Span, &Frame)> {
        let run = self.runs.get(&missed.run)?;
        let Wait::Message { hopes, .. } = &run.wait else {
            return None;
        };
        let (statement, frame) = line_of(run, hopes.get(missed.hope)?)?;
        Some((statement.span, frame))
    }

    /// A run's time is up.
    pub(super) fn time_is_up(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else {
            return;
        };
        match &run.wait {
            Wait::Nothing | Wait::Turn => {}
            Wait::Until(_) | Wait::Silence { .. } => self.step_on(id),
            Wait::Before(_) => self.ready.push_back(id),
            Wait::Message { .. } => self.line_is_late(id),
            Wait::Handshake {
                first,
                since,
                deadline,
                ..
            } => {
                let waited = deadline.saturating_sub(*since);
                let connection = Some(*first);
                let Some(span) = run.span() else { return };
                let expected = "an answer to the handshake".to_owned();
                let fault = Fault::Nothing { waited };
                self.fail(Failure::new(span, connection, expected, fault));
                self.give_up(id);
            }
        }
    }

    /// The first deadline of what a run waits for has come.
    fn line_is_late(&mut self, id: RunId) {
        let Some(run) = self.runs.get(&id) else {
            return;
        };
        let Wait::Message { hopes, .. } = &run.wait else {
            return;
        };
        let now = self.now;
        let due = |hope: &Hope| !hope.over && hope.deadline.is_some_and(|time| time <= now);
        let missing = hopes.iter().position(|hope| {
            let line = line_of(run, hope);
            due(hope) && line.is_none_or(|(_, frame)| !frame.is_content_with(hope.taken))
        });
        let Some(missing) = missing else {
            let all = 0..hopes.len();
            self.close_hopes(id, all, due);
            self.rearm_if_waiting(id);
            return;
        };
        let failure = self.failure_of(id, missing, |waited| Fault::Nothing { waited });
        let Some(failure) = failure else { return };
        match self.side {
            Side::Client => {
                self.fail(failure);
                self.give_up(id);
            }
            Side::Server => {
                let Fault::Nothing { waited } = failure.fault else {
                    return;
                };
                let what = format!("the client did not send it within {waited:?}");
                self.problem(failure.span, failure.connection, what);
                self.drop_run(id);
            }
        }
    }

    /// The timer has gone off: it is set anew if the run still waits.
    fn rearm_if_waiting(&mut self, id: RunId) {
        if let Some(Run {
            wait: Wait::Message { deadline, .. },
            ..
        }) = self.runs.get_mut(&id)
        {
            *deadline = None;
            self.rearm(id);
        }
    }
}

/// The line that a hope is about.
fn line_of<'a>(run: &'a Run, hope: &Hope) -> Option<(&'a Statement, &'a Frame)> {
    let statement = run.line(hope)?;
    match &statement.kind {
        StatementKind::Frame(frame) => Some((statement, frame)),
        _ => None,
    }
}

/// Why a line can never be expected, if so.
fn can_be_expected(frame: &Frame) -> Result<(), String> {
    use crate::syntax::Content;
    match &frame.content {
        Content::RawFrame(_) => Err("`frame` is only sent: a frame that comes is a message".into()),
        Content::Raw(_) => Err("`raw` is only sent: what comes is messages".into()),
        _ => Ok(()),
    }
}
