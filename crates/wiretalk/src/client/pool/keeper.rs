//! The task that looks after the connections that nobody has.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Event, Shared,
    shelf::{Idle, retire},
};

/// Runs until it is aborted.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut alarm: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        loop {
            let due = look(&shared, cx);
            let Some(due) = due else {
                return Poll::<()>::Pending;
            };
            let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if alarm.deadline() != due {
                alarm.as_mut().reset(due);
            }
            // Whatever is due is looked at once more.
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// Looks at each connection once, and says when the next one is to go.
fn look(shared: &Shared, cx: &mut Context<'_>) -> Option<Instant> {
    let mut kept = shared.shelf.kept();
    kept.waker = Some(cx.waker().clone());
    let now = Instant::now();
    let mut next: Option<Instant> = None;
    for _ in 0..kept.idle.len() {
        // Each is taken from the front and put back behind the others, so their order stays.
        let Some(mut idle) = kept.idle.pop_front() else {
            break;
        };
        let expires = shared.expires(&idle);
        if is_quiet(&mut idle, cx) && expires.is_none_or(|at| at > now) {
            next = match (next, expires) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            kept.idle.push_back(idle);
        } else if let Ok(permit) = Arc::clone(&shared.permits).try_acquire_owned() {
            kept.retiring.push(retire(idle.socket, Some(permit)));
        }
        // Else somebody is about to dial another in its place, and a handshake would be one connection too many.
    }
    let before = kept.retiring.len();
    kept.retiring
        .retain_mut(|retiring| retiring.as_mut().poll(cx).is_pending());
    if before > 0 && kept.retiring.is_empty() && kept.idle.is_empty() {
        shared.shelf.tell_emptied();
    }
    next
}

/// Lets the connection do what it has to, such as to answer pings. Whether it is still one that can be handed out.
fn is_quiet(idle: &mut Idle, cx: &mut Context<'_>) -> bool {
    loop {
        match pin!(idle.socket.next_event()).poll(cx) {
            Poll::Pending => return true,
            Poll::Ready(Ok(Some(Event::Ping(_) | Event::Pong(_)))) => {}
            Poll::Ready(_) => return false,
        }
    }
}
