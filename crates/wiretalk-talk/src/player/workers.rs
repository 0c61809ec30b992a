//! Workers: the bodies of rules run for so many clients at once, and for each client one after the other.
//!
//! Without `option workers` a body that waits holds up nobody: the next message of its client may start another one, and
//! be answered first. With workers, a client's messages are taken in their order, each once the body of the one before
//! has ended; the clients that have something to do stand in one queue, and the first gets the next worker that is free.
//! What a client has sent meanwhile lies in its inbox, whose bound [`Player::takes_more`] tells: whoever feeds the player
//! stops reading there, so that nothing is lost.

use super::connection::State;
use super::run::RunId;
use super::{Action, ConnectionId, Player, Side};

/// Bytes that may wait for a worker in one client's inbox before nothing more is read from it.
const WAITING_LIMIT: usize = 256 * 1024;

/// How a client stands to the workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Work {
    /// It wants nothing of them.
    #[default]
    None,
    /// It has a message for the next one that is free.
    Queued,
    /// One looks at its messages.
    Given,
    /// One plays this body.
    Busy(RunId),
}

impl Player {
    /// Whether more of what a client sends is to be read. After `false` nothing more should be told of it before
    /// [`Action::TakesMore`]: what the player is told all the same it keeps.
    ///
    /// Only a mock with workers says no.
    pub fn takes_more(&mut self, id: ConnectionId) -> bool {
        if self.workers.is_none() {
            return true;
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return true;
        };
        connection.paused = connection.inbox_bytes >= WAITING_LIMIT;
        !connection.paused
    }

    /// How many workers there are: as many as the caller says, else as the talk.
    pub(super) fn hire(&mut self) {
        let own = self.commons().filter_map(|common| common.workers).last();
        let workers = self.manner.workers.or(own);
        self.workers = workers.filter(|_| self.side == Side::Server);
        if self.workers.is_none() {
            for id in std::mem::take(&mut self.queue) {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.work = Work::None;
                    self.dirty.push_back(id);
                }
            }
        }
        self.next_in_queue();
    }

    /// Whether a client's next message may be looked at; if not, the client has its place in the queue.
    pub(super) fn may_work(&mut self, id: ConnectionId) -> bool {
        let Some(workers) = self.workers else {
            return true;
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return true;
        };
        match connection.work {
            Work::Given => true,
            Work::Queued | Work::Busy(_) => false,
            Work::None if self.working < workers => {
                self.working += 1;
                connection.work = Work::Given;
                true
            }
            Work::None => {
                connection.work = Work::Queued;
                self.queue.push_back(id);
                false
            }
        }
    }

    /// A body of a rule begins.
    pub(super) fn begins_work(&mut self, id: ConnectionId, run: RunId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.work == Work::Given
        {
            connection.work = Work::Busy(run);
        }
    }

    /// A run has ended: if a worker played it, the worker is free.
    pub(super) fn ends_work(&mut self, id: ConnectionId, run: RunId) {
        let is_its = |work| work == Work::Busy(run);
        self.frees_worker(id, is_its);
    }

    /// A worker has found nothing to do in a client's messages.
    pub(super) fn finds_no_work(&mut self, id: ConnectionId) {
        self.frees_worker(id, |work| work == Work::Given);
    }

    fn frees_worker(&mut self, id: ConnectionId, is_so: impl Fn(Work) -> bool) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if !is_so(connection.work) {
            return;
        }
        connection.work = Work::None;
        let has_more = !connection.inbox.is_empty() || !connection.control.is_empty();
        self.working = self.working.saturating_sub(1);
        // Those who stand in the queue come first.
        self.next_in_queue();
        if has_more {
            self.dirty.push_back(id);
        }
    }

    fn next_in_queue(&mut self) {
        let Some(workers) = self.workers else { return };
        while self.working < workers
            && let Some(id) = self.queue.pop_front()
        {
            // One that has gone since keeps its place until now.
            if let Some(connection) = self.connections.get_mut(&id)
                && connection.work == Work::Queued
            {
                connection.work = Work::Given;
                self.working += 1;
                self.dirty.push_back(id);
            }
        }
    }

    /// A client is gone, and takes what waits with it.
    pub(super) fn forgets_work(&mut self, id: ConnectionId) {
        if self.workers.is_none() {
            return;
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.inbox.clear();
            connection.inbox_bytes = 0;
            connection.control.clear();
            if connection.work == Work::Queued {
                connection.work = Work::None;
            }
        }
        self.finds_no_work(id);
    }

    /// Whether a client's close has to wait until what it sent before has been answered.
    pub(super) fn is_behind(&self, id: ConnectionId) -> bool {
        let waits = |connection: &super::Connection| {
            connection.state == State::Open
                && (connection.work != Work::None || !connection.inbox.is_empty())
        };
        self.workers.is_some()
            && self
                .connections
                .get(&id)
                .is_some_and(|connection| waits(connection))
    }

    /// Something is off a client's inbox: there may be space again.
    pub(super) fn has_space(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.paused
            && connection.inbox_bytes <= WAITING_LIMIT / 2
        {
            connection.paused = false;
            self.actions.push_back(Action::TakesMore(id));
        }
    }
}
