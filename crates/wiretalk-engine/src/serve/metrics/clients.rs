//! Who is connected, and what has passed over all connections.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use wiretalk_server::Traffic;

use crate::serve::ClientId;
use crate::serve::seat::Seat;

/// Those who are connected, and the sum of those who are gone.
#[derive(Debug, Default)]
pub(super) struct Clients {
    open: BTreeMap<ClientId, Arc<Seat>>,
    opened: u64,
    gone: Traffic,
}

/// What all clients come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) open: usize,
    pub(super) opened: u64,
    pub(super) traffic: Traffic,
}

impl Clients {
    pub(super) fn insert(&mut self, seat: Arc<Seat>) {
        self.opened += 1;
        self.open.insert(seat.client, seat);
    }

    pub(super) fn remove(&mut self, client: ClientId) {
        if let Some(seat) = self.open.remove(&client) {
            self.gone += seat.meter.traffic();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Nothing is counted twice or missed meanwhile: whoever goes now waits.
    pub(super) fn tally(&self) -> Tally {
        let mut traffic = self.gone;
        for seat in self.open.values() {
            traffic += seat.meter.traffic();
        }
        Tally {
            open: self.open.len(),
            opened: self.opened,
            traffic,
        }
    }

    pub(super) fn page(&self, after: Option<ClientId>, most: usize) -> Vec<Arc<Seat>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.open
            .range((from, Bound::Unbounded))
            .take(most)
            .map(|(_, seat)| Arc::clone(seat))
            .collect()
    }
}
