//! A histogram without a lock: whoever observes adds to three numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Times, counted in buckets.
#[derive(Debug)]
pub(super) struct Histogram<const N: usize> {
    /// The upper bounds, in seconds, rising.
    bounds: &'static [f64; N],
    /// How many are in each bucket, and in none of those before it.
    counts: [AtomicU64; N],
    /// How many are over the last bound.
    over: AtomicU64,
    nanoseconds: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    pub(super) fn new(bounds: &'static [f64; N]) -> Self {
        Self {
            bounds,
            counts: [const { AtomicU64::new(0) }; N],
            over: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        }
    }

    pub(super) fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let at = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts
            .get(at)
            .unwrap_or(&self.over)
            .fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl<const N: usize> EncodeMetric for Histogram<N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut total = 0;
        let mut buckets = Vec::with_capacity(N + 1);
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            let count = count.load(Ordering::Relaxed);
            total += count;
            buckets.push((*bound, count));
        }
        let over = self.over.load(Ordering::Relaxed);
        total += over;
        buckets.push((f64::INFINITY, over));
        let seconds = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(seconds.as_secs_f64(), total, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl<const N: usize> TypedMetric for Histogram<N> {
    const TYPE: MetricType = MetricType::Histogram;
}
