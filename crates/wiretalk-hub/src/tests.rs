mod rooms;

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use proptest::prelude::*;
use wiretalk_proto::Prepared;

use crate::{ConnectionId, Delivery, Drain, Hub, Item, Member, Outbox, Target};

#[test]
fn each_target_reaches_whom_it_names() {
    let hub: Hub = Hub::new();
    let mut members: Vec<_> = (0..3).map(|_| hub.join()).collect();
    let [a, b, c] = [members[0].0.id(), members[1].0.id(), members[2].0.id()];
    let stranger = ConnectionId(99);
    for (target, expected) in [
        (Target::One(b), vec![b]),
        (Target::One(stranger), vec![]),
        (Target::All, vec![a, b, c]),
        (Target::Others(b), vec![a, c]),
        (Target::Others(stranger), vec![a, b, c]),
    ] {
        let delivery = hub.deliver(target, &Prepared::text("x"));
        assert_eq!(
            delivery,
            Delivery {
                receivers: expected.len(),
                overflowed: vec![],
                ..Delivery::default()
            },
            "{target:?}"
        );
        let mut reached = Vec::new();
        for (member, outbox) in &mut members {
            match look(outbox) {
                Poll::Ready((Drain::Items, items)) => {
                    assert_eq!(texts(&items), ["x"]);
                    reached.push(member.id());
                }
                Poll::Pending => {}
                Poll::Ready(other) => panic!("{target:?}: {other:?}"),
            }
        }
        assert_eq!(reached, expected, "{target:?}");
    }
}

#[test]
fn the_count_is_right_at_once_and_ids_are_not_used_again() {
    let hub: Hub = Hub::new();
    assert!(hub.is_empty());
    let (a, _a_outbox) = hub.join();
    let (b, _b_outbox) = hub.join();
    assert_eq!(
        (hub.len(), hub.ids()),
        (2, vec![ConnectionId(1), ConnectionId(2)])
    );
    drop(a);
    assert_eq!((hub.len(), hub.ids()), (1, vec![ConnectionId(2)]));
    let (c, _c_outbox) = hub.join();
    assert_eq!((hub.len(), c.id()), (2, ConnectionId(3)));
    drop((b, c));
    assert_eq!((hub.len(), hub.ids()), (0, vec![]));
}

#[test]
fn what_was_delivered_before_leaving_is_drained_before_closed() {
    let hub: Hub = Hub::new();
    let (member, mut outbox) = hub.join();
    hub.deliver(Target::All, &Prepared::text("last"));
    drop(member);
    assert_eq!(
        hub.deliver(Target::All, &Prepared::text("too late"))
            .receivers,
        0
    );
    let Poll::Ready((Drain::Items, items)) = look(&mut outbox) else {
        panic!("nothing to drain")
    };
    assert_eq!(texts(&items), ["last"]);
    assert!(matches!(look(&mut outbox), Poll::Ready((Drain::Closed, _))));
    assert!(
        matches!(look(&mut outbox), Poll::Ready((Drain::Closed, _))),
        "closed stays closed"
    );
}

#[test]
fn a_dropped_outbox_takes_nothing_but_its_member_is_counted() {
    let hub: Hub = Hub::new();
    let (_a, outbox) = hub.join();
    let (_b, _b_outbox) = hub.join();
    drop(outbox);
    assert_eq!(
        hub.deliver(Target::All, &Prepared::text("x")),
        Delivery {
            receivers: 1,
            overflowed: vec![],
            ..Delivery::default()
        }
    );
    assert_eq!(hub.len(), 2);
}

#[test]
fn overflow_costs_the_slow_receiver_its_place_and_the_others_nothing() {
    let hub: Hub = Hub::new();
    let wire = Prepared::text("0123456789").wire().len();
    let (slow, mut slow_outbox) = hub.join_with(2 * wire);
    let (_quick, mut quick_outbox) = hub.join_with(3 * wire);
    let say = |text: &str| hub.deliver(Target::All, &Prepared::text(text));

    assert_eq!(
        say("message  0"),
        Delivery {
            receivers: 2,
            overflowed: vec![],
            ..Delivery::default()
        }
    );
    assert_eq!(
        say("message  1"),
        Delivery {
            receivers: 2,
            overflowed: vec![],
            ..Delivery::default()
        }
    );
    assert_eq!(
        slow_outbox.queued(),
        2 * wire,
        "the limit itself is within the limit"
    );
    assert_eq!(
        say("message  2"),
        Delivery {
            receivers: 1,
            overflowed: vec![slow.id()],
            ..Delivery::default()
        }
    );
    assert_eq!(slow_outbox.queued(), 0, "what waited is let go at once");
    let Poll::Ready((Drain::Items, items)) = look(&mut quick_outbox) else {
        panic!("nothing to drain")
    };
    assert_eq!(texts(&items), ["message  0", "message  1", "message  2"]);

    assert_eq!(
        say("message  3"),
        Delivery {
            receivers: 1,
            overflowed: vec![],
            ..Delivery::default()
        },
        "told once"
    );
    assert!(
        matches!(look(&mut slow_outbox), Poll::Ready((Drain::Overflow, items)) if items.is_empty())
    );
    assert!(
        matches!(look(&mut slow_outbox), Poll::Ready((Drain::Overflow, _))),
        "overflow stays"
    );
    assert_eq!(hub.len(), 2, "still connected, until it is closed");
    drop(slow);
    assert_eq!(hub.len(), 1);
    assert!(
        matches!(look(&mut slow_outbox), Poll::Ready((Drain::Overflow, _))),
        "also once it has left"
    );
}

#[test]
fn an_empty_outbox_takes_one_item_of_any_size() {
    let hub: Hub = Hub::new();
    let (member, mut outbox) = hub.join_with(10);
    let large = "x".repeat(1000);
    assert_eq!(
        hub.deliver(Target::All, &Prepared::text(&large)).receivers,
        1
    );
    assert!(matches!(look(&mut outbox), Poll::Ready((Drain::Items, _))));
    assert_eq!(
        hub.deliver(Target::All, &Prepared::text(&large)).receivers,
        1,
        "drained, so it is empty again"
    );
    assert_eq!(
        hub.deliver(Target::All, &Prepared::text("")).overflowed,
        [member.id()]
    );
}

#[derive(Clone, PartialEq, Debug)]
enum Control {
    Ping,
    Close(u16),
}

#[test]
fn control_items_keep_their_place_among_messages_and_count() {
    let hub: Hub<Control> = Hub::new();
    let (member, mut outbox) = hub.join_with(100);
    let me = Target::One(member.id());
    hub.deliver(me, &Prepared::text("before"));
    hub.control(me, &Control::Ping, 2);
    hub.deliver(me, &Prepared::text("between"));
    hub.control(me, &Control::Close(1000), 4);
    assert_eq!(
        outbox.queued(),
        "before".len() + 2 + 2 + "between".len() + 2 + 4
    );
    let Poll::Ready((Drain::Items, items)) = look(&mut outbox) else {
        panic!("nothing to drain")
    };
    let shown: Vec<String> = items
        .iter()
        .map(|item| match item {
            Item::Message(message) => String::from_utf8_lossy(&message.payload()).into_owned(),
            Item::Control(control) => format!("{control:?}"),
        })
        .collect();
    assert_eq!(shown, ["before", "Ping", "between", "Close(1000)"]);

    hub.control(me, &Control::Ping, 60);
    assert_eq!(
        hub.control(Target::All, &Control::Ping, 60).overflowed,
        [member.id()]
    );
}

#[test]
fn a_drain_is_woken_by_delivery_overflow_and_leaving() {
    let hub: Hub = Hub::new();
    let wakes = Arc::new(CountWakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    let (member, mut outbox) = hub.join_with(1);
    let mut items = Vec::new();

    assert!(outbox.poll_drain(&mut cx, &mut items).is_pending());
    assert_eq!(wakes.count(), 0);
    hub.deliver(Target::All, &Prepared::text("x"));
    assert_eq!(wakes.count(), 1);
    hub.deliver(Target::All, &Prepared::text("y"));
    assert_eq!(
        wakes.count(),
        1,
        "a waker is called once for each time it was left"
    );
    assert_eq!(
        outbox.poll_drain(&mut cx, &mut items),
        Poll::Ready(Drain::Overflow)
    );

    let (quiet, mut outbox) = hub.join();
    assert!(outbox.poll_drain(&mut cx, &mut items).is_pending());
    drop(quiet);
    assert_eq!(wakes.count(), 2);
    assert_eq!(
        outbox.poll_drain(&mut cx, &mut items),
        Poll::Ready(Drain::Closed)
    );
    drop(member);
}

#[test]
fn a_drain_appends_to_what_the_caller_has() {
    let hub: Hub = Hub::new();
    let (_member, mut outbox) = hub.join();
    let mut items = Vec::new();
    for (text, all) in [("a", vec!["a"]), ("b", vec!["a", "b"])] {
        hub.deliver(Target::All, &Prepared::text(text));
        assert_eq!(
            outbox.poll_drain(&mut Context::from_waker(Waker::noop()), &mut items),
            Poll::Ready(Drain::Items)
        );
        assert_eq!(texts(&items), all);
    }
}

/// A waker may do anything, also what takes the hub's lock.
#[test]
fn a_waker_may_use_the_hub() {
    struct LeaveWhenWoken(std::sync::Mutex<Option<Member>>);
    impl Wake for LeaveWhenWoken {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().expect("not poisoned").take());
        }
    }
    let hub: Hub = Hub::new();
    let (member, mut outbox) = hub.join();
    let waker = Waker::from(Arc::new(LeaveWhenWoken(Some(member).into())));
    assert!(
        outbox
            .poll_drain(&mut Context::from_waker(&waker), &mut Vec::new())
            .is_pending()
    );
    assert_eq!(hub.deliver(Target::All, &Prepared::text("x")).receivers, 1);
    assert_eq!(hub.len(), 0);
}

/// Senders, receivers that come, and one that never reads, all at once: every receiver finds the messages that came
/// while it was there in the one order, without a gap.
#[test]
fn threads_agree_on_one_order() {
    const SENDERS: usize = 4;
    const RECEIVERS: usize = 4;
    const EACH: usize = 500;
    let hub: Hub = Hub::new();
    let (_stuck, mut stuck_outbox) = hub.join_with(50);
    let receivers: Vec<_> = (0..RECEIVERS).map(|_| hub.join_with(usize::MAX)).collect();

    let seen: Vec<Vec<String>> = thread::scope(|scope| {
        let receiving: Vec<_> = receivers
            .into_iter()
            .map(|(member, mut outbox)| {
                scope.spawn(move || {
                    let mut items = Vec::new();
                    while items.len() < SENDERS * EACH {
                        assert_eq!(block_on(outbox.drain(&mut items)), Drain::Items);
                    }
                    drop(member);
                    texts(&items)
                })
            })
            .collect();
        let sending: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let hub = hub.clone();
                scope.spawn(move || {
                    for n in 0..EACH {
                        hub.deliver(Target::All, &Prepared::text(&format!("{sender} {n}")));
                        // A newcomer on every turn must trouble nobody.
                        let (newcomer, _outbox) = hub.join();
                        drop(newcomer);
                    }
                })
            })
            .collect();
        for thread in sending {
            thread.join().expect("a sender panicked");
        }
        receiving
            .into_iter()
            .map(|thread| thread.join().expect("a receiver panicked"))
            .collect()
    });

    for other in &seen[1..] {
        assert_eq!(&seen[0], other);
    }
    assert_eq!(
        seen[0].iter().collect::<BTreeSet<_>>().len(),
        SENDERS * EACH
    );
    for sender in 0..SENDERS {
        let own: Vec<_> = seen[0]
            .iter()
            .filter(|text| text.starts_with(&format!("{sender} ")))
            .collect();
        assert_eq!(
            own,
            (0..EACH)
                .map(|n| format!("{sender} {n}"))
                .collect::<Vec<_>>()
                .iter()
                .collect::<Vec<_>>()
        );
    }
    assert_eq!(hub.len(), 1);
    assert!(matches!(
        look(&mut stuck_outbox),
        Poll::Ready((Drain::Overflow, _))
    ));
}

/// What may happen to a hub, in any order.
#[derive(Clone, Debug)]
enum Step {
    Join {
        limit: usize,
    },
    Leave(usize),
    Deliver {
        target: usize,
        kind: u8,
        size: usize,
    },
    Drain(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0usize..400).prop_map(|limit| Step::Join { limit }),
        1 => any::<usize>().prop_map(Step::Leave),
        6 => (any::<usize>(), 0u8..3, 0usize..60).prop_map(|(target, kind, size)| Step::Deliver { target, kind, size }),
        3 => any::<usize>().prop_map(Step::Drain),
    ];
    prop::collection::vec(step, 0..80)
}

/// What a member should be, by the plainest account.
struct Model {
    member: Option<Member>,
    outbox: Outbox,
    id: ConnectionId,
    limit: usize,
    waiting: Vec<Vec<u8>>,
    bytes: usize,
    overflowed: bool,
}

proptest! {
    #[test]
    fn any_history_agrees_with_the_plainest_account(history in steps()) {
        let hub: Hub = Hub::new();
        let mut models: Vec<Model> = Vec::new();
        for (n, step) in history.into_iter().enumerate() {
            match step {
                Step::Join { limit } => {
                    let (member, outbox) = hub.join_with(limit);
                    let id = member.id();
                    let (waiting, bytes) = (Vec::new(), 0);
                    models.push(Model { member: Some(member), outbox, id, limit, waiting, bytes, overflowed: false });
                }
                Step::Leave(which) if !models.is_empty() => {
                    let which = which % models.len();
                    models[which].member = None;
                }
                Step::Deliver { target, kind, size } => {
                    let message = Prepared::text(&format!("{n} {}", "x".repeat(size)));
                    let id = models.get(target % models.len().max(1)).map_or(ConnectionId(0), |model| model.id);
                    let target = [Target::One(id), Target::All, Target::Others(id)][usize::from(kind)];
                    let mut expected = Delivery::default();
                    for model in models.iter_mut().filter(|model| model.member.is_some() && !model.overflowed) {
                        let meant = match target {
                            Target::One(id) => model.id == id,
                            Target::All => true,
                            Target::Others(id) => model.id != id,
                            _ => unreachable!("not among the targets above"),
                        };
                        let bytes = message.wire().len();
                        if meant && !model.waiting.is_empty() && model.bytes + bytes > model.limit {
                            model.overflowed = true;
                            expected.overflowed.push(model.id);
                        } else if meant {
                            model.waiting.push(message.payload().to_vec());
                            model.bytes += bytes;
                            expected.receivers += 1;
                        }
                    }
                    prop_assert_eq!(hub.deliver(target, &message), expected);
                }
                Step::Drain(which) if !models.is_empty() => {
                    let which = which % models.len();
                    models[which].check_drain()?;
                }
                Step::Leave(_) | Step::Drain(_) => {}
            }
            let connected: Vec<_> = models.iter().filter(|m| m.member.is_some()).map(|m| m.id).collect();
            prop_assert_eq!(hub.len(), connected.len());
            prop_assert_eq!(hub.ids(), connected);
        }
        for model in &mut models {
            model.check_drain()?;
        }
    }
}

impl Model {
    fn check_drain(&mut self) -> Result<(), TestCaseError> {
        match look(&mut self.outbox) {
            Poll::Ready((Drain::Overflow, items)) => {
                prop_assert!(self.overflowed && items.is_empty());
            }
            Poll::Ready((Drain::Items, items)) => {
                prop_assert!(!self.overflowed && !items.is_empty());
                let payloads: Vec<_> = items.iter().map(payload).collect();
                prop_assert_eq!(&payloads, &self.waiting);
                (self.waiting, self.bytes) = (Vec::new(), 0);
            }
            Poll::Ready((Drain::Closed, _)) => {
                prop_assert!(self.member.is_none() && self.waiting.is_empty());
            }
            Poll::Pending => {
                prop_assert!(self.member.is_some() && self.waiting.is_empty() && !self.overflowed);
            }
        }
        Ok(())
    }
}

fn payload(item: &Item) -> Vec<u8> {
    match item {
        Item::Message(message) => message.payload().to_vec(),
        Item::Control(never) => match *never {},
    }
}

fn texts(items: &[Item]) -> Vec<String> {
    items
        .iter()
        .map(|item| String::from_utf8_lossy(&payload(item)).into_owned())
        .collect()
}

/// One look into an outbox, without waiting.
fn look<C>(outbox: &mut Outbox<C>) -> Poll<(Drain, Vec<Item<C>>)> {
    let mut items = Vec::new();
    let drain = outbox.poll_drain(&mut Context::from_waker(Waker::noop()), &mut items);
    drain.map(|drain| (drain, items))
}

#[derive(Default)]
struct CountWakes(AtomicUsize);

impl CountWakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn an_overflow_wakes_who_is_stuck_in_a_write() {
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let hub: Hub = Hub::new();
    let (_member, mut outbox) = hub.join_with(10);
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut overflowed = pin!(outbox.overflowed());
    assert!(overflowed.as_mut().poll(&mut cx).is_pending());
    hub.deliver(Target::All, &Prepared::text("1234567"));
    assert!(overflowed.as_mut().poll(&mut cx).is_pending());
    hub.deliver(Target::All, &Prepared::text("1234567"));
    assert_eq!(woken.0.load(Ordering::SeqCst), 2);
    assert!(overflowed.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn items_without_a_payload_are_bounded_too() {
    let hub: Hub<()> = Hub::new();
    let (member, mut outbox) = hub.join_with(128 * 1000);
    for _ in 0..1000 {
        assert_eq!(hub.control(Target::All, &(), 0).receivers, 1);
    }
    assert_eq!(hub.control(Target::All, &(), 0).overflowed, [member.id()]);
    let mut items = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(
        outbox.poll_drain(&mut cx, &mut items),
        Poll::Ready(Drain::Overflow)
    );
}
