//! A connection in two halves.

mod eager;
mod receiver;
mod sender;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

pub use self::{receiver::Receiver, sender::Sender};
use super::{
    Info,
    core::{Core, Outgoing, now},
};
use crate::{error::Error, message::Event};

pub(in crate::websocket) struct Shared {
    core: Mutex<Box<Core>>,
    pub(in crate::websocket) waiters: Arc<Waiters>,
    /// Wakes all `waiters`. The stream remembers only one task for each direction, so it is given this one, which
    /// stands for all of them.
    waker: Waker,
    info: Info,
}

/// The tasks that wait for the connection to change.
#[derive(Default)]
pub(in crate::websocket) struct Waiters {
    parked: Mutex<Parked>,
}

#[derive(Default)]
struct Parked {
    receiver: Option<Waker>,
    senders: Vec<Waker>,
}

pub(super) fn split(core: Box<Core>) -> (Sender, Receiver) {
    let waiters = Arc::new(Waiters::default());
    let waker = Waker::from(Arc::clone(&waiters));
    let info = core.info.clone();
    let shared = Arc::new(Shared {
        core: Mutex::new(core),
        waiters,
        waker,
        info,
    });
    (
        Sender {
            shared: Arc::clone(&shared),
        },
        Receiver { shared },
    )
}

impl Shared {
    pub(in crate::websocket) fn core(&self) -> MutexGuard<'_, Box<Core>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the connection, in the name of all who wait, and wakes them if it failed or ended. (They
    /// need not be woken for less: what else they wait for comes from the stream or a clock, which wake them all.)
    pub(in crate::websocket) fn act<T>(
        &self,
        action: impl FnOnce(&mut Core, &mut Context<'_>) -> T,
    ) -> T {
        let mut core = self.core();
        let before = core.changes();
        let result = action(&mut core, &mut Context::from_waker(&self.waker));
        let changed = core.changes() != before;
        drop(core);
        if changed {
            self.waiters.wake_all();
        }
        result
    }

    fn try_send(&self, mut outgoing: Outgoing<'_>) -> Result<(), Error> {
        self.now(|core, cx| core.try_send(&mut outgoing, cx))
    }

    /// As [`act`](Self::act), for what may write: that the task has used up its share of the thread must not look like
    /// a stream that takes no more.
    fn now<T>(&self, action: impl FnOnce(&mut Core, &mut Context<'_>) -> T) -> T {
        self.act(|core, cx| now(cx, |cx| action(core, cx)))
    }

    pub(in crate::websocket) fn poll_as_sender<T>(
        &self,
        cx: &Context<'_>,
        mut action: impl FnMut(&mut Core, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // Mostly there is no need to wait.
        let result = self.act(&mut action);
        if result.is_ready() {
            return result;
        }
        // What happened before this was parked has woken nobody, so it is looked at again.
        self.waiters.park_sender(cx.waker());
        self.act(action)
    }

    pub(in crate::websocket) fn poll_as_receiver(
        &self,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<Event>, Error>> {
        self.waiters.park_receiver(cx.waker());
        self.act(Core::poll_event)
    }

    fn abort(&self) {
        self.act(|core, _| core.abort());
    }
}

impl Waiters {
    fn parked(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn park_receiver(&self, waker: &Waker) {
        let mut parked = self.parked();
        match &mut parked.receiver {
            Some(parked) => parked.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    fn park_sender(&self, waker: &Waker) {
        let mut parked = self.parked();
        if !parked.senders.iter().any(|parked| parked.will_wake(waker)) {
            parked.senders.push(waker.clone());
        }
    }

    pub(in crate::websocket) fn wake_receiver(&self) {
        let receiver = self.parked().receiver.take();
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    fn wake_senders(&self) {
        let senders = std::mem::take(&mut self.parked().senders);
        for sender in senders {
            sender.wake();
        }
    }

    fn wake_all(&self) {
        self.wake_receiver();
        self.wake_senders();
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
