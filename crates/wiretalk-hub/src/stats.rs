//! Numbers about a hub, for whoever shows them.

use crate::Hub;

/// What a hub is, and has done, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// Who is connected.
    pub members: usize,
    /// The rooms with somebody in them.
    pub rooms: usize,
    /// The users with a connection.
    pub users: usize,
    /// The bytes that wait in the outboxes.
    pub queued: usize,
    /// So many times a message or a command was put into an outbox.
    pub deliveries: u64,
    /// So many outboxes overflowed.
    pub overflows: u64,
    /// The messages published here, those to one connection not counted.
    pub published: u64,
    /// The publications that were lost for this hub, its own included.
    pub lost: u64,
    /// The nodes that are known, this one included.
    pub nodes: usize,
    /// Whether the broker is reached; always, in a hub that is alone.
    pub up: bool,
    /// Whether the log was read to its end once; always, in a hub that is alone.
    pub ready: bool,
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) deliveries: u64,
    pub(crate) overflows: u64,
    pub(crate) published: u64,
    pub(crate) lost: u64,
    pub(crate) up: bool,
    pub(crate) ready: bool,
}

impl Counts {
    pub(crate) fn new(is_shared: bool) -> Self {
        Self {
            deliveries: 0,
            overflows: 0,
            published: 0,
            lost: 0,
            up: !is_shared,
            ready: !is_shared,
        }
    }
}

impl<C> Hub<C> {
    /// The hub's numbers now. It looks into each outbox, so it is for being asked now and then.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        let state = self.lock();
        let queued = state.members.values().map(|mailbox| mailbox.queued());
        HubStats {
            members: state.members.len(),
            rooms: state.rooms.len(),
            users: state.users.len(),
            queued: queued.sum(),
            deliveries: state.counts.deliveries,
            overflows: state.counts.overflows,
            published: state.counts.published,
            lost: state.counts.lost,
            nodes: 1 + state.elsewhere.nodes(),
            up: state.counts.up,
            ready: state.counts.ready,
        }
    }
}
