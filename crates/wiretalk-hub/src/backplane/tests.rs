//! What every backplane must do, whatever it is made of: one suite, run against each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use wiretalk_proto::Prepared;

use super::{Backplane, Capabilities, KeepError, KeepLimits, Memory, Route};
use crate::{ConnectionId, Drain, Hub, Item, Member, Outbox, Target};

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
            Hub::with_backplane(Memory::new(limits))
        }
        fn settle(&mut self) {}
    }
    contract(|| Alone);
}

/// A broker within the process: what is published waits for its turn, and then goes to every hub.
#[test]
fn a_broker_keeps_the_contract() {
    contract(Bus::default);
}

fn contract<B: Bench>(open: impl Fn() -> B) {
    each_target_reaches_whom_it_names(&mut open());
    all_receivers_find_one_order(&mut open());
    the_last_value_is_kept_and_no_other(&mut open());
    what_is_kept_is_bounded(&mut open());
    if open().hub(KeepLimits::default()).capabilities().other_hubs {
        other_hubs_are_reached(&mut open());
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
    hub.keep("a", value(1000)).expect("it fits");
    assert_eq!(
        hub.keep("b", value(1000)),
        Err(KeepError::TooManyBytes(2000))
    );
    assert!(hub.kept("b").is_none());
    assert_eq!(
        hub.keep("a", value(3000)),
        Err(KeepError::TooManyBytes(2000))
    );
    let kept = hub.kept("a").expect("the value before stays");
    assert_eq!(kept.payload().len(), 1000);
    // What takes its place makes room.
    hub.keep("a", value(1500)).expect("it fits");
    hub.keep("a", value(10)).expect("it fits");
    hub.keep("b", value(1000)).expect("it fits");
    hub.keep("c", value(0)).expect("it fits");
    assert_eq!(hub.keep("d", value(0)), Err(KeepError::TooManyRooms(3)));
    hub.forget("b");
    hub.forget("b");
    hub.keep("d", value(1000)).expect("it fits");
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
    let shared: Vec<_> = of_a.iter().filter(|text| *text != "mine").collect();
    assert_eq!(shared, ["2", "3"]);
    assert_eq!(texts(&mut b), ["1", "3"]);
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

/// Who published, to whom, and what.
type Published = (usize, Owned, Prepared);

/// A [`Target`] that can wait.
enum Owned {
    All,
    Others(ConnectionId),
    Room(String),
    RoomBut(String, ConnectionId),
    User(String),
    UserBut(String, ConnectionId),
}

#[derive(Default)]
struct Bus {
    hubs: Vec<Hub>,
    under_way: Arc<Mutex<VecDeque<Published>>>,
}

/// A hub's end of the bus.
struct Stop {
    number: usize,
    under_way: Arc<Mutex<VecDeque<Published>>>,
    kept: Memory,
}

impl Backplane for Stop {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            other_hubs: true,
            ..Capabilities::default()
        }
    }

    fn publish(&mut self, to: Target<'_>, message: &Prepared) -> Route {
        let to = match to {
            Target::One(id) => panic!("{id} is nobody to other hubs"),
            Target::All => Owned::All,
            Target::Others(id) => Owned::Others(id),
            Target::Room(room) => Owned::Room(room.to_owned()),
            Target::RoomBut(room, id) => Owned::RoomBut(room.to_owned(), id),
            Target::User(user) => Owned::User(user.to_owned()),
            Target::UserBut(user, id) => Owned::UserBut(user.to_owned(), id),
        };
        let mut under_way = self.under_way.lock().expect("no test panicked");
        under_way.push_back((self.number, to, message.clone()));
        Route::Away
    }

    fn keep(&mut self, room: &str, value: Prepared) -> Result<(), KeepError> {
        self.kept.keep(room, value)
    }

    fn forget(&mut self, room: &str) {
        self.kept.forget(room);
    }

    fn kept(&self, room: &str) -> Option<Prepared> {
        self.kept.kept(room)
    }
}

impl Bench for Bus {
    fn hub(&mut self, limits: KeepLimits) -> Hub {
        let hub = Hub::with_backplane(Stop {
            number: self.hubs.len(),
            under_way: Arc::clone(&self.under_way),
            kept: Memory::new(limits),
        });
        self.hubs.push(hub.clone());
        hub
    }

    fn settle(&mut self) {
        let under_way = std::mem::take(&mut *self.under_way.lock().expect("no test panicked"));
        for (from, to, message) in under_way {
            for (number, hub) in self.hubs.iter().enumerate() {
                let own = number == from;
                let target = match &to {
                    Owned::Others(id) if own => Target::Others(*id),
                    Owned::All | Owned::Others(_) => Target::All,
                    Owned::RoomBut(room, id) if own => Target::RoomBut(room, *id),
                    Owned::Room(room) | Owned::RoomBut(room, _) => Target::Room(room),
                    Owned::UserBut(user, id) if own => Target::UserBut(user, *id),
                    Owned::User(user) | Owned::UserBut(user, _) => Target::User(user),
                };
                hub.receive(target, &message);
            }
        }
    }
}
