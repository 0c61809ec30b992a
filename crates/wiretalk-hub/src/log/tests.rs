use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use wiretalk_proto::Prepared;

use super::{Begun, Log, SILENCE};
use crate::record::{Payload, Publication, Record, Scope, Stamp};
use crate::testing::Cluster;
use crate::{Drain, HistoryLimits, Hub, HubOptions, Item, Keeping, Member, Outbox, Target};

const HERE: u64 = 1;
const THERE: u64 = 2;

fn log() -> Log {
    Log::new(&HubOptions {
        node: HERE,
        ..HubOptions::default()
    })
}

/// A log that is connected and has been read to its end.
fn ready() -> Log {
    let mut log = log();
    let begun = log.connected(None, "e", 0, usize::MAX, 0);
    assert_eq!(begun, Begun::New("e".to_owned()));
    assert!(log.is_ready());
    log
}

fn publish(text: &str) -> Record<'_> {
    Record::Publish(Publication {
        to: Scope::All,
        but: None,
        message: Payload::Text(text),
        history: false,
        keep: false,
        time: 0,
    })
}

fn stamp(seq: u64, published: u64) -> Stamp {
    Stamp {
        node: THERE,
        seq,
        published,
    }
}

/// What comes from another node, and what is made of it: whether it is applied, and how many are lost before it.
#[test]
fn numbers_say_what_is_a_double_and_what_is_missing() {
    enum Comes {
        Publication(u64, u64),
        Gone(u64, u64),
        Heartbeat(u64, u64),
    }
    use Comes::{Gone, Heartbeat, Publication};
    type Row = (&'static str, &'static [(Comes, bool, u64)]);
    let table: &[Row] = &[
        (
            "in order",
            &[
                (Publication(1, 1), true, 0),
                (Publication(2, 2), true, 0),
                (Heartbeat(2, 2), false, 0),
            ],
        ),
        (
            "doubles",
            &[
                (Publication(1, 1), true, 0),
                (Publication(2, 2), true, 0),
                (Publication(1, 1), false, 0),
                (Publication(2, 2), false, 0),
                (Publication(3, 3), true, 0),
            ],
        ),
        (
            "the first that is heard is where it begins",
            &[
                (Publication(70, 40), true, 0),
                (Publication(71, 41), true, 0),
            ],
        ),
        (
            "a gap of publications",
            &[(Publication(1, 1), true, 0), (Publication(5, 5), true, 3)],
        ),
        (
            "a gap with other records in it counts publications only",
            &[(Publication(1, 1), true, 0), (Publication(9, 4), true, 2)],
        ),
        (
            "a gap before a record that is no publication",
            &[(Publication(1, 1), true, 0), (Gone(5, 3), false, 2)],
        ),
        (
            "a gap at the end is told by a heartbeat, once",
            &[
                (Publication(1, 1), true, 0),
                (Heartbeat(4, 3), false, 2),
                (Heartbeat(4, 3), false, 0),
                (Publication(5, 4), true, 0),
            ],
        ),
        (
            "what was told as lost is not delivered later",
            &[
                (Publication(1, 1), true, 0),
                (Publication(3, 3), true, 1),
                (Publication(2, 2), false, 0),
            ],
        ),
        (
            "a heartbeat that is behind says nothing",
            &[(Publication(5, 5), true, 0), (Heartbeat(3, 3), false, 0)],
        ),
    ];
    for (name, comes) in table {
        let mut log = ready();
        for (at, (comes, applied, lost)) in comes.iter().enumerate() {
            let bytes = match *comes {
                Publication(seq, published) => publish("x").encode(stamp(seq, published)),
                Gone(seq, published) => Record::Gone {
                    connection: crate::ConnectionId(1),
                }
                .encode(stamp(seq, published)),
                Heartbeat(seq, published) => Record::Heartbeat.encode(stamp(seq, published)),
            };
            let outcome = log.read(at as u64 + 1, &bytes, 0);
            let is_applied = outcome.news.is_some_and(|news| !news.again);
            assert_eq!(
                (is_applied, outcome.lost),
                (*applied, *lost),
                "{name}: {at}"
            );
        }
    }
}

#[test]
fn what_was_not_read_back_is_taken_again_and_nothing_else() {
    let mut log = ready();
    for text in ["a", "b", "c"] {
        assert!(log.push(&publish(text)));
    }
    let first = log.take(1);
    assert_eq!(first.len(), 1, "one at least, however small the batch");
    let rest = log.take(usize::MAX);
    assert_eq!(rest.len(), 2);
    assert!(log.take(usize::MAX).is_empty() && log.is_drained());
    assert!(log.pending() > 0, "nothing was read back");
    let _ = log.read(1, &first[0], 0);
    log.disconnected();
    assert!(log.take(usize::MAX).is_empty() && !log.is_drained());
    // The second one came through after all; the answer did not.
    assert_eq!(log.connected(Some(1), "e", 2, usize::MAX, 0), Begun::Same);
    assert!(log.take(usize::MAX).is_empty(), "not before all is read");
    let _ = log.read(2, &rest[0], 0);
    assert_eq!(log.take(usize::MAX), rest[1..]);
    let _ = log.read(3, &rest[1], 0);
    assert_eq!(log.pending(), 0);
}

#[test]
fn another_log_gets_all_that_is_remembered() {
    let mut log = ready();
    log.push(&publish("a"));
    let taken = log.take(usize::MAX);
    let _ = log.read(1, &taken[0], 0);
    log.disconnected();
    // Another name; or the same one, but shorter than what was read.
    for (epoch, name) in [("f", "f"), ("f", "f+1"), ("f", "f+2"), ("g", "g")] {
        let after = log.after();
        assert_eq!(after, Some(1));
        let begun = log.connected(after, epoch, 0, usize::MAX, 0);
        assert_eq!(begun, Begun::Elsewhere);
        assert_eq!(log.after(), None);
        let begun = log.connected(None, epoch, 0, usize::MAX, 0);
        assert_eq!(begun, Begun::New(name.to_owned()));
        assert_eq!(log.take(usize::MAX), taken);
        let outcome = log.read(1, &taken[0], 0);
        assert!(outcome.news.is_some_and(|news| news.again), "{name}");
        assert_eq!(outcome.first, Some(1));
        log.disconnected();
    }
}

#[test]
fn memory_is_bounded_in_bytes() {
    let mut log = Log::new(&HubOptions {
        node: HERE,
        pending: 2000,
        again: 1000,
        ..HubOptions::default()
    });
    let text = "x".repeat(100);
    let fitting = (0..100).filter(|_| log.push(&publish(&text))).count();
    assert!(log.pending() <= 2000, "{}", log.pending());
    assert!((5..15).contains(&fitting), "{fitting}");
    let _ = log.connected(None, "e", 0, usize::MAX, 0);
    let taken = log.take(usize::MAX);
    assert_eq!(taken.len(), fitting);
    for (at, bytes) in taken.iter().enumerate() {
        let _ = log.read(at as u64 + 1, bytes, 0);
    }
    assert_eq!(log.pending(), 0);
    // The heartbeat says how far it has come, refused ones included.
    let said = log.say(0);
    let numbers: Vec<_> = said
        .iter()
        .map(|bytes| Record::decode(bytes).expect("its own").0)
        .map(|stamp| (stamp.seq, stamp.published))
        .collect();
    assert_eq!(
        numbers,
        [(100, 100), (100, 100)],
        "a question and a heartbeat"
    );
    let outcome = log.read(20, &said[1], 0);
    assert_eq!(outcome.lost, 100 - fitting as u64);
    // Of what was read back, the newest are remembered.
    log.disconnected();
    let _ = log.connected(Some(20), "f", 0, usize::MAX, 0);
    let _ = log.connected(None, "f", 0, usize::MAX, 0);
    let again = log.take(usize::MAX);
    assert!(
        again.len() < taken.len() && taken.ends_with(&again),
        "{}",
        again.len()
    );
}

#[test]
fn a_record_that_is_too_large_for_the_broker_is_refused() {
    let mut log = log();
    assert!(log.push(&publish(&"x".repeat(1000))), "nobody knows yet");
    assert!(log.push(&publish("short")));
    let _ = log.connected(None, "e", 0, 500, 0);
    assert_eq!(log.take(usize::MAX).len(), 1, "the short one");
    assert!(!log.push(&publish(&"x".repeat(1000))));
}

#[test]
fn foreign_bytes_are_counted_and_marks_are_not() {
    let mut log = ready();
    let _ = log.read(1, b"something else", 0);
    let _ = log.read(7, b"", 0);
    assert_eq!((log.foreign(), log.after()), (1, Some(7)));
}

#[test]
fn a_node_that_began_while_this_one_was_away_is_missed_from_its_beginning() {
    // How long this node read the log before it was away, when it hears of the other one, and how many are lost.
    let table = [
        ("read from the log", SILENCE, None, 39),
        ("heard at once", SILENCE, Some(0), 39),
        ("heard in time", SILENCE, Some(SILENCE - 1), 39),
        (
            "it came later than this node came back",
            SILENCE,
            Some(SILENCE),
            0,
        ),
        ("it may have been there before", SILENCE - 1, Some(0), 0),
    ];
    let publication = publish("x").encode(stamp(70, 40));
    for (why, stayed, heard, lost) in table {
        let mut log = ready();
        let _ = log.read(1, &[], 0);
        let _ = log.say(stayed);
        log.disconnected();
        let back = 90_000;
        let last = if heard.is_some() { 1 } else { 9 };
        let begun = log.connected(log.after(), "e", last, usize::MAX, back);
        assert_eq!((begun, log.is_ready()), (Begun::Same, heard.is_some()));
        let now = back + heard.unwrap_or(0);
        let outcome = log.read(5, &publication, now);
        assert_eq!(
            (outcome.lost, outcome.news.is_some()),
            (lost, true),
            "{why}"
        );
        let next = publish("y").encode(stamp(71, 41));
        assert_eq!(log.read(6, &next, now).lost, 0, "told once");
    }
}

#[test]
fn heartbeats_and_silence() {
    let mut log = ready();
    assert_eq!(log.say(0).len(), 2, "who is there, and that this one is");
    assert!(log.say(999).is_empty());
    assert_eq!(log.say(1000).len(), 1);
    let heartbeat = Record::Heartbeat.encode(stamp(0, 0));
    let _ = log.read(1, &heartbeat, 1000);
    // Who is present there is not known, and is asked for; not at once, since it was asked a moment ago.
    assert_eq!(log.say(2000).len(), 2);
    assert!(log.silent(1000 + SILENCE).is_empty());
    assert_eq!(log.silent(1001 + SILENCE), [THERE]);
    assert!(log.silent(9000 + SILENCE).is_empty(), "told once");
    // While this node itself is away, nobody falls silent.
    let _ = log.read(2, &heartbeat, 9000);
    log.disconnected();
    assert!(log.silent(90_000).is_empty());
    let _ = log.connected(Some(2), "e", 2, usize::MAX, 90_000);
    assert!(log.silent(90_000 + SILENCE).is_empty());
    assert_eq!(log.silent(90_001 + SILENCE), [THERE]);
}

#[test]
fn a_history_in_which_something_was_lost_is_not_complete() {
    let options = HubOptions {
        node: HERE,
        ..options()
    };
    let hub: Hub = Hub::with_options(options.clone(), Away);
    let mut log = Log::new(&options);
    let _ = log.connected(None, "e", 0, usize::MAX, 0);
    let in_room = |text| {
        Record::Publish(Publication {
            to: Scope::Room("r"),
            but: None,
            message: Payload::Text(text),
            history: true,
            keep: false,
            time: 0,
        })
    };
    let read = |log: &mut Log, offset, record: Record<'_>, seq| {
        let bytes = record.encode(stamp(seq, seq));
        let _ = hub.follow(&log.read(offset, &bytes, 0));
    };
    read(&mut log, 1, in_room("1"), 1);
    assert!(hub.history("r", 10, Some(1)).complete);
    // While this node was away, the log was trimmed.
    read(&mut log, 5, in_room("5"), 5);
    let missed = hub.history("r", 10, Some(1));
    assert_eq!((missed.messages.len(), missed.complete), (1, false));
    assert!(hub.history("r", 10, Some(5)).complete);
    // Or its end was lost, as a heartbeat tells that is not kept.
    read(&mut log, 0, Record::Heartbeat, 9);
    assert!(!hub.history("r", 10, Some(4)).complete);
    assert!(hub.history("r", 10, Some(5)).complete);
}

/// Reaches other hubs, and takes all that it is given.
struct Away;

impl crate::Backplane for Away {
    fn capabilities(&self) -> crate::Capabilities {
        crate::Capabilities::shared(true)
    }

    fn append(&mut self, _: &Record<'_>) -> crate::Route {
        crate::Route::Away
    }
}

/// What may happen. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Publish(usize),
    Append(usize, usize),
    Read(usize, usize),
    Disconnect(usize),
    Connect(usize),
    /// The newest so many records of a node are in the log once more.
    Double(usize, usize),
    /// The log loses its newest so many records, and all their connections.
    LoseEnd(usize),
    LoseAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = 0..3usize;
    let step = prop_oneof![
        12 => node.clone().prop_map(Step::Publish),
        8 => (node.clone(), 1..1000usize).prop_map(|(node, bytes)| Step::Append(node, bytes)),
        8 => (node.clone(), 1..20usize).prop_map(|(node, most)| Step::Read(node, most)),
        2 => node.clone().prop_map(Step::Disconnect),
        3 => node.clone().prop_map(Step::Connect),
        2 => (node, 1..10usize).prop_map(|(node, most)| Step::Double(node, most)),
        1 => (0..30usize).prop_map(Step::LoseEnd),
        1 => Just(Step::LoseAll),
    ];
    prop::collection::vec(step, 0..150)
}

type Seat = (Member, Outbox);
/// What a member got, and how many it was told to have lost.
type Got = (Vec<String>, u64);

fn texts((_, outbox): &mut Seat) -> Vec<String> {
    let mut items = Vec::new();
    match outbox.poll_drain(&mut Context::from_waker(Waker::noop()), &mut items) {
        Poll::Pending | Poll::Ready(Drain::Items) => {}
        Poll::Ready(other) => panic!("{other:?}"),
    }
    items
        .iter()
        .map(|item| match item {
            Item::Message(message) => String::from_utf8_lossy(&message.payload()).into_owned(),
            Item::Control(never) => match *never {},
        })
        .collect()
}

/// Three nodes go through the steps, and then all is well again; what each node's member got, and how many it was told to
/// have lost.
fn play(
    steps: &[Step],
    options: &HubOptions,
    published: &mut [usize; 3],
) -> (Cluster, Vec<Seat>, Vec<Got>) {
    let mut cluster = Cluster::default();
    let mut seats: Vec<Seat> = Vec::new();
    let say = |cluster: &Cluster, node: usize, published: &mut [usize; 3]| {
        let text = format!("{node} {}", published[node]);
        published[node] += 1;
        let keeping = Keeping {
            history: true,
            keep: false,
        };
        let hub = &cluster.nodes[node].hub;
        hub.deliver_with(Target::Room("r"), &Prepared::text(&text), keeping);
    };
    for _ in 0..3 {
        let hub = cluster.add(options.clone());
        let seat = hub.join_with(usize::MAX);
        hub.join_room(seat.0.id(), "r").expect("it is connected");
        seats.push(seat);
    }
    // All know each other.
    for node in 0..3 {
        say(&cluster, node, published);
    }
    cluster.run();
    for step in steps {
        cluster.now += 1;
        match *step {
            Step::Publish(node) => say(&cluster, node, published),
            Step::Append(node, bytes) => {
                if cluster.nodes[node].read.is_some() {
                    cluster.append(node, bytes);
                }
            }
            Step::Read(node, most) => {
                cluster.read(node, most);
            }
            Step::Disconnect(node) => cluster.disconnect(node),
            Step::Connect(node) => {
                if cluster.nodes[node].read.is_none() {
                    cluster.connect(node);
                }
            }
            Step::Double(node, most) => {
                let of_node = |bytes: &&Vec<u8>| {
                    Record::decode(bytes).is_ok_and(|(stamp, record)| {
                        stamp.node == node as u64 + 1 && record.is_numbered()
                    })
                };
                let newest = cluster.log.iter().rev().filter(of_node).take(most);
                let mut newest: Vec<_> = newest.cloned().collect();
                newest.reverse();
                cluster.log.extend(newest);
            }
            Step::LoseEnd(most) => {
                let left = cluster.log.len().saturating_sub(most);
                cluster.lose(left);
            }
            Step::LoseAll => cluster.lose(0),
        }
    }
    for node in 0..3 {
        if cluster.nodes[node].read.is_none() {
            cluster.connect(node);
        }
    }
    cluster.run();
    // A loss at the very end is told by the next heartbeat.
    for _ in 0..3 {
        cluster.now += 1000;
        cluster.run();
    }
    let got = seats
        .iter_mut()
        .zip(&cluster.nodes)
        .map(|(seat, node)| (texts(seat), *node.lost.lock().expect("no test panicked")))
        .collect();
    (cluster, seats, got)
}

fn options() -> HubOptions {
    HubOptions {
        history: HistoryLimits::default(),
        ..HubOptions::default()
    }
}

fn by_publisher(got: &[String]) -> BTreeMap<usize, Vec<usize>> {
    let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for text in got {
        let (who, n) = text.split_once(' ').expect("who, and a number");
        let n = n.parse().expect("a number");
        found
            .entry(who.parse().expect("a node"))
            .or_default()
            .push(n);
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is lost, doubled or cut, as long as those who wrote remember: each once, and in the order of its publisher; in
    /// one order for all, if the log was never lost.
    #[test]
    fn each_message_comes_once_and_in_order(steps in steps()) {
        let mut published = [0; 3];
        let (cluster, _seats, got) = play(&steps, &options(), &mut published);
        let is_one_log = !steps.iter().any(|step| matches!(step, Step::LoseEnd(_) | Step::LoseAll));
        for (texts, lost) in &got {
            prop_assert_eq!(*lost, 0);
            for (who, numbers) in by_publisher(texts) {
                prop_assert!(numbers.iter().copied().eq(0..published[who]), "{} {:?}", who, numbers);
            }
            prop_assert_eq!(texts.len(), published.iter().sum::<usize>());
            prop_assert!(!is_one_log || texts == &got[0].0);
        }
        let first = cluster.nodes[0].hub.history("r", 1000, None);
        prop_assert_eq!(first.messages.len(), 100.min(published.iter().sum()));
        for node in &cluster.nodes {
            prop_assert_eq!(node.log().pending(), 0);
            let history = node.hub.history("r", 1000, None);
            prop_assert!(history.messages.is_sorted_by_key(|(offset, _)| *offset));
            if is_one_log {
                prop_assert_eq!(&history, &first);
                let remembered = history.messages.iter().map(|(_, message)| message.payload());
                let newest = got[0].0.iter().skip(got[0].0.len() - first.messages.len());
                prop_assert!(remembered.eq(newest.map(String::as_bytes)), "as it was delivered");
            }
            // Who is present is known to all, whatever happened.
            prop_assert_eq!(node.hub.presence("r").len(), 3);
            prop_assert_eq!(node.hub.others("r").len(), 2);
        }
    }

    /// With little memory: once and in order, or told as lost, to the last one.
    #[test]
    fn what_is_lost_is_counted_exactly(steps in steps()) {
        let mut published = [0; 3];
        let small = HubOptions { pending: 600, again: 200, ..options() };
        let (_, _seats, got) = play(&steps, &small, &mut published);
        for (texts, lost) in got {
            for (who, numbers) in by_publisher(&texts) {
                prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{} {:?}", who, numbers);
            }
            prop_assert_eq!(texts.len() as u64 + lost, published.iter().sum::<usize>() as u64);
        }
    }
}
