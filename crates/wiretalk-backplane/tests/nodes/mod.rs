//! Hubs on a broker, and what their members get.

#![allow(unreachable_pub, dead_code)]

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use wiretalk_backplane::{Broker, Running, connect, wall_clock};
use wiretalk_hub::{Drain, HistoryLimits, Hub, HubEvent, HubOptions, Item, Member, Outbox, Target};
use wiretalk_proto::Prepared;

/// What waits for an event waits no longer than this.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A hub on a broker with one member, who gets all that is for everyone.
pub struct Node {
    pub hub: Hub,
    pub running: Running,
    outbox: Outbox,
    events: mpsc::UnboundedReceiver<HubEvent>,
    _member: Member,
    pub got: Vec<String>,
    pub lost: u64,
}

impl Node {
    pub async fn start(broker: impl Broker) -> Self {
        Self::start_with(broker, HubOptions::default()).await
    }

    pub async fn start_with(broker: impl Broker, options: HubOptions) -> Self {
        let node = Self::begin(broker, options);
        timeout(PATIENCE, node.running.ready())
            .await
            .expect("it becomes ready");
        node
    }

    pub fn begin(broker: impl Broker, mut options: HubOptions) -> Self {
        let (told, events) = mpsc::unbounded_channel();
        options.history = HistoryLimits::default();
        options.clock = wall_clock();
        let (hub, running) = connect(broker, options, |options, line| {
            let hub: Hub = Hub::with_options(options, line);
            hub.set_listener(move |event| drop(told.send(event)));
            hub
        });
        let (member, outbox) = hub.join_with(usize::MAX);
        Self {
            hub,
            running,
            outbox,
            events,
            _member: member,
            got: Vec::new(),
            lost: 0,
        }
    }

    pub fn say(&self, text: &str) {
        self.hub.deliver(Target::All, &Prepared::text(text));
    }

    /// Waits until so many messages came, or were told as lost.
    pub async fn get(&mut self, count: usize) {
        timeout(PATIENCE, self.get_all(count))
            .await
            .unwrap_or_else(|_| {
                panic!(
                    "{} of {count} came, {} were lost",
                    self.got.len(),
                    self.lost
                )
            });
    }

    async fn get_all(&mut self, count: usize) {
        let mut items = Vec::new();
        while self.got.len() + self.lost as usize != count {
            tokio::select! {
                drain = self.outbox.drain(&mut items) => assert_eq!(drain, Drain::Items),
                event = self.events.recv() => {
                    if let Some(HubEvent::Lost { count }) = event {
                        self.lost += count;
                    }
                }
            }
            for item in items.drain(..) {
                let Item::Message(message) = item;
                self.got
                    .push(String::from_utf8_lossy(&message.payload()).into_owned());
            }
        }
    }

    pub async fn event(&mut self, wanted: impl Fn(&HubEvent) -> bool) -> HubEvent {
        let waiting = async {
            loop {
                let event = self.events.recv().await.expect("the hub lives");
                if wanted(&event) {
                    return event;
                }
            }
        };
        timeout(PATIENCE, waiting).await.expect("it happens")
    }
}

/// Each publisher's messages, in the order in which they came.
pub fn by_publisher(got: &[String]) -> BTreeMap<&str, Vec<usize>> {
    let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for text in got {
        let (who, n) = text.split_once(' ').expect("who, and a number");
        found
            .entry(who)
            .or_default()
            .push(n.parse().expect("a number"));
    }
    found
}
