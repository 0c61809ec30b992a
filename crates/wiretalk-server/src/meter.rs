//! What passes over a connection, counted.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the messages of one connection. Its driver counts, and whoever shares it looks whenever they like.
///
/// ```
/// use wiretalk_server::{Count, Meter};
///
/// let meter = Meter::default();
/// meter.received(5);
/// meter.received(7);
/// let traffic = meter.traffic();
/// assert_eq!(traffic.received, Count { messages: 2, bytes: 12 });
/// assert_eq!(traffic.sent, Count::default());
/// ```
#[derive(Debug, Default)]
pub struct Meter {
    received: Counter,
    sent: Counter,
}

/// What has passed over a connection, or over several.
///
/// ```
/// use wiretalk_server::{Count, Traffic};
///
/// let one = Traffic { sent: Count { messages: 1, bytes: 5 }, ..Traffic::default() };
/// let mut all = one;
/// all += one;
/// assert_eq!(all.sent, Count { messages: 2, bytes: 10 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// From the client.
    pub received: Count,
    /// To the client: what was put into its connection's queue, if not yet into the kernel's.
    pub sent: Count,
}

/// Messages, and what they carry.
///
/// ```
/// use wiretalk_server::Meter;
///
/// let meter = Meter::default();
/// meter.sent(5);
/// assert_eq!(meter.traffic().sent.messages, 1);
/// assert_eq!(meter.traffic().sent.bytes, 5);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Text and binary messages; pings, pongs and close frames are none.
    pub messages: u64,
    /// The bytes of their payloads, uncompressed.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Meter {
    /// A message of so many bytes came.
    ///
    /// ```
    /// let meter = wiretalk_server::Meter::default();
    /// meter.received(5);
    /// assert_eq!(meter.traffic().received.bytes, 5);
    /// ```
    pub fn received(&self, bytes: usize) {
        self.received.add(bytes);
    }

    /// A message of so many bytes went.
    ///
    /// ```
    /// let meter = wiretalk_server::Meter::default();
    /// meter.sent(5);
    /// assert_eq!(meter.traffic().sent.bytes, 5);
    /// ```
    pub fn sent(&self, bytes: usize) {
        self.sent.add(bytes);
    }

    /// What it has counted so far.
    ///
    /// ```
    /// let meter = wiretalk_server::Meter::default();
    /// assert_eq!(meter.traffic(), wiretalk_server::Traffic::default());
    /// ```
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic {
            received: self.received.count(),
            sent: self.sent.count(),
        }
    }
}

impl Counter {
    /// A connection has one driver at a time, so that nobody else adds: two plain stores do, where an addition that
    /// others may share would lock the memory bus.
    fn add(&self, bytes: usize) {
        let bytes = bytes as u64;
        let add = |counter: &AtomicU64, more| {
            let sum = counter.load(Ordering::Relaxed).wrapping_add(more);
            counter.store(sum, Ordering::Relaxed);
        };
        add(&self.messages, 1);
        add(&self.bytes, bytes);
    }

    fn count(&self) -> Count {
        Count {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.sent += other.sent;
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}
