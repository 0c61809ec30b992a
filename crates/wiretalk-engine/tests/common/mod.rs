//! A server in the test's own process, and what it saw.
#![allow(dead_code)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wiretalk_engine::SystemWorld;
use wiretalk_engine::load::load;
use wiretalk_engine::serve::control::{Control, Controlled};
use wiretalk_engine::serve::journal::Journal;
use wiretalk_engine::serve::{
    Event, Mock, Observer, Options, Performance, Place, Server, Shared, Site,
};
use wiretalk_talk::player::{Plan, Setup};

/// How long a test waits for what must happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Tells what it sees as lines.
pub(crate) struct Lines(Mutex<mpsc::UnboundedSender<String>>);

impl Observer for Lines {
    fn event(&self, event: &Event<'_>) {
        let line = match event {
            Event::Connected {
                client, clients, ..
            } => format!("{client} connected, {clients}"),
            Event::Left {
                client,
                code,
                clients,
                ..
            } => format!("{client} left {code}, {clients}"),
            Event::Refused { status, .. } => format!("refused {status}"),
            Event::Unmatched {
                client, nearest, ..
            } => {
                format!("{client} unmatched, nearest {}", nearest.is_some())
            }
            Event::TooSlow { client } => format!("{client} too slow"),
            Event::Problem { what, .. } => format!("problem: {what}"),
            _ => return,
        };
        let _ = self.0.lock().expect("no test panicked").send(line);
    }
}

/// A mock being served.
pub(crate) struct Served {
    pub(crate) url: String,
    pub(crate) lines: mpsc::UnboundedReceiver<String>,
    pub(crate) control: Orders,
    pub(crate) journal: Arc<Journal>,
    pub(crate) mocks: Vec<Arc<Mock>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Where a mock takes orders; nowhere, if it was not served with [`serve_controlled`].
#[derive(Default)]
pub(crate) struct Orders {
    pub(crate) url: String,
    pub(crate) token: String,
}

impl Served {
    /// Waits for a line.
    pub(crate) async fn line(&mut self) -> String {
        timeout(SOON, self.lines.recv())
            .await
            .expect("a line in time")
            .expect("a line")
    }

    /// Stops the server, and waits for its end.
    pub(crate) async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        timeout(SOON, self.task)
            .await
            .expect("an end in time")
            .expect("no panic");
    }
}

/// The talk of an example.
pub(crate) fn example(name: &str) -> Arc<Plan> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name);
    load(&path).expect("an example").plan()
}

/// A talk from its text.
pub(crate) fn talk(text: &str) -> Arc<Plan> {
    let parsed = wiretalk_talk::parse("test.talk", text);
    assert_eq!(parsed.diagnostics, []);
    Arc::new(Plan::new(&parsed.talk))
}

/// What talks are played with: the real world, and no variables.
pub(crate) fn setup() -> Setup {
    Setup::new(Arc::new(SystemWorld))
}

/// Serves a talk on a free port.
pub(crate) async fn serve(plan: &Arc<Plan>, options: Options) -> Served {
    let (send, lines) = mpsc::unbounded_channel();
    let shared = Shared::new(options, Arc::new(Lines(Mutex::new(send))));
    let mock = mock(&shared, plan, Place::default());
    let server = Server::bind("127.0.0.1:0", None).await.expect("a port");
    let url = format!("ws://{}", server.local_addr().expect("an address"));
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(mock.serve(server, async {
        let _ = stopped.await;
    }));
    Served {
        url,
        lines,
        control: Orders::default(),
        journal: Journal::new(0),
        mocks: Vec::new(),
        stop: Some(stop),
        task,
    }
}

/// Serves talks on one free port, each at its path, with a journal and the control API.
pub(crate) async fn serve_controlled(talks: &[(&str, Arc<Plan>)]) -> Served {
    let (send, lines) = mpsc::unbounded_channel();
    let journal = Journal::new(1024 * 1024);
    let shared = Shared::new(Options::default(), Arc::new(Lines(Mutex::new(send))))
        .with_journal(Arc::clone(&journal));
    let server = Server::bind("127.0.0.1:0", None).await.expect("a port");
    let url = format!("ws://{}", server.local_addr().expect("an address"));
    let mut controlled = Controlled {
        talks: Vec::new(),
        journal: Arc::clone(&journal),
    };
    for (path, plan) in talks {
        let place = match *path {
            "/" => Place::Anywhere,
            path => Place::Given(path.to_owned()),
        };
        let mock = mock(&shared, plan, place);
        controlled.talks.push((format!("{url}{path}"), mock));
    }
    let mocks = controlled.talks.iter().map(|(_, mock)| Arc::clone(mock));
    let mocks: Vec<_> = mocks.collect();
    let site = Site::new(mocks.clone()).expect("a site");
    let control = Control::bind("127.0.0.1:0", None).await.expect("a port");
    let orders = Orders {
        url: control.url(),
        token: control.token().to_owned(),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let (over, mut is_over) = tokio::sync::watch::channel(false);
        let control = tokio::spawn(control.serve(controlled, async move {
            let _ = is_over.wait_for(|over| *over).await;
        }));
        let serving = site.serve(server, async {
            let _ = stopped.await;
        });
        serving.await;
        over.send_replace(true);
        control.await.expect("no panic");
    });
    Served {
        url,
        lines,
        control: orders,
        journal,
        mocks,
        stop: Some(stop),
        task,
    }
}

fn mock(shared: &Shared, plan: &Arc<Plan>, place: Place) -> Arc<Mock> {
    let performance = Performance {
        plan: Arc::clone(plan),
        test: None,
        setup: setup(),
        place,
    };
    Mock::new(shared, performance).expect("a mock")
}
