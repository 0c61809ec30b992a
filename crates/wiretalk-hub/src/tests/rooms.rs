//! Rooms, users and kept values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Poll;

use proptest::prelude::*;
use wiretalk_proto::Prepared;

use super::{look, texts};
use crate::{ConnectionId, Delivery, Drain, Hub, JoinError, MOST_ROOMS, Member, Outbox, Target};

#[test]
fn a_room_is_made_by_the_first_and_vanishes_with_the_last() {
    let hub: Hub = Hub::new();
    let (a, _a_outbox) = hub.join();
    let (b, _b_outbox) = hub.join();
    assert_eq!(hub.rooms(), BTreeMap::new());
    for member in [&a, &b] {
        assert_eq!(hub.join_room(member.id(), "r"), Ok(Delivery::default()));
    }
    assert_eq!(hub.rooms(), [(Arc::from("r"), 2)].into());
    assert_eq!(hub.members("r"), [a.id(), b.id()]);
    assert_eq!(hub.rooms_of(a.id()), [Arc::from("r")]);
    assert!(hub.leave_room(a.id(), "r"));
    assert!(!hub.leave_room(a.id(), "r"), "it is out already");
    assert_eq!(hub.members("r"), [b.id()]);
    drop(b);
    assert_eq!(hub.rooms(), BTreeMap::new());
}

#[test]
fn an_empty_room_keeps_its_value() {
    let hub: Hub = Hub::new();
    let (a, mut outbox) = hub.join();
    hub.keep("r", Prepared::text("7")).expect("it fits");
    assert_eq!(hub.rooms(), BTreeMap::new(), "nobody is in it");
    for _ in 0..2 {
        let delivery = hub.join_room(a.id(), "r").expect("it is connected");
        assert_eq!(delivery.receivers, 1);
        let again = hub.join_room(a.id(), "r").expect("it is connected");
        assert_eq!(again.receivers, 0, "it is in already");
        let Poll::Ready((Drain::Items, items)) = look(&mut outbox) else {
            panic!("nothing to drain")
        };
        assert_eq!(texts(&items), ["7"]);
        assert!(hub.leave_room(a.id(), "r"));
    }
}

#[test]
fn a_kept_value_may_be_the_one_too_many() {
    let hub: Hub = Hub::new();
    hub.keep("r", Prepared::text("0123456789"))
        .expect("it fits");
    let (a, mut outbox) = hub.join_with(10);
    hub.deliver(Target::One(a.id()), &Prepared::text("waits"));
    let delivery = hub.join_room(a.id(), "r").expect("it is connected");
    assert_eq!(delivery.overflowed, [a.id()]);
    assert!(matches!(
        look(&mut outbox),
        Poll::Ready((Drain::Overflow, _))
    ));
}

#[test]
fn a_user_has_many_connections_and_a_connection_one_user() {
    let hub: Hub = Hub::new();
    let (a, _a_outbox) = hub.join();
    let (b, _b_outbox) = hub.join();
    for member in [&a, &b] {
        assert!(hub.identify(member.id(), Some("ann")));
    }
    assert_eq!(hub.connections("ann"), [a.id(), b.id()]);
    assert!(hub.identify(a.id(), Some("bob")));
    assert_eq!(hub.user_of(a.id()).as_deref(), Some("bob"));
    assert_eq!(hub.connections("ann"), [b.id()]);
    assert!(hub.identify(b.id(), None));
    assert_eq!(hub.user_of(b.id()), None);
    assert_eq!(hub.connections("ann"), []);
    assert!(!hub.identify(ConnectionId(99), Some("ann")));
    assert_eq!(hub.connections("ann"), []);
}

#[test]
fn rooms_are_for_who_is_connected_and_not_without_end() {
    let hub: Hub = Hub::new();
    let gone = ConnectionId(1);
    assert_eq!(hub.join_room(gone, "r"), Err(JoinError::NotConnected));
    let (a, _outbox) = hub.join();
    for n in 0..MOST_ROOMS {
        hub.join_room(a.id(), &n.to_string()).expect("it may");
    }
    assert_eq!(hub.join_room(a.id(), "r"), Err(JoinError::TooManyRooms));
    hub.join_room(a.id(), "7").expect("it is in already");
    hub.leave_room(a.id(), "7");
    hub.join_room(a.id(), "r").expect("it may again");
    drop(a);
    assert_eq!(hub.rooms(), BTreeMap::new());
}

#[test]
fn siblings_count_together_and_know_nothing_of_each_other() {
    let one: Hub = Hub::new();
    let two = one.sibling();
    let (a, mut a_outbox) = one.join();
    let (b, mut b_outbox) = two.join();
    let (c, _c_outbox) = one.join();
    assert_eq!([a.id().0, b.id().0, c.id().0], [1, 2, 3]);
    two.deliver(Target::All, &Prepared::text("x"));
    assert!(look(&mut a_outbox).is_pending());
    assert!(look(&mut b_outbox).is_ready());
}

/// What may happen, in any order. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Connect,
    Leave(usize),
    JoinRoom(usize, u8),
    LeaveRoom(usize, u8),
    Identify(usize, Option<u8>),
    Keep(u8),
    Forget(u8),
    Send(usize, u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (who, name) = (any::<usize>(), 0u8..4);
    let step = prop_oneof![
        2 => Just(Step::Connect),
        1 => who.prop_map(Step::Leave),
        4 => (who, name.clone()).prop_map(|(who, room)| Step::JoinRoom(who, room)),
        2 => (who, name.clone()).prop_map(|(who, room)| Step::LeaveRoom(who, room)),
        2 => (who, prop::option::of(name.clone())).prop_map(|(who, user)| Step::Identify(who, user)),
        1 => name.clone().prop_map(Step::Keep),
        1 => name.clone().prop_map(Step::Forget),
        6 => (who, 0u8..7, name).prop_map(|(who, kind, name)| Step::Send(who, kind, name)),
    ];
    prop::collection::vec(step, 0..80)
}

/// A connection by the plainest account.
struct Model {
    member: Option<Member>,
    outbox: Outbox,
    id: ConnectionId,
    rooms: BTreeSet<String>,
    user: Option<String>,
    expected: Vec<String>,
}

proptest! {
    #[test]
    fn rooms_and_users_agree_with_the_plainest_account(history in steps()) {
        let hub: Hub = Hub::new();
        let mut models: Vec<Model> = Vec::new();
        let mut kept: BTreeMap<String, String> = BTreeMap::new();
        for (n, step) in history.into_iter().enumerate() {
            let count = models.len().max(1);
            match step {
                Step::Connect => {
                    let (member, outbox) = hub.join();
                    let id = member.id();
                    models.push(Model {
                        member: Some(member), outbox, id, rooms: BTreeSet::new(), user: None, expected: Vec::new(),
                    });
                }
                Step::Leave(who) => if let Some(model) = models.get_mut(who % count) {
                    model.member = None;
                    model.rooms.clear();
                    model.user = None;
                }
                Step::JoinRoom(who, room) => if let Some(model) = models.get_mut(who % count) {
                    let room = format!("room {room}");
                    let joined = hub.join_room(model.id, &room);
                    if model.member.is_none() {
                        prop_assert_eq!(joined, Err(JoinError::NotConnected));
                    } else {
let newly = model.rooms.insert(room.clone());
                        let value = kept.get(&room).filter(|_| newly);
                        prop_assert_eq!(joined.map(|delivery| delivery.receivers), Ok(usize::from(value.is_some())));
                        model.expected.extend(value.cloned());
                    }
                }
                Step::LeaveRoom(who, room) => if let Some(model) = models.get_mut(who % count) {
                    let room = format!("room {room}");
                    prop_assert_eq!(hub.leave_room(model.id, &room), model.rooms.remove(&room));
                }
                Step::Identify(who, user) => if let Some(model) = models.get_mut(who % count) {
                    let user = user.map(|user| format!("user {user}"));
                    prop_assert_eq!(hub.identify(model.id, user.as_deref()), model.member.is_some());
                    if model.member.is_some() {
                        model.user = user;
                    }
                }
                Step::Keep(room) => {
                    let (room, value) = (format!("room {room}"), format!("kept {n}"));
                    prop_assert_eq!(hub.keep(&room, Prepared::text(&value)), Ok(()));
                    kept.insert(room, value);
                }
                Step::Forget(room) => {
                    let room = format!("room {room}");
                    hub.forget(&room);
                    kept.remove(&room);
                }
                Step::Send(who, kind, name) => {
                    let id = models.get(who % count).map_or(ConnectionId(0), |model| model.id);
                    let (room, user, text) = (format!("room {name}"), format!("user {name}"), format!("sent {n}"));
                    let target = [
                        Target::One(id), Target::All, Target::Others(id),
                        Target::Room(&room), Target::RoomBut(&room, id), Target::User(&user),
                        Target::UserBut(&user, id),
                    ][usize::from(kind)];
                    let mut receivers = 0;
                    for model in models.iter_mut().filter(|model| model.member.is_some()) {
                        let meant = match target {
                            Target::One(id) => model.id == id,
                            Target::All => true,
                            Target::Others(id) => model.id != id,
                            Target::Room(room) => model.rooms.contains(room),
                            Target::RoomBut(room, id) => model.rooms.contains(room) && model.id != id,
                            Target::User(user) => model.user.as_deref() == Some(user),
                            Target::UserBut(user, id) => model.user.as_deref() == Some(user) && model.id != id,
                        };
                        if meant {
                            model.expected.push(text.clone());
                            receivers += 1;
                        }
                    }
                    prop_assert_eq!(hub.deliver(target, &Prepared::text(&text)).receivers, receivers);
                }
            }
        }
        let mut rooms: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for model in &models {
            for room in &model.rooms {
                *rooms.entry(Arc::from(room.as_str())).or_default() += 1;
            }
            let own: Vec<Arc<str>> = model.rooms.iter().map(|room| Arc::from(room.as_str())).collect();
            prop_assert_eq!(hub.rooms_of(model.id), own);
            let user = hub.user_of(model.id);
            prop_assert_eq!(user.as_deref(), model.user.as_deref());
        }
        prop_assert_eq!(hub.rooms(), rooms);
        for model in &mut models {
            let found = match look(&mut model.outbox) {
                Poll::Ready((_, items)) => texts(&items),
                Poll::Pending => Vec::new(),
            };
            prop_assert_eq!(found, std::mem::take(&mut model.expected));
        }
    }
}
