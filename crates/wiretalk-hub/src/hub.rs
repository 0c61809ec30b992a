//! The hub itself: how it is made, and who is in it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::HubOptions;
use crate::backplane::{Backplane, Capabilities, Memory};
use crate::follow::Listener;
use crate::groups::{Group, Groups};
use crate::history::Histories;
use crate::keep::Kept;
use crate::names::Names;
use crate::outbox::{Mailbox, Outbox};
use crate::presence::Elsewhere;
use crate::record::Record;
use crate::stats::Counts;

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

/// One connection's place in the hub. Dropping it leaves the hub, and closes its outbox once that is drained.
#[must_use = "dropping a member leaves the hub"]
pub struct Member<C = Infallible> {
    id: ConnectionId,
    hub: Hub<C>,
}

pub(crate) struct State<C> {
    /// Of this hub and its siblings.
    last_id: Arc<AtomicU64>,
    pub(crate) node: u64,
    pub(crate) clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// When the hub was made.
    pub(crate) began: u64,
    /// In the order of joining, which is that of the ids.
    pub(crate) members: Group<C>,
    pub(crate) rooms: Groups<C>,
    pub(crate) users: Groups<C>,
    /// What is known of those members who are in rooms, or are users: an anonymous one costs nothing here.
    pub(crate) places: BTreeMap<ConnectionId, Place>,
    pub(crate) elsewhere: Elsewhere,
    pub(crate) kept: Kept,
    pub(crate) histories: Histories,
    /// The offset given last, in a hub that is alone.
    pub(crate) offset: u64,
    pub(crate) backplane: Box<dyn Backplane>,
    /// Whether the backplane reaches other hubs.
    pub(crate) is_shared: bool,
    pub(crate) counts: Counts,
    pub(crate) listener: Option<Listener>,
}

/// Where a connection is found beside the list of all.
#[derive(Default)]
pub(crate) struct Place {
    pub(crate) rooms: Names,
    pub(crate) user: Option<Arc<str>>,
}

impl Place {
    pub(crate) fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.user.is_none()
    }
}

impl<C> Hub<C> {
    /// A hub with nobody in it, alone in its process.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(HubOptions::default(), Memory)
    }

    /// A hub with nobody in it, on a backplane.
    #[must_use]
    pub fn with_options(options: HubOptions, backplane: impl Backplane + 'static) -> Self {
        Self::with_ids(Arc::default(), options, backplane)
    }

    /// Another hub, with nobody in it and alone in its process, whose ids are counted together with this one's: no id is
    /// used in both.
    #[must_use]
    pub fn sibling(&self) -> Self {
        self.sibling_with(HubOptions::default(), Memory)
    }

    /// A [`sibling`](Self::sibling) with options and a backplane of its own.
    #[must_use]
    pub fn sibling_with(&self, options: HubOptions, backplane: impl Backplane + 'static) -> Self {
        let ids = Arc::clone(&self.lock().last_id);
        Self::with_ids(ids, options, backplane)
    }

    fn with_ids(
        last_id: Arc<AtomicU64>,
        options: HubOptions,
        backplane: impl Backplane + 'static,
    ) -> Self {
        let capabilities = backplane.capabilities();
        let is_shared = capabilities.other_hubs;
        let has_offsets = !is_shared || capabilities.durable;
        let epoch = format!("{:016x}", options.node).into();
        let state = State {
            last_id,
            node: options.node,
            began: (options.clock)(),
            clock: options.clock,
            members: Group::new(),
            rooms: Groups::new(),
            users: Groups::new(),
            places: BTreeMap::new(),
            elsewhere: Elsewhere::default(),
            kept: Kept::new(options.keep),
            histories: Histories::new(options.history, epoch, has_offsets),
            offset: 0,
            backplane: Box::new(backplane),
            is_shared,
            counts: Counts::new(is_shared),
            listener: None,
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

    fn leave(&self, id: ConnectionId) {
        let mut state = self.lock();
        let mailbox = state.members.remove(&id);
        if let Some(place) = state.places.remove(&id) {
            for room in place.rooms.iter() {
                state.rooms.remove(room, id);
            }
            if let Some(user) = &place.user {
                state.users.remove(user, id);
            }
            state.tell(&Record::Gone { connection: id });
        }
        drop(state);
        if let Some(waker) = mailbox.and_then(|mailbox| mailbox.member_left()) {
            waker.wake();
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<C>> {
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
