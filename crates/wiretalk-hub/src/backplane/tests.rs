//! What every backplane must do, whatever it is made of: one suite, run against each.

use std::task::{Context, Poll, Waker};

use wiretalk_proto::Prepared;

use super::Memory;
use crate::testing::Cluster;
use crate::{
    ConnectionId, Drain, HistoryLimits, Hub, HubOptions, Item, KeepError, KeepLimits, Keeping,
    Member, Outbox, Target,
};

/// A backplane under test: how to open hubs on it, and how to let what is under way arrive.
trait Bench {
    /// A hub on a backplane with these limits; hubs of one bench are on the same backplane if it reaches other hubs.
    fn hub(&mut self, limits: KeepLimits) -> Hub;
    /// Lets all that is published arrive.
    fn settle(&mut self);
}

#[test]
fn memory_keeps_the_contract() {
    struct Alone;
    impl Bench for Alone {
        fn hub(&mut self, limits: KeepLimits) -> Hub {
            Hub::with_options(options(limits), Memory)
        }
        fn settle(&mut self) {}
    }
    contract(|| Alone);
}

/// A broker within the process: what is published waits for its turn, and then goes to every hub.
#[test]
fn a_broker_keeps_the_contract() {
    contract(Cluster::default);
}

impl Bench for Cluster {
    fn hub(&mut self, limits: KeepLimits) -> Hub {
        self.add(options(limits))
    }

    fn settle(&mut self) {
        self.run();
        // Who is present is asked and answered once a second at the most.
        self.now += 1000;
        self.run();
    }
}

fn options(keep: KeepLimits) -> HubOptions {
    HubOptions {
        keep,
        history: HistoryLimits::default(),
        ..HubOptions::default()
    }
}

fn contract<B: Bench>(open: impl Fn() -> B) {
    each_target_reaches_whom_it_names(&mut open());
    all_receivers_find_one_order(&mut open());
    the_last_value_is_kept_and_no_other(&mut open());
    what_is_kept_is_bounded(&mut open());
    history_is_what_the_room_got(&mut open());
    those_who_are_here_are_present(&mut open());
    if open().hub(KeepLimits::default()).capabilities().other_hubs {
        other_hubs_are_reached(&mut open());
        all_hubs_know_the_same(&mut open());
    }
}

fn each_target_reaches_whom_it_names(bench: &mut impl Bench) {
    let hub = bench.hub(KeepLimits::default());
    let mut all: Vec<_> = (0..4).map(|_| hub.join()).collect();
    let ids: Vec<_> = all.iter().map(|(member, _)| member.id()).collect();
    for at in [0, 1, 2] {
        hub.join_room(ids[at], "blue").expect("it is connected");
    }
    for at in [1, 3] {
        assert!(hub.identify(ids[at], Some("ann")));
    }
    for (target, expected) in [
        (Target::One(ids[2]), &[2][..]),
        (Target::One(ConnectionId(99)), &[]),
        (Target::All, &[0, 1, 2, 3]),
        (Target::Others(ids[1]), &[0, 2, 3]),
        (Target::Room("blue"), &[0, 1, 2]),
        (Target::Room("red"), &[]),
        (Target::RoomBut("blue", ids[0]), &[1, 2]),
        (Target::RoomBut("blue", ids[3]), &[0, 1, 2]),
        (Target::User("ann"), &[1, 3]),
        (Target::User("blue"), &[]),
        (Target::UserBut("ann", ids[1]), &[3]),
        (Target::UserBut("ann", ids[0]), &[1, 3]),
    ] {
        hub.deliver(target, &Prepared::text("x"));
        bench.settle();
        let reached: Vec<usize> = (0..4).filter(|at| texts(&mut all[*at]) == ["x"]).collect();
        assert_eq!(reached, expected, "{target:?}");
    }
}

fn all_receivers_find_one_order(bench: &mut impl Bench) {
    let hub = bench.hub(KeepLimits::default());
    let (mut a, mut b) = (hub.join(), hub.join());
    for id in [a.0.id(), b.0.id()] {
        hub.join_room(id, "r").expect("it is connected");
    }
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    for (n, text) in expected.iter().enumerate() {
        let target = [Target::All, Target::Room("r")][n % 2];
        hub.deliver(target, &Prepared::text(text));
    }
    bench.settle();
    assert_eq!(texts(&mut a), expected);
    assert_eq!(texts(&mut b), expected);
}

fn the_last_value_is_kept_and_no_other(bench: &mut impl Bench) {
    let hub = bench.hub(KeepLimits::default());
    let (mut a, mut b) = (hub.join(), hub.join());
    assert!(hub.kept("r").is_none());
    hub.join_room(a.0.id(), "r").expect("it is connected");
    for value in ["first", "second"] {
        hub.keep("r", Prepared::text(value)).expect("there is room");
    }
    bench.settle();
    assert_eq!(texts(&mut a), [""; 0], "to keep is not to send");
    hub.join_room(b.0.id(), "r").expect("it is connected");
    bench.settle();
    assert_eq!(texts(&mut b), ["second"]);
    hub.leave_room(b.0.id(), "r");
    hub.forget("r");
    bench.settle();
    assert!(hub.kept("r").is_none());
    hub.join_room(b.0.id(), "r").expect("it is connected");
    bench.settle();
    assert_eq!(texts(&mut b), [""; 0]);
    hub.publish("r", &Prepared::text("third"))
        .expect("there is room");
    bench.settle();
    for member in [&mut a, &mut b] {
        assert_eq!(
            texts(member),
            ["third"],
            "to publish is to send and to keep"
        );
    }
    assert_eq!(
        hub.kept("r").map(|value| value.payload()),
        Some("third".into())
    );
}

fn what_is_kept_is_bounded(bench: &mut impl Bench) {
    let hub = bench.hub(KeepLimits {
        rooms: 3,
        bytes: 2000,
    });
    let value = |size: usize| Prepared::text(&"x".repeat(size));
    let mut keep = |room: &str, size: usize| {
        let kept = hub.keep(room, value(size));
        bench.settle();
        kept
    };
    keep("a", 1000).expect("it fits");
    assert_eq!(keep("b", 1000), Err(KeepError::TooManyBytes(2000)));
    assert!(hub.kept("b").is_none());
    assert_eq!(keep("a", 3000), Err(KeepError::TooManyBytes(2000)));
    let kept = hub.kept("a").expect("the value before stays");
    assert_eq!(kept.payload().len(), 1000);
    // What takes its place makes room.
    keep("a", 1500).expect("it fits");
    keep("a", 10).expect("it fits");
    keep("b", 1000).expect("it fits");
    keep("c", 0).expect("it fits");
    assert_eq!(keep("d", 0), Err(KeepError::TooManyRooms(3)));
    hub.forget("b");
    hub.forget("b");
    keep("a", 10).expect("it is kept already");
    keep("d", 1000).expect("it fits");
}

fn history_is_what_the_room_got(bench: &mut impl Bench) {
    let hub = bench.hub(KeepLimits::default());
    let (member, _outbox) = hub.join();
    let remembered = Keeping {
        history: true,
        keep: false,
    };
    for n in 0..5 {
        let message = Prepared::text(&n.to_string());
        hub.deliver_with(Target::Room("r"), &message, remembered);
        hub.deliver_with(Target::Room("other"), &message, remembered);
        // Neither is what a room got to remember.
        hub.deliver(Target::Room("r"), &message);
        hub.deliver_with(Target::One(member.id()), &message, remembered);
        hub.deliver_with(Target::All, &message, remembered);
    }
    bench.settle();
    let shown = |limit, after| {
        let history = hub.history("r", limit, after);
        let messages = history.messages.iter();
        let texts: Vec<_> = messages
            .map(|(_, message)| String::from_utf8_lossy(&message.payload()).into_owned())
            .collect();
        (texts.join(" "), history.complete)
    };
    let all = hub.history("r", 10, None);
    let offsets: Vec<u64> = all.messages.iter().map(|(offset, _)| *offset).collect();
    assert!(
        offsets.windows(2).all(|pair| pair[0] < pair[1]) && offsets[0] > 0,
        "{offsets:?}"
    );
    assert_eq!(all.offset, offsets[4]);
    assert_eq!(shown(10, None), ("0 1 2 3 4".to_owned(), true));
    assert_eq!(shown(2, None), ("3 4".to_owned(), false));
    assert_eq!(shown(10, Some(offsets[2])), ("3 4".to_owned(), true));
    assert_eq!(shown(1, Some(offsets[2])), ("3".to_owned(), true));
    assert_eq!(shown(10, Some(all.offset)), (String::new(), true));
    assert!(hub.history("nothing", 10, None).messages.is_empty());
}

fn those_who_are_here_are_present(bench: &mut impl Bench) {
    let hub = bench.hub(KeepLimits::default());
    let (a, _a) = hub.join();
    let (b, _b) = hub.join();
    hub.join_room(a.id(), "r").expect("it is connected");
    hub.join_room(b.id(), "r").expect("it is connected");
    hub.identify(b.id(), Some("ann"));
    bench.settle();
    let present = hub.presence("r");
    let shown: Vec<_> = present
        .iter()
        .map(|present| (present.connection, present.user.as_deref()))
        .collect();
    assert_eq!(shown, [(a.id(), None), (b.id(), Some("ann"))]);
    assert!(hub.others("r").is_empty());
    assert!(hub.user_is_present("ann") && !hub.user_is_present("bob"));
    assert_eq!(hub.stats().members, 2);
    assert!(hub.stats().ready && hub.stats().up);
}

fn other_hubs_are_reached(bench: &mut impl Bench) {
    let (here, there) = (
        bench.hub(KeepLimits::default()),
        bench.hub(KeepLimits::default()),
    );
    let (mut a, mut b) = (here.join(), there.join());
    assert_eq!(a.0.id(), b.0.id(), "ids mean something in one hub alone");
    for (hub, member) in [(&here, &a.0), (&there, &b.0)] {
        hub.join_room(member.id(), "r").expect("it is connected");
    }
    here.deliver(Target::Others(a.0.id()), &Prepared::text("1"));
    there.deliver(Target::RoomBut("r", b.0.id()), &Prepared::text("2"));
    here.deliver(Target::One(a.0.id()), &Prepared::text("mine"));
    here.deliver(Target::All, &Prepared::text("3"));
    bench.settle();
    let of_a = texts(&mut a);
    assert_eq!(of_a.iter().filter(|text| *text == "mine").count(), 1);
    // Of two nodes, either may have been first.
    let mut shared: Vec<_> = of_a.iter().filter(|text| *text != "mine").collect();
    shared.sort();
    assert_eq!(shared, ["2", "3"]);
    assert_eq!(texts(&mut b), ["1", "3"]);
}

/// What is remembered, kept and present is the same in all hubs, in one that comes later too.
fn all_hubs_know_the_same(bench: &mut impl Bench) {
    let hubs = [(); 3].map(|()| bench.hub(KeepLimits::default()));
    let members: Vec<_> = hubs.iter().map(Hub::join).collect();
    for (at, (member, _)) in members.iter().enumerate() {
        let hub = &hubs[at];
        hub.join_room(member.id(), "r").expect("it is connected");
        hub.identify(member.id(), Some(&format!("user {at}")));
        let remembered = Keeping {
            history: true,
            keep: at == 1,
        };
        let message = Prepared::text(&format!("from {at}"));
        hub.deliver_with(Target::RoomBut("r", member.id()), &message, remembered);
        bench.settle();
    }
    let late = bench.hub(KeepLimits::default());
    bench.settle();
    let first = hubs[0].history("r", 10, None);
    assert_eq!(first.messages.len(), 3);
    for hub in hubs.iter().chain([&late]) {
        assert_eq!(hub.history("r", 10, None), first);
        assert_eq!(hub.kept("r"), Some(Prepared::text("from 1")));
        let users = hub.presence("r").into_iter().filter_map(|who| who.user);
        let mut users: Vec<_> = users.map(|user| user.to_string()).collect();
        users.sort();
        assert_eq!(users, ["user 0", "user 1", "user 2"]);
        assert!(hub.user_is_present("user 2"));
    }
    assert_eq!(hubs[0].others("r").len(), 2);
    assert_eq!(late.stats().nodes, 4);
    // Who goes, or changes, does so everywhere.
    let [a, b, _] = &members[..] else {
        unreachable!("three joined")
    };
    hubs[0].leave_room(a.0.id(), "r");
    hubs[1].identify(b.0.id(), None);
    bench.settle();
    let known = late.presence("r");
    assert_eq!(known.len(), 2);
    assert_eq!(
        known.iter().filter(|who| who.user.is_none()).count(),
        1,
        "{known:?}"
    );
    assert!(late.user_is_present("user 0") && !late.user_is_present("user 1"));
    drop(members);
    bench.settle();
    assert!(late.presence("r").is_empty());
    assert!(!late.user_is_present("user 0"));
}

/// All that waits in an outbox.
fn texts((_, outbox): &mut (Member, Outbox)) -> Vec<String> {
    let mut items = Vec::new();
    match outbox.poll_drain(&mut Context::from_waker(Waker::noop()), &mut items) {
        Poll::Pending | Poll::Ready(Drain::Items) => {}
        Poll::Ready(other) => panic!("{other:?}"),
    }
    let payload = |item: &Item| match item {
        Item::Message(message) => String::from_utf8_lossy(&message.payload()).into_owned(),
        Item::Control(never) => match *never {},
    };
    items.iter().map(payload).collect()
}
