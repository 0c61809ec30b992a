//! One test with its attempts, from its turn in the run to its result.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};
use wiretalk_talk::player::{Manner, Plan, Setup};

use super::hide::hide;
use super::result::{Outcome, Skip, TestResult};
use super::session::{Played, play};
use super::{Dialer, Options};
use crate::SeededWorld;
use crate::record::Log;
use crate::redact::Redactor;

/// What all tests of a run share.
pub(super) struct Run {
    pub(super) options: Options,
    pub(super) dialer: Dialer,
    /// Hides what is known of the secrets before any test.
    pub(super) known: Redactor,
    pub(super) began: Instant,
}

/// A test to be run.
pub(super) struct Job {
    pub(super) plan: Arc<Plan>,
    pub(super) index: usize,
    pub(super) title: String,
    pub(super) line: usize,
    pub(super) tags: Vec<String>,
    retry: Option<(u32, Duration)>,
    row: Option<usize>,
    pub(super) repetition: usize,
}

impl Job {
    /// The tests of a talk, in its order.
    pub(super) fn of(plan: &Arc<Plan>) -> impl Iterator<Item = Self> {
        plan.tests().map(|test| Self {
            plan: Arc::clone(plan),
            index: test.index,
            title: test.title,
            line: super::first_line(plan, test.line),
            tags: test.tags,
            retry: test.retry,
            row: test.row,
            repetition: 1,
        })
    }

    /// Tries the test until it passes, or has been tried often enough.
    pub(super) async fn run(self, run: Arc<Run>) -> TestResult {
        let (began, started) = (Instant::now(), SystemTime::now());
        let (own, pause) = self.retry.unwrap_or_default();
        let retries = run.options.retry.unwrap_or(own);
        let mut attempts = 1;
        loop {
            let world = self.world(&run, attempts);
            let setup = Setup {
                variables: run.options.variables.clone(),
                manner: Manner {
                    row: self.row.unwrap_or_default(),
                    ..run.options.manner
                },
                ..Setup::new(Arc::clone(&world) as _)
            };
            let played = play(&self, setup, &run).await;
            if matches!(played.outcome, Outcome::Failed(_)) && attempts <= retries {
                attempts += 1;
                sleep(pause).await;
                continue;
            }
            let seed = world.drawn().then_some(run.options.seed);
            let offset = began - run.began;
            return self.result(&run, played, attempts, started, offset, seed);
        }
    }

    /// Random values are a test's own: they do not depend on what runs beside it.
    fn world(&self, run: &Run, attempt: u32) -> Arc<SeededWorld> {
        let own = (&self.title, self.index, self.row, self.repetition, attempt);
        let environment = Arc::clone(&run.options.environment);
        Arc::new(SeededWorld::new(run.options.seed, own, environment))
    }

    /// The test as one that was not run.
    pub(super) fn skipped(self, run: &Run, why: Skip) -> TestResult {
        let played = Played {
            outcome: Outcome::Skipped(why),
            duration: Duration::ZERO,
            finally: None,
            log: Log::default(),
            connections: Vec::new(),
            changes: Vec::new(),
            secrets: Vec::new(),
        };
        let offset = run.began.elapsed();
        self.result(run, played, 0, SystemTime::now(), offset, None)
    }

    fn result(
        self,
        run: &Run,
        played: Played,
        attempts: u32,
        started: SystemTime,
        offset: Duration,
        seed: Option<u64>,
    ) -> TestResult {
        let source = self.plan.source().clone();
        let mut result = TestResult {
            file: source.name().to_owned(),
            source,
            title: self.title,
            line: self.line,
            tags: self.tags,
            row: self.row,
            repetition: self.repetition,
            outcome: played.outcome,
            attempts,
            started,
            offset,
            duration: played.duration,
            finally: played.finally,
            log: played.log,
            connections: played.connections,
            seed,
            changes: played.changes,
            plan: self.plan,
        };
        hide(&mut result, &run.known);
        hide(&mut result, &Redactor::new(played.secrets));
        result
    }
}
