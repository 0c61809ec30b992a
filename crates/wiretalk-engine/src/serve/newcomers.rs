//! How many connections there may be that are no clients yet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How often it is told at most that newcomers are kept out.
const PAUSE: Duration = Duration::from_secs(1);

/// How many connections of all servers of a program may be in their handshakes at a time: in that of TLS, before a request,
/// or before the token in a first message. Connections for plain requests are among them until they end.
///
/// Who comes beyond that waits to be accepted, in the order of coming. A handshake takes a limited time, so each has its turn.
#[derive(Debug)]
pub struct Newcomers {
    most: usize,
    places: Arc<Semaphore>,
    /// Those who had to wait for one.
    waits: Seldom,
    /// Those who were dropped, for their address has too many.
    dropped: Seldom,
}

impl Default for Newcomers {
    /// 1,024.
    fn default() -> Self {
        Self::new(1024)
    }
}

impl Newcomers {
    /// So many, but one at least.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            most,
            places: Arc::new(Semaphore::new(most)),
            waits: Seldom::default(),
            dropped: Seldom::default(),
        }
    }

    /// How many there may be.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.most.saturating_sub(self.places.available_permits())
    }

    /// A place for one more, if there is one.
    pub(super) fn try_enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Waits for a place. Cancel-safe: whoever asks again is behind all others.
    pub(super) async fn enter(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // Nobody closes the semaphore.
            Err(_) => std::future::pending().await,
        }
    }

    /// One had to wait: how many had since that was told last, if it is time to tell.
    pub(super) fn waited(&self) -> Option<u64> {
        self.waits.add(Instant::now())
    }

    /// The same of one that was dropped.
    pub(super) fn dropped(&self) -> Option<u64> {
        self.dropped.add(Instant::now())
    }
}

/// Something that may happen very often, and is told now and then.
#[derive(Debug, Default)]
struct Seldom {
    times: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Seldom {
    /// It happened once more. How often it did since it was told last, if it is time to tell.
    fn add(&self, now: Instant) -> Option<u64> {
        self.times.fetch_add(1, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| now.saturating_duration_since(told) < PAUSE) {
            return None;
        }
        *told = Some(now);
        Some(self.times.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
