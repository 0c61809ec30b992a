//! `--serve`: a mock that runs for as long as the tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wiretalk_engine::load::Loaded;
use wiretalk_engine::serve::{
    Event, Mock as Served, Observer, Options, Performance, Place, Server, Shared,
};
use wiretalk_talk::Role;
use wiretalk_talk::player::Setup;

use super::super::Outside;
use super::super::serve::log;
use super::usage;
use crate::exit::Exit;
use crate::terminal::{self, WARNING};
use crate::{diagnostics, terminal::error};

/// A mock being served.
pub(super) struct Mock {
    /// Where clients connect.
    pub(super) url: String,
    problems: Arc<Problems>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Lines of the mock that are shown: beyond them, they are counted.
const MOST_LINES: usize = 20;

/// Tells of nothing but what goes wrong.
#[derive(Default)]
struct Problems(AtomicUsize);

impl Problems {
    /// Tells how many lines were not shown.
    fn finish(&self) {
        let more = self.0.load(Ordering::Relaxed).saturating_sub(MOST_LINES);
        if more > 0 {
            let more = terminal::count(more, "line more", "lines more");
            terminal::err(&format!("{WARNING}mock{WARNING:#}: {more} of this kind"));
        }
    }
}

impl Observer for Problems {
    fn event(&self, event: &Event<'_>) {
        if !matches!(event, Event::Unmatched { .. } | Event::Problem { .. })
            || self.0.fetch_add(1, Ordering::Relaxed) >= MOST_LINES
        {
            return;
        }
        let line = match event {
            Event::Unmatched {
                client,
                source,
                nearest,
            } => log::unmatched(*client, source, *nearest),
            Event::Problem {
                source,
                span,
                client,
                what,
            } => log::problem(*client, source, *span, what),
            _ => return,
        };
        terminal::err(&format!("{WARNING}mock{WARNING:#}: {line}"));
    }
}

impl Mock {
    /// Serves a talk on a free loopback port.
    pub(super) async fn start(
        loaded: Loaded,
        outside: &Outside,
        seed: Option<u64>,
    ) -> Result<Self, Exit> {
        let loaded = loaded.check(Role::Mock, &outside.names());
        diagnostics::show(&loaded);
        if loaded.has_errors() {
            return Err(Exit::USAGE);
        }
        let plan = loaded.plan();
        let seed = seed.unwrap_or_else(wiretalk_engine::fresh_seed);
        let environment = Arc::clone(&outside.environment);
        let world = wiretalk_engine::SeededWorld::new(seed, "mock", environment);
        let setup = Setup {
            variables: outside.variables.clone(),
            ..Setup::new(Arc::new(world))
        };
        // Of where it listens by itself only the path counts here.
        let address = plan.address(setup.clone()).map_err(usage)?;
        let path = address.as_deref().map_or("", path_of);
        let problems = Arc::new(Problems::default());
        let shared = Shared::new(Options::default(), Arc::clone(&problems) as _);
        let performance = Performance {
            plan,
            test: None,
            setup,
            place: match path {
                "" => Place::Anywhere,
                path => Place::Named(path.to_owned()),
            },
        };
        let mock = Served::new(&shared, performance).map_err(|error| usage(error.to_string()))?;
        let server = match Server::bind("127.0.0.1:0", None).await {
            Ok(server) => server,
            Err(why) => {
                error(&why.to_string());
                return Err(Exit::NO_CONNECTION);
            }
        };
        let at = server
            .local_addr()
            .map_err(|error| usage(error.to_string()))?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(mock.serve(server, async {
            // Whoever drops the other end wants it stopped as well.
            let _ = stopped.await;
        }));
        Ok(Self {
            url: format!("ws://{at}{path}"),
            problems,
            stop,
            task,
        })
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        drop(self.stop);
        // What became of it is nothing that the tests are about.
        let _ = self.task.await;
        self.problems.finish();
    }
}

/// The path of a URL, if it names one.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}
