//! `--serve`: a mock that runs for as long as the tests.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wiretalk_engine::load::Loaded;
use wiretalk_engine::serve::{
    Event, Mock as Served, Observer, Options, Performance, Place, Server, Shared,
};
use wiretalk_talk::Role;
use wiretalk_talk::player::{Manner, Setup};

use super::super::Outside;
use super::usage;
use crate::exit::Exit;
use crate::terminal::{self, WARNING};
use crate::{diagnostics, terminal::error};

/// A mock being served.
pub(super) struct Mock {
    /// Where clients connect.
    pub(super) url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Tells of nothing but what goes wrong.
struct Problems;

impl Observer for Problems {
    fn event(&self, event: &Event<'_>) {
        if let Event::Problem { what, .. } = event {
            terminal::err(&format!("{WARNING}mock{WARNING:#}: {what}"));
        }
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
        let setup = Setup {
            world: Arc::new(wiretalk_engine::SeededWorld::new(seed, "mock", environment)),
            variables: outside.variables.clone(),
            manner: Manner::default(),
        };
        // Of where it listens by itself only the path counts here.
        let address = plan.address(setup.clone()).map_err(usage)?;
        let path = address.as_deref().map_or("", path_of);
        let shared = Shared::new(Options::default(), Arc::new(Problems));
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
            stop,
            task,
        })
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        drop(self.stop);
        // What became of it is nothing that the tests are about.
        let _ = self.task.await;
    }
}

/// The path of a URL, if it names one.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}
