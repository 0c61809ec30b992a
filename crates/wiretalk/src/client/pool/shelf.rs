//! Where the connections are that nobody has.

use std::{
    collections::VecDeque,
    future::Future,
    pin::{Pin, pin},
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    task::AbortHandle,
    time::Instant,
};

use crate::{CloseCode, WebSocket};

/// A connection that nobody has.
pub(super) struct Idle {
    pub(super) socket: WebSocket,
    pub(super) opened: Instant,
    /// When it was given back.
    pub(super) since: Instant,
}

/// A close handshake under way.
pub(super) type Retiring = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub(super) struct Shelf {
    kept: Mutex<Kept>,
    emptied: Notify,
}

#[derive(Default)]
pub(super) struct Kept {
    /// The one that was given back last is the last.
    pub(super) idle: VecDeque<Idle>,
    pub(super) retiring: Vec<Retiring>,
    /// Of the keeper, once it has looked.
    pub(super) waker: Option<Waker>,
    keeper: Option<AbortHandle>,
    /// Nothing is put here any more.
    closed: bool,
    /// Nobody looks after what is here.
    abandoned: bool,
}

impl Shelf {
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        // Each change is made in one go.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.kept().idle.len()
    }

    /// The one that was given back last.
    pub(super) fn take(&self) -> Option<Idle> {
        self.kept().idle.pop_back()
    }

    /// Gives it back if the shelf is closed.
    pub(super) fn put(&self, idle: Idle) -> Result<(), Idle> {
        let mut kept = self.kept();
        if kept.closed {
            return Err(idle);
        }
        kept.idle.push_back(idle);
        kept.wake();
        Ok(())
    }

    /// Closes a connection. The permit is held meanwhile.
    pub(super) fn retire(&self, socket: WebSocket, permit: Option<OwnedSemaphorePermit>) {
        let mut kept = self.kept();
        if !kept.abandoned {
            kept.retiring.push(retire(socket, permit));
            kept.wake();
        }
    }

    /// Closes all that are idle, and takes no more.
    pub(super) fn close(&self) {
        let mut kept = self.kept();
        kept.closed = true;
        let idle = std::mem::take(&mut kept.idle);
        let retired = idle.into_iter().map(|idle| retire(idle.socket, None));
        kept.retiring.extend(retired);
        kept.wake();
    }

    /// Drops all.
    pub(super) fn abandon(&self) {
        let mut kept = self.kept();
        kept.closed = true;
        kept.abandoned = true;
        kept.waker = None;
        if let Some(keeper) = kept.keeper.take() {
            keeper.abort();
        }
        let dropped = (
            std::mem::take(&mut kept.idle),
            std::mem::take(&mut kept.retiring),
        );
        // What is dropped may hold permits, which wake others.
        drop(kept);
        drop(dropped);
    }

    /// Starts a keeper, unless one is at work.
    pub(super) fn keep(&self, start: impl FnOnce() -> AbortHandle) {
        let mut kept = self.kept();
        if kept.keeper.as_ref().is_none_or(AbortHandle::is_finished) {
            kept.keeper = Some(start());
        }
    }

    /// Whether a keeper is at work.
    pub(super) fn is_kept(&self) -> bool {
        let kept = self.kept();
        kept.keeper
            .as_ref()
            .is_some_and(|keeper| !keeper.is_finished())
    }

    /// Waits until a closed shelf has nothing left.
    pub(super) async fn emptied(&self) {
        loop {
            let mut emptied = pin!(self.emptied.notified());
            emptied.as_mut().enable();
            if self.kept().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    pub(super) fn tell_emptied(&self) {
        self.emptied.notify_waiters();
    }
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.idle.is_empty() && self.retiring.is_empty()
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The close handshake, which the connection's settings bound in time.
pub(super) fn retire(mut socket: WebSocket, permit: Option<OwnedSemaphorePermit>) -> Retiring {
    Box::pin(async move {
        let _permit = permit;
        if socket.close(CloseCode::NORMAL, "").await.is_ok() {
            // What still comes has nobody to read it.
            while let Ok(Some(_)) = socket.next_event().await {}
        }
    })
}
