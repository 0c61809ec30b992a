//! How many clients there may be, and who waits for a place.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// A number of places for clients, and a queue in front of them: who comes when all are taken waits for one, first come
/// first served. A clone is the same.
///
/// ```
/// use std::time::Duration;
/// use wiretalk_server::{Capacity, Full};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Full> {
/// let capacity = Capacity::new(1);
/// let place = capacity.enter().await?;
/// assert_eq!(capacity.enter().await.unwrap_err(), Full::NoPlace { places: 1 });
/// drop(place);
/// capacity.enter().await?;
///
/// // With a queue, the second waits until the first is gone.
/// let capacity = Capacity::new(1).with_queue(10, Duration::from_secs(5));
/// let place = capacity.enter().await?;
/// let (second, ()) = tokio::join!(capacity.enter(), async move { drop(place) });
/// second?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Capacity {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    places: usize,
    free: Arc<Semaphore>,
    queue: usize,
    patience: Duration,
    waiting: AtomicUsize,
}

/// A place that is taken. Dropping it gives it to who has waited longest.
#[derive(Debug)]
#[must_use = "dropping a place gives it to the next"]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All places are taken, and nobody may wait.
    NoPlace {
        /// How many there are.
        places: usize,
    },
    /// All places are taken, and so are those in the queue.
    QueueFull {
        /// How many wait.
        waiting: usize,
    },
    /// No place became free in time.
    WaitedTooLong {
        /// How long it was waited for.
        after: Duration,
    },
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPlace { places: 1 } => {
                f.write_str("the server is full: its only place is taken")
            }
            Self::NoPlace { places } => {
                write!(f, "the server is full: all {places} places are taken")
            }
            Self::QueueFull { waiting } => {
                let wait = if *waiting == 1 { "waits" } else { "wait" };
                write!(
                    f,
                    "the server is full, and {waiting} {wait} for a place already"
                )
            }
            Self::WaitedTooLong { after } => write!(
                f,
                "the server is full: no place became free within {} s",
                after.as_secs_f64()
            ),
        }
    }
}

impl Error for Full {}

impl Capacity {
    /// So many places, and no queue.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self::made(places, 0, Duration::ZERO)
    }

    /// The same number of places, all free, with a queue: so many may wait, for so long.
    #[must_use]
    pub fn with_queue(self, queue: usize, patience: Duration) -> Self {
        Self::made(self.shared.places, queue, patience)
    }

    fn made(places: usize, queue: usize, patience: Duration) -> Self {
        let free = Semaphore::new(places.min(Semaphore::MAX_PERMITS));
        Self {
            shared: Arc::new(Shared {
                places,
                free: Arc::new(free),
                queue,
                patience,
                waiting: AtomicUsize::new(0),
            }),
        }
    }

    /// Takes a place, if one is free and nobody waits for it.
    #[must_use]
    pub fn try_enter(&self) -> Option<Slot> {
        // A semaphore keeps a permit that was given back for who waits, so this overtakes nobody.
        let permit = Arc::clone(&self.shared.free).try_acquire_owned().ok()?;
        Some(Slot { _permit: permit })
    }

    /// Takes a place; in a queue, waits for it. Dropping this future leaves the queue.
    ///
    /// # Errors
    /// If there is no place, nor one in the queue; or if none became free in time.
    pub async fn enter(&self) -> Result<Slot, Full> {
        if let Some(place) = self.try_enter() {
            return Ok(place);
        }
        let shared = &*self.shared;
        if shared.queue == 0 {
            let places = shared.places;
            return Err(Full::NoPlace { places });
        }
        let room = |waiting: usize| (waiting < shared.queue).then_some(waiting + 1);
        let queued = shared
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
        if let Err(waiting) = queued {
            return Err(Full::QueueFull { waiting });
        }
        let _waiting = Waiting(&shared.waiting);
        let free = Arc::clone(&shared.free).acquire_owned();
        match timeout(shared.patience, free).await {
            Ok(Ok(permit)) => Ok(Slot { _permit: permit }),
            // The semaphore is never closed, so only the time can be over.
            _ => Err(Full::WaitedTooLong {
                after: shared.patience,
            }),
        }
    }

    /// How many places there are.
    #[must_use]
    pub fn places(&self) -> usize {
        self.shared.places
    }

    /// How many places are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        let free = self.shared.free.available_permits();
        self.shared.places.saturating_sub(free)
    }

    /// How many wait for a place.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }
}

/// Counts who waits, for as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
