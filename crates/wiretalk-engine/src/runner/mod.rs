//! The test runner: plays the tests of talks against servers, side by side.

mod link;
mod result;
mod session;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use wiretalk_net::{Config, Connector, DeflateConfig, Error, Request, Response, WebSocket};
use wiretalk_talk::Bindings;
use wiretalk_talk::player::Plan;

pub use result::{Connection, Outcome, Skip, Summary, TestResult};

/// How tests are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Variables from outside: they win over `set` lines of the same name.
    pub variables: Bindings,
    /// How many tests run at the same time.
    pub jobs: usize,
    /// Whether any certificate of a server is believed.
    pub insecure: bool,
    /// Root certificates to trust beside those of the system, as PEM.
    pub root_certificates: Option<Vec<u8>>,
    /// What each handshake offers of permessage-deflate (RFC 7692), the best liked first.
    pub deflate: Vec<DeflateConfig>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            variables: Bindings::new(),
            jobs: 64,
            insecure: false,
            root_certificates: None,
            deflate: Vec::new(),
        }
    }
}

/// Runs every test of the talks, [`Options::jobs`] at a time, and hands over each result as it comes.
///
/// # Errors
/// `InvalidInput` for root certificates that are none.
pub async fn run(
    plans: &[Arc<Plan>],
    options: &Options,
    mut on_result: impl FnMut(TestResult),
) -> Result<Summary, Error> {
    let began = Instant::now();
    let dialer = Arc::new(Dialer::new(options)?);
    let mut running = JoinSet::new();
    let mut summary = Summary::default();
    let mut take = |result: Result<TestResult, tokio::task::JoinError>, summary: &mut Summary| {
        match result {
            Ok(result) => {
                summary.count(&result);
                on_result(result);
            }
            // A test that panicked is a mistake of ours, and must not look like a pass.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    };
    for plan in plans {
        for planned in plan.tests() {
            while let Some(result) = running.try_join_next() {
                take(result, &mut summary);
            }
            // Waiting before the task exists keeps ten thousand tests from being ten thousand tasks; and waiting for a
            // result, not for a place, makes one job at a time tell its results in the order of the talk.
            if running.len() >= options.jobs.max(1)
                && let Some(result) = running.join_next().await
            {
                take(result, &mut summary);
            }
            let test = session::Test {
                plan: Arc::clone(plan),
                planned,
                variables: options.variables.clone(),
                dialer: Arc::clone(&dialer),
                run_began: began,
            };
            running.spawn(test.run());
        }
    }
    while let Some(result) = running.join_next().await {
        take(result, &mut summary);
    }
    summary.duration = began.elapsed();
    Ok(summary)
}

/// Opens the connections of every test.
struct Dialer {
    connector: Connector,
    deflate: Vec<DeflateConfig>,
}

impl Dialer {
    fn new(options: &Options) -> Result<Self, Error> {
        Ok(Self {
            connector: connector(options)?,
            deflate: options.deflate.clone(),
        })
    }

    /// Asks for a connection, and offers what the run offers of compression, unless the talk says not to.
    async fn dial(&self, request: Request, offers: bool) -> Result<(WebSocket, Response), Error> {
        let deflate = if offers {
            self.deflate.clone()
        } else {
            Vec::new()
        };
        self.connector
            .connect(&Request { deflate, ..request })
            .await
    }
}

fn connector(options: &Options) -> Result<Connector, Error> {
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
    let connector = Connector::new().config(config).insecure(options.insecure);
    match &options.root_certificates {
        Some(pem) => connector.root_certificates(pem),
        None => Ok(connector),
    }
}
