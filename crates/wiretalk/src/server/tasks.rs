//! The tasks of a server, owned in one place.

use std::{
    future::{Future, poll_fn},
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use tokio::task::JoinSet;

/// Tasks that can be added from anywhere, and are joined by their server.
#[derive(Debug, Default)]
pub(super) struct Tasks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    set: JoinSet<()>,
    closed: bool,
}

impl Tasks {
    /// Runs a future as a task, unless the tasks were ended.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.lock();
        if !state.closed {
            state.reap();
            state.set.spawn(task);
        }
    }

    /// Lets go of what is left of the tasks that have ended. Whoever ends one calls this, so that a server that nobody
    /// comes to any more keeps one of them at the most.
    pub(super) fn reap(&self) {
        self.lock().reap();
    }

    /// Waits until none is left. Cancel-safe.
    pub(super) async fn ended(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            loop {
                match state.set.poll_join_next(cx) {
                    Poll::Ready(Some(_)) => {}
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }

    /// Ends those that are left, at their next await, and takes no more.
    pub(super) fn abort(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.set.abort_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reap(&mut self) {
        // What became of a task, it has told itself.
        while self.set.try_join_next().is_some() {}
    }
}
