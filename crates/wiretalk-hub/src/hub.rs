//! The hub itself: membership, rooms and users, and the choice of receivers.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use wiretalk_proto::Prepared;

use crate::backplane::{Backplane, Capabilities, KeepError, Memory, Route};
use crate::groups::{Group, Groups};
use crate::outbox::{Item, Mailbox, Outbox, Put};

/// The bytes that may wait in an outbox when [`Hub::join`] is not told otherwise: 1 MiB.
pub const DEFAULT_QUEUE_LIMIT: usize = 1024 * 1024;
/// The most rooms that one connection is in at a time.
pub const MOST_ROOMS: usize = 4096;

/// All who are connected to one server. A clone is the same hub.
///
/// `C` is what an outbox may hold besides messages: whatever a server must do on a connection *in order with* its
/// messages, such as a close or a ping. The default holds messages only.
pub struct Hub<C = Infallible> {
    state: Arc<Mutex<State<C>>>,
}

/// Names a connection for as long as its hub and the hub's siblings live: ids count from 1 and are never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// To whom something goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target<'a> {
    /// This connection only.
    One(ConnectionId),
    /// Everyone who is connected.
    All,
    /// Everyone but this connection.
    Others(ConnectionId),
    /// Everyone in this room.
    Room(&'a str),
    /// Everyone in this room but this connection.
    RoomBut(&'a str, ConnectionId),
    /// Every connection of this user.
    User(&'a str),
    /// Every connection of this user but this one.
    UserBut(&'a str, ConnectionId),
}

/// What became of a delivery.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delivery {
    /// In how many outboxes it now waits.
    pub receivers: usize,
    /// Whose outbox overflowed by it, in the order of joining. Each overflow is told once, here and to the outbox.
    pub overflowed: Vec<ConnectionId>,
}

/// Why a connection cannot be in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// It is not connected any more.
    NotConnected,
    /// It is in [`MOST_ROOMS`] already.
    TooManyRooms,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("the connection is gone"),
            Self::TooManyRooms => write!(
                f,
                "the connection is in {MOST_ROOMS} rooms already, which is the most"
            ),
        }
    }
}

impl std::error::Error for JoinError {}

/// One connection's place in the hub. Dropping it leaves the hub, and closes its outbox once that is drained.
#[must_use = "dropping a member leaves the hub"]
pub struct Member<C = Infallible> {
    id: ConnectionId,
    hub: Hub<C>,
}

struct State<C> {
    /// Of this hub and its siblings.
    last_id: Arc<AtomicU64>,
    /// In the order of joining, which is that of the ids.
    members: Group<C>,
    rooms: Groups<C>,
    users: Groups<C>,
    /// What is known of those members who are in rooms, or are users: an anonymous one costs nothing here.
    places: BTreeMap<ConnectionId, Place>,
    backplane: Box<dyn Backplane>,
}

/// Where a connection is found beside the list of all.
#[derive(Default)]
struct Place {
    rooms: BTreeSet<Arc<str>>,
    user: Option<Arc<str>>,
}

impl Place {
    fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.user.is_none()
    }
}

impl<C> Hub<C> {
    /// A hub with nobody in it, alone in its process.
    #[must_use]
    pub fn new() -> Self {
        Self::with_backplane(Memory::default())
    }

    /// A hub with nobody in it, on a backplane.
    #[must_use]
    pub fn with_backplane(backplane: impl Backplane + 'static) -> Self {
        Self::with_ids(Arc::default(), backplane)
    }

    /// Another hub, with nobody in it and alone in its process, whose ids are counted together with this one's: no id is
    /// used in both.
    #[must_use]
    pub fn sibling(&self) -> Self {
        let ids = Arc::clone(&self.lock().last_id);
        Self::with_ids(ids, Memory::default())
    }

    fn with_ids(last_id: Arc<AtomicU64>, backplane: impl Backplane + 'static) -> Self {
        let state = State {
            last_id,
            members: Group::new(),
            rooms: Groups::new(),
            users: Groups::new(),
            places: BTreeMap::new(),
            backplane: Box::new(backplane),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// What the hub's backplane can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.lock().backplane.capabilities()
    }

    /// Joins with an outbox of [`DEFAULT_QUEUE_LIMIT`] bytes.
    pub fn join(&self) -> (Member<C>, Outbox<C>) {
        self.join_with(DEFAULT_QUEUE_LIMIT)
    }

    /// Joins with an outbox in which `queue_limit` bytes may wait.
    ///
    /// One item more than a 128th of that number (and 64 at least) is over the limit too, however small they are.
    ///
    /// The limit is on what piles up: an outbox that is empty takes one item of any size, so that a receiver which
    /// keeps up gets every message, however large.
    pub fn join_with(&self, queue_limit: usize) -> (Member<C>, Outbox<C>) {
        let mailbox = Arc::new(Mailbox::new(queue_limit));
        let mut state = self.lock();
        // Taken under the hub's lock, so that the order of its ids is that of joining.
        let id = ConnectionId(state.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        state.members.insert(id, Arc::clone(&mailbox));
        drop(state);
        (
            Member {
                id,
                hub: self.clone(),
            },
            Outbox::new(mailbox),
        )
    }

    /// Puts a connection into a room, and the room's last value, if it keeps one, into the connection's outbox: whatever
    /// is delivered to the room later comes behind it. For a connection that is in the room already, nothing happens.
    ///
    /// # Errors
    /// If the connection is gone, or in too many rooms.
    pub fn join_room(&self, id: ConnectionId, room: &str) -> Result<Delivery, JoinError> {
        let mut round = Round::new();
        let mut state = self.lock();
        let mailbox = state.members.get(&id).map(Arc::clone);
        let mailbox = mailbox.ok_or(JoinError::NotConnected)?;
        let State {
            rooms,
            places,
            backplane,
            ..
        } = &mut *state;
        let place = places.entry(id).or_default();
        if place.rooms.contains(room) {
            return Ok(Delivery::default());
        }
        if place.rooms.len() >= MOST_ROOMS {
            return Err(JoinError::TooManyRooms);
        }
        place.rooms.insert(rooms.add(room, id, &mailbox));
        if let Some(value) = backplane.kept(room) {
            let bytes = value.wire().len();
            round.put(id, &mailbox, Item::Message(value), bytes);
        }
        drop(state);
        Ok(round.end())
    }

    /// Takes a connection out of a room. Whether it was in it.
    pub fn leave_room(&self, id: ConnectionId, room: &str) -> bool {
        let mut state = self.lock();
        let State { rooms, places, .. } = &mut *state;
        let Some(place) = places.get_mut(&id) else {
            return false;
        };
        let was_in = place.rooms.remove(room);
        if place.is_empty() {
            places.remove(&id);
        }
        if was_in {
            rooms.remove(room, id);
        }
        was_in
    }

    /// Says which user a connection is from now on; `None`: nobody's. A user may have many connections. Whether the
    /// connection is there.
    pub fn identify(&self, id: ConnectionId, user: Option<&str>) -> bool {
        let mut state = self.lock();
        let Some(mailbox) = state.members.get(&id).map(Arc::clone) else {
            return false;
        };
        let State { users, places, .. } = &mut *state;
        let place = places.entry(id).or_default();
        if place.user.as_deref() != user {
            if let Some(before) = place.user.take() {
                users.remove(&before, id);
            }
            place.user = user.map(|user| users.add(user, id, &mailbox));
        }
        if place.is_empty() {
            places.remove(&id);
        }
        true
    }

    /// Keeps a room's last value, for whoever joins it from now on. Those who are in it already get nothing by this.
    ///
    /// # Errors
    /// If there is no space for it; the value before stays.
    pub fn keep(&self, room: &str, value: Prepared) -> Result<(), KeepError> {
        self.lock().backplane.keep(room, value)
    }

    /// Delivers a value to a room and [keeps](Self::keep) it, in one step: of two values that are published at the same
    /// time, the one that is kept is the one that all members got last.
    ///
    /// # Errors
    /// If there is no space for it; then it is not delivered either.
    pub fn publish(&self, room: &str, value: &Prepared) -> Result<Delivery, KeepError> {
        let mut state = self.lock();
        state.backplane.keep(room, value.clone())?;
        Ok(Self::deliver_from(state, Target::Room(room), value))
    }

    /// Lets go of a room's last value, if it has one.
    pub fn forget(&self, room: &str) {
        self.lock().backplane.forget(room);
    }

    /// A room's last value.
    #[must_use]
    pub fn kept(&self, room: &str) -> Option<Prepared> {
        self.lock().backplane.kept(room)
    }

    /// Who is in a room, in the order of joining the hub.
    #[must_use]
    pub fn members(&self, room: &str) -> Vec<ConnectionId> {
        self.lock().rooms.ids(room)
    }

    /// The connections of a user, in the order of joining the hub.
    #[must_use]
    pub fn connections(&self, user: &str) -> Vec<ConnectionId> {
        self.lock().users.ids(user)
    }

    /// The rooms in which somebody is, sorted by name, each with the number of its members.
    #[must_use]
    pub fn rooms(&self) -> BTreeMap<Arc<str>, usize> {
        self.lock().rooms.sizes()
    }

    /// The rooms that a connection is in, sorted by name.
    #[must_use]
    pub fn rooms_of(&self, id: ConnectionId) -> Vec<Arc<str>> {
        let state = self.lock();
        let place = state.places.get(&id);
        place.map_or_else(Vec::new, |place| place.rooms.iter().cloned().collect())
    }

    /// The user that a connection is.
    #[must_use]
    pub fn user_of(&self, id: ConnectionId) -> Option<Arc<str>> {
        self.lock().places.get(&id)?.user.clone()
    }

    /// Publishes a message to everyone in `target`: it is put into their outboxes, and nobody is waited for.
    ///
    /// On a backplane with other hubs, the delivery counts those receivers that have it already; the others get it
    /// when it comes back by [`receive`](Self::receive). [`Target::One`] is always delivered at once: a connection's id
    /// means something in this hub alone.
    pub fn deliver(&self, target: Target<'_>, message: &Prepared) -> Delivery {
        Self::deliver_from(self.lock(), target, message)
    }

    fn deliver_from(
        mut state: MutexGuard<'_, State<C>>,
        target: Target<'_>,
        message: &Prepared,
    ) -> Delivery {
        if !matches!(target, Target::One(_))
            && state.backplane.publish(target, message) == Route::Away
        {
            return Delivery::default();
        }
        Self::deliver_here(state, target, message)
    }

    /// Delivers to this hub's own members what came to it from its backplane.
    pub fn receive(&self, target: Target<'_>, message: &Prepared) -> Delivery {
        Self::deliver_here(self.lock(), target, message)
    }

    /// Puts something other than a message into the outbox of everyone in `target` in this hub, behind what already waits
    /// there. It counts as `bytes` towards the outbox's limit.
    pub fn control(&self, target: Target<'_>, control: &C, bytes: usize) -> Delivery
    where
        C: Clone,
    {
        Self::put(self.lock(), target, bytes, || {
            Item::Control(control.clone())
        })
    }

    /// How many are connected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().members.len()
    }

    /// Whether nobody is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who is connected, in the order of joining.
    #[must_use]
    pub fn ids(&self) -> Vec<ConnectionId> {
        self.lock().members.keys().copied().collect()
    }

    fn deliver_here(
        state: MutexGuard<'_, State<C>>,
        target: Target<'_>,
        message: &Prepared,
    ) -> Delivery {
        Self::put(state, target, message.wire().len(), || {
            Item::Message(message.clone())
        })
    }

    /// Goes through the receivers, and through nobody else.
    ///
    /// The lock is held for the whole round: that is what gives all receivers one order.
    fn put(
        state: MutexGuard<'_, State<C>>,
        target: Target<'_>,
        bytes: usize,
        item: impl Fn() -> Item<C>,
    ) -> Delivery {
        let mut round = Round::new();
        let (group, but) = match target {
            Target::One(id) => {
                if let Some(mailbox) = state.members.get(&id) {
                    round.put(id, mailbox, item(), bytes);
                }
                (None, None)
            }
            Target::All => (Some(&state.members), None),
            Target::Others(sender) => (Some(&state.members), Some(sender)),
            Target::Room(room) => (state.rooms.get(room), None),
            Target::RoomBut(room, sender) => (state.rooms.get(room), Some(sender)),
            Target::User(user) => (state.users.get(user), None),
            Target::UserBut(user, sender) => (state.users.get(user), Some(sender)),
        };
        for (&id, mailbox) in group.into_iter().flatten() {
            if Some(id) != but {
                round.put(id, mailbox, item(), bytes);
            }
        }
        drop(state);
        round.end()
    }

    fn leave(&self, id: ConnectionId) {
        let mut state = self.lock();
        let mailbox = state.members.remove(&id);
        if let Some(place) = state.places.remove(&id) {
            for room in &place.rooms {
                state.rooms.remove(room, id);
            }
            if let Some(user) = &place.user {
                state.users.remove(user, id);
            }
        }
        drop(state);
        if let Some(waker) = mailbox.and_then(|mailbox| mailbox.member_left()) {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // Nothing is half done where a `C` could panic while being cloned, so a poisoned state is still a good one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Member<C> {
    /// The id that the hub gave to this connection.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The hub that this connection is in.
    #[must_use]
    pub fn hub(&self) -> &Hub<C> {
        &self.hub
    }
}

impl<C> Drop for Member<C> {
    fn drop(&mut self) {
        self.hub.leave(self.id);
    }
}

impl<C> Clone for Hub<C> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
        }
    }
}

impl<C> Default for Hub<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for Hub<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("members", &self.ids()).finish()
    }
}

impl<C> fmt::Debug for Member<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What one delivery gathers while it goes from mailbox to mailbox.
struct Round<C> {
    delivery: Delivery,
    wakers: Vec<Waker>,
    lost: Vec<Vec<Item<C>>>,
}

impl<C> Round<C> {
    fn new() -> Self {
        Self {
            delivery: Delivery::default(),
            wakers: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// To wake, and to drop a `C`, is to run foreign code, which may well come back to the hub: no lock may be held.
    fn end(self) -> Delivery {
        self.wakers.into_iter().for_each(Waker::wake);
        drop(self.lost);
        self.delivery
    }

    fn put(&mut self, id: ConnectionId, mailbox: &Mailbox<C>, item: Item<C>, bytes: usize) {
        match mailbox.put(item, bytes) {
            Put::Queued(waker) => {
                self.delivery.receivers += 1;
                self.wakers.extend(waker);
            }
            Put::Overflowed(remains) => {
                self.delivery.overflowed.push(id);
                self.wakers.extend(remains.waker);
                self.lost.push(remains.lost);
            }
            Put::Refused => {}
        }
    }
}
