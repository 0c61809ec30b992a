//! Who receives what.

use std::sync::MutexGuard;
use std::task::Waker;

use wiretalk_proto::Prepared;

use crate::KeepError;
use crate::backplane::Route;
use crate::history::{Entry, Origin};
use crate::hub::{ConnectionId, Hub, State};
use crate::outbox::{Item, Mailbox, Put};
use crate::record::{Payload, Publication, Record, Scope};

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
    /// In how many outboxes of this hub it now waits.
    pub receivers: usize,
    /// Whose outbox overflowed by it, in the order of joining. Each overflow is told once, here and to the outbox.
    pub overflowed: Vec<ConnectionId>,
    /// It goes to all hubs by the backplane, and comes to this one's members in its turn.
    pub away: bool,
}

/// What becomes of a message beside its delivery. Both concern messages to rooms only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Keeping {
    /// It goes into the room's history.
    pub history: bool,
    /// It is the room's last value from now on, if there is space for it.
    pub keep: bool,
}

impl<C> Hub<C> {
    /// Publishes a message to everyone in `target`: it is put into their outboxes, and nobody is waited for.
    ///
    /// On a backplane with other hubs the message goes [away](Delivery::away), and all hubs deliver it when it comes back.
    /// [`Target::One`] is always delivered at once: a connection's id means something in this hub alone.
    pub fn deliver(&self, target: Target<'_>, message: &Prepared) -> Delivery {
        self.deliver_with(target, message, Keeping::default())
    }

    /// [`deliver`](Self::deliver) for a message that is to be remembered.
    pub fn deliver_with(
        &self,
        target: Target<'_>,
        message: &Prepared,
        keeping: Keeping,
    ) -> Delivery {
        Self::publish_from(self.lock(), target, message, keeping)
    }

    /// Delivers a value to a room and [keeps](Self::keep) it, in one step: of two values that are published at the same
    /// time, the one that is kept is the one that all members got last.
    ///
    /// # Errors
    /// If there is no space for it; then it is not delivered either.
    pub fn publish(&self, room: &str, value: &Prepared) -> Result<Delivery, KeepError> {
        let state = self.lock();
        state.kept.check(room, value)?;
        let keeping = Keeping {
            keep: true,
            history: false,
        };
        Ok(Self::publish_from(
            state,
            Target::Room(room),
            value,
            keeping,
        ))
    }

    fn publish_from(
        mut state: MutexGuard<'_, State<C>>,
        target: Target<'_>,
        message: &Prepared,
        keeping: Keeping,
    ) -> Delivery {
        if let Some((to, but)) = Scope::of(target) {
            state.counts.published += 1;
            let Keeping { history, keep } = keeping;
            if state.is_shared && state.append(to, but, message, keeping) == Route::Away {
                return Delivery {
                    away: true,
                    ..Delivery::default()
                };
            }
            if let (Scope::Room(room), true) = (to, history || keep) {
                state.remember_here(room, message, keeping);
            }
        }
        Self::deliver_here(state, target, message)
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

    pub(crate) fn deliver_here(
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
        mut state: MutexGuard<'_, State<C>>,
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
        let Delivery {
            receivers,
            overflowed,
            ..
        } = &round.delivery;
        state.counts.deliveries += *receivers as u64;
        state.counts.overflows += overflowed.len() as u64;
        drop(state);
        round.end()
    }
}

impl<C> State<C> {
    fn append(
        &mut self,
        to: Scope<'_>,
        but: Option<ConnectionId>,
        message: &Prepared,
        keeping: Keeping,
    ) -> Route {
        let payload = message.payload();
        let is_for_room = matches!(to, Scope::Room(_));
        let publication = Publication {
            to,
            but,
            message: Payload::of(message, &payload),
            history: keeping.history && is_for_room,
            keep: keeping.keep && is_for_room,
            time: (self.clock)(),
        };
        self.backplane.append(&Record::Publish(publication))
    }

    /// Remembers a message of this hub that is alone.
    fn remember_here(&mut self, room: &str, message: &Prepared, keeping: Keeping) {
        if keeping.keep {
            // `publish` has looked whether there is space; otherwise the value before stays.
            let _ = self.kept.keep(room, message.clone());
        }
        if keeping.history && self.histories.is_kept() {
            let now = (self.clock)();
            self.offset += 1;
            let entry = Entry {
                offset: self.offset,
                origin: Origin {
                    node: self.node,
                    seq: self.offset,
                },
                time: now,
                message: message.clone(),
            };
            self.histories.push(room, entry, now);
        }
    }
}

/// What one delivery gathers while it goes from mailbox to mailbox.
pub(crate) struct Round<C> {
    delivery: Delivery,
    wakers: Vec<Waker>,
    lost: Vec<Vec<Item<C>>>,
}

impl<C> Round<C> {
    pub(crate) fn new() -> Self {
        Self {
            delivery: Delivery::default(),
            wakers: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// To wake, and to drop a `C`, is to run foreign code, which may well come back to the hub: no lock may be held.
    pub(crate) fn end(self) -> Delivery {
        self.wakers.into_iter().for_each(Waker::wake);
        drop(self.lost);
        self.delivery
    }

    pub(crate) fn put(
        &mut self,
        id: ConnectionId,
        mailbox: &Mailbox<C>,
        item: Item<C>,
        bytes: usize,
    ) {
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
