//! What waits for one connection: a queue bounded in bytes, with one end in the hub and one with the connection.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use wiretalk_proto::Prepared;

/// What an item takes up beside its payload, in bytes, roughly.
const ITEM_COST: usize = 128;
/// As many items as this may wait in the smallest of outboxes, if their payloads fit.
const LEAST_ITEMS: usize = 64;

/// One thing to do on a connection.
#[derive(Clone, Debug)]
pub enum Item<C = Infallible> {
    /// Send this message.
    Message(Prepared),
    /// Whatever else the hub's owner puts in order with the messages.
    Control(C),
}

/// What a look into an outbox found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drain {
    /// One item or more has been handed over, oldest first.
    Items,
    /// More piled up than the limit allows. What waited is gone, and nothing will be delivered here again: close the
    /// connection, and say why.
    Overflow,
    /// The member has left the hub, and all that was delivered before has been handed over.
    Closed,
}

/// The connection's end of its queue.
///
/// Dropping it refuses further deliveries; the member stays in the hub, and is counted, until it is dropped itself.
pub struct Outbox<C = Infallible> {
    mailbox: Arc<Mailbox<C>>,
}

impl<C> Outbox<C> {
    /// Waits until something is there, then appends all of it to `items`.
    ///
    /// Safe to cancel: what was not handed over waits on. An empty `items` changes places with the queue, so whoever
    /// passes the same vector again saves an allocation, and whoever passes a new one keeps an idle outbox without
    /// any.
    pub async fn drain(&mut self, items: &mut Vec<Item<C>>) -> Drain {
        poll_fn(|cx| self.poll_drain(cx, items)).await
    }

    /// [`drain`](Self::drain) for a caller that polls. Only the last caller's waker is kept.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>, items: &mut Vec<Item<C>>) -> Poll<Drain> {
        let mut queue = self.mailbox.lock();
        if queue.state == State::Overflowed {
            return Poll::Ready(Drain::Overflow);
        }
        if !queue.items.is_empty() {
            queue.bytes = 0;
            if items.is_empty() {
                mem::swap(&mut queue.items, items);
            } else {
                items.append(&mut queue.items);
            }
            return Poll::Ready(Drain::Items);
        }
        if queue.state == State::Left {
            return Poll::Ready(Drain::Closed);
        }
        queue.wake_later(cx);
        Poll::Pending
    }

    /// Waits until more has piled up than the limit allows; for a connection that is stuck in a write, and would not
    /// learn of it by draining. Safe to cancel.
    pub async fn overflowed(&mut self) {
        poll_fn(|cx| {
            let mut queue = self.mailbox.lock();
            if queue.state == State::Overflowed {
                return Poll::Ready(());
            }
            queue.wake_later(cx);
            Poll::Pending
        })
        .await;
    }

    /// The bytes that wait to be drained.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.mailbox.queued()
    }

    pub(crate) fn new(mailbox: Arc<Mailbox<C>>) -> Self {
        Self { mailbox }
    }
}

impl<C> Drop for Outbox<C> {
    fn drop(&mut self) {
        self.mailbox.outbox_left();
    }
}

impl<C> fmt::Debug for Outbox<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

/// The queue that hub and outbox share.
pub(crate) struct Mailbox<C> {
    limit: usize,
    queue: Mutex<Queue<C>>,
}

/// What became of an item that was put into a mailbox.
pub(crate) enum Put<C> {
    /// It waits; the waker, if any, is to be called.
    Queued(Option<Waker>),
    /// It was the one too many; the waker, if any, is to be called.
    Overflowed(Remains<C>),
    /// The mailbox takes nothing any more.
    Refused,
}

/// What is left of a queue that takes nothing any more. Dropping a `C` is foreign code, so it is for the caller to do, with no lock
/// held.
pub(crate) struct Remains<C> {
    pub(crate) waker: Option<Waker>,
    pub(crate) lost: Vec<Item<C>>,
}

struct Queue<C> {
    items: Vec<Item<C>>,
    bytes: usize,
    state: State,
    waker: Option<Waker>,
}

impl<C> Queue<C> {
    /// Keeps the waker of who looks, and of nobody else.
    fn wake_later(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Overflowed,
    /// The member is gone: what waits may still be drained.
    Left,
    /// The outbox is gone: nobody would ever drain.
    Deaf,
}

impl<C> Mailbox<C> {
    pub(crate) fn new(limit: usize) -> Self {
        let queue = Queue {
            items: Vec::new(),
            bytes: 0,
            state: State::Open,
            waker: None,
        };
        Self {
            limit,
            queue: Mutex::new(queue),
        }
    }

    pub(crate) fn put(&self, item: Item<C>, bytes: usize) -> Put<C> {
        let mut queue = self.lock();
        if queue.state != State::Open {
            return Put::Refused;
        }
        let total = queue.bytes.saturating_add(bytes);
        let full = total > self.limit || queue.items.len() >= self.most_items();
        if full && !queue.items.is_empty() {
            return Put::Overflowed(queue.end(State::Overflowed));
        }
        queue.items.push(item);
        queue.bytes = total;
        Put::Queued(queue.waker.take())
    }

    /// An item costs memory even if it carries nothing, so their number is bounded too.
    fn most_items(&self) -> usize {
        (self.limit / ITEM_COST).max(LEAST_ITEMS)
    }

    /// The bytes that wait.
    pub(crate) fn queued(&self) -> usize {
        self.lock().bytes
    }

    /// The member has left. What waits stays.
    pub(crate) fn member_left(&self) -> Option<Waker> {
        let mut queue = self.lock();
        if queue.state == State::Open {
            queue.state = State::Left;
        }
        queue.waker.take()
    }

    /// The outbox is gone.
    fn outbox_left(&self) {
        let left = self.lock().end(State::Deaf);
        drop(left);
    }

    fn lock(&self) -> MutexGuard<'_, Queue<C>> {
        // No foreign code runs under this lock but the cloning of a waker, before which nothing is half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Queue<C> {
    /// Empties the queue for good.
    fn end(&mut self, state: State) -> Remains<C> {
        self.state = state;
        self.bytes = 0;
        Remains {
            waker: self.waker.take(),
            lost: mem::take(&mut self.items),
        }
    }
}
