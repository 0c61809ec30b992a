//! A mock's part in what several nodes share.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use wiretalk_backplane::{Line, Location, Running, UrlError};
use wiretalk_hub::{Hub, HubEvent, HubOptions};

use super::command::Command;
use super::operation::Operation;

/// What a server that waits for its backplane is not ready for.
pub(super) const BACKPLANE: &str = "the backplane has not been read yet";

/// A mock's connection to its log.
#[derive(Debug)]
pub(super) struct Joined {
    running: Mutex<Option<Running>>,
    ready: watch::Sender<bool>,
}

impl Joined {
    /// Puts a hub on a log. `events` gets what happens to it.
    pub(super) fn new(
        location: &Location,
        path: &str,
        options: HubOptions,
        make: impl FnOnce(HubOptions, Line) -> Hub<Command>,
    ) -> Result<(Hub<Command>, Self), UrlError> {
        let (hub, running) = location.connect(path, options, make)?;
        let joined = Self {
            running: Mutex::new(Some(running)),
            ready: watch::Sender::new(false),
        };
        Ok((hub, joined))
    }

    /// The log has been read to its end.
    pub(super) fn is_ready(&self, operation: &Operation) {
        if !self.ready.send_replace(true) {
            operation.readiness.release(BACKPLANE);
        }
    }

    /// Waits until the log has been read to its end.
    pub(super) async fn ready(&self) {
        let mut ready = self.ready.subscribe();
        // The sender is `self`'s.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// Ends the connection, once what waits is appended or the time is over.
    pub(super) async fn part(&self, limit: Duration) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(running) = running {
            running.close(limit).await;
        }
    }
}

/// Hands on what happens to a hub's log to whoever owns the hub, who comes into being after it.
pub(super) struct Ears<T> {
    owner: OnceLock<Weak<T>>,
    /// What happened before there was an owner.
    early: Mutex<Vec<HubEvent>>,
}

impl<T: Send + Sync + 'static> Ears<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            owner: OnceLock::new(),
            early: Mutex::default(),
        })
    }

    /// Something happened.
    pub(super) fn hear(&self, event: HubEvent, hand_on: fn(&T, &HubEvent)) {
        let owner = {
            let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
            match self.owner.get() {
                Some(owner) => owner.upgrade(),
                None => return early.push(event),
            }
        };
        if let Some(owner) = owner {
            hand_on(&owner, &event);
        }
    }

    /// The owner is there: it hears what happened so far, and whatever comes.
    pub(super) fn belong_to(&self, owner: &Arc<T>, hand_on: fn(&T, &HubEvent)) {
        let early = {
            let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = self.owner.set(Arc::downgrade(owner));
            std::mem::take(&mut *early)
        };
        for event in &early {
            hand_on(owner, event);
        }
    }
}
