use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{Capacity, Full, Slot};

const LONG: Duration = Duration::from_secs(60);

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn who_came_first_is_served_first() {
    let capacity = Capacity::new(2).with_queue(3, LONG);
    let mut inside: Vec<Slot> = Vec::new();
    for _ in 0..2 {
        inside.push(capacity.enter().await.expect("a place"));
    }
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(capacity.enter())).collect();
    for one in &mut waiting {
        assert!(poll(one.as_mut()).is_pending());
    }
    assert_eq!((capacity.taken(), capacity.waiting()), (2, 3));
    let full = capacity.enter().await.expect_err("the queue is full");
    assert_eq!(full, Full::QueueFull { waiting: 3 });

    // The second gives up; then the first gets the place, and the third has to wait on.
    drop(waiting.remove(1));
    assert_eq!(capacity.waiting(), 2);
    inside.pop();
    // Who comes now does not overtake those who wait.
    assert!(capacity.try_enter().is_none());
    assert!(poll(waiting[1].as_mut()).is_pending());
    let Poll::Ready(Ok(_first)) = poll(waiting[0].as_mut()) else {
        panic!("the first has a place");
    };
    inside.pop();
    let Poll::Ready(Ok(_third)) = poll(waiting[1].as_mut()) else {
        panic!("so has the third");
    };
    assert_eq!((capacity.taken(), capacity.waiting()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_longer_than_they_may() {
    let capacity = Capacity::new(1).with_queue(1, LONG);
    let place = capacity.enter().await.expect("a place");
    let full = capacity.enter().await.expect_err("nobody leaves");
    assert_eq!(full, Full::WaitedTooLong { after: LONG });
    assert_eq!(capacity.waiting(), 0);
    assert_eq!(
        full.to_string(),
        "the server is full: no place became free within 60 s"
    );
    drop(place);
    assert!(capacity.enter().await.is_ok());
}

#[tokio::test]
async fn without_places_nobody_is_let_in() {
    let capacity = Capacity::new(0);
    let full = pin!(capacity.enter()).await.expect_err("none");
    assert_eq!(full, Full::NoPlace { places: 0 });
    assert!(capacity.try_enter().is_none());
}
