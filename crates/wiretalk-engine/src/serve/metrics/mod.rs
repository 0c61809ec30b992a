//! What servers count, for Prometheus.
//!
//! A message costs no lock, no allocation and no number that connections share: each connection counts for itself (its
//! [`Meter`](wiretalk_server::Meter)), and the page adds up the connections that there are with what those had counted that are gone.

mod clients;
mod codes;
pub(super) mod encode;
mod histogram;
mod probe;
mod process;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::seat::Seat;
use super::{ClientId, Event};
use clients::Clients;
use codes::{Codes, Reasons};
use histogram::Histogram;
pub(super) use probe::Probe;
use probe::Probes;

/// Bounds for how long a message waits until it is written, in seconds: from 10 µs to 10 s.
const DELIVERIES: [f64; 13] = [
    0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0,
];
/// Bounds for how long a connection is open, in seconds: from 100 ms to a day.
const DURATIONS: [f64; 9] = [
    0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 14_400.0, 43_200.0, 86_400.0,
];

/// What the servers of one program count. A clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    shared: Arc<Shared>,
}

struct Shared {
    clients: Mutex<Clients>,
    closed: Codes,
    refused: Reasons,
    expelled: Reasons,
    requests: AtomicU64,
    failed: AtomicU64,
    accept_errors: AtomicU64,
    slow: AtomicU64,
    durations: Histogram<{ DURATIONS.len() }>,
    deliveries: Histogram<{ DELIVERIES.len() }>,
    probes: Probes,
    sources: Mutex<Vec<Weak<dyn Source>>>,
}

/// Something whose state is asked for when somebody looks: the hub of a mock.
pub(super) trait Source: Send + Sync {
    fn sample(&self) -> Sample;

    /// The user that a client is, if it is one of its own.
    fn user_of(&self, client: ClientId) -> Option<Arc<str>>;
}

/// What hubs hold, all together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) rooms: usize,
    pub(super) users: usize,
    pub(super) queued: usize,
    pub(super) deliveries: u64,
    pub(super) published: u64,
    pub(super) lost: u64,
    pub(super) nodes: usize,
    pub(super) up: bool,
}

impl Metrics {
    /// Metrics that are all zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts what an event tells. Messages are none of its: their connections count them.
    pub(super) fn count(&self, event: &Event<'_>) {
        let shared = &*self.shared;
        let count = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        match event {
            Event::Refused { reason, .. } => shared.refused.add(reason),
            Event::Expelled { why, .. } => shared.expelled.add(why.kind),
            Event::Http { .. } => count(&shared.requests),
            Event::ConnectionFailed { .. } => count(&shared.failed),
            Event::AcceptFailed { .. } => count(&shared.accept_errors),
            Event::TooSlow { .. } => count(&shared.slow),
            _ => {}
        }
    }

    /// A connection is refused that no event tells of.
    pub(super) fn count_refused(&self, reason: &'static str) {
        self.shared.refused.add(reason);
    }

    /// A client is connected.
    pub(super) fn opened(&self, seat: Arc<Seat>) {
        self.shared.clients().insert(seat);
    }

    /// A client is gone.
    pub(super) fn closed(&self, client: ClientId, code: u16, after: Duration) {
        self.shared.clients().remove(client);
        self.shared.closed.add(code);
        self.shared.durations.observe(after);
    }

    /// A probe, if it is time for one; to be made before a delivery, and put behind it.
    pub(super) fn probe(&self) -> Option<Probe> {
        let turn = self.shared.probes.turn()?;
        Some(Probe::new(self.clone(), turn))
    }

    /// Asks this as well from now on, for as long as it is there.
    pub(super) fn watch(&self, source: Weak<dyn Source>) {
        let mut sources = self.shared.sources();
        sources.retain(|source| source.strong_count() > 0);
        sources.push(source);
    }

    /// Clients behind that one, in the order of their coming, with their users; so many at the most.
    pub(super) fn clients(
        &self,
        after: Option<ClientId>,
        most: usize,
    ) -> Vec<(Arc<Seat>, Option<Arc<str>>)> {
        let page = self.shared.clients().page(after, most);
        let sources = self.shared.live_sources();
        let user = |client| sources.iter().find_map(|source| source.user_of(client));
        page.into_iter()
            .map(|seat| {
                let user = user(seat.client);
                (seat, user)
            })
            .collect()
    }

    /// How many clients there are.
    pub(super) fn client_count(&self) -> usize {
        self.shared.clients().len()
    }
}

impl Shared {
    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sources(&self) -> MutexGuard<'_, Vec<Weak<dyn Source>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_sources(&self) -> Vec<Arc<dyn Source>> {
        self.sources().iter().filter_map(Weak::upgrade).collect()
    }

    fn hubs(&self) -> Sample {
        let mut all = Sample {
            up: true,
            ..Sample::default()
        };
        for source in self.live_sources() {
            let one = source.sample();
            all.rooms += one.rooms;
            all.users += one.users;
            all.queued += one.queued;
            all.deliveries += one.deliveries;
            all.published += one.published;
            all.lost += one.lost;
            // All talks share a backplane, so the one that sees most sees all.
            all.nodes = all.nodes.max(one.nodes);
            all.up &= one.up;
        }
        all
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            clients: Mutex::default(),
            closed: Codes::default(),
            refused: Reasons::default(),
            expelled: Reasons::default(),
            requests: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
            slow: AtomicU64::new(0),
            durations: Histogram::new(&DURATIONS),
            deliveries: Histogram::new(&DELIVERIES),
            probes: Probes::default(),
            sources: Mutex::default(),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.clients().len();
        f.debug_struct("Metrics")
            .field("open", &open)
            .finish_non_exhaustive()
    }
}
