//! Who is in which room, and who is which user.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::run::{Played, Run, RunId};
use super::{Action, ConnectionId, Outgoing, Player, Side, State};
use crate::pattern::Pattern;
use crate::source::Span;
use crate::syntax::{Rooms as RoomLine, Who};
use crate::value::Value;

/// The most rooms that one client of a mock is in at a time: as many as a hub takes.
const MOST_ROOMS: usize = 4096;
/// The most rooms of which a mock knows that they keep a value: as many as a hub takes.
const MOST_KEEPING: usize = 10_000;
/// The longest name of a room or a user, in bytes.
const LONGEST_NAME: usize = 1024;

/// Rooms with their members, and users.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rooms {
    members: BTreeMap<Arc<str>, BTreeSet<ConnectionId>>,
    /// Sorted. Most are in few rooms, and a set would have room for eleven.
    of: BTreeMap<ConnectionId, Vec<Arc<str>>>,
    users: BTreeMap<ConnectionId, Arc<str>>,
    /// The connections of each user, sorted. Most users have one.
    of_users: BTreeMap<Arc<str>, Vec<ConnectionId>>,
    /// Rooms that keep a value.
    keeping: BTreeSet<String>,
}

impl Rooms {
    /// The connections in a room, in the order of connecting.
    pub(super) fn in_room(&self, room: &str) -> impl Iterator<Item = ConnectionId> {
        self.members.get(room).into_iter().flatten().copied()
    }

    /// The connections of a user, in the order of connecting.
    pub(super) fn of_user(&self, user: &str) -> impl Iterator<Item = ConnectionId> {
        self.of_users.get(user).into_iter().flatten().copied()
    }

    pub(crate) fn rooms_of(&self, id: ConnectionId) -> impl Iterator<Item = &str> {
        self.of.get(&id).into_iter().flatten().map(AsRef::as_ref)
    }

    pub(super) fn user_of(&self, id: ConnectionId) -> Option<&str> {
        self.users.get(&id).map(AsRef::as_ref)
    }

    /// `members("ROOM")`: each user once, and the id of a client that is no user, in the order of connecting.
    pub(crate) fn members(&self, room: &str) -> Vec<Value> {
        let mut known = BTreeSet::new();
        let each = self
            .in_room(room)
            .filter_map(|id| match self.users.get(&id) {
                Some(user) => known.insert(user).then(|| Value::Text((**user).to_owned())),
                None => Some(Value::Json(id.0.into())),
            });
        each.collect()
    }

    /// Whether it is in as many rooms as it may be, and not in this one.
    fn is_full(&self, id: ConnectionId, room: &str) -> bool {
        let of = self.of.get(&id).map_or(&[][..], Vec::as_slice);
        of.len() >= MOST_ROOMS && of.binary_search_by(|known| (**known).cmp(room)).is_err()
    }

    /// Whether it was not in the room before.
    fn join(&mut self, id: ConnectionId, room: &str) -> bool {
        let name = match self.members.get_key_value(room) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(room),
        };
        let members = self.members.entry(Arc::clone(&name)).or_default();
        let joined = members.insert(id);
        if joined {
            let rooms = self.of.entry(id).or_default();
            let place = rooms.partition_point(|known| *known < name);
            rooms.reserve_exact(usize::from(rooms.is_empty()));
            rooms.insert(place, name);
        }
        joined
    }

    /// Whether it was in the room.
    fn leave(&mut self, id: ConnectionId, room: &str) -> bool {
        let Some(members) = self.members.get_mut(room) else {
            return false;
        };
        let left = members.remove(&id);
        if members.is_empty() {
            self.members.remove(room);
        }
        if let Some(rooms) = self.of.get_mut(&id) {
            if let Ok(place) = rooms.binary_search_by(|known| (**known).cmp(room)) {
                rooms.remove(place);
            }
            if rooms.is_empty() {
                self.of.remove(&id);
            }
        }
        left
    }

    /// The connection is this user from now on, and nobody else.
    fn identify(&mut self, id: ConnectionId, user: &str) {
        if self.user_of(id) == Some(user) {
            return;
        }
        self.forget_user(id);
        let name = match self.of_users.get_key_value(user) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(user),
        };
        let own = self.of_users.entry(Arc::clone(&name)).or_default();
        let place = own.partition_point(|known| *known < id);
        own.reserve_exact(usize::from(own.is_empty()));
        own.insert(place, id);
        self.users.insert(id, name);
    }

    /// The connection is nobody from now on.
    fn forget_user(&mut self, id: ConnectionId) {
        let Some(user) = self.users.remove(&id) else {
            return;
        };
        let Some(own) = self.of_users.get_mut(&user) else {
            return;
        };
        if let Ok(place) = own.binary_search(&id) {
            own.remove(place);
        }
        if own.is_empty() {
            self.of_users.remove(&user);
        }
    }
}

impl Player {
    /// `[WHO] join ROOM, ROOM` or `[WHO] leave ROOM`.
    pub(super) fn play_rooms(
        &mut self,
        id: RunId,
        span: Span,
        line: &RoomLine,
        joins: bool,
    ) -> Played {
        let clients = match self.concerned(id, line.who.as_ref()) {
            Ok(clients) => clients,
            Err(why) => return self.impossible(id, span, why),
        };
        if clients.is_empty() {
            return Played::Done;
        }
        for room in &line.rooms {
            let room = match self.named(id, room, "a room") {
                Ok(room) => room,
                Err(why) => return self.impossible(id, span, why),
            };
            for client in &clients {
                if joins && self.side == Side::Server && self.rooms.is_full(*client, &room) {
                    let why =
                        format!("the client is in {MOST_ROOMS} rooms already, which is the most");
                    return self.impossible(id, span, why);
                }
                self.change_room(*client, &room, joins);
            }
        }
        Played::Done
    }

    fn change_room(&mut self, connection: ConnectionId, room: &str, joins: bool) {
        let rooms = Arc::make_mut(&mut self.rooms);
        let changed = match joins {
            true => rooms.join(connection, room),
            false => rooms.leave(connection, room),
        };
        if !changed || self.side == Side::Client {
            return;
        }
        let keeps = self.rooms.keeping.contains(room);
        let room = room.to_owned();
        self.actions.push_back(match joins {
            true => Action::Join { connection, room },
            false => Action::Leave { connection, room },
        });
        // Whoever joins gets what the room keeps.
        if joins
            && keeps
            && let Some(connection) = self.connections.get_mut(&connection)
        {
            connection.last_sent = Some(self.now);
        }
    }

    /// `[WHO] identify NAME`
    pub(super) fn play_identify(
        &mut self,
        id: RunId,
        span: Span,
        who: Option<&Who>,
        user: &Pattern,
    ) -> Played {
        let clients = match self.concerned(id, who) {
            Ok(clients) => clients,
            Err(why) => return self.impossible(id, span, why),
        };
        if clients.is_empty() {
            return Played::Done;
        }
        let user = match self.named(id, user, "a user") {
            Ok(user) => user,
            Err(why) => return self.impossible(id, span, why),
        };
        for connection in clients {
            let rooms = Arc::make_mut(&mut self.rooms);
            rooms.identify(connection, &user);
            if self.side == Side::Server {
                let user = user.clone();
                self.actions
                    .push_back(Action::Identify { connection, user });
            }
        }
        Played::Done
    }

    /// `keep ROOM VALUE`
    pub(super) fn play_keep(
        &mut self,
        id: RunId,
        span: Span,
        room: &Pattern,
        value: &Pattern,
    ) -> Played {
        // What a room keeps is the server's business.
        if self.side == Side::Client {
            return Played::Done;
        }
        let filled = self
            .named(id, room, "a room")
            .and_then(|room| Ok((room, self.render(id, None, value)?)));
        match filled {
            Ok((room, value)) => {
                let rooms = Arc::make_mut(&mut self.rooms);
                if rooms.keeping.len() < MOST_KEEPING && !rooms.keeping.contains(&room) {
                    rooms.keeping.insert(room.clone());
                }
                let value = Outgoing::Text(value);
                self.actions.push_back(Action::Keep { room, value });
                Played::Done
            }
            Err(why) => self.impossible(id, span, why),
        }
    }

    /// A connection is gone: it leaves its rooms, and is nobody any more.
    pub(super) fn leave_all_rooms(&mut self, connection: ConnectionId) {
        let rooms: Vec<String> = self.rooms.rooms_of(connection).map(str::to_owned).collect();
        for room in rooms {
            self.change_room(connection, &room, false);
        }
        if self.rooms.users.contains_key(&connection) {
            Arc::make_mut(&mut self.rooms).forget_user(connection);
        }
    }

    /// The name of a room or user, its holes filled.
    fn named(&mut self, id: RunId, pattern: &Pattern, what: &str) -> Result<String, String> {
        let name = self.render(id, None, pattern)?;
        if name.trim().is_empty() {
            return Err(format!("the name of {what} is empty here"));
        }
        if name.len() > LONGEST_NAME {
            return Err(format!(
                "the name of {what} is longer than {LONGEST_NAME} bytes here"
            ));
        }
        Ok(name)
    }

    /// The connections that a `join`, `leave` or `identify` is about; none if it is another client's line.
    fn concerned(&self, id: RunId, who: Option<&Who>) -> Result<Vec<ConnectionId>, String> {
        let Some(run) = self.runs.get(&id) else {
            return Ok(Vec::new());
        };
        match (self.side, who) {
            (Side::Client, Some(Who::Name(_)) | None) => self.meant(run, who),
            (Side::Client, Some(who)) => self.everyone(run, who),
            (Side::Server, None) => match run.connection {
                Some(own) => Ok(vec![own]),
                None => Err("no client is meant".to_owned()),
            },
            (Side::Server, Some(Who::Name(name))) => Ok(match run.connection {
                Some(own) if run.name.as_ref() == Some(name) => vec![own],
                _ => Vec::new(),
            }),
            (Side::Server, Some(who)) => self.all_meant(run, who),
        }
    }

    /// The clients of a mock that `all`, `others`, `room NAME` or `user NAME` means here.
    fn all_meant(&self, run: &Run, who: &Who) -> Result<Vec<ConnectionId>, String> {
        let open = |id: &ConnectionId| {
            let connection = self.connections.get(id);
            connection.is_some_and(|connection| connection.state == State::Open)
        };
        let all = self.connections.keys().copied();
        Ok(match who {
            Who::Room(room) => {
                let room = self.filled(run, room)?;
                self.rooms.in_room(&room).filter(open).collect()
            }
            Who::User(user) => {
                let user = self.filled(run, user)?;
                self.rooms.of_user(&user).filter(open).collect()
            }
            Who::Others => {
                let others = all.filter(|id| Some(*id) != run.connection);
                others.filter(open).collect()
            }
            Who::All | Who::Name(_) => all.filter(open).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
