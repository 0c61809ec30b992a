//! Connections by a name that they share: the members of rooms, the connections of users.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::hub::ConnectionId;
use crate::outbox::Mailbox;

/// The members of one group, in the order of their ids.
pub(crate) type Group<C> = BTreeMap<ConnectionId, Arc<Mailbox<C>>>;

/// Groups by name. One without a member does not exist.
pub(crate) struct Groups<C>(HashMap<Arc<str>, Group<C>>);

impl<C> Groups<C> {
    pub(crate) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Adds a member, and gives back the group's name, of which there is one copy.
    pub(crate) fn add(
        &mut self,
        name: &str,
        id: ConnectionId,
        mailbox: &Arc<Mailbox<C>>,
    ) -> Arc<str> {
        let name = match self.0.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(name),
        };
        let group = self.0.entry(Arc::clone(&name)).or_default();
        group.insert(id, Arc::clone(mailbox));
        name
    }

    /// Takes a member out, and with the last one the group.
    pub(crate) fn remove(&mut self, name: &str, id: ConnectionId) {
        if let Some(group) = self.0.get_mut(name) {
            group.remove(&id);
            if group.is_empty() {
                self.0.remove(name);
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Group<C>> {
        self.0.get(name)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn ids(&self, name: &str) -> Vec<ConnectionId> {
        let group = self.get(name);
        group.map_or_else(Vec::new, |group| group.keys().copied().collect())
    }

    /// The names, sorted, each with the number of its members.
    pub(crate) fn sizes(&self) -> BTreeMap<Arc<str>, usize> {
        let sizes = self.0.iter();
        sizes
            .map(|(name, group)| (Arc::clone(name), group.len()))
            .collect()
    }
}
