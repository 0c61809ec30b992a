//! What the servers of one program have in common while they run: what is counted, how many clients there may be, whether
//! they are ready for more, and how they end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wiretalk_server::Capacity;

use super::admission::Admission;
use super::metrics::Metrics;
use super::newcomers::Newcomers;
use super::trace::Tracer;

/// What the servers of one program share.
#[derive(Debug, Default)]
pub struct Operation {
    /// What is counted; `None`: nothing is.
    pub metrics: Option<Metrics>,
    /// How many clients there may be; `None`: as many as come.
    pub capacity: Option<Capacity>,
    /// Whether clients should be sent here.
    pub readiness: Readiness,
    /// How many connections may be in their handshakes.
    pub newcomers: Newcomers,
    /// How newcomers are received, and who of them is let in; by default everybody.
    pub admission: Arc<Admission>,
    /// Who follows connections; `None`: nobody does.
    pub tracer: Option<Arc<dyn Tracer>>,
}

/// Whether a server is ready for clients: it is once nothing holds it up, and no more once it drains.
#[derive(Debug, Default)]
pub struct Readiness {
    draining: AtomicBool,
    /// With how often each was named.
    held_up_by: Mutex<BTreeMap<&'static str, usize>>,
}

impl Readiness {
    /// Something is not ready, such as `the backplane`. Each time that it is said, it is to be released.
    pub fn hold_up(&self, by: &'static str) {
        *self.held_up_by().entry(by).or_default() += 1;
    }

    /// It is ready now.
    pub fn release(&self, by: &'static str) {
        let mut held_up_by = self.held_up_by();
        if let Some(times) = held_up_by.get_mut(by) {
            *times -= 1;
            if *times == 0 {
                held_up_by.remove(by);
            }
        }
    }

    /// The server sends its clients away from now on, and takes no others.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server sends its clients away.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether clients should be sent here.
    ///
    /// # Errors
    /// Why not, as one sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.is_draining() {
            return Err("the server is draining: it takes no more clients".to_owned());
        }
        let held_up_by = self.held_up_by();
        if held_up_by.is_empty() {
            return Ok(());
        }
        let all: Vec<_> = held_up_by.keys().copied().collect();
        Err(format!("not ready yet: {}", all.join(", ")))
    }

    fn held_up_by(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.held_up_by
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At once: every client is told that the server goes away (1001).
    Now,
    /// Step by step: nobody new is let in, and the clients are closed with 1012 ("service restart"), spread evenly over
    /// this time, so that they do not all come back, to this server or another, at the same moment.
    Drain(Duration),
}

impl From<()> for Stop {
    fn from((): ()) -> Self {
        Self::Now
    }
}

/// What a client is told that has to go because its server drains.
pub(crate) const DRAINED: (u16, &str) = (1012, "the server restarts: connect again");

/// Why a handshake was refused: for the client, the log and the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// A short name that never changes, for metrics.
    pub(crate) reason: &'static str,
    /// A sentence.
    pub(crate) why: String,
}

impl Refused {
    /// The handshake is none, or cannot be answered.
    pub(crate) fn handshake(why: impl Into<String>) -> Self {
        Self::new("handshake", why)
    }

    pub(crate) fn new(reason: &'static str, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { reason, why }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
