//! Blocks that are played: `repeat` and `unordered`, within each other as well.

use super::Player;
use super::hope::Hope;
use super::run::{Played, Run, RunId};
use super::sight::Scope;
use crate::source::Span;
use crate::syntax::{Repeat, Statement, StatementKind};
use crate::value::Value;

/// A block that is being played.
pub(super) struct Level {
    /// The place in its body.
    pub(super) at: usize,
    pub(super) kind: LevelKind,
}

pub(super) enum LevelKind {
    Repeat {
        /// Which run of the body it is, from 0.
        n: u64,
        times: u64,
        /// What names were before this run of the body bound them.
        before: Vec<(Scope, String, Option<Value>)>,
    },
    Unordered {
        /// What its lines expect.
        hopes: Vec<Hope>,
    },
}

/// What stands under a line.
pub(super) fn body_of(statement: &Statement) -> &[Statement] {
    match &statement.kind {
        StatementKind::Repeat(repeat) => &repeat.body,
        StatementKind::Unordered(body) => body,
        _ => &[],
    }
}

impl Player {
    /// The block at hand has no line left. Whether the run goes on.
    pub(super) fn end_of_block(&mut self, id: RunId) -> bool {
        let Some(run) = self.runs.get_mut(&id) else {
            return false;
        };
        let Some(level) = run.inner.last_mut() else {
            self.finish_run(id);
            return false;
        };
        match &mut level.kind {
            LevelKind::Unordered { hopes } => {
                let hopes = std::mem::take(hopes);
                if hopes.is_empty() {
                    run.inner.pop();
                    run.go_on();
                    return true;
                }
                self.wait_for(id, hopes);
                false
            }
            LevelKind::Repeat { n, times, before } => {
                let before = std::mem::take(before);
                *n += 1;
                let next = (*n < *times).then_some(*n);
                level.at = 0;
                for (scope, name, value) in before.into_iter().rev() {
                    self.rebind(id, scope, &name, value);
                }
                match next {
                    Some(n) => self.bind_n(id, n),
                    None => {
                        if let Some(run) = self.runs.get_mut(&id) {
                            run.inner.pop();
                            run.go_on();
                        }
                    }
                }
                true
            }
        }
    }

    /// A run of a `repeat`'s body begins.
    fn bind_n(&mut self, id: RunId, n: u64) {
        let name = "n".to_owned();
        let before = self.rebind(id, Scope::Locals, &name, Some(Value::Json(n.into())));
        if let Some(run) = self.runs.get_mut(&id) {
            run.keep_for_later(Scope::Locals, name, before);
        }
    }

    pub(super) fn enter(&mut self, id: RunId, kind: LevelKind) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.inner.push(Level { at: 0, kind });
        }
    }

    pub(super) fn play_repeat(&mut self, id: RunId, span: Span, repeat: &Repeat) -> Played {
        let times = match self.render(id, None, &repeat.times) {
            Ok(times) => times,
            Err(why) => return self.impossible(id, span, why),
        };
        let Ok(times) = times.trim().parse::<u64>() else {
            let why = format!("`{times}` is not a number of times");
            return self.impossible(id, span, why);
        };
        if times == 0 || repeat.body.is_empty() {
            return Played::Done;
        }
        self.enter(
            id,
            LevelKind::Repeat {
                n: 0,
                times,
                before: Vec::new(),
            },
        );
        self.bind_n(id, 0);
        Played::Again
    }

    /// The lines still to come, the one at hand first: those that repeat, once.
    pub(super) fn lines_left<'a>(&self, run: &'a Run) -> LinesLeft<'a> {
        let mut blocks = Vec::with_capacity(run.inner.len() + 1);
        let mut block = run.steps.get(..run.end).unwrap_or_default();
        let mut at = run.at;
        for level in &run.inner {
            blocks.push(block.get(at + 1..).unwrap_or_default().iter());
            block = block.get(at).map_or(&[], body_of);
            at = match &level.kind {
                // Any of its lines may be the next.
                LevelKind::Unordered { .. } => 0,
                LevelKind::Repeat { n, times, .. } => {
                    if n + 1 < *times {
                        blocks.push(block.iter());
                    }
                    level.at
                }
            };
        }
        blocks.push(block.get(at..).unwrap_or_default().iter());
        LinesLeft { blocks }
    }
}

/// Lines, and those under them.
pub(super) struct LinesLeft<'a> {
    blocks: Vec<std::slice::Iter<'a, Statement>>,
}

impl<'a> LinesLeft<'a> {
    pub(super) fn of(steps: &'a [Statement]) -> Self {
        Self {
            blocks: vec![steps.iter()],
        }
    }
}

impl<'a> Iterator for LinesLeft<'a> {
    type Item = &'a Statement;

    fn next(&mut self) -> Option<&'a Statement> {
        loop {
            let Some(statement) = self.blocks.last_mut()?.next() else {
                self.blocks.pop();
                continue;
            };
            let body = body_of(statement);
            if body.is_empty() {
                return Some(statement);
            }
            self.blocks.push(body.iter());
        }
    }
}
