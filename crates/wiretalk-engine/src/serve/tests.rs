use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::{STEP, STOPPING, Tasks};

#[tokio::test]
async fn a_server_that_stops_waits_for_as_long_as_clients_leave() {
    const CLIENTS: usize = 4;
    // Between two that leave is less time than it waits for one, and all of them take longer than that.
    let pause = STOPPING.mul_f64(0.4).as_millis() / STEP.as_millis();
    let mut tasks = Tasks::default();
    let (leaves, left) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    for _ in 0..CLIENTS {
        let (leaves, left) = (Arc::clone(&leaves), Arc::clone(&left));
        tasks.lives.spawn(async move {
            leaves.acquire().await.expect("it is open").forget();
            left.fetch_add(1, Ordering::Relaxed);
        });
    }
    // This one never does, and is not waited for for ever.
    tasks.lives.spawn(std::future::pending());
    let mut steps = 0;
    let late = || {
        steps += 1;
        if steps % pause == 0 {
            leaves.add_permits(1);
        }
    };
    tasks.end(late).await;
    assert_eq!(left.load(Ordering::Relaxed), CLIENTS);
    assert!(tasks.is_empty());
}
