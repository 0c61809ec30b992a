//! The driver, over a broker in memory that fails in every way that a real one may.

mod nodes;

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use nodes::{Node, PATIENCE, by_publisher};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::timeout;
use wiretalk_backplane::{Begin, Broker, BrokerError, Read, Reader, Writer, connect};
use wiretalk_hub::{Capabilities, Drain, Hub, HubEvent, HubOptions, Keeping, Target};
use wiretalk_proto::Prepared;

/// A log, and what goes wrong with it.
#[derive(Clone)]
struct Tank(Arc<(Mutex<State>, Notify)>);

#[derive(Default)]
struct State {
    epoch: u32,
    log: Vec<Vec<u8>>,
    /// Connections of another number are cut.
    connections: u32,
    is_away: bool,
    /// Appends are written, and then their connection is cut; so many.
    lost_answers: u32,
    /// Appends are written twice.
    doubles: bool,
    /// Nothing is kept: who is not there when it is appended has missed it.
    forgets: bool,
    largest: Option<usize>,
}

impl Tank {
    fn new() -> Self {
        Self(Arc::new((Mutex::default(), Notify::new())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().expect("no test panicked")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.1.notify_waiters();
    }

    fn cut(&self) {
        self.change(|state| state.connections += 1);
    }

    fn go_away(&self) {
        self.change(|state| (state.connections, state.is_away) = (state.connections + 1, true));
    }

    fn come_back(&self) {
        self.change(|state| state.is_away = false);
    }
}

struct End {
    tank: Tank,
    connection: u32,
    next: usize,
}

impl Broker for Tank {
    type Writer = End;
    type Reader = End;

    fn capabilities(&self) -> Capabilities {
        Capabilities::shared(!self.state().forgets)
    }

    async fn connect(&mut self, after: Option<u64>) -> Result<(Begin, End, End), BrokerError> {
        let state = self.state();
        if state.is_away {
            return Err(BrokerError::new("the tank is away"));
        }
        let next = match after {
            _ if state.forgets => state.log.len(),
            after => after.unwrap_or(0) as usize,
        };
        let last = if state.forgets {
            0
        } else {
            state.log.len() as u64
        };
        let begin = Begin {
            epoch: state.epoch.to_string(),
            last,
        };
        let connection = state.connections;
        drop(state);
        let end = || End {
            tank: self.clone(),
            connection,
            next,
        };
        Ok((begin, end(), end()))
    }

    fn largest(&self) -> usize {
        self.state().largest.unwrap_or(usize::MAX)
    }
}

impl Writer for End {
    async fn append(&mut self, records: &[Vec<u8>]) -> Result<(), BrokerError> {
        yield_now().await;
        let cut = || Err(BrokerError::new("the tank has cut the connection"));
        let mut state = self.tank.state();
        if state.connections != self.connection {
            return cut();
        }
        for _ in 0..if state.doubles { 2 } else { 1 } {
            state.log.extend(records.iter().cloned());
        }
        let is_lost = state.lost_answers > 0;
        if is_lost {
            state.lost_answers -= 1;
            state.connections += 1;
        }
        drop(state);
        self.tank.0.1.notify_waiters();
        if is_lost { cut() } else { Ok(()) }
    }
}

impl Reader for End {
    async fn read(&mut self) -> Result<Vec<Read>, BrokerError> {
        loop {
            let changed = self.tank.0.1.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.tank.state();
                if state.connections != self.connection {
                    return Err(BrokerError::new("the tank has cut the connection"));
                }
                let new = state.log.get(self.next..).unwrap_or_default();
                if !new.is_empty() {
                    let first = self.next as u64 + 1;
                    let offset = |at: usize| match state.forgets {
                        true => 0,
                        false => first + at as u64,
                    };
                    let read = new.iter().take(50).enumerate().map(|(at, bytes)| Read {
                        offset: offset(at),
                        bytes: bytes.clone(),
                    });
                    let read: Vec<_> = read.collect();
                    self.next += read.len();
                    return Ok(read);
                }
            }
            changed.await;
        }
    }
}

/// A number that looks random, from 0 to `most`.
fn chance(seed: &mut u64, most: u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % (most + 1)
}

#[tokio::test]
async fn cuts_doubles_and_lost_answers_lose_nothing_and_double_nothing() {
    const EACH: usize = 300;
    for seed in 1..4 {
        let mut seed = seed;
        let tank = Tank::new();
        let mut nodes = Vec::new();
        for _ in 0..3 {
            nodes.push(Node::start(tank.clone()).await);
        }
        for n in 0..EACH {
            for (who, node) in nodes.iter().enumerate() {
                node.say(&format!("{who} {n}"));
            }
            match chance(&mut seed, 40) {
                0 => tank.cut(),
                1 => tank.change(|state| state.lost_answers += 1),
                2 => tank.change(|state| state.doubles = !state.doubles),
                _ => {}
            }
            if chance(&mut seed, 3) == 0 {
                yield_now().await;
            }
        }
        for node in &mut nodes {
            node.get(3 * EACH).await;
            assert_eq!(node.lost, 0);
        }
        for node in &nodes[1..] {
            assert!(node.got == nodes[0].got, "all get one order");
        }
        for (who, numbers) in by_publisher(&nodes[0].got) {
            assert!(numbers.iter().copied().eq(0..EACH), "{who}: {numbers:?}");
        }
    }
}

#[tokio::test]
async fn a_log_that_loses_its_end_or_all_is_mended_by_those_who_wrote_it() {
    const EACH: usize = 200;
    let tank = Tank::new();
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(tank.clone()).await);
    }
    let mut seed = 5;
    for n in 0..EACH {
        for (who, node) in nodes.iter().enumerate() {
            node.say(&format!("{who} {n}"));
        }
        match n % 60 {
            20 => tank.change(|state| {
                let left = state.log.len() / 2;
                state.log.truncate(left);
                state.connections += 1;
            }),
            40 => tank.change(|state| {
                state.log.clear();
                state.epoch += 1;
                state.connections += 1;
            }),
            _ => {}
        }
        if chance(&mut seed, 1) == 0 {
            tokio::task::yield_now().await;
        }
    }
    for node in &mut nodes {
        node.get(3 * EACH).await;
        assert_eq!(node.lost, 0);
        for (who, numbers) in by_publisher(&node.got) {
            assert!(numbers.iter().copied().eq(0..EACH), "{who}: {numbers:?}");
        }
    }
}

#[tokio::test]
async fn a_broker_that_is_away_at_the_start_is_waited_for() {
    let tank = Tank::new();
    tank.go_away();
    let mut node = Node::begin(tank.clone(), HubOptions::default());
    node.say("0 0");
    let down = node
        .event(|event| matches!(event, HubEvent::Down { .. }))
        .await;
    assert_eq!(
        down,
        HubEvent::Down {
            why: "the tank is away".to_owned()
        }
    );
    assert!(!node.hub.stats().up && !node.hub.stats().ready);
    assert!(node.running.pending() > 0);
    tank.come_back();
    node.event(|event| *event == HubEvent::Ready).await;
    assert!(node.hub.stats().up && node.hub.stats().ready);
    node.get(1).await;
    assert_eq!(node.got, ["0 0"]);
}

#[tokio::test]
async fn what_finds_no_place_is_lost_and_counted_for_all() {
    let tank = Tank::new();
    let small = HubOptions {
        pending: 4_000,
        ..HubOptions::default()
    };
    let mut writer = Node::start_with(tank.clone(), small).await;
    let mut other = Node::start(tank.clone()).await;
    writer.say("0 0");
    writer.get(1).await;
    other.get(1).await;
    tank.go_away();
    for n in 1..100 {
        writer.say(&format!("0 {n}"));
    }
    tank.come_back();
    for node in [&mut writer, &mut other] {
        node.get(100).await;
        assert!(node.lost > 50, "{}", node.lost);
        // The oldest were kept.
        assert!(
            by_publisher(&node.got)["0"]
                .iter()
                .copied()
                .eq(0..node.got.len())
        );
        assert_eq!(node.hub.stats().lost, node.lost);
    }
    assert_eq!(writer.lost, other.lost);
    // And it goes on.
    writer.say("0 100");
    other.get(101).await;
    assert_eq!(other.got.last().map(String::as_str), Some("0 100"));
}

#[tokio::test]
async fn a_record_that_the_broker_never_takes_is_lost_and_stops_nobody() {
    let tank = Tank::new();
    let mut node = Node::start(tank.clone()).await;
    tank.go_away();
    node.event(|event| matches!(event, HubEvent::Down { .. }))
        .await;
    node.say(&"x".repeat(2_000));
    tank.change(|state| state.largest = Some(1_000));
    tank.come_back();
    node.event(|event| matches!(event, HubEvent::Lost { count: 1 }))
        .await;
    node.say("0 1");
    node.say(&"x".repeat(2_000));
    node.get(2).await;
    assert_eq!((node.got, node.lost), (vec!["0 1".to_owned()], 1));
}

#[tokio::test]
async fn without_a_log_what_is_missed_is_counted_to_the_last() {
    const ALL: usize = 500;
    let tank = Tank::new();
    tank.change(|state| state.forgets = true);
    let mut writer = Node::start(tank.clone()).await;
    let mut reader = Node::start(tank.clone()).await;
    assert!(!writer.hub.capabilities().durable);
    // One that nobody loses, so that they know each other.
    writer.say("0 0");
    writer.get(1).await;
    reader.get(1).await;
    for n in 1..ALL {
        writer.say(&format!("0 {n}"));
        match n % 50 {
            7 => tank.cut(),
            // What is in the log, and not read yet, is gone for good.
            31 => tank.change(|state| state.lost_answers += 1),
            _ => {}
        }
        if n % 5 == 0 {
            yield_now().await;
        }
    }
    for node in [&mut writer, &mut reader] {
        node.get(ALL).await;
        let numbers = &by_publisher(&node.got)["0"];
        assert!(numbers.is_sorted_by(|a, b| a < b), "once, and in order");
    }
}

#[tokio::test]
async fn who_comes_late_knows_what_all_know() {
    let tank = Tank::new();
    let first = Node::start(tank.clone()).await;
    let (member, _outbox) = first.hub.join();
    first
        .hub
        .join_room(member.id(), "lobby")
        .expect("it is connected");
    first.hub.identify(member.id(), Some("ann"));
    for n in 0..30 {
        let keeping = Keeping {
            history: true,
            keep: true,
        };
        let message = Prepared::text(&n.to_string());
        first
            .hub
            .deliver_with(Target::Room("lobby"), &message, keeping);
    }
    while first.running.pending() > 0 {
        yield_now().await;
    }
    let late = Node::start(tank.clone()).await;
    assert_eq!(
        late.hub.history("lobby", 100, None),
        first.hub.history("lobby", 100, None)
    );
    assert_eq!(late.hub.history("lobby", 100, None).messages.len(), 30);
    assert_eq!(late.hub.kept("lobby"), Some(Prepared::text("29")));
    // Who is present is asked for, and comes soon after.
    let known = async {
        while !late.hub.user_is_present("ann") {
            yield_now().await;
        }
    };
    timeout(PATIENCE, known).await.expect("it is told");
    assert_eq!(late.hub.others("lobby").len(), 1);
    // Whoever says goodbye is gone at once.
    assert!(first.running.close(PATIENCE).await);
    let gone = async {
        while late.hub.user_is_present("ann") {
            yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("it is told");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_falls_silent_is_gone() {
    let tank = Tank::new();
    let here = Node::start(tank.clone()).await;
    let there = Node::start(tank.clone()).await;
    let (member, _outbox) = there.hub.join();
    there.hub.identify(member.id(), Some("ann"));
    let known = async {
        while !here.hub.user_is_present("ann") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, known).await.expect("it is told");
    // Killed: not a word.
    drop(there);
    let gone = async {
        while here.hub.user_is_present("ann") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("its silence is heard");
    assert_eq!(here.hub.stats().nodes, 1);
}

#[tokio::test]
async fn closing_appends_what_waits_or_gives_up() {
    let tank = Tank::new();
    let node = Node::start(tank.clone()).await;
    let mut other = Node::start(tank.clone()).await;
    for n in 0..1_000 {
        node.say(&format!("0 {n}"));
    }
    assert!(node.running.close(PATIENCE).await, "all was appended");
    other.get(1_000).await;

    tank.go_away();
    other.say("1 0");
    let (hub, running) = (other.hub.clone(), other.running);
    assert!(!running.close(Duration::from_millis(200)).await);
    // With the task its hold on the hub is gone; the hub itself lives on.
    hub.deliver(Target::All, &Prepared::text("nobody"));

    // What has nothing to say waits for nobody.
    let idle = Node::begin(tank.clone(), HubOptions::default());
    assert!(idle.running.close(PATIENCE).await);
}

/// A broker that takes the connection, and then nothing ever happens.
#[tokio::test(start_paused = true)]
async fn a_broker_that_is_silent_is_connected_to_anew() {
    struct Silent(Tank, bool);
    struct Deaf;
    enum Half {
        Deaf(Deaf),
        End(End),
    }
    impl Writer for Half {
        async fn append(&mut self, records: &[Vec<u8>]) -> Result<(), BrokerError> {
            match self {
                Self::Deaf(_) => Ok(()),
                Self::End(end) => end.append(records).await,
            }
        }
    }
    impl Reader for Half {
        async fn read(&mut self) -> Result<Vec<Read>, BrokerError> {
            match self {
                Self::Deaf(_) => pending().await,
                Self::End(end) => end.read().await,
            }
        }
    }
    impl Broker for Silent {
        type Writer = Half;
        type Reader = Half;
        fn capabilities(&self) -> Capabilities {
            Capabilities::shared(true)
        }
        async fn connect(
            &mut self,
            after: Option<u64>,
        ) -> Result<(Begin, Half, Half), BrokerError> {
            let (begin, writer, reader) = self.0.connect(after).await?;
            if std::mem::take(&mut self.1) {
                return Ok((begin, Half::Deaf(Deaf), Half::Deaf(Deaf)));
            }
            Ok((begin, Half::End(writer), Half::End(reader)))
        }
    }
    let tank = Tank::new();
    let broker = Silent(tank.clone(), true);
    let (hub, running) = connect(broker, HubOptions::default(), Hub::<()>::with_options);
    let (_member, mut outbox) = hub.join();
    hub.deliver(Target::All, &Prepared::text("x"));
    let mut items = Vec::new();
    let drained = timeout(PATIENCE, outbox.drain(&mut items)).await;
    assert_eq!(drained, Ok(Drain::Items));
    assert_eq!(items.len(), 1);
    assert!(running.close(PATIENCE).await);
}
