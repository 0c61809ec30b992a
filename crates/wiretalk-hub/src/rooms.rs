//! Rooms, users, and what rooms keep.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use wiretalk_proto::Prepared;

use crate::KeepError;
use crate::backplane::Route;
use crate::delivery::{Delivery, Round};
use crate::history::History;
use crate::hub::{ConnectionId, Hub, MOST_ROOMS, State};
use crate::outbox::Item;
use crate::presence::Present;
use crate::record::{Payload, Record};

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

impl<C> Hub<C> {
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
            kept,
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
        if let Some(value) = kept.get(room) {
            let bytes = value.wire().len();
            round.put(id, &mailbox, Item::Message(value), bytes);
        }
        state.tell(&Record::Join {
            connection: id,
            room,
        });
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
            state.tell(&Record::Leave {
                connection: id,
                room,
            });
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
        let is_new = place.user.as_deref() != user;
        if is_new {
            if let Some(before) = place.user.take() {
                users.remove(&before, id);
            }
            place.user = user.map(|user| users.add(user, id, &mailbox));
        }
        if place.is_empty() {
            places.remove(&id);
        }
        if is_new {
            state.tell(&Record::Identify {
                connection: id,
                user,
            });
        }
        true
    }

    /// Keeps a room's last value, for whoever joins it from now on. Those who are in it already get nothing by this.
    ///
    /// On a backplane with other hubs it is kept when it comes back, by all of them.
    ///
    /// # Errors
    /// If there is no space for it; the value before stays.
    pub fn keep(&self, room: &str, value: Prepared) -> Result<(), KeepError> {
        let mut state = self.lock();
        state.kept.check(room, &value)?;
        let payload = value.payload();
        let record = Record::Keep {
            room,
            value: Payload::of(&value, &payload),
        };
        match state.tell(&record) {
            Route::Here => state.kept.keep(room, value),
            Route::Away => Ok(()),
        }
    }

    /// Lets go of a room's last value, if it has one.
    pub fn forget(&self, room: &str) {
        let mut state = self.lock();
        if state.tell(&Record::Forget { room }) == Route::Here {
            state.kept.forget(room);
        }
    }

    /// A room's last value.
    #[must_use]
    pub fn kept(&self, room: &str) -> Option<Prepared> {
        self.lock().kept.get(room)
    }

    /// The newest messages of a room's history, `limit` of them at the most; with `after`, the oldest of those behind that
    /// offset.
    ///
    /// ```
    /// use wiretalk_hub::{HistoryLimits, Hub, HubOptions, Keeping, Memory, Target};
    /// use wiretalk_proto::Prepared;
    ///
    /// let options = HubOptions { history: HistoryLimits::default(), ..HubOptions::default() };
    /// let hub: Hub = Hub::with_options(options, Memory);
    /// let keeping = Keeping { history: true, keep: false };
    /// for text in ["one", "two", "three"] {
    ///     hub.deliver_with(Target::Room("lobby"), &Prepared::text(text), keeping);
    /// }
    /// let newest = hub.history("lobby", 2, None);
    /// assert_eq!(newest.messages[1].1, Prepared::text("three"));
    /// assert!(!newest.complete, "the first one is left out");
    /// // Somebody who was away asks for what came since.
    /// let missed = hub.history("lobby", 100, Some(newest.messages[0].0));
    /// assert_eq!((missed.messages.len(), missed.complete), (1, true));
    /// ```
    #[must_use]
    pub fn history(&self, room: &str, limit: usize, after: Option<u64>) -> History {
        let mut state = self.lock();
        let now = (state.clock)();
        state.histories.get(room, limit, after, now)
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

    /// Who is in a room, in all hubs: those of this one first, in the order of joining, then the others by node and
    /// connection.
    ///
    /// ```
    /// use wiretalk_hub::Hub;
    ///
    /// let hub: Hub = Hub::new();
    /// let (member, _outbox) = hub.join();
    /// hub.join_room(member.id(), "lobby").expect("it is connected");
    /// hub.identify(member.id(), Some("ann"));
    /// assert_eq!(hub.presence("lobby")[0].user.as_deref(), Some("ann"));
    /// assert!(hub.user_is_present("ann"));
    /// ```
    #[must_use]
    pub fn presence(&self, room: &str) -> Vec<Present> {
        let state = self.lock();
        let ids = state.rooms.ids(room).into_iter();
        let mut found = ids
            .map(|connection| Present {
                node: state.node,
                connection,
                user: state
                    .places
                    .get(&connection)
                    .and_then(|place| place.user.clone()),
            })
            .collect();
        state.elsewhere.room(room, &mut found);
        found
    }

    /// Who is in a room in the hubs of other nodes, by node and connection.
    #[must_use]
    pub fn others(&self, room: &str) -> Vec<Present> {
        let mut found = Vec::new();
        self.lock().elsewhere.room(room, &mut found);
        found
    }

    /// Whether a user has a connection, in whichever hub.
    #[must_use]
    pub fn user_is_present(&self, user: &str) -> bool {
        let state = self.lock();
        state.users.get(user).is_some() || state.elsewhere.has_user(user)
    }
}

impl<C> State<C> {
    /// Tells all hubs, if there are others.
    pub(crate) fn tell(&mut self, record: &Record<'_>) -> Route {
        if self.is_shared {
            self.backplane.append(record)
        } else {
            Route::Here
        }
    }
}
