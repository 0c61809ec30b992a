//! How long messages wait until they are written, by samples: behind some deliveries goes a probe, through the queue of one
//! of the receivers, and is done when all before it is written. So no message carries a time, and no queue keeps one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Metrics;

/// Between two probes is as much time as this.
const PAUSE: Duration = Duration::from_millis(50);

/// When the next probe goes.
#[derive(Debug)]
pub(super) struct Probes {
    since: Instant,
    /// Of the next, in microseconds since then.
    due: AtomicU64,
    count: AtomicU64,
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            due: AtomicU64::new(0),
            count: AtomicU64::new(0),
        }
    }
}

impl Probes {
    /// The number of the probe for which it is time now.
    pub(super) fn turn(&self) -> Option<u64> {
        let now = self.since.elapsed();
        let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let due = self.due.load(Ordering::Relaxed);
        if microseconds(now) < due {
            return None;
        }
        let next = microseconds(now + PAUSE);
        let taken = self
            .due
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        taken
            .is_ok()
            .then(|| self.count.fetch_add(1, Ordering::Relaxed))
    }
}

/// Measures one delivery. A clone measures the same one.
#[derive(Clone)]
pub(in crate::serve) struct Probe(Arc<Sent>);

struct Sent {
    metrics: Metrics,
    since: Instant,
    turn: u64,
}

impl Probe {
    pub(super) fn new(metrics: Metrics, turn: u64) -> Self {
        let since = Instant::now();
        Self(Arc::new(Sent {
            metrics,
            since,
            turn,
        }))
    }

    /// Which of so many receivers it goes to: each in its turn, and those that came one after the other far from each
    /// other.
    pub(in crate::serve) fn choose<T: Copy>(&self, receivers: &[T]) -> Option<T> {
        /// 2^64 divided by the golden ratio: its multiples are spread evenly.
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let share = u128::from(self.0.turn.wrapping_mul(GOLDEN));
        let at = (share * receivers.len() as u128) >> 64;
        receivers.get(at as usize).copied()
    }

    /// All that was before it is written.
    pub(in crate::serve) fn arrived(&self) {
        let sent = &self.0;
        sent.metrics.shared.deliveries.observe(sent.since.elapsed());
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Metrics, Probe};

    #[test]
    fn every_receiver_has_its_turn() {
        let receivers = [1, 2, 3, 4, 5];
        let mut counts = [0; 5];
        for turn in 0..100 {
            let probe = Probe::new(Metrics::new(), turn);
            counts[probe.choose(&receivers).expect("one") - 1] += 1;
        }
        assert!(
            counts.iter().all(|count| (18..=22).contains(count)),
            "{counts:?}"
        );
        assert_eq!(Probe::new(Metrics::new(), 0).choose::<u8>(&[]), None);
    }
}
