//! The hub itself: membership, and the choice of receivers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use wiretalk_proto::Prepared;

use crate::outbox::{Item, Mailbox, Outbox, Put};

/// The bytes that may wait in an outbox when [`Hub::join`] is not told otherwise: 1 MiB.
pub const DEFAULT_QUEUE_LIMIT: usize = 1024 * 1024;

/// All who are connected to one server. A clone is the same hub.
///
/// `C` is what an outbox may hold besides messages: whatever a server must do on a connection *in order with* its
/// messages, such as a close or a ping. The default holds messages only.
pub struct Hub<C = Infallible> {
    state: Arc<Mutex<State<C>>>,
}

/// Names a connection for as long as its hub lives: ids count from 1 and are never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// To whom something goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// This connection only.
    One(ConnectionId),
    /// Everyone who is connected.
    All,
    /// Everyone but this connection.
    Others(ConnectionId),
}

/// What became of a delivery.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delivery {
    /// In how many outboxes it now waits.
    pub receivers: usize,
    /// Whose outbox overflowed by it, in the order of joining. Each overflow is told once, here and to the outbox.
    pub overflowed: Vec<ConnectionId>,
}

/// One connection's place in the hub. Dropping it leaves the hub, and closes its outbox once that is drained.
#[must_use = "dropping a member leaves the hub"]
pub struct Member<C = Infallible> {
    id: ConnectionId,
    hub: Hub<C>,
}

struct State<C> {
    last_id: u64,
    /// In the order of joining, which is that of the ids.
    members: BTreeMap<ConnectionId, Arc<Mailbox<C>>>,
}

impl<C> Hub<C> {
    /// A hub with nobody in it.
    #[must_use]
    pub fn new() -> Self {
        let state = State {
            last_id: 0,
            members: BTreeMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
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
        state.last_id += 1;
        let id = ConnectionId(state.last_id);
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

    /// Puts a message into the outbox of everyone in `target`, and waits for nobody.
    pub fn deliver(&self, target: Target, message: &Prepared) -> Delivery {
        self.put(target, message.wire().len(), || {
            Item::Message(message.clone())
        })
    }

    /// Puts something other than a message into the outbox of everyone in `target`, behind what already waits there.
    /// It counts as `bytes` towards the outbox's limit.
    pub fn control(&self, target: Target, control: &C, bytes: usize) -> Delivery
    where
        C: Clone,
    {
        self.put(target, bytes, || Item::Control(control.clone()))
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

    fn put(&self, target: Target, bytes: usize, item: impl Fn() -> Item<C>) -> Delivery {
        let mut round = Round {
            delivery: Delivery::default(),
            wakers: Vec::new(),
            lost: Vec::new(),
        };
        // The lock is held for the whole round: that is what gives all receivers one order.
        let state = self.lock();
        match target {
            Target::One(id) => {
                if let Some(mailbox) = state.members.get(&id) {
                    round.put(id, mailbox, item(), bytes);
                }
            }
            Target::All => {
                for (&id, mailbox) in &state.members {
                    round.put(id, mailbox, item(), bytes);
                }
            }
            Target::Others(sender) => {
                for (&id, mailbox) in state.members.iter().filter(|(id, _)| **id != sender) {
                    round.put(id, mailbox, item(), bytes);
                }
            }
        }
        drop(state);
        // To wake, and to drop a `C`, is to run foreign code, which may well come back to this hub: no lock is held.
        round.wakers.into_iter().for_each(Waker::wake);
        drop(round.lost);
        round.delivery
    }

    fn leave(&self, id: ConnectionId) {
        let mailbox = self.lock().members.remove(&id);
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
