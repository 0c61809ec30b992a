//! Counts what is left behind, for the whole process: whoever uses this is the only test of its process.

use std::{
    alloc::System,
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::{Duration, Instant},
};

use cap::Cap;
use tokio::{runtime::Handle, time::sleep};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const ROUNDS: usize = 1000;

const WARM_UP: usize = 200;

/// What all rounds together may leave: less than a byte each.
const SLACK: usize = ROUNDS - 1;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    tasks: usize,
    descriptors: usize,
    bytes: usize,
}

fn count() -> Counts {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count();
    Counts {
        tasks: Handle::current().metrics().num_alive_tasks(),
        descriptors,
        bytes: ALLOCATOR.allocated(),
    }
}

/// Waits until nothing more goes away. The other end hears of a drop a moment later.
async fn settled(wanted: Option<Counts>) -> Counts {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut last = count();
    let mut same = 0;
    loop {
        sleep(Duration::from_millis(5)).await;
        let now = count();
        same = if now == last { same + 1 } else { 0 };
        last = now;
        let enough = match wanted {
            Some(wanted) => {
                now.tasks == wanted.tasks
                    && now.descriptors == wanted.descriptors
                    && now.bytes <= wanted.bytes + SLACK
            }
            None => same >= 20,
        };
        if enough || Instant::now() > deadline {
            return now;
        }
    }
}

/// Polls a future until it has waited so often, then drops it. Gives whether it came to its end.
pub(crate) async fn drop_after<T>(future: impl Future<Output = T>, waits: usize) -> bool {
    let mut future = Box::pin(future);
    let mut left = waits;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if left == 0 => Poll::Ready(false),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

pub(crate) type Round<'a> = Box<dyn Fn(usize) -> Pin<Box<dyn Future<Output = bool> + 'a>> + 'a>;

/// Does something over and over, and drops it at its first wait, its second, and so on, until it is done; then from the
/// start.
pub(crate) async fn leaves_nothing(what: &str, round: Round<'_>) {
    // The first rounds fill what threads, tables and the cache of TLS sessions keep.
    drops(&round, WARM_UP).await;
    let mut tries = 0;
    loop {
        let before = settled(None).await;
        let (dropped, done) = drops(&round, ROUNDS).await;
        let after = settled(Some(before)).await;
        assert_eq!(after.tasks, before.tasks, "{what}: tasks");
        assert_eq!(after.descriptors, before.descriptors, "{what}: descriptors");
        assert!(
            dropped > done && done > 0,
            "{what}: {dropped} drops, {done} ends"
        );
        if after.bytes <= before.bytes + SLACK {
            return;
        }
        // A table may have grown once more. What is left behind by every round is there each time.
        tries += 1;
        assert!(
            tries < 3,
            "{what}: {} bytes after {dropped} drops and {done} ends",
            after.bytes - before.bytes
        );
    }
}

/// How often it was dropped, and how often it came to its end.
async fn drops(round: &Round<'_>, rounds: usize) -> (usize, usize) {
    let (mut dropped, mut done, mut waits) = (0, 0, 0);
    for _ in 0..rounds {
        if round(waits).await {
            done += 1;
            waits = 0;
        } else {
            dropped += 1;
            waits += 1;
        }
    }
    (dropped, done)
}
