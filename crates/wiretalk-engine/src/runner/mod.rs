//! The test runner: plays the tests of talks against servers, side by side.

mod hide;
mod job;
mod link;
mod result;
mod select;
mod session;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use wiretalk_net::{Config, Connector, DeflateConfig, Error, Request, Response, WebSocket};
use wiretalk_talk::Bindings;
use wiretalk_talk::player::{Manner, Plan};

use crate::Environment;
use crate::redact::Redactor;
use job::{Job, Run};

pub use result::{Connection, Outcome, Skip, Summary, TestResult};
pub use select::Selection;

/// How tests are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Variables from outside: they win over `set` lines of the same name.
    pub variables: Bindings,
    /// Environment variables of a file, for `env.NAME`.
    pub environment: Environment,
    /// The variables whose values are hidden in the results, wherever they come from.
    pub secrets: Vec<String>,
    /// Where random values come from: the same seed gives each test the same ones.
    pub seed: u64,
    /// Which tests are run; the others are told as skipped.
    pub selection: Selection,
    /// How many tests run at the same time.
    pub jobs: usize,
    /// Whether no test begins any more once one has failed; those that run already come to their end.
    pub fail_fast: bool,
    /// How often each test is run: at least once.
    pub repeat: usize,
    /// How often a test that failed is run again; `None`: as often as its talk says.
    pub retry: Option<u32>,
    /// How long an attempt at a test may take, its `finally` included; a longer one fails.
    pub max_time: Option<Duration>,
    /// How the talks are played, whatever they say: strict, or at the pace of their `after`s. The row is each test's own.
    pub manner: Manner,
    /// How servers are reached. The settings of the connections themselves are the runner's own.
    pub connector: Connector,
    /// What each handshake offers of permessage-deflate (RFC 7692), the best liked first.
    pub deflate: Vec<DeflateConfig>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            variables: Bindings::new(),
            environment: Environment::default(),
            secrets: Vec::new(),
            seed: 0,
            selection: Selection::default(),
            jobs: 64,
            fail_fast: false,
            repeat: 1,
            retry: None,
            max_time: None,
            manner: Manner::default(),
            connector: Connector::new(),
            deflate: Vec::new(),
        }
    }
}

/// Is told how a run goes on.
pub trait Observer {
    /// So many tests are to be run.
    fn planned(&mut self, _tests: usize) {}

    /// A test begins.
    fn began(&mut self, _title: &str) {}

    /// A test has ended, or is skipped.
    fn ended(&mut self, result: TestResult);
}

/// Runs every test of the talks, [`Options::jobs`] at a time, and hands over each result as it comes.
pub async fn run(
    plans: &[Arc<Plan>],
    options: &Options,
    on_result: impl FnMut(TestResult),
) -> Summary {
    struct Results<F>(F);
    impl<F: FnMut(TestResult)> Observer for Results<F> {
        fn ended(&mut self, result: TestResult) {
            (self.0)(result);
        }
    }
    run_observed(plans, options, &mut Results(on_result)).await
}

/// The same, for somebody who is to know also what is under way.
pub async fn run_observed(
    plans: &[Arc<Plan>],
    options: &Options,
    observer: &mut impl Observer,
) -> Summary {
    let repeat = options.repeat.max(1);
    let run = Arc::new(Run {
        dialer: Dialer::new(options),
        known: secrets_from_outside(options),
        options: options.clone(),
        began: Instant::now(),
    });
    let selected = |job: &Job| options.selection.takes(&job.title, &job.tags);
    let tests = plans.iter().flat_map(Job::of).filter(|job| selected(job));
    observer.planned(tests.count() * repeat);

    let mut running = JoinSet::new();
    let mut summary = Summary::default();
    for repetition in 1..=repeat {
        for mut job in plans.iter().flat_map(Job::of) {
            if !selected(&job) {
                // Once is enough to say so.
                if repetition == 1 {
                    tell(job.skipped(&run, Skip::Deselected), &mut summary, observer);
                }
                continue;
            }
            job.repetition = repetition;
            while let Some(result) = running.try_join_next() {
                tell(own(result), &mut summary, observer);
            }
            // Waiting before the task exists keeps ten thousand tests from being ten thousand tasks; and waiting for a
            // result, not for a place, makes one job at a time tell its results in the order of the talk.
            if running.len() >= options.jobs.max(1)
                && let Some(result) = running.join_next().await
            {
                tell(own(result), &mut summary, observer);
            }
            if options.fail_fast && summary.failed > 0 {
                tell(job.skipped(&run, Skip::FailFast), &mut summary, observer);
                continue;
            }
            observer.began(&job.title);
            running.spawn(job.run(Arc::clone(&run)));
        }
    }
    while let Some(result) = running.join_next().await {
        tell(own(result), &mut summary, observer);
    }
    summary.duration = run.began.elapsed();
    summary
}

fn tell(result: TestResult, summary: &mut Summary, observer: &mut impl Observer) {
    summary.count(&result);
    observer.ended(result);
}

/// A test that panicked is a mistake of ours, and must not look like a pass.
fn own(result: Result<TestResult, JoinError>) -> TestResult {
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// What is known of the secrets before any test has run.
fn secrets_from_outside(options: &Options) -> Redactor {
    let values = options.secrets.iter().flat_map(|name| {
        let given = options.variables.get(name).map(ToString::to_string);
        let environment = options.environment.get(name).cloned();
        [given, environment, std::env::var(name).ok()]
    });
    Redactor::new(values.flatten())
}

/// Opens the connections of every test.
struct Dialer {
    connector: Connector,
    deflate: Vec<DeflateConfig>,
}

impl Dialer {
    fn new(options: &Options) -> Self {
        Self {
            connector: connector(options),
            deflate: options.deflate.clone(),
        }
    }

    /// Asks for a connection, and offers what the run offers of compression, unless the talk says what.
    async fn dial(
        &self,
        request: Request,
        compression: Option<bool>,
    ) -> Result<(WebSocket, Response), Error> {
        let deflate = match compression {
            Some(false) => Vec::new(),
            // What browsers offer.
            Some(true) if self.deflate.is_empty() => vec![DeflateConfig::with_context_takeover()],
            _ => self.deflate.clone(),
        };
        let request = Request { deflate, ..request };
        let (socket, handshake) = self.connector.connect(&request).await?;
        Ok((socket, handshake.response))
    }
}

fn connector(options: &Options) -> Connector {
    let config = Config {
        // The talk says what is answered to pings and closes; what it leaves out, the player does by itself.
        auto_pong: false,
        auto_close: false,
        ping_interval: None,
        // The lines' own timeouts end what takes too long, a message as well as a handshake.
        message_timeout: None,
        // A server that does not finish the close handshake must not hold up the run.
        close_timeout: Duration::from_secs(1),
        handshake_timeout: Duration::from_secs(24 * 3600),
        ..Config::default()
    };
    options.connector.clone().config(config)
}

/// Where a test begins that begins at this line of a plan's text, counted from 1: empty lines are no part of it. The
/// text of a block of a Markdown document has as many before it as the document has lines there.
#[must_use]
pub fn first_line(plan: &Plan, line: usize) -> usize {
    let source = plan.source();
    let last = source.position(source.text().len()).0;
    let first = (line..=last).find(|line| !source.line(*line).trim().is_empty());
    first.unwrap_or(line)
}
