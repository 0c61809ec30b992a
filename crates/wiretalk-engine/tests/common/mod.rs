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
use wiretalk_engine::serve::{Event, Mock, Observer, Options, Performance, Place, Server, Shared};
use wiretalk_talk::Bindings;
use wiretalk_talk::player::{Manner, Plan, Setup};

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
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
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
    Setup {
        world: Arc::new(SystemWorld),
        variables: Bindings::new(),
        manner: Manner::default(),
    }
}

/// Serves a talk on a free port.
pub(crate) async fn serve(plan: &Arc<Plan>, options: Options) -> Served {
    let (send, lines) = mpsc::unbounded_channel();
    let observer = Arc::new(Lines(Mutex::new(send)));
    let performance = Performance {
        plan: Arc::clone(plan),
        test: None,
        setup: setup(),
        place: Place::default(),
    };
    let mock = Mock::new(&Shared::new(options, observer), performance).expect("a mock");
    let server = Server::bind("127.0.0.1:0", None).await.expect("a port");
    let url = format!("ws://{}", server.local_addr().expect("an address"));
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(mock.serve(server, async {
        let _ = stopped.await;
    }));
    Served {
        url,
        lines,
        stop: Some(stop),
        task,
    }
}
