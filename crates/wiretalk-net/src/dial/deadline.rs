//! The one moment by which everything about a dial must be done.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::{config::FOREVER, error::Error};

/// When to give up, and how long that was when dialing began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) limit: Duration,
}

impl Deadline {
    pub(super) fn from_now(limit: Duration) -> Self {
        Self {
            at: Instant::now() + limit.min(FOREVER),
            limit,
        }
    }

    /// Waits for the future no longer than that, and lets `late` say what was late: it is told the limit.
    pub(super) async fn within<T>(
        self,
        future: impl Future<Output = T>,
        late: impl FnOnce(Duration) -> Error,
    ) -> Result<T, Error> {
        let in_time = timeout_at(self.at, future).await;
        in_time.map_err(|_| late(self.limit))
    }
}
