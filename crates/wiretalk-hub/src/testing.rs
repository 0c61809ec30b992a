//! Hubs on a log in memory, without time: for tests.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::log::{Begun, Log};
use crate::record::Record;
use crate::{Backplane, Capabilities, Hub, HubEvent, HubOptions, Route};

/// Nodes, and the one log that they share.
#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) log: Vec<Vec<u8>>,
    pub(crate) epoch: u32,
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: u64,
}

pub(crate) struct Node {
    pub(crate) hub: Hub,
    pub(crate) log: Arc<Mutex<Log>>,
    /// How far it has read on its connection; none: it has none.
    pub(crate) read: Option<usize>,
    pub(crate) lost: Arc<Mutex<u64>>,
}

struct Line(Arc<Mutex<Log>>);

impl Backplane for Line {
    fn capabilities(&self) -> Capabilities {
        Capabilities::shared(true)
    }

    fn append(&mut self, record: &Record<'_>) -> Route {
        self.0.lock().expect("no test panicked").push(record);
        Route::Away
    }
}

impl Cluster {
    /// One more node, connected; its number counts from 1.
    pub(crate) fn add(&mut self, options: HubOptions) -> Hub {
        let options = HubOptions {
            node: self.nodes.len() as u64 + 1,
            ..options
        };
        let log = Arc::new(Mutex::new(Log::new(&options)));
        let hub = Hub::with_options(options, Line(Arc::clone(&log)));
        let lost = Arc::new(Mutex::new(0));
        let count = Arc::clone(&lost);
        hub.set_listener(move |event| {
            if let HubEvent::Lost { count: more } = event {
                *count.lock().expect("no test panicked") += more;
            }
        });
        self.nodes.push(Node {
            hub: hub.clone(),
            log,
            read: None,
            lost,
        });
        self.connect(self.nodes.len() - 1);
        self.run();
        hub
    }

    pub(crate) fn connect(&mut self, node: usize) {
        let (epoch, last, now) = (self.epoch.to_string(), self.log.len() as u64, self.now);
        let node = &mut self.nodes[node];
        let mut log = node.log();
        let after = log.after();
        let mut begun = log.connected(after, &epoch, last, usize::MAX, now);
        if begun == Begun::Elsewhere {
            begun = log.connected(None, &epoch, last, usize::MAX, now);
        }
        let ready = log.is_ready();
        let read = log.after().unwrap_or(0) as usize;
        drop(log);
        if let Begun::New(epoch) = begun {
            node.hub.begin(&epoch);
        }
        node.hub.announce(HubEvent::Up);
        if ready {
            node.hub.announce(HubEvent::Ready);
        }
        node.read = Some(read);
    }

    pub(crate) fn disconnect(&mut self, node: usize) {
        self.nodes[node].log().disconnected();
        self.nodes[node].read = None;
    }

    /// The log keeps only so many records, and no connection.
    pub(crate) fn lose(&mut self, left: usize) {
        self.log.truncate(left);
        self.epoch += 1;
        for node in 0..self.nodes.len() {
            self.disconnect(node);
        }
    }

    /// The node reads so many records, or as many as there are; gives how much has happened.
    pub(crate) fn read(&mut self, node: usize, most: usize) -> usize {
        let now = self.now;
        let node = &mut self.nodes[node];
        let Some(from) = node.read else { return 0 };
        let to = self.log.len().min(from.saturating_add(most));
        for at in from..to {
            let outcome =
                node.log
                    .lock()
                    .expect("no test panicked")
                    .read(at as u64 + 1, &self.log[at], now);
            let _ = node.hub.follow(&outcome);
            if node.log().is_ready() {
                node.hub.announce(HubEvent::Ready);
            }
        }
        node.read = Some(to);
        let is_wanted = node.log().presence_is_wanted(now);
        if is_wanted {
            node.hub.tell_presence();
        }
        for gone in node.log().silent(now) {
            node.hub.node_gone(gone);
        }
        to - from + usize::from(is_wanted)
    }

    /// The node appends so many bytes; gives how many records it has appended.
    pub(crate) fn append(&mut self, node: usize, bytes: usize) -> usize {
        let node = &self.nodes[node];
        let batch = node.log().take(bytes);
        let count = batch.len();
        self.log.extend(batch);
        let said = node.log().say(self.now);
        self.log.extend(said);
        count
    }

    /// Lets all that is published arrive at all nodes that are connected.
    pub(crate) fn run(&mut self) {
        loop {
            let mut moved = 0;
            for node in 0..self.nodes.len() {
                moved += self.append(node, usize::MAX) + self.read(node, usize::MAX);
            }
            if moved == 0 {
                return;
            }
        }
    }
}

impl Node {
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("no test panicked")
    }
}
