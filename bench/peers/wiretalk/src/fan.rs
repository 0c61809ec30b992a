//! One message to many: framed once, put into the queue of each connection at once, and written when the sender has no
//! more for now, so that a burst leaves each connection in one write.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::task::unconstrained;
use wiretalk_net::{Error, Message, Prepared, Receiver, Sender, WebSocket};

/// Everyone who is connected.
#[derive(Default)]
pub(crate) struct Room {
    members: Mutex<Vec<Sender>>,
    /// Whether something waits to be written.
    waiting: AtomicBool,
}

impl Room {
    /// Serves a connection until it ends: what it sends goes to all.
    pub(crate) async fn serve(self: Arc<Self>, socket: WebSocket) -> Result<(), Error> {
        let (sender, mut receiver) = socket.split();
        self.members().push(sender);
        while let Some(message) = self.next(&mut receiver).await {
            self.put(&match message? {
                Message::Text(text) => Prepared::text(&text),
                Message::Binary(payload) => Prepared::binary(&payload),
            });
        }
        Ok(())
    }

    /// The next message; before this waits for one, all that was put is written.
    async fn next(&self, receiver: &mut Receiver) -> Option<Result<Message, Error>> {
        poll_fn(|cx| {
            let next = pin!(receiver.recv()).poll(cx);
            if next.is_pending() && self.waiting.swap(false, Ordering::Relaxed) {
                self.write();
            }
            next
        })
        .await
    }

    /// Puts a message into everyone's queue. Nobody is waited for: a connection that has ended leaves, and one whose
    /// queue is full misses the message.
    fn put(&self, message: &Prepared) {
        self.members()
            .retain(|member| !matches!(now(member.feed_prepared(message)), Poll::Ready(Err(_))));
        self.waiting.store(true, Ordering::Relaxed);
    }

    /// Writes everyone's queue. What the kernel does not take now is written by the task of that connection.
    fn write(&self) {
        for member in &*self.members() {
            let _ = now(member.flush());
        }
    }

    fn members(&self) -> MutexGuard<'_, Vec<Sender>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a future does at once, whatever the task has done already.
fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(unconstrained(future)).poll(&mut Context::from_waker(Waker::noop()))
}
