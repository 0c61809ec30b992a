//! What is set when a hub is made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::KeepLimits;

/// What a hub is told when it is made.
#[derive(Clone)]
pub struct HubOptions {
    /// What is remembered of the messages of rooms. By default nothing.
    pub history: HistoryLimits,
    /// How much may be kept as last values of rooms.
    pub keep: KeepLimits,
    /// The clock, in milliseconds since 1970. By default it stands still, so that nothing ever is too old.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Names this hub among those that share its backplane: random, and never 0.
    pub node: u64,
    /// The most bytes of records that may wait until the broker has them; beyond, they are refused and count as lost.
    pub pending: usize,
    /// As many bytes of records are remembered after the broker has given them back, for the case that it loses them.
    pub again: usize,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            history: HistoryLimits::none(),
            keep: KeepLimits::default(),
            clock: Arc::new(|| 0),
            node: 0,
            pending: 64 * 1024 * 1024,
            again: 16 * 1024 * 1024,
        }
    }
}

impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("history", &self.history)
            .field("keep", &self.keep)
            .field("node", &self.node)
            .field("pending", &self.pending)
            .field("again", &self.again)
            .finish_non_exhaustive()
    }
}

/// How much is remembered of the messages of rooms: whichever limit is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// The most messages of one room; 0: there is no history.
    pub messages: usize,
    /// How old a message may become.
    pub age: Duration,
    /// The most rooms that have a history: the one in which nothing was published for longest makes place.
    pub rooms: usize,
    /// The most bytes of all messages, framed, with 128 for each, and of the rooms' names: the oldest messages of the room in which nothing was
    /// published for longest make place.
    pub bytes: usize,
}

impl HistoryLimits {
    /// Nothing is remembered.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            messages: 0,
            age: Duration::ZERO,
            rooms: 0,
            bytes: 0,
        }
    }
}

impl Default for HistoryLimits {
    /// 100 messages of a day in each of 10,000 rooms, 64 MiB in all.
    fn default() -> Self {
        Self {
            messages: 100,
            age: Duration::from_secs(24 * 60 * 60),
            rooms: 10_000,
            bytes: 64 * 1024 * 1024,
        }
    }
}
