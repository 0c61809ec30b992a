//! What became of a run: each test's result, and their counts.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use wiretalk_talk::player::{Change, Failure, Incoming, Plan};
use wiretalk_talk::{Source, Span};

use crate::record::Log;

/// What became of one test. Where secrets are named, all in it but [`TestResult::plan`] is without them.
#[derive(Debug)]
pub struct TestResult {
    /// The talk that it stands in. Its text may hold secrets: what is shown of it comes from [`TestResult::source`].
    pub plan: Arc<Plan>,
    /// The text of the talk as it may be shown, line by line the same.
    pub source: Source,
    /// The file that the talk was read from, as it was given.
    pub file: String,
    /// Its title.
    pub title: String,
    /// The line of the file where it begins, from 1.
    pub line: usize,
    /// Its tags.
    pub tags: Vec<String>,
    /// Which row of `each` it was played with, from 0.
    pub row: Option<usize>,
    /// Which run of it this is, from 1: more only under [`Options::repeat`](super::Options::repeat).
    pub repetition: usize,
    /// How it ended: its last attempt, if there were several.
    pub outcome: Outcome,
    /// How often it was tried: 1 if it passed at once, 0 if it was skipped.
    pub attempts: u32,
    /// When it began, the first attempt.
    pub started: SystemTime,
    /// The same, counted from the begin of the run.
    pub offset: Duration,
    /// How long its last attempt took.
    pub duration: Duration,
    /// When its `finally` began, counted from the attempt's begin as the records of the log are; what the log has from
    /// then on is no longer the test itself.
    pub finally: Option<Duration>,
    /// What went over its connections.
    pub log: Log,
    /// Its connections, in the order of opening: a record's connection 1 is the first.
    pub connections: Vec<Connection>,
    /// The run's seed, if the test made random values from it.
    pub seed: Option<u64>,
    /// What came where a line expects something else, and was taken all the same: see
    /// `Manner::update`.
    pub changes: Vec<Change>,
}

/// A connection of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its name in the talk.
    pub name: Option<String>,
    /// Where it went, without the values of the query.
    pub url: String,
}

/// How a test ended, or why it did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every line held.
    Passed {
        /// Messages that no line consumed, each with the name of its connection.
        unconsumed: Vec<(Option<String>, Incoming)>,
    },
    /// A line did not hold.
    Failed(Box<Failure>),
    /// It was not run.
    Skipped(Skip),
}

/// Why a test was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Its title or its tags are not among those asked for.
    Deselected,
    /// Another test had failed, and the run was to end with the first one.
    FailFast,
}

impl Skip {
    /// Why, in words.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Deselected => "not selected",
            Self::FailFast => "a test before it failed",
        }
    }
}

impl TestResult {
    /// Whether every line held.
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self.outcome, Outcome::Passed { .. })
    }

    /// Whether a line did not hold.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_))
    }

    /// Whether it was not run.
    #[must_use]
    pub fn skipped(&self) -> bool {
        matches!(self.outcome, Outcome::Skipped(_))
    }

    /// Whether it passed, but not at once.
    #[must_use]
    pub fn flaky(&self) -> bool {
        self.passed() && self.attempts > 1
    }

    /// Line and column of a span of the talk, both from 1.
    #[must_use]
    pub fn position(&self, span: Span) -> (usize, usize) {
        self.plan.source().position(span.start)
    }

    /// The name in the talk of a record's connection, if it has one.
    #[must_use]
    pub fn connection_name(&self, connection: u64) -> Option<&str> {
        let index = usize::try_from(connection).ok()?.checked_sub(1)?;
        self.connections.get(index)?.name.as_deref()
    }
}

/// How many tests ended in which way, and how long all of it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Tests of which every line held.
    pub passed: usize,
    /// Tests of which one did not.
    pub failed: usize,
    /// Tests that were not run.
    pub skipped: usize,
    /// Of those that passed, how many did not pass at once.
    pub flaky: usize,
    /// From the first test's begin to the last one's end.
    pub duration: Duration,
}

impl Summary {
    /// Counts a result.
    pub fn count(&mut self, result: &TestResult) {
        match result.outcome {
            Outcome::Passed { .. } => self.passed += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Skipped(_) => self.skipped += 1,
        }
        self.flaky += usize::from(result.flaky());
    }

    /// How many tests were counted.
    #[must_use]
    pub fn total(&self) -> usize {
        self.passed + self.failed + self.skipped
    }
}
