//! What was published on the channel and has not been read yet. The library's own queue has no bound; this one has: of what
//! is beyond it, only how far the log is stays, and the log has the rest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::redis::Msg;
use futures_util::{Stream, StreamExt};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::live::Live;

/// So many bytes may wait to be read.
const LIMIT: usize = 16 * 1024 * 1024;
/// What a message costs beside its bytes, roughly.
const MESSAGE_COST: usize = 64;

/// Something that was published.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Message(Vec<u8>),
    /// Records up to this offset are in the log.
    Log(u64),
}

/// The messages of a channel, in their order.
pub(super) struct Channel {
    shared: Arc<Shared>,
    pump: AbortHandle,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    news: Notify,
}

#[derive(Default)]
struct Queue {
    heard: VecDeque<Heard>,
    bytes: usize,
    has_ended: bool,
}

impl Channel {
    pub(super) fn new(mut messages: impl Stream<Item = Msg> + Send + Unpin + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let queue = Arc::clone(&shared);
        let pump = tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                queue.lock().push(message.get_payload_bytes(), LIMIT);
                queue.news.notify_one();
            }
            queue.lock().has_ended = true;
            queue.news.notify_one();
        });
        Self {
            shared,
            pump: pump.abort_handle(),
        }
    }

    /// What comes next; none, if the connection has ended. Dropping the future loses nothing.
    pub(super) async fn next(&self) -> Option<Heard> {
        loop {
            {
                let mut queue = self.shared.lock();
                if let Some(heard) = queue.pop() {
                    return Some(heard);
                }
                if queue.has_ended {
                    return None;
                }
            }
            self.shared.news.notified().await;
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, message: &[u8], limit: usize) {
        let cost = message.len() + MESSAGE_COST;
        if self.heard.is_empty() || self.bytes + cost <= limit {
            self.bytes += cost;
            self.heard.push_back(Heard::Message(message.to_vec()));
            return;
        }
        // What is not in the log is lost, as its number will tell.
        let Some(last) = Live::parse(message).and_then(|live| live.last()) else {
            return;
        };
        match self.heard.back_mut() {
            Some(Heard::Log(newest)) => *newest = last.max(*newest),
            _ => self.heard.push_back(Heard::Log(last)),
        }
    }

    fn pop(&mut self) -> Option<Heard> {
        let heard = self.heard.pop_front();
        if let Some(Heard::Message(message)) = &heard {
            self.bytes -= message.len() + MESSAGE_COST;
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_the_log_has_the_rest() {
        let mut queue = Queue::default();
        let limit = 10 * (MESSAGE_COST + 20);
        let message = |first: u64| format!("{first:06};2;drawn;1:a1:b").into_bytes();
        for first in (1..2_001).step_by(2) {
            queue.push(&message(first), limit);
            queue.push(b"0;1;;1:x", limit);
            assert!(queue.bytes <= limit);
        }
        assert!(queue.heard.len() < 20);
        let mut last = None;
        while let Some(heard) = queue.pop() {
            last = Some(heard);
            // What comes once there is place again stands behind.
            if queue.heard.len() == 1 {
                queue.push(&message(2_001), limit);
                break;
            }
        }
        assert!(matches!(last, Some(Heard::Message(_))));
        assert_eq!(queue.pop(), Some(Heard::Log(2_000)));
        assert_eq!(queue.pop(), Some(Heard::Message(message(2_001))));
        assert_eq!((queue.pop(), queue.bytes), (None, 0));
    }

    #[test]
    fn one_that_is_larger_than_all_comes_through() {
        let mut queue = Queue::default();
        queue.push(&[b'x'; 1_000], 10);
        queue.push(b"y", 10);
        assert_eq!(queue.pop(), Some(Heard::Message(vec![b'x'; 1_000])));
        assert_eq!(queue.pop(), None);
    }
}
