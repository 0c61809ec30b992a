//! Who is in the hubs of other nodes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::ConnectionId;
use crate::names::Names;
use crate::record::Person;

/// The most connections of other nodes that are known of at a time; more are as if they were not there.
pub const MOST_PRESENT: usize = 1024 * 1024;

/// Somebody who is in a room, in whichever hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The hub's node.
    pub node: u64,
    /// The connection, which means something in that hub alone.
    pub connection: ConnectionId,
    /// Whose it is.
    pub user: Option<Arc<str>>,
}

/// Those who are in rooms, or are users, at other nodes.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    nodes: BTreeMap<u64, Node>,
    count: usize,
}

#[derive(Debug, Default)]
struct Node {
    people: BTreeMap<ConnectionId, Known>,
    rooms: HashMap<Arc<str>, BTreeSet<ConnectionId>>,
    users: HashMap<Arc<str>, usize>,
}

#[derive(Debug, Default)]
struct Known {
    user: Option<Arc<str>>,
    rooms: Names,
}

impl Elsewhere {
    pub(crate) fn join(&mut self, node: u64, connection: ConnectionId, room: &str) {
        let Some(node) = self.seat(node, connection) else {
            return;
        };
        let room = match node.rooms.get_key_value(room) {
            Some((room, _)) => Arc::clone(room),
            None => Arc::from(room),
        };
        if let Some(known) = node.people.get_mut(&connection) {
            known.rooms.insert(Arc::clone(&room));
        }
        node.rooms.entry(room).or_default().insert(connection);
    }

    pub(crate) fn leave(&mut self, node: u64, connection: ConnectionId, room: &str) {
        let Some(node) = self.nodes.get_mut(&node) else {
            return;
        };
        node.leave_room(connection, room);
        if let Some(known) = node.people.get_mut(&connection) {
            known.rooms.remove(room);
            if known.rooms.is_empty() && known.user.is_none() {
                node.people.remove(&connection);
                self.count -= 1;
            }
        }
    }

    pub(crate) fn identify(&mut self, node: u64, connection: ConnectionId, user: Option<&str>) {
        let number = node;
        let Some(node) = self.seat(number, connection) else {
            return;
        };
        let user = user.map(|user| match node.users.get_key_value(user) {
            Some((user, _)) => Arc::clone(user),
            None => Arc::from(user),
        });
        let Some(known) = node.people.get_mut(&connection) else {
            return;
        };
        let before = std::mem::replace(&mut known.user, user.clone());
        let is_nobody = known.rooms.is_empty() && known.user.is_none();
        if let Some(user) = user {
            *node.users.entry(user).or_default() += 1;
        }
        if let Some(before) = before {
            node.leave_user(&before);
        }
        if is_nobody {
            self.gone(number, connection);
        }
    }

    pub(crate) fn gone(&mut self, node: u64, connection: ConnectionId) {
        let Some(node) = self.nodes.get_mut(&node) else {
            return;
        };
        if let Some(known) = node.people.remove(&connection) {
            self.count -= 1;
            for room in known.rooms.iter() {
                node.leave_room(connection, room);
            }
            if let Some(user) = &known.user {
                node.leave_user(user);
            }
        }
    }

    pub(crate) fn present(&mut self, node: u64, person: Person<'_>) {
        let connection = person.connection;
        self.identify(node, connection, person.user);
        for room in person.rooms {
            self.join(node, connection, room);
        }
    }

    /// A node tells anew who is there.
    pub(crate) fn begin(&mut self, node: u64) {
        self.node_gone(node);
        self.nodes.insert(node, Node::default());
    }

    pub(crate) fn node_gone(&mut self, node: u64) {
        if let Some(node) = self.nodes.remove(&node) {
            self.count -= node.people.len();
        }
    }

    /// Who is in a room, by node and connection.
    pub(crate) fn room(&self, room: &str, found: &mut Vec<Present>) {
        for (&number, node) in &self.nodes {
            for &connection in node.rooms.get(room).into_iter().flatten() {
                let known = node.people.get(&connection);
                found.push(Present {
                    node: number,
                    connection,
                    user: known.and_then(|known| known.user.clone()),
                });
            }
        }
    }

    pub(crate) fn has_user(&self, user: &str) -> bool {
        self.nodes
            .values()
            .any(|node| node.users.contains_key(user))
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The node, with a place for the connection, if there is one.
    fn seat(&mut self, node: u64, connection: ConnectionId) -> Option<&mut Node> {
        let node = self.nodes.entry(node).or_default();
        if let Entry::Vacant(place) = node.people.entry(connection) {
            if self.count >= MOST_PRESENT {
                return None;
            }
            self.count += 1;
            place.insert(Known::default());
        }
        Some(node)
    }
}

impl Node {
    fn leave_room(&mut self, connection: ConnectionId, room: &str) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(&connection);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    fn leave_user(&mut self, user: &str) {
        if let Some(count) = self.users.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                self.users.remove(user);
            }
        }
    }
}
