//! Who is connected, and what has passed over all connections.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use wiretalk_server::{Meter, Traffic};

use crate::serve::ClientId;

/// What is shown of a client.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Seen {
    /// Where it comes from.
    pub(in crate::serve) peer: SocketAddr,
    /// What it asked for.
    pub(in crate::serve) target: Arc<str>,
    pub(in crate::serve) since: Timestamp,
    pub(in crate::serve) meter: Arc<Meter>,
}

/// Those who are connected, and the sum of those who are gone.
#[derive(Debug, Default)]
pub(super) struct Clients {
    open: BTreeMap<ClientId, Seen>,
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
    pub(super) fn insert(&mut self, client: ClientId, seen: Seen) {
        self.opened += 1;
        self.open.insert(client, seen);
    }

    pub(super) fn remove(&mut self, client: ClientId) {
        if let Some(seen) = self.open.remove(&client) {
            self.gone += seen.meter.traffic();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Nothing is counted twice or missed meanwhile: whoever goes now waits.
    pub(super) fn tally(&self) -> Tally {
        let mut traffic = self.gone;
        for seen in self.open.values() {
            traffic += seen.meter.traffic();
        }
        Tally {
            open: self.open.len(),
            opened: self.opened,
            traffic,
        }
    }

    pub(super) fn page(&self, after: Option<ClientId>, most: usize) -> Vec<(ClientId, Seen)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.open
            .range((from, Bound::Unbounded))
            .take(most)
            .map(|(id, seen)| (*id, seen.clone()))
            .collect()
    }
}
